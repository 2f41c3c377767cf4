/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, routes, TCP and NBD of a configuration into the state. */
#include "daemon/config_priv.h"
#include "daemon/model_nbd.h"
#include "daemon/model_net.h"

/* One that changes its volume is another export: a client must not take one disk for the other. */
int config_delete_nbd_exports(struct state *state, const struct config *config, struct fail *fail)
{
	struct nbd_export_row have;
	int rc;

	for (have.name[0] = '\0'; (rc = state_nbd_next(state, have.name, &have, fail)) == 1;) {
		const struct config_nbd_export *want = config_nbd_export_named(config, have.name);
		if ((!want || strcmp(want->row.volume_name, have.volume_name) != 0) &&
		    model_nbd_delete(state, &have, fail) != 0)
			return -1;
	}
	return rc;
}

static bool same_settings(const struct nbd_export_row *a, const struct nbd_export_row *b)
{
	bool same = a->read_only == b->read_only && a->is_default == b->is_default &&
		    a->allow_count == b->allow_count && strcmp(a->description, b->description) == 0;

	for (unsigned i = 0; same && i < a->allow_count; i++)
		same = text_prefix_equal(&a->allow[i], &b->allow[i]);
	return same;
}

static int write_nbd_export(struct state *state, const struct nbd_export_row *want, struct fail *fail)
{
	struct nbd_export_row have, row = *want;
	struct volume_row volume;
	struct fail ignored;

	if (state_nbd_by_name(state, want->name, &have, &ignored) != 0) {
		if (state_volume_by_name(state, want->volume_name, &volume, fail) != 0)
			return -1;
		row.volume_id = volume.id;
		return model_nbd_create(state, &row, fail);
	}
	if (same_settings(&have, want))
		return 0;
	row.id = have.id;
	row.volume_id = have.volume_id;
	row.generation = have.generation;
	return model_nbd_set(state, &row, fail);
}

int config_write_nbd_exports(struct state *state, const struct config *config, struct fail *fail)
{
	/* The default last: the one that was it has to let go first. */
	for (unsigned turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < config->nbd_export_count; i++)
			if (config->nbd_exports[i].row.is_default == (turn == 1) &&
			    write_nbd_export(state, &config->nbd_exports[i].row, fail) != 0)
				return -1;
	return 0;
}

/* Have and want, in memory of the caller's. */
static int load(struct state *state, const struct config *config, struct net_rows **rows, struct fail *fail)
{
	*rows = calloc(2, sizeof **rows);
	if (!*rows)
		return fail_set(fail, FAIL_FAILED, "out of memory");
	if (state_net_get(state, &(*rows)[0], fail) != 0)
		return -1;
	config_merge_net(config, &(*rows)[0], &(*rows)[1]);
	return 0;
}

int config_clear_net(struct state *state, const struct config *config, struct fail *fail)
{
	struct net_rows *rows;
	int rc = config->addresses_given ? load(state, config, &rows, fail) : 1;

	if (rc == 1)
		return 0;
	/* Routes that the text does not name stay, for config_write_net to find. */
	if (rc == 0 && !model_net_equal(&rows[0], &rows[1])) {
		rows[0].address_count = 0;
		rc = state_net_put(state, &rows[0], fail);
	}
	free(rows);
	return rc;
}

int config_write_net(struct state *state, const struct config *config, struct fail *fail)
{
	struct network_row have, want;
	struct net_rows *rows;
	int rc = load(state, config, &rows, fail);

	if (rc == 0)
		rc = model_net_set(state, &rows[1], fail);
	free(rows);
	if (rc != 0 || state_network_get(state, &have, fail) != 0)
		return -1;
	config_merge_network(config, &have, &want);
	if (want.nbd_tcp_port == have.nbd_tcp_port && want.congestion == have.congestion && want.ecn == have.ecn &&
	    want.keepalive_idle_ms == have.keepalive_idle_ms &&
	    want.keepalive_interval_ms == have.keepalive_interval_ms && want.keepalive_count == have.keepalive_count &&
	    want.user_timeout_ms == have.user_timeout_ms)
		return 0;
	return model_network_set(state, &want, "network.changed", fail);
}

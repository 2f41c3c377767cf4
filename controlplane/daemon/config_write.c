/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration into the state, in one transaction.  What goes is deleted
 * first, so that names, paths, devices and addresses are free for what comes;
 * references are checked at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_priv.h"
#include "daemon/model.h"
#include "daemon/model_aoe.h"

/* ---------------------------------------------------------------- delete */

/* One that changes its volume is another export: a client must not take one disk for the other. */
static bool stays(const struct config *config, const struct export_row *have)
{
	const struct config_export *want = config_export_at(config, have->shelf, have->slot);

	return want && strcmp(want->row.volume_name, have->volume_name) == 0;
}

static int delete_exports(struct state *state, const struct config *config, struct fail *fail)
{
	struct export_row have;
	int rc = 1;

	for (int32_t after = -1; rc == 1; after = state_export_key(&have)) {
		rc = state_export_next(state, after, &have, fail);
		if (rc == 1 && !stays(config, &have) && model_export_delete(state, &have, fail) != 0)
			return -1;
	}
	return rc;
}

static int delete_volumes(struct state *state, const struct config *config, struct fail *fail)
{
	struct volume_row have;
	int rc;

	for (have.name[0] = '\0'; (rc = state_volume_next(state, have.name, &have, fail)) == 1;)
		if (!config_volume_named(config, have.name) && model_volume_delete(state, &have, fail) != 0)
			return -1;
	return rc;
}

/* Exports may still name the port; they are rewritten later in the transaction. */
static int delete_ports(struct state *state, const struct config *config, const struct port_row *rows, int count,
			struct fail *fail)
{
	for (int i = 0; i < count; i++) {
		if (config_port_named(config, rows[i].name))
			continue;
		if (state_port_delete(state, rows[i].id, fail) != 0 ||
		    model_event(state, fail, WHERRY_INFO, "port.removed", rows[i].name, "removed") != 0)
			return -1;
	}
	return 0;
}

/* ----------------------------------------------------------------- ports */

static int write_port(struct state *state, const struct config_port *want, const struct port_row *rows, int count,
		      struct fail *fail)
{
	struct port_row row = want->row;

	for (int i = 0; i < count; i++) {
		if (strcmp(rows[i].name, row.name) != 0)
			continue;
		row.id = rows[i].id;
		if (model_port_equal(&rows[i], &row))
			return 0;
		return model_port_set(state, &row, fail);
	}
	return model_port_add(state, &row, fail);
}

static int write_ports(struct state *state, const struct config *config, struct fail *fail)
{
	struct port_row *rows = calloc(WHERRY_PORT_COUNT_MAX, sizeof *rows);
	int count = rows ? state_port_list(state, rows, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	int rc = count < 0 ? -1 : delete_ports(state, config, rows, count, fail);

	for (size_t i = 0; rc == 0 && i < config->port_count; i++)
		rc = write_port(state, &config->ports[i], rows, count, fail);
	free(rows);
	return rc;
}

static int write_runtime(struct state *state, const struct config *config, struct fail *fail)
{
	struct runtime_row have, want;

	if (state_runtime_get(state, &have, fail) != 0)
		return -1;
	want = have;
	if (config->lcores_given) {
		memcpy(want.lcores, config->runtime.lcores, sizeof want.lcores);
		want.main_lcore = config->runtime.main_lcore;
	}
	if (config->idle_given) {
		want.idle_spin_turns = config->runtime.idle_spin_turns;
		want.idle_pause_turns = config->runtime.idle_pause_turns;
		want.idle_sleep_us = config->runtime.idle_sleep_us;
	}
	if (strcmp(have.lcores, want.lcores) == 0 && have.main_lcore == want.main_lcore &&
	    have.idle_spin_turns == want.idle_spin_turns && have.idle_pause_turns == want.idle_pause_turns &&
	    have.idle_sleep_us == want.idle_sleep_us)
		return 0;
	return model_runtime_set(state, &want, "runtime.changed", fail);
}

/* --------------------------------------------------------------- volumes */

static int write_volume(struct state *state, struct config_volume *want, struct fail *fail)
{
	struct volume_row have;
	struct fail ignored;

	if (state_volume_by_name(state, want->row.name, &have, &ignored) != 0)
		return model_volume_create(state, &want->row, fail);
	want->row.id = have.id;
	uint64_t size = want->row.size_bytes ? want->row.size_bytes : have.size_bytes;
	if (model_volume_grow(state, &have, size, fail) != 0)
		return -1;
	if (have.read_only == want->row.read_only && have.write_back == want->row.write_back &&
	    have.online == want->row.online)
		return 0;
	have.read_only = want->row.read_only;
	have.write_back = want->row.write_back;
	have.online = want->row.online;
	return model_volume_set(state, &have, fail);
}

/* --------------------------------------------------------------- exports */

static int take_references(struct state *state, struct config_export *want, struct fail *fail)
{
	struct volume_row volume;
	struct port_row port;

	if (state_volume_by_name(state, want->row.volume_name, &volume, fail) != 0)
		return -1;
	want->row.volume_id = volume.id;
	for (unsigned i = 0; i < want->row.port_count; i++) {
		if (state_port_by_name(state, want->ports[i], &port, fail) != 0)
			return -1;
		want->row.port_ids[i] = port.id;
	}
	return 0;
}

static bool same_settings(const struct export_row *a, const struct export_row *b)
{
	if (a->read_only != b->read_only || a->remote_mask != b->remote_mask || a->remote_config != b->remote_config ||
	    a->remote_force_reserve != b->remote_force_reserve || a->buffer_count != b->buffer_count ||
	    a->sectors_max != b->sectors_max || a->vlan_count != b->vlan_count || a->port_count != b->port_count)
		return false;
	for (unsigned i = 0; i < a->port_count; i++) {
		bool found = false;
		for (unsigned j = 0; j < b->port_count; j++)
			found |= a->port_ids[i] == b->port_ids[j];
		if (!found)
			return false;
	}
	return memcmp(a->vlans, b->vlans, a->vlan_count * sizeof a->vlans[0]) == 0;
}

static int write_state(struct state *state, const struct config_export *want, struct export_row *have,
		       struct fail *fail)
{
	if (want->mask_given && model_mask_put(state, have, want->row.mask, want->row.mask_count, fail) != 0)
		return -1;
	if (want->config_given && model_config_put(state, have, want->row.config, want->row.config_bytes, fail) != 0)
		return -1;
	return 0;
}

static int write_export(struct state *state, struct config_export *want, struct fail *fail)
{
	struct export_row have;
	struct fail ignored;

	if (take_references(state, want, fail) != 0)
		return -1;
	if (state_export_by_address(state, want->row.shelf, want->row.slot, &have, &ignored) != 0)
		return model_export_create(state, &want->row, fail);
	if (!same_settings(&have, &want->row)) {
		struct export_row row = want->row;
		row.id = have.id;
		row.generation = have.generation;
		if (model_export_set(state, &row, fail) != 0)
			return -1;
	}
	return write_state(state, want, &have, fail);
}

int config_write(struct state *state, struct config *config, struct fail *fail)
{
	if (state_defer_references(state, fail) != 0 ||
	    (config->exports_given && delete_exports(state, config, fail) != 0) ||
	    (config->exports_given && config_delete_nbd_exports(state, config, fail) != 0) ||
	    (config->volumes_given && delete_volumes(state, config, fail) != 0) ||
	    config_clear_net(state, config, fail) != 0 ||
	    (config->ports_given && write_ports(state, config, fail) != 0) || write_runtime(state, config, fail) != 0 ||
	    config_write_net(state, config, fail) != 0)
		return -1;
	for (size_t i = 0; i < config->volume_count; i++)
		if (write_volume(state, &config->volumes[i], fail) != 0)
			return -1;
	for (size_t i = 0; i < config->export_count; i++)
		if (write_export(state, &config->exports[i], fail) != 0)
			return -1;
	if (config_write_nbd_exports(state, config, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "config.applied", "", "%zu ports, %zu volumes, %zu exports in it",
			   config->port_count, config->volume_count, config->export_count + config->nbd_export_count);
}

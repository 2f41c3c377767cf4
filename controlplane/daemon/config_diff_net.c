/* SPDX-License-Identifier: BSD-3-Clause */
/* What applying a configuration would change of addresses, routes, TCP and NBD. */
#include <stdio.h>

#include "daemon/config_priv.h"
#include "daemon/model_net.h"

void config_merge_net(const struct config *config, const struct net_rows *have, struct net_rows *want)
{
	*want = *have;
	if (config->addresses_given) {
		want->address_count = config->net.address_count;
		memcpy(want->addresses, config->net.addresses, sizeof want->addresses);
	}
	if (config->routes_given) {
		want->route_count = config->net.route_count;
		memcpy(want->routes, config->net.routes, sizeof want->routes);
	}
}

void config_merge_network(const struct config *config, const struct network_row *have, struct network_row *want)
{
	*want = *have;
	if (config->tcp_given) {
		*want = config->network;
		want->generation = have->generation;
		want->nbd_tcp_port = have->nbd_tcp_port;
	}
	if (config->nbd_given)
		want->nbd_tcp_port = config->network.nbd_tcp_port;
}

/* ------------------------------------------------- addresses and routes */

/* The ports there will be. */
static int ports_of(struct state *state, const struct config *config, struct port_row *ports, struct fail *fail)
{
	if (!config->ports_given)
		return state_port_list(state, ports, fail);
	for (size_t i = 0; i < config->port_count; i++)
		ports[i] = config->ports[i].row;
	return (int)config->port_count;
}

static int check(struct state *state, const struct config *config, const struct net_rows *want, struct fail *fail)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	unsigned bad = 0, line = 0;
	struct fail why;

	int count = ports ? ports_of(state, config, ports, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	int rc = count < 0 ? -1 : model_net_check(want, ports, count, &bad, &why);
	free(ports);
	if (count < 0 || rc == 0)
		return rc;
	if (bad < want->address_count && config->addresses_given)
		line = config->address_lines[bad];
	else if (bad >= want->address_count && config->routes_given)
		line = config->route_lines[bad - want->address_count];
	if (line)
		return fail_set(fail, why.kind, "line %u: %.440s", line, why.text);
	return fail_set(fail, FAIL_CONFLICT, "%.360s; the text does not name the section '%s': give it, too", why.text,
			bad < want->address_count ? "addresses" : "routes");
}

static bool has_address(const struct net_rows *rows, const struct address_row *row)
{
	for (unsigned i = 0; i < rows->address_count; i++)
		if (strcmp(rows->addresses[i].port_name, row->port_name) == 0 && rows->addresses[i].vlan == row->vlan &&
		    text_prefix_equal(&rows->addresses[i].address, &row->address))
			return true;
	return false;
}

static bool has_route(const struct net_rows *rows, const struct route_row *row)
{
	for (unsigned i = 0; i < rows->route_count; i++)
		if (text_prefix_equal(&rows->routes[i].prefix, &row->prefix) &&
		    text_ip_equal(&rows->routes[i].gateway, &row->gateway))
			return true;
	return false;
}

/* Those of rows that other does not have. */
static void put_missing(const struct net_rows *rows, const struct net_rows *other, const char *op,
			struct config_diff *diff)
{
	char name[TEXT_PREFIX_BYTES], detail[WHERRY_NAME_BYTES_MAX + 32], gateway[TEXT_IP_BYTES];

	for (unsigned i = 0; i < rows->address_count; i++) {
		const struct address_row *row = &rows->addresses[i];
		if (has_address(other, row))
			continue;
		(void)snprintf(detail, sizeof detail, "port %s, VLAN %u", row->port_name, row->vlan);
		config_change(diff, op, "address", text_prefix_emit(&row->address, name), detail);
	}
	for (unsigned i = 0; i < rows->route_count; i++) {
		const struct route_row *row = &rows->routes[i];
		if (has_route(other, row))
			continue;
		(void)snprintf(detail, sizeof detail, "via %s", text_ip_emit(&row->gateway, gateway));
		config_change(diff, op, "route", text_prefix_emit(&row->prefix, name), detail);
	}
}

static void diff_network(const struct network_row *have, const struct network_row *want, struct config_diff *diff)
{
	struct config_detail tcp = {.len = 0}, nbd = {.len = 0};

	if (have->congestion != want->congestion)
		config_detail_add(&tcp, "congestion %s -> %s", model_congestion_names[have->congestion],
				  model_congestion_names[want->congestion]);
	config_detail_bool(&tcp, "ecn", have->ecn, want->ecn);
	config_detail_number(&tcp, "keepalive_idle_ms", have->keepalive_idle_ms, want->keepalive_idle_ms);
	config_detail_number(&tcp, "keepalive_interval_ms", have->keepalive_interval_ms, want->keepalive_interval_ms);
	config_detail_number(&tcp, "keepalive_count", have->keepalive_count, want->keepalive_count);
	config_detail_number(&tcp, "user_timeout_ms", have->user_timeout_ms, want->user_timeout_ms);
	config_detail_number(&nbd, "port", have->nbd_tcp_port, want->nbd_tcp_port);
	if (tcp.len)
		config_change(diff, "update", "tcp", "", tcp.text);
	if (nbd.len)
		config_change(diff, "update", "nbd", "", nbd.text);
}

int config_diff_net(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	struct network_row have_network, want_network;
	struct net_rows *rows = calloc(2, sizeof *rows);
	int rc = rows ? state_net_get(state, &rows[0], fail) : fail_set(fail, FAIL_FAILED, "out of memory");

	if (rc == 0)
		rc = state_network_get(state, &have_network, fail);
	if (rc == 0) {
		config_merge_net(config, &rows[0], &rows[1]);
		config_merge_network(config, &have_network, &want_network);
		rc = check(state, config, &rows[1], fail);
	}
	if (rc == 0) {
		put_missing(&rows[0], &rows[1], "delete", diff);
		put_missing(&rows[1], &rows[0], "create", diff);
		diff_network(&have_network, &want_network, diff);
	}
	free(rows);
	return rc;
}

/* ----------------------------------------------------------- NBD exports */

static void compare(const struct config_nbd_export *want, const struct nbd_export_row *have, struct config_diff *diff)
{
	struct config_detail detail = {.len = 0};
	bool same_allow = want->row.allow_count == have->allow_count;

	for (unsigned i = 0; same_allow && i < have->allow_count; i++)
		same_allow = text_prefix_equal(&want->row.allow[i], &have->allow[i]);
	if (strcmp(want->row.volume_name, have->volume_name) != 0)
		config_detail_add(&detail, "volume %s -> %s", have->volume_name, want->row.volume_name);
	config_detail_bool(&detail, "read_only", have->read_only, want->row.read_only);
	config_detail_bool(&detail, "default", have->is_default, want->row.is_default);
	if (!same_allow)
		config_detail_add(&detail, "allow %u -> %u of them", have->allow_count, want->row.allow_count);
	if (strcmp(want->row.description, have->description) != 0)
		config_detail_add(&detail, "description");
	if (detail.len)
		config_change(diff, "update", "nbd export", have->name, detail.text);
}

int config_diff_nbd_exports(struct state *state, const struct config *config, struct config_diff *diff,
			    struct fail *fail)
{
	struct nbd_export_row have;
	struct volume_row volume;
	int rc;

	for (size_t i = 0; i < config->nbd_export_count; i++) {
		const struct config_nbd_export *want = &config->nbd_exports[i];
		if (!config_volume_named(config, want->row.volume_name) &&
		    (config->volumes_given ||
		     state_volume_by_name(state, want->row.volume_name, &volume, &(struct fail){0}) != 0))
			return fail_set(fail, FAIL_USAGE, "line %u: NBD export '%s': volume '%s' is not in this text",
					want->line, want->row.name, want->row.volume_name);
	}
	for (have.name[0] = '\0'; (rc = state_nbd_next(state, have.name, &have, fail)) == 1;) {
		const struct config_nbd_export *want = config_nbd_export_named(config, have.name);
		if (want)
			compare(want, &have, diff);
		else
			config_change(diff, "delete", "nbd export", have.name, have.volume_name);
	}
	for (size_t i = 0; rc == 0 && i < config->nbd_export_count; i++) {
		const struct nbd_export_row *row = &config->nbd_exports[i].row;
		if (state_nbd_by_name(state, row->name, &have, &(struct fail){0}) != 0)
			config_change(diff, "create", "nbd export", row->name, row->volume_name);
	}
	return rc;
}

int config_check_nbd_left_alone(struct state *state, const struct config *config, struct fail *fail)
{
	struct nbd_export_row have;
	int rc = 0;

	if (config->exports_given || !config->volumes_given)
		return 0;
	for (have.name[0] = '\0'; (rc = state_nbd_next(state, have.name, &have, fail)) == 1;)
		if (!config_volume_named(config, have.volume_name))
			return fail_set(
				fail, FAIL_CONFLICT,
				"volume '%s' is exported by NBD as '%s' and not in this text; name it, or give the"
				" section 'exports' too",
				have.volume_name, have.name);
	return rc;
}

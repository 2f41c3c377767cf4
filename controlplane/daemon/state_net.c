/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, routes, and what holds for all of IP. */
#include <string.h>

#include "daemon/state_sql.h"

static struct text_prefix column_prefix(sqlite3_stmt *stmt, int address, int bits)
{
	struct text_prefix prefix = {.bits = (uint8_t)sqlite3_column_int(stmt, bits)};

	(void)state_column_blob(stmt, address, prefix.ip.b, sizeof prefix.ip.b);
	return prefix;
}

static int load_addresses(struct state *state, struct net_rows *rows, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 "SELECT p.name, a.vlan, a.address, a.bits FROM address a JOIN port p"
					 " ON p.id = a.port_id ORDER BY a.id",
					 "");
	int rc = stmt ? 1 : -1;

	while (rc == 1 && rows->address_count < WHERRY_ADDRESS_COUNT_MAX) {
		rc = state_step(state, stmt, fail);
		if (rc != 1)
			break;
		struct address_row *row = &rows->addresses[rows->address_count++];
		state_column_text(stmt, 0, row->port_name, sizeof row->port_name);
		row->vlan = (uint16_t)sqlite3_column_int(stmt, 1);
		row->address = column_prefix(stmt, 2, 3);
	}
	if (stmt)
		state_done(stmt);
	return rc < 0 ? -1 : 0;
}

static int load_routes(struct state *state, struct net_rows *rows, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail, "SELECT prefix, bits, gateway FROM route ORDER BY id", "");
	int rc = stmt ? 1 : -1;

	while (rc == 1 && rows->route_count < WHERRY_ROUTE_COUNT_MAX) {
		rc = state_step(state, stmt, fail);
		if (rc != 1)
			break;
		struct route_row *row = &rows->routes[rows->route_count++];
		row->prefix = column_prefix(stmt, 0, 1);
		(void)state_column_blob(stmt, 2, row->gateway.b, sizeof row->gateway.b);
	}
	if (stmt)
		state_done(stmt);
	return rc < 0 ? -1 : 0;
}

int state_net_get(struct state *state, struct net_rows *rows, struct fail *fail)
{
	memset(rows, 0, sizeof *rows);
	return load_addresses(state, rows, fail) == 0 ? load_routes(state, rows, fail) : -1;
}

static int insert_address(struct state *state, const struct address_row *row, struct fail *fail)
{
	return state_run(state, fail,
			 "INSERT INTO address (port_id, vlan, address, bits)"
			 " VALUES ((SELECT id FROM port WHERE name = ?), ?, ?, ?)",
			 "tibi", row->port_name, (int64_t)row->vlan, row->address.ip.b, sizeof row->address.ip.b,
			 (int64_t)row->address.bits);
}

static int insert_route(struct state *state, const struct route_row *row, struct fail *fail)
{
	return state_run(state, fail, "INSERT INTO route (prefix, bits, gateway) VALUES (?, ?, ?)", "bib",
			 row->prefix.ip.b, sizeof row->prefix.ip.b, (int64_t)row->prefix.bits, row->gateway.b,
			 sizeof row->gateway.b);
}

int state_net_touch(struct state *state, struct fail *fail)
{
	return state_run(state, fail, "UPDATE network SET generation = generation + 1", "");
}

int state_net_put(struct state *state, const struct net_rows *rows, struct fail *fail)
{
	if (state_run(state, fail, "DELETE FROM address", "") != 0 ||
	    state_run(state, fail, "DELETE FROM route", "") != 0 || state_net_touch(state, fail) != 0)
		return -1;
	for (unsigned i = 0; i < rows->address_count; i++)
		if (insert_address(state, &rows->addresses[i], fail) != 0)
			return -1;
	for (unsigned i = 0; i < rows->route_count; i++)
		if (insert_route(state, &rows->routes[i], fail) != 0)
			return -1;
	return 0;
}

int state_network_get(struct state *state, struct network_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 "SELECT generation, nbd_tcp_port, congestion, ecn, keepalive_idle_ms,"
					 " keepalive_interval_ms, keepalive_count, user_timeout_ms FROM network",
					 "");
	int rc = stmt ? state_step(state, stmt, fail) : -1;

	if (rc == 1)
		*row = (struct network_row){
			.generation = (uint64_t)sqlite3_column_int64(stmt, 0),
			.nbd_tcp_port = (uint16_t)sqlite3_column_int(stmt, 1),
			.congestion = (enum wherry_tcp_congestion)sqlite3_column_int(stmt, 2),
			.ecn = sqlite3_column_int(stmt, 3) != 0,
			.keepalive_idle_ms = (uint32_t)sqlite3_column_int64(stmt, 4),
			.keepalive_interval_ms = (uint32_t)sqlite3_column_int64(stmt, 5),
			.keepalive_count = (uint32_t)sqlite3_column_int64(stmt, 6),
			.user_timeout_ms = (uint32_t)sqlite3_column_int64(stmt, 7),
		};
	if (stmt)
		state_done(stmt);
	if (rc == 0)
		return fail_set(fail, FAIL_FAILED, "state %s: the settings of the network are missing", state->path);
	return rc < 0 ? -1 : 0;
}

int state_network_put(struct state *state, const struct network_row *row, struct fail *fail)
{
	return state_run(state, fail,
			 "UPDATE network SET generation = generation + 1, nbd_tcp_port = ?, congestion = ?, ecn = ?,"
			 " keepalive_idle_ms = ?, keepalive_interval_ms = ?, keepalive_count = ?, user_timeout_ms = ?",
			 "iiiiiii", (int64_t)row->nbd_tcp_port, (int64_t)row->congestion, (int64_t)row->ecn,
			 (int64_t)row->keepalive_idle_ms, (int64_t)row->keepalive_interval_ms,
			 (int64_t)row->keepalive_count, (int64_t)row->user_timeout_ms);
}

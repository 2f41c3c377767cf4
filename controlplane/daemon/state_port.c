/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, and how the dataplane runs. */
#include <string.h>

#include "daemon/state_sql.h"

#define PORT_COLUMNS "id, name, device, mtu, vlans, punt, punt_rate, slaac" /* as port_load takes them */

static void port_load(sqlite3_stmt *stmt, struct port_row *row)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	memset(row, 0, sizeof *row);
	row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
	state_column_text(stmt, 1, row->name, sizeof row->name);
	state_column_text(stmt, 2, row->device, sizeof row->device);
	row->mtu = (uint16_t)sqlite3_column_int(stmt, 3);
	state_column_text(stmt, 4, vlans, sizeof vlans);
	row->vlan_count = state_vlans_parse(vlans, row->vlans);
	row->punt = sqlite3_column_int(stmt, 5) != 0;
	row->punt_rate = (uint32_t)sqlite3_column_int64(stmt, 6);
	row->slaac = sqlite3_column_int(stmt, 7) != 0;
}

int state_port_insert(struct state *state, struct port_row *row, struct fail *fail)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	state_vlans_emit(row->vlans, row->vlan_count, vlans);
	if (state_run(state, fail,
		      "INSERT INTO port (name, device, mtu, vlans, punt, punt_rate, slaac)"
		      " VALUES (?, ?, ?, ?, ?, ?, ?)",
		      "ttitiii", row->name, row->device, (int64_t)row->mtu, vlans, (int64_t)row->punt,
		      (int64_t)row->punt_rate, (int64_t)row->slaac) != 0)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(state->db);
	return 0;
}

int state_port_update(struct state *state, const struct port_row *row, struct fail *fail)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	state_vlans_emit(row->vlans, row->vlan_count, vlans);
	return state_run(state, fail,
			 "UPDATE port SET device = ?, mtu = ?, vlans = ?, punt = ?, punt_rate = ?, slaac = ?"
			 " WHERE id = ?",
			 "titiiii", row->device, (int64_t)row->mtu, vlans, (int64_t)row->punt, (int64_t)row->punt_rate,
			 (int64_t)row->slaac, (int64_t)row->id);
}

int state_port_delete(struct state *state, uint64_t id, struct fail *fail)
{
	return state_run(state, fail, "DELETE FROM port WHERE id = ?", "i", (int64_t)id);
}

int state_port_by_name(struct state *state, const char *name, struct port_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail, "SELECT " PORT_COLUMNS " FROM port WHERE name = ?", "t", name);
	int rc = stmt ? state_step(state, stmt, fail) : -1;

	if (rc == 1)
		port_load(stmt, row);
	if (stmt)
		state_done(stmt);
	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND, "port '%s' does not exist; 'port list' shows those that do",
				name);
	return rc < 0 ? -1 : 0;
}

int state_port_list(struct state *state, struct port_row rows[WHERRY_PORT_COUNT_MAX], struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail, "SELECT " PORT_COLUMNS " FROM port ORDER BY id", "");
	int rc = stmt ? 1 : -1, count = 0;

	while (rc == 1 && count < WHERRY_PORT_COUNT_MAX) {
		rc = state_step(state, stmt, fail);
		if (rc == 1)
			port_load(stmt, &rows[count++]);
	}
	if (stmt)
		state_done(stmt);
	return rc < 0 ? -1 : count;
}

int state_port_user(struct state *state, uint64_t id, uint16_t *shelf, uint8_t *slot, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 "SELECT e.shelf, e.slot FROM aoe_export_port p JOIN aoe_export e"
					 " ON e.id = p.export_id WHERE p.port_id = ? ORDER BY e.shelf, e.slot LIMIT 1",
					 "i", (int64_t)id);
	int rc = stmt ? state_step(state, stmt, fail) : -1;

	if (rc == 1) {
		*shelf = (uint16_t)sqlite3_column_int(stmt, 0);
		*slot = (uint8_t)sqlite3_column_int(stmt, 1);
	}
	if (stmt)
		state_done(stmt);
	return rc;
}

int state_runtime_get(struct state *state, struct runtime_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 "SELECT lcores, main_lcore, idle_spin_turns, idle_pause_turns, idle_sleep_us"
					 " FROM runtime WHERE id = 1",
					 "");
	int rc = stmt ? state_step(state, stmt, fail) : -1;

	if (rc == 1) {
		memset(row, 0, sizeof *row);
		state_column_text(stmt, 0, row->lcores, sizeof row->lcores);
		row->main_lcore = sqlite3_column_int(stmt, 1);
		row->idle_spin_turns = (uint32_t)sqlite3_column_int64(stmt, 2);
		row->idle_pause_turns = (uint32_t)sqlite3_column_int64(stmt, 3);
		row->idle_sleep_us = (uint32_t)sqlite3_column_int64(stmt, 4);
	}
	if (stmt)
		state_done(stmt);
	if (rc == 0)
		return fail_set(fail, FAIL_FAILED, "state %s: the runtime settings are missing", state->path);
	return rc < 0 ? -1 : 0;
}

int state_runtime_put(struct state *state, const struct runtime_row *row, struct fail *fail)
{
	return state_run(state, fail,
			 "UPDATE runtime SET lcores = ?, main_lcore = ?, idle_spin_turns = ?, idle_pause_turns = ?,"
			 " idle_sleep_us = ? WHERE id = 1",
			 "tiiii", row->lcores, (int64_t)row->main_lcore, (int64_t)row->idle_spin_turns,
			 (int64_t)row->idle_pause_turns, (int64_t)row->idle_sleep_us);
}

int state_epoch_begin(struct state *state, struct fail *fail)
{
	if (state_begin(state, fail) != 0)
		return -1;
	if (state_run(state, fail, "UPDATE runtime SET epoch = (epoch + 1) & 4294967295 WHERE id = 1", "") != 0) {
		state_rollback(state);
		return -1;
	}
	return state_commit(state, fail);
}

uint64_t state_epoch(struct state *state)
{
	uint64_t identity = (uint64_t)state_scalar(state, "SELECT identity FROM runtime", 0);

	return identity << 32 | (uint64_t)state_scalar(state, "SELECT epoch FROM runtime", 0);
}

bool state_epoch_is_ours(struct state *state, uint64_t epoch)
{
	uint64_t current = state_epoch(state);

	return epoch >> 32 == current >> 32 && epoch <= current;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <string.h>

#include "daemon/state_sql.h"

#define EXPORT_SELECT                                                                                                  \
	"SELECT e.id, e.volume_id, v.name, v.serial, e.shelf, e.slot, e.read_only, e.remote_mask, e.remote_config,"    \
	" e.remote_force_reserve, e.buffer_count, e.sectors_max, e.vlans, e.generation, e.state_generation, e.config," \
	" e.mask, e.reserve FROM aoe_export e JOIN volume v ON v.id = e.volume_id "

static void export_load(sqlite3_stmt *stmt, struct export_row *row)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	memset(row, 0, sizeof *row);
	row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
	row->volume_id = (uint64_t)sqlite3_column_int64(stmt, 1);
	state_column_text(stmt, 2, row->volume_name, sizeof row->volume_name);
	state_column_text(stmt, 3, row->serial, sizeof row->serial);
	row->shelf = (uint16_t)sqlite3_column_int(stmt, 4);
	row->slot = (uint8_t)sqlite3_column_int(stmt, 5);
	row->read_only = sqlite3_column_int(stmt, 6) != 0;
	row->remote_mask = sqlite3_column_int(stmt, 7) != 0;
	row->remote_config = sqlite3_column_int(stmt, 8) != 0;
	row->remote_force_reserve = sqlite3_column_int(stmt, 9) != 0;
	row->buffer_count = (uint16_t)sqlite3_column_int(stmt, 10);
	row->sectors_max = (uint16_t)sqlite3_column_int(stmt, 11);
	state_column_text(stmt, 12, vlans, sizeof vlans);
	row->vlan_count = state_vlans_parse(vlans, row->vlans);
	row->generation = (uint64_t)sqlite3_column_int64(stmt, 13);
	row->state_generation = (uint64_t)sqlite3_column_int64(stmt, 14);
	row->config_bytes = (uint16_t)state_column_blob(stmt, 15, row->config, sizeof row->config);
	row->mask_count = (uint16_t)(state_column_blob(stmt, 16, row->mask, sizeof row->mask) / 6);
	row->reserve_count = (uint16_t)(state_column_blob(stmt, 17, row->reserve, sizeof row->reserve) / 6);
}

static int export_load_ports(struct state *state, struct export_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt =
		state_query(state, fail, "SELECT port_id FROM aoe_export_port WHERE export_id = ? ORDER BY port_id",
			    "i", (int64_t)row->id);
	int rc = stmt ? 1 : -1;

	while (rc == 1 && row->port_count < WHERRY_PORT_COUNT_MAX) {
		rc = state_step(state, stmt, fail);
		if (rc == 1)
			row->port_ids[row->port_count++] = (uint64_t)sqlite3_column_int64(stmt, 0);
	}
	if (stmt)
		state_done(stmt);
	return rc < 0 ? -1 : 0;
}

static int export_put_ports(struct state *state, const struct export_row *row, struct fail *fail)
{
	if (state_run(state, fail, "DELETE FROM aoe_export_port WHERE export_id = ?", "i", (int64_t)row->id) != 0)
		return -1;
	for (unsigned i = 0; i < row->port_count; i++)
		if (state_run(state, fail, "INSERT INTO aoe_export_port (export_id, port_id) VALUES (?, ?)", "ii",
			      (int64_t)row->id, (int64_t)row->port_ids[i]) != 0)
			return -1;
	return 0;
}

int state_export_insert(struct state *state, struct export_row *row, struct fail *fail)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	state_vlans_emit(row->vlans, row->vlan_count, vlans);
	row->generation = row->state_generation = 1;
	if (state_run(state, fail,
		      "INSERT INTO aoe_export (volume_id, shelf, slot, read_only, remote_mask, remote_config,"
		      " remote_force_reserve, buffer_count, sectors_max, vlans, generation, state_generation,"
		      " config, mask, reserve) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "iiiiiiiiitiibbb", (int64_t)row->volume_id, (int64_t)row->shelf, (int64_t)row->slot,
		      (int64_t)row->read_only, (int64_t)row->remote_mask, (int64_t)row->remote_config,
		      (int64_t)row->remote_force_reserve, (int64_t)row->buffer_count, (int64_t)row->sectors_max, vlans,
		      (int64_t)row->generation, (int64_t)row->state_generation, row->config, (size_t)row->config_bytes,
		      row->mask, row->mask_count * sizeof row->mask[0], row->reserve,
		      row->reserve_count * sizeof row->reserve[0]) != 0)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(state->db);
	return export_put_ports(state, row, fail);
}

int state_export_update(struct state *state, struct export_row *row, struct fail *fail)
{
	char vlans[STATE_VLAN_TEXT_BYTES];

	state_vlans_emit(row->vlans, row->vlan_count, vlans);
	row->generation++;
	if (state_run(state, fail,
		      "UPDATE aoe_export SET volume_id = ?, read_only = ?, remote_mask = ?, remote_config = ?,"
		      " remote_force_reserve = ?, buffer_count = ?, sectors_max = ?, vlans = ?, generation = ?"
		      " WHERE id = ?",
		      "iiiiiiitii", (int64_t)row->volume_id, (int64_t)row->read_only, (int64_t)row->remote_mask,
		      (int64_t)row->remote_config, (int64_t)row->remote_force_reserve, (int64_t)row->buffer_count,
		      (int64_t)row->sectors_max, vlans, (int64_t)row->generation, (int64_t)row->id) != 0)
		return -1;
	return export_put_ports(state, row, fail);
}

int state_export_put_state(struct state *state, struct export_row *row, struct fail *fail)
{
	row->state_generation++;
	return state_run(state, fail,
			 "UPDATE aoe_export SET state_generation = ?, config = ?, mask = ?, reserve = ? WHERE id = ?",
			 "ibbbi", (int64_t)row->state_generation, row->config, (size_t)row->config_bytes, row->mask,
			 row->mask_count * sizeof row->mask[0], row->reserve,
			 row->reserve_count * sizeof row->reserve[0], (int64_t)row->id);
}

int state_export_delete(struct state *state, uint64_t id, struct fail *fail)
{
	return state_run(state, fail, "DELETE FROM aoe_export WHERE id = ?", "i", (int64_t)id);
}

static int export_one(struct state *state, sqlite3_stmt *stmt, struct export_row *row, struct fail *fail)
{
	if (!stmt)
		return -1;
	int rc = state_step(state, stmt, fail);
	if (rc == 1)
		export_load(stmt, row);
	state_done(stmt);
	if (rc == 1 && export_load_ports(state, row, fail) != 0)
		return -1;
	return rc;
}

int state_export_by_address(struct state *state, uint16_t shelf, uint8_t slot, struct export_row *row,
			    struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail, EXPORT_SELECT "WHERE e.shelf = ? AND e.slot = ?", "ii",
					 (int64_t)shelf, (int64_t)slot);
	int rc = export_one(state, stmt, row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND,
				"AoE export %u.%u does not exist; 'export aoe list' shows those that do", shelf, slot);
	return rc < 0 ? -1 : 0;
}

int state_export_by_id(struct state *state, uint64_t id, struct export_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail, EXPORT_SELECT "WHERE e.id = ?", "i", (int64_t)id);
	int rc = export_one(state, stmt, row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND, "AoE export with id %" PRIu64 " does not exist", id);
	return rc < 0 ? -1 : 0;
}

int state_export_next(struct state *state, int32_t after, struct export_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 EXPORT_SELECT "WHERE (e.shelf, e.slot) > (?, ?)"
						       " ORDER BY e.shelf, e.slot LIMIT 1",
					 "ii", (int64_t)(after < 0 ? -1 : after >> 8), (int64_t)(after & 0xff));

	return export_one(state, stmt, row, fail);
}

int state_export_next_of(struct state *state, uint64_t volume_id, int32_t after, struct export_row *row,
			 struct fail *fail)
{
	sqlite3_stmt *stmt =
		state_query(state, fail,
			    EXPORT_SELECT "WHERE e.volume_id = ? AND (e.shelf, e.slot) > (?, ?)"
					  " ORDER BY e.shelf, e.slot LIMIT 1",
			    "iii", (int64_t)volume_id, (int64_t)(after < 0 ? -1 : after >> 8), (int64_t)(after & 0xff));

	return export_one(state, stmt, row, fail);
}

int64_t state_export_count(struct state *state)
{
	return state_scalar(state, "SELECT count(*) FROM aoe_export", 0);
}

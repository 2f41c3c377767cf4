/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD exports. */
#include <inttypes.h>
#include <string.h>

#include "daemon/state_sql.h"

#define NBD_SELECT                                                                                                     \
	"SELECT e.id, e.volume_id, v.name, e.name, e.description, e.read_only, e.is_default, e.allow, e.generation"    \
	" FROM nbd_export e JOIN volume v ON v.id = e.volume_id "
#define PREFIX_BYTES 17

static void nbd_load(sqlite3_stmt *stmt, struct nbd_export_row *row)
{
	uint8_t allow[WHERRY_NBD_ALLOW_COUNT_MAX * PREFIX_BYTES];

	memset(row, 0, sizeof *row);
	row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
	row->volume_id = (uint64_t)sqlite3_column_int64(stmt, 1);
	state_column_text(stmt, 2, row->volume_name, sizeof row->volume_name);
	state_column_text(stmt, 3, row->name, sizeof row->name);
	state_column_text(stmt, 4, row->description, sizeof row->description);
	row->read_only = sqlite3_column_int(stmt, 5) != 0;
	row->is_default = sqlite3_column_int(stmt, 6) != 0;
	row->allow_count = (uint16_t)(state_column_blob(stmt, 7, allow, sizeof allow) / PREFIX_BYTES);
	for (unsigned i = 0; i < row->allow_count; i++) {
		memcpy(row->allow[i].ip.b, allow + i * PREFIX_BYTES, sizeof row->allow[i].ip.b);
		row->allow[i].bits = allow[i * PREFIX_BYTES + PREFIX_BYTES - 1];
	}
	row->generation = (uint64_t)sqlite3_column_int64(stmt, 8);
}

static size_t allow_emit(const struct nbd_export_row *row, uint8_t *out)
{
	for (unsigned i = 0; i < row->allow_count; i++) {
		memcpy(out + i * PREFIX_BYTES, row->allow[i].ip.b, sizeof row->allow[i].ip.b);
		out[i * PREFIX_BYTES + PREFIX_BYTES - 1] = row->allow[i].bits;
	}
	return (size_t)row->allow_count * PREFIX_BYTES;
}

int state_nbd_insert(struct state *state, struct nbd_export_row *row, struct fail *fail)
{
	uint8_t allow[WHERRY_NBD_ALLOW_COUNT_MAX * PREFIX_BYTES];
	size_t allow_bytes = allow_emit(row, allow);

	row->generation = 1;
	if (state_run(state, fail,
		      "INSERT INTO nbd_export (volume_id, name, description, read_only, is_default, allow,"
		      " generation) VALUES (?, ?, ?, ?, ?, ?, ?)",
		      "ittiibi", (int64_t)row->volume_id, row->name, row->description, (int64_t)row->read_only,
		      (int64_t)row->is_default, allow, allow_bytes, (int64_t)row->generation) != 0)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(state->db);
	return 0;
}

int state_nbd_update(struct state *state, struct nbd_export_row *row, struct fail *fail)
{
	uint8_t allow[WHERRY_NBD_ALLOW_COUNT_MAX * PREFIX_BYTES];
	size_t allow_bytes = allow_emit(row, allow);

	row->generation++;
	return state_run(state, fail,
			 "UPDATE nbd_export SET description = ?, read_only = ?, is_default = ?, allow = ?,"
			 " generation = ? WHERE id = ?",
			 "tiibii", row->description, (int64_t)row->read_only, (int64_t)row->is_default, allow,
			 allow_bytes, (int64_t)row->generation, (int64_t)row->id);
}

int state_nbd_delete(struct state *state, uint64_t id, struct fail *fail)
{
	return state_run(state, fail, "DELETE FROM nbd_export WHERE id = ?", "i", (int64_t)id);
}

static int nbd_one(struct state *state, sqlite3_stmt *stmt, struct nbd_export_row *row, struct fail *fail)
{
	if (!stmt)
		return -1;
	int rc = state_step(state, stmt, fail);
	if (rc == 1)
		nbd_load(stmt, row);
	state_done(stmt);
	return rc;
}

int state_nbd_by_name(struct state *state, const char *name, struct nbd_export_row *row, struct fail *fail)
{
	int rc = nbd_one(state, state_query(state, fail, NBD_SELECT "WHERE e.name = ?", "t", name), row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND,
				"NBD export '%s' does not exist; 'export nbd list' shows those that do", name);
	return rc < 0 ? -1 : 0;
}

int state_nbd_by_id(struct state *state, uint64_t id, struct nbd_export_row *row, struct fail *fail)
{
	int rc = nbd_one(state, state_query(state, fail, NBD_SELECT "WHERE e.id = ?", "i", (int64_t)id), row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND, "NBD export with id %" PRIu64 " does not exist", id);
	return rc < 0 ? -1 : 0;
}

int state_nbd_default(struct state *state, struct nbd_export_row *row, struct fail *fail)
{
	return nbd_one(state, state_query(state, fail, NBD_SELECT "WHERE e.is_default = 1", ""), row, fail);
}

int state_nbd_next(struct state *state, const char *after, struct nbd_export_row *row, struct fail *fail)
{
	return nbd_one(state,
		       state_query(state, fail, NBD_SELECT "WHERE e.name > ? ORDER BY e.name LIMIT 1", "t", after), row,
		       fail);
}

int state_nbd_next_of(struct state *state, uint64_t volume_id, const char *after, struct nbd_export_row *row,
		      struct fail *fail)
{
	return nbd_one(state,
		       state_query(state, fail,
				   NBD_SELECT "WHERE e.volume_id = ? AND e.name > ? ORDER BY e.name LIMIT 1", "it",
				   (int64_t)volume_id, after),
		       row, fail);
}

int64_t state_nbd_count(struct state *state)
{
	return state_scalar(state, "SELECT count(*) FROM nbd_export", 0);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/state_sql.h"

#define VOLUME_COLUMNS                                                                                                 \
	"id, name, backend, path, size_bytes, block_bytes, read_only, write_back, online, uuid, serial,"               \
	" created_at_us, generation, fault"
#define FAULT_TEXT_BYTES 256

static const char *fault_emit(const struct volume_row *row, char out[FAULT_TEXT_BYTES])
{
	const struct volume_fault *f = &row->fault;

	if (!row->has_fault)
		return NULL;
	(void)snprintf(out, FAULT_TEXT_BYTES, "%" PRIu64 " %u %u %u %u %u %u %" PRIu64 " %" PRIu64, f->seed,
		       f->read_error_ppm, f->write_error_ppm, f->flush_error_ppm, f->no_space_ppm, f->delay_ppm,
		       f->delay_us, f->bad_offset_bytes, f->bad_length_bytes);
	return out;
}

static bool fault_parse(const char *text, struct volume_fault *f)
{
	return sscanf(text, "%" SCNu64 " %u %u %u %u %u %u %" SCNu64 " %" SCNu64, &f->seed, &f->read_error_ppm,
		      &f->write_error_ppm, &f->flush_error_ppm, &f->no_space_ppm, &f->delay_ppm, &f->delay_us,
		      &f->bad_offset_bytes, &f->bad_length_bytes) == 9;
}

static void volume_load(sqlite3_stmt *stmt, struct volume_row *row)
{
	char fault[FAULT_TEXT_BYTES];

	memset(row, 0, sizeof *row);
	row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
	state_column_text(stmt, 1, row->name, sizeof row->name);
	row->backend = (enum wherry_backend)sqlite3_column_int(stmt, 2);
	state_column_text(stmt, 3, row->path, sizeof row->path);
	row->size_bytes = (uint64_t)sqlite3_column_int64(stmt, 4);
	row->block_bytes = (uint32_t)sqlite3_column_int(stmt, 5);
	row->read_only = sqlite3_column_int(stmt, 6) != 0;
	row->write_back = sqlite3_column_int(stmt, 7) != 0;
	row->online = sqlite3_column_int(stmt, 8) != 0;
	state_column_text(stmt, 9, row->uuid, sizeof row->uuid);
	state_column_text(stmt, 10, row->serial, sizeof row->serial);
	row->created_at_us = (uint64_t)sqlite3_column_int64(stmt, 11);
	row->generation = (uint64_t)sqlite3_column_int64(stmt, 12);
	state_column_text(stmt, 13, fault, sizeof fault);
	row->has_fault = fault_parse(fault, &row->fault);
}

int state_volume_insert(struct state *state, struct volume_row *row, struct fail *fail)
{
	char fault[FAULT_TEXT_BYTES];

	row->generation = 1;
	if (state_run(state, fail,
		      "INSERT INTO volume (name, backend, path, size_bytes, block_bytes, read_only, write_back, online,"
		      " uuid, serial, created_at_us, generation, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "titiiiiittiit", row->name, (int64_t)row->backend, row->path[0] ? row->path : NULL,
		      (int64_t)row->size_bytes, (int64_t)row->block_bytes, (int64_t)row->read_only,
		      (int64_t)row->write_back, (int64_t)row->online, row->uuid, row->serial,
		      (int64_t)row->created_at_us, (int64_t)row->generation, fault_emit(row, fault)) != 0)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(state->db);
	return 0;
}

int state_volume_update(struct state *state, struct volume_row *row, struct fail *fail)
{
	char fault[FAULT_TEXT_BYTES];

	row->generation++;
	return state_run(state, fail,
			 "UPDATE volume SET size_bytes = ?, read_only = ?, write_back = ?, online = ?, generation = ?,"
			 " fault = ? WHERE id = ?",
			 "iiiiiti", (int64_t)row->size_bytes, (int64_t)row->read_only, (int64_t)row->write_back,
			 (int64_t)row->online, (int64_t)row->generation, fault_emit(row, fault), (int64_t)row->id);
}

int state_volume_delete(struct state *state, uint64_t id, struct fail *fail)
{
	return state_run(state, fail, "DELETE FROM volume WHERE id = ?", "i", (int64_t)id);
}

static int volume_one(struct state *state, sqlite3_stmt *stmt, struct volume_row *row, struct fail *fail)
{
	if (!stmt)
		return -1;
	int rc = state_step(state, stmt, fail);
	if (rc == 1)
		volume_load(stmt, row);
	state_done(stmt);
	return rc;
}

int state_volume_by_name(struct state *state, const char *name, struct volume_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt =
		state_query(state, fail, "SELECT " VOLUME_COLUMNS " FROM volume WHERE name = ?", "t", name);
	int rc = volume_one(state, stmt, row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND, "volume '%s' does not exist; 'volume list' shows those that do",
				name);
	return rc < 0 ? -1 : 0;
}

int state_volume_by_id(struct state *state, uint64_t id, struct volume_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt =
		state_query(state, fail, "SELECT " VOLUME_COLUMNS " FROM volume WHERE id = ?", "i", (int64_t)id);
	int rc = volume_one(state, stmt, row, fail);

	if (rc == 0)
		return fail_set(fail, FAIL_NOT_FOUND, "volume with id %" PRIu64 " does not exist", id);
	return rc < 0 ? -1 : 0;
}

int state_volume_by_path(struct state *state, const char *path, struct volume_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt =
		state_query(state, fail, "SELECT " VOLUME_COLUMNS " FROM volume WHERE path = ?", "t", path);

	return volume_one(state, stmt, row, fail);
}

int state_volume_next(struct state *state, const char *after, struct volume_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(
		state, fail, "SELECT " VOLUME_COLUMNS " FROM volume WHERE name > ? ORDER BY name LIMIT 1", "t", after);

	return volume_one(state, stmt, row, fail);
}

int64_t state_volume_count(struct state *state)
{
	return state_scalar(state, "SELECT count(*) FROM volume", 0);
}

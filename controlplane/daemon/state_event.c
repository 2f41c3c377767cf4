/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "daemon/state_sql.h"

int state_event_insert(struct state *state, struct event_row *row, struct fail *fail)
{
	if (state_run(state, fail,
		      "INSERT INTO event (time_us, severity, code, object, message) VALUES (?, ?, ?, ?, ?)", "iittt",
		      (int64_t)row->time_us, (int64_t)row->severity, row->code, row->object, row->message) != 0)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(state->db);
	return state_run(state, fail, "DELETE FROM event WHERE id <= ?", "i", (int64_t)row->id - STATE_EVENT_COUNT_MAX);
}

int state_event_next(struct state *state, uint64_t since_id, struct event_row *row, struct fail *fail)
{
	sqlite3_stmt *stmt = state_query(state, fail,
					 "SELECT id, time_us, severity, code, object, message FROM event"
					 " WHERE id > ? ORDER BY id LIMIT 1",
					 "i", (int64_t)since_id);
	int rc = stmt ? state_step(state, stmt, fail) : -1;

	if (rc == 1) {
		memset(row, 0, sizeof *row);
		row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
		row->time_us = (uint64_t)sqlite3_column_int64(stmt, 1);
		row->severity = (enum wherry_severity)sqlite3_column_int(stmt, 2);
		state_column_text(stmt, 3, row->code, sizeof row->code);
		state_column_text(stmt, 4, row->object, sizeof row->object);
		state_column_text(stmt, 5, row->message, sizeof row->message);
	}
	if (stmt)
		state_done(stmt);
	return rc;
}

uint64_t state_event_last_id(struct state *state)
{
	return (uint64_t)state_scalar(state, "SELECT max(id) FROM event", 0);
}

uint64_t state_event_tail(struct state *state, uint32_t count)
{
	uint64_t last = state_event_last_id(state);

	return last > count ? last - count : 0;
}

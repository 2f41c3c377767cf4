/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/state_sql.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int state_refuse(struct state *state, struct fail *fail)
{
	switch (sqlite3_errcode(state->db)) {
	case SQLITE_FULL:
		return fail_set(fail, FAIL_FAILED, "state %s: its disk is full; free space there and try again",
				state->path);
	case SQLITE_IOERR:
		return fail_set(fail, FAIL_FAILED, "state %s: the disk failed (%s); nothing was changed", state->path,
				strerror(sqlite3_system_errno(state->db)));
	case SQLITE_READONLY:
		return fail_set(fail, FAIL_FAILED, "state %s: cannot be written (%s); nothing was changed", state->path,
				sqlite3_errmsg(state->db));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail_set(fail, FAIL_FAILED, "state %s: damaged (%s); restore it from a copy", state->path,
				sqlite3_errmsg(state->db));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fail_set(fail, FAIL_FAILED, "state %s: locked by another process, probably another wherryd",
				state->path);
	case SQLITE_CONSTRAINT:
		return fail_set(fail, FAIL_CONFLICT, "state %s: %s", state->path, sqlite3_errmsg(state->db));
	default:
		return fail_set(fail, FAIL_FAILED, "state %s: %s", state->path, sqlite3_errmsg(state->db));
	}
}

static sqlite3_stmt *cached(struct state *state, const char *sql, struct fail *fail)
{
	sqlite3_stmt *stmt = NULL;

	for (unsigned i = 0; i < state->statement_count; i++) {
		if (state->statements[i].sql == sql) {
			assert(!sqlite3_stmt_busy(state->statements[i].stmt));
			return state->statements[i].stmt;
		}
	}
	assert(state->statement_count < STATE_STATEMENT_COUNT_MAX);
	if (sqlite3_prepare_v3(state->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
		(void)state_refuse(state, fail);
		return NULL;
	}
	state->statements[state->statement_count].sql = sql;
	state->statements[state->statement_count++].stmt = stmt;
	return stmt;
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
	int rc = SQLITE_OK;

	for (int i = 1; rc == SQLITE_OK && types[i - 1]; i++) {
		switch (types[i - 1]) {
		case 'i':
			rc = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
			break;
		case 't':
			rc = sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC);
			break;
		case 'b': {
			const void *bytes = va_arg(args, const void *);
			size_t len = va_arg(args, size_t);
			rc = sqlite3_bind_blob64(stmt, i, len ? bytes : "", len, SQLITE_STATIC);
			break;
		}
		default:
			assert(false && "a letter that state_query does not know");
		}
	}
	return rc;
}

static sqlite3_stmt *query_args(struct state *state, struct fail *fail, const char *sql, const char *types,
				va_list args)
{
	sqlite3_stmt *stmt = cached(state, sql, fail);

	if (!stmt)
		return NULL;
	assert(sqlite3_bind_parameter_count(stmt) == (int)strlen(types));
	if (bind_all(stmt, types, args) != SQLITE_OK) {
		(void)state_refuse(state, fail);
		state_done(stmt);
		return NULL;
	}
	return stmt;
}

sqlite3_stmt *state_query(struct state *state, struct fail *fail, const char *sql, const char *types, ...)
{
	va_list args;

	va_start(args, types);
	sqlite3_stmt *stmt = query_args(state, fail, sql, types, args);
	va_end(args);
	return stmt;
}

int state_step(struct state *state, sqlite3_stmt *stmt, struct fail *fail)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return state_refuse(state, fail);
}

void state_done(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

int state_run(struct state *state, struct fail *fail, const char *sql, const char *types, ...)
{
	va_list args;

	va_start(args, types);
	sqlite3_stmt *stmt = query_args(state, fail, sql, types, args);
	va_end(args);
	if (!stmt)
		return -1;
	int rc = state_step(state, stmt, fail);
	state_done(stmt);
	return rc < 0 ? -1 : 0;
}

int state_exec(struct state *state, const char *sql, struct fail *fail)
{
	return sqlite3_exec(state->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : state_refuse(state, fail);
}

int64_t state_scalar(struct state *state, const char *sql, int64_t fallback)
{
	sqlite3_stmt *stmt = cached(state, sql, NULL);
	int64_t value = fallback;

	if (!stmt)
		return fallback;
	if (state_step(state, stmt, NULL) == 1 && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
		value = sqlite3_column_int64(stmt, 0);
	state_done(stmt);
	return value;
}

int state_begin(struct state *state, struct fail *fail)
{
	return state_exec(state, "BEGIN IMMEDIATE", fail);
}

int state_commit(struct state *state, struct fail *fail)
{
	if (state_exec(state, "COMMIT", fail) == 0)
		return 0;
	state_rollback(state);
	return -1;
}

int state_defer_references(struct state *state, struct fail *fail)
{
	return state_exec(state, "PRAGMA defer_foreign_keys = ON", fail);
}

void state_rollback(struct state *state)
{
	/* A full disk may already have ended the transaction. */
	if (!sqlite3_get_autocommit(state->db))
		(void)state_exec(state, "ROLLBACK", NULL);
}

void state_column_text(sqlite3_stmt *stmt, int i, char *to, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(stmt, i);
	size_t len = text ? (size_t)sqlite3_column_bytes(stmt, i) : 0;

	if (len > cap - 1)
		len = cap - 1;
	if (len)
		memcpy(to, text, len);
	to[len] = '\0';
}

size_t state_column_blob(sqlite3_stmt *stmt, int i, void *to, size_t cap)
{
	const void *bytes = sqlite3_column_blob(stmt, i);
	size_t len = bytes ? (size_t)sqlite3_column_bytes(stmt, i) : 0;

	if (len > cap)
		len = cap;
	if (len)
		memcpy(to, bytes, len);
	return len;
}

void state_vlans_emit(const uint16_t *vlans, unsigned count, char *out)
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < count && i < WHERRY_VLAN_COUNT_MAX; i++)
		at += (size_t)snprintf(out + at, STATE_VLAN_TEXT_BYTES - at, i ? ",%u" : "%u", vlans[i] % 10000u);
}

uint16_t state_vlans_parse(const char *text, uint16_t *vlans)
{
	uint16_t count = 0;

	while (*text && count < WHERRY_VLAN_COUNT_MAX) {
		char *end;
		vlans[count++] = (uint16_t)strtoul(text, &end, 10);
		if (*end != ',')
			break;
		text = end + 1;
	}
	return count;
}

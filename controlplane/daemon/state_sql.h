/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statements of the state_*.c files: prepared once per text, bound and checked
 * in one call.  Thread: the daemon's only one.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/state.h"

#define STATE_STATEMENT_COUNT_MAX 96

struct state {
	sqlite3 *db;
	char path[4096];
	unsigned statement_count;
	struct {
		const char *sql; /* compared by address: always a literal */
		sqlite3_stmt *stmt;
	} statements[STATE_STATEMENT_COUNT_MAX];
};

/*
 * A statement with its parameters bound, from the cache.  types has one letter
 * per parameter: i int64_t, t const char * (NULL: null), b const void * and
 * size_t.  Texts and blobs must live until the statement is done.  The caller
 * ends it with state_done.  NULL with the reason in fail.
 */
sqlite3_stmt *state_query(struct state *state, struct fail *fail, const char *sql, const char *types, ...);
/* 1 with a row, 0 at the end, -1 with the reason in fail. */
int state_step(struct state *state, sqlite3_stmt *stmt, struct fail *fail);
void state_done(sqlite3_stmt *stmt);
/* A statement that yields no row: 0 or -1. */
int state_run(struct state *state, struct fail *fail, const char *sql, const char *types, ...);
/* Fixed texts, several statements, outside the cache: 0 or -1. */
int state_exec(struct state *state, const char *sql, struct fail *fail);
/* First column of the first row; fallback when there is none or on failure. */
int64_t state_scalar(struct state *state, const char *sql, int64_t fallback);
/* Say what the database refused last, in the operator's terms; returns -1. */
int state_refuse(struct state *state, struct fail *fail);

/* Column i as a NUL-terminated text of at most cap - 1 bytes; null is empty. */
void state_column_text(sqlite3_stmt *stmt, int i, char *to, size_t cap);
/* Column i as a blob of at most cap bytes; its length. */
size_t state_column_blob(sqlite3_stmt *stmt, int i, void *to, size_t cap);

/* "10,20" <-> numbers; lists of VLANs are kept as text.  out holds STATE_VLAN_TEXT_BYTES. */
#define STATE_VLAN_TEXT_BYTES (WHERRY_VLAN_COUNT_MAX * 5 + 1)
void state_vlans_emit(const uint16_t *vlans, unsigned count, char *out);
uint16_t state_vlans_parse(const char *text, uint16_t *vlans);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening, checking and creating the state file.
 *
 * A file is examined before anything is written to it: first its raw header,
 * then, through a connection that never checkpoints, its version, integrity and
 * foreign keys.  Only a file that passed is used.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state_schema.h"
#include "daemon/state_sql.h"

#define APPLICATION_ID 0x57485259u /* "WHRY" */
#define HEADER_BYTES 100

/* What the raw header of a database file says. */
struct header {
	bool empty; /* nothing there yet, or no bytes in it */
	uint32_t application_id, user_version;
};

static uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Read the header without SQLite, which might repair what is not ours to repair. */
static int read_header(const char *path, struct header *header, struct fail *fail)
{
	uint8_t bytes[HEADER_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*header = (struct header){.empty = true};
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail_set(fail, FAIL_FAILED, "state %s: cannot be opened: %s", path, strerror(errno));
	struct stat st;
	ssize_t got = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, bytes, sizeof bytes, 0) : -1;
	close(fd);
	if (got < 0)
		return fail_set(fail, FAIL_FAILED, "state %s: not a readable regular file", path);
	if (got == 0)
		return 0;
	if (got < HEADER_BYTES || memcmp(bytes, "SQLite format 3", 16) != 0)
		return fail_set(fail, FAIL_FAILED,
				"state %s: not a wherry state file; it was left as it is, move it away or name another",
				path);
	header->empty = false;
	header->user_version = be32(bytes + 60);
	header->application_id = be32(bytes + 68);
	return 0;
}

static int refuse_foreign(const char *path, struct fail *fail)
{
	return fail_set(fail, FAIL_FAILED,
			"state %s: a database of another program; it was left as it is, move it away or name another",
			path);
}

static int refuse_newer(const char *path, int64_t version, struct fail *fail)
{
	return fail_set(fail, FAIL_FAILED,
			"state %s: written by a newer wherryd (schema %lld, this one knows %d); it was left as it is, "
			"install that version again",
			path, (long long)version, STATE_SCHEMA_VERSION);
}

/* First text that a check pragma yields; "ok" is not a complaint, and neither is no row. */
static bool complains(struct state *state, const char *pragma, char *complaint, size_t cap)
{
	sqlite3_stmt *stmt = NULL;
	bool found = true;

	(void)snprintf(complaint, cap, "%s", "unreadable");
	if (sqlite3_prepare_v2(state->db, pragma, -1, &stmt, NULL) == SQLITE_OK) {
		int rc = sqlite3_step(stmt);
		found = rc != SQLITE_DONE;
		if (rc == SQLITE_ROW) {
			state_column_text(stmt, 0, complaint, cap);
			found = strcmp(complaint, "ok") != 0;
		}
	}
	if (found && strcmp(complaint, "unreadable") == 0)
		(void)snprintf(complaint, cap, "%s", sqlite3_errmsg(state->db));
	(void)sqlite3_finalize(stmt);
	return found;
}

/* Checks that only read.  The version of ours, 0: a database without anything in it, -1 refused. */
static int examine(struct state *state, struct fail *fail)
{
	char complaint[256];

	if (complains(state, "PRAGMA integrity_check(1)", complaint, sizeof complaint) ||
	    complains(state, "PRAGMA foreign_key_check", complaint, sizeof complaint))
		return fail_set(fail, FAIL_FAILED,
				"state %s: damaged (%s); it was left as it is, restore it from a copy", state->path,
				complaint);
	int64_t application = state_scalar(state, "PRAGMA application_id", -1);
	int64_t version = state_scalar(state, "PRAGMA user_version", -1);
	if (application == 0 && state_scalar(state, "SELECT count(*) FROM sqlite_schema", -1) == 0)
		return 0;
	if ((uint32_t)application != APPLICATION_ID)
		return refuse_foreign(state->path, fail);
	if (version > STATE_SCHEMA_VERSION)
		return refuse_newer(state->path, version, fail);
	if (version < 1)
		return fail_set(fail, FAIL_FAILED, "state %s: schema %lld is not one of wherry's", state->path,
				(long long)version);
	return (int)version;
}

static_assert(sizeof state_schemas / sizeof state_schemas[0] == STATE_SCHEMA_VERSION, "one text per version");

/* From a version (0: nothing there yet) to this program's, in one transaction. */
static int raise_schema(struct state *state, int version, struct fail *fail)
{
	char pragmas[96];

	(void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %u; PRAGMA user_version = %d;", APPLICATION_ID,
		       STATE_SCHEMA_VERSION);
	if (state_begin(state, fail) != 0)
		return -1;
	for (; version < STATE_SCHEMA_VERSION; version++) {
		if (state_exec(state, state_schemas[version], fail) != 0) {
			state_rollback(state);
			return -1;
		}
	}
	if (state_exec(state, pragmas, fail) != 0) {
		state_rollback(state);
		return -1;
	}
	return state_commit(state, fail);
}

/* Make the directory entry of a new file durable. */
static int sync_directory(const char *path, struct fail *fail)
{
	char copy[4096];

	(void)snprintf(copy, sizeof copy, "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);
	int error = errno;
	if (fd >= 0)
		close(fd);
	return rc == 0 ? 0
		       : fail_set(fail, FAIL_FAILED, "state %s: its directory cannot be synced: %s", path,
				  strerror(error));
}

static int connect_file(struct state *state, struct fail *fail)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;

	if (sqlite3_open_v2(state->path, &state->db, flags, NULL) != SQLITE_OK)
		return fail_set(fail, FAIL_FAILED, "state %s: cannot be opened: %s", state->path,
				state->db ? sqlite3_errmsg(state->db) : "out of memory");
	(void)sqlite3_extended_result_codes(state->db, 0);
	/* Until the file has passed, closing must not write to it. */
	(void)sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* Exclusive: no second daemon, and no shared-memory file that a full disk could turn into a SIGBUS. */
	return state_exec(state,
			  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
			  "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;"
			  "PRAGMA wal_autocheckpoint = 250;" /* 1 MiB: a small disk is not full of a log */,
			  fail);
}

/* WAL is a property of the file; refused (on a file system without it) the state would not be as durable as said. */
static int enter_wal(struct state *state, struct fail *fail)
{
	char mode[16] = "";
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(state->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		state_column_text(stmt, 0, mode, sizeof mode);
	int rc = sqlite3_finalize(stmt);
	if (rc == SQLITE_OK && strcmp(mode, "wal") == 0)
		return 0;
	return rc == SQLITE_OK
		       ? fail_set(fail, FAIL_FAILED, "state %s: the file system does not support a WAL", state->path)
		       : state_refuse(state, fail);
}

static int open_checked(struct state *state, const struct header *header, struct fail *fail)
{
	int version = connect_file(state, fail) == 0 ? 0 : -1;

	if (version == 0 && !header->empty)
		version = examine(state, fail);
	if (version < 0)
		return -1;
	if (enter_wal(state, fail) != 0)
		return -1;
	if (version < STATE_SCHEMA_VERSION && raise_schema(state, version, fail) != 0)
		return -1;
	if (version == 0 && sync_directory(state->path, fail) != 0)
		return -1;
	(void)sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
}

struct state *state_open(const char *path, struct fail *fail)
{
	struct header header;

	if (read_header(path, &header, fail) != 0)
		return NULL;
	if (!header.empty && header.application_id != 0 && header.application_id != APPLICATION_ID) {
		(void)refuse_foreign(path, fail);
		return NULL;
	}
	if (!header.empty && header.application_id == APPLICATION_ID && header.user_version > STATE_SCHEMA_VERSION) {
		(void)refuse_newer(path, header.user_version, fail);
		return NULL;
	}
	struct state *state = calloc(1, sizeof *state);
	if (!state || strlen(path) >= sizeof state->path) {
		(void)fail_set(fail, FAIL_FAILED, "state %s: out of memory, or the path is too long", path);
		free(state);
		return NULL;
	}
	memcpy(state->path, path, strlen(path) + 1);
	if (open_checked(state, &header, fail) != 0) {
		state_close(state);
		return NULL;
	}
	return state;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	for (unsigned i = 0; i < state->statement_count; i++)
		(void)sqlite3_finalize(state->statements[i].stmt);
	(void)sqlite3_close(state->db);
	free(state);
}

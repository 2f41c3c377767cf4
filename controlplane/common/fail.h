/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why an operation was refused: a kind that programs act on, and a sentence for
 * the operator that names the object and the remedy.  The daemon sends both, the
 * command line turns the kind into its exit code.
 */
#pragma once

#include "wherry/limits.h"

enum fail_kind {
	FAIL_NONE,
	FAIL_USAGE,       /* the request itself is wrong */
	FAIL_NOT_FOUND,   /* the object named does not exist */
	FAIL_CONFLICT,    /* the object's state forbids it */
	FAIL_FAILED,      /* tried, and something below refused */
	FAIL_UNAVAILABLE, /* not now: the dataplane or a device does not answer */
	FAIL_PARSE,       /* JSON-RPC: not JSON */
	FAIL_REQUEST,     /* JSON-RPC: not a request object */
	FAIL_METHOD,      /* JSON-RPC: no such method */
	FAIL_KIND_COUNT,
};

/* Exit codes of wherryctl. */
enum {
	FAIL_EXIT_OK = 0,
	FAIL_EXIT_ERROR = 1,
	FAIL_EXIT_USAGE = 2,
	FAIL_EXIT_NO_DAEMON = 3,
	FAIL_EXIT_NOT_FOUND = 4,
	FAIL_EXIT_CONFLICT = 5,
};

struct fail {
	enum fail_kind kind;
	char text[WHERRY_TEXT_BYTES_MAX + 1];
};

/* Record a failure; always returns -1, so that a refusal is one statement.  fail may be NULL.  Any thread. */
int fail_set(struct fail *fail, enum fail_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4), nonnull(3)));

/* "usage", "not_found", ... as sent in data.kind.  Static storage. */
const char *fail_kind_name(enum fail_kind kind);
/* The kind of a name, FAIL_FAILED for one that is not known. */
enum fail_kind fail_kind_from_name(const char *name);
/* JSON-RPC error code of a kind. */
int fail_kind_code(enum fail_kind kind);
/* Exit code of wherryctl for a kind. */
int fail_kind_exit(enum fail_kind kind);

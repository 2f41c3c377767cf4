/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int code;
	int exit_code;
} kinds[FAIL_KIND_COUNT] = {
	[FAIL_NONE] = {"none", 0, FAIL_EXIT_OK},
	[FAIL_USAGE] = {"usage", -32602, FAIL_EXIT_USAGE},
	[FAIL_NOT_FOUND] = {"not_found", -32001, FAIL_EXIT_NOT_FOUND},
	[FAIL_CONFLICT] = {"conflict", -32002, FAIL_EXIT_CONFLICT},
	[FAIL_FAILED] = {"failed", -32000, FAIL_EXIT_ERROR},
	[FAIL_UNAVAILABLE] = {"unavailable", -32003, FAIL_EXIT_ERROR},
	[FAIL_PARSE] = {"usage", -32700, FAIL_EXIT_ERROR},
	[FAIL_REQUEST] = {"usage", -32600, FAIL_EXIT_ERROR},
	[FAIL_METHOD] = {"usage", -32601, FAIL_EXIT_ERROR},
};

int fail_set(struct fail *fail, enum fail_kind kind, const char *format, ...)
{
	va_list args;

	if (!fail)
		return -1;
	fail->kind = kind;
	va_start(args, format);
	(void)vsnprintf(fail->text, sizeof fail->text, format, args);
	va_end(args);
	return -1;
}

const char *fail_kind_name(enum fail_kind kind)
{
	return kind < FAIL_KIND_COUNT ? kinds[kind].name : "failed";
}

enum fail_kind fail_kind_from_name(const char *name)
{
	for (unsigned kind = FAIL_USAGE; name && kind <= FAIL_UNAVAILABLE; kind++)
		if (strcmp(kinds[kind].name, name) == 0)
			return (enum fail_kind)kind;
	return FAIL_FAILED;
}

int fail_kind_code(enum fail_kind kind)
{
	return kind < FAIL_KIND_COUNT ? kinds[kind].code : -32000;
}

int fail_kind_exit(enum fail_kind kind)
{
	return kind < FAIL_KIND_COUNT ? kinds[kind].exit_code : FAIL_EXIT_ERROR;
}

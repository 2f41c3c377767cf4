/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Typed values of the command line, turned into JSON.
 * Pure functions: no I/O besides the working directory for relative paths.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"
#include "cli/error.h"

/*
 * Store the value of one argument under the parameter's key (params) or, without
 * one, under its name (locals).  text is NULL for a flag, and for an option whose
 * value was left out.  A CLI_MANY positional appends.
 * Returns 0, or an exit code with the error set.
 */
__attribute__((warn_unused_result)) int cli_value_store(const struct cli_param *param, const char *text, json_t *params,
							json_t *locals, struct cli_error *error);

/* Decimal or 0x integer.  0 or -1. */
__attribute__((warn_unused_result)) int cli_int_parse(const char *text, int64_t *value);
/* Age such as 90s, 15m, 2h, 3d in seconds.  0 or -1. */
__attribute__((warn_unused_result)) int cli_age_parse(const char *text, int64_t *seconds);
/* Whether text is one of "a|b|c"; index tells which. */
bool cli_choice_find(const char *choices, const char *text, unsigned *index);

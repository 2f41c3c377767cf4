/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table as JSON, for programs that check it: "wherryctl __table". */
#pragma once

#include <jansson.h>

#define CLI_TABLE_WORD "__table"

/*
 * An array with an object per command: {command, method, output, columns: [path],
 * params: [{name, positional, required, type, keys: [path]}]}.  keys are those of
 * the method's parameters; empty for a value that stays in the program.  Owned by
 * the caller.
 */
json_t *cli_table_json(void);

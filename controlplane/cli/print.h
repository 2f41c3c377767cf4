/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, records and JSON on a stream.  Any JSON is accepted as the reply. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/error.h"

/* An aligned table, one row per element of list.  Elements that are not objects are left out. */
void cli_print_table(FILE *out, const struct cli_column *columns, const json_t *list, bool header, int64_t now_us);
/* A field per line; keys that no column shows follow under their own names. */
void cli_print_record(FILE *out, const struct cli_column *columns, const json_t *object, int64_t now_us);
/* "volume {name}: created": a key in braces is replaced from result, else from params; ":size" formats bytes. */
void cli_print_template(FILE *out, const char *template, const json_t *result, const json_t *params);
/* Indented JSON and a newline. */
void cli_print_json(FILE *out, const json_t *value);
/* JSON on one line. */
void cli_print_json_line(FILE *out, const json_t *value);
/* The error: a sentence, or with json an object on one line. */
void cli_print_error(FILE *err, const struct cli_error *error, bool json);
/* The result of a command as its row in the table says. */
void cli_print_result(FILE *out, const struct cli_command *command, const json_t *result, const json_t *params,
		      int64_t now_us);

/* Rows of text built elsewhere: cells are owned by the caller; number tells which columns align right. */
void cli_print_cells(FILE *out, char *const *cells, const bool *number, size_t rows, size_t columns);

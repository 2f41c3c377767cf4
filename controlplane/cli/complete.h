/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion of a half-typed command line, from the command table.
 * The shell script calls "wherryctl __complete WORD..." with the words so far,
 * the last of them incomplete; candidates come back one per line, or ":files"
 * where a file name belongs.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"

#define CLI_COMPLETE_WORD "__complete"

/* Names of objects of a kind, as an array of strings owned by the caller; NULL: not to be had. */
typedef json_t *cli_names_fn(void *ctx, enum cli_names kind);

/* Print candidates for the last of count words (the program's name is not among them).  Pure but for names. */
void cli_complete(const char *const *words, unsigned count, cli_names_fn *names, void *ctx, FILE *out);

/* The names, asked from wherryd at socket (NULL: default) within a second. */
json_t *cli_names_ask(void *socket, enum cli_names kind);

/* The script for bash. */
void cli_completion_bash(FILE *out);

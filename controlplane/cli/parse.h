/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command line -> command and parameters.
 *
 * Global options may stand anywhere.  Options and positional arguments mix; "--"
 * ends the options.  An option's value follows it or is joined by "=".
 */
#pragma once

#include <jansson.h>

#include "cli/command.h"
#include "cli/error.h"

struct cli_invocation {
	const struct cli_command *command; /* NULL: help for the words given, or for everything */
	char words[64];                    /* the words that were recognised, joined by spaces */
	json_t *params;                    /* RPC parameters, owned */
	json_t *locals;                    /* values that wherryctl itself uses, by parameter name; owned */
	const char *socket;                /* NULL: default; borrowed from argv */
	double timeout_s;
	bool json, help, version;
};

/*
 * Parse.  argv[0] is the program.  Returns 0, or an exit code with the error set;
 * the invocation must be released by cli_invocation_fini either way, and its json
 * member is valid either way (so that the error can be printed as JSON).
 */
__attribute__((warn_unused_result)) int cli_parse(int argc, const char *const *argv, struct cli_invocation *to,
						  struct cli_error *error);
void cli_invocation_fini(struct cli_invocation *invocation);

/*
 * The command that the words name, or NULL.  With NULL, count tells how many
 * leading words are those of at least one command.
 */
const struct cli_command *cli_command_find(const char *const *words, unsigned word_count, unsigned *count);

/* Option of the command, or a global one, by name of length bytes; NULL: unknown. */
const struct cli_param *cli_option_find(const struct cli_command *command, const char *name, size_t length);
/* The same by its letter. */
const struct cli_param *cli_option_by_letter(const struct cli_command *command, char letter);
/* The index-th positional argument; the last one again when it takes many; NULL: no more. */
const struct cli_param *cli_positional_at(const struct cli_command *command, unsigned index);
/* Whether an option needs the next word as its value. */
bool cli_option_takes_value(const struct cli_param *param);

/* Edit distance with transpositions; for suggestions. */
unsigned cli_edit_distance(const char *a, const char *b);

/* SPDX-License-Identifier: BSD-3-Clause */
/* Help texts and usage lines from the command table.  Pure. */
#pragma once

#include <stdio.h>

#include "cli/command.h"

/* Usage line of a command, without the program's name: "volume grow NAME SIZE". */
void cli_usage_print(FILE *out, const struct cli_command *command);
/* Help of one command: usage, text, arguments, options, examples. */
void cli_help_command(FILE *out, const struct cli_command *command);
/* Help of the commands that start with words ("" for all): a summary each. */
void cli_help_group(FILE *out, const char *words);
/* "--size SIZE" as it stands in usage lines and lists. */
void cli_option_syntax(FILE *out, const struct cli_param *param);
/* What stands for the value: SIZE, N, yes|no.  Empty for a flag. */
const char *cli_value_name(const struct cli_param *param);

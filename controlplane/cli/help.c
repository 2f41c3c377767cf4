/* SPDX-License-Identifier: BSD-3-Clause */
/* Help texts and usage lines from the command table. */
#include "cli/help.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMNS 100

const char *cli_value_name(const struct cli_param *param)
{
	switch ((enum cli_type)param->type) {
	case CLI_FLAG:
		return "";
	case CLI_BOOL:
		return "yes|no";
	case CLI_INT:
		return "N";
	case CLI_SIZE:
		return "SIZE";
	case CLI_NAME:
		return "NAME";
	case CLI_PATH:
	case CLI_FILE:
		return "PATH";
	case CLI_ENUM:
	case CLI_CHOICE:
		return param->choices;
	case CLI_MAC:
		return "MAC";
	case CLI_TARGET:
		return "SHELF.SLOT";
	case CLI_NAMES:
		return "NAME,...";
	case CLI_VLANS:
		return "ID,...";
	case CLI_DEVICE:
		return "DEVICE";
	case CLI_LCORES:
		return "LIST";
	case CLI_PREFIX:
		return "ADDRESS/BITS";
	case CLI_PREFIXES:
		return "PREFIX,...";
	case CLI_JSON:
		return "JSON";
	case CLI_SECONDS:
		return "SECONDS";
	case CLI_SINCE:
		return "ID|AGE";
	case CLI_WORD:
	case CLI_TEXT:
	case CLI_TYPE_COUNT:
		break;
	}
	return "TEXT";
}

void cli_option_syntax(FILE *out, const struct cli_param *param)
{
	const char *value = cli_value_name(param);
	if (param->letter)
		(void)fprintf(out, "-%c, ", param->letter);
	(void)fprintf(out, "--%s", param->name);
	if (param->flags & CLI_OPTIONAL)
		(void)fprintf(out, " [%s]", value);
	else if (*value)
		(void)fprintf(out, " %s", value);
}

/* Text wrapped at HELP_COLUMNS, continued at the same indentation. */
static void print_wrapped(FILE *out, const char *text, unsigned indent)
{
	unsigned column = indent;
	while (*text) {
		size_t length = strcspn(text, " ");
		if (column > indent && column + 1 + length > HELP_COLUMNS) {
			(void)fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			(void)fputc(' ', out);
			column++;
		}
		(void)fprintf(out, "%.*s", (int)length, text);
		column += (unsigned)length;
		text += length;
		text += strspn(text, " ");
	}
	(void)fputc('\n', out);
}

static void print_words(FILE *out, const struct cli_command *command)
{
	for (unsigned i = 0; i < cli_word_count(command); i++)
		(void)fprintf(out, "%s%s", i ? " " : "", command->words[i]);
}

void cli_usage_print(FILE *out, const struct cli_command *command)
{
	bool options = false;
	print_words(out, command);
	for (const struct cli_param *param = command->params; param->name; param++) {
		bool required = param->flags & CLI_REQUIRED;
		if (param->flags & CLI_POSITIONAL)
			(void)fprintf(out, required ? " %s%s" : " [%s%s]", param->name,
				      param->flags & CLI_MANY ? "..." : "");
		else if (required)
			(void)fprintf(out, " --%s %s", param->name, cli_value_name(param));
		else
			options = true;
	}
	if (options)
		(void)fputs(command->some_option ? " OPTION..." : " [OPTION...]", out);
	(void)fputc('\n', out);
}

static void print_param(FILE *out, const struct cli_param *param)
{
	char *syntax = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&syntax, &length);
	if (!to)
		return;
	if (param->flags & CLI_POSITIONAL)
		(void)fputs(param->name, to);
	else
		cli_option_syntax(to, param);
	if (param->flags & CLI_POSITIONAL && (param->type == CLI_ENUM))
		(void)fprintf(to, " (%s)", param->choices);
	(void)fclose(to);
	(void)fprintf(out, "  %-26s", syntax);
	if (length > 26)
		(void)fprintf(out, "\n  %26s", "");
	(void)fputs("  ", out);
	print_wrapped(out, param->help, 30);
	free(syntax);
}

/* A titled list of the parameters that are, or are not, positional.  Prints nothing without any. */
static void print_params(FILE *out, const char *title, const struct cli_param *params, bool positional)
{
	bool any = false;
	for (const struct cli_param *param = params; param->name; param++) {
		if (((param->flags & CLI_POSITIONAL) != 0) != positional)
			continue;
		if (!any)
			(void)fprintf(out, "\n%s:\n", title);
		any = true;
		print_param(out, param);
	}
}

static void print_examples(FILE *out, const char *examples)
{
	(void)fputs("\nExamples:\n", out);
	while (*examples) {
		size_t length = strcspn(examples, "\n");
		(void)fprintf(out, "  wherryctl %.*s\n", (int)length, examples);
		examples += length + (examples[length] == '\n');
	}
}

void cli_help_command(FILE *out, const struct cli_command *command)
{
	(void)fputs("Usage: wherryctl ", out);
	cli_usage_print(out, command);
	(void)fputc('\n', out);
	(void)fprintf(out, "%s.\n", command->summary);
	if (command->details)
		print_wrapped(out, command->details, 0);
	print_params(out, "Arguments", command->params, true);
	print_params(out, "Options", command->params, false);
	print_params(out, "Options of every command", cli_globals, false);
	print_examples(out, command->examples);
}

static bool starts_with_words(const struct cli_command *command, const char *words)
{
	for (unsigned i = 0; *words; i++) {
		size_t length = strcspn(words, " ");
		if (i >= cli_word_count(command) || strlen(command->words[i]) != length ||
		    strncmp(command->words[i], words, length))
			return false;
		words += length + (words[length] == ' ');
	}
	return true;
}

void cli_help_group(FILE *out, const char *words)
{
	const struct cli_command *command;
	(void)fprintf(out, "Usage: wherryctl [OPTION...] %s%sCOMMAND [ARGUMENT...] [OPTION...]\n\n", words,
		      *words ? " " : "");
	const char *summary = "Control wherryd, the daemon of the wherry block-storage appliance";
	for (const struct cli_group *group = cli_groups; group->words; group++)
		if (!strcmp(group->words, words))
			summary = group->summary;
	(void)fprintf(out, "%s.\n\nCommands:\n", summary);
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		char name[64] = "";
		if (!starts_with_words(command, words))
			continue;
		for (unsigned w = 0; w < cli_word_count(command); w++) {
			size_t used = strlen(name);
			(void)snprintf(name + used, sizeof(name) - used, "%s%s", w ? " " : "", command->words[w]);
		}
		(void)fprintf(out, "  %-22s ", name);
		print_wrapped(out, command->summary, 25);
	}
	print_params(out, "Options of every command", cli_globals, false);
	(void)fputs("\nSizes take K, M, G, T and P, powers of 1024. Times are local, with their offset from UTC.\n"
		    "Exit status: 0 done, 1 error, 2 usage, 3 wherryd not reachable, 4 not found, 5 conflict.\n"
		    "\"wherryctl help COMMAND\" explains one command; wherryctl(1) holds everything.\n",
		    out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table: what the parser, help, completion and manual take for granted. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/parse.h"
#include "common/fail.h"

#define WORD_COUNT_MAX 32

static void name_of(const struct cli_command *command, char to[64])
{
	to[0] = 0;
	for (unsigned i = 0; i < cli_word_count(command); i++) {
		size_t used = strlen(to);
		(void)snprintf(to + used, 64 - used, "%s%s", i ? " " : "", command->words[i]);
	}
}

Test(cli_table, every_command_has_what_its_output_needs)
{
	const struct cli_command *command;
	unsigned count = 0;
	for (unsigned i = 0; (command = cli_command_at(i)); i++, count++) {
		char name[64];
		name_of(command, name);
		cr_expect(command->params != NULL, "%s has no parameters", name);
		cr_expect(command->summary && command->summary[strlen(command->summary) - 1] != '.', "%s: summary",
			  name);
		cr_expect(command->examples && *command->examples, "%s has no example", name);
		cr_expect(command->action < CLI_ACTION_COUNT, "%s: action", name);
		if (command->action != CLI_RUN_CALL)
			continue;
		cr_expect(command->method != NULL, "%s has no method", name);
		bool columns = command->output == CLI_OUT_LIST || command->output == CLI_OUT_RECORD;
		bool value = command->output == CLI_OUT_VALUES || command->output == CLI_OUT_TEXT;
		cr_expect((command->columns != NULL) == columns, "%s: columns", name);
		cr_expect((command->value_key != NULL) == value, "%s: value", name);
		cr_expect((command->done != NULL) == (command->output == CLI_OUT_DONE), "%s: done", name);
	}
	cr_expect(count > 40);
}

Test(cli_table, no_two_commands_have_the_same_words)
{
	const struct cli_command *a, *b;
	for (unsigned i = 0; (a = cli_command_at(i)); i++) {
		for (unsigned j = i + 1; (b = cli_command_at(j)); j++) {
			char first[64], second[64];
			name_of(a, first);
			name_of(b, second);
			cr_expect(strcmp(first, second), "%s is there twice", first);
		}
	}
}

Test(cli_table, commands_of_a_group_stand_together)
{
	/* Help and completion print a word once when it changes. */
	const struct cli_command *command;
	char seen[512] = " ", last[32] = "";
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		char word[40];
		(void)snprintf(word, sizeof(word), " %s ", command->words[0]);
		if (strcmp(last, command->words[0])) {
			cr_expect(!strstr(seen, word), "%s comes again later", word);
			size_t used = strlen(seen);
			(void)snprintf(seen + used, sizeof(seen) - used, "%s ", command->words[0]);
		}
		(void)snprintf(last, sizeof(last), "%s", command->words[0]);
	}
}

Test(cli_table, parameters_are_in_order_and_do_not_clash)
{
	const struct cli_command *command;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		char name[64];
		bool optional = false, many = false;
		name_of(command, name);
		for (const struct cli_param *param = command->params; param->name; param++) {
			cr_expect(param->type < CLI_TYPE_COUNT && param->help && *param->help, "%s: %s", name,
				  param->name);
			cr_expect(param->help[strlen(param->help) - 1] != '.', "%s: %s: full stop", name, param->name);
			bool choice = param->type == CLI_ENUM || param->type == CLI_CHOICE;
			/* A prefix may have a word that stands for one. */
			cr_expect((param->choices != NULL) == choice || param->type == CLI_PREFIX, "%s: %s: choices",
				  name, param->name);
			if (param->flags & CLI_POSITIONAL) {
				bool required = param->flags & CLI_REQUIRED;
				cr_expect(!many, "%s: %s comes after one that takes all", name, param->name);
				cr_expect(!required || !optional, "%s: %s is required after one that is not", name,
					  param->name);
				/* A word is told by what it says, whatever follows. */
				optional |= !required && param->type != CLI_WORD;
				many |= (param->flags & CLI_MANY) != 0;
				continue;
			}
			for (const struct cli_param *other = param + 1; other->name; other++) {
				cr_expect(strcmp(param->name, other->name), "%s: --%s twice", name, param->name);
				cr_expect(!param->letter || param->letter != other->letter, "%s: -%c twice", name,
					  param->letter);
			}
			for (const struct cli_param *global = cli_globals; global->name; global++) {
				cr_expect(strcmp(param->name, global->name), "%s: --%s is global", name, param->name);
				cr_expect(!param->letter || param->letter != global->letter, "%s: -%c is global", name,
					  param->letter);
			}
		}
	}
}

Test(cli_table, every_first_word_has_a_group_summary)
{
	const struct cli_command *command;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		bool found = false;
		for (const struct cli_group *group = cli_groups; group->words; group++)
			found |= !strcmp(group->words, command->words[0]);
		cr_expect(found, "%s", command->words[0]);
	}
}

/* Split at blanks; single quotes hold a word together.  What follows | or > is the shell's. */
static int split(char *line, const char **argv)
{
	int argc = 0;
	argv[argc++] = "wherryctl";
	while (*line && argc < WORD_COUNT_MAX) {
		bool quoted = *line == '\'';
		line += quoted;
		argv[argc] = line;
		line += strcspn(line, quoted ? "'" : " ");
		if (*line)
			*line++ = 0;
		line += strspn(line, " ");
		if (!strcmp(argv[argc], "|") || !strcmp(argv[argc], ">"))
			break;
		argc++;
	}
	return argc;
}

Test(cli_table, every_example_is_a_valid_call_of_its_command)
{
	const struct cli_command *command;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		char *examples = strdup(command->examples), *rest = examples;
		for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
			const char *argv[WORD_COUNT_MAX];
			struct cli_invocation invocation;
			struct cli_error error;
			char whole[256];
			(void)snprintf(whole, sizeof(whole), "%s", line);
			int rc = cli_parse(split(line, argv), argv, &invocation, &error);
			cr_expect_eq(rc, FAIL_EXIT_OK, "%s: %s", whole, error.text);
			cr_expect_eq(invocation.command, command, "%s is another command", whole);
			cli_invocation_fini(&invocation);
		}
		free(examples);
	}
}

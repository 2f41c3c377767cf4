/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of manual pages, and the page of wherryctl from the command table. */
#include "cli/man.h"

#include <stdbool.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "wherry_build.h"

#define TEXT_COLUMNS 78

/* One character with what roff would obey made harmless. */
static void put(FILE *out, char c, bool line_start)
{
	if (line_start && (c == '.' || c == '\''))
		(void)fputs("\\&", out);
	if (c == '\\')
		(void)fputs("\\e", out);
	else
		(void)fputc(c, out);
}

void man_text(FILE *out, const char *text)
{
	bool start = true;
	unsigned column = 0;
	for (const char *at = text; *at; at++) {
		/* A new sentence begins a new line; an abbreviation such as e.g. does not end one. */
		bool sentence = at[0] == ' ' && at != text && at[-1] == '.' && at[1] >= 'A' && at[1] <= 'Z';
		bool full = at[0] == ' ' && column + 1 + strcspn(at + 1, " ") > TEXT_COLUMNS;
		if (sentence || full) {
			(void)fputc('\n', out);
			start = true;
			column = 0;
			continue;
		}
		put(out, *at, start);
		start = false;
		column++;
	}
	(void)fputc('\n', out);
}

void man_argument(FILE *out, const char *text)
{
	(void)fputs("\"\\&", out);
	for (const char *at = text; *at; at++) {
		if (*at == '"')
			(void)fputs("\"\"", out);
		else
			put(out, *at, false);
	}
	(void)fputc('"', out);
}

void man_display(FILE *out, const char *prefix, const char *lines)
{
	(void)fputs(".Bd -literal -offset indent -compact\n", out);
	bool start = true;
	(void)fputs(prefix, out);
	for (const char *at = lines; *at; at++) {
		put(out, *at, start && !*prefix);
		start = *at == '\n';
		if (start)
			(void)fputs(prefix, out);
	}
	(void)fputs("\n.Ed\n", out);
}

void man_head(FILE *out, const char *title, const char *section, const char *name, const char *summary)
{
	(void)fprintf(
		out,
		".\\\" SPDX-License-Identifier: BSD-3-Clause\n.Dd %s\n.Dt %s %s\n.Os wherry %s\n.Sh NAME\n.Nm %s\n",
		MAN_DATE, title, section, WHERRY_VERSION, name);
	(void)fprintf(out, ".Nd %s\n", summary);
}

void man_options_synopsis(FILE *out, const struct man_option *options)
{
	for (; options->name; options++)
		(void)fprintf(out, ".Op Fl -%s%s%s\n", options->name, options->value ? " Ar " : "",
			      options->value ? options->value : "");
}

void man_options(FILE *out, const struct man_option *options)
{
	(void)fputs(".Bl -tag -width Ds\n", out);
	for (; options->name; options++) {
		(void)fprintf(out, ".It Fl -%s%s%s\n", options->name, options->value ? " Ar " : "",
			      options->value ? options->value : "");
		man_text(out, options->help);
	}
	(void)fputs(".El\n", out);
}

/* ------------------------------------------------------------- wherryctl */
static void write_param(FILE *out, const struct cli_param *param)
{
	const char *value = cli_value_name(param);
	if (param->flags & CLI_POSITIONAL) {
		(void)fprintf(out, ".It Ar %s\n", param->name);
	} else {
		(void)fputs(".It ", out);
		if (param->letter)
			(void)fprintf(out, "Fl %c , ", param->letter);
		if (param->flags & CLI_OPTIONAL)
			(void)fprintf(out, "Fl -%s Op Ar %s\n", param->name, value);
		else
			(void)fprintf(out, "Fl -%s%s%s\n", param->name, *value ? " Ar " : "", value);
	}
	char help[512];
	(void)snprintf(help, sizeof(help), "%s.", param->help);
	/* A phrase becomes a sentence, unless it starts with something to be typed. */
	size_t word = strcspn(help, " ,;.");
	if (strspn(help, "abcdefghijklmnopqrstuvwxyz") == word)
		help[0] = (char)(help[0] - 32);
	man_text(out, help);
	if (param->flags & CLI_POSITIONAL && param->choices) {
		(void)snprintf(help, sizeof(help), "One of %s.", param->choices);
		man_text(out, help);
	}
}

static void write_params(FILE *out, const struct cli_param *params)
{
	if (!params->name)
		return;
	(void)fputs(".Bl -tag -width Ds\n", out);
	for (; params->name; params++)
		write_param(out, params);
	(void)fputs(".El\n", out);
}

static void write_usage(FILE *out, const struct cli_command *command)
{
	(void)fputs(".It Xo\n.Ic", out);
	for (unsigned i = 0; i < cli_word_count(command); i++) {
		(void)fputc(' ', out);
		man_argument(out, command->words[i]);
	}
	(void)fputc('\n', out);
	bool options = false;
	for (const struct cli_param *param = command->params; param->name; param++) {
		bool required = param->flags & CLI_REQUIRED, positional = param->flags & CLI_POSITIONAL;
		if (positional)
			(void)fprintf(out, ".%sAr %s%s\n", required ? "" : "Op ", param->name,
				      param->flags & CLI_MANY ? " ..." : "");
		else if (required)
			(void)fprintf(out, ".Fl -%s Ar %s\n", param->name, cli_value_name(param));
		else
			options = true;
	}
	if (options)
		(void)fputs(command->some_option ? ".Ar option ...\n" : ".Op Ar option ...\n", out);
	(void)fputs(".Xc\n", out);
}

static void write_command(FILE *out, const struct cli_command *command)
{
	char summary[256];
	write_usage(out, command);
	(void)snprintf(summary, sizeof(summary), "%s.", command->summary);
	man_text(out, summary);
	if (command->details)
		man_text(out, command->details);
	if (command->method)
		(void)fprintf(out, "RPC method:\n.Ql %s .\n", command->method);
	write_params(out, command->params);
	(void)fputs(".Pp\n", out);
	man_display(out, "wherryctl ", command->examples);
}

/* Commands in the order of the table, a subsection for each group. */
static void write_commands(FILE *out)
{
	const struct cli_command *command;
	const char *section = "";
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		const char *wanted = "";
		for (const struct cli_group *group = cli_groups; group->words; group++)
			if (!strcmp(group->words, command->words[0]))
				wanted = group->summary;
		if (strcmp(wanted, section)) {
			(void)fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", *section ? ".El\n" : "", wanted);
			section = wanted;
		}
		write_command(out, command);
	}
	(void)fputs(".El\n", out);
}

void man_wherryctl(FILE *out)
{
	man_head(out, "WHERRYCTL", "1", "wherryctl", "control the wherry block-storage appliance");
	(void)fputs(".Sh SYNOPSIS\n.Nm\n.Op Ar option ...\n.Ar command\n.Op Ar argument ...\n.Nm\n"
		    ".Cm help\n.Op Ar command\n.Sh DESCRIPTION\n.Nm\n"
		    "changes and shows the configuration and the state of the appliance by calls to\n"
		    ".Xr wherryd 8 .\nOptions may stand before, between and after the other words;\n.Fl -\n"
		    "ends them.\nA size takes K, M, G, T or P, which are powers of 1024.\n"
		    "Times are local, with their offset from UTC; set\n.Ev TZ\nto see them otherwise.\n"
		    ".Pp\nThe options of every command are:\n",
		    out);
	write_params(out, cli_globals);
	(void)fputs(".Sh COMMANDS\n", out);
	write_commands(out);
	(void)fputs(".Sh JSON OUTPUT\nWith\n.Fl -json\n"
		    "the result of the RPC method is printed as it came, indented;\n"
		    "what differs stands with the command.\nKeys are only ever added.\n"
		    "Sizes are bytes, times are microseconds since 1970 in UTC.\n"
		    "Commands that go on print one object per line.\n"
		    "An error is one line on standard error:\n.Pp\n",
		    out);
	man_display(
		out, "",
		"{\"error\": {\"exit\": 4, \"kind\": \"not_found\", \"message\": \"volume 'x' does not exist; ...\"}}");
	(void)fputs(".Pp\nThe kinds are usage, no_daemon, not_found, conflict, unavailable and failed.\n"
		    ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev WHERRY_SOCKET\nThe socket of\n"
		    ".Xr wherryd 8 ,\nunless\n.Fl -socket\nnames it.\n.It Ev SSH_CONNECTION\nTells\n"
		    ".Ic doctor\nwhich network device must stay the kernel's.\n.El\n.Sh FILES\n"
		    ".Bl -tag -width Ds\n.It Pa /run/wherry/wherryd.sock\n"
		    "The socket when nothing else is said.\n.El\n.Sh EXIT STATUS\n"
		    ".Bl -tag -width Ds -compact\n.It 0\nDone.\n.It 1\nAn error; for\n.Ic doctor ,\n"
		    "a finding that is one.\n.It 2\nThe command line or its values are wrong.\n.It 3\n"
		    ".Xr wherryd 8\ncannot be reached, or did not answer in time.\n.It 4\n"
		    "The object does not exist.\n.It 5\n"
		    "The object's state forbids it, for example the name is taken.\n.El\n.Sh SEE ALSO\n"
		    ".Xr wherry 7 ,\n.Xr wherry-dataplane 8 ,\n.Xr wherryd 8\n",
		    out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Completion of a half-typed command line. */
#include "cli/complete.h"

#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/parse.h"
#include "cli/rpc.h"

#define NAMES_TIMEOUT_S 1.0 /* longer would make the Tab key feel broken */

struct completion {
	const char *last; /* the word to complete */
	const struct cli_command *command;
	const char *words[CLI_WORD_COUNT_MAX];
	unsigned word_count;
	unsigned positional_count;
	const char *positional;           /* the latest one */
	const struct cli_param *awaiting; /* option whose value is the last word */
	bool options_end;
	bool after_optional; /* the word before was an option whose number may be left out */
	cli_names_fn *names;
	void *ctx;
	FILE *out;
};

static void offer(const struct completion *c, const char *prefix, const char *candidate, const char *typed)
{
	/* Names come from a daemon: one with a newline would be two. */
	if (!strncmp(candidate, typed, strlen(typed)) && !strpbrk(candidate, "\n\r"))
		(void)fprintf(c->out, "%s%s\n", prefix, candidate);
}

static void offer_choices(const struct completion *c, const char *choices, const char *prefix, const char *typed)
{
	while (*choices) {
		size_t length = strcspn(choices, "|");
		char choice[64];
		(void)snprintf(choice, sizeof(choice), "%.*s", (int)length, choices);
		offer(c, prefix, choice, typed);
		choices += length + (choices[length] == '|');
	}
}

static void offer_names(const struct completion *c, enum cli_names kind, const char *prefix, const char *typed)
{
	json_t *list = kind == CLI_NAMES_NONE || !c->names ? NULL : c->names(c->ctx, kind);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (name)
			offer(c, prefix, name, typed);
	}
	json_decref(list);
}

static enum cli_names names_of_scope(const char *scope)
{
	if (scope && !strcmp(scope, "volume"))
		return CLI_NAMES_VOLUME;
	if (scope && !strcmp(scope, "export"))
		return CLI_NAMES_AOE_EXPORT;
	if (scope && !strcmp(scope, "nbd_export"))
		return CLI_NAMES_NBD_EXPORT;
	if (scope && !strcmp(scope, "port"))
		return CLI_NAMES_PORT;
	if (scope && !strcmp(scope, "client"))
		return CLI_NAMES_CLIENT;
	return CLI_NAMES_NONE;
}

/* prefix: what stands before the value in the same word ("--size="). */
static void offer_values(const struct completion *c, const struct cli_param *param, const char *prefix,
			 const char *typed)
{
	char before[256];
	const char *comma = param->type == CLI_NAMES ? strrchr(typed, ',') : NULL;
	(void)snprintf(before, sizeof(before), "%s%.*s", prefix, comma ? (int)(comma + 1 - typed) : 0, typed);
	if (param->type == CLI_PATH || param->type == CLI_FILE)
		(void)fputs(":files\n", c->out);
	else if (param->type == CLI_BOOL)
		offer_choices(c, "yes|no", prefix, typed);
	else if (param->choices)
		offer_choices(c, param->choices, prefix, typed);
	else if (param->names == CLI_NAMES_OF_SCOPE)
		offer_names(c, names_of_scope(c->positional), prefix, typed);
	else
		offer_names(c, (enum cli_names)param->names, before, comma ? comma + 1 : typed);
}

static void offer_options(const struct completion *c)
{
	const struct cli_param *const lists[] = {c->command ? c->command->params : NULL, cli_globals};
	for (unsigned i = 0; i < 2; i++) {
		for (const struct cli_param *param = lists[i]; param && param->name; param++) {
			char option[64];
			if (param->flags & CLI_POSITIONAL)
				continue;
			(void)snprintf(option, sizeof(option), "--%s", param->name);
			offer(c, "", option, c->last);
		}
	}
}

static void offer_words(const struct completion *c)
{
	const struct cli_command *command;
	const char *previous = "";
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		unsigned same = 0;
		while (same < c->word_count && same < cli_word_count(command) &&
		       !strcmp(command->words[same], c->words[same]))
			same++;
		if (same < c->word_count || cli_word_count(command) <= c->word_count)
			continue;
		if (strcmp(previous, command->words[same]))
			offer(c, "", command->words[same], c->last);
		previous = command->words[same];
	}
}

/* Account for one whole word before the last. */
static void pass_word(struct completion *c, const char *word)
{
	bool number = word[0] >= '0' && word[0] <= '9';
	if (c->awaiting || (c->after_optional && number)) {
		c->awaiting = NULL;
		c->after_optional = false;
		return;
	}
	c->after_optional = false;
	if (!c->options_end && word[0] == '-' && word[1]) {
		bool is_long = word[1] == '-';
		const struct cli_param *param = is_long ? cli_option_find(c->command, word + 2, strlen(word + 2))
							: cli_option_by_letter(c->command, word[1]);
		c->options_end = !strcmp(word, "--");
		c->after_optional = param && param->flags & CLI_OPTIONAL;
		if (param && cli_option_takes_value(param) && (is_long || !word[2]))
			c->awaiting = param;
		return;
	}
	if (c->positional_count == 0 && c->word_count < CLI_WORD_COUNT_MAX) {
		unsigned known;
		c->words[c->word_count] = word;
		const struct cli_command *command = cli_command_find(c->words, c->word_count + 1, &known);
		if (known == c->word_count + 1) {
			c->word_count++;
			c->command = command;
			return;
		}
	}
	c->positional_count++;
	c->positional = word;
}

void cli_complete(const char *const *words, unsigned count, cli_names_fn *names, void *ctx, FILE *out)
{
	if (!count)
		return;
	struct completion c = {.last = words[count - 1], .names = names, .ctx = ctx, .out = out};
	for (unsigned i = 0; i + 1 < count; i++)
		pass_word(&c, words[i]);
	const char *equals = !strncmp(c.last, "--", 2) && !c.options_end ? strchr(c.last, '=') : NULL;
	if (c.awaiting) {
		offer_values(&c, c.awaiting, "", c.last);
	} else if (equals) {
		const struct cli_param *param = cli_option_find(c.command, c.last + 2, (size_t)(equals - c.last - 2));
		char prefix[80];
		(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(equals + 1 - c.last), c.last);
		if (param)
			offer_values(&c, param, prefix, equals + 1);
	} else if (c.last[0] == '-' && !c.options_end) {
		offer_options(&c);
	} else {
		if (c.positional_count == 0)
			offer_words(&c);
		const struct cli_param *param = c.command ? cli_positional_at(c.command, c.positional_count) : NULL;
		if (param)
			offer_values(&c, param, "", c.last);
	}
}

json_t *cli_names_ask(void *socket, enum cli_names kind)
{
	static const struct {
		const char *method;
		struct cli_column column;
	} sources[] = {
		[CLI_NAMES_VOLUME] = {"volume.list", {"", "name", CLI_AS_TEXT}},
		[CLI_NAMES_AOE_EXPORT] = {"aoe.export.list", {"", "shelf|slot", CLI_AS_TEXT}},
		[CLI_NAMES_NBD_EXPORT] = {"nbd.export.list", {"", "name", CLI_AS_TEXT}},
		[CLI_NAMES_PORT] = {"port.list", {"", "name", CLI_AS_TEXT}},
		[CLI_NAMES_METHOD] = {"rpc.methods", {"", "name", CLI_AS_TEXT}},
		[CLI_NAMES_CLIENT] = {"client.list", {"", "mac", CLI_AS_TEXT}},
	};
	if ((size_t)kind >= sizeof(sources) / sizeof(sources[0]) || !sources[kind].method)
		return NULL;
	struct rpc_client client;
	struct cli_error error;
	json_t *result = NULL, *names = NULL;
	int rc = rpc_open(&client, rpc_socket_path(socket), NAMES_TIMEOUT_S, &error);
	if (!rc)
		rc = rpc_call(&client, sources[kind].method, NULL, -1, &result, &error);
	if (!rc)
		names = json_array();
	for (size_t i = 0; i < json_array_size(result); i++) {
		char *name = cli_cell(&sources[kind].column, json_array_get(result, i), 0);
		json_array_append_new(names, json_string(name));
		free(name);
	}
	json_decref(result);
	rpc_close(&client);
	return names;
}

void cli_completion_bash(FILE *out)
{
	(void)fputs("# bash completion of wherryctl; load it with: source <(wherryctl completion bash)\n"
		    "_wherryctl()\n"
		    "{\n"
		    "    local line=${COMP_LINE:0:COMP_POINT} words current before candidate\n"
		    "    read -ra words <<<\"$line\"\n"
		    "    [[ $line != *[[:space:]] ]] || words+=(\"\")\n"
		    "    current=${words[${#words[@]} - 1]}\n"
		    "    # bash takes : and = for ends of words and replaces only what follows them.\n"
		    "    before=${current%\"${current##*[:=]}\"}\n"
		    "    COMPREPLY=()\n"
		    "    while IFS= read -r candidate; do\n"
		    "        if [[ $candidate == :files ]]; then\n"
		    "            compopt -o default\n"
		    "        else\n"
		    "            COMPREPLY+=(\"${candidate#\"$before\"}\")\n"
		    "        fi\n"
		    "    done < <(\"${words[0]}\" " CLI_COMPLETE_WORD " \"${words[@]:1}\" 2>/dev/null)\n"
		    "}\n"
		    "complete -F _wherryctl wherryctl\n",
		    out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Command line -> command and parameters. */
#include "cli/parse.h"

#include <stdlib.h>
#include <string.h>

#include "cli/value.h"

#define DISTANCE_BYTES_MAX 32

unsigned cli_edit_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > DISTANCE_BYTES_MAX || m > DISTANCE_BYTES_MAX)
		return UINT32_MAX;
	unsigned d[DISTANCE_BYTES_MAX + 1][DISTANCE_BYTES_MAX + 1];
	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= m; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		for (unsigned j = 1; j <= m; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

/* How many leading words of the command equal those given. */
static unsigned common_words(const struct cli_command *command, const char *const *words, unsigned word_count)
{
	unsigned n = 0;
	while (n < word_count && n < cli_word_count(command) && !strcmp(command->words[n], words[n]))
		n++;
	return n;
}

const struct cli_command *cli_command_find(const char *const *words, unsigned word_count, unsigned *count)
{
	const struct cli_command *found = NULL, *command;
	*count = 0;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		unsigned common = common_words(command, words, word_count);
		if (common == cli_word_count(command) && (!found || common > cli_word_count(found)))
			found = command;
		if (common > *count)
			*count = common;
	}
	return found;
}

static const struct cli_param *find_in(const struct cli_param *params, const char *name, size_t length)
{
	for (; params && params->name; params++)
		if (!(params->flags & CLI_POSITIONAL) && strlen(params->name) == length &&
		    !strncmp(params->name, name, length))
			return params;
	return NULL;
}

const struct cli_param *cli_option_find(const struct cli_command *command, const char *name, size_t length)
{
	const struct cli_param *own = command ? find_in(command->params, name, length) : NULL;
	return own ? own : find_in(cli_globals, name, length);
}

const struct cli_param *cli_option_by_letter(const struct cli_command *command, char letter)
{
	const struct cli_param *const lists[] = {command ? command->params : NULL, cli_globals};
	for (unsigned i = 0; i < 2; i++)
		for (const struct cli_param *param = lists[i]; param && param->name; param++)
			if (letter && param->letter == letter)
				return param;
	return NULL;
}

const struct cli_param *cli_positional_at(const struct cli_command *command, unsigned index)
{
	const struct cli_param *last = NULL;
	for (const struct cli_param *param = command->params; param->name; param++) {
		if (!(param->flags & CLI_POSITIONAL))
			continue;
		last = param;
		if (index-- == 0)
			return param;
	}
	return last && last->flags & CLI_MANY ? last : NULL;
}

bool cli_option_takes_value(const struct cli_param *param)
{
	return param->type != CLI_FLAG && !(param->flags & CLI_OPTIONAL);
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static bool is_global(const struct cli_param *param)
{
	for (const struct cli_param *global = cli_globals; global->name; global++)
		if (param == global)
			return true;
	return false;
}

/* Nearest option of the command, for an unknown one. */
static const char *nearest_option(const struct cli_command *command, const char *name)
{
	const struct cli_param *const lists[] = {command ? command->params : NULL, cli_globals};
	const char *best = NULL;
	unsigned best_distance = 3;
	for (unsigned i = 0; i < 2; i++) {
		for (const struct cli_param *param = lists[i]; param && param->name; param++) {
			unsigned distance = cli_edit_distance(name, param->name);
			if (!(param->flags & CLI_POSITIONAL) && distance < best_distance) {
				best = param->name;
				best_distance = distance;
			}
		}
	}
	return best;
}

static int unknown_option(const struct cli_command *command, const char *word, const char *words,
			  struct cli_error *error)
{
	char name[DISTANCE_BYTES_MAX + 1] = "";
	size_t length = strcspn(word, "=");
	const char *bare = word + strspn(word, "-");
	if (length < sizeof(name) && length >= (size_t)(bare - word))
		(void)snprintf(name, sizeof(name), "%.*s", (int)(length - (size_t)(bare - word)), bare);
	const char *near = word[1] == '-' ? nearest_option(command, name) : NULL;
	if (near)
		return cli_fail(error, FAIL_EXIT_USAGE, "unknown option %.*s; did you mean --%s?", (int)length, word,
				near);
	return cli_fail(error, FAIL_EXIT_USAGE, "unknown option %.*s; \"wherryctl %s%s--help\" lists them", (int)length,
			word, words, *words ? " " : "");
}

/* One option with its value.  at: index of the option word; advanced past what was used. */
static int take_option(int argc, const char *const *argv, int *at, struct cli_invocation *to, struct cli_error *error)
{
	const char *word = argv[*at];
	bool is_long = word[1] == '-';
	const char *equals = is_long ? strchr(word, '=') : NULL;
	const struct cli_param *param =
		is_long ? cli_option_find(to->command, word + 2,
					  equals ? (size_t)(equals - word - 2) : strlen(word + 2))
			: cli_option_by_letter(to->command, word[1]);
	if (!param)
		return unknown_option(to->command, word, to->words, error);
	const char *value = equals ? equals + 1 : NULL;
	if (!is_long && word[2])
		value = word + 2;
	(*at)++;
	if (!value && cli_option_takes_value(param)) {
		if (*at >= argc)
			return cli_fail(error, FAIL_EXIT_USAGE, "--%s: a value is missing; %s", param->name,
					param->help);
		value = argv[(*at)++];
	}
	/* "--watch 5": a number is the value that may be left out; anything else is an argument. */
	if (!value && param->flags & CLI_OPTIONAL && *at < argc && argv[*at][0] >= '0' && argv[*at][0] <= '9')
		value = argv[(*at)++];
	bool global = is_global(param);
	if (!global && (json_object_get(to->locals, param->name)))
		return cli_fail(error, FAIL_EXIT_USAGE, "--%s: given twice; give it once", param->name);
	json_t *own = global ? json_object() : NULL;
	int rc = cli_value_store(param, value, global ? own : to->params, global ? own : to->locals, error);
	if (rc == 0 && global) {
		json_t *stored = json_object_get(own, param->name);
		to->socket = !strcmp(param->name, "socket") ? value : to->socket;
		to->timeout_s = !strcmp(param->name, "timeout") ? json_real_value(stored) : to->timeout_s;
		to->json = !strcmp(param->name, "json") ? json_is_true(stored) : to->json;
		to->help = !strcmp(param->name, "help") ? json_is_true(stored) : to->help;
		to->version = !strcmp(param->name, "version") ? json_is_true(stored) : to->version;
	} else if (rc == 0) {
		/* Remembered under its name in any case, so that a second one is noticed. */
		if (!json_object_get(to->locals, param->name))
			json_object_set_new(to->locals, param->name, json_true());
	}
	json_decref(own);
	return rc;
}

/* Nearest word that could stand after the words recognised so far. */
static const char *nearest_word(const char *const *words, unsigned count, const char *wrong)
{
	const char *best = NULL;
	unsigned best_distance = (unsigned)strlen(wrong) < 4 ? 2 : 3;
	const struct cli_command *command;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		if (common_words(command, words, count) != count || cli_word_count(command) <= count)
			continue;
		unsigned distance = cli_edit_distance(wrong, command->words[count]);
		if (!strncmp(wrong, command->words[count], strlen(wrong)))
			distance = 1;
		if (distance < best_distance) {
			best = command->words[count];
			best_distance = distance;
		}
	}
	return best;
}

/* The words that may follow, "a, b or c". */
static void list_next_words(const char *const *words, unsigned count, char *to, size_t size)
{
	const struct cli_command *command;
	const char *last = NULL;
	size_t used = 0;
	to[0] = 0;
	for (unsigned i = 0; (command = cli_command_at(i)); i++) {
		if (common_words(command, words, count) != count || cli_word_count(command) <= count)
			continue;
		const char *word = command->words[count];
		if (last && !strcmp(last, word))
			continue;
		last = word;
		int n = snprintf(to + used, size - used, "%s%s", used ? ", " : "", word);
		if (n > 0 && (size_t)n < size - used)
			used += (size_t)n;
	}
}

static int unknown_command(const char *const *words, unsigned count, const char *wrong, const char *known,
			   struct cli_error *error)
{
	char next[512];
	const char *near = wrong ? nearest_word(words, count, wrong) : NULL;
	const char *gap = *known ? " " : "";
	if (near)
		return cli_fail(error, FAIL_EXIT_USAGE, "unknown command \"%s%s%s\"; did you mean \"%s%s%s\"?", known,
				gap, wrong, known, gap, near);
	list_next_words(words, count, next, sizeof(next));
	if (wrong)
		return cli_fail(error, FAIL_EXIT_USAGE, "unknown command \"%s%s%s\"; there are: %s", known, gap, wrong,
				next);
	return cli_fail(error, FAIL_EXIT_USAGE, "\"%s\" needs one more word: %s", known, next);
}

/* Reads the command's words and the global options before and between them. */
static int take_command(int argc, const char *const *argv, int *at, struct cli_invocation *to, struct cli_error *error)
{
	const char *words[CLI_WORD_COUNT_MAX];
	unsigned count = 0;
	while (*at < argc) {
		if (is_option(argv[*at])) {
			/* "stats --watch": the command is complete, the option is its own. */
			if (to->command)
				return 0;
			int rc = take_option(argc, argv, at, to, error);
			if (rc)
				return rc;
			continue;
		}
		if (count == CLI_WORD_COUNT_MAX)
			return 0;
		/* "help volume create" is "volume create --help". */
		if (count == 0 && !to->help && !strcmp(argv[*at], "help")) {
			to->help = true;
			(*at)++;
			continue;
		}
		words[count] = argv[*at];
		unsigned known;
		const struct cli_command *command = cli_command_find(words, count + 1, &known);
		if (known < count + 1)
			return to->command ? 0 : unknown_command(words, count, argv[*at], to->words, error);
		size_t used = strlen(to->words);
		(void)snprintf(to->words + used, sizeof(to->words) - used, "%s%s", used ? " " : "", argv[*at]);
		to->command = command ? command : to->command;
		count++;
		(*at)++;
	}
	if (!to->command && count && !to->help)
		return unknown_command(words, count, NULL, to->words, error);
	return 0;
}

static int check_required(const struct cli_invocation *to, unsigned positional_count, struct cli_error *error)
{
	unsigned index = 0, option_count = 0;
	const struct cli_param *alone = NULL;
	for (const struct cli_param *param = to->command->params; param->name; param++) {
		bool positional = param->flags & CLI_POSITIONAL;
		bool given = positional ? index++ < positional_count : json_object_get(to->locals, param->name) != NULL;
		option_count += given && !positional;
		if (given && param->flags & CLI_ALONE)
			alone = param;
		if (!given && param->flags & CLI_REQUIRED)
			return cli_fail(error, FAIL_EXIT_USAGE, "%s: %s%s is missing; %s", to->words,
					positional ? "" : "--", param->name, param->help);
	}
	if (alone && option_count > 1)
		return cli_fail(error, FAIL_EXIT_USAGE, "--%s: makes no sense beside other options; give it alone",
				alone->name);
	if (to->command->some_option && !option_count)
		return cli_fail(error, FAIL_EXIT_USAGE,
				"%s: give at least one option; \"wherryctl %s --help\" lists them", to->words,
				to->words);
	return 0;
}

static int take_arguments(int argc, const char *const *argv, int at, struct cli_invocation *to, struct cli_error *error)
{
	unsigned positional_count = 0;
	bool options_end = false;
	while (at < argc) {
		if (!options_end && is_option(argv[at])) {
			if (!strcmp(argv[at], "--")) {
				options_end = true;
				at++;
				continue;
			}
			int rc = take_option(argc, argv, &at, to, error);
			if (rc)
				return rc;
			continue;
		}
		const struct cli_param *param = cli_positional_at(to->command, positional_count);
		if (param && param->type == CLI_WORD) {
			bool said = !strcmp(argv[at], param->name);
			positional_count++;
			at += said;
			if (said)
				continue;
			param = cli_positional_at(to->command, positional_count);
		}
		if (!param)
			return cli_fail(error, FAIL_EXIT_USAGE,
					"%s: \"%s\" is one argument too many; \"wherryctl %s --help\" shows the usage",
					to->words, argv[at], to->words);
		int rc = cli_value_store(param, argv[at++], to->params, to->locals, error);
		if (rc)
			return rc;
		positional_count++;
	}
	return to->help || to->version ? 0 : check_required(to, positional_count, error);
}

int cli_parse(int argc, const char *const *argv, struct cli_invocation *to, struct cli_error *error)
{
	*to = (struct cli_invocation){.timeout_s = 60, .params = json_object(), .locals = json_object()};
	*error = (struct cli_error){.code = FAIL_EXIT_OK};
	int at = 1;
	int rc = take_command(argc, argv, &at, to, error);
	if (rc == 0 && to->command)
		rc = take_arguments(argc, argv, at, to, error);
	if (rc == 0 && !to->command && !to->help && !to->version)
		rc = cli_fail(error, FAIL_EXIT_USAGE, "a command is missing; \"wherryctl --help\" lists them");
	return rc;
}

void cli_invocation_fini(struct cli_invocation *invocation)
{
	json_decref(invocation->params);
	json_decref(invocation->locals);
	invocation->params = invocation->locals = NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* config export, diff and apply: YAML text in and out, the daemon does the rest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"

#define CONFIG_BYTES_MAX (16u << 20)

static const char *file_option(const struct cli_run *run)
{
	const char *file = json_string_value(json_object_get(run->invocation->locals, "file"));
	return file ? file : "-";
}

/* Whole file as a malloc'd string; NULL with the error set. */
static char *read_text(struct cli_run *run, const char *file, size_t *length)
{
	bool standard = !strcmp(file, "-");
	if (standard && isatty(STDIN_FILENO)) {
		(void)cli_fail(&run->error, FAIL_EXIT_USAGE,
			       "standard input is a terminal; name the file with -f, or redirect it");
		return NULL;
	}
	FILE *from = standard ? stdin : fopen(file, "re");
	char *text = from ? malloc(CONFIG_BYTES_MAX + 1) : NULL;
	*length = text ? fread(text, 1, CONFIG_BYTES_MAX + 1, from) : 0;
	int err = errno;
	if (!text || ferror(from) || *length > CONFIG_BYTES_MAX) {
		(void)cli_fail(&run->error, FAIL_EXIT_ERROR, "%s: %s", standard ? "standard input" : file,
			       text && !ferror(from) ? "longer than any configuration; is it the right file?"
						     : strerror(err));
		free(text);
		text = NULL;
	}
	if (from && !standard)
		(void)fclose(from);
	return text;
}

/* Call with the file's text under "text".  0 and an owned result, or an exit code. */
static int call_with_text(struct cli_run *run, bool dry_run, json_t **result)
{
	const char *file = file_option(run);
	size_t length;
	*result = NULL;
	char *text = read_text(run, file, &length);
	if (!text)
		return run->error.code;
	json_t *params = json_pack("{s:s%}", "text", text, length);
	free(text);
	if (!params)
		return cli_fail(&run->error, FAIL_EXIT_USAGE, "%s: not UTF-8 text; is it the right file?", file);
	if (dry_run)
		json_object_set_new(params, "dry_run", json_true());
	int rc = cli_call(run, run->command->method, params, result);
	json_decref(params);
	return rc;
}

static void print_changes(FILE *out, const json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);
		const char *op = json_string_value(json_object_get(change, "op"));
		char sign = '~';
		if (op && !strcmp(op, "create"))
			sign = '+';
		else if (op && !strcmp(op, "delete"))
			sign = '-';
		char *kind = cli_value_text(json_object_get(change, "kind"), CLI_AS_TEXT, 0);
		char *name = cli_value_text(json_object_get(change, "name"), CLI_AS_TEXT, 0);
		char *detail = cli_value_text(json_object_get(change, "detail"), CLI_AS_TEXT, 0);
		(void)fprintf(out, "%c %s%s%s%s%s\n", sign, kind, *name ? " " : "", name, *detail ? ": " : "", detail);
		free(kind);
		free(name);
		free(detail);
	}
}

int cli_run_config_export(struct cli_run *run)
{
	const char *file = file_option(run);
	json_t *result;
	int rc = cli_call(run, run->command->method, NULL, &result);
	const char *text = json_string_value(json_object_get(result, "text"));
	if (rc == 0 && !text)
		rc = cli_fail(&run->error, FAIL_EXIT_ERROR,
			      "wherryd's answer holds no text; compare versions with \"wherryctl version\"");
	if (rc == 0 && strcmp(file, "-")) {
		FILE *to = fopen(file, "we");
		bool good = to && fputs(text, to) >= 0;
		good = to && fclose(to) == 0 && good;
		if (!good)
			rc = cli_fail(&run->error, FAIL_EXIT_ERROR, "%s: %s; the file is not complete", file,
				      strerror(errno));
	} else if (rc == 0 && run->invocation->json) {
		cli_print_json(run->out, result);
	} else if (rc == 0) {
		(void)fputs(text, run->out);
	}
	json_decref(result);
	return rc;
}

int cli_run_config_diff(struct cli_run *run)
{
	json_t *result;
	int rc = call_with_text(run, false, &result);
	if (rc == 0 && run->invocation->json)
		cli_print_json(run->out, result);
	else if (rc == 0)
		print_changes(run->out, json_object_get(result, "changes"));
	json_decref(result);
	return rc;
}

int cli_run_config_apply(struct cli_run *run)
{
	json_t *result;
	bool dry_run = json_is_true(json_object_get(run->invocation->locals, "dry-run"));
	int rc = call_with_text(run, dry_run, &result);
	if (rc == 0 && run->invocation->json) {
		cli_print_json(run->out, result);
	} else if (rc == 0) {
		const json_t *changes = json_object_get(result, "changes");
		size_t count = json_array_size(changes);
		print_changes(run->out, changes);
		(void)fprintf(run->out, "%zu %s %s\n", count, count == 1 ? "change" : "changes",
			      dry_run ? "would be made, nothing was touched" : "made");
	}
	json_decref(result);
	return rc;
}

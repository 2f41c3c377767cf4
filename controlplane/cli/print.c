/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, records and JSON on a stream. */
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>

#include "cli/format.h"

static void pad(FILE *out, size_t count)
{
	while (count--)
		(void)fputc(' ', out);
}

void cli_print_cells(FILE *out, char *const *cells, const bool *number, size_t rows, size_t columns)
{
	size_t *widths = calloc(columns, sizeof(*widths));
	if (!widths)
		return;
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < columns; c++) {
			size_t width = cli_text_columns(cells[r * columns + c]);
			widths[c] = width > widths[c] ? width : widths[c];
		}
	for (size_t r = 0; r < rows; r++) {
		for (size_t c = 0; c < columns; c++) {
			const char *cell = cells[r * columns + c];
			size_t space = widths[c] - cli_text_columns(cell);
			if (number[c])
				pad(out, space);
			(void)fputs(cell, out);
			/* No blanks at the end of a line. */
			if (c + 1 < columns)
				pad(out, 2 + (number[c] ? 0 : space));
		}
		(void)fputc('\n', out);
	}
	free(widths);
}

static size_t column_count(const struct cli_column *columns)
{
	size_t n = 0;
	while (columns[n].title)
		n++;
	return n;
}

void cli_print_table(FILE *out, const struct cli_column *columns, const json_t *list, bool header, int64_t now_us)
{
	size_t width = column_count(columns), rows = 0, height = json_array_size(list) + 1;
	char **cells = calloc(height * width, sizeof(*cells));
	bool *number = calloc(width, sizeof(*number));
	if (cells && number) {
		for (size_t c = 0; c < width; c++) {
			number[c] = cli_format_is_number(columns[c].format);
			if (header)
				cells[c] = strdup(columns[c].title);
		}
		rows = header;
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *object = json_array_get(list, i);
			if (!json_is_object(object))
				continue;
			for (size_t c = 0; c < width; c++)
				cells[rows * width + c] = cli_cell(&columns[c], object, now_us);
			rows++;
		}
		cli_print_cells(out, cells, number, rows, width);
	}
	for (size_t i = 0; cells && i < rows * width; i++)
		free(cells[i]);
	free(cells);
	free(number);
}

/* Whether a column shows the key, or something inside it. */
static bool is_shown(const struct cli_column *columns, const char *key)
{
	size_t length = strlen(key);
	for (; columns->title; columns++) {
		const char *path = columns->path;
		if (!strncmp(path, key, length) && (!path[length] || strchr(".|", path[length])))
			return true;
		const char *bar = strchr(path, '|');
		if (bar && !strcmp(bar + 1, key))
			return true;
	}
	return false;
}

static void print_field(FILE *out, const char *title, size_t width, const char *text)
{
	(void)fprintf(out, "%s:", title);
	pad(out, width - cli_text_columns(title) + 1);
	(void)fprintf(out, "%s\n", text);
}

void cli_print_record(FILE *out, const struct cli_column *columns, const json_t *object, int64_t now_us)
{
	size_t width = 0;
	for (const struct cli_column *column = columns; column->title; column++)
		width = strlen(column->title) > width ? strlen(column->title) : width;
	for (const struct cli_column *column = columns; column->title; column++) {
		char *text = cli_cell(column, object, now_us);
		print_field(out, column->title, width, text);
		free(text);
	}
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (is_shown(columns, key) || json_is_null(value))
			continue;
		char *title = cli_key_text(key), *text = cli_value_text(value, CLI_AS_TEXT, now_us);
		print_field(out, title, cli_text_columns(title) > width ? cli_text_columns(title) : width, text);
		free(title);
		free(text);
	}
}

void cli_print_template(FILE *out, const char *template, const json_t *result, const json_t *params)
{
	for (const char *at = template; *at; at++) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		if (!end) {
			(void)fputc(*at, out);
			continue;
		}
		char path[64];
		(void)snprintf(path, sizeof(path), "%.*s", (int)(end - at - 1), at + 1);
		char *format = strchr(path, ':');
		if (format)
			*format = 0;
		const json_t *value = cli_json_at(result, path);
		if (!value)
			value = cli_json_at(params, path);
		char *text = cli_value_text(value, format ? CLI_AS_SIZE : CLI_AS_NONE, 0);
		(void)fputs(text, out);
		free(text);
		at = end;
	}
	(void)fputc('\n', out);
}

void cli_print_json(FILE *out, const json_t *value)
{
	(void)json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	(void)fputc('\n', out);
}

void cli_print_json_line(FILE *out, const json_t *value)
{
	(void)json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY);
	(void)fputc('\n', out);
}

static const char *kind_of(const struct cli_error *error)
{
	if (error->kind[0])
		return error->kind;
	switch (error->code) {
	case FAIL_EXIT_USAGE:
		return "usage";
	case FAIL_EXIT_NO_DAEMON:
		return "no_daemon";
	case FAIL_EXIT_NOT_FOUND:
		return "not_found";
	case FAIL_EXIT_CONFLICT:
		return "conflict";
	default:
		break;
	}
	return "failed";
}

void cli_print_error(FILE *err, const struct cli_error *error, bool json)
{
	if (!json) {
		(void)fputs("wherryctl: ", err);
		cli_write_safe(err, error->text, strlen(error->text));
		(void)fputc('\n', err);
		return;
	}
	/* The text may have been cut inside a character. */
	json_t *message = json_string(error->text);
	json_t *object = json_pack("{s:{s:i, s:s, s:o}}", "error", "exit", error->code, "kind", kind_of(error),
				   "message", message ? message : json_string("(not UTF-8)"));
	cli_print_json_line(err, object);
	json_decref(object);
}

static void print_values(FILE *out, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++) {
		char *text = cli_value_text(json_array_get(value, i), CLI_AS_TEXT, 0);
		(void)fprintf(out, "%s\n", text);
		free(text);
	}
}

void cli_print_result(FILE *out, const struct cli_command *command, const json_t *result, const json_t *params,
		      int64_t now_us)
{
	switch ((enum cli_output)command->output) {
	case CLI_OUT_DONE:
		cli_print_template(out, command->done ? command->done : "done", result, params);
		break;
	case CLI_OUT_LIST:
		cli_print_table(out, command->columns, result, true, now_us);
		break;
	case CLI_OUT_RECORD:
		cli_print_record(out, command->columns, result, now_us);
		break;
	case CLI_OUT_VALUES:
		print_values(out, json_object_get(result, command->value_key));
		break;
	case CLI_OUT_TEXT: {
		char *text = cli_value_text(json_object_get(result, command->value_key), CLI_AS_TEXT, now_us);
		(void)fprintf(out, "%s\n", text);
		free(text);
		break;
	}
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of a reply, written for people. */
#include "cli/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/text.h"

char *cli_count_text(uint64_t count, char *to, size_t size)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t used = 0;
	for (int i = 0; i < n && used + 2 < size; i++) {
		if (i && (n - i) % 3 == 0)
			to[used++] = ',';
		to[used++] = digits[i];
	}
	to[used] = 0;
	return to;
}

char *cli_duration_text(int64_t seconds, char *to, size_t size)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		(void)snprintf(to, size, "%" PRId64 "s", seconds);
	else if (seconds < 3600)
		(void)snprintf(to, size, "%" PRId64 "m %" PRId64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(to, size, "%" PRId64 "h %" PRId64 "m", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(to, size, "%" PRId64 "d %" PRId64 "h", seconds / 86400, seconds / 3600 % 24);
	return to;
}

char *cli_latency_text(uint64_t ns, char *to, size_t size)
{
	if (ns < 1000)
		(void)snprintf(to, size, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		(void)snprintf(to, size, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		(void)snprintf(to, size, "%.2f ms", (double)ns / 1e6);
	else
		(void)snprintf(to, size, "%.2f s", (double)ns / 1e9);
	return to;
}

char *cli_time_text(int64_t time_us, char *to, size_t size)
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm parts;
	if (time_us <= 0 || !localtime_r(&seconds, &parts) || !strftime(to, size, "%Y-%m-%d %H:%M:%S%z", &parts))
		(void)snprintf(to, size, "-");
	return to;
}

uint64_t cli_json_u64(const json_t *value)
{
	if (json_is_integer(value))
		return json_integer_value(value) < 0 ? 0 : (uint64_t)json_integer_value(value);
	double real = json_is_real(value) ? json_real_value(value) : 0;
	if (!(real >= 0))
		return 0;
	return real >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)real;
}

void cli_write_safe(FILE *to, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		/* C1 controls are C2 80 .. C2 9F in UTF-8. */
		bool c1 = c == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0;
		if (c < 0x20 || c == 0x7f) {
			(void)fprintf(to, "\\x%02x", c);
		} else if (c1) {
			(void)fprintf(to, "\\x%02x", (unsigned char)text[++i]);
		} else {
			(void)fputc(c, to);
		}
	}
}

char *cli_key_text(const char *key)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	if (!to)
		return strdup("");
	cli_write_safe(to, key, strlen(key));
	(void)fclose(to);
	return text;
}

size_t cli_text_columns(const char *text)
{
	size_t columns = 0;
	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

json_t *cli_json_at(const json_t *object, const char *path)
{
	const json_t *at = object;
	while (at && *path) {
		size_t length = strcspn(path, ".");
		char key[64];
		if (length >= sizeof(key))
			return NULL;
		memcpy(key, path, length);
		key[length] = 0;
		at = json_object_get(at, key);
		path += length + (path[length] == '.');
	}
	return (json_t *)(uintptr_t)at;
}

static void write_scalar(FILE *to, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		cli_write_safe(to, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		(void)fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		(void)fprintf(to, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		(void)fputs(json_is_true(value) ? "yes" : "no", to);
		break;
	case JSON_NULL:
		break;
	case JSON_OBJECT:
	case JSON_ARRAY: {
		char *dump = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)fputs(dump ? dump : "", to);
		free(dump);
		break;
	}
	}
}

static void write_list(FILE *to, const json_t *list, const char *when_empty)
{
	if (json_array_size(list) == 0)
		(void)fputs(when_empty, to);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (i)
			(void)fputc(',', to);
		write_scalar(to, json_array_get(list, i));
	}
}

static void write_busy(FILE *to, const json_t *object)
{
	double busy = (double)cli_json_u64(cli_json_at(object, "busy_cycles"));
	double idle = (double)cli_json_u64(cli_json_at(object, "idle_cycles"));
	if (busy + idle > 0)
		(void)fprintf(to, "%.1f%%", 100 * busy / (busy + idle));
}

static void write_value(FILE *to, const json_t *value, unsigned format, int64_t now_us)
{
	char text[64];
	bool yes = json_is_true(value);
	bool number = json_is_number(value), boolean = json_is_boolean(value);
	if (format == CLI_AS_BUSY && json_is_object(value))
		write_busy(to, value);
	else if (format == CLI_AS_SIZE && number)
		(void)fputs(text_size_emit_short(cli_json_u64(value), text), to);
	else if (format == CLI_AS_COUNT && number)
		(void)fputs(cli_count_text(cli_json_u64(value), text, sizeof(text)), to);
	else if (format == CLI_AS_ACCESS && boolean)
		(void)fputs(yes ? "ro" : "rw", to);
	else if (format == CLI_AS_UP_DOWN && boolean)
		(void)fputs(yes ? "up" : "down", to);
	else if (format == CLI_AS_TIME_US && number)
		(void)fputs(cli_time_text(json_integer_value(value), text, sizeof(text)), to);
	else if (format == CLI_AS_AGO_US && json_is_integer(value) && json_integer_value(value) > 0)
		(void)fprintf(to, "%s ago",
			      cli_duration_text((now_us - json_integer_value(value)) / 1000000, text, sizeof(text)));
	else if (format == CLI_AS_DURATION && number)
		(void)fputs(cli_duration_text((int64_t)(cli_json_u64(value) & INT64_MAX), text, sizeof(text)), to);
	else if (format == CLI_AS_AGE_US && number)
		(void)fputs(
			cli_duration_text((int64_t)((cli_json_u64(value) & INT64_MAX) / 1000000), text, sizeof(text)),
			to);
	else if (format == CLI_AS_US && number)
		(void)fputs(cli_latency_text(cli_json_u64(value) > UINT64_MAX / 1000 ? UINT64_MAX
										     : cli_json_u64(value) * 1000,
					     text, sizeof(text)),
			    to);
	else if (format == CLI_AS_MBPS && number && cli_json_u64(value) >= 1000)
		(void)fprintf(to, "%g Gbit/s", (double)cli_json_u64(value) / 1000);
	else if (format == CLI_AS_MBPS && number && cli_json_u64(value))
		(void)fprintf(to, "%" PRIu64 " Mbit/s", cli_json_u64(value));
	else if (format == CLI_AS_MBPS && number)
		(void)fputs("", to); /* the driver does not say */
	else if (json_is_array(value))
		write_list(to, value, format == CLI_AS_ALL ? "all" : format == CLI_AS_NONE ? "none" : "");
	else if (value)
		write_scalar(to, value);
}

char *cli_value_text(const json_t *value, unsigned format, int64_t now_us)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	if (!to)
		return strdup("");
	write_value(to, value, format, now_us);
	(void)fclose(to);
	return text;
}

char *cli_cell(const struct cli_column *column, const json_t *object, int64_t now_us)
{
	const char *bar = strchr(column->path, '|');
	char *text = NULL;
	if (bar) {
		char left[64];
		(void)snprintf(left, sizeof(left), "%.*s", (int)(bar - column->path), column->path);
		char *a = cli_value_text(cli_json_at(object, left), CLI_AS_TEXT, now_us);
		char *b = cli_value_text(cli_json_at(object, bar + 1), CLI_AS_TEXT, now_us);
		if (*a && *b && asprintf(&text, "%s.%s", a, b) < 0)
			text = NULL;
		free(a);
		free(b);
	} else {
		text = cli_value_text(cli_json_at(object, column->path), column->format, now_us);
	}
	if (text && *text)
		return text;
	free(text);
	return strdup("-");
}

bool cli_format_is_number(unsigned format)
{
	return format == CLI_AS_SIZE || format == CLI_AS_COUNT || format == CLI_AS_MBPS || format == CLI_AS_BUSY ||
	       format == CLI_AS_US;
}

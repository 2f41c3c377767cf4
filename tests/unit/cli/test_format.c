/* SPDX-License-Identifier: BSD-3-Clause */
/* Values, tables, records and errors as people and programs see them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/print.h"
#include "common/fail.h"

#define NOW_US 1700000100000000

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	cr_assert(value, "%s", text);
	return value;
}

static void use_utc(void)
{
	setenv("TZ", "UTC", 1);
}

static const struct {
	const char *json;
	unsigned format;
	const char *text;
} values[] = {
	{"\"x\"", CLI_AS_TEXT, "x"},
	{"12345678901", CLI_AS_TEXT, "12345678901"},
	{"1.5", CLI_AS_TEXT, "1.5"},
	{"true", CLI_AS_TEXT, "yes"},
	{"null", CLI_AS_TEXT, ""},
	{"[1, \"a\"]", CLI_AS_TEXT, "1,a"},
	{"[]", CLI_AS_ALL, "all"},
	{"[]", CLI_AS_NONE, "none"},
	{"[]", CLI_AS_TEXT, ""},
	{"{\"a\": 1}", CLI_AS_TEXT, "{\"a\":1}"},
	{"10737418240", CLI_AS_SIZE, "10GiB"},
	{"\"10G\"", CLI_AS_SIZE, "10G"},
	{"-1", CLI_AS_SIZE, "0B"},
	{"0", CLI_AS_COUNT, "0"},
	{"999", CLI_AS_COUNT, "999"},
	{"1000", CLI_AS_COUNT, "1,000"},
	{"1234567", CLI_AS_COUNT, "1,234,567"},
	{"9223372036854775807", CLI_AS_COUNT, "9,223,372,036,854,775,807"},
	{"true", CLI_AS_ACCESS, "ro"},
	{"false", CLI_AS_ACCESS, "rw"},
	{"3", CLI_AS_ACCESS, "3"},
	{"false", CLI_AS_UP_DOWN, "down"},
	{"1700000000000000", CLI_AS_TIME_US, "2023-11-14 22:13:20+0000"},
	{"0", CLI_AS_TIME_US, "-"},
	{"9223372036854775807", CLI_AS_TIME_US, "-"},
	{"1700000000000000", CLI_AS_AGO_US, "1m 40s ago"},
	{"1800000000000000", CLI_AS_AGO_US, "0s ago"},
	{"59", CLI_AS_DURATION, "59s"},
	{"3600", CLI_AS_DURATION, "1h 0m"},
	{"273600", CLI_AS_DURATION, "3d 4h"},
	{"100", CLI_AS_MBPS, "100 Mbit/s"},
	{"25000", CLI_AS_MBPS, "25 Gbit/s"},
	{"2500", CLI_AS_MBPS, "2.5 Gbit/s"},
	{"0", CLI_AS_MBPS, ""},
	{"{\"busy_cycles\": 1, \"idle_cycles\": 3}", CLI_AS_BUSY, "25.0%"},
	{"{\"busy_cycles\": 0, \"idle_cycles\": 0}", CLI_AS_BUSY, ""},
	{"\"x\"", CLI_AS_BUSY, "x"},
};

Test(cli_format, values_are_written_for_people)
{
	use_utc();
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *value = load(values[i].json);
		char *text = cli_value_text(value, values[i].format, NOW_US);
		/* A time beyond the calendar of the C library may have more digits; it must be short text. */
		if (strcmp(values[i].json, "9223372036854775807") || values[i].format != CLI_AS_TIME_US)
			cr_expect_str_eq(text, values[i].text, "%s as %u: %s", values[i].json, values[i].format, text);
		else
			cr_expect(strlen(text) < 64);
		free(text);
		json_decref(value);
	}
}

Test(cli_format, any_value_in_any_format_is_survived)
{
	static const char *const texts[] = {"null",
					    "true",
					    "-5",
					    "1e300",
					    "-1e300",
					    "\"\"",
					    "[]",
					    "[[[]]]",
					    "{}",
					    "{\"busy_cycles\": \"x\"}",
					    "-9223372036854775808"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (unsigned format = 0; format < CLI_FORMAT_COUNT; format++) {
			json_t *value = load(texts[i]);
			char *text = cli_value_text(value, format, NOW_US);
			cr_expect(text != NULL);
			free(text);
			json_decref(value);
		}
	}
}

Test(cli_format, what_a_terminal_would_obey_is_escaped)
{
	json_t *value = json_string("a\033[2Jb\nc\x7f\xc2\x9b"
				    "d\xc3\xa9");
	char *text = cli_value_text(value, CLI_AS_TEXT, 0);
	cr_expect_str_eq(text, "a\\x1b[2Jb\\x0ac\\x7f\\x9bd\xc3\xa9", "%s", text);
	free(text);
	json_decref(value);
}

Test(cli_format, latencies_choose_their_unit)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {{0, "0 ns"}, {999, "999 ns"}, {1500, "1.5 us"}, {2500000, "2.50 ms"}, {3000000000, "3.00 s"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];
		cr_expect_str_eq(cli_latency_text(cases[i].ns, text, sizeof(text)), cases[i].text);
	}
}

Test(cli_format, a_count_never_overruns_its_buffer)
{
	for (size_t size = 1; size < 28; size++) {
		char *text = malloc(size);
		cr_expect(strlen(cli_count_text(UINT64_MAX, text, size)) < size, "%zu", size);
		free(text);
	}
}

/* What a printer wrote; malloc'd. */
#define CAPTURED(text, out, ...)                                                                                       \
	char *text = NULL;                                                                                             \
	size_t text##_length = 0;                                                                                      \
	FILE *out = open_memstream(&text, &text##_length);                                                             \
	__VA_ARGS__;                                                                                                   \
	(void)fclose(out)

static const struct cli_column columns[] = {
	{"NAME", "name", CLI_AS_TEXT},
	{"SIZE", "size", CLI_AS_SIZE},
	{"AT", "shelf|slot", CLI_AS_TEXT},
	{"MASK", "remote.mask", CLI_AS_YES_NO},
	{NULL, NULL, 0},
};

Test(cli_format, tables_are_aligned_and_leave_out_what_is_no_object)
{
	json_t *list =
		load("[{\"name\": \"a\", \"size\": 1024, \"shelf\": 1, \"slot\": 2, \"remote\": {\"mask\": true}},"
		     " 7, {\"name\": \"h\\u00e9\", \"size\": 10485760}, {}]");
	CAPTURED(text, out, cli_print_table(out, columns, list, true, 0));
	cr_expect_str_eq(text,
			 "NAME   SIZE  AT   MASK\n"
			 "a      1KiB  1.2  yes\n"
			 "h\xc3\xa9    10MiB  -    -\n"
			 "-         -  -    -\n",
			 "%s", text);
	free(text);
	json_decref(list);
}

Test(cli_format, a_table_of_something_else_is_its_header)
{
	json_t *value = load("{\"name\": \"a\"}");
	CAPTURED(text, out, cli_print_table(out, columns, value, true, 0));
	cr_expect_str_eq(text, "NAME  SIZE  AT  MASK\n");
	free(text);
	json_decref(value);
}

Test(cli_format, records_show_unknown_keys_under_their_own_names)
{
	json_t *object =
		load("{\"name\": \"a\", \"size\": 1, \"shelf\": 1, \"slot\": 2, \"remote\": {\"mask\": false}, "
		     "\"later\": [1, 2], \"nothing\": null}");
	CAPTURED(text, out, cli_print_record(out, columns, object, 0));
	cr_expect_str_eq(text, "NAME: a\nSIZE: 1B\nAT:   1.2\nMASK: no\nlater: 1,2\n", "%s", text);
	free(text);
	json_decref(object);
}

Test(cli_format, templates_take_from_the_result_then_from_the_parameters)
{
	json_t *result = load("{\"size\": 2048, \"mask\": []}"), *params = load("{\"name\": \"a\", \"size\": 1}");
	CAPTURED(text, out,
		 cli_print_template(out, "volume {name}: {size:size}, {mask}, {what}, {open", result, params));
	cr_expect_str_eq(text, "volume a: 2KiB, none, , {open\n", "%s", text);
	free(text);
	json_decref(result);
	json_decref(params);
}

Test(cli_format, errors_are_a_sentence_or_an_object)
{
	struct cli_error error;
	(void)cli_fail(&error, FAIL_EXIT_NOT_FOUND, "volume %s: \033 gone", "a");
	CAPTURED(sentence, out, cli_print_error(out, &error, false));
	cr_expect_str_eq(sentence, "wherryctl: volume a: \\x1b gone\n");
	CAPTURED(object, to, cli_print_error(to, &error, true));
	cr_expect_str_eq(object,
			 "{\"error\":{\"exit\":4,\"kind\":\"not_found\",\"message\":\"volume a: \\u001B gone\"}}\n");
	memset(error.text, 'x', sizeof(error.text));
	memcpy(error.text + sizeof(error.text) - 3, "\xe2\x82", 3); /* cut inside a character */
	CAPTURED(cut, end, cli_print_error(end, &error, true));
	cr_expect(strstr(cut, "not UTF-8"));
	free(sentence);
	free(object);
	free(cut);
}

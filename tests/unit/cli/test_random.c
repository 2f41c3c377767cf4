/* SPDX-License-Identifier: BSD-3-Clause */
/* Replies grown at random from the keys that wherryctl reads: everything that shows or judges them survives. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/print.h"
#include "cli/rpc.h"
#include "cli/stats_view.h"
#include "cli/table_json.h"

#define ROUND_COUNT 3000
#define DEPTH_MAX 5

static uint64_t state;

/* A 64-bit xorshift: the same rounds in every run. */
static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return next() % limit;
}

/* Every key that a column, a check or an action reads. */
static json_t *keys;

static void collect_keys(void)
{
	static const char *const more[] = {"time_us",  "objects",     "object",   "values", "histograms", "read",
					   "write",    "other",       "buckets",  "code",   "message",    "data",
					   "kind",     "result",      "error",    "id",     "state",      "pid",
					   "restarts", "online",      "detail",   "device", "numa_node",  "cpus",
					   "main",     "lcore_id",    "volume",   "shelf",  "slot",       "busy_cycles",
					   "turns",    "idle_cycles", "read_ops", "\x1b[2J"};
	json_t *table = cli_table_json();
	keys = json_array();
	for (size_t i = 0; i < json_array_size(table); i++)
		json_array_extend(keys, json_object_get(json_array_get(table, i), "columns"));
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		json_array_append_new(keys, json_string(more[i]));
	json_decref(table);
}

static json_t *grow(unsigned depth);

static json_t *grow_object(unsigned depth)
{
	json_t *object = json_object();
	for (uint64_t n = below(12); n; n--)
		json_object_set_new(object, json_string_value(json_array_get(keys, below(json_array_size(keys)))),
				    grow(depth + 1));
	return object;
}

static json_t *grow_array(unsigned depth)
{
	json_t *array = json_array();
	for (uint64_t n = below(6); n; n--)
		json_array_append_new(array, grow(depth + 1));
	return array;
}

static json_t *grow_text(void)
{
	static const char *const texts[] = {"",     "a",        "serving", "pci:0000:01:00.0", "af_xdp:eth0",
					    "file", "1.0",      "removed", "\n\x1b[31m",       "unlimited",
					    "0-3",  "p\xc3\xa9"};
	if (below(20))
		return json_string(texts[below(sizeof(texts) / sizeof(texts[0]))]);
	char longer[3000];
	size_t length = (size_t)below(sizeof(longer));
	memset(longer, 'y', length);
	return json_stringn(longer, length);
}

static json_t *grow(unsigned depth)
{
	switch (below(depth < DEPTH_MAX ? 9 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(below(2));
	case 2:
		return json_integer((json_int_t)next() >> below(64));
	case 3:
		return json_integer((json_int_t)below(5));
	case 4:
		return json_real((double)(int64_t)next() * 1e280);
	case 5:
		return grow_text();
	case 6:
		return grow_array(depth);
	default:
		return grow_object(depth);
	}
}

static void show_everything(FILE *out, const json_t *a, const json_t *b)
{
	const struct cli_command *command;
	for (unsigned i = 0; (command = cli_command_at(i)); i++)
		if (command->action == CLI_RUN_CALL)
			cli_print_result(out, command, a, b, 1);
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		const struct wherry_stat_scope_desc *scope = wherry_stat_scope_desc(i);
		stats_print_totals(out, scope, a, below(2), true);
		stats_print_rates(out, scope, a, b, below(2));
		json_decref(stats_rates_json(scope, a, b));
	}
}

static void judge(FILE *out, const json_t *a, const json_t *b)
{
	struct doctor doctor = {
		.root = "/nonexistent",
		.status = a,
		.ports = b,
		.lcores = a,
		.volumes = b,
		.exports = a,
		.no_daemon = "",
		.ssh_connection = "192.0.2.1 1 2 3",
		.state_dir = "/nonexistent",
		.findings = json_array(),
	};
	doctor_run(&doctor);
	doctor_print(out, &doctor);
	cr_expect(json_array_size(doctor.findings) > 0);
	json_decref(doctor.findings);
}

Test(cli_random, grown_replies_are_shown_and_judged, .timeout = 120)
{
	collect_keys();
	for (uint64_t round = 1; round <= ROUND_COUNT; round++) {
		char *text = NULL;
		size_t length = 0;
		state = round * 0x9e3779b97f4a7c15ull;
		FILE *out = open_memstream(&text, &length);
		json_t *a = below(2) ? grow_object(0) : grow_array(0), *b = below(2) ? grow_object(0) : grow_array(0);
		show_everything(out, a, b);
		judge(out, a, b);
		(void)fclose(out);
		for (size_t i = 0; i < length; i++)
			cr_expect((unsigned char)text[i] >= ' ' || text[i] == '\n', "round %llu: control character %d",
				  (unsigned long long)round, text[i]);
		free(text);
		json_decref(a);
		json_decref(b);
	}
	json_decref(keys);
}

Test(cli_random, damaged_reply_lines_are_refused_or_understood, .timeout = 120)
{
	static const char good[] =
		"{\"jsonrpc\": \"2.0\", \"id\": 7, \"error\": {\"code\": -32001, \"message\": \"no\", "
		"\"data\": {\"kind\": \"not_found\"}}, \"result\": [1]}";
	state = 4711;
	for (unsigned round = 0; round < 20000; round++) {
		struct cli_error error = {.code = 0, .text = ""};
		size_t length = (size_t)below(sizeof(good));
		char *line = malloc(length ? length : 1); /* exact size: a read past the end is seen */
		memcpy(line, good, length);
		for (uint64_t n = below(4); n && length; n--)
			line[below(length)] = (char)next();
		bool skip;
		json_t *result = rpc_reply_parse(line, length, 7, "m", &skip, &error);
		cr_expect(result || skip || (error.code && error.text[0]), "round %u", round);
		json_decref(result);
		free(line);
	}
}

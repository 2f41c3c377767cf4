/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever shape a daemon's result has, every command prints something or refuses, and ends. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run.h"
#include "fake.h"

#define WORD_COUNT_MAX 32

static const char *const answers[] = {
	FAKE_RESULT("null"),
	FAKE_RESULT("true"),
	FAKE_RESULT("-1"),
	FAKE_RESULT("1e300"),
	FAKE_RESULT("\"text\""),
	FAKE_RESULT("[]"),
	FAKE_RESULT("{}"),
	FAKE_RESULT("[null, 1, \"x\", [], {}, [[{}]]]"),
	FAKE_RESULT(
		"[{\"name\": 1, \"exports\": \"x\", \"size_bytes\": -5, \"shelf\": [], \"mask\": 3, \"id\": \"x\"}]"),
	FAKE_RESULT("{\"name\": {}, \"mask\": [[], {}, null], \"reserve\": {}, \"config_string\": [1], \"text\": 5, "
		    "\"changes\": [1, null, {\"op\": 5}], \"capture\": \"x\", \"remote\": 7, \"dataplane\": []}"),
	FAKE_RESULT("{\"time_us\": -1, \"objects\": [1, {}, {\"object\": 5}, {\"object\": \"a\", \"values\": 5, "
		    "\"histograms\": "
		    "{\"read\": {\"buckets\": [1, [], [1], [-1, -1], [1e30, 9223372036854775807], [\"x\", {}]]}}}, "
		    "{\"object\": \"a\", \"values\": {\"read_ops\": \"x\", \"turns\": -4, \"new\\u0007\": 1e40}}]}"),
};

/* Run a command line; how many bytes it printed. */
static size_t run_line(const char *words, const char *socket, bool json)
{
	char line[256];
	const char *argv[WORD_COUNT_MAX] = {"wherryctl", "--socket", socket, "--timeout", "2"};
	int argc = 5;
	if (json)
		argv[argc++] = "--json";
	(void)snprintf(line, sizeof(line), "%s", words);
	char *rest = line;
	for (char *word = strsep(&rest, " "); word && argc < WORD_COUNT_MAX; word = strsep(&rest, " "))
		argv[argc++] = word;
	struct cli_invocation invocation;
	char *text = NULL;
	size_t length = 0;
	struct cli_run run = {.invocation = &invocation, .rpc = {.fd = -1}, .out = open_memstream(&text, &length)};
	run.err = run.out;
	int rc = cli_parse(argc, argv, &invocation, &run.error);
	cr_expect_eq(rc, 0, "%s: %s", words, run.error.text);
	run.command = invocation.command;
	if (rc == 0)
		rc = cli_run(&run);
	(void)fclose(run.out);
	cr_expect(rc >= 0 && rc <= 5, "%s: %d", words, rc);
	cr_expect(rc == 0 || run.error.text[0] || invocation.command->action == CLI_RUN_DOCTOR,
		  "%s: refused without a word", words);
	free(text);
	rpc_close(&run.rpc);
	cli_invocation_fini(&invocation);
	return length;
}

static const char *const lines[] = {
	"volume create a --backend ram --size 1M",
	"volume grow a 1G",
	"volume list",
	"volume show a",
	"export list",
	"export aoe create 1.0 a",
	"export aoe show 1.0",
	"export aoe list",
	"mask add 1.0 52:54:00:00:00:01",
	"mask list 1.0",
	"reserve show 1.0",
	"config-string show 1.0",
	"port list",
	"port show a",
	"lcore list",
	"client list",
	"stats",
	"stats --all --histogram",
	"stats client --watch 0.05 --count 1",
	"stats export 1.0 --watch=0.05 --count 2",
	"stats --watch=0.05 --count 1 --all",
	"config export",
	"events",
	"events --since 5",
	"events --since 1h",
	"daemon status",
	"daemon shutdown",
	"rpc call x",
	"rpc methods",
	"rpc methods volume.list",
	"version",
	"doctor",
};

Test(cli_hostile, every_command_survives_every_result, .timeout = 120)
{
	for (size_t a = 0; a < sizeof(answers) / sizeof(answers[0]); a++) {
		struct fake fake;
		fake_start_one(&fake, answers[a]);
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			(void)run_line(lines[i], fake.path, false);
			(void)run_line(lines[i], fake.path, true);
		}
		fake_stop(&fake);
	}
}

Test(cli_hostile, an_event_list_without_end_is_left)
{
	/* A hundred events a page, always with larger ids, would go on forever. */
	char *answer = malloc(32768);
	size_t used = (size_t)snprintf(answer, 64, "{\"id\":ID,\"result\":[");
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(answer + used, 64, "%s{\"id\":%d}", i ? "," : "", 1000000 + i);
	(void)snprintf(answer + used, 64, "]}\n");
	struct fake fake;
	fake_start_one(&fake, answer);
	size_t length = run_line("events --since 0", fake.path, true);
	cr_expect(length > 1000 && length < 20000, "two pages at most: %zu bytes", length);
	fake_stop(&fake);
	free(answer);
}

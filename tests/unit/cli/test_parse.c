/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines: what they become, and what is said of wrong ones. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parse.h"
#include "cli/value.h"
#include "common/fail.h"

#define WORD_COUNT_MAX 40

struct parsed {
	struct cli_invocation invocation;
	struct cli_error error;
	int rc;
	char *line; /* the words point into it */
};

/* Parse a line of words separated by blanks. */
static struct parsed parse(const char *line)
{
	struct parsed p = {.line = strdup(line)};
	const char *argv[WORD_COUNT_MAX] = {"wherryctl"};
	int argc = 1;
	char *rest = p.line;
	for (char *word = strsep(&rest, " "); word && argc < WORD_COUNT_MAX; word = strsep(&rest, " "))
		if (*word)
			argv[argc++] = word;
	p.rc = cli_parse(argc, argv, &p.invocation, &p.error);
	return p;
}

static void release(struct parsed *p)
{
	cli_invocation_fini(&p->invocation);
	free(p->line);
}

static const struct {
	const char *line, *method, *params;
} good[] = {
	{"volume create a --backend ram --size 1G", "volume.create",
	 "{\"name\": \"a\", \"backend\": \"ram\", \"size_bytes\": 1073741824}"},
	{"volume create --size=1.5KiB --backend=ram a --block-size 4096 --size=8K", NULL, NULL},
	{"volume create a --backend file --path /x --size 8K --block-size 4096 --read-only", "volume.create",
	 "{\"name\": \"a\", \"backend\": \"file\", \"path\": \"/x\", \"size_bytes\": 8192, \"block_bytes\": 4096, "
	 "\"read_only\": true}"},
	{"volume set a --read-only no --online yes", "volume.set",
	 "{\"name\": \"a\", \"read_only\": false, \"online\": true}"},
	{"volume fault a --off", "volume.fault", "{\"name\": \"a\"}"},
	{"volume fault a --seed 0x10", "volume.fault", "{\"name\": \"a\", \"seed\": 16}"},
	{"export aoe create 1.0 a", "aoe.export.create", "{\"shelf\": 1, \"slot\": 0, \"volume\": \"a\"}"},
	{"export aoe create e65534.254 a --ports all --vlans none --remote-mask no", "aoe.export.create",
	 "{\"shelf\": 65534, \"slot\": 254, \"volume\": \"a\", \"ports\": [], \"vlans\": [], \"remote\": {\"mask\": "
	 "false}}"},
	{"export aoe set 1.2 --ports p,q --vlans 0,4094 --remote-config yes --remote-force-reserve no",
	 "aoe.export.set",
	 "{\"shelf\": 1, \"slot\": 2, \"ports\": [\"p\", \"q\"], \"vlans\": [0, 4094], "
	 "\"remote\": {\"config\": true, \"force_reserve\": false}}"},
	{"export nbd create db disk --read-only --default --description x --allow 10.0.0.0/8,::1", "nbd.export.create",
	 "{\"name\": \"db\", \"volume\": \"disk\", \"read_only\": true, \"default\": true, \"description\": \"x\", "
	 "\"allow\": [\"10.0.0.0/8\", \"::1\"]}"},
	{"export nbd set db --allow all --default no", "nbd.export.set",
	 "{\"name\": \"db\", \"allow\": [], \"default\": false}"},
	{"address add p0 10.0.0.1/24 --vlan 20", "net.address.add",
	 "{\"port\": \"p0\", \"address\": \"10.0.0.1/24\", \"vlan\": 20}"},
	{"address delete p0 2001:db8::1", "net.address.delete", "{\"port\": \"p0\", \"address\": \"2001:db8::1\"}"},
	{"route add 10.1.0.0/16 via 10.0.0.2", "net.route.add",
	 "{\"prefix\": \"10.1.0.0/16\", \"gateway\": \"10.0.0.2\"}"},
	{"route add default 10.0.0.2", "net.route.add", "{\"prefix\": \"default\", \"gateway\": \"10.0.0.2\"}"},
	{"route add default via --json 10.0.0.2", "net.route.add",
	 "{\"prefix\": \"default\", \"gateway\": \"10.0.0.2\"}"},
	{"route delete default", "net.route.delete", "{\"prefix\": \"default\"}"},
	{"nbd set --port 0", "nbd.set", "{\"port\": 0}"},
	{"tcp set --congestion dctcp --ecn no", "tcp.set", "{\"congestion\": \"dctcp\", \"ecn\": false}"},
	{"mask add 1.0 52:54:00:AB:cd:ef 52-54-00-00-00-01", "aoe.mask.add",
	 "{\"shelf\": 1, \"slot\": 0, \"macs\": [\"52:54:00:ab:cd:ef\", \"52:54:00:00:00:01\"]}"},
	{"config-string set 1.0 -- --odd", "aoe.config_string.set",
	 "{\"shelf\": 1, \"slot\": 0, \"value\": \"--odd\"}"},
	{"port add p pci:0000:01:00.0 --mtu 9000", "port.add",
	 "{\"name\": \"p\", \"device\": \"pci:0000:01:00.0\", \"mtu\": 9000}"},
	{"capture --client 52:54:00:00:00:01 --snap 64 -w -", "capture.start",
	 "{\"mac\": \"52:54:00:00:00:01\", \"snap_bytes\": 64}"},
	{"lcore set auto", "lcore.set", "{\"lcores\": \"\"}"},
	{"lcore set 0@(0-1),1@(0-1)", "lcore.set", "{\"lcores\": \"0@(0-1),1@(0-1)\"}"},
	{"lcore set 2-5,8 --main 8", "lcore.set", "{\"lcores\": \"2-5,8\", \"main\": 8}"},
	{"daemon shutdown", "daemon.shutdown", "{}"},
	{"--json volume list", "volume.list", "{}"},
	{"volume --json list", "volume.list", "{}"},
	{"volume list --timeout 0.5 -s /x", "volume.list", "{}"},
};

Test(cli_parse, command_lines_become_the_parameters_of_their_method)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct parsed p = parse(good[i].line);
		if (!good[i].method) {
			cr_expect_eq(p.rc, FAIL_EXIT_USAGE, "%s", good[i].line);
			release(&p);
			continue;
		}
		json_t *expected = json_loads(good[i].params, 0, NULL);
		cr_expect_eq(p.rc, FAIL_EXIT_OK, "%s: %s", good[i].line, p.error.text);
		cr_expect(p.invocation.command && !strcmp(p.invocation.command->method, good[i].method), "%s",
			  good[i].line);
		char *got = json_dumps(p.invocation.params, JSON_SORT_KEYS);
		cr_expect(json_equal(p.invocation.params, expected), "%s: %s", good[i].line, got);
		free(got);
		json_decref(expected);
		release(&p);
	}
}

static const struct {
	const char *line, *said;
} bad[] = {
	{"", "a command is missing"},
	{"volume", "needs one more word: create, grow"},
	{"voluem list", "did you mean \"volume\"?"},
	{"volume craete x", "did you mean \"volume create\"?"},
	{"volume zzzzzz", "there are: create, grow"},
	{"export aeo list", "did you mean \"export aoe\"?"},
	{"volume list x", "\"x\" is one argument too many"},
	{"volume list --nope", "unknown option --nope; \"wherryctl volume list --help\""},
	{"volume list --jsno", "did you mean --json?"},
	{"volume list -z", "unknown option -z"},
	{"volume show", "NAME is missing"},
	{"volume create a", "--backend is missing"},
	{"volume create a --backend", "--backend: a value is missing"},
	{"volume create a --backend disk", "give one of ram|file|null"},
	{"volume create a --backend ram --size 12Q", "give a size such as"},
	{"volume create a --backend ram --size 100", "give a value from 4096 to"},
	{"volume create a --backend ram --size -1", "give a size such as"},
	{"volume create a --backend ram --block-size 1024", "give one of 512|4096"},
	{"volume create a --backend ram --size 1G --size 2G", "--size: given twice"},
	{"volume create .a --backend ram", "NAME: \".a\" will not do"},
	{"volume set a", "give at least one option"},
	{"volume set a --read-only maybe", "give yes or no"},
	{"volume set a --read-only", "a value is missing"},
	{"volume fault a --read-error-ppm 1000001", "from 0 to 1000000"},
	{"volume fault a --off --seed 1", "--off: makes no sense beside other options"},
	{"volume fault a --seed 99999999999999999999", "give a whole number"},
	{"export aoe show 1", "give SHELF.SLOT"},
	{"export aoe show 65535.0", "TARGET"},
	{"export aoe show 4095.0", "TARGET"},
	{"export aoe show 0.255", "TARGET"},
	{"export aoe set 1.0 --vlans 4095", "VLAN ids from 0 to 4094"},
	{"export aoe set 1.0 --vlans 1,,2", "VLAN ids from 0 to 4094"},
	{"export aoe set 1.0 --ports a,.b", "give names"},
	{"export aoe create 1.0 a --buffer-count 1", "from 2 to 65535"},
	{"mask add 1.0", "MAC is missing"},
	{"address add p0", "ADDRESS/BITS is missing"},
	{"address add p0 10.0.0.300/24", "give an address of IPv4 or IPv6"},
	{"address add p0 default", "give an address of IPv4 or IPv6"},
	{"address add p0 10.0.0.1/24 --vlan 4095", "from 0 to 4094"},
	{"route add default", "GATEWAY is missing"},
	{"route add default via", "GATEWAY is missing"},
	{"route add default via via", "give an address"},
	{"route add default through 10.0.0.1", "give an address"},
	{"route add via 10.0.0.1", "PREFIX"},
	{"route add default 10.0.0.1 via", "one argument too many"},
	{"export nbd create db disk --allow 10.0.0.0/8,", "give prefixes such as"},
	{"export nbd set db", "give at least one option"},
	{"nbd set", "--port is missing"},
	{"nbd set --port 65536", "from 0 to 65535"},
	{"tcp set --congestion bbr", "give one of cubic|dctcp|reno"},
	{"tcp set --keepalive-interval-ms 0", "from 1 to 86400000"},
	{"mask add 1.0 52:54:00:12:34", "give a MAC address"},
	{"port add p nic:0", "give pci:ADDRESS"},
	{"port add p pci:", "give pci:ADDRESS"},
	{"lcore set x", "give a list of CPUs"},
	{"lcore idle --spin-turns 1 --sleep-us 0", "--pause-turns is missing"},
	{"stats disk", "give one of port|lcore|export|nbd_export|volume|client"},
	{"stats --watch=x", "give seconds"},
	{"events --since yesterday", "give an event id, or an age"},
	{"rpc call m []", "not an object"},
	{"rpc call m {", "give a JSON object"},
	{"volume list --timeout 1e9", "give seconds"},
	{"daemon log-level loud", "give one of error|warning|info|debug"},
};

Test(cli_parse, wrong_command_lines_are_refused_with_a_remedy)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct parsed p = parse(bad[i].line);
		cr_expect_eq(p.rc, FAIL_EXIT_USAGE, "%s: %d", bad[i].line, p.rc);
		cr_expect(strstr(p.error.text, bad[i].said), "%s: it said: %s", bad[i].line, p.error.text);
		release(&p);
	}
}

Test(cli_parse, global_options_stand_anywhere)
{
	static const char *const lines[] = {
		"-j -s /x --timeout 3 volume show a",
		"volume -j show --socket=/x a --timeout=3",
		"volume show a --json --socket /x --timeout 3",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct parsed p = parse(lines[i]);
		cr_expect_eq(p.rc, 0, "%s: %s", lines[i], p.error.text);
		cr_expect(p.invocation.json && p.invocation.socket && !strcmp(p.invocation.socket, "/x"), "%s",
			  lines[i]);
		cr_expect(p.invocation.timeout_s > 2.9 && p.invocation.timeout_s < 3.1, "%s", lines[i]);
		release(&p);
	}
}

Test(cli_parse, the_interval_of_watch_may_be_left_out)
{
	static const struct {
		const char *line, *scope;
		double seconds;
	} cases[] = {
		{"stats --watch", NULL, 1},
		{"stats --watch 5", NULL, 5},
		{"stats --watch=0.5", NULL, 0.5},
		{"stats --watch lcore", "lcore", 1},
		{"stats --watch 2 lcore", "lcore", 2},
		{"stats -w -a", NULL, 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p = parse(cases[i].line);
		const char *scope = json_string_value(json_object_get(p.invocation.locals, "SCOPE"));
		cr_expect_eq(p.rc, 0, "%s: %s", cases[i].line, p.error.text);
		cr_expect(cases[i].scope ? scope && !strcmp(scope, cases[i].scope) : !scope, "%s", cases[i].line);
		cr_expect_float_eq(json_real_value(json_object_get(p.invocation.locals, "watch")), cases[i].seconds,
				   1e-9, "%s", cases[i].line);
		release(&p);
	}
}

Test(cli_parse, help_needs_no_arguments)
{
	static const char *const lines[] = {"volume create --help", "help volume create", "-h volume create",
					    "volume create --help --size"};
	for (size_t i = 0; i < 3; i++) {
		struct parsed p = parse(lines[i]);
		cr_expect(p.rc == 0 && p.invocation.help && p.invocation.command, "%s: %s", lines[i], p.error.text);
		release(&p);
	}
	struct parsed group = parse("volume --help");
	cr_expect(group.rc == 0 && group.invocation.help && !group.invocation.command);
	cr_expect_str_eq(group.invocation.words, "volume");
	release(&group);
	struct parsed all = parse("help");
	cr_expect(all.rc == 0 && all.invocation.help && !all.invocation.command);
	release(&all);
}

Test(cli_parse, json_is_known_even_when_the_line_is_wrong)
{
	struct parsed p = parse("--json volume craete");
	cr_expect(p.rc == FAIL_EXIT_USAGE && p.invocation.json);
	release(&p);
}

Test(cli_parse, text_that_is_not_utf8_is_refused)
{
	static const char *const lines[] = {"config-string set 1.0 \xff", "config export -f \xff",
					    "port add p tap:\xff", "volume create a --backend file --path /\xff"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct parsed p = parse(lines[i]);
		cr_expect(p.rc == FAIL_EXIT_USAGE && strstr(p.error.text, "UTF-8"), "case %zu: %s", i, p.error.text);
		release(&p);
	}
}

Test(cli_parse, a_relative_path_becomes_absolute)
{
	struct parsed p = parse("volume create a --backend file --path x.img");
	const char *path = json_string_value(json_object_get(p.invocation.params, "path"));
	cr_expect(path && path[0] == '/' && strlen(path) > 6 && !strcmp(path + strlen(path) - 6, "/x.img"));
	release(&p);
}

Test(cli_parse, ages_have_a_unit)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} cases[] = {{"90s", 90},
		     {"15m", 900},
		     {"2h", 7200},
		     {"3d", 259200},
		     {"3", -1},
		     {"s", -1},
		     {"", -1},
		     {"1w", -1},
		     {"0x1s", -1},
		     {"-1s", -1},
		     {"1.5h", -1},
		     {"1 h", -1},
		     {"99999999999d", 8639999999913600}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t seconds = -1;
		int rc = cli_age_parse(cases[i].text, &seconds);
		cr_expect_eq(rc, cases[i].seconds < 0 ? -1 : 0, "%s", cases[i].text);
		cr_expect(rc || seconds == cases[i].seconds, "%s: %lld", cases[i].text, (long long)seconds);
	}
}

Test(cli_parse, the_nearest_word_is_one_slip_away)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {{"", "", 0},
		     {"a", "", 1},
		     {"list", "list", 0},
		     {"lsit", "list", 1},
		     {"creat", "create", 1},
		     {"volume", "export", 6},
		     {"kitten", "sitting", 3}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(cli_edit_distance(cases[i].a, cases[i].b), cases[i].distance, "%s", cases[i].a);
		cr_expect_eq(cli_edit_distance(cases[i].b, cases[i].a), cases[i].distance, "%s", cases[i].b);
	}
	char longer[100];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	cr_expect_eq(cli_edit_distance(longer, "list"), UINT32_MAX);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"

static char error[1024];
static struct args args;

static void append(char *line, size_t bytes, const char *text)
{
	size_t len = strlen(line);
	snprintf(line + len, bytes - len, "%s", text);
}

/* Words split at blanks. */
static int parse(const char *line)
{
	static char copy[4096], program[] = "wherry-dataplane";
	char *argv[64] = {program};
	int argc = 1;
	snprintf(copy, sizeof copy, "%s", line);
	char *rest = copy;
	for (char *word; (word = strsep(&rest, " "));)
		if (*word)
			argv[argc++] = word;
	error[0] = '\0';
	return args_parse(argc, argv, &args, error, sizeof error);
}

Test(args, a_whole_command_line_is_understood)
{
	int rc = parse(
		"--socket /run/wherry/dataplane.sock --port name=p0,device=af_xdp:eth0 "
		"--port name=m,device=memif:/m.sock,role=client,id=7,mtu=9000,vlans=10;20,punt=500 --lcores "
		"0@(0-1),1@(0-1) "
		"--main-lcore 0 --no-huge --memory-mb 256 --user 990:991 --idle spin=1,pause=2,sleep_us=3 --eal -v "
		"--eal --legacy-mem --log-level debug");
	cr_assert_eq(rc, 0, "%s", error);
	cr_expect_str_eq(args.socket, "/run/wherry/dataplane.sock");
	cr_assert_eq(args.port_count, 2u);
	cr_expect_str_eq(args.ports[0].device, "af_xdp:eth0");
	cr_expect_eq(args.ports[0].mtu, 1500u);
	cr_expect_eq(args.ports[0].vlan_count, 0u);
	cr_expect_str_eq(args.ports[1].name, "m");
	cr_expect_str_eq(args.ports[1].device, "memif:/m.sock,role=client,id=7");
	cr_expect_eq(args.ports[1].mtu, 9000u);
	cr_assert_eq(args.ports[1].vlan_count, 2u);
	cr_expect_eq(args.ports[1].vlans[0], 10u);
	cr_expect_eq(args.ports[1].vlans[1], 20u);
	cr_expect_eq(args.ports[1].punt_rate, 500u);
	cr_expect_eq(args.ports[0].punt_rate, 0u);
	cr_expect_str_eq(args.lcores, "0@(0-1),1@(0-1)");
	cr_expect_eq(args.main_lcore, 0);
	cr_expect(args.no_huge);
	cr_expect_eq(args.memory_mb, 256u);
	cr_expect(args.has_user && args.uid == 990 && args.gid == 991);
	cr_expect(args.idle.spin_turns == 1 && args.idle.pause_turns == 2 && args.idle.sleep_us == 3);
	cr_assert_eq(args.eal_count, 2u);
	cr_expect_str_eq(args.eal[1], "--legacy-mem");
	cr_expect_eq(args.log_level, LOG_LEVEL_DEBUG);
}

Test(args, what_is_not_given_has_its_default)
{
	cr_assert_eq(parse("--socket s"), 0, "%s", error);
	cr_expect_eq(args.main_lcore, -1);
	cr_expect_eq(args.port_count, 0u);
	cr_expect_eq(args.idle.spin_turns, IDLE_SPIN_TURNS);
	cr_expect_eq(args.idle.sleep_us, IDLE_SLEEP_US);
	cr_expect_not(args.has_user || args.no_huge);
	cr_assert_eq(parse("--socket s --idle sleep_us=0"), 0);
	cr_expect_eq(args.idle.spin_turns, IDLE_SPIN_TURNS, "the others stay");
	cr_expect_eq(args.idle.sleep_us, 0u);
}

Test(args, help_and_version_need_no_socket)
{
	cr_expect_eq(parse("--help"), 0);
	cr_expect(args.want_help);
	cr_expect_eq(parse("--version"), 0);
	cr_expect(args.want_version);
}

Test(args, what_is_wrong_is_refused_with_a_sentence)
{
	const char *cases[] = {
		"",
		"--port name=p,device=tap:t",
		"--socket",
		"--socket s extra",
		"--socket s --nope",
		"--socket s --memory-mb 15",
		"--socket s --memory-mb 1e9",
		"--socket s --main-lcore -1",
		"--socket s --main-lcore 128",
		"--socket s --user 1000",
		"--socket s --user root:root",
		"--socket s --user 0:1000",
		"--socket s --user 1000:0",
		"--socket s --user 4294967295:1",
		"--socket s --idle fast",
		"--socket s --idle spin=-1",
		"--socket s --idle spin=4294967296",
		"--socket s --idle sleep_us=1001",
		"--socket s --log-level loud",
		"--socket s --port device=tap:t",
		"--socket s --port name=p",
		"--socket s --port name=p,device=tap:t,device=tap:u",
		"--socket s --port name=p,device=tap:t,mtu=575",
		"--socket s --port name=p,device=tap:t,mtu=9217",
		"--socket s --port name=p,device=tap:t,mtu=",
		"--socket s --port name=p,device=tap:t,punt=yes",
		"--socket s --port name=p,device=tap:t,punt=1000001",
		"--socket s --port name=p,device=tap:t,vlans=0",
		"--socket s --port name=p,device=tap:t,vlans=4095",
		"--socket s --port name=p,device=tap:t,vlans=10:20",
		"--socket s --port name=-p,device=tap:t",
		"--socket s --port name=.p,device=tap:t",
		"--socket s --port name=p/q,device=tap:t",
		"--socket s --port name=,device=tap:t",
		"--socket s --port name=p,,device=tap:t",
		"--socket s --port name=p,device=tap:t,",
		"--socket s --port name=p,device=tap:t,vlans=",
		"--socket s --port name=p,device=tap:t,vlans=1;",
		"--socket s --idle spin=1,",
		"--socket s --port speed=1,name=p,device=tap:t",
		"--socket s --port name=p,device=tap:t,speed=1",
		"--socket s --port name=p,device=floppy:a",
		"--socket s --port name=p,device=tap:t --port name=p,device=tap:u",
		"--socket s --port name=p,device=tap:t --port name=q,device=tap:t",
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_expect_eq(parse(cases[i]), -EINVAL, "\"%s\"", cases[i]);
		cr_expect_gt(strlen(error), 15u, "\"%s\": \"%s\"", cases[i], error);
	}
}

Test(args, as_many_ports_and_vlans_as_the_limits_say_and_no_more)
{
	char line[4096] = "--socket s";
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++) {
		size_t len = strlen(line);
		snprintf(line + len, sizeof line - len, " --port name=p%u,device=tap:t%u", i, i);
	}
	cr_expect_eq(parse(line), 0, "%s", error);
	append(line, sizeof line, " --port name=q,device=tap:q");
	cr_expect_eq(parse(line), -EINVAL);

	snprintf(line, sizeof line, "name=p,device=tap:t,vlans=1");
	for (unsigned i = 2; i <= WHERRY_VLAN_COUNT_MAX; i++) {
		size_t len = strlen(line);
		snprintf(line + len, sizeof line - len, ";%u", i);
	}
	struct port_config port;
	cr_expect_eq(args_parse_port(line, &port, error, sizeof error), 0, "%s", error);
	cr_expect_eq(port.vlan_count, WHERRY_VLAN_COUNT_MAX);
	append(line, sizeof line, ";100");
	cr_expect_eq(args_parse_port(line, &port, error, sizeof error), -EINVAL);
}

Test(args, texts_that_are_too_long_are_refused)
{
	char line[4096];
	snprintf(line, sizeof line, "--socket %0108d", 0);
	cr_expect_eq(parse(line), -EINVAL);
	snprintf(line, sizeof line, "--socket %0107d", 0);
	cr_expect_eq(parse(line), 0);
	snprintf(line, sizeof line, "--socket s --lcores %01024d", 0);
	cr_expect_eq(parse(line), -EINVAL);
	snprintf(line, sizeof line, "--socket s --port name=%064d,device=tap:t", 0);
	cr_expect_eq(parse(line), -EINVAL);
	snprintf(line, sizeof line, "--socket s --port name=p,device=memif:/%0600d", 0);
	cr_expect_eq(parse(line), -EINVAL);
}

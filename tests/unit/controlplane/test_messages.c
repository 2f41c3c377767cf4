/* SPDX-License-Identifier: BSD-3-Clause */
/* What crosses the two sockets: messages of the monitor, packets of the dataplane, its command line; small figures. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/histogram.h"
#include "daemon/limiter.h"
#include "daemon/monitor_msg.h"
#include "daemon/plane_encode.h"
#include "daemon/plane_exec.h"
#include "daemon/plane_link.h"
#include "wherry/ctl.h"

/* ------------------------------------------------------------- monitor */

static union monitor_message message_of(uint32_t op)
{
	union monitor_message message;

	memset(&message, 0, sizeof message);
	message.header = (struct monitor_header){.magic = MONITOR_MAGIC, .op = op, .id = 1};
	if (op == MONITOR_FILE_OPEN || op == MONITOR_FILE_GROW || op == MONITOR_FILE_ERASE)
		memcpy(message.file.path, "/x", 3);
	if (op == MONITOR_SPAWN)
		message.spawn.runtime.main_lcore = -1;
	if (op == MONITOR_KILL)
		message.kill.signal = SIGTERM;
	if (op == MONITOR_NOTIFY)
		memcpy(message.notify.text, "READY=1", 8);
	return message;
}

static const uint32_t ops[] = {MONITOR_FILE_OPEN, MONITOR_FILE_GROW,   MONITOR_FILE_ERASE, MONITOR_SPAWN, MONITOR_KILL,
			       MONITOR_NOTIFY,    MONITOR_FILE_RESULT, MONITOR_SPAWNED,    MONITOR_EXITED};

Test(cp_messages, sound_messages_pass_and_any_other_length_does_not)
{
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		union monitor_message message = message_of(ops[i]);
		size_t len = monitor_message_bytes(ops[i]);
		cr_assert_gt(len, sizeof message.header);
		cr_expect(monitor_message_check(&message, len), "op %u", ops[i]);
		for (size_t n = 0; n < len; n++)
			cr_expect_not(monitor_message_check(&message, n), "op %u: %zu of %zu bytes", ops[i], n, len);
		cr_expect_not(monitor_message_check(&message, len + 1), "op %u: one byte more", ops[i]);
		message.header.magic ^= 1;
		cr_expect_not(monitor_message_check(&message, len), "op %u: magic", ops[i]);
	}
	for (uint32_t op = 0; op < 200; op++) {
		union monitor_message message = message_of(op);
		bool known = false;
		for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
			known |= ops[i] == op;
		if (!known)
			cr_expect_not(monitor_message_check(&message, sizeof message), "op %u does not exist", op);
	}
}

Test(cp_messages, fields_out_of_range_and_texts_without_an_end_are_refused)
{
	union monitor_message m;

#define REFUSED(op, what, ...)                                                                                         \
	do {                                                                                                           \
		m = message_of(op);                                                                                    \
		__VA_ARGS__;                                                                                           \
		cr_expect_not(monitor_message_check(&m, monitor_message_bytes(op)), what);                             \
	} while (0)
	REFUSED(MONITOR_FILE_OPEN, "a relative path", m.file.path[0] = 'x');
	REFUSED(MONITOR_FILE_OPEN, "no path", m.file.path[0] = '\0');
	REFUSED(MONITOR_FILE_OPEN, "a path without an end", memset(m.file.path, '/', sizeof m.file.path));
	REFUSED(MONITOR_FILE_OPEN, "an unknown flag", m.file.flags = 0x20);
	REFUSED(MONITOR_FILE_GROW, "too large", m.file.size_bytes = WHERRY_VOLUME_BYTES_MAX + 1);
	REFUSED(MONITOR_KILL, "another signal", m.kill.signal = SIGSTOP);
	REFUSED(MONITOR_KILL, "no signal", m.kill.signal = 0);
	REFUSED(MONITOR_NOTIFY, "a second line", memcpy(m.notify.text, "A=1\nB=2", 8));
	REFUSED(MONITOR_NOTIFY, "what the service manager would do for it", memcpy(m.notify.text, "MAINPID=1", 10));
	REFUSED(MONITOR_NOTIFY, "more than one knows", memcpy(m.notify.text, "READY=11", 9));
	REFUSED(MONITOR_NOTIFY, "nothing", m.notify.text[0] = '\0');
	REFUSED(MONITOR_NOTIFY, "no end", memset(m.notify.text, 'A', sizeof m.notify.text));
	REFUSED(MONITOR_SPAWN, "too many ports", m.spawn.port_count = WHERRY_PORT_COUNT_MAX + 1);
	REFUSED(MONITOR_SPAWN, "a port without a name", m.spawn.port_count = 1);
	REFUSED(MONITOR_SPAWN, "lcores without an end",
		memset(m.spawn.runtime.lcores, '1', sizeof m.spawn.runtime.lcores));
	REFUSED(MONITOR_SPAWN, "lcores with an option", memcpy(m.spawn.runtime.lcores, "0 --vdev=x", 11));
	REFUSED(MONITOR_FILE_RESULT, "an unknown kind", m.file_result.kind = FAIL_KIND_COUNT);
	REFUSED(MONITOR_SPAWNED, "an unknown outcome", m.spawned.outcome = MONITOR_NOT_STARTED + 1);
	REFUSED(MONITOR_EXITED, "no end", memset(m.exited.text, 'x', sizeof m.exited.text));
#undef REFUSED
}

static struct monitor_spawn spawn_of(unsigned ports)
{
	struct monitor_spawn spawn = {.runtime = {.lcores = "0-3",
						  .main_lcore = 1,
						  .idle_spin_turns = 7,
						  .idle_pause_turns = 8,
						  .idle_sleep_us = 9},
				      .port_count = ports};

	for (unsigned i = 0; i < ports; i++) {
		(void)snprintf(spawn.ports[i].name, sizeof spawn.ports[i].name, "p%u", i);
		(void)snprintf(spawn.ports[i].device, sizeof spawn.ports[i].device, "tap:t%u", i);
		spawn.ports[i].mtu = 1500;
	}
	return spawn;
}

static char *joined(const char *block)
{
	static char line[40000];
	size_t at = 0;

	line[0] = '\0';
	for (; *block; block += strlen(block) + 1)
		at += (size_t)snprintf(line + at, sizeof line - at, "%s%s", at ? " " : "", block);
	return line;
}

Test(cp_messages, the_command_line_of_the_dataplane_tells_everything_once)
{
	struct options options = {.dataplane = "/bin/dp",
				  .plane_path = "/run/dp.sock",
				  .privileged = true,
				  .uid = 5,
				  .gid = 6,
				  .no_huge = true,
				  .memory_mb = "64",
				  .eal_count = 2,
				  .eal = {"--a", "b c"}};
	struct monitor_spawn spawn = spawn_of(2);

	spawn.ports[1].vlan_count = 2;
	spawn.ports[1].vlans[0] = 10;
	spawn.ports[1].vlans[1] = 4094;
	spawn.ports[1].punt_rate = 500;
	char *block = plane_exec_arguments(&options, &spawn, false);
	cr_expect_str_eq(joined(block),
			 "/bin/dp --socket /run/dp.sock --port name=p0,device=tap:t0,mtu=1500 --port "
			 "name=p1,device=tap:t1,mtu=1500,vlans=10;4094,punt=500 --lcores 0-3 --main-lcore 1 "
			 "--no-huge --memory-mb 64 --user 5:6 --idle spin=7,pause=8,sleep_us=9 --eal --a "
			 "--eal b c");
	free(block);
	block = plane_exec_arguments(&options, &spawn, true);
	cr_expect_null(strstr(joined(block), "--idle"), "what can change while it runs is no reason to restart it");
	free(block);
	options.uid = 0;
	block = plane_exec_arguments(&options, &spawn, false);
	cr_expect_null(strstr(joined(block), "--user"));
	free(block);
	spawn = spawn_of(WHERRY_PORT_COUNT_MAX);
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++) {
		spawn.ports[i].vlan_count = WHERRY_VLAN_COUNT_MAX;
		memset(spawn.ports[i].device, 'd', WHERRY_TEXT_BYTES_MAX);
	}
	block = plane_exec_arguments(&options, &spawn, false);
	cr_assert_not_null(block, "the longest settings fit");
	cr_expect_gt(strlen(joined(block)), 16 * 512);
	free(block);
}

/* ----------------------------------------------------------- dataplane */

Test(cp_messages, packets_of_the_dataplane_are_told_apart)
{
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct wherry_ctl_header header;
	struct wherry_ctl_error error = {.error = ENOENT, .message = "gone"}, got;
	const struct wherry_ctl_ok ok;
	const struct wherry_ctl_volume_item item = {.id = 3};
	const struct wherry_ctl_hello_reply hello = {.version = 1};
	const struct wherry_ctl_event event = {.severity = 1, .code = "x"};
	const struct wherry_ctl_volume_put put = {.id = 1};

	size_t len = wherry_ctl_put_ok(packet, sizeof packet, 5, &ok);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_OK);
	cr_expect_eq(header.request_id, 5);
	len = wherry_ctl_put_error(packet, sizeof packet, 5, &error);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_ERROR);
	cr_expect(got.error == ENOENT && strcmp(got.message, "gone") == 0);
	for (size_t n = 0; n < len; n++)
		cr_expect_eq(plane_packet_decode(packet, n, &header, &got), PLANE_PACKET_BAD, "%zu of %zu bytes", n,
			     len);
	len = wherry_ctl_put_volume_item(packet, sizeof packet, 5, &item);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_ITEM);
	len = wherry_ctl_put_hello_reply(packet, sizeof packet, 5, &hello);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_REPLY);
	len = wherry_ctl_put_event(packet, sizeof packet, WHERRY_CTL_FROM_DATAPLANE | 5, &event);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_REQUEST);
	len = wherry_ctl_put_volume_put(packet, sizeof packet, 5, &put);
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_BAD, "a request of ours, sent back");
	packet[4] ^= 0xff;
	cr_expect_eq(plane_packet_decode(packet, len, &header, &got), PLANE_PACKET_VERSION);
}

Test(cp_messages, rows_become_messages_whole)
{
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct volume_row volume = {.id = 3,
				    .name = "disk",
				    .backend = WHERRY_BACKEND_FILE,
				    .size_bytes = 1 << 20,
				    .block_bytes = 512,
				    .read_only = true,
				    .generation = 9};
	struct backing backing = {.direct = true, .block_device = true, .align_bytes = 4096, .memory_align_bytes = 512};
	struct wherry_ctl_volume_put put;
	static struct wherry_ctl_aoe_export_put export_put;
	static struct export_row row;
	struct port_row ports[2] = {{.id = 10}, {.id = 20}};

	size_t len = plane_encode_volume(packet, 1, &volume, &backing);
	cr_assert_eq(wherry_ctl_get_volume_put(packet + 16, len - 16, &put), 0);
	cr_expect(put.id == 3 && put.generation == 9 && put.align_bytes == 4096 && put.memory_align_bytes == 512);
	cr_expect_eq(put.flags, WHERRY_VOLUME_READ_ONLY | WHERRY_VOLUME_DIRECT | WHERRY_VOLUME_BLOCK_DEVICE);
	row = (struct export_row){.id = 4,
				  .volume_id = 3,
				  .shelf = 1,
				  .slot = 2,
				  .buffer_count = 64,
				  .remote_mask = true,
				  .port_count = 1,
				  .port_ids = {20},
				  .config_bytes = WHERRY_AOE_CONFIG_BYTES_MAX,
				  .mask_count = WHERRY_AOE_MASK_COUNT_MAX,
				  .reserve_count = WHERRY_AOE_RESERVE_COUNT_MAX,
				  .vlan_count = WHERRY_VLAN_COUNT_MAX,
				  .state_generation = 7,
				  .serial = "01234567890123456789"};
	len = plane_encode_export(packet, 1, &row, ports, 2);
	cr_assert_gt(len, 0, "the largest export fits a message");
	cr_assert_eq(wherry_ctl_get_aoe_export_put(packet + 16, len - 16, &export_put), 0);
	cr_expect(export_put.ports.count == 1 && export_put.ports.v[0] == 1, "a port goes by its place");
	cr_expect_eq(export_put.flags, WHERRY_AOE_REMOTE_MASK);
	cr_expect(export_put.mask.count == WHERRY_AOE_MASK_COUNT_MAX && export_put.state_generation == 7);
	row.port_ids[0] = 30;
	cr_expect_eq(plane_encode_export(packet, 1, &row, ports, 2), 0,
		     "a port that is not there must not become every port");
}

/* -------------------------------------------------------------- figures */

Test(cp_messages, quantiles_never_flatter)
{
	uint64_t counts[WHERRY_HIST_BUCKET_COUNT] = {0};

	cr_expect_eq(histogram_quantile_ns(0, counts, WHERRY_HIST_BUCKET_COUNT, 500), 0, "nothing counted");
	counts[8] = 999;
	counts[16] = 1;
	cr_expect_eq(histogram_quantile_ns(0, counts, WHERRY_HIST_BUCKET_COUNT, 500), wherry_hist_floor_ns(9));
	cr_expect_eq(histogram_quantile_ns(0, counts, WHERRY_HIST_BUCKET_COUNT, 999), wherry_hist_floor_ns(9));
	cr_expect_eq(histogram_quantile_ns(0, counts, WHERRY_HIST_BUCKET_COUNT, 1000), wherry_hist_floor_ns(17));
	cr_expect_eq(histogram_quantile_ns(8, counts + 8, 9, 1000), wherry_hist_floor_ns(17), "an offset first bucket");
	counts[WHERRY_HIST_BUCKET_COUNT - 1] = 1;
	cr_expect_eq(histogram_quantile_ns(0, counts, WHERRY_HIST_BUCKET_COUNT, 1000),
		     wherry_hist_floor_ns(WHERRY_HIST_BUCKET_COUNT - 1));
	json_t *told = histogram_json(WHERRY_HIST_BUCKET_COUNT - 1, counts, WHERRY_HIST_BUCKET_COUNT);
	cr_expect_leq(json_array_size(json_object_get(told, "buckets")), 1, "buckets beyond the last one are ignored");
	json_decref(told);
	told = histogram_json(WHERRY_HIST_BUCKET_COUNT + 5, counts, 3);
	cr_expect_eq(json_integer_value(json_object_get(told, "count")), 0);
	json_decref(told);
}

Test(cp_messages, a_limiter_lets_a_burst_through_then_a_trickle)
{
	struct limiter limiter;
	uint64_t now = 5000000;

	limiter_init(&limiter, 3, 100);
	for (int i = 0; i < 3; i++)
		cr_expect(limiter_take(&limiter, now));
	cr_expect_not(limiter_take(&limiter, now));
	cr_expect_not(limiter_take(&limiter, now + 99));
	cr_expect(limiter_take(&limiter, now + 100));
	cr_expect_not(limiter_take(&limiter, now + 100));
	cr_expect_eq(limiter.suppressed, 3);
	cr_expect(limiter_take(&limiter, now + 1000000));
	cr_expect(limiter_take(&limiter, now + 1000000));
	cr_expect(limiter_take(&limiter, now + 1000000));
	cr_expect_not(limiter_take(&limiter, now + 1000000), "never more than the burst");
}

Test(cp_messages, last_words_name_the_cause_and_not_what_else_there_is)
{
	static const char log[] = "EAL: Detected CPU lcores: 2\n"
				  "EAL: invalid parameter for --lcores\n"
				  "\n"
				  "Usage: wherry-dataplane [options]\n"
				  "EAL common options:\n"
				  "  -c COREMASK         Hexadecimal bitmask of cores to run on\n"
				  "\t-l CORELIST        List of cores to run on\n"
				  "EAL options for DEBUG use only:\n"
				  "  --huge-unlink       Unlink hugepage files after init\n"
				  "<6>told and not trouble\n"
				  "<3>cannot start: see above\n";
	static const struct options options = {0};
	char text[WHERRY_TEXT_BYTES_MAX + 1];
	struct plane_exec exec;
	FILE *file = tmpfile();

	cr_assert(file && fwrite(log, 1, sizeof log - 1, file) == sizeof log - 1 && fflush(file) == 0);
	plane_exec_init(&exec, &options);
	exec.log_fd = dup(fileno(file));
	exec.log_at = sizeof log - 1;
	plane_exec_ended(&exec, text);
	(void)fclose(file);
	cr_expect(strstr(text, "invalid parameter for --lcores") && strstr(text, "cannot start: see above"), "%s",
		  text);
	cr_expect(!strstr(text, "COREMASK") && !strstr(text, "huge-unlink") && !strstr(text, "DEBUG"), "%s", text);
}

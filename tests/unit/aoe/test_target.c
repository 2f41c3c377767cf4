/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames are answered, by whom, and what every answer looks like. */
#include <stdlib.h>

#include "../wire/golden.h"
#include "rig.h"

Test(aoe_target, peek_finds_the_address_behind_either_header)
{
	uint16_t shelf = 0;
	uint8_t slot = 0, bytes[64];
	bool wildcard = true;
	struct aoe_frame frame = rig_to(rig_ata(ATA_READ, 0, 1), 0x1234, 5);
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert(aoe_peek(bytes, len, &shelf, &slot, &wildcard));
	cr_expect(shelf == 0x1234 && slot == 5 && !wildcard);

	frame = rig_tagged(rig_to(frame, AOE_SHELF_ANY, 5), 77);
	len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert(aoe_peek(bytes, len, &shelf, &slot, &wildcard));
	cr_expect(shelf == AOE_SHELF_ANY && slot == 5 && wildcard);

	frame = rig_to(frame, 3, AOE_SLOT_ANY);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert(aoe_peek(bytes, len, &shelf, &slot, &wildcard));
	cr_expect(wildcard, "the slot alone is a wildcard too");

	for (uint32_t n = 0; n < 28; n++) {
		uint8_t *exact = malloc(n ? n : 1);
		memcpy(exact, bytes, n);
		cr_expect_not(aoe_peek(exact, n, &shelf, &slot, &wildcard), "%u bytes", n);
		free(exact);
	}
	cr_expect(aoe_peek(bytes, 28, &shelf, &slot, &wildcard), "a whole header is enough");
	bytes[16] = 0x08;
	cr_expect_not(aoe_peek(bytes, 28, &shelf, &slot, &wildcard), "another protocol");
}

Test(aoe_target, answers_what_linux_and_ipxe_really_send)
{
	static const struct {
		const char *name;
		const uint8_t *bytes;
		uint32_t len;
	} cases[] = {
		{"linux identify", golden_linux_identify, 36}, {"linux read", golden_linux_read_ext, 36},
		{"ipxe config", golden_ipxe_config, 32},       {"ipxe identify", golden_ipxe_identify, 36},
		{"ipxe read", golden_ipxe_read_ext, 36},
	};
	const uint8_t target[6] = {GOLDEN_TARGET};
	struct rig *rig = rig_create();
	struct rig_disk big;
	rig_disk_init(&big, 64 << 20, 512, 1);
	memcpy(rig->ports[0].mac, target, 6);
	struct aoe_export *export_ = aoe_export_create(rig_put(0, 0), &big.volume);
	aoe_export_add(rig->lcore, export_, false, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rig_answer *answer = rig_ask_bytes(rig, cases[i].bytes, cases[i].len, 0, 2000);
		cr_assert(answer->got, "%s", cases[i].name);
		cr_expect_eq(answer->frame.header.error, 0, "%s", cases[i].name);
		cr_expect_arr_eq(answer->frame.header.tag, cases[i].bytes + 20, 4, "%s", cases[i].name);
		if (answer->frame.header.command == AOE_COMMAND_ATA)
			cr_expect_eq(answer->frame.ata.command, ATA_STATUS_READY, "%s", cases[i].name);
	}
	rig_remove(rig, export_);
	rig_disk_fini(&big);
	rig_destroy(rig);
}

Test(aoe_target, unit_answer_to_a_read_has_every_byte_in_its_place)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve(rig, rig_put(0x0102, 3));
	for (int i = 0; i < 512; i++)
		rig->disk.bytes[5 * 512 + i] = (uint8_t)(i + 1);
	struct aoe_frame frame = rig_to(rig_ata(ATA_READ_EXT, 5, 1), 0x0102, 3);
	const struct rig_answer *answer = rig_ask(rig, frame);
	const uint8_t header[36] = {
		0x02,
		0xc1,
		0,
		0,
		0,
		0x0a,
		0x02,
		0x77,
		0,
		0,
		0,
		0,
		0x88,
		0xa2, /* to the client, from the port */
		0x18,
		0x00,
		0x01,
		0x02,
		0x03,
		0x00,
		frame.header.tag[0],
		frame.header.tag[1],
		frame.header.tag[2],
		frame.header.tag[3], /* response, address, command, tag */
		0x40,
		0x00,
		0x00,
		0x40,
		5,
		0,
		0,
		0,
		0,
		0,
		0,
		0, /* LBA48, no error, 0 left, ready, LBA */
	};
	cr_assert(answer->got);
	cr_expect_eq(answer->len_bytes, 36 + 512);
	cr_expect_arr_eq(answer->bytes, header, 36);
	cr_expect_arr_eq(answer->bytes + 36, rig->disk.bytes + 5 * 512, 512);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, short_answers_are_padded_with_zeroes)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[1056];
	for (int tagged = 0; tagged < 2; tagged++) {
		struct aoe_frame frame = rig_ata(ATA_CHECK_POWER_MODE, 0, 0);
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->vlans.count = 2, put->vlans.v[0] = 0, put->vlans.v[1] = 9;
		struct aoe_export *next = aoe_export_create(put, &rig->disk.volume);
		aoe_export_destroy(aoe_export_add(rig->lcore, next, false, 0));
		export_ = next;
		frame = tagged ? rig_tagged(frame, 9) : frame;
		memset(bytes, 0xee, sizeof bytes);
		aoe_frame_emit(bytes, sizeof bytes, &frame);
		const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 100);
		cr_assert(answer->got);
		uint32_t end = tagged ? 64 : 60;
		cr_expect_eq(answer->len_bytes, end);
		for (uint32_t i = 36 + (end - 60); i < end; i++)
			cr_expect_eq(answer->bytes[i], 0, "byte %u is nothing of the request", i);
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, nothing_of_the_request_comes_back_in_an_error)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[200];
	memset(bytes, 0xee, sizeof bytes);
	struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	bytes[14] = 0x17; /* version 1, error flag and both low bits */
	bytes[15] = 0xee;
	bytes[19] = 0x42; /* unknown command */
	const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0);
	cr_assert(answer->got);
	cr_expect_eq(answer->len_bytes, 60);
	cr_expect_eq(answer->bytes[14], 0x1c);
	cr_expect_eq(answer->bytes[15], AOE_ERROR_COMMAND);
	for (int i = 24; i < 60; i++)
		cr_expect_eq(answer->bytes[i], 0, "byte %d", i);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, registers_are_echoed_but_not_the_reserved_bytes_or_flags)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[60] = {0};
	struct aoe_frame frame = rig_ata(ATA_VERIFY_EXT, 7, 1);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	bytes[24] = 0xff;
	bytes[34] = bytes[35] = 0xee;
	const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0);
	rig_expect_done(answer);
	cr_expect_eq(answer->bytes[24], 0x53, "only flags that exist");
	cr_expect_eq(answer->bytes[28], 7);
	cr_expect_eq(answer->bytes[34] | answer->bytes[35], 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, what_nobody_may_answer_is_dropped_and_counted)
{
	static const struct {
		const char *name;
		int at; /* byte changed, -1: the frame is cut to len */
		uint8_t value;
		uint32_t len;
		enum wherry_lcore_stat stat;
	} cases[] = {
		{"empty", -1, 0, 0, WHERRY_LCORE_aoe_drop_runt},
		{"Ethernet header only", -1, 0, 14, WHERRY_LCORE_aoe_drop_runt},
		{"one byte of the header missing", -1, 0, 23, WHERRY_LCORE_aoe_drop_runt},
		{"response", 14, 0x18, 36, WHERRY_LCORE_aoe_drop_response},
		{"response of another version", 14, 0x28, 36, WHERRY_LCORE_aoe_drop_response},
		{"another shelf", 17, 2, 36, WHERRY_LCORE_aoe_drop_target},
		{"another slot", 18, 1, 36, WHERRY_LCORE_aoe_drop_target},
		{"from a group address", 6, 0x03, 36, WHERRY_LCORE_drop_eth_src},
		{"to another station", 0, 0x04, 36, WHERRY_LCORE_drop_eth_dst},
		{"another protocol", 13, 0x00, 36, WHERRY_LCORE_drop_eth_type},
	};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[36];
		struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
		aoe_frame_emit(bytes, sizeof bytes, &frame);
		if (cases[i].at >= 0)
			bytes[cases[i].at] = cases[i].value;
		uint64_t before = rig->lcore_stats[cases[i].stat];
		const struct rig_answer *answer = rig_ask_bytes(rig, bytes, cases[i].len, 0, 2000);
		cr_expect_eq(answer->verdict, AOE_DROP, "%s", cases[i].name);
		cr_expect_eq(rig->lcore_stats[cases[i].stat], before + 1, "%s", cases[i].name);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_in), 0, "none reached the export");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, other_versions_get_error_5)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (unsigned version = 0; version < 16; version++) {
		struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
		frame.header.version = (uint8_t)version;
		if (version == 1)
			rig_expect_done(rig_ask(rig, frame));
		else
			rig_expect_error(rig_ask(rig, frame), AOE_ERROR_VERSION);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_version), 15);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_errors), 15);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, unknown_and_vendor_commands_get_error_1)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (unsigned command = 4; command < 256; command++) {
		struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
		frame.header.command = (uint8_t)command;
		rig_expect_error(rig_ask(rig, frame), AOE_ERROR_COMMAND);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_command), 252);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, the_vlan_tag_of_the_request_comes_back_whole)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->vlans.count = 1;
	put->vlans.v[0] = 100;
	struct aoe_export *export_ = rig_serve(rig, put);
	const uint8_t data[512] = {0x5a};
	const uint16_t tci = 0xb064; /* priority 5, drop eligible, VLAN 100 */
	rig_expect_done(rig_ask(rig, rig_tagged(rig_write(ATA_WRITE, 3, 1, data), tci)));
	const struct rig_answer *answer = rig_ask(rig, rig_tagged(rig_ata(ATA_READ, 3, 1), tci));
	rig_expect_done(answer);
	cr_expect_eq(answer->len_bytes, 40 + 512);
	cr_expect_arr_eq(answer->bytes + 40, data, 512, "data starts at 40");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, exports_answer_only_on_their_ports_and_vlans)
{
	static const struct {
		uint16_t ports[2], port_count, vlans[2], vlan_count;
		uint16_t port;
		int tci; /* -1: untagged */
		bool answered;
	} cases[] = {
		{{0}, 0, {0}, 0, 0, -1, true},       {{0}, 0, {0}, 0, 1, -1, true},
		{{0}, 0, {0}, 0, 0, 5, false},       {{0}, 0, {0}, 0, 0, 0xe000, true}, /* priority tag */
		{{1}, 1, {0}, 0, 0, -1, false},      {{1}, 1, {0}, 0, 1, -1, true},
		{{0, 1}, 2, {0}, 0, 1, -1, true},    {{0}, 0, {5}, 1, 0, -1, false},
		{{0}, 0, {5}, 1, 0, 5, true},        {{0}, 0, {5}, 1, 0, 0x6005, true},
		{{0}, 0, {5}, 1, 0, 6, false},       {{0}, 0, {0, 5}, 2, 0, -1, true},
		{{0}, 0, {0, 5}, 2, 0, 5, true},     {{1}, 1, {4094}, 1, 1, 4094, true},
		{{1}, 1, {4094}, 1, 0, 4094, false},
	};
	struct rig *rig = rig_create();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->ports.count = cases[i].port_count;
		put->vlans.count = cases[i].vlan_count;
		memcpy(put->ports.v, cases[i].ports, sizeof cases[i].ports);
		memcpy(put->vlans.v, cases[i].vlans, sizeof cases[i].vlans);
		struct aoe_export *export_ = rig_serve(rig, put);
		struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
		if (cases[i].tci >= 0)
			frame = rig_tagged(frame, (uint16_t)cases[i].tci);
		uint64_t before = rig->lcore_stats[WHERRY_LCORE_aoe_drop_target];
		cr_expect_eq(rig_ask_port(rig, frame, cases[i].port)->got, cases[i].answered, "case %zu", i);
		cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_target] - before, !cases[i].answered, "case %zu",
			     i);
		rig_remove(rig, export_);
	}
	rig_destroy(rig);
}

Test(aoe_target, a_broadcast_for_the_exact_address_is_answered_from_the_port)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct rig_answer *answer = rig_ask(rig, rig_broadcast(rig_config(AOE_CONFIG_READ, NULL, 0)));
	rig_expect_ok(answer);
	cr_expect_eq(answer->verdict, AOE_REPLY);
	cr_expect_arr_eq(answer->frame.eth.src, rig->ports[0].mac, 6);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, counts_frames_and_bytes_of_export_and_client)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[1024] = {1};
	rig_ask(rig, rig_write(ATA_WRITE, 0, 2, data));
	rig_ask(rig, rig_ata(ATA_READ, 0, 1));
	rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_b));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_in), 3);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_out), 3);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_frames_in), 2);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_frames_out), 2);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_bytes_in), 36 + 1024 + 36);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_bytes_out), 60 + 36 + 512);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_read_ops), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_write_ops), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_b, WHERRY_CLIENT_frames_in), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_errors), 0);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, serves_without_anybody_who_counts_clients)
{
	struct rig *rig = rig_create();
	rig->client_count = sizeof rig->clients / sizeof rig->clients[0]; /* the table has no room */
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, a_packet_without_room_is_answered_in_another)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t opcodes[] = {ATA_READ, ATA_IDENTIFY, ATA_FLUSH, ATA_VERIFY, ATA_CHECK_POWER_MODE, 0xff};
	for (size_t i = 0; i < sizeof opcodes; i++) {
		uint8_t bytes[36];
		struct aoe_frame frame = rig_ata(opcodes[i], 0, 1);
		aoe_frame_emit(bytes, sizeof bytes, &frame);
		const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0);
		cr_expect_eq(answer->verdict, AOE_PENDING, "opcode %02x: the packet was taken", opcodes[i]);
		rig_expect_ok(answer);
	}
	rig->heap.count_max = 1; /* only the request itself */
	for (size_t i = 0; i < sizeof opcodes; i++) {
		uint8_t bytes[36];
		struct aoe_frame frame = rig_ata(opcodes[i], 0, 1);
		aoe_frame_emit(bytes, sizeof bytes, &frame);
		const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0);
		cr_expect_eq(answer->verdict, AOE_DROP, "opcode %02x", opcodes[i]);
	}
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_no_buffer], sizeof opcodes);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_no_buffer), sizeof opcodes);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), sizeof opcodes);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_target, headroom_is_used_before_another_packet)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[36];
	struct aoe_frame frame = rig_ata(ATA_READ, 0, 1);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	struct pkt *pkt = pkt_heap_make(&rig->heap, bytes, sizeof bytes, 512, 0);
	cr_assert_eq(aoe_input(rig->lcore, pkt, rig->now_ns), AOE_REPLY);
	cr_expect_eq(pkt->len_bytes, 36 + 512);
	cr_expect_eq(rig->heap.allocated_count, 0);
	pkt_heap_free(pkt);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* AoE formats: golden bytes, identity, truncation, counts off by one. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "wire/aoe.h"
#include "wire/ata.h"

static const uint8_t target[6] = {GOLDEN_TARGET}, client[6] = {GOLDEN_CLIENT};

static struct aoe_frame request(uint8_t command)
{
	struct aoe_frame frame = {.header = {.version = 1, .shelf = 0x1234, .slot = 5, .command = command}};
	memcpy(frame.eth.dst, target, 6);
	memcpy(frame.eth.src, client, 6);
	memcpy(frame.header.tag, "\xde\xad\xbe\xef", 4);
	return frame;
}

/* Parses from an allocation of exact size; the pointers of *frame are not to be followed. */
static struct wire_status parse_exact(const uint8_t *bytes, uint32_t len, struct aoe_frame *frame)
{
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, bytes, len);
	struct wire_status status = aoe_frame_parse(exact, len, frame);
	free(exact);
	return status;
}

Test(aoe_wire, reads_what_linux_sends)
{
	struct aoe_frame frame;
	cr_assert_eq(aoe_frame_parse(golden_linux_config, 32, &frame).result, WIRE_OK);
	cr_expect_eq(frame.header.shelf, AOE_SHELF_ANY);
	cr_expect_eq(frame.header.slot, AOE_SLOT_ANY);
	cr_expect_eq(frame.header.command, AOE_COMMAND_CONFIG);
	cr_expect_eq(frame.config.command, AOE_CONFIG_READ);

	cr_assert_eq(aoe_frame_parse(golden_linux_write_ext, 52, &frame).result, WIRE_OK);
	const uint8_t tag[4] = {0x00, 0x2b, 0xdd, 0xbf};
	cr_expect_arr_eq(frame.header.tag, tag, 4);
	cr_expect_eq(frame.ata.flags, AOE_ATA_LBA48 | AOE_ATA_WRITE);
	cr_expect_eq(frame.ata.sector_count, 2);
	cr_expect_eq(frame.ata.command, ATA_WRITE_EXT);
	cr_expect_eq(ata_lba(frame.ata.lba, true), 0x802);
	cr_expect_eq(frame.ata.data, golden_linux_write_ext + 36);
	cr_expect_eq(frame.ata.data_bytes, 16);
}

Test(aoe_wire, reads_what_a_target_answers)
{
	struct aoe_frame frame;
	cr_assert_eq(aoe_frame_parse(golden_config_response, 32, &frame).result, WIRE_OK);
	cr_expect_eq(frame.header.flags, AOE_FLAG_RESPONSE);
	cr_expect_eq(frame.config.buffer_count, 16);
	cr_expect_eq(frame.config.firmware, 0x4019);
	cr_expect_eq(frame.config.sector_count, 2);
	cr_expect_eq(frame.config.version, 1);
	cr_expect_eq(frame.config.string_bytes, 0);
}

Test(aoe_wire, emit_gives_back_real_frames)
{
	static const struct {
		const char *name;
		const uint8_t *bytes;
		uint32_t len;
	} cases[] = {
		{"linux config", golden_linux_config, 32}, {"linux identify", golden_linux_identify, 36},
		{"linux read", golden_linux_read_ext, 36}, {"linux write", golden_linux_write_ext, 52},
		{"ipxe config", golden_ipxe_config, 32},   {"ipxe identify", golden_ipxe_identify, 36},
		{"ipxe read", golden_ipxe_read_ext, 36},   {"config response", golden_config_response, 32},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct aoe_frame frame;
		uint8_t *out = malloc(cases[i].len);
		cr_assert_eq(aoe_frame_parse(cases[i].bytes, cases[i].len, &frame).result, WIRE_OK, "%s",
			     cases[i].name);
		cr_expect_eq(aoe_frame_emit(out, cases[i].len, &frame), cases[i].len, "%s", cases[i].name);
		cr_expect_arr_eq(out, cases[i].bytes, cases[i].len, "%s", cases[i].name);
		for (uint32_t room = 0; room < cases[i].len; room++)
			cr_expect_eq(aoe_frame_emit(out, room, &frame), 0, "%s into %u bytes", cases[i].name, room);
		free(out);
	}
}

static uint32_t config_frame(uint8_t *bytes, uint8_t command, const void *string, uint16_t string_bytes)
{
	struct aoe_frame frame = request(AOE_COMMAND_CONFIG);
	frame.config.command = command;
	frame.config.string = string;
	frame.config.string_bytes = string_bytes;
	return aoe_frame_emit(bytes, 2048, &frame);
}

Test(aoe_wire, config_string_survives_emit_and_parse_up_to_its_maximum)
{
	uint8_t bytes[2048], string[1024];
	for (unsigned i = 0; i < sizeof string; i++)
		string[i] = (uint8_t)(i * 7);
	const uint16_t lens[] = {0, 1, 1023, 1024};
	for (int i = 0; i < 4; i++) {
		struct aoe_frame frame;
		uint32_t len = config_frame(bytes, AOE_CONFIG_SET, string, lens[i]);
		cr_assert_eq(len, 32u + lens[i]);
		cr_assert_eq(aoe_frame_parse(bytes, len, &frame).result, WIRE_OK);
		cr_expect_eq(frame.config.string_bytes, lens[i]);
		cr_expect_eq(memcmp(frame.config.string, string, lens[i]), 0);
	}
}

Test(aoe_wire, config_length_is_checked_against_maximum_and_frame)
{
	uint8_t bytes[2048] = {0};
	struct aoe_frame frame;
	uint32_t len = config_frame(bytes, AOE_CONFIG_SET, "0123456789", 10);
	struct wire_status status = parse_exact(bytes, len - 1, &frame);
	cr_expect(status.result == WIRE_SHORT && status.reason == WIRE_WHY_AOE_CONFIG_STRING);

	bytes[30] = 0x04, bytes[31] = 0x01; /* 1,025, and the frame holds them */
	status = parse_exact(bytes, 2048, &frame);
	cr_expect(status.result == WIRE_BAD && status.reason == WIRE_WHY_AOE_CONFIG_LENGTH);

	config_frame(bytes, AOE_CONFIG_READ, NULL, 0);
	bytes[30] = 0xff, bytes[31] = 0xff;
	cr_expect_eq(parse_exact(bytes, 32, &frame).result, WIRE_OK, "a read has no string");
	cr_expect_eq(frame.config.string_bytes, 0);

	for (unsigned command = 0; command < 16; command++) {
		bytes[29] = (uint8_t)command;
		bytes[30] = bytes[31] = 0;
		status = parse_exact(bytes, 32, &frame);
		cr_expect_eq(status.result, command <= 4 ? WIRE_OK : WIRE_UNSUPPORTED, "sub-command %u", command);
	}
}

Test(aoe_wire, mask_survives_emit_and_parse)
{
	uint8_t bytes[2048], list[255 * 8];
	for (unsigned i = 0; i < 255; i++) {
		struct aoe_directive directive = {(uint8_t)(i % 3), {2, 0, 0, 0, 0, (uint8_t)i}};
		aoe_directive_emit(list, i, &directive);
	}
	struct aoe_frame frame = request(AOE_COMMAND_MASK), back;
	frame.mask = (struct aoe_mask){.command = AOE_MASK_EDIT, .directive_count = 200, .directives = list};
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert_eq(len, 28 + 200 * 8);
	cr_assert_eq(aoe_frame_parse(bytes, len, &back).result, WIRE_OK);
	cr_expect_eq(back.mask.directive_count, 200);
	for (unsigned i = 0; i < 200; i++) {
		struct aoe_directive directive = aoe_directive_parse(back.mask.directives, i);
		cr_expect_eq(directive.command, i % 3);
		cr_expect_eq(directive.mac[5], i);
	}
}

Test(aoe_wire, mask_counts_are_checked_before_the_list_is_read)
{
	uint8_t bytes[2048], list[16] = {0};
	struct aoe_frame frame = request(AOE_COMMAND_MASK), back;
	frame.mask = (struct aoe_mask){.command = AOE_MASK_EDIT, .directive_count = 2, .directives = list};
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_expect_eq(parse_exact(bytes, len, &back).result, WIRE_OK);
	for (int count = 3; count < 256; count++) {
		bytes[27] = (uint8_t)count;
		struct wire_status status = parse_exact(bytes, len, &back);
		cr_expect(status.result == WIRE_SHORT && status.reason == WIRE_WHY_AOE_MASK_DIRECTIVES, "count %d",
			  count);
	}
	bytes[25] = AOE_MASK_READ;
	cr_expect_eq(parse_exact(bytes, len, &back).result, WIRE_OK, "a request to read has no directives");
	for (int command = 2; command < 256; command++) {
		bytes[25] = (uint8_t)command;
		cr_expect_eq(parse_exact(bytes, len, &back).result, WIRE_UNSUPPORTED, "sub-command %d", command);
	}
}

Test(aoe_wire, refused_mask_edit_has_an_index_and_no_list)
{
	uint8_t bytes[64];
	struct aoe_frame frame = request(AOE_COMMAND_MASK), back;
	frame.header.flags = AOE_FLAG_RESPONSE;
	frame.mask = (struct aoe_mask){AOE_MASK_EDIT, AOE_MASK_FULL, 17, NULL};
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert_eq(len, 28);
	cr_assert_eq(parse_exact(bytes, len, &back).result, WIRE_OK);
	cr_expect_eq(back.mask.error, AOE_MASK_FULL);
	cr_expect_eq(back.mask.directive_count, 17);
	cr_expect_null(back.mask.directives);
}

Test(aoe_wire, reserve_survives_emit_and_parse)
{
	uint8_t bytes[2048], macs[255 * 6];
	for (unsigned i = 0; i < sizeof macs; i++)
		macs[i] = (uint8_t)(i * 5);
	struct aoe_frame frame = request(AOE_COMMAND_RESERVE), back;
	frame.reserve = (struct aoe_reserve){AOE_RESERVE_FORCE, 255, macs};
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert_eq(len, 26 + 255 * 6);
	cr_assert_eq(aoe_frame_parse(bytes, len, &back).result, WIRE_OK);
	cr_expect_eq(back.reserve.command, AOE_RESERVE_FORCE);
	cr_expect_eq(back.reserve.mac_count, 255);
	cr_expect_eq(memcmp(back.reserve.macs, macs, sizeof macs), 0);

	struct wire_status status = parse_exact(bytes, len - 1, &back);
	cr_expect(status.result == WIRE_SHORT && status.reason == WIRE_WHY_AOE_RESERVE_LIST);
	bytes[24] = AOE_RESERVE_READ;
	cr_expect_eq(parse_exact(bytes, 26, &back).result, WIRE_OK, "a request to read has no addresses");
	for (int command = 3; command < 256; command++) {
		bytes[24] = (uint8_t)command;
		cr_expect_eq(parse_exact(bytes, len, &back).result, WIRE_UNSUPPORTED, "sub-command %d", command);
	}
}

Test(aoe_wire, padding_behind_the_counts_is_no_error)
{
	uint8_t bytes[1056] = {0};
	struct aoe_frame frame = request(AOE_COMMAND_RESERVE), back;
	frame.reserve = (struct aoe_reserve){AOE_RESERVE_SET, 1, client};
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_expect_eq(parse_exact(bytes, 60, &back).result, WIRE_OK);
	cr_expect_eq(parse_exact(bytes, 1056, &back).result, WIRE_OK);
	cr_expect_eq(back.reserve.mac_count, 1);
}

Test(aoe_wire, every_truncation_is_short_with_the_reason_of_the_part_that_is_missing)
{
	uint8_t list[16] = {0}, bytes[256];
	struct aoe_frame frames[] = {request(AOE_COMMAND_ATA), request(AOE_COMMAND_CONFIG), request(AOE_COMMAND_MASK),
				     request(AOE_COMMAND_RESERVE)};
	const enum wire_reason argument[] = {WIRE_WHY_AOE_ATA_ARGUMENT, WIRE_WHY_AOE_CONFIG_ARGUMENT,
					     WIRE_WHY_AOE_MASK_ARGUMENT, WIRE_WHY_AOE_RESERVE_ARGUMENT};
	const enum wire_reason tail[] = {WIRE_WHY_NONE, WIRE_WHY_AOE_CONFIG_STRING, WIRE_WHY_AOE_MASK_DIRECTIVES,
					 WIRE_WHY_AOE_RESERVE_LIST};
	const uint32_t argument_end[] = {36, 32, 28, 26};
	frames[1].config = (struct aoe_config){.command = AOE_CONFIG_TEST, .string_bytes = 9, .string = list};
	frames[2].mask = (struct aoe_mask){.command = AOE_MASK_EDIT, .directive_count = 2, .directives = list};
	frames[3].reserve = (struct aoe_reserve){AOE_RESERVE_SET, 2, list};
	for (int tagged = 0; tagged < 2; tagged++) {
		for (int i = 0; i < 4; i++) {
			uint32_t shift = tagged ? 4 : 0;
			frames[i].eth.tagged = tagged;
			uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frames[i]);
			for (uint32_t n = 0; n < len; n++) {
				struct aoe_frame back;
				enum wire_reason want = n < 14                        ? WIRE_WHY_ETH_HEADER
							: n < 14 + shift              ? WIRE_WHY_ETH_VLAN
							: n < 24 + shift              ? WIRE_WHY_AOE_HEADER
							: n < argument_end[i] + shift ? argument[i]
										      : tail[i];
				struct wire_status status = parse_exact(bytes, n, &back);
				cr_expect_eq(status.result, WIRE_SHORT, "command %d, %u bytes", i, n);
				cr_expect_eq(status.reason, want, "command %d, %u bytes: %s", i, n,
					     wire_reason_text(status.reason));
			}
		}
	}
}

Test(aoe_wire, other_ethertypes_versions_and_commands_are_unsupported)
{
	uint8_t bytes[36];
	struct aoe_frame back;
	memcpy(bytes, golden_linux_read_ext, 36);
	for (int version = 0; version < 16; version++) {
		bytes[14] = (uint8_t)(version << 4 | 0x03);
		struct wire_status status = parse_exact(bytes, 36, &back);
		cr_expect_eq(status.result, version == 1 ? WIRE_OK : WIRE_UNSUPPORTED, "version %d", version);
		cr_expect_eq(back.header.flags, 0, "the low bits are nothing");
	}
	bytes[14] = 0x10;
	for (int command = 4; command < 256; command++) {
		bytes[19] = (uint8_t)command;
		struct wire_status status = parse_exact(bytes, 36, &back);
		cr_expect(status.result == WIRE_UNSUPPORTED && status.reason == WIRE_WHY_AOE_COMMAND, "command %d",
			  command);
	}
	bytes[12] = 0x08;
	cr_expect_eq(parse_exact(bytes, 36, &back).reason, WIRE_WHY_ETH_TYPE);
}

Test(aoe_wire, an_error_response_needs_no_argument)
{
	struct aoe_frame frame = request(AOE_COMMAND_ATA), back;
	uint8_t bytes[24];
	frame.header.flags = AOE_FLAG_RESPONSE | AOE_FLAG_ERROR;
	frame.header.error = AOE_ERROR_RESERVED;
	cr_assert_eq(aoe_frame_emit(bytes, sizeof bytes, &frame), 24);
	cr_expect_eq(bytes[14], 0x1c);
	cr_assert_eq(parse_exact(bytes, 24, &back).result, WIRE_OK);
	cr_expect_eq(back.header.error, AOE_ERROR_RESERVED);
}

Test(aoe_wire, data_already_in_its_place_is_not_copied)
{
	uint8_t bytes[36 + 512];
	memset(bytes, 0x77, sizeof bytes);
	struct aoe_frame frame = request(AOE_COMMAND_ATA);
	frame.ata = (struct aoe_ata){.data = bytes + 36, .data_bytes = 512, .command = ATA_STATUS_READY};
	cr_assert_eq(aoe_frame_emit(bytes, sizeof bytes, &frame), 36 + 512);
	for (int i = 36; i < 36 + 512; i++)
		cr_expect_eq(bytes[i], 0x77);
	cr_expect_eq(bytes[34] | bytes[35], 0, "the reserved bytes are zero");
}

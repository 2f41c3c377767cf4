/* SPDX-License-Identifier: BSD-3-Clause */
/* ATA commands: limits, errors, IDENTIFY, SMART, features, power. */
#include <stdlib.h>

#include "rig.h"

Test(aoe_ata, every_read_and_write_opcode_reaches_its_sectors)
{
	const uint8_t reads[] = {ATA_READ, ATA_READ_NO_RETRY, ATA_READ_EXT};
	const uint8_t writes[] = {ATA_WRITE, ATA_WRITE_NO_RETRY, ATA_WRITE_EXT};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t data[1024];
	for (int i = 0; i < 3; i++) {
		memset(data, 0x10 + i, sizeof data);
		rig_expect_done(rig_ask(rig, rig_write(writes[i], 100, 2, data)));
		cr_expect_arr_eq(rig->disk.bytes + 100 * 512, data, 1024, "opcode %02x", writes[i]);
		const struct rig_answer *answer = rig_ask(rig, rig_ata(reads[i], 101, 1));
		rig_expect_done(answer);
		cr_expect_eq(answer->len_bytes, 36 + 512);
		cr_expect_eq(answer->frame.ata.sector_count, 0, "nothing is left to do");
		cr_expect_arr_eq(answer->bytes + 36, data, 512, "opcode %02x", reads[i]);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_read_ops), 3);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_read_bytes), 3 * 512);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_write_ops), 3);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_write_bytes), 3 * 1024);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, the_opcode_decides_about_address_width_not_the_flag)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.bytes[9 * 512] = 0x77;
	struct aoe_frame frame = rig_ata(ATA_READ, 9, 1);
	frame.ata.flags = AOE_ATA_LBA48; /* WinAoE sets it always */
	frame.ata.lba[4] = 1;            /* no address of a 28-bit command */
	const struct rig_answer *answer = rig_ask(rig, frame);
	rig_expect_done(answer);
	cr_expect_eq(answer->bytes[36], 0x77);

	frame = rig_ata(ATA_READ_EXT, 9, 1);
	frame.ata.flags = 0;
	frame.ata.lba[3] = 0xe0; /* address of a 48-bit command */
	rig_expect_ata(rig_ask(rig, frame), ATA_STATUS_ERROR, ATA_ERROR_NOT_FOUND);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, the_write_flag_against_the_opcode_changes_nothing)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t data[512];
	memset(data, 0x3c, sizeof data);
	struct aoe_frame frame = rig_write(ATA_WRITE_EXT, 4, 1, data);
	frame.ata.flags = AOE_ATA_LBA48 | AOE_ATA_ASYNC;
	rig_expect_done(rig_ask(rig, frame));
	cr_expect_eq(rig->disk.bytes[4 * 512], 0x3c, "it is a write");
	frame = rig_ata(ATA_READ_EXT, 4, 1);
	frame.ata.flags |= AOE_ATA_WRITE;
	const struct rig_answer *answer = rig_ask(rig, frame);
	rig_expect_done(answer);
	cr_expect_eq(answer->len_bytes, 36 + 512, "it is a read");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, a_read_with_junk_behind_it_is_a_read)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t junk[1024];
	memset(junk, 0xee, sizeof junk);
	memset(rig->disk.bytes, 0x11, 512);
	struct aoe_frame frame = rig_ata(ATA_READ_EXT, 0, 1);
	frame.ata.data = junk;
	frame.ata.data_bytes = sizeof junk;
	const struct rig_answer *answer = rig_ask(rig, frame);
	rig_expect_done(answer);
	cr_expect_eq(answer->len_bytes, 36 + 512, "the count decides, not the frame");
	cr_expect_arr_eq(answer->bytes + 36, rig->disk.bytes, 512);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, the_largest_transfer_follows_mtu_and_operator)
{
	static const struct {
		uint16_t mtu, sectors_max;
		uint8_t largest;
	} cases[] = {
		{1500, 0, 2}, {1499, 0, 2}, {4200, 0, 8}, {9000, 0, 17}, {9216, 0, 17}, {9000, 8, 8},
		{9000, 1, 1}, {1500, 8, 2}, {576, 0, 1},  {1059, 0, 1},  {1060, 0, 2},
	};
	static uint8_t data[255 * 512];
	struct rig *rig = rig_create();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->sectors_max = cases[i].sectors_max;
		rig->ports[0].mtu = cases[i].mtu;
		struct aoe_export *export_ = rig_serve(rig, put);
		const uint8_t n = cases[i].largest;
		rig_expect_done(rig_ask(rig, rig_ata(ATA_READ_EXT, 0, n)));
		rig_expect_done(rig_ask(rig, rig_write(ATA_WRITE_EXT, 0, n, data)));
		rig_expect_ata(rig_ask(rig, rig_ata(ATA_READ_EXT, 0, n + 1)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		rig_expect_ata(rig_ask(rig, rig_write(ATA_WRITE_EXT, 0, n + 1, data)), ATA_STATUS_ERROR,
			       ATA_ERROR_ABORT);
		rig_expect_ata(rig_ask(rig, rig_ata(ATA_READ_EXT, 0, 255)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		const struct rig_answer *answer = rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0));
		cr_expect_eq(answer->frame.config.sector_count, n, "case %zu: what Config tells is what is served", i);
		rig_remove(rig, export_);
	}
	rig_destroy(rig);
}

Test(aoe_ata, sector_count_zero_is_aborted)
{
	const uint8_t opcodes[] = {ATA_READ, ATA_READ_EXT, ATA_WRITE, ATA_WRITE_EXT, ATA_VERIFY, ATA_VERIFY_EXT};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (size_t i = 0; i < sizeof opcodes; i++)
		rig_expect_ata(rig_ask(rig, rig_ata(opcodes[i], 0, 0)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_ata_abort), sizeof opcodes);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_errors), sizeof opcodes);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, the_end_of_the_export_is_exact)
{
	const uint64_t end = (1 << 20) / 512;
	const uint8_t data[1024] = {0};
	static const struct {
		uint64_t from_end, lba;
		uint8_t count;
		bool good;
	} cases[] = {
		{1, 0, 1, true},
		{2, 0, 2, true},
		{1, 0, 2, false},
		{0, 0, 1, false},
		{0, 0xffffffff, 1, false},
		{0, 0x80000000, 1, false},
		{0, ATA_LBA48_MASK, 1, false},
		{0, ATA_LBA48_MASK, 2, false},
	};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint64_t refused = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t lba = cases[i].lba ? cases[i].lba : end - cases[i].from_end;
		uint8_t status = cases[i].good ? ATA_STATUS_READY : ATA_STATUS_ERROR;
		uint8_t error = cases[i].good ? 0 : ATA_ERROR_NOT_FOUND;
		const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_READ_EXT, lba, cases[i].count));
		rig_expect_ata(answer, status, error);
		cr_expect_eq(answer->len_bytes, cases[i].good ? 36u + cases[i].count * 512u : 60u, "no short success");
		rig_expect_ata(rig_ask(rig, rig_write(ATA_WRITE_EXT, lba, cases[i].count, data)), status, error);
		rig_expect_ata(rig_ask(rig, rig_ata(ATA_VERIFY_EXT, lba, cases[i].count)), status, error);
		refused += cases[i].good ? 0 : 3;
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_ata_range), refused);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, a_write_that_lacks_data_is_error_2_and_writes_nothing)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t data[1024];
	memset(data, 0xff, sizeof data);
	const uint32_t lens[] = {0, 1, 512, 1023};
	for (int i = 0; i < 4; i++) {
		struct aoe_frame frame = rig_write(ATA_WRITE_EXT, 0, 2, data);
		frame.ata.data_bytes = lens[i];
		rig_expect_error(rig_ask(rig, frame), AOE_ERROR_ARGUMENT);
	}
	struct aoe_frame frame = rig_write(ATA_WRITE_EXT, 0, 255, data);
	frame.ata.data_bytes = sizeof data;
	rig_expect_error(rig_ask(rig, frame), AOE_ERROR_ARGUMENT);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_argument), 5);
	cr_expect_eq(rig->disk.write_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, a_read_only_export_or_volume_refuses_every_change)
{
	const uint8_t data[512] = {0};
	struct rig *rig = rig_create();
	for (int by_volume = 0; by_volume < 2; by_volume++) {
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->flags |= by_volume ? 0 : WHERRY_AOE_READ_ONLY;
		rig->disk.volume.read_only = by_volume;
		struct aoe_export *export_ = rig_serve(rig, put);
		uint8_t ranges[512] = {0};
		ata_trim_range_emit(ranges, 0, (struct ata_trim_range){0, 1});
		struct aoe_frame trim = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 1, ranges);
		trim.ata.feature = ATA_TRIM_FEATURE;
		rig_expect_ata(rig_ask(rig, rig_write(ATA_WRITE, 0, 1, data)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		rig_expect_ata(rig_ask(rig, rig_write(ATA_WRITE_EXT, 0, 1, data)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		rig_expect_ata(rig_ask(rig, trim), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
		rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH, 0, 0)));
		cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_ata_read_only), 3);
		cr_expect_eq(rig->disk.write_count + rig->disk.discard_count, 0);
		rig_remove(rig, export_);
	}
	rig_destroy(rig);
}

Test(aoe_ata, flush_verify_and_power_commands_are_served)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH_EXT, 0, 0)));
	cr_expect_eq(rig->disk.flush_count, 2);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_flush_ops), 2);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_VERIFY, 0, 255)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_VERIFY_EXT, 1, 1)));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_verify_ops), 2);
	const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_CHECK_POWER_MODE, 0, 0));
	rig_expect_done(answer);
	cr_expect_eq(answer->frame.ata.sector_count, 0xff, "active");
	rig_expect_done(rig_ask(rig, rig_ata(ATA_IDLE_IMMEDIATE, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_IDLE, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_STANDBY_IMMEDIATE, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_STANDBY, 0, 0)));
	cr_expect_eq(rig->disk.flush_count, 4, "standby writes the cache");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_other_ata_ops), 5);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_flush_ops), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, every_other_opcode_is_aborted)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	unsigned count = 0;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		if (ata_commands[opcode].kind != ATA_KIND_UNKNOWN)
			continue;
		rig_expect_ata(rig_ask(rig, rig_ata((uint8_t)opcode, 0, 1)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
		count++;
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_ata_abort), count);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

static struct ata_identify identify(struct rig *rig, uint8_t sector_count)
{
	struct ata_identify result = {.sector_count = 0};
	const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, sector_count));
	rig_expect_done(answer);
	cr_expect_eq(answer->len_bytes, 36 + 512);
	cr_expect_eq(ata_identify_parse(answer->bytes + 36, &result).result, WIRE_OK);
	return result;
}

Test(aoe_ata, identify_describes_the_export)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct ata_identify told = identify(rig, 1);
	cr_expect_str_eq(told.serial, "SN0001");
	cr_expect_str_eq(told.model, "wherry test");
	cr_expect_gt(strlen(told.firmware), 0);
	cr_expect_eq(told.sector_count, (1 << 20) / 512);
	cr_expect_eq(told.physical_shift, 0);
	cr_expect(told.smart_enabled && told.trim && !told.write_cache);
	identify(rig, 0); /* count 0 is tolerated */
	rig_expect_ata(rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 2)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_identify_ops), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, identify_follows_growth_write_back_and_read_only)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->flags |= WHERRY_AOE_READ_ONLY;
	struct aoe_export *export_ = rig_serve(rig, put);
	rig->disk.volume.size_bytes = 1ull << 57;
	rig->disk.volume.write_back = true;
	struct ata_identify told = identify(rig, 1);
	cr_expect_eq(told.sector_count, 1ull << 48);
	cr_expect(told.write_cache);
	cr_expect_not(told.trim, "a read-only export has no TRIM");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, blocks_of_4096_bytes_are_told_as_eight_sectors_each)
{
	struct rig *rig = rig_create();
	struct rig_disk big;
	rig_disk_init(&big, 1 << 20, 4096, 1);
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &big.volume);
	aoe_export_add(rig->lcore, export_, false, 0);
	struct ata_identify told = identify(rig, 1);
	cr_expect_eq(told.physical_shift, 3);
	cr_expect_eq(told.sector_count, (1 << 20) / 512);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 1, 1)));
	rig_remove(rig, export_);
	rig_disk_fini(&big);
	rig_destroy(rig);
}

static struct aoe_frame smart(uint8_t feature, uint8_t lba_low)
{
	struct aoe_frame frame = rig_ata(ATA_SMART, lba_low | ATA_SMART_LBA_MID << 8 | ATA_SMART_LBA_HIGH << 16, 1);
	frame.ata.feature = feature;
	return frame;
}

Test(aoe_ata, smart_commands_of_aoeping_are_served)
{
	static const struct {
		uint8_t feature, lba_low;
		bool good, data;
	} cases[] = {
		{ATA_SMART_READ_DATA, 0, true, true},
		{ATA_SMART_READ_LOG, 0, true, true},
		{ATA_SMART_READ_LOG, 1, true, true},
		{ATA_SMART_READ_LOG, 6, true, true},
		{ATA_SMART_READ_LOG, 2, false, false},
		{ATA_SMART_WRITE_LOG, 0x80, false, false},
		{ATA_SMART_OFFLINE_IMMEDIATE, 0, true, false},
		{ATA_SMART_OFFLINE_IMMEDIATE, 127, true, false},
		{ATA_SMART_OFFLINE_IMMEDIATE, 1, false, false},
		{ATA_SMART_RETURN_STATUS, 0, true, false},
		{ATA_SMART_AUTOSAVE, 0, true, false},
		{ATA_SMART_ENABLE, 0, true, false},
		{0x00, 0, false, false},
	};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint64_t served = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[1060], any = 0;
		memset(bytes, 0xee, sizeof bytes); /* aoeping always sends so many */
		struct aoe_frame frame = smart(cases[i].feature, cases[i].lba_low);
		aoe_frame_emit(bytes, sizeof bytes, &frame);
		const struct rig_answer *answer = rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0);
		rig_expect_ata(answer, cases[i].good ? ATA_STATUS_READY : ATA_STATUS_ERROR,
			       cases[i].good ? 0 : ATA_ERROR_ABORT);
		served += cases[i].good;
		cr_expect_eq(answer->len_bytes, 36 + 512, "case %zu: aoeping takes nothing shorter", i);
		for (int at = 36; at < 36 + 512; at++)
			any |= answer->bytes[at];
		cr_expect_eq(any != 0, cases[i].data, "case %zu: the sector is empty when there is nothing to tell", i);
		cr_expect_eq(answer->frame.ata.lba[1], 0x4f, "case %zu: all is well", i);
		cr_expect_eq(answer->frame.ata.lba[2], 0xc2, "case %zu", i);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_other_ata_ops), served);
	struct aoe_frame unsigned_ = smart(ATA_SMART_RETURN_STATUS, 0);
	unsigned_.ata.lba[1] = 0;
	rig_expect_ata(rig_ask(rig, unsigned_), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	struct aoe_frame two = smart(ATA_SMART_READ_DATA, 0);
	two.ata.sector_count = 2;
	rig_expect_ata(rig_ask(rig, two), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, smart_that_is_off_aborts_until_it_is_on_again)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_done(rig_ask(rig, smart(ATA_SMART_DISABLE, 0)));
	cr_expect_not(identify(rig, 1).smart_enabled);
	rig_expect_ata(rig_ask(rig, smart(ATA_SMART_READ_DATA, 0)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	rig_expect_done(rig_ask(rig, smart(ATA_SMART_ENABLE, 0)));
	cr_expect(identify(rig, 1).smart_enabled);
	rig_expect_done(rig_ask(rig, smart(ATA_SMART_READ_DATA, 0)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, features_say_yes_only_to_what_is_so)
{
	static const struct {
		uint8_t feature;
		bool write_back, good;
	} cases[] = {
		{ATA_FEATURE_WRITE_CACHE_ON, false, false},
		{ATA_FEATURE_WRITE_CACHE_ON, true, true},
		{ATA_FEATURE_WRITE_CACHE_OFF, false, true},
		{ATA_FEATURE_WRITE_CACHE_OFF, true, false},
		{ATA_FEATURE_TRANSFER_MODE, false, true},
		{0x05, false, false},
		{0xaa, false, false},
		{0x00, false, false},
	};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		rig->disk.volume.write_back = cases[i].write_back;
		struct aoe_frame frame = rig_ata(ATA_SET_FEATURES, 0, 0);
		frame.ata.feature = cases[i].feature;
		rig_expect_ata(rig_ask(rig, frame), cases[i].good ? ATA_STATUS_READY : ATA_STATUS_ERROR,
			       cases[i].good ? 0 : ATA_ERROR_ABORT);
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_ata, a_broadcast_other_than_identify_is_silence)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[512] = {0xff};
	uint64_t silent = 0;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		struct aoe_frame frame = rig_broadcast(rig_write((uint8_t)opcode, 0, 1, data));
		const struct rig_answer *answer = rig_ask(rig, frame);
		cr_expect_eq(answer->got, opcode == ATA_IDENTIFY, "opcode %02x", opcode);
		silent += opcode != ATA_IDENTIFY;
	}
	uint8_t bytes[64];
	struct aoe_frame frame = rig_broadcast(rig_ata(ATA_IDENTIFY, 0, 1));
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_expect_not(rig_ask_bytes(rig, bytes, 35, 0, 600)->got, "a short one is no IDENTIFY");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_broadcast_ata), silent + 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), silent + 1);
	cr_expect_eq(rig->disk.write_count, 0, "a broadcast WRITE is ignored");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

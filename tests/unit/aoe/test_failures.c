/* SPDX-License-Identifier: BSD-3-Clause */
/* What other AoE targets are known to get wrong; each is one test. */
#include <stdlib.h>

#include "rig.h"

Test(aoe_failures, runts_are_counted_not_just_lost)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t runt[18] = {0x02, 0x77, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x88, 0xa2, 0x10};
	rig_expect_silence(rig_ask_bytes(rig, runt, sizeof runt, 0, 0));
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_runt], 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, a_directive_count_of_255_reads_no_byte_behind_the_frame)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[60] = {0};
	struct aoe_frame frame = rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	bytes[27] = 255;
	rig_expect_error(rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0), AOE_ERROR_ARGUMENT);
	cr_expect_eq(rig->persist_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, padding_is_not_payload)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t data[1024];
	memset(data, 0xee, sizeof data);
	struct aoe_frame frame = rig_write(ATA_WRITE, 0, 1, data);
	frame.ata.data_bytes = 1024; /* one sector announced, two in the frame */
	rig_expect_done(rig_ask(rig, frame));
	cr_expect_eq(rig->disk.bytes[511], 0xee);
	cr_expect_eq(rig->disk.bytes[512], 0, "the count decides");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_write_bytes), 512);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, flush_ext_is_served)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH_EXT, 0, 0)));
	cr_expect_eq(rig->disk.flush_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, what_identify_advertises_is_served)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 1));
	uint16_t words[256];
	for (int i = 0; i < 256; i++)
		words[i] = (uint16_t)(answer->bytes[36 + 2 * i] | answer->bytes[37 + 2 * i] << 8);
	cr_expect_eq(words[82] & ~0x0009, 0, "SMART and power management, nothing else");
	cr_expect_eq(words[83], 0x7400, "48 bits and both flushes, nothing else");
	cr_expect_eq(words[84], 0x4000);
	cr_expect_eq(words[47] & 0xff, 0, "no READ MULTIPLE");
	cr_expect_eq(words[49], 0x0200, "no DMA");
	cr_expect_eq(words[128], 0, "no security");
	struct aoe_frame smart = rig_ata(ATA_SMART, 0xc24f00, 1);
	smart.ata.feature = ATA_SMART_RETURN_STATUS;
	rig_expect_done(rig_ask(rig, smart));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_IDLE_IMMEDIATE, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ_EXT, 0, 1)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH, 0, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_FLUSH_EXT, 0, 0)));
	uint8_t ranges[512] = {0};
	struct aoe_frame trim = rig_write(ATA_DATA_SET_MANAGEMENT, 0, (uint8_t)words[105], ranges);
	trim.ata.feature = ATA_TRIM_FEATURE;
	cr_expect_eq(words[169] & 1, 1);
	rig_expect_done(rig_ask(rig, trim));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, an_acknowledged_write_is_on_the_medium_not_in_a_cache)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[512] = {0};
	rig->disk.hold = true;
	rig_ask(rig, rig_write(ATA_WRITE_EXT, 0, 1, data));
	rig_expect_silence(rig_next(rig));
	rig_disk_release_all(&rig->disk);
	rig_expect_done(rig_next(rig));
	cr_expect_eq(rig->disk.fua_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, requests_are_not_sorted_by_offset_across_an_overlap)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t data[1024];
	rig->disk.hold = true;
	memset(data, '1', sizeof data);
	rig_ask(rig, rig_write(ATA_WRITE, 9, 2, data));
	memset(data, '2', sizeof data);
	rig_ask(rig, rig_write(ATA_WRITE, 8, 2, data));
	rig_disk_release_all(&rig->disk);
	cr_expect_eq(rig->disk.bytes[8 * 512], '2');
	cr_expect_eq(rig->disk.bytes[9 * 512], '2', "the later one is on top");
	cr_expect_eq(rig->disk.bytes[10 * 512], '1');
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, addresses_beyond_one_and_two_tebibytes_work)
{
	static const uint64_t lbas[] = {1ull << 31, (1ull << 31) + 1, 1ull << 32, (1ull << 33) - 1, (1ull << 48) - 1};
	struct rig *rig = rig_create();
	struct rig_disk *disk = &rig->disk;
	disk->hold = true; /* look at the I/O, never run it on the small memory */
	disk->backend.size_bytes = disk->volume.size_bytes = 1ull << 57;
	struct aoe_export *export_ = rig_serve_one(rig);
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ_EXT, lbas[i], 1))->verdict, AOE_PENDING, "case %d", i);
		cr_assert_eq(disk->held_count, 1);
		struct backend_io *io = disk->held[--disk->held_count];
		cr_expect_eq(io->offset_bytes, lbas[i] * 512, "case %d", i);
		memset(io->iov[0].iov_base, 0, io->len_bytes);
		io->done(io, IO_OK);
		rig_expect_done(rig_next(rig));
	}
	rig_expect_ata(rig_ask(rig, rig_ata(ATA_READ_EXT, (1ull << 48) - 1, 2)), ATA_STATUS_ERROR, ATA_ERROR_NOT_FOUND);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, texts_of_identify_are_swapped_also_the_firmware)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 1));
	const uint8_t *data = answer->bytes + 36;
	cr_expect_eq(memcmp(data + 2 * 10, "NS0010", 6), 0, "serial SN0001");
	cr_expect_eq(memcmp(data + 2 * 27, "hwreyrt se t", 12), 0, "model wherry test");
	cr_expect(data[2 * 23 + 1] >= '0' && data[2 * 23 + 1] <= '9', "firmware starts with a digit");
	cr_expect_eq(data[2 * 23], '.', "in the second place");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, a_broadcast_is_answered_for_every_export_not_the_first)
{
	struct rig *rig = rig_create();
	struct aoe_export *a = rig_serve(rig, rig_put(1, 0)), *b = rig_serve(rig, rig_put(2, 0));
	rig_ask(rig, rig_broadcast(rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), AOE_SHELF_ANY, AOE_SLOT_ANY)));
	cr_expect_eq(rig_poll(rig), 2);
	rig_remove(rig, a);
	rig_remove(rig, b);
	rig_destroy(rig);
}

Test(aoe_failures, a_padded_reserve_frame_is_accepted)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[1056] = {0};
	struct aoe_frame frame = rig_reserve(AOE_RESERVE_READ, NULL, 0);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	rig_expect_ok(rig_ask_bytes(rig, bytes, 60, 0, 0));
	rig_expect_ok(rig_ask_bytes(rig, bytes, sizeof bytes, 0, 0));
	frame = rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_expect_eq(rig_ask_bytes(rig, bytes, 60, 0, 0)->verdict, AOE_PENDING);
	rig_persisted(rig, 0, 2);
	cr_expect_eq(rig_next(rig)->frame.reserve.mac_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_failures, an_io_error_is_told_as_ata_error_so_that_linux_sees_it)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.fail_read = IO_ERR_MEDIA;
	rig_expect_ata(rig_ask(rig, rig_ata(ATA_READ_EXT, 0, 1)), ATA_STATUS_ERROR, ATA_ERROR_UNCORRECTABLE);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

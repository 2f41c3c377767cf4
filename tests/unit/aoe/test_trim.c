/* SPDX-License-Identifier: BSD-3-Clause */
/* DATA SET MANAGEMENT / TRIM. */
#include <stdlib.h>

#include "rig.h"

struct range {
	uint64_t lba;
	uint32_t count;
};

static struct aoe_frame trim(const struct range *ranges, unsigned range_count)
{
	static uint8_t payload[512];
	memset(payload, 0, sizeof payload);
	for (unsigned i = 0; i < range_count; i++)
		ata_trim_range_emit(payload, i, (struct ata_trim_range){ranges[i].lba, ranges[i].count});
	struct aoe_frame frame = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 1, payload);
	frame.ata.feature = ATA_TRIM_FEATURE;
	return frame;
}

Test(aoe_trim, discards_every_range_of_the_payload)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range ranges[] = {{10, 2}, {0, 0}, {20, 1}, {5, 3}};
	rig_expect_done(rig_ask(rig, trim(ranges, 4)));
	cr_expect_eq(rig->disk.discard_count, 3, "an unused entry is none");
	for (unsigned lba = 0; lba < 30; lba++) {
		bool gone = (lba >= 10 && lba < 12) || lba == 20 || (lba >= 5 && lba < 8);
		cr_expect_eq(rig->disk.bytes[lba * 512], gone ? 0xdd : 0, "sector %u", lba);
	}
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_trim_ops), 1, "one command");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth_max), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, neighbouring_ranges_become_one)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range ranges[] = {{0, 100}, {100, 100}, {200, 5}, {300, 1}};
	rig_expect_done(rig_ask(rig, trim(ranges, 4)));
	cr_expect_eq(rig->disk.discard_count, 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, sixty_four_ranges_fit_one_command)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct range ranges[64];
	for (unsigned i = 0; i < 64; i++)
		ranges[i] = (struct range){i * 2, 1};
	rig_expect_done(rig_ask(rig, trim(ranges, 64)));
	cr_expect_eq(rig->disk.discard_count, 64);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, a_range_past_the_end_discards_nothing)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range bad[] = {{2048, 1}, {2047, 2}, {ATA_LBA48_MASK, 65535}, {0, 65535}};
	for (int i = 0; i < 4; i++) {
		const struct range ranges[] = {{0, 1}, bad[i]};
		rig_expect_ata(rig_ask(rig, trim(ranges, 2)), ATA_STATUS_ERROR, ATA_ERROR_NOT_FOUND);
	}
	cr_expect_eq(rig->disk.discard_count, 0, "nothing is half-done");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_ata_range), 4);
	const struct range last = {2047, 1};
	rig_expect_done(rig_ask(rig, trim(&last, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, without_ranges_it_is_done_at_once)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_done(rig_ask(rig, trim(NULL, 0)));
	cr_expect_eq(rig->disk.discard_count, 0);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_trim_ops), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, other_features_and_counts_are_aborted)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range range = {0, 1};
	struct aoe_frame frame = trim(&range, 1);
	frame.ata.feature = 0;
	rig_expect_ata(rig_ask(rig, frame), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	frame = trim(&range, 1);
	frame.ata.sector_count = 0;
	rig_expect_ata(rig_ask(rig, frame), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	uint8_t two[1024] = {0};
	frame = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 2, two);
	frame.ata.feature = ATA_TRIM_FEATURE;
	rig_expect_ata(rig_ask(rig, frame), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	frame = trim(&range, 1);
	frame.ata.data_bytes = 511;
	rig_expect_error(rig_ask(rig, frame), AOE_ERROR_ARGUMENT);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, answers_once_when_the_last_range_is_done_with_the_first_failure)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range ranges[] = {{0, 1}, {10, 1}, {20, 1}};
	rig->disk.hold = true;
	cr_expect_eq(rig_ask(rig, trim(ranges, 3))->verdict, AOE_PENDING);
	cr_expect_eq(rig->disk.held_count, 3, "all were submitted at arrival");
	rig_disk_release(&rig->disk, 2);
	rig->disk.fail_change = IO_ERR_MEDIA;
	rig_disk_release(&rig->disk, 0);
	rig->disk.fail_change = IO_OK;
	rig_expect_silence(rig_next(rig));
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 1);
	rig_disk_release(&rig->disk, 0);
	rig_expect_ata(rig_next(rig), ATA_STATUS_ERROR, ATA_ERROR_UNCORRECTABLE);
	rig_expect_silence(rig_next(rig));
	cr_expect(aoe_export_idle(export_));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, never_takes_away_what_a_later_write_has_put_there)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range ranges[] = {{0, 1}, {10, 1}};
	uint8_t data[512];
	memset(data, 'W', sizeof data);
	rig->disk.hold = true;
	rig_ask(rig, trim(ranges, 2));
	rig_ask(rig, rig_write(ATA_WRITE, 10, 1, data));
	while (rig->disk.held_count)
		rig_disk_release(&rig->disk, rig->disk.held_count - 1);
	cr_expect_eq(rig->disk.bytes[10 * 512], 'W');
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_trim, takes_all_requests_it_needs_or_none)
{
	struct rig *rig = rig_create_with(3);
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct range ranges[] = {{0, 1}, {10, 1}, {20, 1}, {30, 1}};
	rig_expect_done(rig_ask(rig, trim(ranges, 3)));
	rig_expect_ata(rig_ask(rig, trim(ranges, 4)), ATA_STATUS_ERROR, ATA_ERROR_ABORT);
	rig->disk.hold = true;
	rig_ask(rig, rig_ata(ATA_READ, 100, 1));
	cr_expect_eq(rig_ask(rig, trim(ranges, 3))->verdict, AOE_DROP, "two are free, three are needed");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_no_request), 1);
	cr_expect_eq(rig_ask(rig, trim(ranges, 2))->verdict, AOE_PENDING, "the two were given back");
	rig_disk_release_all(&rig->disk);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

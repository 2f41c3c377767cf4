/* SPDX-License-Identifier: BSD-3-Clause */
#include "aoe/history.h"
#include "rig.h"

#define VOLUME 7

Test(aoe_history, a_write_is_overtaken_by_one_that_overlaps_and_came_later)
{
	static const struct {
		const char *name;
		uint64_t volume, lba, arrived_ns;
		uint32_t count;
		bool overtaken;
	} cases[] = {
		{"same sectors, arrived before", VOLUME, 100, 999, 8, true},
		{"same sectors, arrived at that moment", VOLUME, 100, 1000, 8, false},
		{"same sectors, arrived after", VOLUME, 100, 1001, 8, false},
		{"last sector only", VOLUME, 107, 999, 8, true},
		{"first sector only", VOLUME, 93, 999, 8, true},
		{"the sectors before", VOLUME, 92, 999, 8, false},
		{"the sectors after", VOLUME, 108, 999, 8, false},
		{"another volume", VOLUME + 1, 100, 999, 8, false},
	};
	struct aoe_history *history = aoe_history_create();
	aoe_history_record(history, VOLUME, 100, 8, 1000);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(aoe_history_overtaken(history, cases[i].volume, cases[i].lba, cases[i].count,
						   cases[i].arrived_ns),
			     cases[i].overtaken, "%s", cases[i].name);
	aoe_history_destroy(history);
}

Test(aoe_history, what_was_pushed_out_counts_as_overtaken)
{
	struct aoe_history *history = aoe_history_create();
	aoe_history_record(history, VOLUME, 5, 1, 1000);
	for (uint64_t lba = 1000; lba < 1000 + 200000; lba++)
		aoe_history_record(history, VOLUME, lba, 1, 2000);
	cr_expect(aoe_history_overtaken(history, VOLUME, 5, 1, 900), "its entry is gone, but nobody may conclude that "
								     "it was never there");
	cr_expect_not(aoe_history_overtaken(history, VOLUME, 5, 1, 2000));
	aoe_history_destroy(history);
}

/* Against a list of everything that was written: never a miss. */
Test(aoe_history, nothing_overtaken_is_missed)
{
	enum { SECTORS = 5000, STEPS = 60000 };
	static uint64_t last_ns[SECTORS + 16];
	struct aoe_history *history = aoe_history_create();
	uint32_t random = 1, found = 0;
	for (uint64_t now_ns = 1; now_ns < STEPS; now_ns++) {
		random = random * 1664525u + 1013904223u;
		uint64_t lba = (random >> 8) % SECTORS;
		uint32_t count = 1 + (random >> 28);
		uint64_t arrived_ns = now_ns - (random >> 4) % 300;
		bool truth = false;
		for (uint32_t i = 0; i < count; i++)
			truth |= last_ns[lba + i] > arrived_ns && arrived_ns < now_ns;
		if (arrived_ns > now_ns)
			continue;
		bool told = aoe_history_overtaken(history, VOLUME, lba, count, arrived_ns);
		cr_assert(told || !truth, "at %lu", (unsigned long)now_ns);
		found += truth;
		aoe_history_record(history, VOLUME, lba, count, now_ns);
		for (uint32_t i = 0; i < count; i++)
			last_ns[lba + i] = now_ns;
	}
	cr_expect_gt(found, 1000, "the test met the case that it is about");
	aoe_history_destroy(history);
}

Test(aoe_history, a_large_trim_overtakes_everything_before_it)
{
	struct aoe_history *history = aoe_history_create();
	aoe_history_record_all(history, VOLUME, 1000);
	cr_expect(aoe_history_overtaken(history, VOLUME, 1, 1, 999));
	cr_expect_not(aoe_history_overtaken(history, VOLUME, 1, 1, 1000));
	cr_expect(aoe_history_any_since(history, VOLUME, 999));
	cr_expect_not(aoe_history_any_since(history, VOLUME, 1000));
	cr_expect_not(aoe_history_any_since(history, VOLUME + 1, 999), "another volume's writes are no reason");
	cr_expect_not(aoe_history_overtaken(history, VOLUME + 1, 1, 1, 999));
	aoe_history_destroy(history);
}

/* A waits in the queue of port 1; its retransmission and a later write come by port 0. */
Test(aoe_history, a_write_that_its_retransmission_passed_by_undoes_nothing)
{
	const uint8_t old[512] = "old", new[512] = "new";
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->now_ns = 1000000;
	rig->arrived_ns = 999000;
	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 8, 1, old), 0));
	rig->now_ns = 1100000;
	rig->arrived_ns = 1099000;
	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 8, 1, new), 0));

	rig->now_ns = 1200000;
	rig->arrived_ns = 500000; /* since then its queue was not looked at */
	rig_expect_silence(rig_ask_port(rig, rig_write(ATA_WRITE, 8, 1, old), 1));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 1);
	cr_expect_arr_eq(rig->disk.bytes + 8 * 512, new, 512);

	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 9, 1, old), 1));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 1,
		     "what nobody wrote meanwhile is as good as in time");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_history, a_trim_that_was_passed_by_takes_nothing_away)
{
	uint8_t range[512] = {8, 0, 0, 0, 0, 0, 4, 0};
	const uint8_t new[512] = "new";
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->now_ns = 1000000;
	rig->arrived_ns = 999000;
	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 8, 1, new), 0));
	struct aoe_frame trim = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 1, range);
	trim.ata.feature = ATA_TRIM_FEATURE;
	rig->arrived_ns = 500000;
	rig_expect_silence(rig_ask_port(rig, trim, 1));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 1);
	cr_expect_eq(rig->disk.discard_count, 0);
	rig->arrived_ns = 1000000;
	rig_expect_done(rig_ask_port(rig, trim, 1));
	cr_expect_eq(rig->disk.discard_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

/* Ranges of a payload, each at (lba, count). */
static struct aoe_frame trim_of(const uint64_t (*ranges)[2], unsigned count)
{
	static uint8_t payload[512];
	memset(payload, 0, sizeof payload);
	for (unsigned i = 0; i < count; i++)
		ata_trim_range_emit(payload, i, (struct ata_trim_range){ranges[i][0], (uint16_t)ranges[i][1]});
	struct aoe_frame frame = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 1, payload);
	frame.ata.feature = ATA_TRIM_FEATURE;
	return frame;
}

Test(aoe_history, a_small_trim_is_overtaken_by_what_overlaps_it_only)
{
	const uint8_t data[512] = "data";
	const uint64_t apart[2][2] = {{16, 8}, {64, 8}}, over[2][2] = {{16, 8}, {32, 1}}, large[1][2] = {{16, 1025}};
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->now_ns = 1000000;
	rig->arrived_ns = 999000;
	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 32, 1, data), 0));
	rig->arrived_ns = 500000;
	rig_expect_silence(rig_ask_port(rig, trim_of(over, 2), 1));
	rig_expect_silence(rig_ask_port(rig, trim_of(large, 1), 1));
	rig->now_ns = 1100000;
	rig_expect_done(rig_ask_port(rig, trim_of(apart, 2), 1));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 2);
	/* It has overtaken what it covers itself, and nothing else. */
	rig->arrived_ns = 600000;
	rig_expect_silence(rig_ask_port(rig, rig_write(ATA_WRITE, 71, 1, data), 0));
	rig_expect_done(rig_ask_port(rig, rig_write(ATA_WRITE, 72, 1, data), 0));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every request, cut at every byte, in a buffer of exactly that size: silence
 * without a whole header, error 2 (or an answer, where the counts allow) with
 * one, and never a byte read behind the end.
 */
#include <stdlib.h>

#include "rig.h"

struct sample {
	const char *name;
	struct aoe_frame frame;
	uint32_t whole_bytes; /* of the untagged frame: from here on it is served */
};

static unsigned samples(struct sample *out)
{
	static uint8_t data[1024];
	static struct aoe_directive directives[3] = {{AOE_DIRECTIVE_NONE, {0}}, {AOE_DIRECTIVE_NONE, {0}}, {0, {0}}};
	static const uint8_t macs[18] = {0};
	struct aoe_frame trim = rig_write(ATA_DATA_SET_MANAGEMENT, 0, 1, data);
	trim.ata.feature = ATA_TRIM_FEATURE;
	const struct sample list[] = {
		{"read", rig_ata(ATA_READ, 0, 1), 36},
		{"write", rig_write(ATA_WRITE, 0, 2, data), 36 + 1024},
		{"trim", trim, 36 + 512},
		{"identify", rig_ata(ATA_IDENTIFY, 0, 1), 36},
		{"flush", rig_ata(ATA_FLUSH, 0, 0), 36},
		{"config read", rig_config(AOE_CONFIG_READ, NULL, 0), 32},
		{"config set", rig_config(AOE_CONFIG_SET, "0123456789", 10), 42},
		{"mask read", rig_mask_read(), 28},
		{"mask edit", rig_mask_edit(directives, 3), 52},
		{"reserve read", rig_reserve(AOE_RESERVE_READ, NULL, 0), 26},
		{"reserve set", rig_reserve(AOE_RESERVE_FORCE, macs, 3), 44},
	};
	memcpy(out, list, sizeof list);
	return sizeof list / sizeof *list;
}

static void cut_everywhere(bool tagged, uint32_t tailroom_bytes)
{
	struct sample list[16];
	const unsigned count = samples(list);
	const uint32_t shift = tagged ? 4 : 0;
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->vlans.count = 1;
	put->vlans.v[0] = tagged ? 9 : 0;
	struct aoe_export *export_ = rig_serve(rig, put);
	for (unsigned i = 0; i < count; i++) {
		uint8_t bytes[2000];
		struct aoe_frame frame = tagged ? rig_tagged(list[i].frame, 9) : list[i].frame;
		const uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
		cr_assert_eq(len, list[i].whole_bytes + shift, "%s", list[i].name);
		for (uint32_t n = 0; n <= len; n++) {
			uint64_t runts = rig->lcore_stats[WHERRY_LCORE_aoe_drop_runt];
			uint64_t others = rig->lcore_stats[WHERRY_LCORE_drop_eth_type];
			const struct rig_answer *answer = rig_ask_bytes(rig, bytes, n, 0, tailroom_bytes);
			if (n < 24 + shift) {
				cr_expect_not(answer->got, "%s cut to %u", list[i].name, n);
				cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_runt] - runts +
						     rig->lcore_stats[WHERRY_LCORE_drop_eth_type] - others,
					     1, "%s cut to %u is counted", list[i].name, n);
			} else if (n < len) {
				cr_assert(answer->got, "%s cut to %u", list[i].name, n);
				cr_expect_eq(answer->frame.header.error, AOE_ERROR_ARGUMENT, "%s cut to %u",
					     list[i].name, n);
			} else if (answer->got) {
				cr_expect_eq(answer->frame.header.error, 0, "%s whole", list[i].name);
			} else {
				rig_persisted(rig, 0, 2 + i);
				rig_expect_ok(rig_next(rig));
			}
		}
	}
	cr_expect_eq(rig->persist_count, 2, "only the whole ones change anything");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_truncation, untagged_frames_in_buffers_of_exact_size)
{
	cut_everywhere(false, 0);
}

Test(aoe_truncation, untagged_frames_answered_in_place)
{
	cut_everywhere(false, 2000);
}

Test(aoe_truncation, tagged_frames_in_buffers_of_exact_size)
{
	cut_everywhere(true, 0);
}

Test(aoe_truncation, tagged_frames_answered_in_place)
{
	cut_everywhere(true, 2000);
}

Test(aoe_truncation, wildcard_frames_in_buffers_of_exact_size)
{
	struct sample list[16];
	const unsigned count = samples(list);
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	for (unsigned i = 0; i < count; i++) {
		uint8_t bytes[2000];
		struct aoe_frame frame = rig_to(list[i].frame, AOE_SHELF_ANY, AOE_SLOT_ANY);
		const uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
		const bool ata = frame.header.command == AOE_COMMAND_ATA;
		for (uint32_t n = 24; n < len; n++) {
			rig_ask_bytes(rig, bytes, n, 0, 0);
			rig_poll(rig);
			const struct rig_answer *answer = rig_next(rig);
			if (ata && frame.ata.command == ATA_IDENTIFY && n >= 36)
				rig_expect_done(answer);
			else if (ata)
				rig_expect_silence(answer);
			else
				rig_expect_error(answer, AOE_ERROR_ARGUMENT);
		}
	}
	cr_expect_eq(rig->persist_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

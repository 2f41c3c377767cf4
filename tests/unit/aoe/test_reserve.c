/* SPDX-License-Identifier: BSD-3-Clause */
/* Reserve and release. */
#include <stdlib.h>

#include "rig.h"

static struct aoe_export *serve_reserved(struct rig *rig, const uint8_t mac[6])
{
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->reserve.count = 1;
	memcpy(put->reserve.mac, mac, 6);
	return rig_serve(rig, put);
}

static void expect_list(const struct rig_answer *answer, uint8_t command, const void *macs, unsigned count)
{
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.reserve.command, command);
	cr_expect_eq(answer->frame.reserve.mac_count, count, "%u addresses", answer->frame.reserve.mac_count);
	if (count)
		cr_expect_eq(memcmp(answer->bytes + 26, macs, count * 6), 0);
}

Test(aoe_reserve, keeps_others_from_ata_but_identify)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_reserved(rig, rig_mac_a);
	const uint8_t data[512] = {0};
	const struct aoe_frame refused[] = {
		rig_ata(ATA_READ, 0, 1),  rig_write(ATA_WRITE, 0, 1, data),
		rig_ata(ATA_FLUSH, 0, 0), rig_ata(ATA_CHECK_POWER_MODE, 0, 0),
		rig_ata(0xff, 0, 0),      rig_write(ATA_WRITE, 0, 1, NULL),
	};
	const unsigned count = sizeof refused / sizeof *refused;
	for (unsigned i = 0; i < count; i++)
		rig_expect_error(rig_ask(rig, rig_from(refused[i], rig_mac_b)), AOE_ERROR_RESERVED);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_reserved), count);
	cr_expect_eq(rig->disk.write_count, 0);
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_IDENTIFY, 0, 1), rig_mac_b)));
	rig_expect_ok(rig_ask(rig, rig_from(rig_config(AOE_CONFIG_READ, NULL, 0), rig_mac_b)));
	rig_expect_ok(rig_ask(rig, rig_from(rig_mask_read(), rig_mac_b)));
	expect_list(rig_ask(rig, rig_from(rig_reserve(AOE_RESERVE_READ, NULL, 0), rig_mac_b)), AOE_RESERVE_READ,
		    rig_mac_a, 1);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, set_answers_the_list_when_it_is_durable)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t macs[12];
	memcpy(macs, rig_mac_a, 6);
	memcpy(macs + 6, rig_mac_b, 6);
	cr_expect_eq(rig_ask(rig, rig_reserve(AOE_RESERVE_SET, macs, 2))->verdict, AOE_PENDING);
	cr_expect_eq(rig->persist.change, WHERRY_AOE_CHANGE_RESERVE);
	cr_expect_eq(rig->persist.list_count, 2);
	cr_expect_arr_eq(rig->persist.list[0].b, macs, 12);
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_c)));
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_SET, macs, 2);
	rig_expect_error(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_c)), AOE_ERROR_RESERVED);
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_b)));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_reserve_ops), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, only_a_holder_may_set_but_anybody_may_force)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_reserved(rig, rig_mac_a);
	rig_expect_error(rig_ask(rig, rig_from(rig_reserve(AOE_RESERVE_SET, rig_mac_b, 1), rig_mac_b)),
			 AOE_ERROR_RESERVED);
	rig_expect_error(rig_ask(rig, rig_from(rig_reserve(AOE_RESERVE_SET, NULL, 0), rig_mac_b)), AOE_ERROR_RESERVED);
	rig_ask(rig, rig_from(rig_reserve(AOE_RESERVE_FORCE, rig_mac_b, 1), rig_mac_b));
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_FORCE, rig_mac_b, 1);
	rig_expect_error(rig_ask(rig, rig_ata(ATA_READ, 0, 1)), AOE_ERROR_RESERVED);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, an_empty_list_releases_and_releasing_again_succeeds)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_reserved(rig, rig_mac_a);
	rig_ask(rig, rig_reserve(AOE_RESERVE_SET, NULL, 0));
	cr_expect_eq(rig->persist.list_count, 0);
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_SET, NULL, 0);
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_b)));
	expect_list(rig_ask(rig, rig_reserve(AOE_RESERVE_SET, NULL, 0)), AOE_RESERVE_SET, NULL, 0);
	expect_list(rig_ask(rig, rig_from(rig_reserve(AOE_RESERVE_SET, NULL, 0), rig_mac_b)), AOE_RESERVE_SET, NULL, 0);
	cr_expect_eq(rig->persist_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, a_repeated_set_that_omits_its_sender_succeeds)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_reserved(rig, rig_mac_a);
	rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_b, 1));
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_SET, rig_mac_b, 1);
	expect_list(rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_b, 1)), AOE_RESERVE_SET, rig_mac_b, 1);
	rig_expect_error(rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1)), AOE_ERROR_RESERVED);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, counts_beyond_the_frame_and_unknown_sub_commands_are_error_2)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[60];
	struct aoe_frame frame = rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1);
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	for (unsigned count = 2; count < 256; count++) {
		bytes[25] = (uint8_t)count;
		rig_expect_error(rig_ask_bytes(rig, bytes, len, 0, 64), AOE_ERROR_ARGUMENT);
	}
	bytes[25] = 1;
	for (unsigned command = 3; command < 256; command++) {
		bytes[24] = (uint8_t)command;
		rig_expect_error(rig_ask_bytes(rig, bytes, len, 0, 64), AOE_ERROR_ARGUMENT);
	}
	cr_expect_eq(rig->persist_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, the_operator_can_forbid_force_but_not_set)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->flags &= ~WHERRY_AOE_REMOTE_FORCE_RESERVE;
	struct aoe_export *export_ = rig_serve(rig, put);
	rig_expect_error(rig_ask(rig, rig_reserve(AOE_RESERVE_FORCE, rig_mac_a, 1)), AOE_ERROR_ARGUMENT);
	rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1));
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_SET, rig_mac_a, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, a_list_of_255_needs_a_jumbo_port)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t macs[255][6];
	for (unsigned i = 0; i < 255; i++) {
		const uint8_t mac[6] = {2, 0, 0, 0, 1, (uint8_t)i};
		memcpy(macs[i], mac, 6);
	}
	rig_ask_port(rig, rig_reserve(AOE_RESERVE_SET, macs, 255), 1);
	rig_persisted(rig, 0, 2);
	expect_list(rig_next(rig), AOE_RESERVE_SET, macs, 255);
	expect_list(rig_ask_port(rig, rig_reserve(AOE_RESERVE_READ, NULL, 0), 1), AOE_RESERVE_READ, macs, 255);
	rig_expect_error(rig_ask(rig, rig_reserve(AOE_RESERVE_READ, NULL, 0)), AOE_ERROR_UNAVAILABLE);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_reserve, the_mask_comes_first)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->mask.count = put->reserve.count = 1;
	memcpy(put->mask.mac, rig_mac_a, 6);
	memcpy(put->reserve.mac, rig_mac_b, 6);
	struct aoe_export *export_ = rig_serve(rig, put);
	rig_expect_silence(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_b)));
	rig_expect_error(rig_ask(rig, rig_ata(ATA_READ, 0, 1)), AOE_ERROR_RESERVED);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

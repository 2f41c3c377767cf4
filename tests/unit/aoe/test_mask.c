/* SPDX-License-Identifier: BSD-3-Clause */
/* MAC mask list: what it keeps out, how it is edited. */
#include <stdlib.h>

#include "rig.h"

static struct aoe_export *serve_with_mask(struct rig *rig, const uint8_t (*macs)[6], unsigned count)
{
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->mask.count = (uint16_t)count;
	memcpy(put->mask.mac, macs, count * 6);
	return rig_serve(rig, put);
}

static const uint8_t *listed(const struct rig_answer *answer, unsigned index)
{
	return answer->bytes + 28 + index * 8 + 2;
}

static void expect_mask_error(const struct rig_answer *answer, uint8_t error, uint8_t index)
{
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.mask.error, error, "MError %u", answer->frame.mask.error);
	cr_expect_eq(answer->frame.mask.directive_count, index, "index %u", answer->frame.mask.directive_count);
	cr_expect_eq(answer->len_bytes, 60, "no list with a refusal");
}

Test(aoe_mask, an_unlisted_source_gets_silence_for_every_command)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_mask(rig, &rig_mac_a, 1);
	struct aoe_frame version = rig_ata(ATA_READ, 0, 1), unknown = rig_ata(ATA_READ, 0, 1);
	version.header.version = 2;
	unknown.header.command = 0xf0;
	const struct aoe_frame frames[] = {
		rig_ata(ATA_READ, 0, 1),
		rig_ata(ATA_IDENTIFY, 0, 1),
		rig_broadcast(rig_ata(ATA_IDENTIFY, 0, 1)),
		rig_config(AOE_CONFIG_READ, NULL, 0),
		rig_broadcast(rig_config(AOE_CONFIG_READ, NULL, 0)),
		rig_config(AOE_CONFIG_FORCE, "x", 1),
		rig_mask_read(),
		rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b),
		rig_reserve(AOE_RESERVE_READ, NULL, 0),
		rig_reserve(AOE_RESERVE_FORCE, rig_mac_b, 1),
		version,
		unknown,
	};
	const unsigned count = sizeof frames / sizeof *frames;
	for (unsigned i = 0; i < count; i++)
		rig_expect_silence(rig_ask(rig, rig_from(frames[i], rig_mac_b)));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_masked), count);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_in), count);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_out), 0);
	cr_expect_eq(rig_client_stat(rig, rig_mac_b, WHERRY_CLIENT_drops), count);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, every_listed_source_is_served_wherever_it_is_in_the_list)
{
	struct rig *rig = rig_create();
	uint8_t macs[185][6];
	for (unsigned i = 0; i < 185; i++) {
		const uint8_t mac[6] = {2, 0, 0, 0, (uint8_t)(i * 7), (uint8_t)i};
		memcpy(macs[i], mac, 6);
	}
	struct aoe_export *export_ = serve_with_mask(rig, (const uint8_t(*)[6])macs, 185);
	for (unsigned i = 0; i < 185; i += 23) {
		rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), macs[i])));
		rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), macs[184 - i])));
		rig_expect_silence(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_a)));
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, read_returns_the_whole_list)
{
	struct rig *rig = rig_create();
	const uint8_t macs[2][6] = {{0x02, 0xc1, 0, 0, 0, 0x0a}, {2, 9, 9, 9, 9, 9}};
	struct aoe_export *export_ = serve_with_mask(rig, macs, 2);
	const struct rig_answer *answer = rig_ask(rig, rig_mask_read());
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.mask.error, 0);
	cr_expect_eq(answer->frame.mask.directive_count, 2);
	cr_expect_arr_eq(listed(answer, 0), macs[0], 6);
	cr_expect_arr_eq(listed(answer, 1), macs[1], 6);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_mask_ops), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, an_edit_answers_the_new_list_when_it_is_durable)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct aoe_directive directives[4] = {{AOE_DIRECTIVE_ADD, {0}},
					      {AOE_DIRECTIVE_NONE, {0}},
					      {AOE_DIRECTIVE_ADD, {0}},
					      {AOE_DIRECTIVE_DELETE, {0}}};
	memcpy(directives[0].mac, rig_mac_a, 6);
	memcpy(directives[2].mac, rig_mac_b, 6);
	memcpy(directives[3].mac, rig_mac_c, 6); /* absent: success */
	cr_expect_eq(rig_ask(rig, rig_mask_edit(directives, 4))->verdict, AOE_PENDING);
	cr_expect_eq(rig->persist.change, WHERRY_AOE_CHANGE_MASK);
	cr_expect_eq(rig->persist.list_count, 2);
	cr_expect_arr_eq(rig->persist.list[0].b, rig_mac_a, 6);
	cr_expect_arr_eq(rig->persist.list[1].b, rig_mac_b, 6);
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_c))); /* not durable: not yet in force */
	rig_persisted(rig, 0, 2);
	const struct rig_answer *answer = rig_next(rig);
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.mask.directive_count, 2);
	cr_expect_arr_eq(listed(answer, 0), rig_mac_a, 6);
	cr_expect_arr_eq(listed(answer, 1), rig_mac_b, 6);
	rig_expect_silence(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_c)));
	rig_expect_done(rig_ask(rig, rig_from(rig_ata(ATA_READ, 0, 1), rig_mac_b)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, adding_what_is_there_and_deleting_what_is_not_changes_nothing)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_mask(rig, &rig_mac_a, 1);
	const struct rig_answer *answer = rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.mask.directive_count, 1);
	answer = rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_DELETE, rig_mac_b));
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.mask.directive_count, 1);
	answer = rig_ask(rig, rig_mask_edit(NULL, 0));
	rig_expect_ok(answer);
	cr_expect_eq(rig->persist_count, 0);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_mask_ops), 3);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, delete_keeps_the_order_of_the_others)
{
	struct rig *rig = rig_create();
	const uint8_t macs[3][6] = {
		{0x02, 0xc1, 0, 0, 0, 0x0a}, {0x02, 0xc1, 0, 0, 0, 0x0b}, {0x02, 0xc1, 0, 0, 0, 0x0c}};
	struct aoe_export *export_ = serve_with_mask(rig, macs, 3);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_DELETE, rig_mac_b));
	rig_persisted(rig, 0, 2);
	const struct rig_answer *answer = rig_next(rig);
	cr_expect_eq(answer->frame.mask.directive_count, 2);
	cr_expect_arr_eq(listed(answer, 0), rig_mac_a, 6);
	cr_expect_arr_eq(listed(answer, 1), rig_mac_c, 6);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, a_bad_directive_is_named_and_those_before_it_stay)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct aoe_directive directives[4] = {
		{AOE_DIRECTIVE_ADD, {0}}, {AOE_DIRECTIVE_ADD, {0}}, {3, {0}}, {AOE_DIRECTIVE_ADD, {2, 2, 2, 2, 2, 2}}};
	memcpy(directives[0].mac, rig_mac_a, 6);
	memcpy(directives[1].mac, rig_mac_b, 6);
	rig_ask(rig, rig_mask_edit(directives, 4));
	cr_expect_eq(rig->persist.list_count, 2);
	rig_persisted(rig, 0, 2);
	expect_mask_error(rig_next(rig), AOE_MASK_BAD_DIRECTIVE, 2);
	cr_expect_eq(rig_ask(rig, rig_mask_read())->frame.mask.directive_count, 2);
	expect_mask_error(rig_ask(rig, rig_mask_edit(directives + 2, 2)), AOE_MASK_BAD_DIRECTIVE, 0);
	directives[0].command = 255;
	expect_mask_error(rig_ask(rig, rig_mask_edit(directives, 1)), AOE_MASK_BAD_DIRECTIVE, 0);
	cr_expect_eq(rig->persist_count, 1, "nothing more to store");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_mask), 3);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_errors), 3);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, the_list_ends_at_185_entries_and_the_answer_fits_mtu_1500)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct aoe_directive directives[185];
	for (unsigned i = 0; i < 185; i++)
		directives[i] = (struct aoe_directive){AOE_DIRECTIVE_ADD, {2, 0, 0, 0, 1, (uint8_t)i}};
	memcpy(directives[0].mac, rig_mac_a, 6);
	rig_ask(rig, rig_mask_edit(directives, 185));
	cr_expect_eq(rig->persist.list_count, 185);
	rig_persisted(rig, 0, 2);
	const struct rig_answer *answer = rig_next(rig);
	cr_expect_eq(answer->frame.mask.directive_count, 185);
	cr_expect_eq(answer->len_bytes, 28 + 185 * 8);

	expect_mask_error(rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b)), AOE_MASK_FULL, 0);
	const struct aoe_directive swap[3] = {{AOE_DIRECTIVE_ADD, {2, 0, 0, 0, 1, 7}}, /* present: needs no room */
					      {AOE_DIRECTIVE_DELETE, {2, 0, 0, 0, 1, 7}},
					      {AOE_DIRECTIVE_ADD, {2, 0, 0, 0, 2, 7}}};
	rig_ask(rig, rig_mask_edit(swap, 3));
	rig_persisted(rig, 0, 3);
	cr_expect_eq(rig_next(rig)->frame.mask.directive_count, 185);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, a_list_that_a_small_port_cannot_carry_is_refused_there)
{
	struct rig *rig = rig_create();
	uint8_t macs[185][6];
	for (unsigned i = 0; i < 185; i++) {
		const uint8_t mac[6] = {2, 0, 0, 0, 1, (uint8_t)i};
		memcpy(macs[i], i ? mac : rig_mac_a, 6);
	}
	struct aoe_export *export_ = serve_with_mask(rig, (const uint8_t(*)[6])macs, 185);
	rig->ports[0].mtu = 576;
	expect_mask_error(rig_ask(rig, rig_mask_read()), AOE_MASK_UNSPECIFIED, 0);
	expect_mask_error(rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b)), AOE_MASK_FULL, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, counts_beyond_the_frame_and_unknown_sub_commands_are_error_2)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[200];
	struct aoe_frame frame = rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a);
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	for (unsigned count = 2; count < 256; count++) {
		bytes[27] = (uint8_t)count;
		rig_expect_error(rig_ask_bytes(rig, bytes, len, 0, 64), AOE_ERROR_ARGUMENT);
	}
	bytes[27] = 1;
	for (unsigned command = 2; command < 256; command++) {
		bytes[25] = (uint8_t)command;
		rig_expect_error(rig_ask_bytes(rig, bytes, len, 0, 64), AOE_ERROR_ARGUMENT);
	}
	cr_expect_eq(rig->persist_count, 0);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_argument), 254 * 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, the_operator_can_lock_the_network_out_of_edits)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->flags &= ~WHERRY_AOE_REMOTE_MASK;
	struct aoe_export *export_ = rig_serve(rig, put);
	expect_mask_error(rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a)), AOE_MASK_UNSPECIFIED, 0);
	cr_expect_eq(rig->persist_count, 0);
	rig_expect_ok(rig_ask(rig, rig_mask_read()));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_mask), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_mask, a_client_that_locks_itself_out_still_hears_that_it_did)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b));
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig_expect_silence(rig_ask(rig, rig_mask_read()));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Wildcard addresses: every export answers, at a bounded pace. */
#include <stdlib.h>

#include "rig.h"

static struct aoe_frame any(struct aoe_frame frame)
{
	return rig_broadcast(rig_to(frame, AOE_SHELF_ANY, AOE_SLOT_ANY));
}

static struct aoe_frame discover(void)
{
	return any(rig_config(AOE_CONFIG_READ, NULL, 0));
}

struct fleet {
	struct aoe_export *exports[600];
	unsigned count;
};

static struct fleet serve_fleet(struct rig *rig, unsigned count)
{
	struct fleet fleet = {.count = count};
	for (unsigned i = 0; i < count; i++)
		fleet.exports[i] = rig_serve(rig, rig_put((uint16_t)(i / 10), (uint8_t)(i % 10)));
	return fleet;
}

static void end_fleet(struct rig *rig, struct fleet *fleet)
{
	for (unsigned i = 0; i < fleet->count; i++)
		rig_remove(rig, fleet->exports[i]);
	rig_destroy(rig);
}

/* Takes the answers and counts them by export; expects the tag. */
static void collect(struct rig *rig, const struct fleet *fleet, const uint8_t tag[4], unsigned *answers)
{
	const struct rig_answer *answer;
	memset(answers, 0, fleet->count * sizeof *answers);
	while ((answer = rig_next(rig))->got) {
		unsigned index = answer->frame.header.shelf * 10u + answer->frame.header.slot;
		cr_assert_lt(index, fleet->count);
		if (!tag || memcmp(answer->frame.header.tag, tag, 4) == 0)
			answers[index]++;
	}
}

Test(aoe_wild, every_export_answers_discovery_once)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 600);
	unsigned answers[600];
	struct aoe_frame frame = discover();
	cr_expect_eq(rig_ask(rig, frame)->verdict, AOE_PENDING);
	cr_expect_eq(rig_poll(rig), 600);
	collect(rig, &fleet, frame.header.tag, answers);
	for (unsigned i = 0; i < 600; i++)
		cr_expect_eq(answers[i], 1, "export %u", i);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_frames_in), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_frames_out), 600);
	cr_expect_eq(rig_stat(fleet.exports[7], WHERRY_EXPORT_frames_in), 1);
	cr_expect_eq(rig_stat(fleet.exports[7], WHERRY_EXPORT_config_ops), 1);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, shelf_and_slot_are_wildcards_on_their_own)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 50);
	unsigned answers[50];
	rig_ask(rig, rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), 3, AOE_SLOT_ANY));
	cr_expect_eq(rig_poll(rig), 10);
	collect(rig, &fleet, NULL, answers);
	for (unsigned i = 0; i < 50; i++)
		cr_expect_eq(answers[i], i / 10 == 3, "export %u", i);
	rig_ask(rig, rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), AOE_SHELF_ANY, 4));
	cr_expect_eq(rig_poll(rig), 5);
	collect(rig, &fleet, NULL, answers);
	for (unsigned i = 0; i < 50; i++)
		cr_expect_eq(answers[i], i % 10 == 4, "export %u", i);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, identify_for_everybody_is_answered_by_everybody)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 20);
	rig_ask(rig, any(rig_ata(ATA_IDENTIFY, 0, 1))); /* all that WinAoE ever sends */
	cr_expect_eq(rig_poll(rig), 20);
	for (unsigned i = 0; i < 20; i++) {
		const struct rig_answer *answer = rig_next(rig);
		rig_expect_done(answer);
		cr_expect_eq(answer->len_bytes, 36 + 512);
	}
	end_fleet(rig, &fleet);
}

Test(aoe_wild, other_ata_for_everybody_is_silence_also_when_unicast)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 3);
	uint8_t data[512];
	memset(data, 0xff, sizeof data);
	rig_ask(rig, any(rig_write(ATA_WRITE, 0, 1, data)));
	rig_ask(rig, rig_to(rig_ata(ATA_READ, 0, 1), AOE_SHELF_ANY, 0));
	cr_expect_eq(rig_poll(rig), 0);
	rig_expect_silence(rig_next(rig));
	cr_expect_eq(rig_stat(fleet.exports[0], WHERRY_EXPORT_drop_broadcast_ata), 2);
	cr_expect_eq(rig_stat(fleet.exports[1], WHERRY_EXPORT_drop_broadcast_ata), 1);
	cr_expect_eq(rig->disk.write_count, 0);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, masks_ports_and_vlans_hold_for_wildcards_too)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->mask.count = 1;
	memcpy(put->mask.mac, rig_mac_b, 6);
	struct aoe_export *masked = rig_serve(rig, put);
	put = rig_put(1, 1);
	put->ports.count = 1, put->ports.v[0] = 1;
	struct aoe_export *other_port = rig_serve(rig, put);
	put = rig_put(1, 2);
	put->vlans.count = 1, put->vlans.v[0] = 9;
	struct aoe_export *tagged = rig_serve(rig, put);
	struct aoe_export *open = rig_serve(rig, rig_put(1, 3));

	rig_ask(rig, discover());
	cr_expect_eq(rig_poll(rig), 1);
	cr_expect_eq(rig_next(rig)->frame.header.slot, 3);
	cr_expect_eq(rig_stat(masked, WHERRY_EXPORT_drop_masked), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), 0);
	rig_ask_port(rig, rig_from(discover(), rig_mac_b), 1);
	cr_expect_eq(rig_poll(rig), 3);
	rig_next(rig), rig_next(rig), rig_next(rig);
	rig_ask(rig, rig_tagged(discover(), 9));
	cr_expect_eq(rig_poll(rig), 1);
	const struct rig_answer *answer = rig_next(rig);
	cr_expect_eq(answer->frame.header.slot, 2);
	cr_expect(answer->frame.eth.tagged && answer->frame.eth.tci == 9);
	rig_remove(rig, masked);
	rig_remove(rig, other_port);
	rig_remove(rig, tagged);
	rig_remove(rig, open);
	rig_destroy(rig);
}

Test(aoe_wild, a_config_test_finds_the_exports_that_hold_the_string)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 30);
	struct wherry_ctl_aoe_state_put state = {.state_generation = 2, .config = {.len = 4, .b = "host"}};
	aoe_export_state_put(fleet.exports[17], &state);
	rig_ask(rig, any(rig_config(AOE_CONFIG_TEST, "host", 4)));
	cr_expect_eq(rig_poll(rig), 1);
	const struct rig_answer *answer = rig_next(rig);
	cr_expect(answer->frame.header.shelf == 1 && answer->frame.header.slot == 7);
	cr_expect_eq(rig_stat(fleet.exports[0], WHERRY_EXPORT_drop_config_mismatch), 1);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, changes_for_everybody_are_stored_one_by_one)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 1);
	rig_ask(rig, any(rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1)));
	cr_expect_eq(rig_poll(rig), 0);
	cr_expect_eq(rig->persist_count, 1);
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	end_fleet(rig, &fleet);
}

Test(aoe_wild, one_poll_sends_a_bounded_number_and_clients_take_turns)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 500);
	rig_ask(rig, discover());
	rig_ask(rig, rig_from(discover(), rig_mac_b));
	unsigned count = aoe_poll(rig->lcore, rig->now_ns), to_b = 0;
	cr_expect_gt(count, 0);
	cr_expect_leq(count, 32);
	for (unsigned i = 0; i < count; i++)
		to_b += memcmp(rig_next(rig)->frame.eth.dst, rig_mac_b, 6) == 0;
	cr_expect_gt(to_b, 0, "the second client does not wait for the end of the first");
	cr_expect_lt(to_b, count);
	cr_expect_eq(rig_poll(rig), 1000 - count);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, the_same_frame_again_is_one_walk)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 100);
	struct aoe_frame frame = discover();
	frame.header.tag[0] = frame.header.tag[1] = frame.header.tag[2] = frame.header.tag[3] = 0; /* as Linux */
	rig_ask(rig, frame);
	for (unsigned i = 0; i < 1000; i++)
		cr_expect_eq(rig_ask(rig, frame)->verdict, AOE_DROP);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_merged], 1000);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_broadcast_queue], 0);
	cr_expect_eq(rig_poll(rig), 100);
	cr_expect_eq(rig_discard(rig), 100);
	rig_ask(rig, frame);
	rig_ask(rig, rig_tagged(frame, 0));
	rig_ask_port(rig, frame, 1);
	rig_ask(rig, rig_from(frame, rig_mac_b));
	cr_expect_eq(rig_poll(rig), 0 + 100 * 4, "another port, tag or source is another request");
	end_fleet(rig, &fleet);
}

Test(aoe_wild, a_new_tag_makes_every_export_answer_the_new_tag)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 100);
	unsigned answers[100];
	struct aoe_frame first = discover(), second = discover();
	rig_ask(rig, first);
	unsigned count = aoe_poll(rig->lcore, rig->now_ns);
	cr_assert(count > 0 && count < 100);
	collect(rig, &fleet, first.header.tag, answers);
	rig_ask(rig, second);
	cr_expect_eq(rig_poll(rig), 100);
	collect(rig, &fleet, second.header.tag, answers);
	for (unsigned i = 0; i < 100; i++)
		cr_expect_eq(answers[i], 1, "export %u", i);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, the_queue_is_bounded_over_all_and_per_client)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 2);
	uint8_t string[8] = {0};
	for (unsigned i = 0; i < 5; i++) {
		string[0] = (uint8_t)i;
		cr_expect_eq(rig_ask(rig, any(rig_config(AOE_CONFIG_TEST, string, 8)))->verdict,
			     i < 4 ? AOE_PENDING : AOE_DROP, "request %u of one client", i);
	}
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_broadcast_queue], 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), 1);
	unsigned taken = 4;
	for (unsigned i = 0; i < 300; i++) {
		const uint8_t mac[6] = {2, 1, 1, 1, (uint8_t)(i >> 8), (uint8_t)i};
		taken += rig_ask(rig, rig_from(discover(), mac))->verdict == AOE_PENDING;
	}
	cr_expect_eq(taken, 256);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_broadcast_queue], 1 + 300 - 252);
	cr_expect_eq(rig_poll(rig), 252 * 2, "a full ring works off like any other");
	rig_discard(rig);
	cr_expect_eq(rig_ask(rig, discover())->verdict, AOE_PENDING, "and has room again");
	end_fleet(rig, &fleet);
}

Test(aoe_wild, padding_is_neither_copied_nor_compared)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 3);
	uint8_t bytes[9000] = {0};
	struct aoe_frame frame = any(rig_ata(ATA_IDENTIFY, 0, 1));
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	rig_ask_bytes(rig, bytes, sizeof bytes, 1, 0); /* padded up to the MTU, as aoe-sancheck does */
	bytes[100] = 1;
	rig_ask_bytes(rig, bytes, sizeof bytes, 1, 0);
	rig_ask_bytes(rig, bytes, len, 1, 0);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_merged], 2);
	cr_expect_eq(rig_poll(rig), 3);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, malformed_ones_get_their_error_from_every_export)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 2);
	struct aoe_frame version = discover(), command = discover(), sub = any(rig_config(9, NULL, 0));
	version.header.version = 3;
	command.header.command = 77;
	rig_ask(rig, version);
	rig_ask(rig, command);
	rig_ask(rig, sub);
	cr_expect_eq(rig_poll(rig), 6);
	unsigned errors[7] = {0};
	for (unsigned i = 0; i < 6; i++)
		errors[rig_next(rig)->frame.header.error]++;
	cr_expect_eq(errors[AOE_ERROR_VERSION], 2);
	cr_expect_eq(errors[AOE_ERROR_COMMAND], 2);
	cr_expect_eq(errors[AOE_ERROR_ARGUMENT], 2);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, without_exports_there_is_nobody_to_ask)
{
	struct rig *rig = rig_create();
	cr_expect_eq(rig_ask(rig, discover())->verdict, AOE_DROP);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_target], 1);
	rig_destroy(rig);
}

Test(aoe_wild, exports_may_come_and_go_during_a_walk)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 100);
	unsigned answers[600];
	struct aoe_frame first = discover(), second = discover();
	rig_ask(rig, first);
	aoe_poll(rig->lcore, rig->now_ns);
	collect(rig, &fleet, NULL, answers);
	rig_ask(rig, second); /* starts in the middle */
	for (unsigned i = 100; i < 130; i++)
		fleet.exports[i] = rig_serve(rig, rig_put((uint16_t)(i / 10), (uint8_t)(i % 10)));
	fleet.count = 130;
	rig_poll(rig);
	collect(rig, &fleet, second.header.tag, answers);
	for (unsigned i = 0; i < 130; i++)
		cr_expect_eq(answers[i], 1, "export %u", i);

	rig_ask(rig, discover());
	aoe_poll(rig->lcore, rig->now_ns);
	while (fleet.count > 10)
		rig_remove(rig, fleet.exports[--fleet.count]);
	rig_poll(rig);
	end_fleet(rig, &fleet);
}

Test(aoe_wild, without_packets_the_walk_waits_a_second_then_is_dropped)
{
	struct rig *rig = rig_create();
	struct fleet fleet = serve_fleet(rig, 40);
	rig_ask(rig, discover());
	rig->heap.count_max = 11; /* the request and ten answers */
	cr_expect_eq(rig_poll(rig), 10);
	for (unsigned i = 0; i < 10; i++)
		rig_expect_ok(rig_next(rig)); /* frees it */
	cr_expect_eq(rig_poll(rig), 10, "it goes on where it was");
	rig->now_ns += 1100000000;
	cr_expect_eq(rig_poll(rig), 0);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_no_buffer], 1);
	cr_expect_eq(rig->heap.out_count, 10, "the request itself is gone");
	end_fleet(rig, &fleet);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Durable changes: waiting for the control plane, and what goes wrong meanwhile. */
#include <errno.h>
#include <stdlib.h>

#include "rig.h"

static unsigned count_out(struct rig *rig)
{
	return rig->out_count - rig->out_first;
}

Test(aoe_change, without_the_control_plane_it_is_error_3)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->persist_result = -EAGAIN;
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1)), AOE_ERROR_UNAVAILABLE);
	rig_expect_error(rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a)), AOE_ERROR_UNAVAILABLE);
	rig_expect_error(rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_a, 1)), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_unavailable), 3);
	cr_expect(aoe_export_idle(export_));
	rig->persist_result = 0;
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1))->verdict, AOE_PENDING, "and then it works");
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, a_failure_of_the_control_plane_changes_nothing)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_reserve(AOE_RESERVE_SET, rig_mac_b, 1));
	rig_persisted(rig, -EIO, 0);
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(rig_ask(rig, rig_reserve(AOE_RESERVE_READ, NULL, 0))->frame.reserve.mac_count, 0);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, retransmissions_while_pending_end_in_success)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct aoe_frame firsts[] = {rig_config(AOE_CONFIG_SET, "mine", 4),
					   rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a),
					   rig_reserve(AOE_RESERVE_SET, rig_mac_b, 1)};
	for (int i = 0; i < 3; i++) {
		struct aoe_frame again = firsts[i];
		unsigned stored = rig->persist_count;
		again.header.tag[0] ^= 0x80;
		cr_expect_eq(rig_ask(rig, firsts[i])->verdict, AOE_PENDING);
		cr_expect_eq(rig_ask(rig, again)->verdict, AOE_PENDING);
		cr_expect_eq(aoe_lcore_under_way(rig->lcore), 2);
		rig_persisted(rig, 0, (uint64_t)i + 2);
		cr_expect_eq(count_out(rig), 2);
		const struct rig_answer *answer = rig_next(rig);
		rig_expect_ok(answer);
		cr_expect_arr_eq(answer->frame.header.tag, firsts[i].header.tag, 4);
		answer = rig_next(rig);
		rig_expect_ok(answer);
		cr_expect_arr_eq(answer->frame.header.tag, again.header.tag, 4);
		cr_expect_eq(rig->persist_count, stored + 1, "stored once");
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, different_changes_wait_for_each_other_in_order)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1));
	cr_expect_eq(rig->persist_count, 1);
	rig_persisted(rig, 0, 2);
	cr_expect_eq(rig->persist_count, 2);
	cr_expect_eq(rig->persist.base_generation, 2);
	cr_expect_eq(rig->persist.list_count, 2, "computed on what the first one made");
	cr_expect_eq(rig_next(rig)->frame.mask.directive_count, 1);
	rig_persisted(rig, 0, 3);
	cr_expect_eq(rig->persist.change, WHERRY_AOE_CHANGE_CONFIG);
	cr_expect_eq(rig_next(rig)->frame.mask.directive_count, 2);
	rig_persisted(rig, 0, 4);
	cr_expect_eq(rig_next(rig)->frame.header.command, AOE_COMMAND_CONFIG);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, one_that_waited_is_judged_by_the_state_it_then_finds)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "first", 5));
	rig_ask(rig, rig_from(rig_config(AOE_CONFIG_SET, "second", 6), rig_mac_b));
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig_expect_error(rig_next(rig), AOE_ERROR_CONFIG_SET);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, one_that_waited_behind_a_failure_has_its_own_try)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1));
	rig_persisted(rig, -EIO, 0);
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(rig->persist_count, 2);
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, the_queue_behind_it_is_bounded)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct aoe_frame frame = rig_config(AOE_CONFIG_SET, "x", 1);
	unsigned taken = 0;
	while (rig_ask(rig, frame)->verdict == AOE_PENDING)
		taken++;
	cr_expect_eq(taken, 17, "one pending, sixteen waiting");
	rig_expect_error(rig_ask(rig, frame), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 17);
	rig_expect_ok(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0))); /* reading goes on */
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_persisted(rig, 0, 2);
	for (unsigned i = 0; i < taken; i++)
		rig_expect_ok(rig_next(rig));
	cr_expect_eq(rig->persist_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

static void operator_sets_string(struct aoe_export *export_, uint64_t generation, const char *string)
{
	static struct wherry_ctl_aoe_state_put put;
	memset(&put, 0, sizeof put);
	put.export_id = aoe_export_id(export_);
	put.state_generation = generation;
	put.config.len = (uint16_t)strlen(string);
	memcpy(put.config.b, string, put.config.len);
	aoe_export_state_put(export_, &put);
}

static void expect_string(struct rig *rig, const char *string)
{
	const struct rig_answer *answer = rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0));
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.config.string_bytes, strlen(string));
	cr_expect_eq(memcmp(answer->bytes + 32, string, strlen(string)), 0, "\"%s\"", string);
}

Test(aoe_change, the_operators_state_counts_only_when_it_is_newer)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	operator_sets_string(export_, 5, "five");
	expect_string(rig, "five");
	operator_sets_string(export_, 5, "again");
	expect_string(rig, "five");
	operator_sets_string(export_, 4, "four");
	expect_string(rig, "five");
	operator_sets_string(export_, 6, "six");
	expect_string(rig, "six");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, a_change_overtaken_by_the_operator_is_computed_anew)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	operator_sets_string(export_, 2, "op");
	rig_persisted(rig, -EAGAIN, 0);
	cr_expect_eq(rig->persist_count, 2);
	cr_expect_eq(rig->persist.base_generation, 2);
	rig_persisted(rig, 0, 3);
	cr_expect_eq(rig_next(rig)->frame.mask.directive_count, 1);
	expect_string(rig, "op");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

static void operator_sets_mask(struct aoe_export *export_, uint64_t generation, const uint8_t mac[6])
{
	struct wherry_ctl_aoe_state_put put = {.state_generation = generation, .mask = {.count = 1}};
	memcpy(put.mask.mac[0].b, mac, sizeof put.mask.mac[0].b);
	aoe_export_state_put(export_, &put);
}

Test(aoe_change, a_client_that_the_operator_has_shut_out_meanwhile_cannot_let_itself_in_again)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "waits", 5));
	operator_sets_mask(export_, 2, rig_mac_b);
	rig_persisted(rig, -EAGAIN, 0);
	cr_expect_eq(rig->persist_count, 1, "the change is not computed anew for one that may not ask");
	rig_expect_silence(rig_next(rig));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_masked), 2);
	cr_expect(aoe_export_idle(export_));
	cr_expect_eq(rig_ask(rig, rig_from(rig_mask_read(), rig_mac_b))->frame.mask.directive_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, who_waits_behind_the_edit_that_shuts_it_out_gets_silence)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_from(rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_b), rig_mac_b));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "late", 4));
	rig_ask(rig, rig_from(rig_config(AOE_CONFIG_SET, "mine", 4), rig_mac_b));
	rig_persisted(rig, 0, 2);
	cr_expect_eq(rig->persist_count, 2);
	cr_expect_arr_eq(rig->persist_config, "mine", 4);
	rig_expect_ok(rig_next(rig));
	rig_expect_silence(rig_next(rig));
	rig_persisted(rig, 0, 3);
	rig_expect_ok(rig_next(rig));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_masked), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, one_that_is_overtaken_again_and_again_is_given_up)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	for (uint64_t generation = 2; count_out(rig) == 0; generation++) {
		cr_assert_lt(generation, 10);
		operator_sets_string(export_, generation, "op");
		rig_persisted(rig, -EAGAIN, 0);
	}
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(rig->persist_count, 3);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, again_without_a_newer_state_is_error_3)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a));
	rig_persisted(rig, -EAGAIN, 0);
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, a_newer_state_of_the_operator_is_not_undone_by_an_older_reply)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "client", 6));
	operator_sets_string(export_, 3, "operator"); /* stored after the client's, arrives before its reply */
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	expect_string(rig, "operator");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, removal_tells_everybody_who_waits_and_a_late_reply_does_no_harm)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "y", 1));
	cr_expect_not(aoe_export_idle(export_));
	rig_remove(rig, export_);
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	rig_expect_error(rig_next(rig), AOE_ERROR_UNAVAILABLE);
	rig_persisted(rig, 0, 2);
	export_ = rig_serve_one(rig); /* the same place */
	rig_persisted(rig, 0, 9);
	rig_expect_silence(rig_next(rig));
	expect_string(rig, "");
	aoe_on_persisted(rig->lcore, UINT64_MAX, 0, 9, 0);
	aoe_on_persisted(rig->lcore, 0, 0, 9, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, replacing_the_export_takes_pending_changes_along)
{
	struct rig *rig = rig_create();
	struct aoe_export *old = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "kept", 4));
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "kept", 4));
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &rig->disk.volume);
	cr_assert_eq(aoe_export_add(rig->lcore, export_, false, 0), old);
	cr_expect(aoe_export_idle(old), "nothing holds the old one");
	aoe_export_destroy(old);
	cr_expect_not(aoe_export_idle(export_));
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig_expect_ok(rig_next(rig));
	expect_string(rig, "kept");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, ones_that_wait_are_asked_again_where_they_came_from)
{
	static const struct {
		const char *name;
		uint16_t ports[1], vlans[1];
		unsigned port_count, vlan_count;
	} cases[] = {{"another port", {1}, {0}, 1, 0}, {"another VLAN", {0}, {7}, 1, 1}};
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = rig_create();
		struct aoe_export *old = rig_serve_one(rig);
		rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "first", 5));
		rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "second", 6));
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->ports.count = (uint16_t)cases[i].port_count;
		put->ports.v[0] = cases[i].ports[0];
		put->vlans.count = (uint16_t)cases[i].vlan_count;
		put->vlans.v[0] = cases[i].vlans[0];
		struct aoe_export *export_ = aoe_export_create(put, &rig->disk.volume);
		cr_assert_eq(aoe_export_add(rig->lcore, export_, false, 0), old);
		aoe_export_destroy(old);
		rig_persisted(rig, 0, 2);
		rig_expect_ok(rig_next(rig)); /* it is durable, and was allowed when it was asked for */
		cr_expect_eq(rig->persist_count, 1, "%s", cases[i].name);
		rig_expect_silence(rig_next(rig));
		cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_target], 1);
		rig_remove(rig, export_);
		rig_destroy(rig);
	}
}

/* A control plane that answers before it returns. */
struct eager {
	struct rig *rig;
	unsigned count;
};
static struct eager eager;

static void eager_output(void *ctx, struct pkt *pkt)
{
	struct rig *rig = ((struct eager *)ctx)->rig;
	rig->out[rig->out_count++] = pkt;
}

static int eager_persist(void *ctx, const struct aoe_persist *change)
{
	struct eager *self = ctx;
	self->count++;
	aoe_on_persisted(self->rig->lcore, change->cookie, 0, change->base_generation + 1, 0);
	return 0;
}

Test(aoe_change, a_control_plane_that_answers_at_once_is_fine)
{
	struct rig *rig = rig_create();
	struct aoe_env env = {
		.ctx = &eager,
		.pool = pkt_heap_pool(&rig->heap),
		.output = eager_output,
		.persist = eager_persist,
		.ports = rig->ports,
		.lcore_stats = rig->lcore_stats,
	};
	aoe_lcore_destroy(rig->lcore);
	rig->lcore = aoe_lcore_create(&env, 4);
	eager.rig = rig;
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_expect_ok(rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1)));
	rig_expect_ok(rig_ask(rig, rig_mask_one(AOE_DIRECTIVE_ADD, rig_mac_a)));
	cr_expect_eq(eager.count, 2);
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, one_that_its_retransmission_overtook_is_dropped)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const struct aoe_frame changes[] = {rig_config(AOE_CONFIG_FORCE, "old", 3),
					    rig_reserve(AOE_RESERVE_FORCE, rig_mac_a, 1),
					    rig_mask_one(AOE_DIRECTIVE_DELETE, rig_mac_b)};
	/* Answered by way of another queue, and then something else was asked for and answered. */
	rig->now_ns = 1000;
	rig->arrived_ns = 900;
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "old", 3))->verdict, AOE_PENDING);
	rig_persisted(rig, 0, 2);
	rig_expect_ok(rig_next(rig));
	rig->now_ns = 2000;
	rig->arrived_ns = 1900;
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "new", 3))->verdict, AOE_PENDING);
	/* The first ones come out of a stalled queue: while the new one is pending, and after that. */
	rig->now_ns = 2100;
	rig->arrived_ns = 800;
	for (unsigned i = 0; i < 3; i++)
		rig_expect_silence(rig_ask(rig, changes[i]));
	rig_persisted(rig, 0, 3);
	rig_expect_ok(rig_next(rig));
	for (unsigned i = 0; i < 3; i++)
		rig_expect_silence(rig_ask(rig, changes[i]));
	expect_string(rig, "new");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 6);
	cr_expect_eq(rig->persist_count, 2);
	/* Asked again, and seen in time, it is served. */
	rig->now_ns = 3000;
	rig->arrived_ns = 2900;
	cr_expect_eq(rig_ask(rig, changes[1])->verdict, AOE_PENDING);
	rig_persisted(rig, 0, 4);
	rig_expect_ok(rig_next(rig));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, ones_that_wait_behind_another_are_not_overtaken_by_it)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->now_ns = 1000;
	rig->arrived_ns = 1000;
	rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "a", 1));
	rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "b", 1));
	rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "c", 1));
	rig->now_ns = 5000;
	for (uint64_t generation = 2; generation <= 4; generation++) {
		rig_persisted(rig, 0, generation);
		rig_expect_ok(rig_next(rig));
	}
	expect_string(rig, "c");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_overtaken), 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_change, one_that_lay_in_its_queue_while_the_operator_acted_is_dropped)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	operator_sets_string(export_, 2, "operator");
	rig->now_ns = 1000;
	rig->arrived_ns = 900;
	rig_expect_silence(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "old", 3)));
	expect_string(rig, "operator");
	rig->now_ns = 2000;
	rig->arrived_ns = 1900;
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "new", 3))->verdict, AOE_PENDING);
	rig_persisted(rig, 0, 3);
	rig_expect_ok(rig_next(rig));
	/* With one receive queue nothing is dropped. */
	operator_sets_string(export_, 4, "operator");
	rig->arrived_ns = 0;
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "third", 5))->verdict, AOE_PENDING);
	rig_persisted(rig, 0, 5);
	rig_expect_ok(rig_next(rig));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

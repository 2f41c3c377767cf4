/* SPDX-License-Identifier: BSD-3-Clause */
/* AOE_EXPORT_*, AOE_STATE_PUT and SYNC over fake workers. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ctl/exports.h"
#include "ctl/server_priv.h"
#include "ctl/sync.h"
#include "fake.h"

static struct client c;
static uint32_t next_id;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	next_id = 100;
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_exports, .init = init, .fini = fini);

/* Volume n is on worker (n - 1) % 2 when they are created in order. */
static void put_volume(uint64_t id, uint64_t generation)
{
	CLIENT_SEND(&c, volume_put, ++next_id, .id = id, .generation = generation, .name = "v",
		    .backend = WHERRY_BACKEND_NULL, .size_bytes = 1 << 20, .block_bytes = 512, .align_bytes = 1,
		    .memory_align_bytes = 1);
	client_expect_ok(&c, next_id);
}

struct export
{
	uint64_t id, generation, volume_id;
	uint16_t shelf;
	uint8_t slot;
	uint64_t state_generation;
};

static uint32_t send_export(struct export e)
{
	CLIENT_SEND(&c, aoe_export_put, ++next_id, .id = e.id, .generation = e.generation, .volume_id = e.volume_id,
		    .shelf = e.shelf, .slot = e.slot, .buffer_count = 16, .state_generation = e.state_generation);
	return next_id;
}

static void put_export(struct export e)
{
	client_expect_ok(&c, send_export(e));
}

static void sync_begin(uint64_t epoch)
{
	CLIENT_SEND(&c, sync_begin, ++next_id, .epoch = epoch);
	client_expect_ok(&c, next_id);
}

static void sync_end(uint64_t epoch)
{
	CLIENT_SEND(&c, sync_end, ++next_id, .epoch = epoch);
	client_expect_ok(&c, next_id);
}

/* Two volumes on two workers, gate open. */
static void serve(void)
{
	sync_begin(1);
	put_volume(1, 1);
	put_volume(2, 1);
	sync_end(1);
}

Test(ctl_exports, the_first_sync_opens_the_gate_when_everything_is_in_place)
{
	sync_begin(9);
	put_volume(1, 1);
	put_volume(2, 1);
	for (uint8_t slot = 0; slot < 10; slot++)
		put_export((struct export){slot + 1u, 1, slot % 2 + 1u, 3, slot, 1});
	cr_expect_null(fake_served(1), "served before SYNC_END");
	cr_expect_eq(fake.workers[0].routes_set, 0);
	sync_end(9);
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++) {
		cr_expect(fake.workers[i].gate_open);
		cr_expect_eq(fake.workers[i].served_when_opened, 10, "the gate of worker %u opened too early", i);
		cr_expect_eq(fake.workers[i].routes_set, 1, "routes were published %u times",
			     fake.workers[i].routes_set);
		cr_expect_eq(fake.lcores[i].advertised_all, 1);
	}
	for (uint8_t slot = 0; slot < 10; slot++) {
		cr_expect_not_null(fake_served(slot + 1u));
		cr_expect_eq(fake_served(slot + 1u)->advertised, 0, "advertised twice");
		cr_expect_eq(fake_route(3, slot), slot % 2);
	}
	cr_expect_eq(ctl_server.epoch, 9);
	struct client other;
	struct wherry_ctl_hello_reply reply;
	client_hello(&other, WHERRY_ROLE_OBSERVER);
	CLIENT_GET(&other, hello_reply, &reply);
	cr_expect(reply.gate_open && reply.epoch == 9);
	client_close(&other);
}

Test(ctl_exports, sync_needs_both_ends)
{
	CLIENT_SEND(&c, sync_end, 2, .epoch = 0);
	client_expect_error(&c, 2, EINVAL);
	sync_begin(3);
	CLIENT_SEND(&c, sync_begin, 4, .epoch = 4);
	client_expect_error(&c, 4, EALREADY);
	CLIENT_SEND(&c, sync_end, 5, .epoch = 4);
	client_expect_error(&c, 5, EINVAL);
	cr_expect_not(fake.workers[0].gate_open);
	sync_end(3);
	cr_expect(fake.workers[0].gate_open);
}

Test(ctl_exports, a_new_export_is_routed_before_it_is_added_and_advertised)
{
	serve();
	fake.stalled = true;
	uint32_t id = send_export((struct export){1, 1, 2, 0, 7, 1});
	settle();
	fake.stalled = false;
	fake_run_workers(); /* the routes */
	cr_expect_eq(fake_route(0, 7), 1);
	cr_expect_null(fake_served(1));
	client_expect_ok(&c, id);
	cr_expect_eq(fake_served(1)->lcore, &fake.lcores[1]);
	cr_expect_eq(fake_served(1)->advertised, 1);
}

Test(ctl_exports, many_changes_share_few_route_tables)
{
	serve();
	unsigned before = fake.workers[0].routes_set;
	fake.stalled = true;
	for (uint8_t i = 0; i < 100; i++)
		send_export((struct export){i + 1u, 1, i % 2 + 1u, 1, i, 1});
	settle();
	fake.stalled = false;
	settle();
	cr_expect_leq(fake.workers[0].routes_set - before, 2);
	for (uint8_t i = 0; i < 100; i++) {
		cr_assert(client_receive(&c));
		cr_expect_eq(c.header.type, WHERRY_CTL_OK);
		cr_expect_eq(fake_route(1, i), i % 2);
	}
}

Test(ctl_exports, a_put_that_is_wrong_is_refused)
{
	serve();
	struct {
		const char *name;
		int error;
		struct wherry_ctl_aoe_export_put m;
	} cases[] = {
		{"wildcard shelf", EINVAL, {.volume_id = 1, .shelf = 0xffff, .buffer_count = 2}},
		{"reserved shelf", EINVAL, {.volume_id = 1, .shelf = 0x0fff, .buffer_count = 2}},
		{"wildcard slot", EINVAL, {.volume_id = 1, .slot = 0xff, .buffer_count = 2}},
		{"one buffer", EINVAL, {.volume_id = 1, .buffer_count = 1}},
		{"unknown flag", EINVAL, {.volume_id = 1, .buffer_count = 2, .flags = 0x10}},
		{"no such port", EINVAL, {.volume_id = 1, .buffer_count = 2, .ports = {.count = 1, .v = {2}}}},
		{"no such VLAN", EINVAL, {.volume_id = 1, .buffer_count = 2, .vlans = {.count = 1, .v = {4095}}}},
		{"no such volume", ENOENT, {.volume_id = 5, .buffer_count = 2}},
	};
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cases[i].m.id = 1;
		client_send(&c, packet, wherry_ctl_put_aoe_export_put(packet, sizeof packet, ++next_id, &cases[i].m),
			    -1);
		client_expect(&c, WHERRY_CTL_ERROR, next_id);
		struct wherry_ctl_error error;
		CLIENT_GET(&c, error, &error);
		cr_expect_eq(error.error, (uint32_t)cases[i].error, "%s: %s", cases[i].name, error.message);
		cr_expect_null(ctl_export_find(1), "%s", cases[i].name);
	}
	fake.fail_export_create = 1;
	client_expect_error(&c, send_export((struct export){1, 1, 1, 1, 1, 1}), ENOMEM);
	cr_expect_null(ctl_export_find(1));
	put_export((struct export){1, 1, 1, 1, 1, 1});
	client_expect_error(&c, send_export((struct export){2, 1, 1, 1, 1, 1}), EEXIST);
	cr_expect_null(ctl_export_find(2));
	cr_expect_eq(fake_served(1)->volume, &ctl_volume_find(1)->volume);
}

Test(ctl_exports, a_newer_put_replaces_and_the_old_instance_lives_until_it_is_idle)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	struct aoe_export *old = fake_served(1);
	old->under_way = 1;
	old->stats[WHERRY_EXPORT_read_ops] = 7;
	put_export((struct export){1, 2, 1, 1, 1, 1});
	settle();
	cr_expect_neq(fake_served(1), old);
	cr_expect_eq(fake.live_exports, 2, "destroyed with a request under way");
	uint64_t values[WHERRY_EXPORT_STAT_COUNT];
	ctl_export_stats(ctl_export_find(1), values);
	cr_expect_eq(values[WHERRY_EXPORT_read_ops], 7, "inherited counts are counted once");
	old->under_way = 0;
	settle();
	cr_expect_eq(fake.live_exports, 1);
	ctl_export_stats(ctl_export_find(1), values);
	cr_expect_eq(values[WHERRY_EXPORT_read_ops], 7);
	put_export((struct export){1, 2, 2, 9, 9, 1}); /* not newer: ignored */
	cr_expect_eq(fake_route(1, 1), 0);
	cr_expect_eq(fake_route(9, 9), -1);
}

Test(ctl_exports, an_export_moves_to_the_worker_of_its_new_volume_and_keeps_its_counts)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	fake_served(1)->stats[WHERRY_EXPORT_read_ops] = 7;
	fake_served(1)->hist[0][3] = 5;
	put_export((struct export){1, 2, 2, 1, 1, 1});
	settle();
	cr_expect_eq(fake_served(1)->lcore, &fake.lcores[1]);
	cr_expect_eq(fake_route(1, 1), 1);
	cr_expect_eq(fake.live_exports, 1);
	fake_served(1)->stats[WHERRY_EXPORT_read_ops] = 2;
	uint64_t values[WHERRY_EXPORT_STAT_COUNT], buckets[WHERRY_HIST_BUCKET_COUNT];
	ctl_export_stats(ctl_export_find(1), values);
	ctl_export_hist(ctl_export_find(1), 0, buckets);
	cr_expect_eq(values[WHERRY_EXPORT_read_ops], 9);
	cr_expect_eq(buckets[3], 5);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 2);
	client_expect_error(&c, next_id, EBUSY);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_ok(&c, next_id);
}

Test(ctl_exports, quick_moves_to_and_fro_end_where_the_last_put_says)
{
	serve();
	for (uint64_t generation = 1; generation <= 9; generation++)
		send_export((struct export){1, generation, generation % 2 + 1, 1, (uint8_t)(generation % 3), 1});
	settle();
	cr_expect_eq(fake_served(1)->put.generation, 9);
	cr_expect_eq(fake_served(1)->lcore, &fake.lcores[1]);
	cr_expect_eq(fake_route(1, 0), 1);
	cr_expect_eq(fake_route(1, 1), -1);
	cr_expect_eq(fake.live_exports, 1);
	for (unsigned i = 0; i < 9; i++) { /* two workers: in any order */
		cr_assert(client_receive(&c));
		cr_expect_eq(c.header.type, WHERRY_CTL_OK);
	}
}

Test(ctl_exports, a_deleted_export_leaves_the_routes_then_the_worker_then_memory)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	struct aoe_export *e = fake_served(1);
	e->under_way = 1;
	CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 1);
	uint32_t id = next_id;
	settle();
	cr_expect_eq(fake_route(1, 1), -1);
	cr_expect_null(fake_served(1));
	cr_expect_eq(fake.live_exports, 1);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	settle();
	cr_expect_null(ctl_volume_find(1));
	e->under_way = 0;
	client_expect_ok(&c, id);
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake.live_exports, 0);
	CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 1);
	client_expect_error(&c, next_id, ENOENT);
	put_export((struct export){1, 1, 2, 1, 1, 1}); /* the same id and address again */
	cr_expect_not_null(fake_served(1));
}

Test(ctl_exports, deletes_that_wait_for_io_are_answered_in_time_and_end_later)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	struct aoe_export *e = fake_served(1);
	e->under_way = 1;
	const uint64_t before_ns = ctl_now_ns(); /* however long this test is kept waiting, that is too early */
	CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 1);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	settle();
	ctl_server_tick(before_ns + CTL_DRAIN_SECONDS * 1000000000ull - 1);
	CLIENT_SEND(&c, idle_put, ++next_id, .spin_turns = 1);
	client_expect_ok(&c, next_id); /* neither has been answered yet */
	ctl_server_tick(ctl_now_ns() + CTL_DRAIN_SECONDS * 1000000000ull);
	client_expect_ok(&c, next_id - 2);
	client_expect_ok(&c, next_id - 1);
	cr_expect_eq(fake.live_exports, 1);
	e->under_way = 0;
	settle();
	cr_expect_eq(fake.live_exports, 0);
	CLIENT_SEND(&c, idle_put, ++next_id, .spin_turns = 1);
	client_expect_ok(&c, next_id); /* and neither is answered again */
}

Test(ctl_exports, put_and_delete_in_one_breath_leave_nothing)
{
	serve();
	for (unsigned i = 0; i < 5; i++) {
		send_export((struct export){1, 1, i % 2 + 1, 1, 1, 1});
		CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 1);
	}
	settle();
	cr_expect_eq(fake.live_exports, 0);
	cr_expect_eq(fake_route(1, 1), -1);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert(client_receive(&c));
		cr_expect_eq(c.header.type, WHERRY_CTL_OK);
	}
}

/* ------------------------------------------------------------------ state */

static uint32_t send_state(uint64_t export_id, uint64_t state_generation, uint16_t mask_count)
{
	CLIENT_SEND(&c, aoe_state_put, ++next_id, .export_id = export_id, .state_generation = state_generation,
		    .mask = {.count = mask_count});
	return next_id;
}

Test(ctl_exports, state_reaches_what_serves_and_what_will_serve)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 5});
	client_expect_ok(&c, send_state(1, 6, 2));
	cr_expect_eq(fake_served(1)->state_generation, 6);
	cr_expect_eq(fake_served(1)->mask_count, 2);
	client_expect_ok(&c, send_state(1, 6, 9));
	cr_expect_eq(fake_served(1)->mask_count, 2);
	client_expect_error(&c, send_state(2, 6, 9), ENOENT);

	/* A put with an old generation but a newer state: the state takes effect. */
	struct aoe_export *same = fake_served(1);
	put_export((struct export){1, 1, 1, 1, 1, 7});
	cr_expect_eq(fake_served(1), same);
	cr_expect_eq(same->state_generation, 7);

	sync_begin(2);
	put_export((struct export){1, 2, 1, 1, 1, 7});
	client_expect_ok(&c, send_state(1, 8, 3));
	sync_end(2);
	cr_expect_neq(fake_served(1), same);
	cr_expect_eq(fake_served(1)->state_generation, 8);
	cr_expect_eq(fake_served(1)->mask_count, 3);
}

/* ------------------------------------------------------------------- SYNC */

Test(ctl_exports, a_later_sync_removes_what_is_not_put_and_disturbs_nothing_else)
{
	serve();
	for (uint8_t i = 1; i <= 4; i++)
		put_export((struct export){i, 1, i % 2 + 1u, 1, i, 1});
	struct aoe_export *first = fake_served(1), *second = fake_served(2);
	unsigned routes = fake.workers[0].routes_set;
	sync_begin(2);
	put_volume(1, 1);
	put_volume(2, 1);
	put_export((struct export){1, 1, 2, 1, 1, 1});
	put_export((struct export){2, 1, 1, 1, 2, 1});
	put_export((struct export){5, 1, 1, 1, 5, 1});
	cr_expect_not_null(fake_served(3), "removed before SYNC_END");
	sync_end(2);
	settle();
	cr_expect_eq(fake_served(1), first);
	cr_expect_eq(fake_served(2), second);
	cr_expect_null(fake_served(3));
	cr_expect_null(fake_served(4));
	cr_expect_eq(fake_served(5)->advertised, 1);
	cr_expect_eq(fake.workers[0].routes_set, routes + 1);
	cr_expect_eq(fake_route(1, 3), -1);
	cr_expect_eq(fake.lcores[0].advertised_all, 1, "everything was advertised again");
	cr_expect_eq(fake.live_exports, 3);
}

Test(ctl_exports, exports_swap_addresses_within_a_sync_in_any_order)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	put_export((struct export){2, 1, 2, 1, 2, 1});
	for (unsigned order = 0; order < 2; order++) {
		/* Each round swaps 1.1 and 1.2; the one that moves first takes an address that is still in use. */
		uint64_t first = order + 1, second = 2 - order, generation = 2 + order;
		sync_begin(generation);
		put_volume(1, 1);
		put_volume(2, 1);
		put_export((struct export){first, generation, first, 1, 2, 1});
		put_export((struct export){second, generation, second, 1, 1, 1});
		sync_end(generation);
		settle();
		cr_expect_eq(fake.live_exports, 2);
		cr_expect_eq(fake_route(1, 2), (int)first - 1);
		cr_expect_eq(fake_route(1, 1), (int)second - 1);
	}
}

Test(ctl_exports, a_new_export_takes_the_address_of_one_that_is_going)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	sync_begin(2);
	put_volume(1, 1);
	put_volume(2, 1);
	put_export((struct export){2, 1, 2, 1, 1, 1});
	client_expect_error(&c, send_export((struct export){3, 1, 2, 1, 1, 1}), EEXIST);
	sync_end(2);
	settle();
	cr_expect_eq(fake_route(1, 1), 1);
	cr_expect_null(fake_served(1));
	cr_expect_not_null(fake_served(2));
}

Test(ctl_exports, a_put_that_fails_does_not_let_its_export_be_swept)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	sync_begin(2);
	put_volume(1, 1);
	fake.fail_export_create = 1;
	client_expect_error(&c, send_export((struct export){1, 2, 1, 1, 1, 1}), ENOMEM);
	sync_end(2);
	settle();
	cr_expect_not_null(fake_served(1));
	cr_expect_not_null(ctl_volume_find(1));
	cr_expect_null(ctl_volume_find(2));
}

Test(ctl_exports, a_controller_that_leaves_mid_sync_removes_nothing_and_opens_nothing)
{
	struct client next;
	sync_begin(1);
	put_volume(1, 1);
	put_export((struct export){1, 1, 1, 1, 1, 1});
	client_close(&c);
	settle();
	cr_expect_not(fake.workers[0].gate_open, "half a configuration is served");
	cr_expect_not(ctl_sync_active());
	cr_expect_not_null(fake_served(1), "what was put takes effect");
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	serve(); /* export 1 is not part of it */
	settle();
	cr_expect_null(fake_served(1));
	cr_expect(fake.workers[0].gate_open);

	put_export((struct export){3, 1, 1, 1, 3, 1});
	sync_begin(5);
	put_export((struct export){4, 1, 2, 1, 4, 1});
	client_hello(&next, WHERRY_ROLE_CONTROLLER); /* takes over */
	settle();
	cr_expect_not_null(fake_served(3), "swept by half a configuration");
	cr_expect_not_null(fake_served(4));
	cr_expect_eq(fake_route(1, 4), 1);
	cr_expect_eq(ctl_server.epoch, 1);
	client_close(&next);
}

Test(ctl_exports, deletes_inside_a_sync_are_answered_before_its_end)
{
	serve();
	put_export((struct export){1, 1, 1, 1, 1, 1});
	sync_begin(2);
	put_export((struct export){2, 1, 1, 1, 2, 1});
	CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 1);
	client_expect_ok(&c, next_id);
	CLIENT_SEND(&c, aoe_export_delete, ++next_id, .id = 2);
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake.live_exports, 0);
	put_volume(1, 1);
	put_volume(2, 1);
	sync_end(2);
	cr_expect_eq(fake_route(1, 1), -1);
}

Test(ctl_exports, thousands_of_exports_are_synced)
{
	enum { COUNT = 3000 };
	sync_begin(1);
	put_volume(1, 1);
	put_volume(2, 1);
	uint32_t first = next_id + 1;
	for (unsigned i = 0; i < COUNT; i++) {
		send_export((struct export){i + 1, 1, i % 2 + 1, (uint16_t)(i / 200), (uint8_t)(i % 200), 1});
		if (i % 100 == 99)
			settle();
	}
	for (unsigned i = 0; i < COUNT; i++)
		client_expect_ok(&c, first + i);
	sync_end(1);
	cr_expect_eq(fake.live_exports, COUNT);
	for (unsigned i = 0; i < COUNT; i += 7)
		cr_expect_eq(fake_route((uint16_t)(i / 200), (uint8_t)(i % 200)), (int)(i % 2));
	cr_expect_eq(ctl_export_count_on(worker_at(0)), COUNT / 2);
}

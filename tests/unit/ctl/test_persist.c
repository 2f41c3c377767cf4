/* SPDX-License-Identifier: BSD-3-Clause */
/* Durable changes: from a worker to the controller and back, exactly once whatever happens. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ctl/persist.h"
#include "ctl/server_priv.h"
#include "fake.h"

static struct client c;

static void init(void)
{
	server_init();
}

static void fini(void)
{
	server_fini();
}

TestSuite(ctl_persist, .init = init, .fini = fini);

static int ask(unsigned worker, uint64_t cookie)
{
	static const struct wherry_mac list[2] = {{{1, 2, 3, 4, 5, 6}}, {{2, 2, 2, 2, 2, 2}}};
	const struct aoe_persist change = {
		.export_id = 77,
		.base_generation = 5,
		.change = WHERRY_AOE_CHANGE_MASK,
		.requester = {{9, 9, 9, 9, 9, 9}},
		.list = list,
		.list_count = 2,
		.cookie = cookie,
	};
	return fake.persist(worker_at(worker), &change);
}

static void expect_answer(unsigned worker, unsigned index, uint64_t cookie, int status, uint64_t generation)
{
	settle();
	cr_assert_gt(fake.lcores[worker].persisted_count, index, "no answer to cookie %llu",
		     (unsigned long long)cookie);
	cr_expect_eq(fake.lcores[worker].persisted[index].cookie, cookie);
	cr_expect_eq(fake.lcores[worker].persisted[index].status, status, "status %d",
		     fake.lcores[worker].persisted[index].status);
	cr_expect_eq(fake.lcores[worker].persisted[index].state_generation, generation);
}

Test(ctl_persist, without_a_controller_the_answer_is_not_now)
{
	struct client observer;
	cr_expect_eq(ask(0, 1), -EAGAIN);
	client_hello(&observer, WHERRY_ROLE_OBSERVER);
	cr_expect_eq(ask(0, 1), -EAGAIN);
	client_close(&observer);
}

Test(ctl_persist, a_change_reaches_the_controller_and_its_answer_the_worker)
{
	struct wherry_ctl_aoe_persist m;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	cr_expect_eq(ask(1, 42), 0);
	cr_assert(client_receive(&c));
	cr_assert_eq(c.header.type, WHERRY_CTL_AOE_PERSIST);
	CLIENT_GET(&c, aoe_persist, &m);
	cr_expect(c.header.request_id & WHERRY_CTL_FROM_DATAPLANE);
	cr_expect(m.export_id == 77 && m.base_generation == 5 && m.change == WHERRY_AOE_CHANGE_MASK);
	cr_expect(m.list.count == 2 && m.list.mac[0].b[5] == 6 && m.config.len == 0);
	cr_expect(m.requester.count == 1 && m.requester.mac[0].b[0] == 9);
	CLIENT_SEND(&c, aoe_persisted, c.header.request_id, .export_id = 77, .state_generation = 6);
	expect_answer(1, 0, 42, 0, 6);
	CLIENT_SEND(&c, aoe_persisted, c.header.request_id, .export_id = 77, .state_generation = 7);
	settle();
	cr_expect_eq(fake.lcores[1].persisted_count, 1, "answered twice");
	client_close(&c);
}

Test(ctl_persist, an_error_or_a_wrong_answer_is_passed_on)
{
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (uint64_t cookie = 0; cookie < 4; cookie++) {
		cr_expect_eq(ask(0, cookie), 0);
		cr_assert(client_receive(&c));
		cr_assert_eq(c.header.type, WHERRY_CTL_AOE_PERSIST);
		uint32_t id = c.header.request_id;
		switch (cookie) {
		case 0:
			CLIENT_SEND(&c, error, id, .error = EAGAIN);
			expect_answer(0, 0, 0, -EAGAIN, 0);
			break;
		case 1:
			CLIENT_SEND(&c, error, id, .error = 0);
			expect_answer(0, 1, 1, -EPROTO, 0);
			break;
		case 2:
			CLIENT_SEND(&c, ok, id, );
			expect_answer(0, 2, 2, -EPROTO, 0);
			break;
		case 3:
			CLIENT_SEND(&c, error, id, .error = 0xffffffff);
			expect_answer(0, 3, 3, -EPROTO, 0);
			break;
		}
	}
	client_close(&c);
}

Test(ctl_persist, slots_are_bounded_and_come_back)
{
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CTL_PERSIST_SLOT_COUNT; i++)
			cr_expect_eq(ask(0, round * 100 + i), 0);
		cr_expect_eq(ask(0, 999), -EAGAIN);
		for (unsigned i = 0; i < CTL_PERSIST_SLOT_COUNT; i++) {
			cr_assert(client_receive(&c));
			CLIENT_SEND(&c, aoe_persisted, c.header.request_id, .export_id = 77, .state_generation = i);
			settle();
			cr_assert_eq(fake.lcores[0].persisted_count, round * CTL_PERSIST_SLOT_COUNT + i + 1);
		}
	}
	client_close(&c);
}

static unsigned answer_count(void)
{
	settle();
	return fake.lcores[0].persisted_count + fake.lcores[1].persisted_count;
}

Test(ctl_persist, a_controller_that_leaves_fails_what_is_under_way_once)
{
	struct client next;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ask(i % 2, i), 0);
	cr_assert(client_receive(&c));
	uint32_t old_id = c.header.request_id;
	client_hello(&next, WHERRY_ROLE_CONTROLLER);
	expect_answer(0, 0, 0, -EAGAIN, 0);
	cr_expect_eq(answer_count(), 3);
	CLIENT_SEND(&next, aoe_persisted, old_id, .export_id = 77, .state_generation = 9);
	cr_expect_eq(answer_count(), 3, "answered again");

	cr_expect_eq(ask(0, 3), 0);
	client_close(&next); /* whatever main sees first */
	cr_expect_eq(answer_count(), 4);
	client_close(&c);
	cr_expect_eq(ask(0, 5), -EAGAIN);
}

Test(ctl_persist, a_change_of_an_export_that_has_moved_asks_for_the_whole_configuration)
{
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (uint32_t id = 1; id <= 2; id++) {
		CLIENT_SEND(&c, volume_put, id, .id = id, .generation = 1, .name = "v", .backend = WHERRY_BACKEND_NULL,
			    .size_bytes = 4096, .block_bytes = 512, .align_bytes = 1, .memory_align_bytes = 1);
		client_expect_ok(&c, id);
	}
	CLIENT_SEND(&c, aoe_export_put, 3, .id = 77, .generation = 1, .volume_id = 1, .buffer_count = 2,
		    .state_generation = 5);
	client_expect_ok(&c, 3);
	cr_expect_eq(ask(0, 1), 0);
	cr_assert(client_receive(&c));
	uint32_t persist_id = c.header.request_id;
	CLIENT_SEND(&c, aoe_export_put, 4, .id = 77, .generation = 2, .volume_id = 2, .buffer_count = 2,
		    .state_generation = 5);
	client_expect_ok(&c, 4);
	CLIENT_SEND(&c, aoe_persisted, persist_id, .export_id = 77, .state_generation = 6);
	expect_answer(0, 0, 1, -EAGAIN, 0);
	cr_expect(client_closed(&c));
	client_close(&c);
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	CLIENT_SEND(&c, aoe_export_put, 5, .id = 77, .generation = 2, .volume_id = 2, .buffer_count = 2,
		    .state_generation = 6);
	client_expect_ok(&c, 5);
	cr_expect_eq(fake_served(77)->state_generation, 6, "the state that was sent again is ignored");
	client_close(&c);
}

Test(ctl_persist, a_silent_controller_is_disconnected)
{
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	cr_expect_eq(ask(0, 1), 0);
	settle();
	ctl_server_tick(ctl_now_ns() + (WHERRY_CTL_ANSWER_SECONDS - 1) * 1000000000ull);
	settle();
	cr_expect_eq(fake.lcores[0].persisted_count, 0);
	ctl_server_tick(ctl_now_ns() + WHERRY_CTL_ANSWER_SECONDS * 1000000000ull);
	expect_answer(0, 0, 1, -EAGAIN, 0);
	cr_expect(client_closed(&c));
	client_close(&c);
}

Test(ctl_persist, the_end_of_the_process_answers_what_is_under_way)
{
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	cr_expect_eq(ask(0, 1), 0);
	settle();
	ctl_server_stop();
	cr_expect_eq(ctl_server_run(), 0);
	fake_run_workers();
	cr_expect_eq(fake.lcores[0].persisted_count, 1);
	client_close(&c);
}

/* ----------------------------------------------------------------- events */

static bool receive_event(struct client *client, struct wherry_ctl_event *event)
{
	if (!client_receive(client))
		return false;
	cr_assert_eq(client->header.type, WHERRY_CTL_EVENT);
	CLIENT_GET(client, event, event);
	return true;
}

Test(ctl_persist, events_wait_for_a_controller_and_for_its_answer)
{
	struct wherry_ctl_event event;
	fake.port_handler(1, PORT_REMOVED, "port1 is gone", NULL);
	client_hello(&c, WHERRY_ROLE_OBSERVER);
	settle();
	client_close(&c);
	for (unsigned round = 0; round < 2; round++) { /* the first controller leaves without an answer */
		client_hello(&c, WHERRY_ROLE_CONTROLLER);
		cr_assert(receive_event(&c, &event));
		cr_expect_str_eq(event.code, "port.removed");
		cr_expect_str_eq(event.message, "port1 is gone");
		cr_expect_eq(event.object_id, 2);
		cr_expect_eq(event.severity, WHERRY_ERROR);
		if (round == 1)
			CLIENT_SEND(&c, ok, c.header.request_id, );
		settle();
		client_close(&c);
		settle();
	}
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	fake.port_handler(0, PORT_LINK_UP, "port0: up", NULL);
	cr_assert(receive_event(&c, &event));
	cr_expect_str_eq(event.code, "port.link_up", "an answered event came again");
	client_close(&c);
}

Test(ctl_persist, too_many_events_lose_the_oldest_and_say_so)
{
	struct wherry_ctl_event event;
	char message[32];
	for (unsigned i = 0; i < 300; i++) {
		snprintf(message, sizeof message, "%u", i);
		fake.port_handler(0, PORT_LINK_DOWN, message, NULL);
	}
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (unsigned i = 300 - 256; i < 300; i++) {
		cr_assert(receive_event(&c, &event), "event %u is missing", i);
		snprintf(message, sizeof message, "%u", i);
		cr_expect_str_eq(event.message, message);
		CLIENT_SEND(&c, ok, c.header.request_id, );
	}
	cr_assert(receive_event(&c, &event));
	cr_expect_str_eq(event.code, "events.lost");
	cr_expect_not_null(strstr(event.message, "44 "));
	client_close(&c);
}

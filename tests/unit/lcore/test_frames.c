/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "fake.h"

/* --------------------------------------------------------------- receiving */
Test(lcore_rx, what_is_not_for_us_is_dropped_and_counted)
{
	const struct {
		const char *name;
		uint8_t head[20];
		uint32_t len_bytes;
		enum wherry_lcore_stat stat;
	} cases[] = {
		{"no whole Ethernet header",
		 {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88},
		 13,
		 WHERRY_LCORE_drop_eth_short},
		{"another protocol", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0x47}, 60, WHERRY_LCORE_drop_eth_type},
		{"another station", {2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 1, 0x88, 0xa2}, 60, WHERRY_LCORE_drop_eth_dst},
		{"from a group", {2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 1, 0x88, 0xa2}, 60, WHERRY_LCORE_drop_eth_src},
		{"a VLAN that is not served",
		 {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 8, 0x88, 0xa2},
		 64,
		 WHERRY_LCORE_drop_eth_vlan},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t frame[64] = {0};
		fake_init(1);
		memcpy(frame, cases[i].head, sizeof cases[i].head);
		fake_receive(fake_pkt(0, frame, cases[i].len_bytes));
		cr_expect_eq(rx_poll(&fake_workers[0]), 1u, "%s", cases[i].name);
		cr_expect_eq(fake_workers[0].stats[cases[i].stat], 1u, "%s", cases[i].name);
		cr_expect_eq(fake_input_count[0], 0u, "%s", cases[i].name);
		cr_expect_eq(fake_pkts_alive(), 0u, "%s", cases[i].name);
		fake_fini();
	}
}

Test(lcore_rx, a_served_vlan_comes_through)
{
	const uint8_t frame[64] = {2,    0, 0,    0,    0,    9,    2,    0, 0, 0, 0, 1,
				   0x81, 0, 0x2f, 0xfe, 0x88, 0xa2, 0x10, 0, 0, 1, 0};
	const struct route_entry entry = {1, 0, 0};
	struct route_table *table = route_table_create(&entry, 1);
	fake_init(1);
	worker_at(0)->priv->routes = table;
	fake_receive(fake_pkt(0, frame, sizeof frame));
	rx_poll(&fake_workers[0]);
	cr_expect_eq(fake_input_count[0], 1u);
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
	route_table_destroy(table);
}

Test(lcore_rx, nothing_passes_a_closed_gate)
{
	fake_init(1);
	fake_workers[0].priv->gate_open = false;
	fake_receive(fake_frame(0xffff, 0xff));
	fake_receive(fake_frame(1, 0));
	rx_poll(&fake_workers[0]);
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_drop_gate_closed], 2u);
	cr_expect_eq(fake_input_count[0] + fake_pkts_alive(), 0u);
	fake_fini();
}

Test(lcore_rx, a_frame_goes_to_the_owner_of_its_export_and_to_nobody_when_there_is_none)
{
	const struct route_entry entries[] = {{1, 0, 0}, {1, 1, 1}};
	struct route_table *table = route_table_create(entries, 2);
	fake_init(2);
	fake_workers[0].priv->routes = table;
	fake_receive(fake_frame(1, 0));
	fake_receive(fake_frame(1, 1));
	fake_receive(fake_frame(1, 2));
	rx_poll(&fake_workers[0]);
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_aoe_drop_target], 1u);
	cr_expect_eq(fake_input_count[0], 1u);
	cr_expect_eq(handoff_input(&fake_workers[1]), 0u, "passed on at the end of the turn only");
	handoff_flush(&fake_workers[0]);
	cr_expect_eq(handoff_input(&fake_workers[1]), 1u);
	cr_expect_eq(fake_input_count[1], 1u);
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_handoff_out], 1u);
	cr_expect_eq(fake_workers[1].stats[WHERRY_LCORE_handoff_in], 1u);
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
	route_table_destroy(table);
}

Test(lcore_rx, a_port_without_packets_has_not_been_seen_empty)
{
	const struct route_entry entry = {1, 0, 0};
	struct route_table *table = route_table_create(&entry, 1);
	struct worker *worker = &fake_workers[0];
	fake_init(1);
	worker->priv->routes = table;
	worker->priv->several_queues = true;
	arrival_init(&worker->priv->rx[0].arrival, ARRIVAL_QUEUE_FRAMES, 1);
	fake_verdict = AOE_PENDING;
	worker->now_ns = 1000;
	rx_poll(worker); /* empty, and so it is known since when */
	worker->now_ns = 2000;
	fake_starved = true;
	rx_poll(worker); /* a write is in the queue, and stays there */
	worker->now_ns = 3000;
	fake_starved = false;
	fake_receive(fake_frame(1, 0));
	rx_poll(worker);
	cr_expect_eq(fake_last_input->arrived_ns, 1000, "it would be taken for younger than what overtook it");
	port_pkt_free(fake_last_input);
	fake_fini();
	route_table_destroy(table);
}

Test(lcore_rx, a_wildcard_goes_to_every_worker_as_a_copy)
{
	fake_init(3);
	fake_receive(fake_frame(0xffff, 3));
	rx_poll(&fake_workers[1]);
	handoff_flush(&fake_workers[1]);
	cr_expect_eq(fake_input_count[1], 1u);
	for (unsigned i = 0; i < 3; i += 2) {
		handoff_input(&fake_workers[i]);
		cr_expect_eq(fake_input_count[i], 1u, "worker %u", i);
	}
	cr_expect_eq(fake_pkts_alive(), 0u);
	/* The copy is the frame, byte for byte, and has the same room around it. */
	fake_verdict = AOE_PENDING;
	struct pkt *original = fake_frame(0xffff, 0xff);
	fake_receive(original);
	rx_poll(&fake_workers[1]);
	handoff_flush(&fake_workers[1]);
	handoff_input(&fake_workers[0]);
	cr_expect_neq(fake_last_input, original);
	cr_expect_eq(fake_last_input->len_bytes, original->len_bytes);
	cr_expect_arr_eq(fake_last_input->data, original->data, original->len_bytes);
	cr_expect_eq(fake_last_input->data - fake_last_input->head, original->data - original->head);
	port_pkt_free(fake_last_input);
	port_pkt_free(original);
	fake_fini();
}

Test(lcore_rx, a_wildcard_without_a_buffer_for_a_copy_is_counted_and_still_served_here)
{
	fake_init(3);
	fake_allocs_left = 1;
	fake_receive(fake_frame(0xffff, 0xff));
	rx_poll(&fake_workers[0]);
	handoff_flush(&fake_workers[0]);
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_drop_no_buffer], 1u);
	cr_expect_eq(fake_input_count[0], 1u);
	cr_expect_eq(handoff_input(&fake_workers[1]) + handoff_input(&fake_workers[2]), 1u);
	fake_fini();
	cr_expect_eq(fake_pkts_alive(), 0u);
}

/* ----------------------------------------------------------------- sending */
static struct pkt *numbered(unsigned number)
{
	uint8_t frame[60] = {[12] = 0x88, [13] = 0xa2};
	memcpy(frame + 20, &number, sizeof number);
	return fake_pkt(0, frame, sizeof frame);
}

static unsigned number_of(const struct pkt *pkt)
{
	unsigned number;
	memcpy(&number, pkt->data + 20, sizeof number);
	return number;
}

Test(lcore_tx, answers_leave_in_order_however_little_the_driver_takes)
{
	for (unsigned room = 1; room <= 40; room += 13) {
		fake_init(1);
		fake_tx_room = room;
		unsigned next = 0;
		for (unsigned turn = 0; turn < 400; turn++) {
			for (unsigned i = 0; turn < 10 && i < 20; i++)
				tx_output(&fake_workers[0], numbered(next++));
			tx_flush(&fake_workers[0]);
		}
		cr_expect_eq(fake_sent_count, 200u, "room %u", room);
		for (unsigned i = 0; i < fake_sent_count; i++)
			cr_assert_eq(number_of(fake_sent[i]), i, "room %u", room);
		cr_expect_eq(fake_tx_dropped, 0u);
		fake_fini();
		cr_expect_eq(fake_pkts_alive(), 0u);
	}
}

Test(lcore_tx, a_full_batch_does_not_wait_for_the_end_of_the_turn)
{
	fake_init(1);
	for (unsigned i = 0; i < TX_BATCH - 1; i++)
		tx_output(&fake_workers[0], numbered(i));
	cr_expect_eq(fake_sent_count, 0u);
	tx_output(&fake_workers[0], numbered(TX_BATCH - 1));
	cr_expect_eq(fake_sent_count, TX_BATCH);
	fake_fini();
}

Test(lcore_tx, a_full_lane_drops_what_comes_and_a_stalled_one_is_emptied)
{
	struct worker *worker = &fake_workers[0];
	fake_init(1);
	fake_tx_room = 0;
	worker->now_ns = 1000;
	for (unsigned i = 0; i < TX_LANE_PACKETS + 10; i++)
		tx_output(worker, numbered(i));
	cr_expect_eq(tx_waiting(worker), TX_LANE_PACKETS);
	cr_expect_eq(fake_tx_dropped, 10u);
	worker->now_ns += TX_STALL_NS;
	tx_flush(worker);
	cr_expect_eq(tx_waiting(worker), TX_LANE_PACKETS, "not yet");
	/* One packet gets through: the clock of the stall starts over. */
	fake_tx_room = 1;
	worker->now_ns += 1;
	cr_expect_eq(tx_flush(worker), 1u);
	fake_tx_room = 0;
	tx_flush(worker);
	worker->now_ns += TX_STALL_NS + 1;
	tx_flush(worker);
	cr_expect_eq(tx_waiting(worker), 0u);
	cr_expect_eq(fake_tx_dropped, 10u + TX_LANE_PACKETS - 1);
	cr_expect_eq(fake_pkts_alive(), 1u, "the one that was sent");
	fake_tx_room = UINT32_MAX;
	tx_output(worker, numbered(0));
	cr_expect_eq(tx_flush(worker), 1u, "and goes on when it can");
	fake_fini();
}

Test(lcore_tx, a_lane_at_rest_has_its_buffers_given_back_again_and_again_and_then_no_more)
{
	struct worker *worker = &fake_workers[0];
	fake_init(2);
	worker->now_ns = 5 * TX_REST_NS;
	tx_flush(worker);
	cr_expect_eq(fake_reclaims, 0u, "nothing was sent");
	tx_output(worker, numbered(0));
	tx_flush(worker);
	worker->now_ns += TX_REST_NS - 1;
	tx_flush(worker);
	cr_expect_eq(fake_reclaims, 0u, "more may follow at once");
	unsigned expected = 0;
	for (unsigned ms = 1; ms <= 4096; ms++) {
		worker->now_ns = 5 * TX_REST_NS + ms * TX_REST_NS;
		tx_flush(worker);
		expected += ms == 1 || ms == 8 || ms == 64 || ms == 512;
		cr_assert_eq(fake_reclaims, expected, "%u ms", ms);
	}
	/* Frames that go through another worker's queue are its to reclaim. */
	fake_workers[1].priv->tx[0].owner = 0;
	fake_workers[1].now_ns = worker->now_ns;
	tx_output(&fake_workers[1], numbered(1));
	handoff_flush(&fake_workers[1]);
	fake_workers[1].now_ns += 10 * TX_REST_NS;
	tx_flush(&fake_workers[1]);
	cr_expect_eq(fake_reclaims, expected);
	handoff_input(worker);
	tx_flush(worker);
	worker->now_ns += TX_REST_NS;
	tx_flush(worker);
	cr_expect_eq(fake_reclaims, expected + 1);
	fake_fini();
	cr_expect_eq(fake_pkts_alive(), 0u);
}

Test(lcore_tx, a_stall_that_ended_does_not_count_towards_the_next)
{
	struct worker *worker = &fake_workers[0];
	fake_init(1);
	for (unsigned life = 0; life < 2; life++) {
		/* Ended by sending everything, then by giving everything up. */
		worker->now_ns += 10 * TX_STALL_NS;
		fake_tx_room = 0;
		tx_output(worker, numbered(0));
		tx_flush(worker);
		cr_expect_eq(tx_waiting(worker), 1u, "life %u: a fresh stall waits", life);
		if (life == 0)
			fake_tx_room = UINT32_MAX;
		else
			worker->now_ns += TX_STALL_NS + 1;
		tx_flush(worker);
		cr_expect_eq(tx_waiting(worker), 0u);
	}
	worker->now_ns += 10 * TX_STALL_NS;
	tx_output(worker, numbered(0));
	tx_flush(worker);
	cr_expect_eq(tx_waiting(worker), 1u);
	fake_fini();
}

Test(lcore_tx, an_answer_leaves_by_the_worker_that_owns_a_queue)
{
	fake_init(2);
	fake_workers[1].priv->tx[0].owner = 0;
	tx_output(&fake_workers[1], numbered(5));
	cr_expect_eq(tx_waiting(&fake_workers[1]), 0u);
	handoff_flush(&fake_workers[1]);
	cr_expect_eq(handoff_waiting(&fake_workers[0]), 1u);
	cr_expect_eq(handoff_input(&fake_workers[0]), 1u);
	cr_expect_eq(fake_input_count[0], 0u, "an answer is no request");
	cr_expect_eq(tx_flush(&fake_workers[0]), 1u);
	cr_expect_eq(number_of(fake_sent[0]), 5u);
	fake_fini();
}

Test(lcore_tx, a_tap_sees_every_frame_once_in_each_direction)
{
	fake_init(2);
	fake_verdict = AOE_REPLY;
	for (unsigned i = 0; i < 2; i++)
		fake_workers[i].priv->tap = fake_tap;
	fake_workers[1].priv->tx[0].owner = 0;
	fake_receive(fake_frame(0xffff, 0));
	rx_poll(&fake_workers[1]);
	handoff_flush(&fake_workers[1]);
	handoff_input(&fake_workers[0]);
	cr_expect_eq(fake_tapped[0], 1u, "received once");
	cr_expect_eq(fake_tapped[1], 2u, "an answer from each worker");
	fake_fini();
}

static void tap_whole(struct worker *worker, void *ctx, uint16_t port_index, bool outgoing, const uint8_t *frame,
		      uint32_t len_bytes)
{
	fake_tap(worker, ctx, port_index, outgoing, frame, len_bytes);
	cr_expect_eq(frame[len_bytes - 1], 0x77, "the end of the last piece");
}

Test(lcore_tx, a_tap_sees_the_pieces_of_a_frame_too)
{
	uint8_t bytes[700];
	struct pkt_buf buf = {.data = bytes, .len_bytes = sizeof bytes, .refs = 2};
	struct pkt_frag frags[PKT_FRAG_COUNT_MAX] = {{&buf, bytes, sizeof bytes}};
	memset(bytes, 0x77, sizeof bytes);
	fake_init(1);
	fake_workers[0].priv->tap = tap_whole;
	struct pkt *pkt = fake_frame(1, 0);
	pkt->frags = frags;
	pkt->frag_count = 1;
	tx_output(&fake_workers[0], pkt);
	cr_expect_eq(fake_tapped_bytes, 760u);
	cr_expect_eq(buf.refs, 1u, "it holds the buffer no longer");
	fake_fini();
}

/* ---------------------------------------------------------------- hand-off */
Test(lcore_handoff, a_full_ring_drops_and_counts_at_the_producer)
{
	fake_init(2);
	for (unsigned i = 0; i < HANDOFF_RING_FRAMES + 100; i++)
		handoff_frame(&fake_workers[0], 1, HANDOFF_AOE, numbered(i));
	handoff_flush(&fake_workers[0]);
	uint64_t passed = fake_workers[0].stats[WHERRY_LCORE_handoff_out];
	uint64_t full = fake_workers[0].stats[WHERRY_LCORE_handoff_full];
	cr_expect_eq(passed + full, HANDOFF_RING_FRAMES + 100);
	cr_expect_eq(passed, HANDOFF_RING_FRAMES - 1, "a ring holds one less than its size");
	cr_expect_eq(fake_pkts_alive(), passed);
	uint64_t taken = 0;
	for (unsigned turn = 0; turn < 100; turn++)
		taken += handoff_input(&fake_workers[1]);
	cr_expect_eq(taken, passed, "all of it, over several turns");
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
}

#define STRESS_COUNT 200000u
static _Atomic bool producer_done;

static void *produce(void *arg)
{
	struct worker *worker = arg;
	for (unsigned i = 0; i < STRESS_COUNT; i++) {
		handoff_frame(worker, 0, HANDOFF_AOE, numbered(i));
		if (i % 7 == 0)
			handoff_flush(worker);
		if (i % 4096 == 0)
			sched_yield();
	}
	handoff_flush(worker);
	producer_done = true;
	return NULL;
}

Test(lcore_handoff, two_threads_lose_nothing_and_no_frame_is_left_unseen, .timeout = 60)
{
	pthread_t thread;
	fake_init(2);
	cr_assert_eq(pthread_create(&thread, NULL, produce, &fake_workers[1]), 0);
	uint64_t taken = 0;
	while (!producer_done)
		taken += handoff_input(&fake_workers[0]);
	pthread_join(thread, NULL);
	/* Every pass takes something until nothing is there: a lost bit would leave frames in the ring. */
	for (unsigned got = 1; got;)
		taken += got = handoff_input(&fake_workers[0]);
	cr_expect_eq(handoff_waiting(&fake_workers[0]), 0u);
	cr_expect_eq(taken, fake_workers[1].stats[WHERRY_LCORE_handoff_out]);
	cr_expect_eq(taken + fake_workers[1].stats[WHERRY_LCORE_handoff_full], STRESS_COUNT);
	cr_expect_eq(fake_input_count[0], taken);
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
}

/* ------------------------------------------------------------------- jobs */
struct numbered_job {
	struct job job;
	unsigned number;
};
static unsigned ran_count, finished_count;
static struct numbered_job from_job;

static void numbered_run(struct worker *worker, struct job *job)
{
	cr_expect_eq(((struct numbered_job *)job)->number, ran_count, "in the order in which they were posted");
	ran_count++;
	if (ran_count == 5) /* main may post while the worker runs */
		job_list_push(&worker->priv->inbox, &from_job.job);
}

static void numbered_finished(struct job *job)
{
	(void)job;
	finished_count++;
}

Test(lcore_jobs, a_turn_runs_a_few_and_keeps_the_rest_in_order)
{
	enum { COUNT = 1000 };
	static struct numbered_job jobs[COUNT];
	struct worker *worker = &fake_workers[0];
	fake_init(1);
	from_job = (struct numbered_job){{.run = numbered_run, .finished = numbered_finished}, COUNT};
	for (unsigned i = 0; i < COUNT; i++) {
		jobs[i] = (struct numbered_job){{.run = numbered_run, .finished = numbered_finished}, i};
		job_list_push(&worker->priv->inbox, &jobs[i].job);
	}
	cr_expect_eq(worker_run_jobs(worker, 16), 16u);
	cr_expect_eq(ran_count, 16u);
	cr_expect_eq(finished_count, 16u);
	while (worker_run_jobs(worker, 7))
		;
	cr_expect_eq(ran_count, COUNT + 1u);
	cr_expect_eq(finished_count, COUNT + 1u);
	cr_expect_eq(worker->stats[WHERRY_LCORE_inbox_messages], COUNT + 1u);
	fake_fini();
}

static struct pkt *ip_frame(uint8_t first_mac_byte, uint16_t type)
{
	uint8_t frame[60] = {first_mac_byte, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, (uint8_t)(type >> 8), (uint8_t)type};
	if (first_mac_byte == 0xff)
		memset(frame, 0xff, 6);
	return fake_pkt(0, frame, sizeof frame);
}

Test(lcore_rx, frames_of_ip_go_to_the_stack_on_the_worker_of_their_flow)
{
	static const uint16_t types[] = {0x0800, 0x0806, 0x86dd};
	fake_init(2);
	for (unsigned i = 0; i < 3; i++) {
		fake_receive(ip_frame(2, types[i]));
		rx_poll(&fake_workers[1]);
	}
	handoff_flush(&fake_workers[1]);
	cr_expect_eq(handoff_input(&fake_workers[0]), 3u);
	cr_expect_eq(fake_stack_routed, 3u, "routed again where they were passed to");
	cr_expect_eq(fake_stack_input[0], 3u);
	cr_expect_eq(fake_input_count[0] + fake_input_count[1], 0u, "AoE saw them");
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
}

Test(lcore_rx, a_copy_for_learning_is_told_from_a_frame_to_answer)
{
	fake_init(3);
	fake_receive(ip_frame(0xff, 0x0806));
	rx_poll(&fake_workers[1]);
	handoff_flush(&fake_workers[1]);
	handoff_input(&fake_workers[0]);
	handoff_input(&fake_workers[2]);
	cr_expect_eq(fake_stack_input[1], 1u);
	cr_expect_eq(fake_stack_copies[0] + fake_stack_copies[2], 2u);
	cr_expect_eq(fake_stack_input[0] + fake_stack_input[2], 0u);
	cr_expect_eq(fake_pkts_alive(), 0u);
	fake_fini();
}

Test(lcore_rx, the_gate_is_closed_to_the_stack_too)
{
	fake_init(1);
	fake_workers[0].priv->gate_open = false;
	fake_receive(ip_frame(2, 0x0800));
	rx_poll(&fake_workers[0]);
	cr_expect_eq(fake_stack_routed, 0u);
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_drop_gate_closed], 1u);
	fake_fini();
}

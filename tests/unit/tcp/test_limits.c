/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools that run out, many connections at once, and what the operator sees and ends. */
#include "peer.h"

#define MANY 8

static struct app apps[MANY];

static uint16_t port_of(unsigned i)
{
	return (uint16_t)(PEER_PORT + 1 + i);
}

/* A segment of the i-th of many connections, by its distance from the first byte. */
static void send_of(unsigned i, uint8_t flags, uint32_t at, uint32_t bytes, const struct tcp_options *options)
{
	static const struct tcp_options none;
	uint8_t payload[2048];
	const struct tcp_conn *conn = app_conn(&apps[i]);
	for (uint32_t b = 0; b < bytes; b++)
		payload[b] = app_byte(2, at + b);
	const struct tcp_segment segment = {.source_port = port_of(i),
					    .destination_port = PORT,
					    .seq = 5000 + 1 + at,
					    .ack = conn ? conn->snd_nxt : 0,
					    .flags = flags,
					    .window = 65535,
					    .options = options ? *options : none};
	wire_inject(&peer.wire, SERVER, &segment, payload, bytes);
}

static void try_open(unsigned i)
{
	app_init(&apps[i], &peer.wire.ends[SERVER], 1, 2);
	peer.wire.ends[SERVER].next_app = &apps[i];
	const struct tcp_segment syn = {.source_port = port_of(i),
					.destination_port = PORT,
					.seq = 5000,
					.flags = TCP_SYN,
					.window = 65535,
					.options = peer.syn};
	wire_inject(&peer.wire, SERVER, &syn, NULL, 0);
	const struct tcp_segment ack = {.source_port = port_of(i),
					.destination_port = PORT,
					.seq = 5001,
					.ack = peer_last()->seq + 1,
					.flags = TCP_ACK,
					.window = 65535};
	wire_inject(&peer.wire, SERVER, &ack, NULL, 0);
}

static void open_many(unsigned count)
{
	peer_begin();
	for (unsigned i = 0; i < count; i++) {
		try_open(i);
		cr_assert_not_null(apps[i].stream);
	}
	peer_forget();
}

/* Leave only so many of a lcore's connections. */
static void leave_connections(struct tcp_lcore *tcp, unsigned count)
{
	struct tcp_conn *conn;
	unsigned left = 0;
	TAILQ_FOREACH(conn, &tcp->free, all_link)
	left++;
	for (; left > count; left--)
		TAILQ_REMOVE(&tcp->free, TAILQ_FIRST(&tcp->free), all_link);
}

Test(tcp_limits, refuses_at_once_when_no_connection_is_left_and_serves_when_one_is)
{
	open_many(1);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	leave_connections(tcp, 0);
	try_open(1);
	cr_expect_null(apps[1].stream);
	cr_expect(peer_last()->flags & TCP_RST, "the peer need not wait to find out");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_no_connection), 1);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_half_open), 0, "nothing is kept of it");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_connections), 1);
	send_of(0, TCP_RST, 0, 0, NULL);
	peer_turn();
	cr_expect(apps[0].closed && apps[0].reason == STREAM_RESET);
	try_open(2);
	cr_expect_not_null(apps[2].stream);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_connections), 1);
	peer_end();
}

Test(tcp_limits, a_new_connection_takes_the_place_of_the_oldest_in_time_wait)
{
	open_many(3);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	for (unsigned i = 0; i < 2; i++) {
		stream_shutdown(apps[i].stream);
		peer_turn();
		send_of(i, TCP_ACK | TCP_FIN, 0, 0, NULL);
		peer_wait(MS);
		cr_assert(apps[i].closed);
	}
	cr_expect_eq(tcp_connection_count(tcp), 3);
	leave_connections(tcp, 0);
	const struct tcp_conn *oldest = TAILQ_FIRST(&tcp->time_wait);
	cr_expect_eq(oldest->node.key.remote_port, port_of(0));
	try_open(3);
	cr_expect_not_null(apps[3].stream);
	cr_expect_eq(app_conn(&apps[3]), oldest);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_time_wait_evicted), 1);
	try_open(4);
	cr_expect_not_null(apps[4].stream);
	try_open(5);
	cr_expect_null(apps[5].stream, "who is served keeps its place");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_time_wait_evicted), 2);
	cr_expect_not_null(apps[2].stream);
	peer_end();
}

/* Bytes behind a hole, every second one: as many packets as bytes. */
static void bomb(unsigned i, unsigned count)
{
	for (unsigned b = 0; b < count; b++)
		send_of(i, TCP_ACK, 10 + 2 * b, 1, NULL);
}

Test(tcp_limits, the_oldest_gap_makes_room_for_others)
{
	open_many(4);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	const uint32_t all = tcp->limits.held_packet_count;
	bomb(0, all / 2 - 8);
	bomb(1, all / 4 + 4);
	cr_expect_eq(app_conn(&apps[0])->held_count, all / 2 - 8);
	cr_expect_eq(tcp->free_held_count, all / 4 + 4);
	bomb(2, 20);
	cr_expect_eq(app_conn(&apps[0])->held_count, 0, "all of the oldest");
	cr_expect_eq(app_conn(&apps[0])->sack_count, 0, "and it is not reported any more");
	cr_expect_eq(app_conn(&apps[1])->held_count, all / 4 + 4);
	cr_expect_eq(app_conn(&apps[2])->held_count, 20);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_held_evicted), all / 2 - 8);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_held_packets), all / 4 + 24);
	/* What was given up may come again. */
	send_of(0, TCP_ACK, 0, 1000, NULL);
	cr_expect_eq(apps[0].received, 1000);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(apps[i].wrong_count, 0);
	peer_end();
}

Test(tcp_limits, one_connection_never_takes_what_is_left_for_bytes_in_order)
{
	open_many(2);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	const uint32_t all = tcp->limits.held_packet_count;
	tcp->limits.held_packet_count_each = all;
	bomb(0, all);
	cr_expect_eq(tcp->free_held_count, all / 4);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_held_packets), all - all / 4);
	apps[1].take_max = 0;
	for (unsigned i = 0; i < 100; i++)
		send_of(1, TCP_ACK, 500 * i, 500, NULL);
	cr_expect_eq(app_conn(&apps[1])->unread_bytes, 50000);
	peer_end();
}

Test(tcp_limits, the_window_of_a_protocol_that_reads_stays_open_when_others_hold_everything)
{
	open_many(2);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	while (tcp->free_held_count) {
		struct tcp_held *held = TAILQ_FIRST(&tcp->free_held);
		TAILQ_REMOVE(&tcp->free_held, held, link);
		tcp->free_held_count--;
	}
	for (unsigned i = 0; i < 200; i++) {
		send_of(0, TCP_ACK, 1000 * i, 1000, NULL);
		peer_turn();
	}
	cr_expect_eq(apps[0].received, 200000);
	cr_expect(app_conn(&apps[0])->rcv_edge - app_conn(&apps[0])->rcv_nxt > 60000, "%u",
		  app_conn(&apps[0])->rcv_edge - app_conn(&apps[0])->rcv_nxt);
	/* One that does not read has to wait, and loses nothing. */
	apps[1].take_max = 500;
	send_of(1, TCP_ACK, 0, 1000, NULL);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_held), 1);
	apps[1].take_max = UINT64_MAX;
	stream_resume(apps[1].stream);
	send_of(1, TCP_ACK, 0, 1000, NULL);
	cr_expect_eq(apps[1].received, 1000);
	cr_expect_eq(apps[0].wrong_count + apps[1].wrong_count, 0);
	while (tcp->free_held_count < tcp->limits.held_packet_count) {
		TAILQ_INSERT_TAIL(&tcp->free_held, &tcp->helds[tcp->free_held_count], link);
		tcp->free_held_count++;
	}
	peer_end();
}

Test(tcp_limits, a_peer_that_acknowledges_nothing_leaves_records_to_others)
{
	open_many(2);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	while (tcp->free_sent_count > 60)
		(void)tcp_sent_take(tcp);
	/* As if its window of congestion had grown before it fell silent. */
	app_conn(&apps[0])->cwnd = 1 << 20;
	app_conn(&apps[0])->mss = TCP_MSS_FLOOR;
	apps[0].to_send = apps[1].to_send = 60000;
	app_pump(&apps[0]);
	peer_turn();
	cr_expect_eq(app_conn(&apps[0])->sent_count, 31);
	peer_forget();
	app_pump(&apps[1]);
	peer_turn();
	cr_expect_geq(peer.seen_count, 4, "%u segments for the other one", peer.seen_count);
	send_of(0, TCP_RST, 0, 0, NULL);
	send_of(1, TCP_RST, 0, 0, NULL);
	peer_turn();
	cr_expect_eq(tcp->free_sent_count, 60, "every record is back");
	peer_end();
}

Test(tcp_limits, a_dctcp_receiver_tells_each_change_of_the_mark_at_once)
{
	peer_begin();
	peer.wire.ends[SERVER].tcp->settings.congestion = TCP_DCTCP;
	const struct tcp_segment syn = {.source_port = PEER_PORT,
					.destination_port = PORT,
					.seq = peer.iss,
					.flags = TCP_SYN | TCP_ECE | TCP_CWR,
					.window = 65535,
					.options = peer.syn};
	wire_inject(&peer.wire, SERVER, &syn, NULL, 0);
	cr_expect_eq(peer_last()->flags, TCP_SYN | TCP_ACK | TCP_ECE);
	peer.seq = peer.iss + 1;
	peer.ack = peer_last()->seq + 1;
	peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	cr_assert_not_null(peer.app.stream);
	peer_turn();
	/* marked, by segment; what is echoed, and how far, must be what Figure 1 of RFC 8257 3.2 says */
	static const struct {
		bool ce;
		unsigned acks; /* sent for it at once or at the end of its turn */
		bool ece;      /* of the last of them */
	} steps[] = {
		{false, 0, false}, /* the first is put off */
		{true, 2, true},   /* the one before without a mark, then this one with it */
		{true, 0, true},   /* marks go on: put off again */
		{true, 1, true},   /* every second */
		{true, 0, true},   /* put off */
		{false, 2, false}, /* the one before with its mark, then this one without */
		{false, 0, false}, {false, 1, false},
	};
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		peer_forget();
		uint8_t payload[1000];
		for (uint32_t b = 0; b < sizeof payload; b++)
			payload[b] = app_byte(2, peer.seq - peer.iss - 1 + b);
		const struct tcp_segment data = {.source_port = PEER_PORT,
						 .destination_port = PORT,
						 .seq = peer.seq,
						 .ack = peer.ack,
						 .flags = TCP_ACK,
						 .window = 65535};
		wire_inject_ecn(&peer.wire, SERVER, &data, payload, sizeof payload,
				steps[i].ce ? IP_ECN_CE : IP_ECN_ECT0);
		peer.seq += (uint32_t)sizeof payload;
		peer_turn();
		cr_assert_eq(peer.seen_count, steps[i].acks, "step %u: %u acknowledgements", i, peer.seen_count);
		if (steps[i].acks) {
			cr_expect_eq(peer_last()->ack, peer.seq, "step %u", i);
			cr_expect_eq((peer_last()->flags & TCP_ECE) != 0, steps[i].ece, "step %u", i);
		}
		if (steps[i].acks == 2) {
			cr_expect_eq(peer.seen[0].ack, peer.seq - 1000, "step %u: without what changed", i);
			cr_expect_eq((peer.seen[0].flags & TCP_ECE) != 0, !steps[i].ece, "step %u", i);
		}
	}
	peer_end();
}

Test(tcp_limits, abort_all_resets_those_of_an_address_or_all)
{
	static const uint8_t other[4] = {10, 0, 0, 9};
	open_many(4);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	/* 0, 1: served, one with data under way; 2: in TIME-WAIT; 3: the peer has ended; and a half-open one. */
	apps[1].to_send = 5000;
	app_pump(&apps[1]);
	stream_shutdown(apps[2].stream);
	peer_turn();
	send_of(2, TCP_ACK | TCP_FIN, 0, 0, NULL);
	apps[3].shutdown_on_end = false;
	send_of(3, TCP_ACK | TCP_FIN, 0, 0, NULL);
	peer_turn();
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_half_open), 1);
	peer_forget();

	const struct ip_addr elsewhere = ip_addr_v4(other);
	tcp_abort_all(tcp, &elsewhere, peer.wire.now_ns);
	peer_turn();
	cr_expect_eq(tcp_connection_count(tcp), 4, "it is not theirs");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_half_open), 1);

	peer_forget();
	tcp_abort_all(tcp, &peer.wire.ends[SERVER].addr, peer.wire.now_ns);
	cr_expect_eq(peer.seen_count, 3, "resets for those who might still send");
	for (unsigned i = 0; i < peer.seen_count; i++)
		cr_expect(peer.seen[i].flags & TCP_RST);
	cr_expect(!apps[0].closed, "told at the end of the turn");
	peer_turn();
	for (unsigned i = 0; i < 4; i++)
		cr_expect(apps[i].closed && apps[i].reason == (i == 2 ? STREAM_CLOSED : STREAM_ABORTED), "%u", i);
	cr_expect_eq(apps[1].buffers_out, 0);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_connections), 0);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_half_open), 0);

	try_open(5);
	cr_expect_not_null(apps[5].stream, "and new ones may come");
	tcp_abort_all(tcp, NULL, peer.wire.now_ns);
	peer_turn();
	cr_expect(apps[5].closed);
	cr_expect_eq(tcp_connection_count(tcp), 0);
	peer_end();
}

Test(tcp_limits, the_operator_sees_each_connection_once_and_as_it_is)
{
	open_many(5);
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	apps[1].take_max = 0;
	send_of(1, TCP_ACK, 0, 700, NULL);
	send_of(2, TCP_ACK, 1000, 500, NULL);
	apps[3].to_send = 200000;
	app_pump(&apps[3]);
	peer_turn();
	/* However few fit at a time. */
	for (unsigned max = 1; max <= 6; max++) {
		struct tcp_connection_info infos[8];
		uint32_t cursor = 0;
		unsigned count = 0;
		bool seen[5] = {false};
		for (unsigned n; (n = tcp_connection_copy(tcp, &cursor, infos + count, max, peer.wire.now_ns)) != 0;
		     count += n)
			cr_assert(n <= max && count + n <= 5);
		cr_assert_eq(count, 5);
		for (unsigned i = 0; i < count; i++) {
			const struct tcp_connection_info *info = &infos[i];
			const unsigned which = info->ends.remote_port - port_of(0);
			cr_assert(which < 5 && !seen[which]);
			seen[which] = true;
			cr_expect_eq(info->state, TCP_ESTABLISHED);
			cr_expect_eq(info->ends.local_port, PORT);
			cr_expect_eq(info->mss_bytes, 1000);
			cr_expect(info->sack && !info->timestamps);
			cr_expect_eq(info->bytes_in, which == 1 ? 700 : 0);
			cr_expect_eq(info->held_packets, which == 1 || which == 2);
			cr_expect_eq(info->out_of_order, which == 2);
			cr_expect_eq(info->in_flight_bytes, which == 3 ? info->cwnd_bytes : 0);
			cr_expect_eq(info->unsent_bytes + info->in_flight_bytes, which == 3 ? 200000 : 0);
			cr_expect_eq(info->send_window_bytes, 65535);
		}
	}
	peer_end();
}

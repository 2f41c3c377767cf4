/* SPDX-License-Identifier: BSD-3-Clause */
/* How losses are told of, found and repaired, rule by rule. */
#include "peer.h"

/* ---- what the receiver tells ---- */

Test(tcp_recovery, tells_of_a_gap_at_once_and_of_the_rest_of_a_run_by_the_group)
{
	peer_established();
	const uint32_t base = peer.seq;
	for (unsigned i = 1; i <= 20; i++) {
		peer_send(TCP_ACK, base + 100 * i, peer.ack, 100);
		peer_turn();
		cr_expect_eq(peer.seen_count, i <= 4 ? i : 4 + (i - 4) / 4, "after %u: %u", i, peer.seen_count);
	}
	/* A second gap is news. */
	peer_forget();
	peer_send(TCP_ACK, base + 5000, peer.ack, 100);
	peer_turn();
	cr_assert_eq(peer.seen_count, 1);
	cr_expect_eq(peer_last()->options.sack[0].start, base + 5000);
	/* So is a segment that came twice. */
	peer_send(TCP_ACK, base + 5000, peer.ack, 100);
	peer_turn();
	cr_expect_eq(peer.seen_count, 2);
	/* The rest of a group waits for part of a round trip (a millisecond here) at most. */
	peer_send(TCP_ACK, base + 5100, peer.ack, 100);
	peer_turn();
	cr_expect_eq(peer.seen_count, 2);
	peer_wait(MS);
	cr_expect_eq(peer.seen_count, 3);
	cr_expect_eq(peer_last()->options.sack[0].end, base + 5200);
	peer_end();
}

Test(tcp_recovery, tells_of_every_segment_ahead_without_sack)
{
	peer_begin();
	peer.syn.sack_permitted = false;
	peer_handshake();
	peer_turn();
	peer_forget();
	for (unsigned i = 1; i <= 20; i++) {
		peer_send(TCP_ACK, peer.seq + 100 * i, peer.ack, 100);
		peer_turn();
	}
	cr_expect_eq(peer.seen_count, 20);
	peer_end();
}

Test(tcp_recovery, delays_no_acknowledgement_for_a_while_after_a_loss)
{
	peer_established();
	peer_data(100);
	peer_turn();
	cr_expect_eq(peer.seen_count, 0, "a lone segment waits");
	peer_data(100);
	peer_turn();
	peer_forget();
	peer_send(TCP_ACK, peer.seq + 100, peer.ack, 100);
	peer_turn();
	peer_data(100);
	peer.seq += 100;
	peer_turn();
	for (unsigned i = 0; i < TCP_QUICK_ACKS; i++) {
		peer_forget();
		peer_data(100);
		peer_turn();
		cr_expect_eq(peer.seen_count, 1, "segment %u behind the gap", i);
	}
	peer_forget();
	peer_data(100);
	peer_turn();
	cr_expect_eq(peer.seen_count, 0);
	peer_end();
}

/* ---- what the sender makes of it ---- */

/* The first ten segments of so many bytes. */
static void ten_in_flight(uint64_t to_send)
{
	peer.app.to_send = to_send;
	app_pump(&peer.app);
	peer_turn();
	cr_assert_eq(peer.seen_count, 10);
	peer_forget();
}

/* Blocks of whole segments, newest first. */
static void sack(unsigned count, const unsigned blocks[][2])
{
	struct tcp_options o = {.sack_count = (uint8_t)count};
	for (unsigned i = 0; i < count; i++)
		o.sack[i] = (struct tcp_range){peer.ack + 1000 * blocks[i][0], peer.ack + 1000 * blocks[i][1]};
	peer_send_options(TCP_ACK, peer.seq, peer.ack, 0, &o);
	peer_turn();
}

Test(tcp_recovery, blocks_of_one_acknowledgement_are_no_reordering)
{
	peer_established();
	ten_in_flight(10000);
	peer_wait(2 * MS);
	sack(1, (const unsigned[][2]){{1, 10}});
	cr_expect(!peer_conn()->reordering_seen);
	cr_assert_geq(peer.seen_count, 1);
	cr_expect_eq(peer.seen[0].seq, peer.ack, "the hole is filled at once, and first");
	peer_end();

	peer_established();
	ten_in_flight(10000);
	peer_wait(2 * MS);
	sack(2, (const unsigned[][2]){{8, 9}, {3, 5}});
	cr_expect(!peer_conn()->reordering_seen);
	/* What comes later of what lies before is. */
	sack(3, (const unsigned[][2]){{6, 7}, {8, 9}, {3, 5}});
	cr_expect(peer_conn()->reordering_seen);
	peer_end();
}

Test(tcp_recovery, fills_the_next_hole_at_a_partial_acknowledgement_without_sack)
{
	peer_begin();
	peer.syn.sack_permitted = false;
	peer_handshake();
	peer_turn();
	peer_forget();
	ten_in_flight(20000);
	peer_wait(2 * MS);
	for (unsigned i = 0; i < 3; i++) {
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
		peer_turn();
	}
	cr_assert_geq(peer.seen_count, 1);
	cr_expect_eq(peer_last()->seq, peer.ack);
	peer_forget();
	peer_send(TCP_ACK, peer.seq, peer.ack + 4000, 0);
	peer_turn();
	cr_assert_geq(peer.seen_count, 1, "it waits for a timeout");
	cr_expect_eq(peer.seen[0].seq, peer.ack + 4000);
	peer_end();
}

Test(tcp_recovery, an_echo_that_empties_the_network_does_not_take_the_whole_window)
{
	for (unsigned congestion = TCP_CUBIC; congestion <= TCP_RENO; congestion++) {
		if (congestion == TCP_DCTCP)
			continue;
		peer_begin();
		tcp_set_settings(peer.wire.ends[SERVER].tcp,
				 &(struct tcp_settings){.congestion = (enum tcp_congestion)congestion,
							.ecn = true,
							.window_bytes_max = 65535,
							.send_bytes_max = 1 << 20});
		peer_send_options(TCP_SYN | TCP_ECE | TCP_CWR, peer.iss, 0, 0, &peer.syn);
		peer.syn_ack = peer_last()->seq;
		peer.seq = peer.iss + 1;
		peer.ack = peer.syn_ack + 1;
		peer_wait(MS);
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
		peer_turn();
		peer_forget();
		ten_in_flight(10000);
		peer_wait(2 * MS);
		peer_send(TCP_ACK | TCP_ECE, peer.seq, peer.ack + 10000, 0);
		peer_turn();
		cr_expect_geq(peer_conn()->cwnd, 5000, "%u: %u", congestion, peer_conn()->cwnd);
		cr_expect_leq(peer_conn()->cwnd, 7000, "%u: %u", congestion, peer_conn()->cwnd);
		peer_end();
	}
}

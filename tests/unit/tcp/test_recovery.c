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

/* ---- silence ---- */

/* The stack has sent so much, and nothing is said about it. */
static void sends(uint64_t bytes)
{
	peer.app.to_send += bytes;
	app_pump(&peer.app);
	peer_turn();
}

static void acks(uint32_t ack, uint32_t sack_start, uint32_t sack_end)
{
	const struct tcp_options options = {.sack_count = sack_end != sack_start, .sack = {{sack_start, sack_end}}};
	peer_send_options(TCP_ACK, peer.seq, ack, 0, &options);
	peer_turn();
}

Test(tcp_recovery, asks_before_it_sends_a_last_segment_again)
{
	for (unsigned had_it = 0; had_it < 2; had_it++) {
		peer_established();
		sends(500);
		cr_assert_eq(peer.seen_count, 1);
		peer_wait(6 * MS);
		cr_assert_eq(peer.seen_count, 2, "%u", peer.seen_count);
		cr_expect_eq(peer_last()->seq, peer.ack - 1);
		cr_expect_eq(peer_last()->payload_bytes, 1);
		cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), 0);
		/* The answer: a DSACK of the byte that was had already, and what has arrived. */
		acks(peer.ack + (had_it ? 500 : 0), peer.ack - 1, peer.ack);
		peer_wait(MS);
		cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), !had_it);
		if (!had_it) {
			cr_expect_eq(peer_last()->seq, peer.ack);
			cr_expect_eq(peer_last()->payload_bytes, 500);
			acks(peer.ack + 500, 0, 0);
		}
		peer_wait(SECOND);
		cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), !had_it);
		cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_undone), 0);
		peer_end();
	}
}

Test(tcp_recovery, sends_a_last_segment_again_when_its_question_is_not_answered)
{
	peer_established();
	sends(500);
	peer_wait(11 * MS);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), 1);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_timeouts), 0);
	cr_expect_eq(peer_last()->seq, peer.ack);
	cr_expect_eq(peer_last()->payload_bytes, 500);
	peer_end();
}

Test(tcp_recovery, breaks_a_silence_with_new_data_up_to_three_times)
{
	peer_established();
	sends(20000);
	cr_assert_eq(peer.seen_count, 10, "the first window");
	peer_forget();
	peer_wait(7 * MS);
	cr_expect_eq(peer.seen_count, 3);
	for (unsigned i = 0; i < peer.seen_count; i++)
		cr_expect_eq(peer.seen[i].seq, peer.ack + 1000 * (10 + i));
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), 0);
	peer_wait(150 * MS);
	cr_expect_eq(peer.seen_count, 3, "then it waits for the timeout");
	peer_wait(100 * MS);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_timeouts), 1);
	peer_end();
}

Test(tcp_recovery, breaks_a_silence_during_recovery)
{
	peer_established();
	sends(40000);
	const uint32_t base = peer.ack;
	/* The first is missing, and is sent again; what the peer says to that is lost. */
	peer.wire.now_ns += MS;
	acks(base, base + 1000, base + 5000);
	cr_assert_eq(peer_conn()->phase, TCP_RECOVERY);
	cr_assert_eq(peer_stat(WHERRY_LCORE_tcp_retransmits), 1);
	peer_forget();
	peer_wait(6 * MS);
	cr_expect(peer.seen_count >= 1, "a probe");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_timeouts), 0);
	acks(base + 10000, 0, 0);
	cr_expect_eq(peer_conn()->phase, TCP_OPEN);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_timeouts), 0);
	peer_end();
}

/* ---- closed windows, both ways at once ---- */

/* RFC 9293 3.10.7.4: a number behind the byte of a probe is not acceptable to a peer whose window is closed. */
Test(tcp_recovery, acknowledges_with_a_number_that_a_closed_window_takes)
{
	peer_begin();
	peer.app.to_send = 5000;
	peer.window = 0;
	peer_handshake();
	peer_wait(2 * SECOND);
	cr_assert_eq(peer_conn()->snd_nxt, peer.ack + 1, "it has probed");
	peer_forget();
	peer_data(1000);
	peer_data(1000);
	peer_turn();
	cr_assert(peer.seen_count > 0);
	cr_expect_eq(peer_last()->ack, peer.seq);
	cr_expect_eq(peer_last()->seq, peer.ack);
	peer_end();
}

/* "Special allowance should be made to accept valid ACKs" (the same): the peer may count its probe in. */
Test(tcp_recovery, takes_acknowledgements_while_its_window_is_closed)
{
	peer_established();
	peer.app.take_max = 0;
	for (unsigned i = 0; i < 1000 && tcp_seq_lt(peer.seq, peer_conn()->rcv_edge); i++) {
		peer_data(tcp_min_u32(peer_conn()->rcv_edge - peer.seq, 1000));
		peer_turn();
	}
	cr_assert_eq(peer_conn()->rcv_nxt, peer_conn()->rcv_edge);
	peer.app.to_send = 3000;
	app_pump(&peer.app);
	peer_turn();
	peer_send(TCP_ACK, peer.seq + 1, peer.ack + 3000, 0);
	cr_expect_eq(peer_conn()->snd_una, peer.ack + 3000);
	/* No more than that. */
	peer_send(TCP_ACK, peer.seq + 2, peer.ack + 3000, 0);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_window), 1);
	peer_end();
}

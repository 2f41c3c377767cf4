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

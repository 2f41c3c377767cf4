/* SPDX-License-Identifier: BSD-3-Clause */
/* Pitfalls of acknowledgements, windows, resets, data and recovery, segment by segment. */
#include "peer.h"

static unsigned count_payload(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < peer.seen_count; i++)
		count += peer.seen[i].payload_bytes > 0;
	return count;
}

Test(tcp_segments, refuses_to_be_told_of_data_it_never_sent)
{
	peer_established();
	peer_send(TCP_ACK, peer.seq, peer.ack + 1, 100);
	cr_expect_eq(peer.app.received, 0);
	cr_expect_eq(peer_last()->flags, TCP_ACK);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_ack), 1);
	/* And of what was acknowledged longer ago than a window (RFC 5961 5). */
	peer_send(TCP_ACK, peer.seq, peer.ack - 70000, 100);
	cr_expect_eq(peer.app.received, 0);
	peer_end();
}

Test(tcp_segments, resets_on_the_exact_number_only)
{
	peer_established();
	const uint32_t wrong[] = {peer.seq + 1, peer.seq + 60000};
	for (unsigned i = 0; i < 2; i++) {
		peer_send(TCP_RST, wrong[i], 0, 0);
		cr_expect_eq(peer_last()->flags, TCP_ACK, "a challenge");
		cr_expect_eq(peer_last()->ack, peer.seq);
	}
	const unsigned count = peer.seen_count;
	peer_send(TCP_RST, peer.seq - 1, 0, 0);
	peer_send(TCP_RST, peer.seq + 100000, 0, 0);
	cr_expect_eq(peer.seen_count, count, "outside of the window: silence");
	peer_turn();
	cr_expect(!peer.app.closed);
	peer_send(TCP_RST, peer.seq, 0, 0);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_RESET);
	peer_end();
}

Test(tcp_segments, limits_challenges_without_silencing_data)
{
	peer_established();
	for (unsigned i = 0; i < 1000; i++)
		peer_send(TCP_SYN, peer.seq + 5, 0, 0);
	cr_expect_eq(peer.seen_count, TCP_CHALLENGE_COUNT);
	cr_expect(peer_stat(WHERRY_LCORE_tcp_challenges_limited) > 900);
	peer_data(100);
	peer_data(100);
	peer_turn();
	cr_expect_eq(peer_last()->ack, peer.seq, "data are acknowledged all the same");
	peer_end();
}

Test(tcp_segments, does_not_answer_acknowledgements_without_end)
{
	peer_established();
	for (unsigned i = 0; i < 1000; i++)
		peer_send(TCP_ACK, peer.seq - 1, peer.ack, 0);
	peer_turn();
	cr_expect(peer.seen_count >= 1 && peer.seen_count <= TCP_CHALLENGE_COUNT);
	peer_forget();
	for (unsigned i = 0; i < 1000; i++)
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	peer_turn();
	cr_expect_eq(peer.seen_count, 0);
	peer_end();
}

Test(tcp_segments, trims_duplicates_overlaps_and_the_right_edge)
{
	peer_established();
	peer_data(1000);
	/* Half old, half new. */
	peer_send(TCP_ACK, peer.seq - 500, peer.ack, 1000);
	peer.seq += 500;
	cr_expect_eq(peer.app.received, 1500);
	/* All old: acknowledged again, with a DSACK. */
	peer_turn();
	peer_send(TCP_ACK, peer.seq - 500, peer.ack, 500);
	peer_turn();
	cr_expect_eq(peer.app.received, 1500);
	cr_expect(peer_last()->options.sack_count == 1 && peer_last()->options.sack[0].start == peer.seq - 500 &&
		  peer_last()->options.sack[0].end == peer.seq);
	/* Beyond the right edge: only what was asked for. */
	peer.app.take_max = peer.app.received;
	const uint32_t edge = peer_conn()->rcv_edge;
	while (edge - peer.seq > 1000)
		peer_data(1000);
	peer_send(TCP_ACK, peer.seq, peer.ack, 3000);
	peer_turn();
	cr_expect_eq(peer_conn()->rcv_nxt, edge);
	cr_expect_eq(peer_last()->window, 0);
	peer_end();
}

Test(tcp_segments, puts_any_order_of_overlapping_segments_together)
{
	for (uint64_t seed = 1; seed < 60; seed++) {
		peer_established();
		struct wire *w = &peer.wire;
		w->random = seed;
		const uint32_t base = peer.seq;
		for (unsigned i = 0; i < 400; i++) {
			const uint32_t start = (uint32_t)(wire_random(w) % 4000);
			uint32_t len = 1 + (uint32_t)(wire_random(w) % 700);
			if (start + len > 4000)
				len = 4000 - start;
			const bool fin = start + len == 4000;
			peer_send((uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)), base + start, peer.ack, len);
			if (i % 7 == 0)
				peer_turn();
			/* Blocks are true and apart from each other. */
			const struct tcp_segment *last = peer.seen_count ? peer_last() : NULL;
			for (unsigned b = 0; last && b < last->options.sack_count; b++)
				cr_assert(tcp_seq_lt(last->options.sack[b].start, last->options.sack[b].end));
			if (peer.app.ended)
				break;
		}
		peer_send(TCP_ACK | TCP_FIN, base, peer.ack, 4000);
		cr_expect_eq(peer.app.received, 4000, "seed %llu: %llu", (unsigned long long)seed,
			     (unsigned long long)peer.app.received);
		cr_expect(peer.app.ended, "the FIN is not lost");
		cr_expect_eq(peer_conn()->held_count, 0);
		peer_end();
	}
}

Test(tcp_segments, reports_what_came_out_of_order_newest_first)
{
	peer_established();
	const uint32_t base = peer.seq;
	const uint32_t at[] = {1000, 3000, 5000, 7000, 9000};
	for (unsigned i = 0; i < 5; i++) {
		peer_send(TCP_ACK, base + at[i], peer.ack, 500);
		peer_turn();
		cr_expect_eq(peer_last()->ack, base);
		cr_expect_eq(peer_last()->options.sack[0].start, base + at[i]);
		cr_expect_eq(peer_last()->options.sack_count, i < 4 ? i + 1 : 4);
	}
	peer_send(TCP_ACK, base + 9500, peer.ack, 500);
	peer_wait(MS);
	cr_expect(peer_last()->options.sack[0].start == base + 9000 &&
		  peer_last()->options.sack[0].end == base + 10000);
	peer_send(TCP_ACK, base, peer.ack, 1000);
	peer_turn();
	cr_expect_eq(peer_last()->ack, base + 1500);
	peer_end();
}

Test(tcp_segments, bounds_out_of_order_memory_in_packets)
{
	peer_established();
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	tcp->limits.held_packet_count_each = 16;
	for (unsigned i = 0; i < 500; i++)
		peer_send(TCP_ACK, peer.seq + 10 + 2 * i, peer.ack, 1);
	cr_expect(peer_conn()->held_count <= 16);
	cr_expect(peer_stat(WHERRY_LCORE_tcp_drop_held) > 400);
	/* One-byte segments without gaps share packets. */
	peer_send(TCP_ACK, peer.seq, peer.ack, 1000);
	cr_expect_eq(peer.app.received, 1000, "and what is in order goes on");
	peer.seq += 1000;
	peer.app.take_max = 1000;
	for (unsigned i = 0; i < 500; i++)
		peer_data(1);
	cr_expect_eq(peer_conn()->unread_bytes, 500);
	cr_expect(peer_conn()->held_count <= 8, "%u packets", peer_conn()->held_count);
	peer_end();
}

Test(tcp_segments, opens_the_window_again_when_the_protocol_reads)
{
	peer_established();
	peer.app.take_max = 0;
	const uint32_t edge = peer_conn()->rcv_edge;
	while (peer.seq != edge)
		peer_data(tcp_min_u32(edge - peer.seq, 1000));
	peer_turn();
	cr_expect_eq(peer_last()->window, 0);
	/* A probe is answered, and takes nothing. */
	peer_forget();
	peer_send(TCP_ACK, peer.seq, peer.ack, 1);
	peer_turn();
	cr_expect(peer.seen_count == 1 && peer_last()->ack == peer.seq && peer_last()->window == 0);
	peer.app.take_max = UINT64_MAX;
	stream_resume(peer.app.stream);
	peer_turn();
	cr_expect(peer.seen_count == 2 && peer_last()->window > 30000, "an update, unasked");
	cr_expect_eq(peer.app.received, edge - peer.iss - 1);
	peer_end();
}

Test(tcp_segments, never_takes_back_a_window_it_has_offered)
{
	peer_established();
	peer.app.take_max = 0;
	uint32_t edge = 0;
	for (unsigned i = 0; i < 200; i++) {
		if (tcp_seq_lt(peer_conn()->rcv_nxt, peer_conn()->rcv_edge))
			peer_data(tcp_min_u32(peer_conn()->rcv_edge - peer.seq, 313));
		peer_turn();
		if (!peer.seen_count)
			continue;
		const uint32_t now = peer_last()->ack + peer_last()->window;
		cr_assert(i < 3 || !tcp_seq_lt(now, edge), "%u bytes back", edge - now);
		edge = now;
	}
	peer_end();
}

Test(tcp_segments, probes_a_closed_window_with_backoff_and_one_number)
{
	peer_begin();
	peer.app.to_send = 5000;
	peer.window = 0;
	peer_handshake();
	peer_wait(400 * SECOND / 10);
	const unsigned probes = count_payload();
	cr_expect(probes >= 4 && probes <= 9, "%u probes in 40 s", probes);
	for (unsigned i = 0; i < peer.seen_count; i++)
		if (peer.seen[i].payload_bytes)
			cr_expect(peer.seen[i].payload_bytes == 1 && peer.seen[i].seq == peer.ack);
	cr_expect_eq(peer_conn()->snd_nxt, peer.ack + 1);
	/* Answered for ever, it stays for ever. */
	for (unsigned i = 0; i < 100; i++) {
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
		peer_wait(10 * SECOND);
	}
	cr_expect(!peer.app.closed);
	peer.window = 65535;
	peer_forget();
	peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	peer_turn();
	cr_expect(count_payload() >= 5, "%u segments", count_payload());
	cr_expect_eq(peer.seen[0].seq, peer.ack);
	peer_send(TCP_ACK, peer.seq, peer.ack + 5000, 0);
	peer_turn();
	cr_expect_eq(peer_conn()->snd_una, peer.ack + 5000);
	peer_end();
}

Test(tcp_segments, believes_windows_of_newer_segments_only)
{
	peer_established();
	peer_data(100);
	peer.window = 5000;
	peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	cr_expect_eq(peer_conn()->snd_wnd, 5000);
	peer.window = 100;
	peer_send(TCP_ACK, peer.seq - 50, peer.ack, 50 + 100);
	cr_expect_eq(peer_conn()->snd_wnd, 100, "trimmed to something newer");
	peer_end();
}

Test(tcp_segments, does_not_send_silly_segments)
{
	peer_begin();
	peer.app.to_send = 100000;
	peer.window = 3500;
	peer_handshake();
	peer_turn();
	cr_expect_eq(count_payload(), 3, "what is left of the window is less than a segment");
	peer_forget();
	peer.window = 2700;
	peer_send(TCP_ACK, peer.seq, peer.ack + 1000, 0);
	peer_turn();
	cr_expect_eq(count_payload(), 0);
	peer_end();
}

Test(tcp_segments, acknowledges_every_second_segment_and_a_lone_one_late)
{
	peer_established();
	for (unsigned i = 0; i < 20; i++) {
		peer_data(1000);
		peer_turn();
	}
	cr_expect_eq(peer.seen_count, 10);
	peer_forget();
	peer_data(1000);
	peer_wait(MS);
	cr_expect_eq(peer.seen_count, 0);
	peer_wait(2 * MS);
	cr_expect_eq(peer.seen_count, 1);
	peer_end();
}

Test(tcp_segments, drops_old_timestamps_but_not_resets_with_them)
{
	peer_begin();
	peer.syn.has_timestamps = true;
	peer.syn.ts_val = peer.ts_val = 1000;
	peer_handshake();
	peer.ts_val = 2000;
	peer_data(100);
	peer_turn();
	peer_forget();
	peer.ts_val = 1500;
	peer_send(TCP_ACK, peer.seq, peer.ack, 100);
	peer_turn();
	cr_expect_eq(peer.app.received, 100);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_paws), 1);
	cr_expect_eq(peer.seen_count, 1, "acknowledged all the same");
	peer.timestamps = false;
	peer_send(TCP_ACK, peer.seq, peer.ack, 100);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_no_timestamp), 1);
	peer_send(TCP_RST, peer.seq, 0, 0);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_RESET);
	peer_end();
}

Test(tcp_segments, a_wrong_acknowledgement_leaves_no_timestamp_behind)
{
	peer_begin();
	peer.syn.has_timestamps = true;
	peer.syn.ts_val = peer.ts_val = 1000;
	peer_handshake();
	peer.ts_val = 900000;
	peer_send(TCP_ACK, peer.seq, peer.ack + 9999, 100);
	peer_send(TCP_ACK | TCP_FIN, peer.seq, peer.ack + 9999, 0);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_ack), 2);
	peer.ts_val = 1001;
	peer_data(100);
	peer_turn();
	cr_expect_eq(peer.app.received, 100, "what the peer itself sends is taken");
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_paws), 0);
	peer_end();
}

static struct tcp_options last_options(void)
{
	peer_turn();
	return peer_last()->options;
}

Test(tcp_segments, reports_what_came_twice_in_part)
{
	peer_established();
	const uint32_t base = peer.seq;
	peer_send(TCP_ACK, base + 200, peer.ack, 100);
	peer_send(TCP_ACK, base + 400, peer.ack, 100);
	peer_turn();
	/* 50 bytes of one before it, all of the one behind. */
	peer_send(TCP_ACK, base + 250, peer.ack, 250);
	struct tcp_options o = last_options();
	cr_expect(o.sack_count == 2 && o.sack[0].start == base + 250 && o.sack[0].end == base + 300);
	cr_expect(o.sack[1].start == base + 200 && o.sack[1].end == base + 500);
	/* Nothing before it, part of one behind. */
	peer_send(TCP_ACK, base + 600, peer.ack, 100);
	peer_send(TCP_ACK, base + 550, peer.ack, 75);
	o = last_options();
	cr_expect(o.sack_count >= 2 && o.sack[0].start == base + 600 && o.sack[0].end == base + 625);
	cr_expect(o.sack[1].start == base + 550 && o.sack[1].end == base + 700);
	/* In order, over what is ahead. */
	peer_send(TCP_ACK, base, peer.ack, 275);
	o = last_options();
	cr_expect_eq(peer_last()->ack, base + 500);
	cr_expect(o.sack_count == 2 && o.sack[0].start == base + 200 && o.sack[0].end == base + 275);
	cr_expect_eq(peer.app.received, 500);
	peer_end();
}

Test(tcp_segments, believes_any_timestamp_after_24_days)
{
	peer_begin();
	peer.wire.ends[SERVER].tcp->settings.keepalive_idle_ms = 0;
	peer.syn.has_timestamps = true;
	peer.ts_val = peer.syn.ts_val = 1000;
	peer_handshake();
	peer_turn();
	peer.wire.now_ns += 25ull * 86400 * SECOND;
	peer.ts_val = 1000 + (25u * 86400000u); /* more than half of the numbers ahead: looks old */
	peer_send(TCP_ACK, peer.seq, peer.ack, 100);
	cr_expect_eq(peer.app.received, 100);
	peer_end();
}

Test(tcp_segments, does_not_restart_the_timer_for_an_acknowledgement_of_nothing)
{
	peer_begin();
	peer.syn.sack_permitted = false;
	peer.app.to_send = 100;
	peer_handshake();
	peer_turn();
	peer_forget();
	for (unsigned i = 0; i < 60; i++) {
		peer_wait(5 * MS);
		peer.window ^= 1; /* an update, not a duplicate */
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	}
	cr_expect(count_payload() >= 1, "300 ms, and nothing was sent again");
	peer_end();
}

Test(tcp_segments, frees_on_cumulative_acknowledgement_only_and_survives_reneging)
{
	peer_begin();
	peer.app.to_send = 8000;
	peer.app.piece_bytes = 1000;
	peer_handshake();
	peer_turn();
	cr_expect_eq(count_payload(), 8);
	const struct tcp_options all = {.sack_count = 1, .sack = {{peer.ack, peer.ack + 8000}}};
	const struct tcp_options nonsense = {.sack_count = 4,
					     .sack = {{peer.ack + 5, peer.ack + 2},
						      {peer.ack + 100000, peer.ack + 200000},
						      {peer.ack - 100000, peer.ack - 90000},
						      {peer.ack + 3, peer.ack + 3}}};
	peer_send_options(TCP_ACK, peer.seq, peer.ack, 0, &nonsense);
	cr_expect_eq(peer_conn()->sacked_count, 0);
	peer_send_options(TCP_ACK, peer.seq, peer.ack, 0, &all);
	cr_expect_eq(peer_conn()->sacked_count, 8);
	cr_expect_eq(peer.app.buffers_out, 8);
	peer_forget();
	/* It took everything back: after a timeout all is sent again. */
	for (unsigned i = 0; i < 12; i++) {
		peer_wait(1 * SECOND);
		if (peer.seen_count && tcp_seq_lt(peer.ack, peer_last()->seq + peer_last()->payload_bytes))
			peer.ack = peer_last()->seq + peer_last()->payload_bytes;
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	}
	cr_expect_eq(peer.app.buffers_out, 0);
	cr_expect_eq(peer_conn()->flight_bytes, 0);
	peer_end();
}

Test(tcp_segments, cuts_the_threshold_once_for_a_flight)
{
	peer_begin();
	peer.app.to_send = 10000;
	peer_handshake();
	peer_turn();
	peer_wait(5 * SECOND);
	cr_expect(peer_conn()->timeouts >= 3 && peer_conn()->timeouts <= 5, "%u", (unsigned)peer_conn()->timeouts);
	cr_expect_eq(peer_conn()->ssthresh, 7000, "%u", peer_conn()->ssthresh);
	cr_expect_eq(peer_conn()->cwnd, 1000, "%u", peer_conn()->cwnd);
	peer_end();
}

Test(tcp_segments, does_not_grow_a_window_that_is_not_used)
{
	peer_established();
	const uint32_t cwnd = peer_conn()->cwnd;
	for (unsigned i = 0; i < 200; i++) {
		peer.app.to_send += 100;
		app_pump(&peer.app);
		peer_turn();
		peer.ack += 100;
		peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	}
	cr_expect(peer_conn()->cwnd <= 2 * cwnd, "%u", peer_conn()->cwnd);
	peer_end();
}

Test(tcp_segments, finds_loss_at_microsecond_round_trips)
{
	peer_begin();
	peer.app.to_send = 20000;
	peer_handshake();
	peer_turn();
	const uint32_t base = peer.ack;
	peer.wire.now_ns += 3000;
	for (unsigned i = 2; i <= 5; i++) {
		const struct tcp_options sack = {.sack_count = 1, .sack = {{base + 1000, base + 1000 * i}}};
		peer_forget();
		peer_send_options(TCP_ACK, peer.seq, base, 0, &sack);
		peer_turn();
	}
	bool again = false;
	for (unsigned i = 0; i < peer.seen_count; i++)
		again |= peer.seen[i].seq == base;
	cr_expect(again || peer_conn()->retransmits == 1, "the first is sent again without a timer");
	peer_end();
}

Test(tcp_segments, lowers_its_mtu_for_a_true_icmp_error_only)
{
	peer_begin();
	peer.syn.mss_bytes = 1460;
	peer.app.to_send = 20000;
	peer_handshake();
	peer_turn();
	struct endpoint *end = &peer.wire.ends[SERVER];
	struct net_icmp_view icmp = {NET_ERROR_TOO_BIG, 1300, end->addr, peer.wire.ends[CLIENT].addr, PORT, PEER_PORT,
				     peer.ack + 100000};
	tcp_icmp(end->tcp, &icmp, peer.wire.now_ns);
	icmp.seq = peer.ack;
	icmp.mtu = 1600;
	tcp_icmp(end->tcp, &icmp, peer.wire.now_ns);
	icmp.error = NET_ERROR_UNREACHABLE;
	tcp_icmp(end->tcp, &icmp, peer.wire.now_ns);
	cr_expect_eq(end->mtu, 1500);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_icmp_ignored), 3);
	icmp.error = NET_ERROR_TOO_BIG;
	icmp.mtu = 1300;
	peer_forget();
	tcp_icmp(end->tcp, &icmp, peer.wire.now_ns);
	peer_turn();
	cr_expect_eq(end->mtu, 1300);
	cr_expect(peer.seen_count > 5 && peer.seen[0].seq == peer.ack && peer.seen[0].payload_bytes == 1260);
	icmp.mtu = 68;
	tcp_icmp(end->tcp, &icmp, peer.wire.now_ns);
	cr_expect_eq(end->mtu, 552, "not lower than that");
	peer_end();
}

Test(tcp_segments, tries_smaller_segments_when_full_ones_vanish)
{
	peer_begin();
	peer.syn.mss_bytes = 1460;
	peer.app.to_send = 20000;
	peer_handshake();
	peer_turn();
	/* The peer is there: it sends data, and acknowledges nothing. */
	for (unsigned i = 0; i < 10; i++) {
		peer_data(10);
		peer_wait(100 * MS);
	}
	cr_expect_eq(peer_conn()->mss, 1240);
	cr_expect(peer_last()->payload_bytes <= 1240);
	cr_expect_eq(peer.wire.ends[SERVER].mtu, 1500, "other connections have their own opinion");
	peer_end();
}

Test(tcp_segments, copies_small_pieces_and_refers_to_large_ones)
{
	peer_established();
	peer.app.to_send = 700;
	peer.app.piece_bytes = 10;
	app_pump(&peer.app);
	peer_turn();
	cr_expect(peer.seen_count == 1 && peer_last()->payload_bytes == 700);
	peer_end();
}

/* RFC 6298 5: whatever measures a round trip has the timeout computed anew, not what is acknowledged cumulatively only.
 */
Test(tcp_segments, ends_the_doubling_of_timeouts_with_a_measurement_by_sack)
{
	peer_established();
	const uint32_t base = peer.ack;
	peer.app.to_send = 8000;
	app_pump(&peer.app);
	peer_wait(10 * SECOND);
	cr_assert(peer_conn()->backoff >= 4);
	/* One was sent once, and its acknowledgement comes now. */
	const struct tcp_sent *sent = TAILQ_FIRST(&peer_conn()->sent);
	while (sent->tx_count > 1 && TAILQ_NEXT(sent, by_seq))
		sent = TAILQ_NEXT(sent, by_seq);
	cr_assert_eq(sent->tx_count, 1);
	const struct tcp_options sack = {.sack_count = 1, .sack = {{sent->start, sent->end}}};
	peer_send_options(TCP_ACK, peer.seq, base, 0, &sack);
	cr_expect_eq(peer_conn()->snd_una, base);
	cr_expect_eq(peer_conn()->sacked_count, 1);
	cr_expect_eq(peer_conn()->backoff, 0);
	peer_end();
}

/* Data sent again have old numbers and may bring the newest acknowledgement: its window counts, or the right edge would
 * move on by what is acknowledged (RFC 9293 3.8.6: not beyond what the peer has told). */
Test(tcp_segments, takes_the_window_of_whatever_acknowledges_more)
{
	peer_established();
	const uint32_t base = peer.ack;
	peer.window = 4000;
	peer_send(TCP_ACK, peer.seq + 500, base, 100); /* ahead of a gap */
	peer.app.to_send = 20000;
	app_pump(&peer.app);
	peer_turn();
	peer_forget();
	/* It has taken 2000 bytes and not read one of them. */
	peer.window = 2000;
	peer_send(TCP_ACK, peer.seq, base + 2000, 500);
	peer_wait(20 * MS);
	for (unsigned i = 0; i < peer.seen_count; i++)
		cr_expect(tcp_seq_leq(peer.seen[i].seq + peer.seen[i].payload_bytes, base + 4000), "%u bytes beyond",
			  peer.seen[i].seq + peer.seen[i].payload_bytes - base - 4000);
	peer_end();
}

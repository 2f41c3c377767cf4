/* SPDX-License-Identifier: BSD-3-Clause */
/* How connections end: FIN in every state, TIME-WAIT, silence, aborts. */
#include "peer.h"

static unsigned count_payload(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < peer.seen_count; i++)
		count += peer.seen[i].payload_bytes > 0;
	return count;
}

Test(tcp_endings, keeps_keep_alive_and_ends_what_is_silent_with_a_reset)
{
	peer_established();
	peer_wait(61 * SECOND);
	cr_assert_eq(peer.seen_count, 1);
	cr_expect(peer_last()->seq == peer.ack - 1 && peer_last()->payload_bytes == 0);
	peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	peer_wait(59 * SECOND);
	cr_expect_eq(peer.seen_count, 1);
	peer_wait(80 * SECOND);
	cr_expect(peer.app.closed && peer.app.reason == STREAM_TIMED_OUT);
	cr_expect(peer_last()->flags & TCP_RST);
	peer_end();
}

Test(tcp_endings, resets_after_retransmitting_in_vain)
{
	peer_begin();
	peer.app.to_send = 100;
	peer_handshake();
	peer_wait(200 * SECOND);
	cr_expect(peer.app.closed && peer.app.reason == STREAM_TIMED_OUT);
	cr_expect(peer_last()->flags & TCP_RST);
	cr_expect_eq(peer.app.buffers_out, 0);
	peer_end();
}

Test(tcp_endings, sends_fin_again_in_every_closing_state)
{
	/* FIN-WAIT-1, CLOSING, LAST-ACK */
	for (unsigned how = 0; how < 3; how++) {
		peer_established();
		if (how == 2)
			peer_send(TCP_ACK | TCP_FIN, peer.seq++, peer.ack, 0);
		stream_shutdown(peer.app.stream);
		peer_turn();
		cr_expect(peer_last()->flags & TCP_FIN);
		if (how == 1)
			peer_send(TCP_ACK | TCP_FIN, peer.seq++, peer.ack, 0);
		const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_CLOSING, TCP_LAST_ACK};
		cr_expect_eq(peer_conn()->state, states[how]);
		peer_forget();
		/* No packet at the first attempt. */
		peer.wire.ends[SERVER].heap.count_max = 0;
		peer_wait(300 * MS);
		peer.wire.ends[SERVER].heap.count_max = UINT32_MAX;
		peer_wait(3 * SECOND);
		unsigned fins = 0;
		for (unsigned i = 0; i < peer.seen_count; i++)
			fins += (peer.seen[i].flags & TCP_FIN) != 0 && peer.seen[i].seq == peer.ack;
		cr_expect(fins >= 1, "case %u", how);
		peer_send(TCP_ACK, peer.seq, peer.ack + 1, 0);
		peer_turn();
		cr_expect_eq(peer.app.closed, how != 0);
		peer_end();
	}
}

Test(tcp_endings, goes_on_sending_when_the_peer_has_ended)
{
	peer_established();
	peer_send(TCP_ACK | TCP_FIN, peer.seq++, peer.ack, 0);
	cr_expect(peer.app.ended && !peer.app.closed);
	peer.app.to_send = 3000;
	app_pump(&peer.app);
	peer_turn();
	cr_expect_eq(count_payload(), 3);
	peer_send(TCP_ACK, peer.seq, peer.ack + 3000, 0);
	stream_shutdown(peer.app.stream);
	peer_turn();
	cr_expect(peer_last()->flags & TCP_FIN);
	peer_send(TCP_ACK, peer.seq, peer.ack + 3001, 0);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_CLOSED);
	cr_expect_eq(tcp_connection_count(peer.wire.ends[SERVER].tcp), 0);
	peer_end();
}

static void to_time_wait(void)
{
	peer_established();
	stream_shutdown(peer.app.stream);
	peer_turn();
	peer_send(TCP_ACK | TCP_FIN, peer.seq++, ++peer.ack, 0);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_CLOSED);
	cr_expect_eq(tcp_connection_count(peer.wire.ends[SERVER].tcp), 1);
	peer_forget();
}

Test(tcp_endings, waits_in_time_wait_and_answers_a_fin_there)
{
	to_time_wait();
	peer_wait(30 * SECOND);
	peer_send(TCP_ACK | TCP_FIN, peer.seq - 1, peer.ack, 0);
	peer_turn();
	cr_expect(peer.seen_count == 1 && peer_last()->ack == peer.seq);
	peer_send(TCP_RST, peer.seq, 0, 0);
	peer_wait(40 * SECOND);
	cr_expect_eq(tcp_connection_count(peer.wire.ends[SERVER].tcp), 1, "restarted; no reset ends it");
	peer_wait(30 * SECOND);
	cr_expect_eq(tcp_connection_count(peer.wire.ends[SERVER].tcp), 0);
	peer_end();
}

Test(tcp_endings, reuses_time_wait_for_a_newer_syn_only_and_once_in_a_burst)
{
	to_time_wait();
	const uint32_t old_nxt = peer.ack;
	peer_send_options(TCP_SYN, peer.seq - 5000, 0, 0, &peer.syn);
	cr_expect(peer.seen_count == 1 && peer_last()->flags == TCP_ACK, "older: a challenge");
	app_init(&peer.app, &peer.wire.ends[SERVER], 1, 2);
	peer.iss = peer.seq + 100;
	peer_forget();
	for (unsigned i = 0; i < 3; i++)
		peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	cr_expect_eq(peer.seen_count, 3);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(peer.seen[i].flags == (TCP_SYN | TCP_ACK) && peer.seen[i].seq == peer.seen[0].seq);
	cr_expect(tcp_seq_lt(old_nxt, peer.seen[0].seq));
	peer_send(TCP_ACK, peer.iss + 1, peer.seen[0].seq + 1, 0);
	cr_expect_not_null(peer.app.stream);
	peer_end();
}

Test(tcp_endings, aborts_with_a_reset_and_tells_later)
{
	peer_established();
	peer.app.to_send = 10000;
	app_pump(&peer.app);
	peer_turn();
	peer_forget();
	stream_abort(peer.app.stream);
	cr_expect(!peer.app.closed);
	cr_expect(peer.seen_count == 1 && peer_last()->flags & TCP_RST);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_ABORTED);
	cr_expect_eq(peer.app.buffers_out, 0);
	peer_end();
}

Test(tcp_endings, has_an_answer_for_every_state_and_event)
{
	unsigned pairs = 0;
	for (unsigned state = 0; state < TCP_STATE_COUNT; state++)
		for (unsigned event = 0; event < TCP_EVENT_COUNT; event++)
			pairs += tcp_next_state((enum tcp_state)state, (enum tcp_event)event) != TCP_STATE_COUNT;
	cr_expect_eq(pairs, 22);
	cr_expect_eq(tcp_next_state(TCP_STATE_COUNT, TCP_EVENT_END), TCP_STATE_COUNT);
	cr_expect_eq(tcp_next_state(TCP_FIN_WAIT_1, TCP_EVENT_FIN), TCP_CLOSING);
	cr_expect_eq(tcp_next_state(TCP_LAST_ACK, TCP_EVENT_FIN_ACKED), TCP_CLOSED);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Pitfalls of parsing and of handshakes, segment by segment. */
#include <errno.h>

#include "peer.h"

static void peer_raw(const uint8_t *bytes, uint32_t len, bool fix_checksum)
{
	struct pkt *pkt = pkt_heap_make(&peer.wire.ends[SERVER].heap, bytes, len, 0, 0);
	const struct ip_view view = {.src = peer.wire.ends[CLIENT].addr, .dst = peer.wire.ends[SERVER].addr};
	if (fix_checksum)
		tcp_fill_checksum(pkt, tcp_pseudo_sum(&view.src, &view.dst));
	tcp_input(peer.wire.ends[SERVER].tcp, pkt, &view, peer.wire.now_ns);
}

Test(tcp_handshake, drops_and_counts_what_is_malformed_or_damaged)
{
	peer_begin();
	uint8_t bytes[60];
	struct tcp_segment syn = {.source_port = 1, .destination_port = PORT, .flags = TCP_SYN};
	syn.options = (struct tcp_options){.has_mss = true, .mss_bytes = 1460};
	const uint32_t len = tcp_segment_emit(bytes, &syn);
	for (uint32_t cut = 0; cut < len; cut++)
		peer_raw(bytes, cut, false);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_malformed), len);
	peer_raw(bytes, len, false);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_checksum), 1);
	const uint8_t bad_lengths[] = {0, 1, 5, 255};
	for (unsigned i = 0; i < sizeof bad_lengths; i++) {
		bytes[21] = bad_lengths[i];
		peer_raw(bytes, len, true);
	}
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_malformed), len + 4);
	cr_expect_eq(peer.seen_count, 0);
	peer_end();
}

Test(tcp_handshake, takes_the_window_of_a_syn_unscaled)
{
	peer_begin();
	peer.syn.has_wscale = true;
	peer.syn.wscale = 7;
	peer.window = 100;
	peer_handshake();
	cr_expect_eq(peer_conn()->snd_wnd, 100 << 7, "the window of the ACK is scaled");
	cr_expect_eq(peer.seen[0].options.wscale, tcp_wscale_for(4 << 20));
	cr_expect_eq(peer.seen[0].window, 65535, "ours is not");
	peer_end();
}

Test(tcp_handshake, takes_a_window_scale_above_14_as_14)
{
	peer_begin();
	peer.syn.has_wscale = true;
	uint8_t bytes[60];
	struct tcp_segment syn = {.source_port = PEER_PORT, .destination_port = PORT, .flags = TCP_SYN};
	syn.options = peer.syn;
	const uint32_t len = tcp_segment_emit(bytes, &syn);
	bytes[len - 1] = 15;
	peer_raw(bytes, len, true);
	peer.iss = 0;
	peer.window = 1;
	peer_send(TCP_ACK, 1, peer_last()->seq + 1, 0);
	cr_assert_not_null(peer.app.stream);
	cr_expect_eq(peer_conn()->snd_wnd, 1u << 14);
	peer_end();
}

Test(tcp_handshake, offers_back_only_what_was_offered)
{
	peer_begin();
	peer.syn = (struct tcp_options){0};
	peer_handshake();
	const struct tcp_options *o = &peer.seen[0].options;
	cr_expect(!o->has_wscale && !o->has_timestamps && !o->sack_permitted && o->has_mss);
	cr_expect_eq(peer_conn()->mss, 536, "no MSS option: the default");
	cr_expect_eq(peer_conn()->rcv_wscale, 0);
	peer_end();
}

Test(tcp_handshake, takes_options_out_of_the_segment_size)
{
	peer_begin();
	peer.syn.has_timestamps = true;
	peer.app.to_send = 5000;
	peer_handshake();
	peer_turn();
	cr_expect_eq(peer.seen[1].payload_bytes, 1000 - 12);
	cr_expect_eq(peer.seen[0].options.mss_bytes, 1460, "ours is that of the interface");
	peer_end();
}

Test(tcp_handshake, starts_numbers_where_nobody_can_guess_and_never_back)
{
	peer_begin();
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	struct tcp_key a = {peer.wire.ends[0].addr, peer.wire.ends[1].addr, 1, 2}, b = a;
	b.remote_port = 3;
	const uint32_t first = tcp_isn(tcp, &a), other = tcp_isn(tcp, &b);
	cr_expect(first - other > 10000 && other - first > 10000, "another name, another place");
	tcp->now_ns += SECOND;
	const uint32_t later = tcp_isn(tcp, &a) - first;
	cr_expect(later > 200000 && later < 300000, "%u in a second", later);
	peer_end();
}

Test(tcp_handshake, gives_half_open_connections_up)
{
	peer_begin();
	peer_send_options(TCP_SYN, 5, 0, 0, &peer.syn);
	cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 1);
	peer_wait(100 * SECOND);
	cr_expect_eq(peer.seen_count, 1 + TCP_HALF_RETRIES);
	for (unsigned i = 2; i < peer.seen_count; i++)
		cr_expect(peer.seen_ns[i] - peer.seen_ns[i - 1] > 3 * (peer.seen_ns[i - 1] - peer.seen_ns[i - 2]) / 2);
	cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 0);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_half_timeouts), 1);
	cr_expect_eq(tcp_next_due_ns(peer.wire.ends[SERVER].tcp), UINT64_MAX);
	peer_end();
}

Test(tcp_handshake, takes_data_and_fin_that_come_with_its_last_segment)
{
	peer_begin();
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	const uint32_t ack = peer_last()->seq + 1;
	peer_send(TCP_ACK | TCP_FIN | TCP_PSH, peer.iss + 1, ack, 300);
	peer_turn();
	cr_expect_eq(peer.app.received, 300);
	cr_expect(peer.app.ended);
	cr_expect_eq(peer_conn()->state, TCP_CLOSE_WAIT);
	cr_expect_eq(peer_last()->ack, peer.iss + 302);
	peer_end();
}

Test(tcp_handshake, takes_data_that_overtakes_its_last_segment)
{
	peer_begin();
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	const uint32_t ack = peer_last()->seq + 1;
	peer_send(TCP_ACK, peer.iss + 101, ack, 100);
	cr_assert_not_null(peer.app.stream);
	cr_expect_eq(peer.app.received, 0);
	peer_send(TCP_ACK, peer.iss + 1, ack, 100);
	cr_expect_eq(peer.app.received, 200);
	peer_end();
}

Test(tcp_handshake, does_not_take_data_of_a_syn)
{
	peer_begin();
	peer_send_options(TCP_SYN, peer.iss, 0, 50, &peer.syn);
	cr_expect_eq(peer_last()->ack, peer.iss + 1);
	peer_end();
}

Test(tcp_handshake, challenges_a_syn_on_an_established_connection)
{
	peer_established();
	/* A rebooted peer with a number of its own: it is told ours, resets, and connects again. */
	peer_send_options(TCP_SYN, 777777777, 0, 0, &peer.syn);
	cr_assert_eq(peer.seen_count, 1);
	cr_expect_eq(peer_last()->flags, TCP_ACK);
	cr_expect_eq(peer_last()->ack, peer.seq);
	peer_send(TCP_RST, peer_last()->ack, 0, 0);
	peer_turn();
	cr_expect(peer.app.closed && peer.app.reason == STREAM_RESET);
	app_init(&peer.app, &peer.wire.ends[SERVER], 1, 2);
	peer.iss = 777777777;
	peer_forget();
	peer_handshake();
	peer_end();
}

Test(tcp_handshake, drops_what_comes_from_itself_or_from_a_group)
{
	peer_begin();
	struct tcp_segment syn = {.source_port = PORT, .destination_port = PORT, .flags = TCP_SYN};
	uint8_t bytes[60];
	const uint32_t len = tcp_segment_emit(bytes, &syn);
	const struct ip_addr self = peer.wire.ends[SERVER].addr, group = ip_addr_v4((const uint8_t[4]){224, 0, 0, 1}),
			     all = ip_addr_v4((const uint8_t[4]){255, 255, 255, 255});
	const struct ip_view views[] = {
		{.src = self, .dst = self}, {.src = group, .dst = self}, {.src = all, .dst = self}};
	for (unsigned i = 0; i < 3; i++) {
		struct pkt *pkt = pkt_heap_make(&peer.wire.ends[SERVER].heap, bytes, len, 0, 0);
		tcp_fill_checksum(pkt, tcp_pseudo_sum(&views[i].src, &views[i].dst));
		tcp_input(peer.wire.ends[SERVER].tcp, pkt, &views[i], peer.wire.now_ns);
	}
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_address), 3);
	cr_expect_eq(peer.seen_count, 0);
	peer_end();
}

Test(tcp_handshake, answers_strangers_with_resets_but_never_a_reset)
{
	peer_begin();
	struct tcp_segment s = {.source_port = 9, .destination_port = 99, .seq = 100, .ack = 555, .flags = TCP_ACK};
	wire_inject(&peer.wire, SERVER, &s, "abc", 3);
	cr_assert_eq(peer.seen_count, 1);
	cr_expect(peer_last()->flags == TCP_RST && peer_last()->seq == 555);
	s.flags = TCP_SYN;
	wire_inject(&peer.wire, SERVER, &s, "abc", 3);
	cr_expect(peer_last()->flags == (TCP_RST | TCP_ACK) && peer_last()->seq == 0 && peer_last()->ack == 104);
	s.flags = TCP_RST;
	wire_inject(&peer.wire, SERVER, &s, NULL, 0);
	cr_expect_eq(peer.seen_count, 2);
	s.flags = TCP_ACK;
	for (unsigned i = 0; i < 2000; i++)
		wire_inject(&peer.wire, SERVER, &s, NULL, 0);
	cr_expect(peer_stat(WHERRY_LCORE_tcp_drop_reset_limit) > 900, "and not without end");
	peer_end();
}

Test(tcp_handshake, uses_cookies_when_half_open_ones_are_too_many)
{
	for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
		peer_begin();
		struct tcp_segment flood = {.destination_port = PORT, .flags = TCP_SYN, .options = peer.syn};
		for (uint16_t i = 0; i < 1000; i++) {
			flood.source_port = (uint16_t)(1000 + i);
			wire_inject(&peer.wire, SERVER, &flood, NULL, 0);
		}
		cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 8);
		cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_cookies_sent), 992);
		peer_forget();
		peer.syn.has_timestamps = timestamps;
		peer.syn.has_wscale = true;
		peer.syn.wscale = 9;
		peer.ts_val = 5000;
		peer.timestamps = timestamps;
		peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
		peer.ack = peer_last()->seq + 1;
		const struct tcp_options echo = {
			.has_timestamps = timestamps, .ts_val = 5001, .ts_ecr = peer_last()->options.ts_val};
		cr_expect_eq(peer_last()->options.has_wscale, timestamps,
			     "without timestamps there is no place for it");
		/* A guess does not do. */
		peer_send_options(TCP_ACK, peer.iss + 1, peer.ack + 1, 0, &echo);
		cr_expect_null(peer.app.stream);
		cr_expect(peer_last()->flags & TCP_RST);
		peer_send_options(TCP_ACK, peer.iss + 1, peer.ack, 100, &echo);
		cr_assert_not_null(peer.app.stream);
		cr_expect_eq(peer.app.received, 100);
		cr_expect_eq(peer_conn()->snd_wscale, timestamps ? 9 : 0);
		cr_expect_eq(peer_conn()->sack, timestamps);
		cr_expect(peer_conn()->peer_mss == 536, "%u", peer_conn()->peer_mss);
		peer_end();
	}
}

Test(tcp_handshake, believes_no_cookie_that_is_old_or_was_never_sent)
{
	peer_begin();
	struct tcp_segment flood = {.destination_port = PORT, .flags = TCP_SYN, .options = peer.syn};
	for (uint16_t i = 0; i < 8; i++) {
		flood.source_port = (uint16_t)(1000 + i);
		wire_inject(&peer.wire, SERVER, &flood, NULL, 0);
	}
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	const uint32_t cookie = peer_last()->seq;
	peer_wait(200 * SECOND);
	peer_send(TCP_ACK, peer.iss + 1, cookie + 1, 0);
	cr_expect_null(peer.app.stream);
	cr_expect(peer_last()->flags & TCP_RST);
	peer_end();
}

Test(tcp_handshake, resets_a_half_open_connection_on_an_exact_reset_only)
{
	peer_begin();
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	peer_send(TCP_RST, peer.iss + 2, 0, 0);
	cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 1);
	peer_send(TCP_RST, peer.iss + 1, 0, 0);
	cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 0);
	peer_end();
}

Test(tcp_handshake, resets_a_wrong_acknowledgement_of_its_syn)
{
	peer_begin();
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	peer_send(TCP_ACK, peer.iss + 1, peer_last()->seq + 2, 0);
	cr_expect(peer_last()->flags & TCP_RST);
	cr_expect_null(peer.app.stream);
	cr_expect_eq(peer.wire.ends[SERVER].tcp->half_count, 1, "the real one may still come");
	peer_end();
}

Test(tcp_handshake, refuses_what_the_protocol_refuses_and_what_finds_no_room)
{
	peer_begin();
	peer.wire.ends[SERVER].next_app = NULL;
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	peer_send(TCP_ACK, peer.iss + 1, peer_last()->seq + 1, 0);
	cr_expect(peer_last()->flags & TCP_RST);
	cr_expect_eq(peer_stat(WHERRY_LCORE_tcp_drop_refused), 1);
	cr_expect_eq(tcp_connection_count(peer.wire.ends[SERVER].tcp), 0);
	peer_end();
}

Test(tcp_handshake, opens_actively_and_says_why_not)
{
	peer_begin();
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	struct app app;
	app_init(&app, &peer.wire.ends[SERVER], 1, 2);
	app.stream = tcp_connect(tcp, NULL, 0, &peer.wire.ends[CLIENT].addr, 9, &app_handler, &app, peer.wire.now_ns);
	cr_assert_not_null(app.stream);
	const struct tcp_segment syn = *peer_last();
	cr_expect(syn.flags & TCP_SYN && syn.options.has_wscale && syn.options.has_timestamps &&
		  syn.source_port >= 49152);
	const struct tcp_segment rst = {
		.source_port = 9, .destination_port = syn.source_port, .flags = TCP_RST | TCP_ACK, .ack = syn.seq};
	wire_inject(&peer.wire, SERVER, &rst, NULL, 0);
	peer_turn();
	cr_expect(!app.closed, "a reset that acknowledges something else is not for us");
	struct tcp_segment good = rst;
	good.ack = syn.seq + 1;
	wire_inject(&peer.wire, SERVER, &good, NULL, 0);
	cr_expect(!app.closed, "not from inside tcp_input");
	peer_turn();
	cr_expect(app.closed && app.reason == STREAM_REFUSED);
	cr_expect_eq(tcp_connection_count(tcp), 0);

	/* Silence: three minutes, then the end. */
	app_init(&app, &peer.wire.ends[SERVER], 1, 2);
	app.stream = tcp_connect(tcp, NULL, 0, &peer.wire.ends[CLIENT].addr, 9, &app_handler, &app, peer.wire.now_ns);
	peer_wait(175 * SECOND);
	cr_expect(!app.closed);
	peer_wait(80 * SECOND);
	cr_expect(app.closed && app.reason == STREAM_TIMED_OUT);
	peer_end();
}

Test(tcp_handshake, opens_from_both_sides_at_once)
{
	peer_begin();
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	peer.app.stream = tcp_connect(tcp, NULL, PORT + 1, &peer.wire.ends[CLIENT].addr, 9, &app_handler, &peer.app,
				      peer.wire.now_ns);
	const uint32_t iss = peer_last()->seq;
	struct tcp_segment s = {
		.source_port = 9, .destination_port = PORT + 1, .seq = 5, .flags = TCP_SYN, .window = 999};
	wire_inject(&peer.wire, SERVER, &s, NULL, 0);
	cr_expect_eq(peer_last()->flags, TCP_SYN | TCP_ACK);
	cr_expect_eq(peer_last()->seq, iss);
	s = (struct tcp_segment){.source_port = 9, .destination_port = PORT + 1, .seq = 6, .flags = TCP_ACK};
	s.ack = iss + 1;
	s.window = 999;
	wire_inject(&peer.wire, SERVER, &s, NULL, 0);
	cr_expect(peer.app.opened);
	cr_expect_eq(peer_conn()->state, TCP_ESTABLISHED);
	peer_end();
}

Test(tcp_handshake, listens_once_and_no_longer_than_wanted)
{
	peer_begin();
	struct tcp_lcore *tcp = peer.wire.ends[SERVER].tcp;
	cr_expect_eq(tcp_listen(tcp, NULL, PORT, app_accept, NULL), -EADDRINUSE);
	cr_expect_eq(tcp_listen(tcp, NULL, 0, app_accept, NULL), -EINVAL);
	for (uint16_t i = 1; i < 4; i++)
		cr_expect_eq(tcp_listen(tcp, NULL, i, app_accept, NULL), 0);
	cr_expect_eq(tcp_listen(tcp, NULL, 4, app_accept, NULL), -ENOSPC);
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	cr_expect(tcp_unlisten(tcp, NULL, PORT) && !tcp_unlisten(tcp, NULL, PORT));
	cr_expect_eq(tcp->half_count, 0);
	peer_end();
}

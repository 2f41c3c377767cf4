/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer by hand. */
#include "peer.h"

struct peer peer;

static bool record(struct wire *wire, unsigned from, struct pkt *pkt, const struct tcp_segment *segment)
{
	(void)pkt;
	if (from == SERVER) {
		cr_assert(peer.seen_count < SEEN_MAX, "the stack sends without end");
		peer.seen_ns[peer.seen_count] = wire->now_ns;
		peer.seen[peer.seen_count++] = *segment;
	}
	return false;
}

void peer_begin(void)
{
	memset(&peer, 0, sizeof peer);
	wire_init(&peer.wire, 7);
	peer.wire.hook = record;
	peer.iss = 1000;
	peer.window = 65535;
	peer.syn = (struct tcp_options){.has_mss = true, .mss_bytes = 1000, .sack_permitted = true};
	app_init(&peer.app, &peer.wire.ends[SERVER], 1, 2);
	peer.app.shutdown_on_end = false;
	peer.wire.ends[SERVER].next_app = &peer.app;
	peer.wire.ends[SERVER].settings.ecn = false;
	wire_start(&peer.wire);
	cr_assert_eq(tcp_listen(peer.wire.ends[SERVER].tcp, NULL, PORT, app_accept, &peer.wire.ends[SERVER]), 0);
}

void peer_end(void)
{
	cr_expect_eq(peer.app.wrong_count, 0, "%u wrong", peer.app.wrong_count);
	wire_fini(&peer.wire);
}

void peer_send_options(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t payload_bytes,
		       const struct tcp_options *options)
{
	uint8_t payload[65536];
	for (uint32_t i = 0; i < payload_bytes; i++)
		payload[i] = app_byte(2, (uint32_t)(seq + i - peer.iss - 1));
	const struct tcp_segment segment = {.source_port = PEER_PORT,
					    .destination_port = PORT,
					    .seq = seq,
					    .ack = ack,
					    .flags = flags,
					    .window = peer.window,
					    .options = *options};
	wire_inject(&peer.wire, SERVER, &segment, payload, payload_bytes);
}

void peer_send(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t payload_bytes)
{
	const struct tcp_options options = {
		.has_timestamps = peer.timestamps, .ts_val = peer.ts_val, .ts_ecr = peer.timestamps ? 1 : 0};
	peer_send_options(flags, seq, ack, payload_bytes, &options);
}

void peer_turn(void)
{
	wire_turn(&peer.wire, SERVER);
}

void peer_wait(uint64_t ns)
{
	peer_turn();
	wire_run(&peer.wire, ns);
}

void peer_forget(void)
{
	peer.seen_count = 0;
}

void peer_handshake(void)
{
	peer.timestamps = peer.syn.has_timestamps;
	peer_send_options(TCP_SYN, peer.iss, 0, 0, &peer.syn);
	cr_assert_eq(peer.seen_count, 1);
	cr_assert_eq(peer_last()->flags & (TCP_SYN | TCP_ACK), TCP_SYN | TCP_ACK);
	peer.syn_ack = peer_last()->seq;
	peer.seq = peer.iss + 1;
	peer.ack = peer.syn_ack + 1;
	peer_wait(MS);
	peer_send(TCP_ACK, peer.seq, peer.ack, 0);
	cr_assert(peer.app.stream != NULL, "not accepted");
}

void peer_established(void)
{
	peer_begin();
	peer_handshake();
	peer_turn();
	peer_forget();
}

struct tcp_conn *peer_conn(void)
{
	return app_conn(&peer.app);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer by hand: the server's stack, and segments that a test writes.
 *
 * Everything the stack sends is recorded and goes nowhere; time moves when the
 * test says so.
 */
#pragma once

#include <criterion/criterion.h>

#include "wire.h"

#define SEEN_MAX 4096
#define PEER_PORT 40000

struct peer {
	struct wire wire;
	struct app app;
	struct tcp_segment seen[SEEN_MAX]; /* what the stack has sent, oldest first */
	uint64_t seen_ns[SEEN_MAX];
	unsigned seen_count;
	uint32_t seq, ack; /* next of ours; next we expect */
	uint32_t iss;
	uint16_t window;
	bool timestamps;
	uint32_t ts_val;
	struct tcp_options syn; /* of our SYN */
	uint32_t syn_ack;       /* number of the stack's SYN */
};

extern struct peer peer;

/* A stack that listens; the options of peer.syn may be changed before peer_handshake. */
void peer_begin(void);
void peer_end(void);
/* Three segments; peer.app.stream is there afterwards. */
void peer_handshake(void);
/* peer_begin, a handshake with SACK and a wscale of 0, and all counters forgotten. */
void peer_established(void);

/* A segment of the connection.  Does not move peer.seq. */
void peer_send(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t payload_bytes);
void peer_send_options(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t payload_bytes,
		       const struct tcp_options *options);
/* Bytes that the stream has at this place. */
static inline void peer_data(uint32_t bytes)
{
	peer_send(TCP_ACK, peer.seq, peer.ack, bytes);
	peer.seq += bytes;
}
/* End of a turn; time passes. */
void peer_turn(void);
void peer_wait(uint64_t ns);
void peer_forget(void); /* what was seen so far */
struct tcp_conn *peer_conn(void);

static inline const struct tcp_segment *peer_last(void)
{
	cr_assert(peer.seen_count > 0, "nothing was sent");
	return &peer.seen[peer.seen_count - 1];
}

static inline uint64_t peer_stat(enum wherry_lcore_stat stat)
{
	return peer.wire.ends[SERVER].stats[stat];
}

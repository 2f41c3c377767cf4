/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP that is not ours: small, slow-witted, and odd in one way or another.
 *
 * It shares no code with the stack.  What it does is allowed, or at least seen
 * in the wild: any MSS or none, any subset of options, acknowledgements that are
 * late, stretched, doubled or split, windows that are tiny, close, or shrink,
 * out-of-order data that were SACKed and are thrown away, retransmissions cut in
 * other places than the originals, data beyond the window, stray resets and SYNs,
 * half-closes, and a port that is used again at once.
 *
 * It holds the peer to the rules that a receiver can see: nothing beyond the
 * window, no segment above the MSS, no acknowledgement of what was never sent, no
 * option that was not agreed upon, the same bytes in the same place.
 */
#pragma once

#include "host.h"

#define ODD_CONN_MAX 16
#define ODD_WINDOW_MAX 65535u
#define ODD_KEEP_BYTES 8192u /* acknowledged bytes that may be sent again */

enum odd_acks { ODD_ACKS_AT_ONCE, ODD_ACKS_LATE, ODD_ACKS_STRETCHED, ODD_ACKS_DOUBLED, ODD_ACKS_SPLIT, ODD_ACKS_COUNT };
enum odd_window { ODD_WINDOW_CONSTANT, ODD_WINDOW_BREATHES, ODD_WINDOW_SHRINKS, ODD_WINDOW_COUNT };

struct odd_style {
	uint16_t mss_option; /* 0: none sent */
	uint16_t segment_bytes;
	bool wscale, timestamps, sack;
	uint8_t shift;
	enum odd_acks acks;
	enum odd_window window;
	uint32_t window_bytes, flight_segments, stretch;
	uint64_t ack_delay_ns, rto_ns;
	uint32_t renege_ppm, overlap_ppm, rude_ppm, stray_ppm;
};

enum odd_state { ODD_FREE, ODD_SYN_SENT, ODD_OPEN, ODD_TIME_WAIT };

struct odd_host;

struct odd_conn {
	struct pipe pipe; /* first */
	struct odd_host *host;
	enum odd_state state;
	struct odd_style style;
	uint16_t port;
	/* agreed upon */
	bool timestamps, sack, wscale;
	uint8_t peer_shift;
	/* sending: out[0] is the byte with number out_start */
	uint8_t *out;
	uint32_t out_start, out_bytes, out_room;
	uint32_t iss, una, nxt, max; /* max: the highest that nxt has been */
	uint32_t wnd;
	bool fin_queued;
	unsigned backoff;
	uint64_t progress_ns, rexmt_ns, heard_ns, kept_ns;
	/* receiving */
	uint32_t rcv_nxt, edge, max_edge; /* edge: right edge of the window as last told */
	uint32_t ts_recent;
	bool fin_received, fin_told;
	uint32_t fin_seq;
	bool has_fin;
	uint8_t *in; /* ODD_WINDOW_MAX bytes from rcv_nxt on */
	uint8_t *there;
	unsigned unacked;
	bool closed_window;
	uint64_t ack_ns, window_ns, until_ns;
	uint64_t timer_ns; /* of the event that is on its way */
};

struct odd_host {
	struct host host; /* first */
	uint8_t next_hop[16], next_mac[6];
	bool has_mac;
	uint64_t asked_ns, boots;
	uint16_t next_port;
	uint32_t next_iss;
	struct odd_conn conns[ODD_CONN_MAX];
};

struct odd_segment {
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t window;
	const uint8_t *payload;
	uint32_t payload_bytes, option_bytes;
	uint16_t mss;
	bool has_timestamps, has_sack, has_wscale, sack_permitted;
	uint8_t shift;
	uint32_t ts_val;
};

#define ODD_FIN 1u
#define ODD_SYN 2u
#define ODD_RST 4u
#define ODD_PSH 8u
#define ODD_ACK 16u

/* odd_host.c: a TCP payload as a datagram to the target. */
void odd_transmit(struct odd_host *host, uint8_t *bytes, uint32_t tcp_bytes);
#define ODD_FRAME_BYTES 9300u
void odd_ask_again(struct odd_host *host);

/* odd_tcp.c */
void odd_open(struct odd_conn *conn);
void odd_input(struct odd_conn *conn, const struct odd_segment *segment);
void odd_drop(struct odd_conn *conn);
/* Is the peer still there? */
void odd_keep_alive(struct odd_conn *conn);
bool odd_is_waiting(const struct odd_conn *conn);
/* A reset for a segment that nobody wanted. */
void odd_refuse(struct odd_host *host, uint16_t port, const struct odd_segment *segment);
void odd_send(struct odd_conn *conn, uint32_t seq, uint32_t len_bytes, uint8_t flags);
/* A segment without data. */
void odd_acknowledge(struct odd_conn *conn);
extern const struct pipe_ops odd_pipe_ops;

/* odd_receive.c */
void odd_receive(struct odd_conn *conn, const struct odd_segment *segment);
void odd_send_ack(struct odd_conn *conn);
/* Window and delayed acknowledgement: what is due. */
void odd_receive_timer(struct odd_conn *conn);
/* Blocks of what is there out of order; returns how many. */
unsigned odd_sack_blocks(const struct odd_conn *conn, uint32_t blocks[3][2]);
void odd_arm(struct odd_conn *conn);

/* SPDX-License-Identifier: BSD-3-Clause */
/* Congestion avoidance of RFC 5681. */
#include "tcp/tcp_priv.h"

static void reno_init(struct tcp_conn *conn)
{
	conn->acked_remainder = 0;
}

static uint32_t reno_ssthresh(struct tcp_conn *conn)
{
	/* The acknowledgement that tells of it may have emptied the network. */
	return tcp_min_u32(conn->cwnd, tcp_max_u32(conn->snd_nxt - conn->snd_una, conn->flight_max)) / 2;
}

/* A segment for every window acknowledged (byte counting, RFC 3465). */
static void reno_avoid(struct tcp_conn *conn, uint32_t acked_bytes)
{
	conn->acked_remainder += acked_bytes;
	if (conn->acked_remainder >= conn->cwnd) {
		conn->acked_remainder -= conn->cwnd;
		conn->cwnd += conn->mss;
	}
}

const struct tcp_cc_ops tcp_reno_ops = {.init = reno_init, .ssthresh = reno_ssthresh, .avoid = reno_avoid};

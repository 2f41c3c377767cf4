/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of sending that every segment pays for, inline for segment.c and send.c. */
#pragma once

#include "tcp/flow.h"
#include "util/checksum.h"

/* The port finishes it: the pseudo header alone. */
static inline void tcp_leave_checksum(struct pkt *pkt, uint32_t pseudo_sum, uint32_t total_bytes)
{
	const uint32_t sum = pseudo_sum + (uint32_t)checksum_of_be16((uint16_t)total_bytes); /* below 2^17 */
	const uint16_t partial = (uint16_t)(sum + (sum >> 16));
	memcpy(pkt->data + offsetof(struct tcp_header, checksum), &partial, sizeof partial);
	pkt->checksum = PKT_CHECKSUM_PARTIAL;
	pkt->transport_offset = 0;
}

static inline struct pkt *tcp_packet_new(struct tcp_lcore *lcore, const struct net_path *path)
{
	struct pkt *pkt = lcore->env.pool.alloc(lcore->env.pool.ctx, path->port_index);
	if (!pkt) {
		TCP_COUNT(lcore, drop_no_packet);
		return NULL;
	}
	if (pkt_headroom_bytes(pkt) < NET_HEADROOM_BYTES)
		pkt->data = pkt->head + NET_HEADROOM_BYTES;
	return pkt;
}

/* Every segment carries the acknowledgement. */
static inline void tcp_acknowledged(struct tcp_conn *conn)
{
	conn->last_ack_sent = conn->rcv_nxt;
	conn->ack_now = false;
	conn->unacked_segments = conn->ahead_unacked = 0;
	conn->ack_ns = UINT64_MAX;
}

/* Of a plain header. */
static inline uint32_t tcp_header_bytes_of(const struct tcp_conn *conn)
{
	return TCP_HEADER_BYTES + (conn->timestamps ? TCP_TIMESTAMPS_BYTES : 0);
}

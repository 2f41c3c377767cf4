/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame in one contiguous buffer.
 *
 * Protocol code sees this struct and nothing of DPDK, so the same objects run on
 * NICs, in unit tests and in the simulator.  On a NIC it lives in the private
 * area of an mbuf and describes that mbuf's buffer (port/ fills it in on receive
 * and writes it back on transmit); in tests it is a heap allocation of exact
 * size (pkt_heap.h), so that a byte too far is seen by ASan.
 *
 * A packet has one owner at a time.  Receive packets are always linear: ports
 * size their buffers for their MTU plus PKT_SLACK_BYTES, so that a request can be
 * turned into its answer in place and its data moved to an aligned address.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Room every buffer has beyond headroom + largest frame: lets payload be shifted to a 512-byte boundary. */
#define PKT_SLACK_BYTES 512u

struct pkt {
	uint8_t *data;        /* first byte of the Ethernet header */
	uint8_t *head;        /* first usable byte of the buffer, head <= data */
	uint32_t len_bytes;   /* frame length, without FCS */
	uint32_t room_bytes;  /* usable bytes from head */
	uint16_t port_index;  /* port it came in on, or is to leave by */
	uint16_t owner_lcore; /* scratch of lcore/: where an answer is to be handed to */
	uint64_t arrived_ns;  /* the frame came in after this; 0: nothing that matters can have passed it by */
	struct pkt *next;     /* list link, for the current owner's use */
	void *priv;           /* the allocator's: mbuf or heap block */
};

/* Allocate and free packets.  alloc returns NULL when the pool is empty; a new packet has data == head, len 0. */
struct pkt_pool {
	void *ctx;
	struct pkt *(*alloc)(void *ctx, uint16_t port_index);
	void (*free)(void *ctx, struct pkt *pkt);
};

static inline uint32_t pkt_tailroom_bytes(const struct pkt *pkt)
{
	return pkt->room_bytes - (uint32_t)(pkt->data - pkt->head) - pkt->len_bytes;
}

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
 *
 * A packet to be sent may go on, behind its linear bytes, in pieces of buffers
 * that somebody else holds (struct pkt_frag): storage buffers leave without a
 * copy where the port can gather, and are copied behind the linear bytes where
 * it cannot.  A piece holds a reference to its buffer until the device is done
 * with it.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Room every buffer has beyond headroom + largest frame: lets payload be shifted to a 512-byte boundary. */
#define PKT_SLACK_BYTES 512u

/*
 * Memory that packets refer to: a storage buffer, a protocol header.  Embedded
 * in whatever owns the memory.  All references are taken and dropped on one
 * lcore; release is called with the last one and may use the memory again.
 */
struct pkt_buf {
	const uint8_t *data;
	uint32_t len_bytes;
	uint32_t refs;
	bool is_dma; /* in memory that devices can read by themselves */
	void (*release)(struct pkt_buf *buf);
	struct pkt_buf *next; /* list link of the current owner */
};

static inline void pkt_buf_get(struct pkt_buf *buf)
{
	buf->refs++;
}

static inline void pkt_buf_put(struct pkt_buf *buf)
{
	assert(buf->refs > 0);
	if (--buf->refs == 0)
		buf->release(buf);
}

#define PKT_FRAG_COUNT_MAX 4u

/* A piece of a buffer behind the linear part of a packet; the packet holds a reference. */
struct pkt_frag {
	struct pkt_buf *buf;
	const uint8_t *data;
	uint32_t len_bytes;
};

struct pkt {
	uint8_t *data;        /* first byte of the Ethernet header */
	uint8_t *head;        /* first usable byte of the buffer, head <= data */
	uint32_t len_bytes;   /* frame length without FCS; of the linear part when there are pieces behind it */
	uint32_t room_bytes;  /* usable bytes from head */
	uint16_t port_index;  /* port it came in on, or is to leave by */
	uint16_t owner_lcore; /* scratch of lcore/: where an answer is to be handed to */
	uint8_t frag_count;   /* 0 in every received packet */
	uint8_t checksum;     /* enum pkt_checksum */
	uint8_t ip_offset;    /* PKT_CHECKSUM_PARTIAL: where the headers of IP and TCP begin, bytes from data */
	uint8_t transport_offset;
	uint64_t arrived_ns; /* the frame came in after this; 0: nothing that matters can have passed it by */
	struct pkt *next;    /* list link, for the current owner's use */
	void *priv;          /* the allocator's: mbuf or heap block */
	struct pkt_frag
		*frags; /* room for PKT_FRAG_COUNT_MAX pieces; meaningful in packets allocated for sending only */
};

/* What is known of the checksums of IP and of the transport. */
enum pkt_checksum {
	PKT_CHECKSUM_UNKNOWN, /* received: verify it; to be sent: it is in place */
	PKT_CHECKSUM_GOOD,    /* received: the device has verified IP and transport */
	/* To be sent: the field in the TCP header holds the sum of the pseudo header, length included, folded and not
	 * complemented; the device finishes it, or pkt_finish_checksum.  That of IP is in place. */
	PKT_CHECKSUM_PARTIAL,
};

/* Bytes of the whole packet. */
static inline uint32_t pkt_total_bytes(const struct pkt *pkt)
{
	uint32_t total = pkt->len_bytes;
	for (unsigned i = 0; i < pkt->frag_count; i++)
		total += pkt->frags[i].len_bytes;
	return total;
}

/* Give back what the pieces hold.  Before the packet is freed, or once they have been copied. */
static inline void pkt_drop_frags(struct pkt *pkt)
{
	for (unsigned i = 0; i < pkt->frag_count; i++)
		pkt_buf_put(pkt->frags[i].buf);
	pkt->frag_count = 0;
}

/* Room in front of data for the headers of lower layers. */
static inline uint32_t pkt_headroom_bytes(const struct pkt *pkt)
{
	return (uint32_t)(pkt->data - pkt->head);
}

/* Finish the checksum of a packet that is PKT_CHECKSUM_PARTIAL, for a device that cannot; its data may be in pieces. */
void pkt_finish_checksum(struct pkt *pkt);

/* Allocate and free packets.  alloc returns NULL when the pool is empty; a new packet has len 0, no pieces and room for
 * them, PKT_CHECKSUM_UNKNOWN, and as much headroom as its maker promises to whoever gets the pool. */
struct pkt_pool {
	void *ctx;
	struct pkt *(*alloc)(void *ctx, uint16_t port_index);
	void (*free)(void *ctx, struct pkt *pkt);
};

static inline uint32_t pkt_tailroom_bytes(const struct pkt *pkt)
{
	return pkt->room_bytes - (uint32_t)(pkt->data - pkt->head) - pkt->len_bytes;
}

/* Copy the pieces behind the linear bytes, which must have room for them, and let them go. */
static inline void pkt_linearise(struct pkt *pkt)
{
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		assert(pkt_tailroom_bytes(pkt) >= pkt->frags[i].len_bytes);
		memcpy(pkt->data + pkt->len_bytes, pkt->frags[i].data, pkt->frags[i].len_bytes);
		pkt->len_bytes += pkt->frags[i].len_bytes;
	}
	pkt_drop_frags(pkt);
}

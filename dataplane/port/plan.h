/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large buffers and rings of a port are, from its device and MTU.  Pure.
 *
 * A buffer holds headroom, the largest frame and PKT_SLACK_BYTES, in one piece.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkt/pkt.h"
#include "port/device.h"

#define PLAN_FRAME_OVERHEAD_BYTES 18u               /* Ethernet header and one VLAN tag */
#define PLAN_HEADROOM_BYTES 128u                    /* what the drivers leave before a frame */
#define PLAN_XDP_HEADROOM_BYTES 256u                /* what the kernel leaves on top for AF_XDP */
#define PLAN_XDP_CHUNK_BYTES 4096u                  /* AF_XDP: a buffer with all its headers fits a page */
#define PLAN_MBUF_OVERHEAD_BYTES (64u + 128u + 64u) /* object header, mbuf, struct pkt */
#define PLAN_TPACKET_HEADER_BYTES 32u               /* AF_PACKET: what the driver takes off its frame size */
#define PLAN_TPACKET_LEAD_BYTES 96u /* AF_PACKET: headers before a frame in the ring, with room to spare */

/* The largest MTU that an AF_XDP buffer has room for. */
#define PLAN_XDP_MTU_MAX                                                                                               \
	(PLAN_XDP_CHUNK_BYTES - PLAN_MBUF_OVERHEAD_BYTES - PLAN_HEADROOM_BYTES - PLAN_XDP_HEADROOM_BYTES -             \
	 PLAN_FRAME_OVERHEAD_BYTES - PKT_SLACK_BYTES)

#define PLAN_CACHE_PACKETS 256u /* of the pool's cache on each lcore */

struct port_plan {
	uint32_t frame_bytes;                  /* largest frame, tag included */
	uint16_t data_room_bytes;              /* of a buffer, headroom included */
	uint16_t rx_desc_count, tx_desc_count; /* of each queue */
	uint16_t memif_buffer_bytes, memif_log2_ring;
	uint32_t tpacket_frame_bytes, tpacket_block_bytes, tpacket_frame_count;
};

/* 0, or -EINVAL with a sentence in error that says which MTU is possible. */
int port_plan(const struct port_device *device, uint16_t mtu, struct port_plan *plan, char *error, size_t error_bytes);

/* Buffers that a port can hold at once: rings of its queues, one way and the other. */
uint32_t port_plan_ring_packets(const struct port_device *device, const struct port_plan *plan, unsigned rx_queues,
				unsigned tx_queues);

/* Size of a pool for so many packets in rings and held by worker_count workers, caches included: 2^q - 1. */
uint32_t port_plan_pool_packets(uint32_t ring_packets, unsigned worker_count, uint32_t packets_each);

/*
 * MiB of memory that the EAL should have ready for ports with these plans.
 * Used where memory cannot grow (no hugepages).
 */
uint32_t port_plan_memory_mb(const struct port_device *devices, const struct port_plan *plans, unsigned count,
			     unsigned worker_count, uint32_t packets_each);

/* SPDX-License-Identifier: BSD-3-Clause */
/* See plan.h. */
#include "port/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wherry/limits.h"

#define PAGE_BYTES 4096u
#define WORKER_MEMORY_MB 4u /* of a worker beside packets: its private state and pool caches */
#define BASE_MEMORY_MB 16u  /* of the EAL and the drivers themselves */

static uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t round_up(uint32_t value, uint32_t to)
{
	return (value + to - 1) / to * to;
}

int port_plan(const struct port_device *device, uint16_t mtu, struct port_plan *plan, char *error, size_t error_bytes)
{
	uint32_t possible = device->kind == PORT_AF_XDP ? PLAN_XDP_MTU_MAX : WHERRY_MTU_MAX;
	if (mtu < WHERRY_MTU_MIN || mtu > possible) {
		snprintf(error, error_bytes, "MTU %u asked for, %u to %u are possible on %s", mtu, WHERRY_MTU_MIN,
			 possible, port_kind_name(device->kind));
		return -EINVAL;
	}
	memset(plan, 0, sizeof *plan);
	plan->frame_bytes = mtu + PLAN_FRAME_OVERHEAD_BYTES;
	uint32_t data_room = PLAN_HEADROOM_BYTES + plan->frame_bytes + PKT_SLACK_BYTES;
	plan->rx_desc_count = plan->tx_desc_count = 1024;
	if (device->kind == PORT_AF_XDP) {
		data_room += PLAN_XDP_HEADROOM_BYTES;
		plan->rx_desc_count = plan->tx_desc_count = 2048;
	} else if (device->kind == PORT_PCI) {
		/* NICs take buffers of whole KiB, some powers of two only: less, and they deliver frames in pieces. */
		data_room = PLAN_HEADROOM_BYTES + max_u32(round_up(plan->frame_bytes + PKT_SLACK_BYTES, 1024), 2048);
	} else if (device->kind == PORT_AF_PACKET) {
		/* Frames of 2 KiB multiples fill blocks of whole pages without a gap, which the driver relies on; it
		 * also insists that a buffer holds whatever its ring's frame could. */
		plan->tpacket_frame_bytes = round_up(plan->frame_bytes + PLAN_TPACKET_LEAD_BYTES, 2048);
		plan->tpacket_block_bytes = plan->tpacket_frame_bytes % PAGE_BYTES ? 2 * plan->tpacket_frame_bytes
										   : plan->tpacket_frame_bytes;
		plan->tpacket_frame_count = 512;
		data_room =
			max_u32(data_room, PLAN_HEADROOM_BYTES + plan->tpacket_frame_bytes - PLAN_TPACKET_HEADER_BYTES);
	} else if (device->kind == PORT_TAP) {
		plan->rx_desc_count = 256; /* the kernel queues; the driver holds one buffer */
	} else if (device->kind == PORT_MEMIF) {
		plan->memif_buffer_bytes = (uint16_t)round_up(plan->frame_bytes, 64);
		plan->memif_log2_ring = 10;
	}
	plan->data_room_bytes = (uint16_t)round_up(data_room, 64);
	if (device->kind == PORT_AF_XDP) /* exact: the last bytes of a page count */
		plan->data_room_bytes = (uint16_t)data_room;
	return 0;
}

uint32_t port_plan_ring_packets(const struct port_device *device, const struct port_plan *plan, unsigned rx_queues,
				unsigned tx_queues)
{
	switch (device->kind) {
	case PORT_AF_PACKET:
	case PORT_MEMIF:
	case PORT_TAP:
		/* Copied on the way: the driver holds at most a burst. */
		return 64 * (rx_queues + tx_queues);
	case PORT_AF_XDP:
		/* The fill and receive rings share theirs, as do the transmit and completion rings. */
		return rx_queues * (uint32_t)plan->rx_desc_count + tx_queues * (uint32_t)plan->tx_desc_count;
	case PORT_PCI:
	case PORT_KIND_COUNT:
		break;
	}
	return rx_queues * (uint32_t)plan->rx_desc_count + tx_queues * (uint32_t)plan->tx_desc_count;
}

uint32_t port_plan_pool_packets(uint32_t ring_packets, unsigned worker_count, uint32_t packets_each)
{
	/* A cache holds up to one and a half times its size; the main lcore has one too. */
	uint32_t need = ring_packets + worker_count * packets_each + (worker_count + 1) * PLAN_CACHE_PACKETS * 3 / 2;
	uint32_t size = 1024;
	while (size - 1 < need)
		size *= 2;
	return size - 1;
}

uint32_t port_plan_memory_mb(const struct port_device *devices, const struct port_plan *plans, unsigned count,
			     unsigned worker_count, uint32_t packets_each)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		uint32_t rings = port_plan_ring_packets(&devices[i], &plans[i], worker_count, worker_count);
		uint64_t packets = port_plan_pool_packets(rings, worker_count, packets_each);
		uint64_t each = plans[i].data_room_bytes + PLAN_MBUF_OVERHEAD_BYTES + 64u + sizeof(void *) * 2;
		/* What a NIC reads or writes does not cross a page of 4 KiB while it fits one. */
		if (devices[i].kind == PORT_PCI && each < PAGE_BYTES)
			each = PAGE_BYTES;
		bytes += packets * each;
	}
	return BASE_MEMORY_MB + WORKER_MEMORY_MB * (worker_count + 1) + (uint32_t)(bytes >> 20) + 1;
}

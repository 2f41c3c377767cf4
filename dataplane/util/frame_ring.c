/* SPDX-License-Identifier: BSD-3-Clause */
/* Records are multiples of 8 bytes long, and may wrap. */
#include "util/frame_ring.h"

#include <stdlib.h>
#include <string.h>

struct frame_ring *frame_ring_create(uint32_t room_bytes)
{
	const size_t align = _Alignof(struct frame_ring);
	struct frame_ring *ring = aligned_alloc(align, (sizeof *ring + room_bytes + align - 1) / align * align);
	if (!ring)
		return NULL;
	/* The bytes stay as they are: a large ring takes memory as far as it is used. */
	*ring = (struct frame_ring){.room_bytes = room_bytes};
	return ring;
}

void frame_ring_destroy(struct frame_ring *ring)
{
	free(ring);
}

static uint64_t record_bytes(const struct frame_record *record)
{
	return sizeof *record + (((uint64_t)record->captured_bytes + 7) & ~7ull);
}

static void copy_in(struct frame_ring *ring, uint64_t at, const void *from, size_t len)
{
	size_t start = at & (ring->room_bytes - 1), first = ring->room_bytes - start;
	if (first > len)
		first = len;
	memcpy(ring->bytes + start, from, first);
	memcpy(ring->bytes, (const uint8_t *)from + first, len - first);
}

static void copy_out(const struct frame_ring *ring, uint64_t at, void *to, size_t len)
{
	size_t start = at & (ring->room_bytes - 1), first = ring->room_bytes - start;
	if (first > len)
		first = len;
	memcpy(to, ring->bytes + start, first);
	memcpy((uint8_t *)to + first, ring->bytes, len - first);
}

bool frame_ring_put(struct frame_ring *ring, const struct frame_record *record, const uint8_t *frame)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t used = head - atomic_load_explicit(&ring->tail, memory_order_acquire);
	if (record_bytes(record) > ring->room_bytes - used) {
		uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
		atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
		return false;
	}
	copy_in(ring, head, record, sizeof *record);
	copy_in(ring, head + sizeof *record, frame, record->captured_bytes);
	atomic_store_explicit(&ring->head, head + record_bytes(record), memory_order_release);
	return true;
}

bool frame_ring_peek(const struct frame_ring *ring, struct frame_record *record)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if (atomic_load_explicit(&ring->head, memory_order_acquire) == tail)
		return false;
	copy_out(ring, tail, record, sizeof *record);
	return true;
}

void frame_ring_take(struct frame_ring *ring, const struct frame_record *record, uint8_t *frame)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if (frame)
		copy_out(ring, tail + sizeof *record, frame, record->captured_bytes);
	atomic_store_explicit(&ring->tail, tail + record_bytes(record), memory_order_release);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of frames between a worker and main, for captures and for the kernel:
 * one producer, one consumer, a ring of bytes.  A frame that does not fit is
 * dropped and counted.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct frame_record {
	uint64_t time_ns;
	uint32_t captured_bytes, frame_bytes;
	uint16_t port_index;
	uint16_t outgoing;
	uint32_t reserved;
};

struct frame_ring {
	_Atomic uint64_t head;                              /* producer writes: bytes ever put */
	_Atomic uint64_t dropped;                           /* producer writes */
	_Atomic uint64_t tail __attribute__((aligned(64))); /* consumer writes: bytes ever taken */
	uint32_t room_bytes;
	uint8_t bytes[];
};

/* Empty, with room for so many bytes of frames and their records: a power of two.  NULL without memory.  Main. */
struct frame_ring *frame_ring_create(uint32_t room_bytes);
void frame_ring_destroy(struct frame_ring *ring);

/* Producer.  Copies record->captured_bytes from frame; false when there was no room. */
bool frame_ring_put(struct frame_ring *ring, const struct frame_record *record, const uint8_t *frame);
/* Consumer: look at the oldest without taking it.  False when empty. */
bool frame_ring_peek(const struct frame_ring *ring, struct frame_record *record);
/* Consumer: take the one that was peeked at; frame has room for its captured_bytes, NULL: throw it away. */
void frame_ring_take(struct frame_ring *ring, const struct frame_record *record, uint8_t *frame);

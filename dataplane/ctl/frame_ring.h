/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captured frames between a worker and main: one producer, one consumer, a ring
 * of bytes.  A frame that does not fit is dropped and counted.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAME_RING_BYTES (4u << 20) /* a power of two */

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
	uint8_t bytes[FRAME_RING_BYTES];
};

/* Producer.  Copies record->captured_bytes from frame. */
void frame_ring_put(struct frame_ring *ring, const struct frame_record *record, const uint8_t *frame);
/* Consumer: look at the oldest without taking it.  False when empty. */
bool frame_ring_peek(const struct frame_ring *ring, struct frame_record *record);
/* Consumer: take the one that was peeked at; frame has room for its captured_bytes, NULL: throw it away. */
void frame_ring_take(struct frame_ring *ring, const struct frame_record *record, uint8_t *frame);

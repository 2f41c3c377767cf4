/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Since when a received frame may have been waiting.
 *
 * The arrival of a frame is not known, only a bound: it came after its queue was
 * last seen empty, and after the time at which as many frames were still to be
 * taken as the queue can hold.  AoE needs the bound to tell a write that was
 * overtaken (aoe/history.h).
 *
 * Pure; a queue belongs to one worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* More than any queue can hold, the kernel's behind a virtual device included. */
#define ARRIVAL_QUEUE_FRAMES 8192u

struct arrival {
	uint64_t safe_ns; /* frames taken from now on arrived after this */
	uint64_t next_ns; /* becomes safe_ns when `left` more frames were taken, or the queue is seen empty */
	uint32_t left;
	uint32_t capacity; /* frames the queue can hold */
};

static inline void arrival_init(struct arrival *queue, uint32_t capacity, uint64_t now_ns)
{
	*queue = (struct arrival){.safe_ns = now_ns, .next_ns = now_ns, .left = capacity, .capacity = capacity};
}

/*
 * How many frames that were there may still be, after a poll that could have
 * taken burst frames took count.  Only a poll that takes nothing has seen the
 * queue empty: virtio's driver, for one, takes up to three frames fewer than it
 * finds, so that a short burst says little and a nearly full one nothing.
 */
static inline uint32_t arrival_left(const struct arrival *queue, uint32_t count, uint32_t burst)
{
	if (count == 0)
		return 0;
	return count <= burst / 2 ? burst : queue->capacity;
}

/*
 * A poll at now_ns took count frames and left up to left of those that had come
 * by then.  Returns the time after which all that it took arrived.
 */
static inline uint64_t arrival_poll(struct arrival *queue, uint64_t now_ns, uint32_t count, uint32_t left)
{
	uint64_t arrived_ns = queue->safe_ns;
	if (left == 0) {
		queue->safe_ns = queue->next_ns = now_ns;
		queue->left = queue->capacity;
		return arrived_ns;
	}
	if (count < queue->left) {
		queue->left -= count;
		if (left > queue->left)
			return arrived_ns;
	} else {
		queue->safe_ns = queue->next_ns;
	}
	queue->next_ns = now_ns;
	queue->left = left;
	return arrived_ns;
}

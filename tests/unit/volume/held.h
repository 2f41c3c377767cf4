/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backend in memory that keeps every I/O until the test lets it go, in any
 * order, with any result.  A write takes effect when it is submitted, when it is
 * let go, or half then and half now, by a draw: whoever runs two overlapping
 * I/Os at once will be found out.
 */
#pragma once

#include "backend/backend.h"

#define HELD_COUNT_MAX 256

struct held {
	struct backend backend;
	uint8_t *bytes;
	bool at_once; /* complete inside submit */
	uint64_t random;
	unsigned count;
	struct backend_io *io[HELD_COUNT_MAX]; /* in order of submission */
	bool early[HELD_COUNT_MAX];            /* took effect already */
	unsigned submitted_count;
};

/* size_bytes of zeros.  The test ends when memory does. */
struct held *held_create(uint64_t size_bytes, uint32_t align_bytes, uint32_t memory_align_bytes);
void held_destroy(struct held *held);
/* Let one go, by its place in the queue. */
void held_release(struct held *held, unsigned index, enum io_status status);
/* Let all go, also those that come meanwhile; oldest first. */
void held_release_all(struct held *held);
/* The I/O at that place; the test fails when there is none. */
const struct backend_io *held_at(const struct held *held, unsigned index);

/* splitmix64 */
uint64_t test_random(uint64_t *state);

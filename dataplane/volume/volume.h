/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A volume: the thing that every protocol reads and writes.
 *
 * Checks range, read-only and offline once; keeps overlapping requests strictly
 * in arrival order (two that overlap and are not both reads never run together,
 * and the later one starts after the earlier one is done); turns unaligned
 * access to a coarse-grained backend into read-modify-write; makes writes
 * durable before completion unless the volume is write-back.
 *
 * Lives on one lcore, which calls everything here; the main lcore creates,
 * and reaches a live volume by inbox messages only (see lcore/inbox.h).
 * Invariant: requests are completed exactly once, each by its done callback,
 * possibly before vol_submit returns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

enum vol_op {
	VOL_READ,
	VOL_WRITE,
	VOL_FLUSH,
	VOL_DISCARD,
	VOL_WRITE_ZEROES,
	VOL_VERIFY, /* read and throw away: media check */
	VOL_OP_COUNT,
};

#define VOL_FUA 0x1u /* durable before completion even on a write-back volume */

struct vol_request;
typedef void vol_done_fn(struct vol_request *request, enum io_status status);

/* Caller's storage; the caller fills the first block, then hands it over until done is called. */
struct vol_request {
	enum vol_op op;
	uint32_t flags;
	uint64_t offset_bytes; /* multiples of 512; of the volume's block size where the protocol can promise it */
	uint64_t len_bytes;
	struct iovec *iov; /* READ, WRITE: buffers that together hold len_bytes; may point at iov_one */
	uint32_t iov_count;
	vol_done_fn *done;
	void *ctx; /* the caller's */
	struct iovec iov_one;
	/* below: the volume's own */
	struct backend_io io;
	struct vol_request *prev, *next; /* arrival-order list of the requests under way */
	struct volume *volume;
	uint64_t lock_start, lock_end; /* byte range kept in order, widened to the backend's granularity */
	uint8_t state;                 /* waiting, running, rmw-read, rmw-write, bounce */
	struct vol_bounce *bounce;
	struct iovec iov_bounce;
};

struct vol_bounce_pool; /* aligned buffers of one lcore for read-modify-write; bounded */

struct volume {
	uint64_t id;
	uint64_t size_bytes;
	uint32_t block_bytes; /* logical block told to clients: 512 or 4096 */
	bool read_only, write_back, offline;
	struct backend *backend;
	struct vol_bounce_pool *bounce_pool;
	struct vol_request *first, *last; /* under way, in arrival order */
	uint32_t under_way_count;
	uint32_t not_started_count;                /* of those, how many wait for an earlier one */
	bool starting;                             /* guards against recursion when backends complete at once */
	void (*on_drained)(struct volume *volume); /* called when under_way_count falls to 0; NULL: nobody waits */
	void *drained_ctx;
	uint64_t stats[WHERRY_VOLUME_STAT_COUNT]; /* written by the volume's lcore, read by main */
};

/* Initialise in caller's storage; backend and pool are borrowed and must outlive the volume.  Any thread. */
void vol_init(struct volume *volume, uint64_t id, struct backend *backend, struct vol_bounce_pool *pool,
	      uint64_t size_bytes, uint32_t block_bytes);

/* Submit.  Never fails by return value: refusals come through done too. */
void vol_submit(struct volume *volume, struct vol_request *request);

/* Bounce pool: count buffers of bytes each, aligned to 4096.  Returns NULL without memory. */
struct vol_bounce_pool *vol_bounce_pool_create(uint32_t count, uint32_t bytes);
void vol_bounce_pool_destroy(struct vol_bounce_pool *pool);
uint32_t vol_bounce_pool_used(const struct vol_bounce_pool *pool);

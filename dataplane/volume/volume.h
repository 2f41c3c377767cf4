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
 * Lives on one lcore, which calls everything here; the main lcore creates, and
 * reaches a live volume by jobs only (lcore/worker.h).
 *
 * Invariants:
 *  - A request is completed exactly once, by its done callback, possibly before
 *    vol_submit returns.
 *  - done may submit again, also to this volume: the depth of the stack does not
 *    grow with the number of requests.  done must not free the volume.
 *  - A flush does not wait for requests under way: it covers what was
 *    acknowledged before it was submitted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backend/backend.h"
#include "volume/map.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

enum vol_op {
	VOL_READ,
	VOL_WRITE,
	VOL_FLUSH,
	VOL_DISCARD,
	VOL_WRITE_ZEROES,
	VOL_VERIFY,  /* read and throw away: media check */
	VOL_EXTENTS, /* what is allocated and what are holes, from the map: never asks the store, waits for nothing */
	VOL_OP_COUNT,
};

#define VOL_FUA 0x1u /* WRITE, DISCARD, WRITE_ZEROES: durable before completion even on a write-back volume */
#define VOL_SKIP_HOLES                                                                                                 \
	0x2u             /* READ: sets hole and leaves the buffers alone when all of the range is known to be one      \
			  */
#define VOL_NO_HOLE 0x4u /* WRITE_ZEROES: keep the space */
#define VOL_FAST 0x8u    /* WRITE_ZEROES: IO_ERR_UNSUPPORTED, nothing changed, rather than writing zeros */

struct volume;
struct vol_request;
typedef void vol_done_fn(struct vol_request *request, enum io_status status);

/* What VOL_EXTENTS answers: consecutive, from the request's offset on. */
struct vol_extent {
	uint64_t len_bytes;
	bool hole; /* reads as zeros */
};

/* A place in a chain of the order index (order.c). */
struct vol_link {
	struct vol_link *next, **at;
	struct vol_request *request;
};

/* Caller's storage; the caller fills the first block, then hands it over until done is called. */
struct vol_request {
	enum vol_op op;
	uint32_t flags;
	uint64_t offset_bytes; /* any; multiples of the backend's granularity save a read-modify-write */
	uint64_t len_bytes;
	struct iovec *iov; /* READ, WRITE: buffers that together hold len_bytes; may point at iov_one */
	uint32_t iov_count;
	vol_done_fn *done;
	void *ctx; /* the caller's */
	struct iovec iov_one;
	bool hole;                  /* answer to SKIP_HOLES; false before */
	struct vol_extent *extents; /* EXTENTS: room for extent_count_max > 0; fewer than the range needs is no error */
	uint32_t extent_count_max;
	uint32_t extent_count; /* answer */

	/* below: the volume's own, filled in by vol_submit */
	struct volume *volume;
	struct backend_io io;
	struct vol_request *prev, *next; /* all under way, in arrival order */
	struct vol_request *ready_next;  /* may start now, or waits for a bounce buffer */
	struct vol_link link[2];         /* order index */
	uint64_t lock_start, lock_end;   /* byte range kept in order, widened to the backend's granularity */
	uint32_t blocker_count;          /* earlier requests that must be done first */
	enum io_status io_status;        /* of the last I/O, or why it was refused */
	bool refused;
	bool queued;                /* in the arrival list */
	bool indexed;               /* in the order index: has a range */
	bool submitting, completed; /* completed: done was called inside backend_submit */
	uint8_t step;               /* what the I/O under way is for (steps.c) */
	uint64_t at_bytes;          /* of several steps: start of the chunk, within the locked range */
	uint64_t chunk_bytes;
	void *bounce;
	struct iovec iov_bounce;

	/* below: the carrier's own (remote.h) */
	struct vol_request *carry_next;
	vol_done_fn *carry_done; /* the caller's done */
	void *carry_origin;      /* who submitted */
};

struct vol_bounce_pool; /* aligned buffers of one lcore for read-modify-write; bounded */

#define VOL_ORDER_BUCKET_BITS 6
#define VOL_ORDER_BUCKET_COUNT (1u << VOL_ORDER_BUCKET_BITS)

struct volume {
	/* Settings.  The volume's lcore may change them between calls; requests that have started are not affected. */
	uint64_t id;
	uint64_t size_bytes;
	uint32_t block_bytes; /* logical block told to clients: 512 or 4096 */
	bool read_only, write_back, offline;
	struct backend *backend; /* borrowed; exchange it only for one of the same granularity that outlives its I/O */
	struct vol_bounce_pool *bounce_pool;
	struct vol_map *map; /* borrowed; NULL: nothing is known of holes */
	uint64_t zero_step_bytes;
	void (*on_drained)(struct volume *volume); /* called when under_way_count falls to 0; NULL: nobody waits */
	void *drained_ctx;

	/* Read-only to others. */
	uint32_t under_way_count;
	uint64_t stats[WHERRY_VOLUME_STAT_COUNT]; /* written by the volume's lcore, read by main */

	/* The volume's own. */
	bool busy;                        /* inside a callback or a start: new requests queue, which bounds the stack */
	bool drained;                     /* under_way_count fell to 0 since busy was set */
	uint32_t changer_count;           /* under way and not reads */
	uint32_t blocked_count;           /* under way with a blocker */
	struct vol_request *first, *last; /* under way, in arrival order */
	struct vol_request *ready_first, *ready_last; /* may start */
	struct volume *kicked_next;                   /* of those with requests that got a buffer from another volume */
	bool kicked;
	uint32_t bounce_count;                                    /* buffers of the pool that its requests have */
	struct vol_request *bounce_wait_first, *bounce_wait_last; /* for a buffer, by ready_next */
	TAILQ_ENTRY(volume) bounce_link;                          /* of those with such requests */
	struct vol_link *wide;                                    /* requests that span more than two grains */
	struct vol_link *bucket[VOL_ORDER_BUCKET_COUNT];          /* the others, by grain */
};

/*
 * Can a volume of this shape stand on this backend?  NULL when it can, else a
 * phrase that says why not (static storage).  Whoever takes sizes from outside
 * asks this before vol_init.
 */
const char *vol_shape_error(const struct backend *backend, uint64_t size_bytes, uint32_t block_bytes);

/* Initialise in caller's storage; backend and pool are borrowed and must outlive the volume.  The shape is good
 * (asserted).  Any thread, before the volume is used. */
void vol_init(struct volume *volume, uint64_t id, struct backend *backend, struct vol_bounce_pool *pool,
	      uint64_t size_bytes, uint32_t block_bytes);

/* Submit.  Never fails by return value: refusals come through done too. */
void vol_submit(struct volume *volume, struct vol_request *request);

/*
 * Read or write at once, without a request: one buffer of len_bytes at data.  True: it is over, and *status is what
 * done would have been told; checks and statistics are those of vol_submit.  False: nothing has happened, submit a
 * request, because the backend may have to wait or to be given other memory, or because something is under way that
 * this may have to wait for.
 */
__attribute__((warn_unused_result)) bool vol_try(struct volume *volume, enum vol_op op, uint64_t offset_bytes,
						 uint64_t len_bytes, void *data, enum io_status *status);

/* Is it of use to call vol_prefetch? */
static inline bool vol_can_prefetch(const struct volume *volume)
{
	return volume->backend->ops->prefetch;
}

/* This range, whatever it is, will be read or written shortly: a hint, where vol_can_prefetch. */
static inline void vol_prefetch(const struct volume *volume, uint64_t offset_bytes, uint64_t len_bytes)
{
	struct backend *backend = volume->backend;
	if (len_bytes <= volume->size_bytes && offset_bytes <= volume->size_bytes - len_bytes)
		backend->ops->prefetch(backend, offset_bytes, len_bytes);
}

/* The most that one WRITE_ZEROES had better ask for, so that a turn of the loop stays short.  Any thread. */
static inline uint64_t vol_zero_step_bytes(const struct volume *volume)
{
	return __atomic_load_n(&volume->zero_step_bytes, __ATOMIC_RELAXED);
}

/* Exchange the store, and what is known of it.  Nothing is under way, the volume is offline; same shape. */
void vol_set_backend(struct volume *volume, struct backend *backend, struct vol_map *map);

/* The backing store has grown: serve more of it.  0, -EINVAL when smaller than now or when the shape is bad, or what
 * backend_resize says. */
int vol_grow(struct volume *volume, uint64_t size_bytes);

/*
 * Bounce pool: count buffers of bytes each, aligned to 4096; bytes is a multiple
 * of 4096.  A volume may have as many as it leaves free, and a request that finds
 * none for it waits for its turn: no store that hangs can take them all.  A
 * volume without a pool, or with one of no buffers, answers IO_ERR_NO_MEMORY.
 * NULL without memory.  Any thread; used by the volumes of one lcore.
 */
struct vol_bounce_pool *vol_bounce_pool_create(uint32_t count, uint32_t bytes);
void vol_bounce_pool_destroy(struct vol_bounce_pool *pool);
uint32_t vol_bounce_pool_used(const struct vol_bounce_pool *pool);

/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared between the files of this folder.  Owning lcore only. */
#pragma once

#include "volume/volume.h"

static inline void vol_count(struct volume *volume, enum wherry_volume_stat stat, uint64_t n)
{
	/* One writer; a reader on another lcore must see whole values only. */
	__atomic_store_n(&volume->stats[stat], volume->stats[stat] + n, __ATOMIC_RELAXED);
}

static inline bool vol_op_changes(enum vol_op op)
{
	return op == VOL_WRITE || op == VOL_DISCARD || op == VOL_WRITE_ZEROES;
}

static inline uint64_t vol_align_down(uint64_t bytes, uint32_t align_bytes)
{
	return bytes & ~(uint64_t)(align_bytes - 1);
}

static inline uint64_t vol_align_up(uint64_t bytes, uint32_t align_bytes)
{
	return vol_align_down(bytes + align_bytes - 1, align_bytes);
}

/* order.c: enter a request whose lock range is set.  Sets blocker_count. */
void vol_order_add(struct volume *volume, struct vol_request *request);
/* order.c: the request is done; those that waited for it alone are appended to the ready queue. */
void vol_order_remove(struct volume *volume, struct vol_request *request);
/* order.c: append to the ready queue. */
void vol_ready_push(struct volume *volume, struct vol_request *request);

/* steps.c: start or go on.  True: it is over, with the status in io_status. */
bool vol_steps_start(struct vol_request *request);
bool vol_steps_resume(struct vol_request *request, enum io_status status);

/* volume.c: done callback of every backend I/O. */
void vol_on_io_done(struct backend_io *io, enum io_status status);

/* bounce.c: a free buffer; NULL: none for this volume. */
void *vol_bounce_get(struct vol_bounce_pool *pool, struct volume *volume);
/* bounce.c: have vol_bounce_next give the request a buffer, in order of arrival.  False: there never will be one. */
bool vol_bounce_wait(struct vol_bounce_pool *pool, struct vol_request *request);
/* bounce.c: give a buffer back; vol_bounce_next is called then until it returns NULL. */
void vol_bounce_put(struct vol_bounce_pool *pool, struct volume *volume, void *buffer);
/* bounce.c: a request that waited and has a buffer now (in bounce), NULL: there is none. */
struct vol_request *vol_bounce_next(struct vol_bounce_pool *pool);
uint32_t vol_bounce_bytes(const struct vol_bounce_pool *pool);
/* bounce.c: remember a volume that has something to start; forget it; take one; may the caller be the one who runs
 * them? */
void vol_bounce_kick(struct vol_bounce_pool *pool, struct volume *volume);
void vol_bounce_unkick(struct vol_bounce_pool *pool, struct volume *volume);
struct volume *vol_bounce_kicked(struct vol_bounce_pool *pool);
bool vol_bounce_run_begin(struct vol_bounce_pool *pool);
void vol_bounce_run_end(struct vol_bounce_pool *pool);

/* volume.c: the request has got a bounce buffer. */
void vol_wake(struct vol_request *request);

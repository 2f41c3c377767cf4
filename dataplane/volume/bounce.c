/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aligned buffers of one lcore.
 *
 * A stack of free ones: the last used is the one still in the cache.  A volume may
 * take one while it has fewer than are free, so that one whose store hangs ends
 * up with half of them, two with a third each, and the others go on.  Its further
 * requests wait in order, volumes by turns; whoever gives a buffer back wakes
 * those that it makes room for.  The next one may belong to another volume, which is then "kicked": run as soon as
 * nothing of the volume at work is on the stack.
 */
#include <assert.h>
#include <stdlib.h>

#include "volume/volume_priv.h"

#define BOUNCE_ALIGN_BYTES 4096u

struct vol_bounce_pool {
	uint32_t bytes, count, free_count;
	TAILQ_HEAD(, volume) waiting; /* those with requests that wait, by turns; none of them may take one now */
	struct volume *kicked;
	bool running; /* somebody further up the stack runs those that were kicked */
	void *memory;
	void *free[]; /* [count] */
};

struct vol_bounce_pool *vol_bounce_pool_create(uint32_t count, uint32_t bytes)
{
	assert(bytes != 0 && bytes % BOUNCE_ALIGN_BYTES == 0);
	struct vol_bounce_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->free[0]);
	if (!pool)
		return NULL;
	TAILQ_INIT(&pool->waiting);
	pool->bytes = bytes;
	pool->count = count;
	if (count == 0)
		return pool;
	pool->memory = aligned_alloc(BOUNCE_ALIGN_BYTES, (size_t)count * bytes);
	if (!pool->memory) {
		free(pool);
		return NULL;
	}
	for (uint32_t i = count; i-- > 0;)
		pool->free[pool->free_count++] = (uint8_t *)pool->memory + (size_t)i * bytes;
	return pool;
}

void vol_bounce_pool_destroy(struct vol_bounce_pool *pool)
{
	if (!pool)
		return;
	assert(pool->free_count == pool->count && TAILQ_EMPTY(&pool->waiting));
	free(pool->memory);
	free(pool);
}

uint32_t vol_bounce_pool_used(const struct vol_bounce_pool *pool)
{
	return pool->count - pool->free_count;
}

/* Each volume leaves as many free as it has: whatever hangs, a part is left for the next. */
static bool may_take(const struct vol_bounce_pool *pool, const struct volume *volume)
{
	return volume->bounce_count < pool->free_count;
}

static void *take(struct vol_bounce_pool *pool, struct volume *volume)
{
	volume->bounce_count++;
	return pool->free[--pool->free_count];
}

void *vol_bounce_get(struct vol_bounce_pool *pool, struct volume *volume)
{
	/* The requests that wait already are first. */
	return !volume->bounce_wait_first && may_take(pool, volume) ? take(pool, volume) : NULL;
}

bool vol_bounce_wait(struct vol_bounce_pool *pool, struct vol_request *request)
{
	struct volume *volume = request->volume;
	if (pool->count == 0)
		return false;
	request->ready_next = NULL;
	if (volume->bounce_wait_first) {
		volume->bounce_wait_last->ready_next = request;
	} else {
		volume->bounce_wait_first = request;
		TAILQ_INSERT_TAIL(&pool->waiting, volume, bounce_link);
	}
	volume->bounce_wait_last = request;
	return true;
}

void vol_bounce_put(struct vol_bounce_pool *pool, struct volume *volume, void *buffer)
{
	assert(pool->free_count < pool->count && volume->bounce_count);
	volume->bounce_count--;
	pool->free[pool->free_count++] = buffer;
}

struct vol_request *vol_bounce_next(struct vol_bounce_pool *pool)
{
	/* Those that are passed over have a buffer each, so there are never many of them. */
	struct volume *volume = TAILQ_FIRST(&pool->waiting);
	while (volume && !may_take(pool, volume))
		volume = TAILQ_NEXT(volume, bounce_link);
	if (!volume || !pool->free_count)
		return NULL;
	struct vol_request *request = volume->bounce_wait_first;
	volume->bounce_wait_first = request->ready_next;
	TAILQ_REMOVE(&pool->waiting, volume, bounce_link);
	if (volume->bounce_wait_first)
		TAILQ_INSERT_TAIL(&pool->waiting, volume, bounce_link);
	request->bounce = take(pool, volume);
	return request;
}

void vol_bounce_kick(struct vol_bounce_pool *pool, struct volume *volume)
{
	if (volume->kicked)
		return;
	volume->kicked = true;
	volume->kicked_next = pool->kicked;
	pool->kicked = volume;
}

void vol_bounce_unkick(struct vol_bounce_pool *pool, struct volume *volume)
{
	if (!volume->kicked)
		return;
	struct volume **at = &pool->kicked;
	while (*at != volume)
		at = &(*at)->kicked_next;
	*at = volume->kicked_next;
	volume->kicked = false;
}

struct volume *vol_bounce_kicked(struct vol_bounce_pool *pool)
{
	struct volume *volume = pool->kicked;
	if (volume) {
		pool->kicked = volume->kicked_next;
		volume->kicked = false;
	}
	return volume;
}

bool vol_bounce_run_begin(struct vol_bounce_pool *pool)
{
	if (!pool->kicked || pool->running)
		return false;
	pool->running = true;
	return true;
}

void vol_bounce_run_end(struct vol_bounce_pool *pool)
{
	pool->running = false;
}

uint32_t vol_bounce_bytes(const struct vol_bounce_pool *pool)
{
	return pool->bytes;
}

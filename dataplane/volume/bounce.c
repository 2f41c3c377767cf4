/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aligned buffers of one lcore.
 *
 * A stack of free ones: the last used is the one still in the cache.  Requests
 * that find none wait in order; whoever gives a buffer back passes it on.  The
 * next one may belong to another volume, which is then "kicked": run as soon as
 * nothing of the volume at work is on the stack.
 */
#include <assert.h>
#include <stdlib.h>

#include "volume/volume_priv.h"

#define BOUNCE_ALIGN_BYTES 4096u

struct vol_bounce_pool {
	uint32_t bytes, count, free_count;
	struct vol_request *wait_first, *wait_last; /* by ready_next; none while a buffer is free */
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
	assert(pool->free_count == pool->count && !pool->wait_first);
	free(pool->memory);
	free(pool);
}

uint32_t vol_bounce_pool_used(const struct vol_bounce_pool *pool)
{
	return pool->count - pool->free_count;
}

void *vol_bounce_get(struct vol_bounce_pool *pool)
{
	return pool->free_count ? pool->free[--pool->free_count] : NULL;
}

bool vol_bounce_wait(struct vol_bounce_pool *pool, struct vol_request *request)
{
	if (pool->count == 0)
		return false;
	request->ready_next = NULL;
	if (pool->wait_last)
		pool->wait_last->ready_next = request;
	else
		pool->wait_first = request;
	pool->wait_last = request;
	return true;
}

struct vol_request *vol_bounce_put(struct vol_bounce_pool *pool, void *buffer)
{
	struct vol_request *next = pool->wait_first;
	if (!next) {
		assert(pool->free_count < pool->count);
		pool->free[pool->free_count++] = buffer;
		return NULL;
	}
	pool->wait_first = next->ready_next;
	if (!pool->wait_first)
		pool->wait_last = NULL;
	next->bounce = buffer;
	return next;
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

/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned buffers of one lcore.  A stack of free ones: the last used is the one still in the cache. */
#include <assert.h>
#include <stdlib.h>

#include "volume/volume_priv.h"

#define BOUNCE_ALIGN_BYTES 4096u

struct vol_bounce_pool {
	uint32_t bytes, count, free_count;
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
	assert(pool->free_count == pool->count);
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

void vol_bounce_put(struct vol_bounce_pool *pool, void *buffer)
{
	assert(pool->free_count < pool->count);
	pool->free[pool->free_count++] = buffer;
}

uint32_t vol_bounce_bytes(const struct vol_bounce_pool *pool)
{
	return pool->bytes;
}

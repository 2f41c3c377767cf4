/* SPDX-License-Identifier: BSD-3-Clause */
/* See pool.h. */
#include "port/pool.h"

#include <assert.h>
#include <errno.h>
#include <rte_errno.h>
#include <rte_mbuf_pool_ops.h>
#include <string.h>

#include "port/plan.h"

static_assert(sizeof(struct rte_mbuf) == 128, "PLAN_MBUF_OVERHEAD_BYTES counts on it");
static_assert(sizeof(struct pkt) <= 64, "struct pkt is one cache line");
static_assert(RTE_PKTMBUF_HEADROOM == PLAN_HEADROOM_BYTES, "the drivers' headroom");
#define PRIV_BYTES 64u

static void packet_init(struct rte_mempool *mempool, void *ctx, void *object, unsigned index)
{
	rte_pktmbuf_init(mempool, NULL, object, index);
	(void)ctx;
	struct rte_mbuf *mbuf = object;
	struct pkt *pkt = pool_pkt(mbuf);
	memset(pkt, 0, sizeof *pkt);
	pkt->head = pkt->data = mbuf->buf_addr;
	pkt->room_bytes = mbuf->buf_len;
	pkt->priv = mbuf;
}

/*
 * Without I/O addresses buffers may cross pages.  This matters beyond memory:
 * AF_XDP's driver takes the pool for a dense array, and with gaps before page
 * boundaries its last buffers would lie outside what it registered, so that a
 * port would start and then silently receive nothing.  A NIC, on the other hand,
 * would be given no address at all.
 */
static unsigned pool_flags(const struct pool *pool)
{
	unsigned flags = pool->is_dma ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	return pool->is_own ? flags | RTE_MEMPOOL_F_NO_SPREAD : flags;
}

static int populate(struct pool *pool)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = pool->data_room_bytes,
						.mbuf_priv_size = PRIV_BYTES};
	int rc = rte_mempool_set_ops_byname(pool->mempool, rte_mbuf_best_mempool_ops(), NULL);
	if (rc)
		return rc;
	rte_pktmbuf_pool_init(pool->mempool, &priv);
	rc = rte_mempool_populate_default(pool->mempool);
	if (rc < 0)
		return rc;
	rte_mempool_obj_iter(pool->mempool, packet_init, NULL);
	return 0;
}

int pool_create(struct pool *pool)
{
	unsigned element_bytes = (unsigned)sizeof(struct rte_mbuf) + PRIV_BYTES + pool->data_room_bytes;
	pool->mempool =
		rte_mempool_create_empty(pool->name, pool->packet_count, element_bytes, PLAN_CACHE_PACKETS,
					 sizeof(struct rte_pktmbuf_pool_private), pool->numa_node, pool_flags(pool));
	if (!pool->mempool)
		return rte_errno ? -rte_errno : -ENOMEM;
	int rc = populate(pool);
	if (rc)
		pool_destroy(pool);
	return rc;
}

void pool_destroy(struct pool *pool)
{
	rte_mempool_free(pool->mempool);
	pool->mempool = NULL;
}

struct span {
	uintptr_t first, last;
};

static void widen_span(struct rte_mempool *mempool, void *ctx, void *object, unsigned index)
{
	(void)mempool;
	struct span *span = ctx;
	uintptr_t at = (uintptr_t)object;
	if (index == 0 || at < span->first)
		span->first = at;
	if (index == 0 || at > span->last)
		span->last = at;
}

bool pool_is_dense(const struct pool *pool)
{
	struct span span = {0, 0};
	const struct rte_mempool *mempool = pool->mempool;
	uintptr_t stride = mempool->header_size + mempool->elt_size + mempool->trailer_size;
	rte_mempool_obj_iter(pool->mempool, widen_span, &span);
	return mempool->nb_mem_chunks == 1 && span.last - span.first == (pool->packet_count - 1) * stride;
}

uint32_t pool_missing(const struct pool *pool)
{
	uint32_t available = rte_mempool_avail_count(pool->mempool);
	return available < pool->packet_count ? pool->packet_count - available : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* See gather.h. */
#include "port/gather.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdatomic.h>

#include "port/plan.h"

static struct rte_mempool *pieces;
static uint32_t piece_total;
static _Atomic bool let_go;

/* In the private area of each mbuf. */
struct gather_piece {
	struct rte_mbuf_ext_shared_info shared;
};

static void piece_released(void *data, void *buf)
{
	(void)data;
	if (!atomic_load_explicit(&let_go, memory_order_relaxed))
		pkt_buf_put(buf);
}

int gather_open(uint32_t piece_count, unsigned worker_count)
{
	atomic_store_explicit(&let_go, false, memory_order_relaxed);
	piece_total = port_plan_pool_packets(piece_count, worker_count, 0);
	pieces = rte_pktmbuf_pool_create("pieces", piece_total, PLAN_CACHE_PACKETS,
					 RTE_ALIGN_CEIL(sizeof(struct gather_piece), RTE_MBUF_PRIV_ALIGN), 0,
					 SOCKET_ID_ANY);
	if (pieces)
		return 0;
	piece_total = 0;
	return rte_errno ? -rte_errno : -ENOMEM;
}

uint32_t gather_close(void)
{
	const uint32_t available = pieces ? rte_mempool_avail_count(pieces) : 0;
	const uint32_t missing = piece_total - available;
	rte_mempool_free(pieces);
	pieces = NULL;
	piece_total = 0;
	return missing;
}

void gather_let_go(void)
{
	atomic_store_explicit(&let_go, true, memory_order_relaxed);
}

static bool is_fit(const struct pkt *pkt, bool by_dma)
{
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		const struct pkt_frag *frag = &pkt->frags[i];
		if (frag->len_bytes < GATHER_PIECE_BYTES_MIN || (by_dma && !frag->buf->is_dma))
			return false;
	}
	return true;
}

static void describe(struct rte_mbuf *mbuf, const struct pkt_frag *frag)
{
	struct gather_piece *piece = rte_mbuf_to_priv(mbuf);
	void *data = (void *)(uintptr_t)frag->data;
	piece->shared.free_cb = piece_released;
	piece->shared.fcb_opaque = frag->buf;
	rte_mbuf_ext_refcnt_set(&piece->shared, 1);
	/* Where devices read by themselves, I/O addresses are those of the process (ethdev_start sees to it). */
	rte_pktmbuf_attach_extbuf(mbuf, data, (rte_iova_t)(uintptr_t)data, (uint16_t)frag->len_bytes, &piece->shared);
	mbuf->data_len = (uint16_t)frag->len_bytes;
}

bool gather_chain(struct pkt *pkt, struct rte_mbuf *head, bool by_dma)
{
	struct rte_mbuf *mbufs[PKT_FRAG_COUNT_MAX];
	const unsigned count = pkt->frag_count;
	if (!is_fit(pkt, by_dma) || rte_pktmbuf_alloc_bulk(pieces, mbufs, count))
		return false;
	struct rte_mbuf *last = head;
	head->pkt_len = pkt->len_bytes;
	for (unsigned i = 0; i < count; i++) {
		describe(mbufs[i], &pkt->frags[i]);
		head->pkt_len += mbufs[i]->data_len;
		last->next = mbufs[i];
		last = mbufs[i];
	}
	head->nb_segs = (uint16_t)(1 + count);
	pkt->frag_count = 0;
	return true;
}

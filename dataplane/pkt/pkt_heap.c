/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets on the heap.  Invariant: out_count is the number of packets that were made and not freed. */
#include "pkt/pkt_heap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wherry/limits.h"

#define BUFFER_ALIGN_BYTES 4096u

struct heap_pkt {
	struct pkt pkt; /* first */
	struct pkt_frag frags[PKT_FRAG_COUNT_MAX];
};

static struct pkt *make(struct pkt_heap *heap, uint32_t room_bytes, uint32_t headroom_bytes)
{
	struct pkt *pkt = calloc(1, sizeof(struct heap_pkt));
	void *block;
	/* Aligned, so that what depends on the alignment of payload does not depend on the state of the heap. */
	if (!pkt || posix_memalign(&block, BUFFER_ALIGN_BYTES, room_bytes ? room_bytes : 1))
		abort();
	uint8_t *head = block;
	*pkt = (struct pkt){.data = head + headroom_bytes,
			    .head = head,
			    .room_bytes = room_bytes,
			    .priv = heap,
			    .frags = ((struct heap_pkt *)pkt)->frags};
	heap->out_count++;
	return pkt;
}

static struct pkt *pool_alloc(void *ctx, uint16_t port_index)
{
	struct pkt_heap *heap = ctx;
	if (heap->out_count >= heap->count_max)
		return NULL;
	struct pkt *pkt = make(heap, heap->room_bytes, heap->headroom_bytes);
	pkt->port_index = port_index;
	heap->allocated_count++;
	return pkt;
}

static void pool_free(void *ctx, struct pkt *pkt)
{
	assert(pkt->priv == ctx);
	pkt_heap_free(pkt);
}

void pkt_heap_init(struct pkt_heap *heap)
{
	*heap = (struct pkt_heap){
		.room_bytes = WHERRY_MTU_MAX + 18 + PKT_SLACK_BYTES,
		.count_max = UINT32_MAX,
	};
}

struct pkt_pool pkt_heap_pool(struct pkt_heap *heap)
{
	return (struct pkt_pool){heap, pool_alloc, pool_free};
}

struct pkt *pkt_heap_make(struct pkt_heap *heap, const void *frame, uint32_t len_bytes, uint32_t headroom_bytes,
			  uint32_t tailroom_bytes)
{
	struct pkt *pkt = make(heap, headroom_bytes + len_bytes + tailroom_bytes, headroom_bytes);
	if (len_bytes)
		memcpy(pkt->data, frame, len_bytes);
	pkt->len_bytes = len_bytes;
	return pkt;
}

void pkt_heap_free(struct pkt *pkt)
{
	struct pkt_heap *heap = pkt->priv;
	assert(heap->out_count > 0);
	heap->out_count--;
	pkt_drop_frags(pkt);
	free(pkt->head);
	free(pkt);
}

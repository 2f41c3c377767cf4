/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between workers.
 *
 * Each ordered pair of workers has a ring with one producer and one consumer, so
 * that a worker whose thread is preempted never makes another one wait.  A word
 * of pending bits tells the consumer which rings to look at.
 *
 * The low bits of a ring entry tell what the frame is; packets are aligned far
 * beyond that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lcore/priv.h"

#define ENTRY_KIND_MASK 3u

static void *entry_of(struct pkt *pkt, enum handoff_kind kind)
{
	return (void *)((uintptr_t)pkt | kind);
}

static struct pkt *entry_pkt(void *entry)
{
	return (struct pkt *)((uintptr_t)entry & ~(uintptr_t)ENTRY_KIND_MASK);
}

static enum handoff_kind entry_kind(const void *entry)
{
	return (enum handoff_kind)((uintptr_t)entry & ENTRY_KIND_MASK);
}

static void flush_one(struct worker *worker, unsigned to)
{
	struct handoff_out *out = &worker->priv->handoff_out[to];
	struct worker_private *consumer = worker_at(to)->priv;
	unsigned taken = rte_ring_sp_enqueue_burst(consumer->handoff_in[worker->index], out->frames, out->count, NULL);
	/* A locked or: the ring's new tail is visible before the bit, so the consumer cannot clear it and miss them. */
	if (taken)
		atomic_fetch_or_explicit(&consumer->handoff_pending, 1ull << worker->index, memory_order_seq_cst);
	worker->stats[WHERRY_LCORE_handoff_out] += taken;
	worker->stats[WHERRY_LCORE_handoff_full] += out->count - taken;
	for (unsigned i = taken; i < out->count; i++)
		port_pkt_free(entry_pkt(out->frames[i]));
	out->count = 0;
}

static void gather(struct worker *worker, unsigned to, void *entry)
{
	struct handoff_out *out = &worker->priv->handoff_out[to];
	out->frames[out->count++] = entry;
	if (out->count == HANDOFF_BURST)
		flush_one(worker, to);
}

void handoff_frame(struct worker *worker, unsigned to, enum handoff_kind kind, struct pkt *pkt)
{
	if (pkt->frag_count)
		pkt_linearise(pkt); /* pieces hold references that this worker alone may drop */
	gather(worker, to, entry_of(pkt, kind));
}

void handoff_copies(struct worker *worker, enum handoff_kind kind, const struct pkt *pkt)
{
	for (unsigned to = 0; to < worker_count(); to++) {
		if (to == worker->index)
			continue;
		struct pkt *copy = port_pkt_alloc(pkt->port_index);
		if (!copy) {
			worker->stats[WHERRY_LCORE_drop_no_buffer]++;
			continue;
		}
		copy->data = copy->head + (pkt->data - pkt->head);
		copy->len_bytes = pkt->len_bytes;
		copy->arrived_ns = pkt->arrived_ns;
		memcpy(copy->data, pkt->data, pkt->len_bytes);
		gather(worker, to, entry_of(copy, kind));
	}
}

void handoff_flush(struct worker *worker)
{
	for (unsigned to = 0; to < worker_count(); to++)
		if (worker->priv->handoff_out[to].count)
			flush_one(worker, to);
}

bool handoff_from_main(struct worker *to, struct pkt *pkt)
{
	if (rte_ring_sp_enqueue(to->priv->handoff_in[HANDOFF_FROM_MAIN], entry_of(pkt, HANDOFF_ANSWER)))
		return false;
	atomic_fetch_or_explicit(&to->priv->handoff_pending, 1ull << HANDOFF_FROM_MAIN, memory_order_seq_cst);
	return true;
}

unsigned handoff_main_room(const struct worker *to)
{
	return rte_ring_free_count(to->priv->handoff_in[HANDOFF_FROM_MAIN]);
}

/* What main passed has been seen by no capture yet. */
static void take_answer(struct worker *worker, unsigned from, struct pkt *pkt)
{
	const struct worker_private *priv = worker->priv;
	if (priv->tap && from == HANDOFF_FROM_MAIN)
		priv->tap(worker, priv->tap_ctx, pkt->port_index, true, pkt->data, pkt->len_bytes);
	tx_output_own(worker, pkt);
}

static unsigned take_from(struct worker *worker, unsigned from)
{
	void *entries[HANDOFF_BURST];
	unsigned left = 0;
	unsigned count = rte_ring_sc_dequeue_burst(worker->priv->handoff_in[from], entries, HANDOFF_BURST, &left);
	/* The rest waits for the next turn, so that one busy neighbour does not starve the ports. */
	if (left)
		atomic_fetch_or_explicit(&worker->priv->handoff_pending, 1ull << from, memory_order_relaxed);
	struct pkt *aoe[HANDOFF_BURST];
	unsigned aoe_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = entry_pkt(entries[i]);
		__builtin_prefetch(pkt->data);
		switch (entry_kind(entries[i])) {
		case HANDOFF_AOE:
			aoe[aoe_count++] = pkt;
			break;
		case HANDOFF_ANSWER:
			take_answer(worker, from, pkt);
			break;
		case HANDOFF_STACK:
		case HANDOFF_STACK_COPY:
			stack_input_own(worker, pkt, entry_kind(entries[i]) == HANDOFF_STACK_COPY);
			break;
		}
	}
	aoe_input_burst(worker->aoe, aoe, aoe_count, worker->now_ns);
	return count;
}

unsigned handoff_input(struct worker *worker)
{
	if (!handoff_is_pending(worker))
		return 0;
	unsigned count = 0;
	uint64_t bits = atomic_exchange_explicit(&worker->priv->handoff_pending, 0, memory_order_seq_cst);
	for (; bits; bits &= bits - 1)
		count += take_from(worker, (unsigned)__builtin_ctzll(bits));
	worker->stats[WHERRY_LCORE_handoff_in] += count;
	return count;
}

unsigned handoff_waiting(const struct worker *worker)
{
	unsigned count = 0;
	for (unsigned i = 0; i < worker_count(); i++)
		if (worker->priv->handoff_in[i])
			count += rte_ring_count(worker->priv->handoff_in[i]);
	return count;
}

static struct rte_ring *ring_create(unsigned frames)
{
	ssize_t bytes = rte_ring_get_memsize(frames);
	if (bytes < 0)
		return NULL;
	struct rte_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN((size_t)bytes, RTE_CACHE_LINE_SIZE));
	if (ring && rte_ring_init(ring, "handoff", frames, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
		free(ring);
		return NULL;
	}
	return ring;
}

int handoff_create(struct worker *worker, unsigned worker_count_)
{
	unsigned frames = worker_count_ > 8 ? HANDOFF_RING_FRAMES_MANY : HANDOFF_RING_FRAMES;
	for (unsigned from = 0; from < worker_count_; from++) {
		if (from == worker->index)
			continue;
		worker->priv->handoff_in[from] = ring_create(frames);
		if (!worker->priv->handoff_in[from])
			return -ENOMEM;
	}
	worker->priv->handoff_in[HANDOFF_FROM_MAIN] = ring_create(HANDOFF_MAIN_FRAMES);
	return worker->priv->handoff_in[HANDOFF_FROM_MAIN] ? 0 : -ENOMEM;
}

static void drop_ring(struct rte_ring **ring)
{
	void *entry;
	while (*ring && rte_ring_sc_dequeue(*ring, &entry) == 0)
		port_pkt_free(entry_pkt(entry));
	free(*ring);
	*ring = NULL;
}

void handoff_destroy(struct worker *worker, unsigned worker_count_)
{
	for (unsigned from = 0; from < worker_count_; from++)
		drop_ring(&worker->priv->handoff_in[from]);
	drop_ring(&worker->priv->handoff_in[HANDOFF_FROM_MAIN]);
}

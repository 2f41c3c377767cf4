/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between workers.
 *
 * Each ordered pair of workers has a ring with one producer and one consumer, so
 * that a worker whose thread is preempted never makes another one wait.  A word
 * of pending bits tells the consumer which rings to look at.
 *
 * The low bit of a ring entry tells an answer, which is to be sent, from a
 * request; packets are aligned far beyond that.
 */
#include <errno.h>
#include <stdlib.h>

#include "lcore/priv.h"

#define ENTRY_IS_ANSWER 1u

static struct pkt *entry_pkt(void *entry)
{
	return (struct pkt *)((uintptr_t)entry & ~(uintptr_t)ENTRY_IS_ANSWER);
}

static bool entry_is_answer(const void *entry)
{
	return (uintptr_t)entry & ENTRY_IS_ANSWER;
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

void handoff_request(struct worker *worker, unsigned to, struct pkt *pkt)
{
	gather(worker, to, pkt);
}

void handoff_answer(struct worker *worker, unsigned to, struct pkt *pkt)
{
	gather(worker, to, (void *)((uintptr_t)pkt | ENTRY_IS_ANSWER));
}

void handoff_flush(struct worker *worker)
{
	for (unsigned to = 0; to < worker_count(); to++)
		if (worker->priv->handoff_out[to].count)
			flush_one(worker, to);
}

static unsigned take_from(struct worker *worker, unsigned from)
{
	void *entries[HANDOFF_BURST];
	unsigned left = 0;
	unsigned count = rte_ring_sc_dequeue_burst(worker->priv->handoff_in[from], entries, HANDOFF_BURST, &left);
	/* The rest waits for the next turn, so that one busy neighbour does not starve the ports. */
	if (left)
		atomic_fetch_or_explicit(&worker->priv->handoff_pending, 1ull << from, memory_order_relaxed);
	struct pkt *requests[HANDOFF_BURST];
	unsigned request_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = entry_pkt(entries[i]);
		__builtin_prefetch(pkt->data);
		if (entry_is_answer(entries[i]))
			tx_output_own(worker, pkt);
		else
			requests[request_count++] = pkt;
	}
	aoe_input_burst(worker->aoe, requests, request_count, worker->now_ns);
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
	return 0;
}

void handoff_destroy(struct worker *worker, unsigned worker_count_)
{
	for (unsigned from = 0; from < worker_count_; from++) {
		struct rte_ring *ring = worker->priv->handoff_in[from];
		void *entry;
		while (ring && rte_ring_sc_dequeue(ring, &entry) == 0)
			port_pkt_free(entry_pkt(entry));
		free(ring);
		worker->priv->handoff_in[from] = NULL;
	}
}

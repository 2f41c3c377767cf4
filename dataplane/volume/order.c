/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrival order of overlapping requests.
 *
 * Two requests conflict when their lock ranges overlap and at least one changes
 * something.  A request counts the earlier ones it conflicts with and starts when
 * the count is 0; one that is done takes itself off the counts of later ones.
 *
 * To find them without walking everything under way, requests are indexed by
 * grains of 16 KiB, hashed into chains: a request that touches one or two grains
 * is in one or two chains, one that touches more is in the "wide" chain.  A pair
 * that meets in two chains is counted twice when the later one arrives, and twice
 * when the earlier one goes.
 *
 * Which of the two arrived first follows from when each looks: adding a request
 * looks at those that are there; removing one looks for those that came later,
 * which is all that conflict with it, because it could only start when no earlier
 * one was left.
 */
#include <assert.h>

#include "volume/volume_priv.h"

#define ORDER_GRAIN_BITS 14

static bool order_conflict(const struct vol_request *a, const struct vol_request *b)
{
	return a->lock_start < b->lock_end && b->lock_start < a->lock_end &&
	       (vol_op_changes(a->op) || vol_op_changes(b->op));
}

static struct vol_link **order_bucket(struct volume *volume, uint64_t grain)
{
	/* Fibonacci hashing: neighbours never share a bucket, power-of-two strides spread. */
	return &volume->bucket[(grain * 0x9e3779b97f4a7c15ull) >> (64 - VOL_ORDER_BUCKET_BITS)];
}

static void order_link(struct vol_link **at, struct vol_link *link, struct vol_request *request)
{
	link->request = request;
	link->at = at;
	link->next = *at;
	if (link->next)
		link->next->at = &link->next;
	*at = link;
}

static void order_unlink(struct vol_link *link)
{
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
}

/* Grains touched, as first and last. */
static uint64_t order_grains(const struct vol_request *request, uint64_t *last)
{
	*last = (request->lock_end - 1) >> ORDER_GRAIN_BITS;
	return request->lock_start >> ORDER_GRAIN_BITS;
}

static uint32_t chain_count_conflicts(const struct vol_link *link, const struct vol_request *request)
{
	uint32_t count = 0;
	for (; link; link = link->next)
		count += order_conflict(link->request, request);
	return count;
}

static uint32_t order_count_conflicts(struct volume *volume, const struct vol_request *request)
{
	/* Reads alone never conflict. */
	if (volume->changer_count == 0 && !vol_op_changes(request->op))
		return 0;
	uint64_t last;
	const uint64_t first = order_grains(request, &last);
	uint32_t count = 0;
	if (last - first > 1) {
		for (const struct vol_request *other = volume->first; other; other = other->next)
			count += order_conflict(other, request);
		return count;
	}
	count = chain_count_conflicts(volume->wide, request);
	for (uint64_t grain = first; grain <= last; grain++)
		count += chain_count_conflicts(*order_bucket(volume, grain), request);
	return count;
}

static void order_index(struct volume *volume, struct vol_request *request)
{
	uint64_t last;
	const uint64_t first = order_grains(request, &last);
	request->link[1].at = NULL;
	if (last - first > 1) {
		order_link(&volume->wide, &request->link[0], request);
		return;
	}
	order_link(order_bucket(volume, first), &request->link[0], request);
	if (last != first)
		order_link(order_bucket(volume, last), &request->link[1], request);
}

void vol_order_add(struct volume *volume, struct vol_request *request)
{
	const bool ranged = request->lock_end > request->lock_start;
	request->indexed = ranged;
	request->blocker_count = 0;
	if (ranged) {
		if (volume->first)
			request->blocker_count = order_count_conflicts(volume, request);
		order_index(volume, request);
		volume->changer_count += vol_op_changes(request->op);
		volume->blocked_count += request->blocker_count != 0;
	}
	request->next = NULL;
	request->prev = volume->last;
	if (volume->last)
		volume->last->next = request;
	else
		volume->first = request;
	volume->last = request;
}

void vol_ready_push(struct volume *volume, struct vol_request *request)
{
	request->ready_next = NULL;
	if (volume->ready_last)
		volume->ready_last->ready_next = request;
	else
		volume->ready_first = request;
	volume->ready_last = request;
}

static void order_release(struct volume *volume, struct vol_request *waiter)
{
	assert(waiter->blocker_count);
	if (--waiter->blocker_count == 0) {
		volume->blocked_count--;
		vol_ready_push(volume, waiter);
	}
}

static void chain_release(struct volume *volume, struct vol_link *link, const struct vol_request *done)
{
	for (; link; link = link->next) {
		if (order_conflict(link->request, done))
			order_release(volume, link->request);
	}
}

/* The request is out of the index already. */
static void order_release_waiters(struct volume *volume, const struct vol_request *done)
{
	uint64_t last;
	const uint64_t first = order_grains(done, &last);
	if (last - first > 1) {
		for (struct vol_request *other = volume->first; other; other = other->next) {
			if (order_conflict(other, done))
				order_release(volume, other);
		}
		return;
	}
	chain_release(volume, volume->wide, done);
	for (uint64_t grain = first; grain <= last; grain++)
		chain_release(volume, *order_bucket(volume, grain), done);
}

void vol_order_remove(struct volume *volume, struct vol_request *request)
{
	if (request->prev)
		request->prev->next = request->next;
	else
		volume->first = request->next;
	if (request->next)
		request->next->prev = request->prev;
	else
		volume->last = request->prev;
	if (!request->indexed)
		return;
	order_unlink(&request->link[0]);
	if (request->link[1].at)
		order_unlink(&request->link[1]);
	volume->changer_count -= vol_op_changes(request->op);
	if (volume->blocked_count)
		order_release_waiters(volume, request);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* See carry.h.  No DPDK. */
#include "lcore/carry.h"

static void list_push(struct carry_list *list, struct vol_request *request)
{
	struct vol_request *newest = atomic_load_explicit(&list->newest, memory_order_relaxed);
	do
		request->carry_next = newest;
	while (!atomic_compare_exchange_weak_explicit(&list->newest, &newest, request, memory_order_release,
						      memory_order_relaxed));
}

/* Everything, oldest first. */
static struct vol_request *list_take(struct carry_list *list)
{
	if (!atomic_load_explicit(&list->newest, memory_order_relaxed))
		return NULL;
	struct vol_request *request = atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
	struct vol_request *oldest = NULL;
	while (request) {
		struct vol_request *next = request->carry_next;
		request->carry_next = oldest;
		oldest = request;
		request = next;
	}
	return oldest;
}

/* On the volume's home. */
static void carried_done(struct vol_request *request, enum io_status status)
{
	request->io_status = status;
	struct carry *origin = request->carry_origin;
	list_push(&origin->answers, request);
}

static void carry_request(void *ctx, unsigned home, struct vol_request *request)
{
	struct carry *carry = ctx;
	request->carry_origin = carry;
	request->carry_done = request->done;
	request->done = carried_done;
	carry->away_count++;
	++*carry->carried_out;
	list_push(&carry->all[home].requests, request);
}

void carry_init(struct carry *carry, struct carry *all, uint64_t *carried_out, uint64_t *carried_in)
{
	carry->carrier = (struct vol_carrier){carry, carry_request};
	carry->all = all;
	carry->carried_out = carried_out;
	carry->carried_in = carried_in;
	atomic_init(&carry->requests.newest, NULL);
	atomic_init(&carry->answers.newest, NULL);
	carry->away_count = 0;
}

unsigned carry_poll(struct carry *carry)
{
	unsigned count = 0;
	for (struct vol_request *request = list_take(&carry->requests), *next; request; request = next) {
		next = request->carry_next; /* the request may be gone when vol_submit returns */
		vol_submit(request->volume, request);
		count++;
	}
	*carry->carried_in += count;
	for (struct vol_request *request = list_take(&carry->answers), *next; request; request = next) {
		next = request->carry_next;
		request->done = request->carry_done;
		carry->away_count--;
		request->done(request, request->io_status);
		count++;
	}
	return count;
}

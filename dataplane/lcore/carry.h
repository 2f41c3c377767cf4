/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Volume requests between workers.
 *
 * A worker that wants something of a volume on another worker pushes its request
 * on the list of that worker, which submits it in its next turn; when it is done
 * it comes back on the list of the worker that wanted it, which runs done.  Lists
 * are intrusive, with any number of producers and one consumer, and keep the
 * order of each producer, so that nothing can be full.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "volume/remote.h"

struct carry_list {
	_Atomic(struct vol_request *) newest;
};

/* Of one worker.  Lists are written by the others, taken by their owner. */
struct carry {
	struct vol_carrier carrier; /* what vol_port points at */
	struct carry *all;          /* one for each worker, in the order of their indices */
	uint64_t *carried_out;      /* counters of the worker's */
	uint64_t *carried_in;
	struct carry_list requests __attribute__((aligned(64)));
	struct carry_list answers;
	uint32_t away_count; /* its own requests that have not come back */
};

void carry_init(struct carry *carry, struct carry *all, uint64_t *carried_out, uint64_t *carried_in);
/* Submit what others brought, and end what came back.  Returns how many requests moved.  The owner, every turn. */
unsigned carry_poll(struct carry *carry);
/* Something waits in a list. */
static inline bool carry_is_pending(const struct carry *carry)
{
	return atomic_load_explicit(&carry->requests.newest, memory_order_relaxed) ||
	       atomic_load_explicit(&carry->answers.newest, memory_order_relaxed);
}

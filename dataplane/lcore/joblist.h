/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of jobs between threads: any number of producers, one consumer, no
 * lock, no memory, no bound.  Producers push on a stack; the consumer takes the
 * whole stack at once and turns it round, so jobs run in the order in which they
 * were pushed.  Taking everything leaves no room for the ABA problem.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "lcore/worker.h"

struct job_list {
	_Atomic(struct job *) newest;
};

/* Returns true when the list was empty: the consumer may have to be woken. */
static inline bool job_list_push(struct job_list *list, struct job *job)
{
	struct job *newest = atomic_load_explicit(&list->newest, memory_order_relaxed);
	do
		job->next = newest;
	while (!atomic_compare_exchange_weak_explicit(&list->newest, &newest, job, memory_order_release,
						      memory_order_relaxed));
	return newest == NULL;
}

/* Take all jobs, oldest first; NULL when there are none. */
static inline struct job *job_list_take(struct job_list *list)
{
	if (!atomic_load_explicit(&list->newest, memory_order_relaxed))
		return NULL;
	struct job *job = atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
	struct job *oldest = NULL;
	while (job) {
		struct job *next = job->next;
		job->next = oldest;
		oldest = job;
		job = next;
	}
	return oldest;
}

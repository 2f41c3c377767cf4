/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs in the shapes that the control server needs.  Main lcore, but for the
 * functions that are said to run on a worker.
 *
 * Relied on: the jobs of one worker run, and finish on main, in the order in
 * which they were posted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lcore/worker.h"

/*
 * Something on the heap that waits for a worker.  Registered, so that
 * ctl_task_abandon_all can free what the end of the process interrupts.
 */
struct ctl_task {
	struct ctl_task *prev, *next;
	void (*abandon)(struct ctl_task *task); /* frees it and what it owns */
};
void ctl_task_register(struct ctl_task *task, void (*abandon)(struct ctl_task *task));
void ctl_task_forget(struct ctl_task *task);
/* The workers have stopped. */
void ctl_task_abandon_all(void);

/* One function on every worker, then done on main: the grace period.  Caller's storage, until done is called. */
struct ctl_broadcast {
	void (*run)(struct worker *worker, struct ctl_broadcast *broadcast); /* on each worker; NULL: only wait */
	void (*done)(struct ctl_broadcast *broadcast);
	/* private */
	unsigned left;
	struct ctl_broadcast_job {
		struct job job;
		struct ctl_broadcast *owner;
	} jobs[WHERRY_LCORE_COUNT_MAX];
};
void ctl_broadcast_start(struct ctl_broadcast *broadcast);

/* Ask a worker every few milliseconds until it says idle.  Caller's storage, until done is called. */
struct ctl_drain {
	struct worker *worker;
	bool (*idle)(struct ctl_drain *drain); /* on the worker */
	void (*done)(struct ctl_drain *drain);
	void (*late)(struct ctl_drain *drain); /* not idle after late_ns, once; NULL: nobody is told */
	uint64_t late_ns;                      /* CLOCK_MONOTONIC */
	/* private */
	struct job job;
	bool is_idle;
	struct ctl_drain *next;
};
void ctl_drain_start(struct ctl_drain *drain);
/* Forget those that wait to be asked again (their storage is about to go), and the timer. */
void ctl_drain_close(void);

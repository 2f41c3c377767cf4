/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs to all workers, and jobs that are repeated until something is idle.  Main lcore. */
#include "ctl/job.h"

#include <stddef.h>

#include "ctl/server_priv.h"

#define DRAIN_INTERVAL_US 2000

static struct ctl_task tasks = {&tasks, &tasks, NULL};

void ctl_task_register(struct ctl_task *task, void (*abandon)(struct ctl_task *task))
{
	task->abandon = abandon;
	task->prev = tasks.prev;
	task->next = &tasks;
	tasks.prev->next = task;
	tasks.prev = task;
}

void ctl_task_forget(struct ctl_task *task)
{
	task->prev->next = task->next;
	task->next->prev = task->prev;
	task->prev = task->next = NULL;
}

void ctl_task_abandon_all(void)
{
	while (tasks.next != &tasks) {
		struct ctl_task *task = tasks.next;
		ctl_task_forget(task);
		task->abandon(task);
	}
}

/* ------------------------------------------------------------- broadcast */

static void broadcast_run(struct worker *worker, struct job *job)
{
	struct ctl_broadcast *broadcast = CTL_CONTAINER_OF(job, struct ctl_broadcast_job, job)->owner;
	if (broadcast->run)
		broadcast->run(worker, broadcast);
}

static void broadcast_finished(struct job *job)
{
	struct ctl_broadcast *broadcast = CTL_CONTAINER_OF(job, struct ctl_broadcast_job, job)->owner;
	if (--broadcast->left == 0)
		broadcast->done(broadcast);
}

void ctl_broadcast_start(struct ctl_broadcast *broadcast)
{
	unsigned count = worker_count();
	broadcast->left = count;
	for (unsigned i = 0; i < count; i++) {
		broadcast->jobs[i] =
			(struct ctl_broadcast_job){{.run = broadcast_run, .finished = broadcast_finished}, broadcast};
		worker_post(worker_at(i), &broadcast->jobs[i].job);
	}
}

/* ----------------------------------------------------------------- drain */

static struct ctl_drain *waiting; /* to be asked again */
static sd_event_source *drain_timer;

static void drain_run(struct worker *worker, struct job *job)
{
	struct ctl_drain *drain = CTL_CONTAINER_OF(job, struct ctl_drain, job);
	(void)worker;
	drain->is_idle = drain->idle(drain);
}

static int on_drain_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	(void)ctx;
	struct ctl_drain *drain = waiting;
	waiting = NULL;
	while (drain) {
		struct ctl_drain *next = drain->next;
		worker_post(drain->worker, &drain->job);
		drain = next;
	}
	return 0;
}

static void drain_finished(struct job *job)
{
	struct ctl_drain *drain = CTL_CONTAINER_OF(job, struct ctl_drain, job);
	if (drain->is_idle) {
		drain->done(drain);
		return;
	}
	drain->next = waiting;
	waiting = drain;
	if (!drain->next && ctl_timer_arm(&drain_timer, DRAIN_INTERVAL_US, on_drain_timer, NULL) < 0) {
		/* No timer to be had: ask again at once, which costs time but ends. */
		waiting = NULL;
		worker_post(drain->worker, &drain->job);
	}
	if (drain->late && ctl_now_ns() >= drain->late_ns) {
		void (*late)(struct ctl_drain *) = drain->late;
		drain->late = NULL;
		late(drain);
	}
}

void ctl_drain_start(struct ctl_drain *drain)
{
	drain->job = (struct job){.run = drain_run, .finished = drain_finished};
	worker_post(drain->worker, &drain->job);
}

void ctl_drain_close(void)
{
	waiting = NULL;
	drain_timer = sd_event_source_disable_unref(drain_timer);
}

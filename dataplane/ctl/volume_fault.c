/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault injector of a live volume.  Main lcore; functions named _run are the
 * worker's.
 *
 * It is stacked once and its plan is changed in place.  A plan of zeros makes it
 * transparent at once; it is taken out by the same job, or by a later one when it
 * holds delayed I/O.  While such a job is on its way, a new plan waits for it.
 */
#include <stdlib.h>

#include "ctl/server_priv.h"
#include "ctl/volumes.h"

struct plan_job {
	struct ctl_task task;
	struct job job;
	struct ctl_volume *volume;
	struct backend_fault_plan plan;
	struct ctl_reply reply;
};

static void plan_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct plan_job, task));
}

static void fault_apply(struct ctl_volume *v, const struct backend_fault_plan *plan, struct ctl_reply reply);

static bool is_zero(const struct backend_fault_plan *plan)
{
	return !plan->read_error_ppm && !plan->write_error_ppm && !plan->flush_error_ppm && !plan->no_space_ppm &&
	       !plan->delay_ppm && !plan->bad_length_bytes;
}

bool ctl_fault_idle(const struct ctl_volume *v)
{
	/* Not by v->fault, which main may be changing: what stands above the base is an injector, and in use. */
	return v->volume.backend == v->base || backend_fault_under_way(v->volume.backend) == 0;
}

/* --------------------------------------------------------------- removal */

static void remove_run(struct worker *worker, struct job *job)
{
	struct ctl_volume *v = CTL_CONTAINER_OF(job, struct ctl_volume, fault.job);
	(void)worker;
	v->fault.detached = backend_fault_under_way(v->fault.backend) == 0;
	if (v->fault.detached)
		v->volume.backend = backend_fault_detach(v->fault.backend);
}

static void remove_finished(struct job *job)
{
	struct ctl_volume *v = CTL_CONTAINER_OF(job, struct ctl_volume, fault.job);
	struct ctl_fault *f = &v->fault;
	f->busy = false;
	if (f->detached) {
		backend_destroy(f->backend);
		f->backend = NULL;
		f->removing = false;
	}
	if (!f->next_set)
		return;
	f->next_set = false;
	if (v->replacing || v->removed)
		ctl_reply_error(f->next_reply, EBUSY, "volume %s is being %s", v->name,
				v->removed ? "deleted" : "replaced");
	else
		fault_apply(v, &f->next, f->next_reply);
}

void ctl_fault_tick(struct ctl_volume *v)
{
	if (!v->fault.removing || v->fault.busy || v->replacing || v->removed)
		return;
	v->fault.busy = true;
	v->fault.detached = false;
	v->fault.job = (struct job){.run = remove_run, .finished = remove_finished};
	worker_post(v->worker, &v->fault.job);
}

/* ------------------------------------------------------------------ plan */

static void plan_run(struct worker *worker, struct job *job)
{
	struct plan_job *p = CTL_CONTAINER_OF(job, struct plan_job, job);
	(void)worker;
	backend_fault_set_plan(p->volume->fault.backend, &p->plan);
	p->volume->volume.backend = p->volume->fault.backend;
}

static void plan_finished(struct job *job)
{
	struct plan_job *p = CTL_CONTAINER_OF(job, struct plan_job, job);
	ctl_reply_ok(p->reply);
	ctl_task_forget(&p->task);
	plan_free(&p->task);
}

static void fault_apply(struct ctl_volume *v, const struct backend_fault_plan *plan, struct ctl_reply reply)
{
	struct ctl_fault *f = &v->fault;
	if (!f->backend && is_zero(plan)) {
		ctl_reply_ok(reply);
		return;
	}
	struct plan_job *p = calloc(1, sizeof *p);
	if (p && !f->backend)
		f->backend = backend_fault_create(v->worker->engine, v->base, plan);
	if (!p || !f->backend) {
		free(p);
		ctl_reply_error(reply, ENOMEM, "volume %s: no memory", v->name);
		return;
	}
	p->job = (struct job){.run = plan_run, .finished = plan_finished};
	p->volume = v;
	p->plan = *plan;
	p->reply = reply;
	f->removing = is_zero(plan);
	ctl_task_register(&p->task, plan_free);
	worker_post(v->worker, &p->job);
	ctl_fault_tick(v);
}

void ctl_on_fault_put(struct ctl_request *request, const struct wherry_ctl_fault_put *m)
{
	struct ctl_volume *v = ctl_volume_find(m->volume_id);
	const struct backend_fault_plan plan = {
		.seed = m->seed,
		.read_error_ppm = m->read_error_ppm,
		.write_error_ppm = m->write_error_ppm,
		.flush_error_ppm = m->flush_error_ppm,
		.no_space_ppm = m->no_space_ppm,
		.delay_ppm = m->delay_ppm,
		.delay_us = m->delay_us,
		.bad_offset_bytes = m->bad_offset_bytes,
		.bad_length_bytes = m->bad_length_bytes,
	};
	if (!v) {
		ctl_reply_error(request->reply, ENOENT, "volume %llu does not exist", (unsigned long long)m->volume_id);
	} else if (v->replacing) {
		ctl_reply_error(request->reply, EBUSY, "volume %s waits for I/O on its old backing store: try again",
				v->name);
	} else if (v->fault.busy) {
		if (v->fault.next_set)
			ctl_reply_ok(v->fault.next_reply); /* overtaken */
		v->fault.next_set = true;
		v->fault.next = plan;
		v->fault.next_reply = request->reply;
	} else {
		fault_apply(v, &plan, request->reply);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Export instances on their way to a worker and back.  Main lcore; functions
 * named _run and _idle are the worker's.
 *
 * All jobs of an instance go to its worker in order, so that "added" is never
 * overtaken by "removed".  A worker's table is told apart by the instance, not by
 * the id alone: a later instance of the same id may have taken the place.
 */
#include <stdlib.h>

#include "ctl/exports.h"
#include "ctl/server_priv.h"
#include "stats/snapshot.h"

struct ctl_instance *ctl_instance_create(struct ctl_export *e, struct ctl_volume *v,
					 const struct wherry_ctl_aoe_export_put *m)
{
	struct ctl_instance *instance = calloc(1, sizeof *instance);
	if (!instance)
		return NULL;
	instance->aoe = aoe_export_create(m, &v->volume);
	if (!instance->aoe) {
		free(instance);
		return NULL;
	}
	instance->export_ = e;
	instance->volume = v;
	instance->worker = v->worker;
	instance->shelf = m->shelf;
	instance->slot = m->slot;
	v->instance_count++;
	return instance;
}

void ctl_instance_destroy(struct ctl_instance *instance)
{
	aoe_export_destroy(instance->aoe);
	ctl_volume_release(instance->volume);
	free(instance);
}

/* ------------------------------------------------------------- going away */

static void keep_history(struct ctl_export *e, const struct aoe_export *aoe)
{
	if (!e->history)
		e->history = calloc(1, sizeof *e->history);
	if (!e->history)
		return;
	stats_add(e->history->stats, aoe_export_stats(aoe), WHERRY_EXPORT_STAT_COUNT);
	stats_clear_gauges(WHERRY_SCOPE_EXPORT, e->history->stats);
	for (unsigned kind = 0; kind < AOE_HIST_COUNT; kind++)
		stats_add(e->history->hist[kind], aoe_export_hist(aoe, kind), WHERRY_HIST_BUCKET_COUNT);
}

static bool instance_idle(struct ctl_drain *drain)
{
	return aoe_export_idle(CTL_CONTAINER_OF(drain, struct ctl_instance, drain)->aoe);
}

static void instance_drained(struct ctl_drain *drain)
{
	struct ctl_instance *instance = CTL_CONTAINER_OF(drain, struct ctl_instance, drain);
	struct ctl_export *e = instance->export_;
	struct ctl_instance **at = &e->instances;
	while (*at != instance)
		at = &(*at)->next;
	*at = instance->next;
	if (!e->removed && !instance->inherited)
		keep_history(e, instance->aoe);
	ctl_instance_destroy(instance);
	ctl_export_destroy_when_unused(e);
}

static void instance_drain(struct ctl_instance *instance)
{
	instance->drain = (struct ctl_drain){
		.worker = instance->worker,
		.idle = instance_idle,
		.done = instance_drained,
	};
	ctl_drain_start(&instance->drain);
}

static void remove_run(struct worker *worker, struct job *job)
{
	struct ctl_instance *instance = CTL_CONTAINER_OF(job, struct ctl_instance, remove_job);
	uint64_t id = aoe_export_id(instance->aoe);
	if (aoe_export_find(worker->aoe, id) == instance->aoe)
		(void)aoe_export_remove(worker->aoe, id);
}

static void remove_finished(struct job *job)
{
	instance_drain(CTL_CONTAINER_OF(job, struct ctl_instance, remove_job));
}

static void instance_remove(struct ctl_instance *instance)
{
	instance->remove_job = (struct job){.run = remove_run, .finished = remove_finished};
	worker_post(instance->worker, &instance->remove_job);
}

static void routes_lead_elsewhere(struct ctl_waiter *waiter)
{
	instance_remove(CTL_CONTAINER_OF(waiter, struct ctl_instance, remove_waiter));
}

void ctl_instance_go_away(struct ctl_instance *instance)
{
	ctl_routes_changed();
	instance->remove_waiter.ready = routes_lead_elsewhere;
	ctl_routes_then(&instance->remove_waiter);
}

/* ------------------------------------------------------------- going live */

static void add_run(struct worker *worker, struct job *job)
{
	struct ctl_instance *instance = CTL_CONTAINER_OF(job, struct ctl_instance, add_job);
	instance->replaced = aoe_export_add(worker->aoe, instance->aoe, instance->advertise, worker->now_ns);
}

static void add_finished(struct job *job)
{
	struct ctl_instance *instance = CTL_CONTAINER_OF(job, struct ctl_instance, add_job);
	struct ctl_instance *previous = instance->previous;
	instance->previous = NULL;
	for (struct ctl_instance *i = instance->next; i && instance->replaced; i = i->next)
		i->inherited |= i->aoe == instance->replaced;
	if (previous)
		instance_remove(previous); /* finds itself replaced when it was on the same worker */
	ctl_reply_ok(instance->reply);
	instance->reply = (struct ctl_reply){0};
}

static void routes_lead_here(struct ctl_waiter *waiter)
{
	struct ctl_instance *instance = CTL_CONTAINER_OF(waiter, struct ctl_instance, add_waiter);
	instance->add_job = (struct job){.run = add_run, .finished = add_finished};
	worker_post(instance->worker, &instance->add_job);
}

static bool is_same_route(const struct ctl_instance *a, const struct ctl_instance *b)
{
	return a && b && a->shelf == b->shelf && a->slot == b->slot && a->worker == b->worker;
}

void ctl_instance_go_live(struct ctl_instance *instance, bool advertise, struct ctl_reply reply)
{
	struct ctl_export *e = instance->export_;
	instance->advertise = advertise;
	instance->reply = reply;
	instance->previous = e->live;
	instance->next = e->instances;
	e->instances = instance;
	e->live = instance;
	if (!is_same_route(instance, instance->previous))
		ctl_routes_changed();
	instance->add_waiter.ready = routes_lead_here;
	ctl_routes_then(&instance->add_waiter);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry of exports.  Main lcore. */
#include "ctl/exports.h"

#include <stdlib.h>

#include "ctl/idmap.h"
#include "ctl/server_priv.h"
#include "ctl/sync.h"
#include "port/port.h"
#include "stats/snapshot.h"

static struct idmap exports, addresses;            /* by id, and by shelf and slot */
static LIST_HEAD(export_list, ctl_export) removed; /* out of the registry, not yet destroyed */

static uint64_t address_of(uint16_t shelf, uint8_t slot)
{
	return (uint64_t)shelf << 8 | slot;
}

struct ctl_export *ctl_export_find(uint64_t id)
{
	return idmap_get(&exports, id);
}

struct ctl_export *ctl_export_at(unsigned place)
{
	return idmap_at(&exports, place);
}

unsigned ctl_export_place_count(void)
{
	return exports.place_count;
}

unsigned ctl_export_count_on(const struct worker *worker)
{
	unsigned count = 0;
	for (unsigned i = 0; i < exports.place_count; i++) {
		const struct ctl_export *e = ctl_export_at(i);
		count += e && e->live && e->live->worker == worker;
	}
	return count;
}

/* ------------------------------------------------------------------- put */

/* What is wrong with the message, NULL when nothing. */
static const char *put_error(const struct wherry_ctl_aoe_export_put *m)
{
	if (m->shelf > WHERRY_AOE_SHELF_MAX || m->shelf == WHERRY_AOE_SHELF_RESERVED)
		return "shelf 65535 is the wildcard and 4095 is refused by clients";
	if (m->slot > WHERRY_AOE_SLOT_MAX)
		return "slot 255 is the wildcard";
	if (m->buffer_count < 2)
		return "a buffer count below 2 stops clients";
	if (m->flags & ~(WHERRY_AOE_READ_ONLY | WHERRY_AOE_REMOTE_MASK | WHERRY_AOE_REMOTE_CONFIG |
			 WHERRY_AOE_REMOTE_FORCE_RESERVE))
		return "unknown flags";
	for (unsigned i = 0; i < m->ports.count; i++)
		if (m->ports.v[i] >= port_count())
			return "it names a port that does not exist";
	for (unsigned i = 0; i < m->vlans.count; i++)
		if (m->vlans.v[i] > 4094)
			return "VLAN ids end at 4094";
	return NULL;
}

/* Give the address to the export.  False when another one keeps it. */
static bool take_address(struct ctl_export *e, uint16_t shelf, uint8_t slot)
{
	struct ctl_export *owner = idmap_get(&addresses, address_of(shelf, slot));
	if (owner && owner != e) {
		/* Inside SYNC an export that has not been put again may be on its way out, or to another address. */
		if (!ctl_sync_active() || owner->seen)
			return false;
		owner->addressed = false;
	}
	if (e->addressed)
		idmap_remove(&addresses, address_of(e->shelf, e->slot));
	(void)idmap_set(&addresses, address_of(shelf, slot), e); /* there are no more of them than exports */
	e->addressed = true;
	e->shelf = shelf;
	e->slot = slot;
	return true;
}

static void state_put(struct ctl_export *e, const struct wherry_ctl_aoe_state_put *m, struct ctl_reply reply);

/* Not newer than what is held, but its durable state may be. */
static void put_again(struct ctl_export *e, struct ctl_request *request, const struct wherry_ctl_aoe_export_put *m)
{
	static struct wherry_ctl_aoe_state_put state;
	if (m->state_generation <= e->state_generation) {
		ctl_reply_ok(request->reply);
		return;
	}
	state.export_id = m->id;
	state.state_generation = m->state_generation;
	memcpy(&state.config, &m->config, sizeof state.config);
	memcpy(&state.mask, &m->mask, sizeof state.mask);
	memcpy(&state.reserve, &m->reserve, sizeof state.reserve);
	state_put(e, &state, request->reply);
}

/* The instance exists: from here on nothing fails. */
static void put_instance(struct ctl_export *e, struct ctl_instance *instance, struct ctl_request *request,
			 const struct wherry_ctl_aoe_export_put *m)
{
	if (e->volume != instance->volume) {
		if (e->volume)
			e->volume->export_count--;
		instance->volume->export_count++;
		e->volume = instance->volume;
	}
	e->generation = m->generation;
	if (m->state_generation > e->state_generation)
		e->state_generation = m->state_generation;
	if (!ctl_sync_active()) {
		ctl_instance_go_live(instance, ctl_server.gate_open, request->reply);
		return;
	}
	if (e->pending)
		ctl_instance_destroy(e->pending);
	e->pending = instance;
	ctl_reply_ok(request->reply);
}

static void put_newer(struct ctl_export *e, struct ctl_request *request, const struct wherry_ctl_aoe_export_put *m)
{
	struct ctl_volume *v = ctl_volume_find(m->volume_id);
	const char *error = put_error(m);
	bool is_new = !e;
	if (error || !v) {
		ctl_reply_error(request->reply, error ? EINVAL : ENOENT, "AoE export %u.%u: %s", m->shelf, m->slot,
				error ? error : "its volume does not exist");
		return;
	}
	if (is_new)
		e = calloc(1, sizeof *e);
	struct ctl_instance *instance = e ? ctl_instance_create(e, v, m) : NULL;
	if (!instance) {
		ctl_reply_error(request->reply, ENOMEM, "AoE export %u.%u: no memory", m->shelf, m->slot);
		goto fail;
	}
	if (is_new && !idmap_set(&exports, m->id, e)) {
		ctl_reply_error(request->reply, ENOSPC,
				"AoE export %u.%u: this process serves as many exports as it can", m->shelf, m->slot);
		goto fail;
	}
	if (!take_address(e, m->shelf, m->slot)) {
		if (is_new)
			idmap_remove(&exports, m->id);
		else
			e->seen = false;
		ctl_reply_error(request->reply, EEXIST, "AoE export %u.%u: another export has this address", m->shelf,
				m->slot);
		goto fail;
	}
	e->id = m->id;
	e->seen = true;
	put_instance(e, instance, request, m);
	return;
fail:
	if (instance)
		ctl_instance_destroy(instance);
	if (is_new)
		free(e);
}

void ctl_on_aoe_export_put(struct ctl_request *request, const struct wherry_ctl_aoe_export_put *m)
{
	struct ctl_export *e = ctl_export_find(m->id);
	if (e)
		e->seen = true; /* also when it fails: what is served is not swept away by a bad message */
	if (e && m->generation <= e->generation)
		put_again(e, request, m);
	else
		put_newer(e, request, m);
}

/* ----------------------------------------------------------------- state */

struct state_job {
	struct ctl_task task;
	struct job job;
	struct ctl_instance *instance;
	struct wherry_ctl_aoe_state_put put;
	struct ctl_reply reply;
};

static void state_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct state_job, task));
}

static void state_run(struct worker *worker, struct job *job)
{
	struct state_job *s = CTL_CONTAINER_OF(job, struct state_job, job);
	(void)worker;
	aoe_export_state_put(s->instance->aoe, &s->put);
}

static void state_finished(struct job *job)
{
	struct state_job *s = CTL_CONTAINER_OF(job, struct state_job, job);
	ctl_reply_ok(s->reply);
	ctl_task_forget(&s->task);
	state_free(&s->task);
}

/* Put into every instance that serves or will serve; the replies to what is on its way out do not depend on it. */
static void state_put(struct ctl_export *e, const struct wherry_ctl_aoe_state_put *m, struct ctl_reply reply)
{
	struct state_job *s = e->live ? calloc(1, sizeof *s) : NULL;
	if (e->live && !s) {
		ctl_reply_error(reply, ENOMEM, "AoE export %u.%u: no memory", e->shelf, e->slot);
		return;
	}
	if (m->state_generation > e->state_generation)
		e->state_generation = m->state_generation;
	if (e->pending)
		aoe_export_state_put(e->pending->aoe, m); /* no worker has it yet */
	if (!s) {
		ctl_reply_ok(reply);
		return;
	}
	s->job = (struct job){.run = state_run, .finished = state_finished};
	s->instance = e->live;
	s->put = *m;
	s->reply = reply;
	ctl_task_register(&s->task, state_free);
	worker_post(e->live->worker, &s->job);
}

void ctl_on_aoe_state_put(struct ctl_request *request, const struct wherry_ctl_aoe_state_put *m)
{
	struct ctl_export *e = ctl_export_find(m->export_id);
	if (e)
		state_put(e, m, request->reply);
	else
		ctl_reply_error(request->reply, ENOENT, "AoE export with id %llu does not exist",
				(unsigned long long)m->export_id);
}

/* --------------------------------------------------------------- removal */

void ctl_export_destroy_when_unused(struct ctl_export *e)
{
	if (!e->removed || e->instances)
		return;
	LIST_REMOVE(e, removed_link);
	ctl_reply_ok(e->delete_reply);
	free(e->history);
	free(e);
}

void ctl_export_tick(uint64_t now_ns)
{
	struct ctl_export *e;
	LIST_FOREACH(e, &removed, removed_link)
	{
		if (!e->delete_reply.connection || now_ns < e->delete_late_ns)
			continue;
		ctl_reply_ok(e->delete_reply);
		e->delete_reply = (struct ctl_reply){0};
	}
}

static void export_remove(struct ctl_export *e, struct ctl_reply reply)
{
	struct ctl_instance *live = e->live;
	idmap_remove(&exports, e->id);
	if (e->addressed)
		idmap_remove(&addresses, address_of(e->shelf, e->slot));
	e->addressed = false;
	e->volume->export_count--;
	e->removed = true;
	e->delete_reply = reply;
	e->delete_late_ns = ctl_now_ns() + CTL_DRAIN_SECONDS * 1000000000ull;
	LIST_INSERT_HEAD(&removed, e, removed_link);
	if (e->pending)
		ctl_instance_destroy(e->pending);
	e->pending = NULL;
	e->live = NULL;
	if (live)
		ctl_instance_go_away(live);
	ctl_export_destroy_when_unused(e);
}

void ctl_on_aoe_export_delete(struct ctl_request *request, const struct wherry_ctl_aoe_export_delete *m)
{
	struct ctl_export *e = ctl_export_find(m->id);
	if (e)
		export_remove(e, request->reply);
	else
		ctl_reply_error(request->reply, ENOENT, "AoE export with id %llu does not exist",
				(unsigned long long)m->id);
}

/* ------------------------------------------------------------------ SYNC */

void ctl_export_sync_begin(void)
{
	for (unsigned i = 0; i < exports.place_count; i++)
		if (ctl_export_at(i))
			ctl_export_at(i)->seen = false;
}

void ctl_export_sync_end(bool sweep, bool advertise)
{
	for (unsigned i = 0; i < exports.place_count; i++) {
		struct ctl_export *e = ctl_export_at(i);
		if (e && ((sweep && !e->seen) || !e->addressed))
			export_remove(e, (struct ctl_reply){0});
	}
	for (unsigned i = 0; i < exports.place_count; i++) {
		struct ctl_export *e = ctl_export_at(i);
		if (!e || !e->pending)
			continue;
		struct ctl_instance *instance = e->pending;
		e->pending = NULL;
		ctl_instance_go_live(instance, advertise && !e->live, (struct ctl_reply){0});
	}
}

/* ------------------------------------------------------------ statistics */

/*
 * The sum over all instances.  One that replaced another on the same worker has
 * taken its counts over, or is about to: of those, the larger counts.
 */
_Static_assert((unsigned)WHERRY_EXPORT_STAT_COUNT <= WHERRY_HIST_BUCKET_COUNT, "a group holds either");

static void sum_instances(const struct ctl_export *e,
			  const uint64_t *(*view)(const struct aoe_export *aoe, unsigned kind), unsigned kind,
			  uint64_t *sum, unsigned count)
{
	uint64_t group[WHERRY_HIST_BUCKET_COUNT];
	for (const struct ctl_instance *i = e->instances; i; i = i->next) {
		stats_copy(group, view(i->aoe, kind), count);
		for (; i->next && i->next->worker == i->worker; i = i->next)
			stats_max(group, view(i->next->aoe, kind), count);
		stats_add(sum, group, count);
	}
}

static const uint64_t *view_stats(const struct aoe_export *aoe, unsigned kind)
{
	(void)kind;
	return aoe_export_stats(aoe);
}

void ctl_export_stats(const struct ctl_export *e, uint64_t values[WHERRY_EXPORT_STAT_COUNT])
{
	memset(values, 0, WHERRY_EXPORT_STAT_COUNT * sizeof values[0]);
	if (e->history)
		memcpy(values, e->history->stats, sizeof e->history->stats);
	sum_instances(e, view_stats, 0, values, WHERRY_EXPORT_STAT_COUNT);
}

void ctl_export_hist(const struct ctl_export *e, unsigned kind, uint64_t buckets[WHERRY_HIST_BUCKET_COUNT])
{
	memset(buckets, 0, WHERRY_HIST_BUCKET_COUNT * sizeof buckets[0]);
	if (e->history)
		memcpy(buckets, e->history->hist[kind], sizeof e->history->hist[kind]);
	sum_instances(e, aoe_export_hist, kind, buckets, WHERRY_HIST_BUCKET_COUNT);
}

static void export_free(struct ctl_export *e)
{
	while (e->instances) {
		struct ctl_instance *instance = e->instances;
		e->instances = instance->next;
		if (aoe_export_find(instance->worker->aoe, e->id) == instance->aoe)
			(void)aoe_export_remove(instance->worker->aoe, e->id);
		aoe_export_destroy(instance->aoe);
		free(instance);
	}
	if (e->pending) {
		aoe_export_destroy(e->pending->aoe);
		free(e->pending);
	}
	free(e->history);
	free(e);
}

void ctl_export_close(void)
{
	for (unsigned i = 0; i < exports.place_count; i++)
		if (ctl_export_at(i))
			export_free(ctl_export_at(i));
	while (!LIST_EMPTY(&removed)) {
		struct ctl_export *e = LIST_FIRST(&removed);
		LIST_REMOVE(e, removed_link);
		export_free(e);
	}
	memset(&exports, 0, sizeof exports);
	memset(&addresses, 0, sizeof addresses);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* See nbd.h.  Functions named _run and _idle are the workers'. */
#include "ctl/nbd.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "ctl/idmap.h"
#include "ctl/job.h"
#include "ctl/server_priv.h"
#include "lcore/carry.h"
#include "stats/snapshot.h"

/* Clients have five seconds to go, and what is with the store as long again. */
#define DELETE_SECONDS (2 * CTL_DRAIN_SECONDS)

/* One put: an nbd_export on each worker. */
struct set {
	struct ctl_nbd_export *export_;
	struct ctl_volume *volume;
	struct set *previous; /* retired once this one is in place */
	struct ctl_reply reply;
	struct ctl_broadcast add, remove; /* adding may still be on its way when removing begins */
	struct set_worker {
		struct set *set;
		struct nbd_export *nbd;
		struct ctl_drain drain;
	} workers[WHERRY_LCORE_COUNT_MAX];
	unsigned draining; /* workers that are not idle yet */
	LIST_ENTRY(set) link;
};

struct ctl_nbd_export {
	uint64_t id, generation;
	char name[WHERRY_NAME_BYTES_MAX + 1];
	struct ctl_volume *volume; /* as put last */
	struct set *live;
	unsigned set_count; /* live, and older ones on their way out */
	bool seen, removed;
	struct ctl_reply delete_reply;
	uint64_t delete_late_ns; /* answered then, whatever its store still does */
	struct ctl_nbd_export *removed_next;
};

static struct idmap exports;
static LIST_HEAD(set_list, set) sets; /* all of them, wherever they are on their way */
static struct ctl_nbd_export *removed;
static uint16_t listening; /* TCP port, 0: none */

struct ctl_nbd_export *ctl_nbd_export_find(uint64_t id)
{
	return idmap_get(&exports, id);
}

struct ctl_nbd_export *ctl_nbd_export_at(unsigned place)
{
	return idmap_at(&exports, place);
}

unsigned ctl_nbd_export_place_count(void)
{
	return exports.place_count;
}

uint64_t ctl_nbd_export_id(const struct ctl_nbd_export *e)
{
	return e->id;
}

/* ------------------------------------------------------------------ sets */

static void set_destroy(struct set *set)
{
	for (unsigned i = 0; i < worker_count(); i++)
		if (set->workers[i].nbd)
			nbd_export_destroy(set->workers[i].nbd);
	ctl_volume_release(set->volume);
	LIST_REMOVE(set, link);
	free(set);
}

static struct nbd_export_settings *settings_of(const struct wherry_ctl_nbd_export_put *m)
{
	static struct nbd_export_settings s;
	s = (struct nbd_export_settings){
		.id = m->id,
		.generation = m->generation,
		.read_only = m->flags & WHERRY_NBD_READ_ONLY,
		.is_default = m->flags & WHERRY_NBD_DEFAULT,
		.allow_count = m->allow_bits.len,
	};
	memcpy(s.name, m->name, sizeof s.name);
	memcpy(s.description, m->description, sizeof s.description);
	for (unsigned i = 0; i < s.allow_count; i++) {
		memcpy(s.allow[i].addr.b, m->allow.b + i * 16u, 16);
		bool v4 = ip_addr_is_v4(&s.allow[i].addr);
		s.allow[i].bits = (uint8_t)(m->allow_bits.b[i] + (v4 ? 8 * IP_ADDR_V4_OFFSET : 0));
	}
	return &s;
}

static struct set *set_create(struct ctl_nbd_export *e, struct ctl_volume *v, const struct wherry_ctl_nbd_export_put *m)
{
	struct nbd_export_settings *settings = settings_of(m);
	struct set *set = calloc(1, sizeof *set);
	if (!set)
		return NULL;
	set->export_ = e;
	set->volume = v;
	v->instance_count++;
	LIST_INSERT_HEAD(&sets, set, link);
	for (unsigned i = 0; i < worker_count(); i++) {
		struct worker *worker = worker_at(i);
		settings->volume = (struct vol_port){
			.volume = &v->volume,
			.home = v->worker->index,
			.carrier = worker == v->worker ? NULL : &worker->carry->carrier,
		};
		set->workers[i].set = set;
		set->workers[i].nbd = nbd_export_create(settings);
		if (!set->workers[i].nbd) {
			set_destroy(set);
			return NULL;
		}
	}
	return set;
}

/* ------------------------------------------------------------- going away */

static void export_destroy_when_unused(struct ctl_nbd_export *e)
{
	if (!e->removed || e->set_count)
		return;
	for (struct ctl_nbd_export **at = &removed; *at; at = &(*at)->removed_next)
		if (*at == e) {
			*at = e->removed_next;
			break;
		}
	ctl_reply_ok(e->delete_reply);
	free(e);
}

static bool worker_idle(struct ctl_drain *drain)
{
	return nbd_export_idle(CTL_CONTAINER_OF(drain, struct set_worker, drain)->nbd);
}

static void worker_drained(struct ctl_drain *drain)
{
	struct set *set = CTL_CONTAINER_OF(drain, struct set_worker, drain)->set;
	struct ctl_nbd_export *e = set->export_;
	if (--set->draining)
		return;
	set_destroy(set);
	e->set_count--;
	export_destroy_when_unused(e);
}

static void set_drain(struct set *set)
{
	set->draining = worker_count();
	for (unsigned i = 0; i < worker_count(); i++) {
		set->workers[i].drain =
			(struct ctl_drain){.worker = worker_at(i), .idle = worker_idle, .done = worker_drained};
		ctl_drain_start(&set->workers[i].drain);
	}
}

static void remove_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	const struct set *set = CTL_CONTAINER_OF(broadcast, struct set, remove);
	(void)nbd_export_remove(worker->nbd, set->export_->id);
}

static void remove_done(struct ctl_broadcast *broadcast)
{
	set_drain(CTL_CONTAINER_OF(broadcast, struct set, remove));
}

static void export_remove(struct ctl_nbd_export *e, struct ctl_reply reply)
{
	idmap_remove(&exports, e->id);
	e->volume->export_count--;
	e->removed = true;
	e->delete_reply = reply;
	e->delete_late_ns = ctl_now_ns() + DELETE_SECONDS * 1000000000ull;
	e->removed_next = removed;
	removed = e;
	e->live->remove = (struct ctl_broadcast){.run = remove_run, .done = remove_done};
	ctl_broadcast_start(&e->live->remove);
	e->live = NULL;
}

void ctl_nbd_tick(uint64_t now_ns)
{
	for (struct ctl_nbd_export *e = removed; e; e = e->removed_next) {
		if (!e->delete_reply.connection || now_ns < e->delete_late_ns)
			continue;
		ctl_reply_ok(e->delete_reply);
		e->delete_reply = (struct ctl_reply){0};
	}
}

void ctl_on_nbd_export_delete(struct ctl_request *request, const struct wherry_ctl_nbd_export_delete *m)
{
	struct ctl_nbd_export *e = ctl_nbd_export_find(m->id);
	if (e)
		export_remove(e, request->reply);
	else
		ctl_reply_error(request->reply, ENOENT, "NBD export with id %llu does not exist",
				(unsigned long long)m->id);
}

/* ------------------------------------------------------------- going live */

static void add_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	struct set *set = CTL_CONTAINER_OF(broadcast, struct set, add);
	(void)nbd_export_add(worker->nbd, set->workers[worker->index].nbd); /* returns the previous set's */
}

static void add_done(struct ctl_broadcast *broadcast)
{
	struct set *set = CTL_CONTAINER_OF(broadcast, struct set, add);
	ctl_reply_ok(set->reply);
	set->reply = (struct ctl_reply){0};
	if (set->previous)
		set_drain(set->previous);
	set->previous = NULL;
}

static const char *put_error(const struct wherry_ctl_nbd_export_put *m)
{
	if (!m->name[0])
		return "it has no name";
	if (m->flags & ~(WHERRY_NBD_READ_ONLY | WHERRY_NBD_DEFAULT))
		return "unknown flags";
	if (m->allow.len != m->allow_bits.len * 16u)
		return "the lists of what it is open to differ in length";
	for (unsigned i = 0; i < m->allow_bits.len; i++) {
		struct ip_addr addr;
		memcpy(addr.b, m->allow.b + i * 16u, 16);
		if (m->allow_bits.b[i] > (ip_addr_is_v4(&addr) ? 32 : 128))
			return "a prefix that it is open to is longer than an address";
	}
	return NULL;
}

static void put_newer(struct ctl_nbd_export *e, struct ctl_request *request, const struct wherry_ctl_nbd_export_put *m)
{
	struct ctl_volume *v = ctl_volume_find(m->volume_id);
	const char *error = put_error(m);
	bool is_new = !e;
	if (error || !v) {
		ctl_reply_error(request->reply, error ? EINVAL : ENOENT, "NBD export %s: %s", m->name,
				error ? error : "its volume does not exist");
		return;
	}
	if (is_new)
		e = calloc(1, sizeof *e);
	struct set *set = e ? set_create(e, v, m) : NULL;
	if (!set || (is_new && !idmap_set(&exports, m->id, e))) {
		ctl_reply_error(request->reply, set ? ENOSPC : ENOMEM, "NBD export %s: %s", m->name,
				set ? "this process serves as many exports as it can" : "no memory");
		if (set)
			set_destroy(set);
		if (is_new)
			free(e);
		return;
	}
	if (e->volume != v) {
		if (e->volume)
			e->volume->export_count--;
		v->export_count++;
		e->volume = v;
	}
	e->id = m->id;
	e->generation = m->generation;
	memcpy(e->name, m->name, sizeof e->name);
	e->seen = true;
	set->previous = e->live;
	set->reply = request->reply;
	e->live = set;
	e->set_count++;
	set->add = (struct ctl_broadcast){.run = add_run, .done = add_done};
	ctl_broadcast_start(&set->add);
}

void ctl_on_nbd_export_put(struct ctl_request *request, const struct wherry_ctl_nbd_export_put *m)
{
	struct ctl_nbd_export *e = ctl_nbd_export_find(m->id);
	if (e)
		e->seen = true; /* also when it fails: what is served is not swept away by a bad message */
	if (e && m->generation <= e->generation)
		ctl_reply_ok(request->reply);
	else
		put_newer(e, request, m);
}

/* ------------------------------------------------------------------ SYNC */

void ctl_nbd_sync_begin(void)
{
	for (unsigned i = 0; i < exports.place_count; i++)
		if (ctl_nbd_export_at(i))
			ctl_nbd_export_at(i)->seen = false;
}

void ctl_nbd_sync_sweep(void)
{
	for (unsigned i = 0; i < exports.place_count; i++) {
		struct ctl_nbd_export *e = ctl_nbd_export_at(i);
		if (e && !e->seen)
			export_remove(e, (struct ctl_reply){0});
	}
}

/* ------------------------------------------------------------- listening */

struct listen {
	struct ctl_broadcast broadcast;
	struct ctl_task task;
	struct ctl_reply reply;
	uint16_t old, new;
	_Atomic int error; /* of any worker */
};

static void listen_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct listen, task));
}

static void listen_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	struct listen *l = CTL_CONTAINER_OF(broadcast, struct listen, broadcast);
	static const struct ip_addr any;
	if (l->old)
		(void)tcp_unlisten(worker->tcp, &any, l->old);
	int rc = l->new ? tcp_listen(worker->tcp, &any, l->new, nbd_accept, worker->nbd) : 0;
	if (rc)
		l->error = -rc;
}

static void listen_done(struct ctl_broadcast *broadcast)
{
	struct listen *l = CTL_CONTAINER_OF(broadcast, struct listen, broadcast);
	if (l->error)
		ctl_reply_error(l->reply, l->error, "NBD cannot listen on TCP port %u: %s", l->new, strerror(l->error));
	else
		ctl_reply_ok(l->reply);
	ctl_task_forget(&l->task);
	listen_free(&l->task);
}

void ctl_on_nbd_put(struct ctl_request *request, const struct wherry_ctl_nbd_put *m)
{
	if (m->tcp_port == listening) {
		ctl_reply_ok(request->reply);
		return;
	}
	struct listen *l = calloc(1, sizeof *l);
	if (!l) {
		ctl_reply_error(request->reply, ENOMEM, "no memory to listen for NBD");
		return;
	}
	ctl_task_register(&l->task, listen_free);
	l->reply = request->reply;
	l->old = listening;
	l->new = listening = m->tcp_port;
	l->broadcast = (struct ctl_broadcast){.run = listen_run, .done = listen_done};
	ctl_broadcast_start(&l->broadcast);
}

/* ------------------------------------------------------------ statistics */

void ctl_nbd_export_stats(const struct ctl_nbd_export *e, uint64_t values[WHERRY_EXPORT_STAT_COUNT])
{
	memset(values, 0, WHERRY_EXPORT_STAT_COUNT * sizeof values[0]);
	for (unsigned i = 0; i < worker_count(); i++)
		stats_add(values, nbd_export_stats(e->live->workers[i].nbd), WHERRY_EXPORT_STAT_COUNT);
}

void ctl_nbd_export_hist(const struct ctl_nbd_export *e, unsigned kind, uint64_t buckets[WHERRY_HIST_BUCKET_COUNT])
{
	memset(buckets, 0, WHERRY_HIST_BUCKET_COUNT * sizeof buckets[0]);
	for (unsigned i = 0; i < worker_count(); i++)
		stats_add(buckets, nbd_export_hist(e->live->workers[i].nbd, kind), WHERRY_HIST_BUCKET_COUNT);
}

/* ------------------------------------------------------------------- end */

void ctl_nbd_close(void)
{
	while (!LIST_EMPTY(&sets)) {
		struct set *set = LIST_FIRST(&sets);
		for (unsigned i = 0; i < worker_count(); i++)
			(void)nbd_export_remove(worker_at(i)->nbd, set->export_->id);
		set_destroy(set);
	}
	for (unsigned i = 0; i < exports.place_count; i++)
		free(ctl_nbd_export_at(i));
	for (struct ctl_nbd_export *e = removed, *next; e; e = next) {
		next = e->removed_next;
		free(e);
	}
	memset(&exports, 0, sizeof exports);
	removed = NULL;
	listening = 0;
}

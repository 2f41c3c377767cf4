/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VOLUME_PUT for a volume that exists: grow it and change its flags in one job,
 * or exchange its backing store.  Main lcore; functions named _run and _idle are
 * the worker's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/server_priv.h"
#include "ctl/volumes.h"

static bool can_write(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

/* The message speaks of the store that the volume has, and the descriptor of it can do what is asked for. */
static bool is_same_store(const struct ctl_volume *v, const struct wherry_ctl_volume_put *m, int fd)
{
	struct stat have, put;
	if (m->backend != v->kind || m->align_bytes != v->align_bytes ||
	    m->memory_align_bytes != v->memory_align_bytes || (m->flags ^ v->flags) & WHERRY_VOLUME_DIRECT)
		return false;
	if (m->backend == WHERRY_BACKEND_NULL)
		return true;
	if (!(m->flags & WHERRY_VOLUME_READ_ONLY) && !can_write(v->fd))
		return false;
	return fstat(v->fd, &have) == 0 && fstat(fd, &put) == 0 && have.st_dev == put.st_dev &&
	       have.st_ino == put.st_ino && have.st_rdev == put.st_rdev;
}

/* ------------------------------------------------------- size and flags */

struct change {
	struct ctl_task task;
	struct job job;
	struct ctl_volume *volume;
	struct ctl_reply reply;
	uint64_t generation_before;
	struct wherry_ctl_volume_put put;
	int result;
};

static void change_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct change, task));
}

static void change_run(struct worker *worker, struct job *job)
{
	struct change *c = CTL_CONTAINER_OF(job, struct change, job);
	struct volume *volume = &c->volume->volume;
	(void)worker;
	c->result = c->put.size_bytes > volume->size_bytes ? vol_grow(volume, c->put.size_bytes) : 0;
	if (c->result < 0)
		return;
	volume->read_only = c->put.flags & WHERRY_VOLUME_READ_ONLY;
	volume->write_back = c->put.flags & WHERRY_VOLUME_WRITE_BACK;
}

static void change_finished(struct job *job)
{
	struct change *c = CTL_CONTAINER_OF(job, struct change, job);
	struct ctl_volume *v = c->volume;
	if (c->result == 0) {
		v->size_bytes = c->put.size_bytes;
		ctl_volume_adopt(v, &c->put);
		ctl_reply_ok(c->reply);
	} else {
		/* Not in effect: the same message may come again. */
		if (v->size_asked_bytes == c->put.size_bytes)
			v->size_asked_bytes = v->size_bytes;
		if (v->generation == c->put.generation)
			v->generation = c->generation_before;
		ctl_reply_error(c->reply, -c->result, "volume %s: cannot grow to %llu bytes: %s", v->name,
				(unsigned long long)c->put.size_bytes, strerror(-c->result));
	}
	ctl_task_forget(&c->task);
	change_free(&c->task);
}

static void change_settings(struct ctl_volume *v, struct ctl_request *request, const struct wherry_ctl_volume_put *m)
{
	uint64_t have;
	if (m->size_bytes > v->size_bytes && v->kind != WHERRY_BACKEND_NULL &&
	    (ctl_store_size(v->fd, &have) < 0 || have < m->size_bytes)) {
		ctl_reply_error(request->reply, EINVAL,
				"volume %s: its backing store is smaller than %llu bytes: grow it first", v->name,
				(unsigned long long)m->size_bytes);
		return;
	}
	struct change *c = calloc(1, sizeof *c);
	if (!c) {
		ctl_reply_error(request->reply, ENOMEM, "volume %s: no memory", v->name);
		return;
	}
	c->job = (struct job){.run = change_run, .finished = change_finished};
	c->volume = v;
	c->reply = request->reply;
	c->generation_before = v->generation;
	c->put = *m;
	v->generation = m->generation;
	v->size_asked_bytes = m->size_bytes;
	ctl_task_register(&c->task, change_free);
	worker_post(v->worker, &c->job);
}

/* ------------------------------------------------------- backing store */

/*
 * Requests are refused from the first visit to the worker on; the visit that
 * finds nothing under way exchanges the backend.  An injector goes with the old
 * one.
 */
struct replace {
	struct ctl_task task;
	struct ctl_drain drain;
	struct ctl_volume *volume;
	struct ctl_reply reply;
	struct wherry_ctl_volume_put put;
	int fd;
	struct backend *backend; /* the new one, until it is in place; then the old one */
	struct vol_map *map;     /* likewise */
	bool offline_after;
};

static void replace_free(struct ctl_task *task)
{
	struct replace *r = CTL_CONTAINER_OF(task, struct replace, task);
	if (r->backend)
		backend_destroy(r->backend);
	vol_map_destroy(r->map);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static bool replace_idle(struct ctl_drain *drain)
{
	struct replace *r = CTL_CONTAINER_OF(drain, struct replace, drain);
	struct volume *volume = &r->volume->volume;
	volume->offline = true;
	if (volume->under_way_count > 0 || !ctl_fault_idle(r->volume))
		return false;
	struct backend *old = volume->backend; /* with its injector on top */
	struct vol_map *old_map = volume->map;
	vol_set_backend(volume, r->backend, r->map);
	r->backend = old;
	r->map = old_map;
	volume->size_bytes = r->put.size_bytes;
	volume->read_only = r->put.flags & WHERRY_VOLUME_READ_ONLY;
	volume->write_back = r->put.flags & WHERRY_VOLUME_WRITE_BACK;
	volume->offline = r->offline_after;
	return true;
}

static void replace_done(struct ctl_drain *drain)
{
	struct replace *r = CTL_CONTAINER_OF(drain, struct replace, drain);
	struct ctl_volume *v = r->volume;
	int old_fd = v->fd;
	v->base = v->volume.backend;
	v->fault.backend = NULL;
	v->fault.removing = false;
	v->fd = r->fd;
	r->fd = old_fd;
	v->size_bytes = v->size_asked_bytes = r->put.size_bytes;
	v->generation = r->put.generation;
	v->offline_store = false;
	v->watch.unlinked = v->watch.sync_lost = false;
	if (!v->offline_operator)
		v->detail[0] = '\0';
	ctl_volume_adopt(v, &r->put);
	v->replacing = false;
	/* Always: what was said during the exchange was that it is out of service, whatever else was meant. */
	(void)ctl_volume_set_offline(v, (struct ctl_reply){0});
	ctl_reply_ok(r->reply);
	ctl_task_forget(&r->task);
	replace_free(&r->task);
}

static void replace_late(struct ctl_drain *drain)
{
	struct replace *r = CTL_CONTAINER_OF(drain, struct replace, drain);
	ctl_reply_error(
		r->reply, EBUSY,
		"volume %s is out of service until I/O on its old backing store ends, and gets the new one then",
		r->volume->name);
	r->reply = (struct ctl_reply){0};
}

static void replace_store(struct ctl_volume *v, struct ctl_request *request, const struct wherry_ctl_volume_put *m)
{
	struct replace *r = calloc(1, sizeof *r);
	if (!r) {
		ctl_reply_error(request->reply, ENOMEM, "volume %s: no memory", v->name);
		return;
	}
	r->volume = v;
	r->reply = request->reply;
	r->put = *m;
	r->fd = request->fd;
	request->fd = -1;
	errno = 0;
	r->backend = ctl_backend_create(v->worker, m, r->fd);
	const char *shape = r->backend ? vol_shape_error(r->backend, m->size_bytes, m->block_bytes) : NULL;
	uint64_t have = m->size_bytes;
	if (m->backend == WHERRY_BACKEND_FILE && ctl_store_size(r->fd, &have) == 0 && have < m->size_bytes)
		shape = "its new backing store is smaller than the volume";
	if (!r->backend || shape) {
		int error = shape ? EINVAL : errno ? errno : ENOMEM;
		ctl_reply_error(r->reply, error, "volume %s: cannot take its new backing store: %s", v->name,
				shape ? shape : strerror(error));
		replace_free(&r->task);
		return;
	}
	r->map = ctl_map_create(m, r->fd);
	r->offline_after = v->offline_operator;
	v->replacing = true;
	r->drain = (struct ctl_drain){
		.worker = v->worker,
		.idle = replace_idle,
		.done = replace_done,
		.late = replace_late,
		.late_ns = ctl_now_ns() + CTL_DRAIN_SECONDS * 1000000000ull,
	};
	ctl_task_register(&r->task, replace_free);
	ctl_drain_start(&r->drain);
}

void ctl_volume_change(struct ctl_volume *v, struct ctl_request *request, const struct wherry_ctl_volume_put *m)
{
	if (v->replacing)
		ctl_reply_error(request->reply, EBUSY, "volume %s waits for I/O on its old backing store: try again",
				v->name);
	else if (m->block_bytes != v->volume.block_bytes)
		ctl_reply_error(request->reply, EINVAL,
				"volume %s: its block size of %u bytes cannot change: delete and create it", v->name,
				v->volume.block_bytes);
	else if (m->size_bytes < v->size_asked_bytes)
		ctl_reply_error(request->reply, EINVAL, "volume %s: %llu bytes are fewer than it has: it cannot shrink",
				v->name, (unsigned long long)m->size_bytes);
	else if (is_same_store(v, m, request->fd))
		change_settings(v, request, m);
	else
		replace_store(v, request, m);
}

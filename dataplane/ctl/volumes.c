/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry of volumes: creation, listing, removal.  Main lcore. */
#include "ctl/volumes.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/idmap.h"
#include "ctl/server_priv.h"
#include "ctl/watchdog.h"
#include "lcore/placement.h"
#include "log/log.h"

#define HOLE_COUNT_MAX 16384u /* of a store that are looked for; finding them takes tens of milliseconds at most */

static struct idmap volumes;
static unsigned home_count[WHERRY_LCORE_COUNT_MAX]; /* volumes by worker, those on their way out included */
static LIST_HEAD(volume_list, ctl_volume) removed;  /* out of the registry, not yet destroyed */

struct ctl_volume *ctl_volume_find(uint64_t id)
{
	return idmap_get(&volumes, id);
}

struct ctl_volume *ctl_volume_at(unsigned place)
{
	return idmap_at(&volumes, place);
}

unsigned ctl_volume_place_count(void)
{
	return volumes.place_count;
}

unsigned ctl_volume_count_on(const struct worker *worker)
{
	return home_count[worker->index];
}

int ctl_store_size(int fd, uint64_t *size_bytes)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*size_bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size_bytes) < 0 ? -errno : 0;
	return -EINVAL;
}

/* -------------------------------------------------------------- creation */

static struct worker *choose_home(void)
{
	struct worker *home = worker_at(0);
	for (unsigned i = 1; i < worker_count(); i++)
		if (home_count[i] < home_count[home->index])
			home = worker_at(i);
	return home;
}

static void place_memory(struct backend *ram, const struct worker *worker, const char *name)
{
	size_t bytes;
	void *memory = backend_ram_memory(ram, &bytes);
	int rc = placement_move(memory, bytes, worker->numa_node);
	if (rc < 0)
		LOG_WARN("volume %s: its memory cannot be moved to NUMA node %u, where its worker runs (%s): it is "
			 "served, "
			 "slower",
			 name, worker->numa_node, strerror(-rc));
}

struct backend *ctl_backend_create(struct worker *worker, const struct wherry_ctl_volume_put *m, int fd)
{
	switch (m->backend) {
	case WHERRY_BACKEND_RAM: {
		struct backend *ram = backend_ram_create(fd, m->size_bytes);
		if (ram)
			place_memory(ram, worker, m->name);
		return ram;
	}
	case WHERRY_BACKEND_FILE: {
		struct backend *file =
			backend_file_create(worker->engine, fd, m->size_bytes, m->align_bytes, m->memory_align_bytes);
		/* A dataplane before this one may have acknowledged what is in the page cache only. */
		if (file && m->flags & WHERRY_VOLUME_WRITE_BACK)
			backend_file_expect_unsynced(file);
		return file;
	}
	default:
		return backend_null_create(m->size_bytes);
	}
}

/* Keep in the registry what the message says; the worker has it already or will have it. */
void ctl_volume_adopt(struct ctl_volume *v, const struct wherry_ctl_volume_put *m)
{
	memcpy(v->name, m->name, sizeof v->name);
	v->kind = m->backend;
	v->flags = m->flags;
	v->align_bytes = m->align_bytes;
	v->memory_align_bytes = m->memory_align_bytes;
}

static void volume_free(struct ctl_volume *v)
{
	const struct ctl_fault *f = &v->fault;
	if (f->backend)
		backend_destroy(f->backend); /* and what is below, unless a last job has taken it out */
	if (v->base && (!f->backend || (f->busy && f->detached)))
		backend_destroy(v->base);
	vol_map_destroy(v->volume.map);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

static void found_hole(void *map, uint64_t offset_bytes, uint64_t len_bytes)
{
	vol_map_clear(map, offset_bytes, len_bytes);
}

struct vol_map *ctl_map_create(const struct wherry_ctl_volume_put *m, int fd)
{
	/* What we may not write, somebody else may: then nothing is known for long. */
	if (m->backend == WHERRY_BACKEND_NULL || (m->flags & WHERRY_VOLUME_READ_ONLY))
		return NULL;
	struct vol_map *map = vol_map_create(m->size_bytes);
	if (map)
		backend_find_holes(fd, m->size_bytes, HOLE_COUNT_MAX, found_hole, map);
	return map;
}

/* A file store that is too short now: the volume exists, but is out of service until someone has looked. */
static void check_new_store(struct ctl_volume *v)
{
	uint64_t have;
	if (v->kind != WHERRY_BACKEND_FILE)
		return;
	if (ctl_store_size(v->fd, &have) < 0)
		have = 0;
	if (have < v->size_bytes)
		ctl_watch_store_short(v, have);
}

static void volume_create(struct ctl_request *request, const struct wherry_ctl_volume_put *m)
{
	struct ctl_volume *v = calloc(1, sizeof *v);
	if (!v) {
		ctl_reply_error(request->reply, ENOMEM, "volume %s: no memory", m->name);
		return;
	}
	v->id = m->id;
	v->generation = m->generation;
	v->size_bytes = v->size_asked_bytes = m->size_bytes;
	v->worker = choose_home();
	v->seen = true;
	v->fd = request->fd;
	request->fd = -1;
	ctl_volume_adopt(v, m);
	errno = 0;
	v->base = ctl_backend_create(v->worker, m, v->fd);
	if (!v->base) {
		int error = errno ? errno : ENOMEM;
		ctl_reply_error(request->reply, error, "volume %s: cannot use its backing store of %llu bytes: %s",
				m->name, (unsigned long long)m->size_bytes, strerror(error));
		volume_free(v);
		return;
	}
	const char *shape = vol_shape_error(v->base, m->size_bytes, m->block_bytes);
	if (shape || !idmap_set(&volumes, v->id, v)) {
		ctl_reply_error(request->reply, shape ? EINVAL : ENOSPC, "volume %s: %s", m->name,
				shape ? shape : "this process serves as many volumes as it can");
		volume_free(v);
		return;
	}
	vol_init(&v->volume, v->id, v->base, v->worker->bounce, m->size_bytes, m->block_bytes);
	v->volume.map = ctl_map_create(m, v->fd);
	v->volume.read_only = m->flags & WHERRY_VOLUME_READ_ONLY;
	v->volume.write_back = m->flags & WHERRY_VOLUME_WRITE_BACK;
	home_count[v->worker->index]++;
	check_new_store(v);
	v->volume.offline = v->offline_store; /* nobody else has it yet */
	ctl_reply_ok(request->reply);
}

static bool is_alignment(uint32_t bytes)
{
	return bytes >= 1 && bytes <= 4096 && (bytes & (bytes - 1)) == 0;
}

/* What the message and its descriptor lack, NULL when nothing. */
static const char *put_error(const struct wherry_ctl_volume_put *m, int fd)
{
	uint64_t have;
	if (m->name[0] == '\0')
		return "it needs a name";
	if (m->backend < WHERRY_BACKEND_RAM || m->backend > WHERRY_BACKEND_NULL)
		return "unknown backend";
	if (m->flags &
	    ~(WHERRY_VOLUME_READ_ONLY | WHERRY_VOLUME_WRITE_BACK | WHERRY_VOLUME_DIRECT | WHERRY_VOLUME_BLOCK_DEVICE))
		return "unknown flags";
	if (!is_alignment(m->align_bytes) || !is_alignment(m->memory_align_bytes))
		return "alignments are powers of two up to 4096";
	if (m->size_bytes % m->align_bytes != 0 || m->size_bytes == 0)
		return "its size is not a multiple of its alignment";
	if (m->backend == WHERRY_BACKEND_NULL)
		return fd >= 0 ? "backend null takes no descriptor" : NULL;
	if (fd < 0)
		return "the descriptor of its backing store did not come with the message";
	if (ctl_store_size(fd, &have) == -EINVAL)
		return "its backing store is neither a regular file nor a block device";
	int mode = fcntl(fd, F_GETFL);
	if (mode < 0 || mode & (O_APPEND | O_PATH))
		return "its descriptor is not for reading and writing at any place";
	if ((mode & O_ACCMODE) == O_WRONLY || ((mode & O_ACCMODE) == O_RDONLY && !(m->flags & WHERRY_VOLUME_READ_ONLY)))
		return "its descriptor is not open for reading and writing";
	return NULL;
}

void ctl_on_volume_put(struct ctl_request *request, const struct wherry_ctl_volume_put *m)
{
	struct ctl_volume *v = ctl_volume_find(m->id);
	if (v)
		v->seen = true; /* also when it fails: what is served is not swept away by a bad message */
	if (v && m->generation <= v->generation) {
		ctl_reply_ok(request->reply);
		return;
	}
	const char *error = put_error(m, request->fd);
	if (error)
		ctl_reply_error(request->reply, EINVAL, "volume %s: %s", m->name, error);
	else if (v)
		ctl_volume_change(v, request, m);
	else
		volume_create(request, m);
}

/* --------------------------------------------------------------- removal */

static bool volume_idle(struct ctl_drain *drain)
{
	struct ctl_volume *v = CTL_CONTAINER_OF(drain, struct ctl_volume, drain);
	return v->volume.under_way_count == 0 && ctl_fault_idle(v);
}

static void volume_drained(struct ctl_drain *drain)
{
	struct ctl_volume *v = CTL_CONTAINER_OF(drain, struct ctl_volume, drain);
	LIST_REMOVE(v, removed_link);
	home_count[v->worker->index]--;
	ctl_reply_ok(v->delete_reply);
	volume_free(v);
}

static void destroy_when_unused(struct ctl_volume *v)
{
	if (!v->removed || v->instance_count > 0)
		return;
	v->drain = (struct ctl_drain){
		.worker = v->worker,
		.idle = volume_idle,
		.done = volume_drained,
	};
	ctl_drain_start(&v->drain);
}

void ctl_volume_release(struct ctl_volume *v)
{
	v->instance_count--;
	destroy_when_unused(v);
}

static void volume_remove(struct ctl_volume *v, struct ctl_reply reply)
{
	idmap_remove(&volumes, v->id);
	v->removed = true;
	v->delete_reply = reply;
	v->delete_late_ns = ctl_now_ns() + CTL_DRAIN_SECONDS * 1000000000ull;
	LIST_INSERT_HEAD(&removed, v, removed_link);
	destroy_when_unused(v);
}

void ctl_on_volume_delete(struct ctl_request *request, const struct wherry_ctl_volume_delete *m)
{
	struct ctl_volume *v = ctl_volume_find(m->id);
	if (!v)
		ctl_reply_error(request->reply, ENOENT, "volume %llu does not exist", (unsigned long long)m->id);
	else if (v->export_count > 0)
		ctl_reply_error(request->reply, EBUSY, "volume %s has %u exports: delete them first", v->name,
				v->export_count);
	else if (v->replacing)
		ctl_reply_error(request->reply, EBUSY, "volume %s waits for I/O on its old backing store: try again",
				v->name);
	else
		volume_remove(v, request->reply);
}

void ctl_volume_tick(uint64_t now_ns)
{
	struct ctl_volume *v;
	LIST_FOREACH(v, &removed, removed_link)
	{
		if (!v->delete_reply.connection || now_ns < v->delete_late_ns)
			continue;
		ctl_reply_ok(v->delete_reply);
		v->delete_reply = (struct ctl_reply){0};
	}
}

void ctl_volume_sync_begin(void)
{
	for (unsigned i = 0; i < volumes.place_count; i++)
		if (ctl_volume_at(i))
			ctl_volume_at(i)->seen = false;
}

void ctl_volume_sync_sweep(void)
{
	for (unsigned i = 0; i < volumes.place_count; i++) {
		struct ctl_volume *v = ctl_volume_at(i);
		if (v && !v->seen && v->export_count == 0 && !v->replacing)
			volume_remove(v, (struct ctl_reply){0});
	}
}

void ctl_volume_close(void)
{
	for (unsigned i = 0; i < volumes.place_count; i++)
		if (ctl_volume_at(i))
			volume_free(ctl_volume_at(i));
	while (!LIST_EMPTY(&removed)) {
		struct ctl_volume *v = LIST_FIRST(&removed);
		LIST_REMOVE(v, removed_link);
		volume_free(v);
	}
	memset(&volumes, 0, sizeof volumes);
	memset(home_count, 0, sizeof home_count);
}

/* ------------------------------------------------------- small requests */

struct offline_job {
	struct ctl_task task;
	struct job job;
	struct ctl_volume *volume;
	struct ctl_reply reply;
	bool offline;
	struct backend *forgive; /* a file backend whose failed sync the operator has taken note of, or NULL */
};

static void offline_abandon(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct offline_job, task));
}

static void offline_run(struct worker *worker, struct job *job)
{
	struct offline_job *o = CTL_CONTAINER_OF(job, struct offline_job, job);
	struct volume *volume = &o->volume->volume;
	(void)worker;
	/* While it was out of service its store may have been restored from elsewhere. */
	if (volume->offline && !o->offline)
		vol_map_forget(volume->map);
	volume->offline = o->offline;
	if (o->forgive)
		backend_file_forgive(o->forgive);
}

static void offline_finished(struct job *job)
{
	struct offline_job *o = CTL_CONTAINER_OF(job, struct offline_job, job);
	ctl_reply_ok(o->reply);
	ctl_task_forget(&o->task);
	free(o);
}

static bool set_offline(struct ctl_volume *v, struct ctl_reply reply, struct backend *forgive)
{
	struct offline_job *o = calloc(1, sizeof *o);
	if (!o)
		return false;
	o->job = (struct job){.run = offline_run, .finished = offline_finished};
	o->volume = v;
	o->reply = reply;
	o->offline = v->offline_operator || v->offline_store || v->replacing;
	o->forgive = forgive;
	ctl_task_register(&o->task, offline_abandon);
	worker_post(v->worker, &o->job);
	return true;
}

bool ctl_volume_set_offline(struct ctl_volume *v, struct ctl_reply reply)
{
	return set_offline(v, reply, NULL);
}

void ctl_on_volume_online(struct ctl_request *request, const struct wherry_ctl_volume_online *m)
{
	struct ctl_volume *v = ctl_volume_find(m->id);
	if (!v) {
		ctl_reply_error(request->reply, ENOENT, "volume %llu does not exist", (unsigned long long)m->id);
		return;
	}
	uint64_t have = 0;
	if (m->online && v->kind == WHERRY_BACKEND_FILE) {
		if (ctl_store_size(v->fd, &have) < 0 || have < v->size_bytes) {
			ctl_reply_error(request->reply, ENXIO,
					"volume %s: its backing store has %llu bytes instead of %llu: restore it first",
					v->name, (unsigned long long)have, (unsigned long long)v->size_bytes);
			return;
		}
		v->offline_store = false;
	}
	/* Only on the way back from out of service: a controller that comes says of every volume that it is online.
	 * An exchange brings a new store, and may free the old one before the job runs. */
	const bool forgives = m->online && v->offline_operator && v->kind == WHERRY_BACKEND_FILE && !v->replacing;
	v->offline_operator = !m->online;
	if (m->online && (forgives || !v->watch.sync_lost))
		v->detail[0] = '\0';
	else if (!v->offline_store)
		snprintf(v->detail, sizeof v->detail, "taken out of service by the operator");
	if (!set_offline(v, request->reply, forgives ? v->base : NULL))
		ctl_reply_error(request->reply, ENOMEM, "volume %s: no memory", v->name);
}

void ctl_on_volume_fd_get(struct ctl_request *request, const struct wherry_ctl_volume_fd_get *m)
{
	struct ctl_volume *v = ctl_volume_find(m->id);
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 8];
	const struct wherry_ctl_volume_fd reply = {.id = m->id};
	if (!v) {
		ctl_reply_error(request->reply, ENOENT, "volume %llu does not exist", (unsigned long long)m->id);
		return;
	}
	if (v->fd < 0) {
		ctl_reply_error(request->reply, ENODEV, "volume %s has no descriptor: its backend is null", v->name);
		return;
	}
	int fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		ctl_reply_error(request->reply, errno, "volume %s: cannot duplicate its descriptor: %s", v->name,
				strerror(errno));
	else
		ctl_reply_packet(request->reply, packet,
				 wherry_ctl_put_volume_fd(packet, sizeof packet, request->reply.request_id, &reply),
				 fd);
}

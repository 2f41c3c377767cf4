/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volumes of this process.  Main lcore, unless a function is said to run on a
 * worker.
 *
 * VOLUME_PUT creates a volume whole, with its backend, on the worker that has the
 * fewest; exports reach it from then on.  A change of a live volume is a job.
 * VOLUME_DELETE takes it out of the registry; it is destroyed when the last export
 * instance on it is gone and nothing is under way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backend/engine.h"
#include "ctl/connection.h"
#include "ctl/job.h"
#include "lcore/worker.h"
#include "volume/volume.h"
#include "wherry/ctl.h"

#define CTL_DRAIN_SECONDS 5 /* a request that waits for I/O to end is answered after that long */

/* A request with what came beside it.  A handler that keeps fd sets it to -1; otherwise it is closed. */
struct ctl_request {
	struct ctl_connection *connection;
	struct ctl_reply reply;
	int fd;
};

struct ctl_volume {
	uint64_t id, generation;
	char name[WHERRY_NAME_BYTES_MAX + 1];
	uint8_t kind;              /* enum wherry_backend */
	uint32_t flags;            /* WHERRY_VOLUME_* */
	uint64_t size_bytes;       /* as the worker has it */
	uint64_t size_asked_bytes; /* as it will have it when what is on its way has come */
	uint32_t align_bytes, memory_align_bytes;
	int fd; /* ram, file; -1 otherwise */
	struct worker *worker;
	struct volume volume;                   /* the worker's; main reads stats, relaxed */
	struct backend *base;                   /* what stands on fd */
	unsigned export_count;                  /* exports that name it */
	unsigned instance_count;                /* export instances that hold &volume */
	bool seen;                              /* put since SYNC_BEGIN */
	bool removed;                           /* out of the registry */
	bool replacing;                         /* its backing store is being exchanged */
	bool offline_operator;                  /* VOLUME_ONLINE said so */
	bool offline_store;                     /* the backing store is too short */
	char detail[WHERRY_TEXT_BYTES_MAX + 1]; /* why it is offline, "" otherwise */

	struct ctl_fault {
		struct backend *backend; /* the injector on top of base, NULL: none */
		bool removing;           /* its plan is all zero: take it out when it holds nothing */
		bool busy, detached;     /* a job that may take it out is on its way; it did */
		struct job job;
		bool next_set; /* a plan came meanwhile */
		struct backend_fault_plan next;
		struct ctl_reply next_reply;
	} fault;

	struct ctl_watch {
		bool unlinked;  /* was reported */
		bool sync_lost; /* was reported */
		uint64_t reported_io, reported_no_space, reported_short;
		uint64_t quiet_until_ns; /* no further report of errors before */
	} watch;

	struct ctl_drain drain; /* of its destruction */
	struct ctl_reply delete_reply;
	uint64_t delete_late_ns; /* answered then, destroyed or not */
	LIST_ENTRY(ctl_volume) removed_link;
};

void ctl_on_volume_put(struct ctl_request *request, const struct wherry_ctl_volume_put *m);
void ctl_on_volume_delete(struct ctl_request *request, const struct wherry_ctl_volume_delete *m);
void ctl_on_volume_fd_get(struct ctl_request *request, const struct wherry_ctl_volume_fd_get *m);
void ctl_on_volume_online(struct ctl_request *request, const struct wherry_ctl_volume_online *m);
void ctl_on_fault_put(struct ctl_request *request, const struct wherry_ctl_fault_put *m);

/* NULL when there is none. */
struct ctl_volume *ctl_volume_find(uint64_t id);
/* Every volume is at a place below ctl_volume_place_count(), which it keeps; NULL: nobody's place. */
struct ctl_volume *ctl_volume_at(unsigned place);
unsigned ctl_volume_place_count(void);
/* Volumes whose home is the worker. */
unsigned ctl_volume_count_on(const struct worker *worker);

/* Serve it or not, as its flags say, and answer OK then.  False without memory (not answered). */
bool ctl_volume_set_offline(struct ctl_volume *volume, struct ctl_reply reply);
/* An export instance on it has been destroyed. */
void ctl_volume_release(struct ctl_volume *volume);
/* Once a second: answer deletes that wait for I/O for too long; the volume is out of reach, and ends by itself. */
void ctl_volume_tick(uint64_t now_ns);
/* SYNC: forget what was put; delete what has not been put since and is not exported. */
void ctl_volume_sync_begin(void);
void ctl_volume_sync_sweep(void);

/*
 * Size of the store behind a descriptor.  0, or -errno (-EINVAL: neither a regular
 * file nor a block device).
 */
int ctl_store_size(int fd, uint64_t *size_bytes);

/* ---- between volumes.c, volume_change.c and volume_fault.c ---- */

/* What the kernel knows of the holes of a store that only we write to; NULL: nothing, or no memory. */
struct vol_map *ctl_map_create(const struct wherry_ctl_volume_put *m, int fd);

/* A backend as the message wants it, on fd, which is borrowed.  NULL with errno, or 0 in errno without memory. */
struct backend *ctl_backend_create(struct worker *worker, const struct wherry_ctl_volume_put *m, int fd);
/* Take over what the message says, but for size and generation. */
void ctl_volume_adopt(struct ctl_volume *volume, const struct wherry_ctl_volume_put *m);
/* A message with a newer generation for a volume that exists. */
void ctl_volume_change(struct ctl_volume *volume, struct ctl_request *request, const struct wherry_ctl_volume_put *m);

/* Once a second: take out an injector that could not be before. */
void ctl_fault_tick(struct ctl_volume *volume);
/* On the worker: no injector holds I/O of the volume. */
bool ctl_fault_idle(const struct ctl_volume *volume);

/* The workers have stopped, every export is gone. */
void ctl_volume_close(void);

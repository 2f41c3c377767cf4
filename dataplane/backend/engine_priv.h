/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backends of this folder see of the engine.  Owning lcore only. */
#pragma once

#include <liburing.h>

#include "backend/engine.h"

/* A doubly linked queue of I/O through backend_io.prev and next. */
struct io_queue {
	struct backend_io *first, *last;
};

struct backend_engine {
	struct io_uring ring;
	unsigned ring_entries; /* as asked for; 0: no ring ever */
	bool ring_ready;
	unsigned setup_first;   /* earlier entries of ring_setups are not tried: lets a test see the fall-backs */
	unsigned setup_flags;   /* of the ring, as the kernel took them */
	unsigned in_ring_count; /* prepared or in the kernel: bounded by cq_entries, so that the CQ cannot overflow */
	unsigned cq_entries;
	unsigned waiting_count;  /* in the waiting queue */
	struct io_queue waiting; /* for a place in the ring, oldest first */
	unsigned delayed_count;  /* in the delayed queue */
	struct io_queue delayed; /* by due_ns, equal ones in order of arrival */
	uint64_t now_ns;         /* of the last poll */
	unsigned moved_count;    /* during this poll */
};

/* Give a file I/O to the ring, now or when there is room.  The ring is ready. */
void engine_enqueue(struct backend_engine *engine, struct backend_io *io);
/* Call resume(io) from the first poll at or after due_ns. */
void engine_delay(struct backend_engine *engine, struct backend_io *io, uint64_t due_ns,
		  void (*resume)(struct backend_io *io));

/* file.c: fill in the entry for what is left of the I/O. */
void file_prepare(struct backend_io *io, struct io_uring_sqe *sqe);
/* file.c: the kernel's result.  Completes the I/O or enqueues it again. */
void file_on_result(struct backend_io *io, int result);

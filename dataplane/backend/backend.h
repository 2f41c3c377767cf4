/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a backing store does for a volume.
 *
 * A backend is driven by volume/ only: range, access, alignment and ordering are
 * already settled when an I/O arrives, and are asserted, never re-checked.
 * Thread: the lcore that the volume lives on.  submit may complete before it
 * returns (ram, null) or later from backend_engine poll (file).  Every submitted
 * I/O is completed exactly once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum backend_op {
	BACKEND_READ,
	BACKEND_WRITE,
	BACKEND_FLUSH,        /* everything acknowledged before is durable when this completes */
	BACKEND_DISCARD,      /* contents may become zero or stay; may do nothing */
	BACKEND_WRITE_ZEROES, /* contents become zero */
};

#define BACKEND_FUA 0x1u       /* WRITE, WRITE_ZEROES, DISCARD: durable before completion */
#define BACKEND_MAY_PUNCH 0x2u /* WRITE_ZEROES: the space may be given back */
#define BACKEND_FAST 0x4u      /* WRITE_ZEROES: IO_ERR_UNSUPPORTED rather than writing zeros, nothing changed then */

/* The one neutral I/O result; each protocol maps it once, by a total switch. */
enum io_status {
	IO_OK,
	IO_ERR_MEDIA,     /* EIO and everything unexpected */
	IO_ERR_NO_SPACE,  /* ENOSPC, EDQUOT */
	IO_ERR_SHORT,     /* backing store ends before the volume does */
	IO_ERR_RANGE,     /* outside the volume */
	IO_ERR_READ_ONLY, /* volume or export is read-only */
	IO_ERR_OFFLINE,   /* volume is out of service */
	IO_ERR_NO_MEMORY, /* a pool is empty: retry later */
	IO_ERR_UNSUPPORTED,
	IO_STATUS_COUNT,
};

/* Caller's storage, untouchable by the caller between submit and done. */
struct backend_io {
	enum backend_op op;
	uint32_t flags; /* BACKEND_FUA */
	uint64_t offset_bytes;
	uint64_t len_bytes;
	struct iovec
		*iov; /* READ, WRITE: buffers, together len_bytes; owned by the caller until done, never modified */
	uint32_t iov_count;
	void (*done)(struct backend_io *io, enum io_status status);
	bool zeroed; /* DISCARD, set by the backend: the range reads as zeros now; false before */

	/* below: the backends' own, filled in by submit */
	struct backend_io *prev, *next;        /* engine: queue of delayed or of waiting I/O */
	uint64_t due_ns;                       /* engine: when a delayed I/O goes on; file: when to stop retrying */
	void (*resume)(struct backend_io *io); /* engine: what to do then */
	struct backend *file;                  /* file: whose I/O this is */
	uint64_t done_bytes;                   /* file: progress of a short transfer */
	bool retrying;                         /* file: the kernel says "again", until due_ns at most */
	bool sync_after;                       /* file: FUA by a sync of its own, not with the write */
	uint8_t stage;                         /* file: step of an operation that takes several */
	struct backend *fault;                 /* fault: the injector that holds the I/O */
	void (*fault_done)(struct backend_io *io, enum io_status status); /* fault: the caller's done */
	enum io_status fault_status; /* fault: what the caller will hear, unless IO_OK */
};

struct backend;
struct backend_ops {
	const char *name;
	/* Do it now and say how it went.  NULL for backends that may complete later. */
	enum io_status (*run)(struct backend *backend, struct backend_io *io);
	/* The range will be asked for shortly.  NULL: nothing is gained by knowing. */
	void (*prefetch)(struct backend *backend, uint64_t offset_bytes, uint64_t len_bytes);
	/* Start it; done is called before or after submit returns.  NULL when run is set. */
	void (*submit)(struct backend *backend, struct backend_io *io);
	/* The backing store has this size now.  0 or -errno; NULL: cannot change. */
	int (*resize)(struct backend *backend, uint64_t size_bytes);
	void (*destroy)(struct backend *backend); /* no I/O under way */
};

/* First member of every backend. */
struct backend {
	const struct backend_ops *ops;
	uint64_t size_bytes;         /* of the backing store as configured; changed by backend_resize only */
	uint32_t align_bytes;        /* offset and length granularity: a power of two, 1 to 4096 */
	uint32_t memory_align_bytes; /* buffer address granularity: a power of two, 1 to 4096 */
};

/* Start an I/O.  done is called exactly once, possibly before this returns. */
static inline void backend_submit(struct backend *backend, struct backend_io *io)
{
	if (backend->ops->run)
		io->done(io, backend->ops->run(backend, io));
	else
		backend->ops->submit(backend, io);
}

static inline void backend_destroy(struct backend *backend)
{
	backend->ops->destroy(backend);
}

/* The backing store grew (or, for null, whatever).  0; -EINVAL when it is smaller than that, -ENOTSUP, or -errno.
 * Owning lcore; I/O may be under way. */
int backend_resize(struct backend *backend, uint64_t size_bytes);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regular files and block devices, through the engine's io_uring.
 *
 * One I/O is one or more ring entries, one after the other: what a short
 * transfer left over, the zeros that the file system could not make, the sync
 * that makes a hole durable.
 *
 * A file system in memory (tmpfs) has no disk to wait for, and io_uring would pass
 * each transfer to a thread of the kernel's: short transfers are made at once, by
 * a system call.
 *
 * Syncs run one at a time, and one serves all that waited for it: the kernel
 * tells of a lost write once, to whoever asks first, and nobody else may be told
 * meanwhile that all is well.
 */
#include <assert.h>
#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#include "backend/engine_priv.h"

#define FILE_ZEROES_BYTES (64u * 1024)
#define FILE_TRANSFER_BYTES_MAX (1u << 30) /* one entry's length is 32 bits; the kernel stops short of 2 GiB anyway */
#define FILE_IOV_COUNT_MAX 1024u           /* UIO_MAXIOV */
#define FILE_AT_ONCE_BYTES (256u << 10)    /* of a file in memory: about as long as a worker may be busy with it */
#define FILE_RETRY_NS 5000000000ull        /* how long the kernel may say "again" before it is an error */

enum file_stage {
	FILE_TRANSFER,   /* read or write the buffers */
	FILE_ALLOCATE,   /* zero a range */
	FILE_WRITE_ZERO, /* the fall-back of the latter */
	FILE_SYNC,
	FILE_PUNCH, /* make a hole */
};

struct file {
	struct backend backend;
	struct backend_engine *engine;
	int fd;
	bool in_memory;                 /* no disk is behind it */
	bool cannot_punch, cannot_zero; /* the file system said so once */
	bool sync_lost;                 /* written by the owner, read by any */
	/* Counts the beginnings and the ends of writes that are not durable: one that began before a sync and ended
	 * after the sync had begun is not covered by it. */
	uint64_t change_count;
	uint64_t synced_count;           /* change_count that the last good sync covers */
	uint64_t sync_covers_count;      /* that the one under way will */
	struct backend_io *syncing;      /* whose sync the kernel has; NULL: none is under way */
	struct backend_io *sync_shared;  /* served by the same, by next */
	struct backend_io *sync_waiting; /* for the next, by next */
};

/* Never written.  Aligned for O_DIRECT. */
static uint8_t file_zeroes[FILE_ZEROES_BYTES] __attribute__((aligned(4096)));

static unsigned file_chunk(uint64_t bytes, unsigned max)
{
	return bytes < max ? (unsigned)bytes : max;
}

static int file_rw_flags(const struct backend_io *io)
{
	return io->flags & BACKEND_FUA && !io->sync_after ? RWF_DSYNC : 0;
}

/* Entry for the part of the buffers that is left: whole vectors, or the rest of one that was cut. */
static void file_prepare_transfer(const struct file *file, struct backend_io *io, struct io_uring_sqe *sqe)
{
	uint32_t index = 0;
	uint64_t skip = io->done_bytes;
	while (io->iov[index].iov_len <= skip)
		skip -= io->iov[index++].iov_len;

	const uint64_t offset = io->offset_bytes + io->done_bytes;
	const bool single = skip != 0 || io->iov_count - index == 1;
	uint8_t *base = (uint8_t *)io->iov[index].iov_base + skip;
	const unsigned bytes = file_chunk(io->iov[index].iov_len - skip, FILE_TRANSFER_BYTES_MAX);
	const unsigned count = file_chunk(io->iov_count - index, FILE_IOV_COUNT_MAX);
	if (io->op == BACKEND_READ) {
		if (single)
			io_uring_prep_read(sqe, file->fd, base, bytes, offset);
		else
			io_uring_prep_readv(sqe, file->fd, io->iov + index, count, offset);
	} else {
		if (single)
			io_uring_prep_write(sqe, file->fd, base, bytes, offset);
		else
			io_uring_prep_writev(sqe, file->fd, io->iov + index, count, offset);
		sqe->rw_flags = file_rw_flags(io);
	}
}

void file_prepare(struct backend_io *io, struct io_uring_sqe *sqe)
{
	const struct file *file = (const struct file *)io->file;
	const uint64_t offset = io->offset_bytes + io->done_bytes;
	switch ((enum file_stage)io->stage) {
	case FILE_TRANSFER:
		file_prepare_transfer(file, io, sqe);
		break;
	case FILE_PUNCH:
	case FILE_ALLOCATE:
		/* KEEP_SIZE: a file that someone shrank must not grow again by this. */
		io_uring_prep_fallocate(sqe, file->fd,
					(io->stage == FILE_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) |
						FALLOC_FL_KEEP_SIZE,
					(off_t)io->offset_bytes, (off_t)io->len_bytes);
		break;
	case FILE_WRITE_ZERO:
		io_uring_prep_write(sqe, file->fd, file_zeroes,
				    file_chunk(io->len_bytes - io->done_bytes, FILE_ZEROES_BYTES), offset);
		sqe->rw_flags = file_rw_flags(io);
		break;
	case FILE_SYNC:
		io_uring_prep_fsync(sqe, file->fd, IORING_FSYNC_DATASYNC);
		break;
	}
}

static enum io_status file_status(int error)
{
	return error == ENOSPC || error == EDQUOT ? IO_ERR_NO_SPACE : IO_ERR_MEDIA;
}

static bool file_is_unsynced(const struct file *file)
{
	return file->change_count != file->synced_count;
}

static bool file_leaves_unsynced(const struct backend_io *io)
{
	return (io->op == BACKEND_WRITE || io->op == BACKEND_WRITE_ZEROES) && !(io->flags & BACKEND_FUA);
}

static void file_end(struct backend_io *io, enum io_status status)
{
	if (file_leaves_unsynced(io))
		((struct file *)io->file)->change_count++;
	io->done(io, status);
}

/* The kernel gets this one's sync, on behalf of all that wait. */
static void file_sync_start(struct file *file, struct backend_io *io)
{
	file->syncing = io;
	file->sync_shared = file->sync_waiting;
	file->sync_waiting = NULL;
	file->sync_covers_count = file->change_count;
	engine_enqueue(file->engine, io);
}

static void file_enter_stage(struct backend_io *io, enum file_stage stage)
{
	struct file *file = (struct file *)io->file;
	io->stage = (uint8_t)stage;
	io->retrying = false;
	if (stage != FILE_SYNC) {
		engine_enqueue(file->engine, io);
	} else if (!file->syncing) {
		file_sync_start(file, io);
	} else {
		io->next = file->sync_waiting;
		file->sync_waiting = io;
	}
}

static void file_lose_sync(struct file *file)
{
	__atomic_store_n(&file->sync_lost, true, __ATOMIC_RELAXED);
}

static void file_on_sync(struct file *file, struct backend_io *ended, int result)
{
	ended->next = file->sync_shared;
	file->syncing = file->sync_shared = NULL;
	if (result < 0)
		file_lose_sync(file);
	else
		file->synced_count = file->sync_covers_count;
	/* Also when this one went well: another may have been told meanwhile what is lost. */
	const enum io_status status = result < 0 ? file_status(-result) : file->sync_lost ? IO_ERR_MEDIA : IO_OK;

	struct backend_io *next = file->sync_waiting;
	if (next) {
		file->sync_waiting = next->next;
		file_sync_start(file, next);
	}
	while (ended) {
		struct backend_io *io = ended;
		ended = io->next;
		file_end(io, status);
	}
}

/* The hole is there or never will be: make it durable when asked to. */
static void file_end_allocate(struct backend_io *io)
{
	/* The kernel promises zeros for a hole that it made, on files and on devices. */
	io->zeroed = io->op == BACKEND_DISCARD;
	if (io->flags & BACKEND_FUA)
		file_enter_stage(io, FILE_SYNC);
	else
		file_end(io, IO_OK);
}

static void file_enter_write_zero(struct backend_io *io)
{
	if (io->flags & BACKEND_FAST)
		file_end(io, IO_ERR_UNSUPPORTED);
	else
		file_enter_stage(io, FILE_WRITE_ZERO);
}

/* The range is to keep its space, or has no other way. */
static void file_enter_zeroes(struct backend_io *io)
{
	if (((struct file *)io->file)->cannot_zero)
		file_enter_write_zero(io);
	else
		file_enter_stage(io, FILE_ALLOCATE);
}

static void file_on_allocate_error(struct backend_io *io, int error)
{
	struct file *file = (struct file *)io->file;
	const bool never = error == EOPNOTSUPP || error == ENOSYS || error == ENODEV;
	if (!never && error != EINVAL) {
		file_end(io, file_status(error));
	} else if (io->stage == FILE_PUNCH) {
		file->cannot_punch |= never;
		if (io->op == BACKEND_DISCARD)
			file_end(io, IO_OK);
		else
			file_enter_zeroes(io);
	} else {
		file->cannot_zero |= never;
		file_enter_write_zero(io);
	}
}

/* A read or write moved some bytes, perhaps fewer than it was asked for. */
static void file_on_transfer(struct backend_io *io, unsigned bytes)
{
	const uint32_t align_bytes = io->file->align_bytes;
	io->done_bytes += bytes;
	if (io->done_bytes >= io->len_bytes) {
		if (io->sync_after)
			file_enter_stage(io, FILE_SYNC);
		else
			file_end(io, IO_OK);
		return;
	}
	if (io->op == BACKEND_READ && (bytes == 0 || bytes % align_bytes != 0)) {
		file_end(io, IO_ERR_SHORT);
		return;
	}
	/* Go on from where the device can. */
	io->done_bytes -= bytes % align_bytes;
	if (bytes < align_bytes)
		file_end(io, IO_ERR_MEDIA);
	else
		file_enter_stage(io, (enum file_stage)io->stage);
}

static bool file_may_retry(struct backend_io *io, int error)
{
	const uint64_t now_ns = ((struct file *)io->file)->engine->now_ns;
	if (error != EINTR && error != EAGAIN)
		return false;
	if (!io->retrying)
		io->due_ns = now_ns + FILE_RETRY_NS;
	io->retrying = true;
	return now_ns < io->due_ns;
}

static void file_on_transfer_error(struct backend_io *io, int error)
{
	struct file *file = (struct file *)io->file;
	/* It may have been told of a write before it, which began after it did. */
	if (io->flags & BACKEND_FUA && !io->sync_after && file_is_unsynced(file))
		file_lose_sync(file);
	file_end(io, file_status(error));
}

void file_on_result(struct backend_io *io, int result)
{
	struct file *file = (struct file *)io->file;
	if (result < 0 && file_may_retry(io, -result)) {
		engine_enqueue(file->engine, io);
		return;
	}
	switch ((enum file_stage)io->stage) {
	case FILE_TRANSFER:
	case FILE_WRITE_ZERO:
		if (result < 0)
			file_on_transfer_error(io, -result);
		else
			file_on_transfer(io, (unsigned)result);
		break;
	case FILE_PUNCH:
	case FILE_ALLOCATE:
		if (result < 0)
			file_on_allocate_error(io, -result);
		else
			file_end_allocate(io);
		break;
	case FILE_SYNC:
		file_on_sync(file, io, result);
		break;
	}
}

/* False: the ring has to do it, or to say what is wrong. */
static bool file_transfer_at_once(const struct file *file, struct backend_io *io)
{
	if (!file->in_memory || io->len_bytes > FILE_AT_ONCE_BYTES || io->iov_count > FILE_IOV_COUNT_MAX)
		return false;
	const off_t offset = (off_t)io->offset_bytes;
	const ssize_t bytes = io->op == BACKEND_READ ? preadv(file->fd, io->iov, (int)io->iov_count, offset)
						     : pwritev(file->fd, io->iov, (int)io->iov_count, offset);
	if (bytes < 0 || (uint64_t)bytes != io->len_bytes)
		return false;
	io->stage = FILE_TRANSFER;
	file_on_transfer(io, (unsigned)bytes);
	return true;
}

static void file_begin(struct file *file, struct backend_io *io)
{
	switch (io->op) {
	case BACKEND_READ:
	case BACKEND_WRITE:
		if (!file_transfer_at_once(file, io))
			file_enter_stage(io, FILE_TRANSFER);
		break;
	case BACKEND_FLUSH:
		file_enter_stage(io, FILE_SYNC);
		break;
	case BACKEND_DISCARD:
		if (file->cannot_punch)
			file_end(io, IO_OK);
		else
			file_enter_stage(io, FILE_PUNCH);
		break;
	case BACKEND_WRITE_ZEROES:
		if ((io->flags & BACKEND_MAY_PUNCH) && !file->cannot_punch)
			file_enter_stage(io, FILE_PUNCH);
		else
			file_enter_zeroes(io);
		break;
	}
}

/* Acknowledged, it would be a promise that data is durable. */
static bool file_is_durable(const struct backend_io *io)
{
	return io->op == BACKEND_FLUSH || (io->op != BACKEND_READ && io->flags & BACKEND_FUA);
}

static void file_submit(struct backend *backend, struct backend_io *io)
{
	struct file *file = (struct file *)backend;
	assert(io->offset_bytes % backend->align_bytes == 0 && io->len_bytes % backend->align_bytes == 0);
	io->file = backend;
	io->done_bytes = 0;
	io->sync_after = io->op != BACKEND_READ && io->flags & BACKEND_FUA && file_is_unsynced(file);
	if (!file->engine->ring_ready || (file->sync_lost && file_is_durable(io))) {
		io->done(io, IO_ERR_MEDIA);
		return;
	}
	if (file_leaves_unsynced(io))
		file->change_count++;
	file_begin(file, io);
}

/* Only the owner knows the true size; the kernel checks every I/O against it. */
static int file_resize(struct backend *backend, uint64_t size_bytes)
{
	return size_bytes % backend->align_bytes == 0 ? 0 : -EINVAL;
}

bool backend_file_sync_lost(const struct backend *backend)
{
	return __atomic_load_n(&((const struct file *)backend)->sync_lost, __ATOMIC_RELAXED);
}

void backend_file_forgive(struct backend *backend)
{
	__atomic_store_n(&((struct file *)backend)->sync_lost, false, __ATOMIC_RELAXED);
}

void backend_file_expect_unsynced(struct backend *backend)
{
	((struct file *)backend)->change_count++;
}

static void file_destroy(struct backend *backend)
{
	assert(!((struct file *)backend)->syncing);
	free(backend);
}

static const struct backend_ops file_ops = {
	.name = "file",
	.submit = file_submit,
	.resize = file_resize,
	.destroy = file_destroy,
};

/* A device's node may lie in a file system in memory, too: /dev does. */
static bool file_is_in_memory(int fd)
{
	struct stat st;
	struct statfs fs;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

struct backend *backend_file_create(struct backend_engine *engine, int fd, uint64_t size_bytes, uint32_t align_bytes,
				    uint32_t memory_align_bytes)
{
	assert(align_bytes && align_bytes <= 4096 && (align_bytes & (align_bytes - 1)) == 0);
	assert(memory_align_bytes && memory_align_bytes <= 4096 &&
	       (memory_align_bytes & (memory_align_bytes - 1)) == 0);
	struct file *file = calloc(1, sizeof *file);
	if (!file)
		return NULL;
	file->backend = (struct backend){&file_ops, size_bytes, align_bytes, memory_align_bytes};
	file->engine = engine;
	file->fd = fd;
	file->in_memory = file_is_in_memory(fd);
	return &file->backend;
}

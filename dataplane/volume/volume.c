/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Submission and completion: checks, order, statistics.
 *
 * Owner: the volume's lcore.  Everything that calls out (a start, a done
 * callback) happens between vol_enter and vol_leave; a request that is submitted
 * meanwhile only queues, and the outermost vol_leave starts it.  So the stack
 * stays flat when backends complete at once.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "volume/volume_priv.h"

const char *vol_shape_error(const struct backend *backend, uint64_t size_bytes, uint32_t block_bytes)
{
	if (block_bytes != 512 && block_bytes != 4096)
		return "block size must be 512 or 4096 bytes";
	if (size_bytes < WHERRY_VOLUME_BYTES_MIN)
		return "volume is smaller than 4096 bytes";
	if (size_bytes > WHERRY_VOLUME_BYTES_MAX)
		return "volume is larger than 2^48 sectors";
	if (size_bytes % block_bytes != 0)
		return "volume size is not a multiple of its block size";
	if (size_bytes % backend->align_bytes != 0)
		return "volume size is not a multiple of the backing store's block size";
	if (size_bytes > backend->size_bytes)
		return "backing store is smaller than the volume";
	return NULL;
}

#define ZERO_STEP_BYTES_NOW (1u << 20)      /* memory is zeroed by the lcore itself */
#define ZERO_STEP_BYTES_LATER (1024u << 20) /* the kernel does it */

void vol_set_backend(struct volume *volume, struct backend *backend, struct vol_map *map)
{
	volume->backend = backend;
	volume->map = map;
	__atomic_store_n(&volume->zero_step_bytes, backend->ops->run ? ZERO_STEP_BYTES_NOW : ZERO_STEP_BYTES_LATER,
			 __ATOMIC_RELAXED);
}

void vol_init(struct volume *volume, uint64_t id, struct backend *backend, struct vol_bounce_pool *pool,
	      uint64_t size_bytes, uint32_t block_bytes)
{
	assert(vol_shape_error(backend, size_bytes, block_bytes) == NULL);
	memset(volume, 0, sizeof *volume);
	volume->id = id;
	vol_set_backend(volume, backend, NULL);
	volume->bounce_pool = pool;
	volume->size_bytes = size_bytes;
	volume->block_bytes = block_bytes;
}

int vol_grow(struct volume *volume, uint64_t size_bytes)
{
	if (size_bytes < volume->size_bytes)
		return -EINVAL;
	if (size_bytes > volume->backend->size_bytes) {
		int result = backend_resize(volume->backend, size_bytes);
		if (result < 0)
			return result;
	}
	if (vol_shape_error(volume->backend, size_bytes, volume->block_bytes))
		return -EINVAL;
	volume->size_bytes = size_bytes;
	return 0;
}

/* Everything that can be wrong with a request, once. */
static enum io_status vol_check(const struct volume *volume, enum vol_op op, uint64_t offset_bytes, uint64_t len_bytes)
{
	if (volume->offline)
		return IO_ERR_OFFLINE;
	if (op == VOL_FLUSH)
		return IO_OK;
	if (volume->read_only && vol_op_changes(op))
		return IO_ERR_READ_ONLY;
	if (len_bytes > volume->size_bytes || offset_bytes > volume->size_bytes - len_bytes)
		return IO_ERR_RANGE;
	return IO_OK;
}

static void vol_count_success(struct volume *volume, const struct vol_request *request)
{
	switch (request->op) {
	case VOL_READ:
		vol_count(volume, WHERRY_VOLUME_read_ops, 1);
		vol_count(volume, WHERRY_VOLUME_read_bytes, request->len_bytes);
		break;
	case VOL_WRITE:
		vol_count(volume, WHERRY_VOLUME_write_ops, 1);
		vol_count(volume, WHERRY_VOLUME_write_bytes, request->len_bytes);
		break;
	case VOL_FLUSH:
		vol_count(volume, WHERRY_VOLUME_flush_ops, 1);
		break;
	case VOL_DISCARD:
		vol_count(volume, WHERRY_VOLUME_discard_ops, 1);
		break;
	case VOL_WRITE_ZEROES:
		vol_count(volume, WHERRY_VOLUME_write_zeroes_ops, 1);
		break;
	case VOL_VERIFY:
		vol_count(volume, WHERRY_VOLUME_verify_ops, 1);
		break;
	case VOL_EXTENTS:
	case VOL_OP_COUNT:
		break;
	}
}

static void vol_count_failure(struct volume *volume, enum io_status status)
{
	switch (status) {
	case IO_ERR_RANGE:
		vol_count(volume, WHERRY_VOLUME_err_range, 1);
		break;
	case IO_ERR_READ_ONLY:
		vol_count(volume, WHERRY_VOLUME_err_read_only, 1);
		break;
	case IO_ERR_OFFLINE:
		vol_count(volume, WHERRY_VOLUME_err_offline, 1);
		break;
	case IO_ERR_NO_MEMORY:
		vol_count(volume, WHERRY_VOLUME_err_no_memory, 1);
		break;
	case IO_ERR_NO_SPACE:
		vol_count(volume, WHERRY_VOLUME_err_no_space, 1);
		break;
	case IO_ERR_SHORT:
		vol_count(volume, WHERRY_VOLUME_err_short, 1);
		break;
	case IO_ERR_MEDIA:
	case IO_ERR_UNSUPPORTED:
		vol_count(volume, WHERRY_VOLUME_err_io, 1);
		break;
	case IO_OK:
	case IO_STATUS_COUNT:
		break;
	}
}

/* The request is the caller's again.  Between vol_enter and vol_leave. */
static void vol_complete(struct volume *volume, struct vol_request *request)
{
	const enum io_status status = request->io_status;
	if (status == IO_OK)
		vol_count_success(volume, request);
	else if (status != IO_ERR_UNSUPPORTED || !(request->flags & VOL_FAST)) /* that is an answer, not a failure */
		vol_count_failure(volume, status);
	request->done(request, status);
}

/* Requests that are over at once are never under way together: one is the most there was. */
static void vol_set_depth_once(struct volume *volume)
{
	if (volume->stats[WHERRY_VOLUME_queue_depth_max] == 0)
		__atomic_store_n(&volume->stats[WHERRY_VOLUME_queue_depth_max], 1, __ATOMIC_RELAXED);
}

static void vol_set_depth(struct volume *volume)
{
	const uint64_t depth = volume->under_way_count;
	__atomic_store_n(&volume->stats[WHERRY_VOLUME_queue_depth], depth, __ATOMIC_RELAXED);
	if (depth > volume->stats[WHERRY_VOLUME_queue_depth_max])
		__atomic_store_n(&volume->stats[WHERRY_VOLUME_queue_depth_max], depth, __ATOMIC_RELAXED);
}

/* A request whose steps are over. */
static void vol_finish(struct volume *volume, struct vol_request *request)
{
	if (request->queued) {
		vol_order_remove(volume, request);
		volume->under_way_count--;
		volume->drained = volume->under_way_count == 0;
		vol_set_depth(volume);
	}
	vol_complete(volume, request);
}

static struct vol_request *vol_ready_pop(struct volume *volume)
{
	struct vol_request *request = volume->ready_first;
	volume->ready_first = request->ready_next;
	if (!volume->ready_first)
		volume->ready_last = NULL;
	return request;
}

/* True: the caller is the outermost, and must call vol_leave. */
static bool vol_enter(struct volume *volume)
{
	if (volume->busy)
		return false;
	volume->busy = true;
	return true;
}

static void vol_leave(struct volume *volume);

/* Volumes whose requests got a buffer from this one; one loop at the bottom of the stack for all of them. */
static void vol_run_kicked(struct vol_bounce_pool *pool)
{
	struct volume *volume;
	if (!vol_bounce_run_begin(pool))
		return;
	while ((volume = vol_bounce_kicked(pool)) != NULL) {
		if (vol_enter(volume))
			vol_leave(volume);
	}
	vol_bounce_run_end(pool);
}

static void vol_leave(struct volume *volume)
{
	struct vol_bounce_pool *pool = volume->bounce_pool;
	while (volume->ready_first) {
		struct vol_request *request = vol_ready_pop(volume);
		if (request->refused)
			vol_complete(volume, request);
		else if (vol_steps_start(request))
			vol_finish(volume, request);
	}
	volume->busy = false;
	if (volume->drained) {
		volume->drained = false;
		if (volume->under_way_count == 0 && volume->on_drained) {
			/* The volume may be gone after this.  It may have been kicked, and then been run by somebody
			 * else. */
			if (pool)
				vol_bounce_unkick(pool, volume);
			volume->on_drained(volume);
		}
	}
	if (pool)
		vol_run_kicked(pool);
}

void vol_wake(struct vol_request *request)
{
	struct volume *volume = request->volume;
	vol_ready_push(volume, request);
	if (!volume->busy)
		vol_bounce_kick(volume->bounce_pool, volume);
}

/* Take the request's place in the order, and start it unless it must wait. */
static void vol_admit(struct volume *volume, struct vol_request *request)
{
	request->queued = true;
	vol_order_add(volume, request);
	volume->under_way_count++;
	vol_set_depth(volume);
	if (request->blocker_count)
		vol_count(volume, WHERRY_VOLUME_overlap_waits, 1);
	else
		vol_ready_push(volume, request);
}

static void vol_set_lock(const struct volume *volume, struct vol_request *request)
{
	if (request->op == VOL_EXTENTS) {
		request->lock_start = request->lock_end = 0;
		return;
	}
	if (request->op == VOL_FLUSH) {
		request->lock_start = request->lock_end = 0;
		request->offset_bytes = request->len_bytes = 0;
		return;
	}
	const uint32_t align_bytes = volume->backend->align_bytes;
	request->lock_start = vol_align_down(request->offset_bytes, align_bytes);
	request->lock_end = vol_align_up(request->offset_bytes + request->len_bytes, align_bytes);
}

void vol_submit(struct volume *volume, struct vol_request *request)
{
	request->volume = volume;
	request->queued = false;
	request->bounce = NULL;
	request->io_status = vol_check(volume, request->op, request->offset_bytes, request->len_bytes);
	/* Nothing to do is a success that needs no order, and no backend knows it. */
	request->refused = request->io_status != IO_OK || (request->len_bytes == 0 && request->op != VOL_FLUSH);
	if (!request->refused)
		vol_set_lock(volume, request);

	const bool outermost = vol_enter(volume);
	if (request->refused) {
		vol_ready_push(volume, request);
	} else if (outermost && volume->backend->ops->run && !volume->first && request->op != VOL_VERIFY) {
		/* It will be over before anything else can come: no order to keep.  A verify may wait for a buffer. */
		vol_set_depth_once(volume);
		const bool over = vol_steps_start(request);
		assert(over);
		(void)over;
		vol_complete(volume, request);
	} else {
		vol_admit(volume, request);
	}
	if (outermost)
		vol_leave(volume);
}

/* Nothing to wait for, nothing to align, and nobody whose turn it is first. */
static bool vol_is_immediate(const struct volume *volume)
{
	const struct backend *backend = volume->backend;
	return backend->ops->run && (backend->align_bytes | backend->memory_align_bytes) == 1 && !volume->busy &&
	       !volume->first;
}

bool vol_try(struct volume *volume, enum vol_op op, uint64_t offset_bytes, uint64_t len_bytes, void *data,
	     enum io_status *status)
{
	assert(op == VOL_READ || op == VOL_WRITE);
	if (!vol_is_immediate(volume))
		return false;
	*status = vol_check(volume, op, offset_bytes, len_bytes);
	if (*status == IO_OK && len_bytes) {
		struct iovec iov = {data, len_bytes};
		struct backend_io io;
		io.op = op == VOL_READ ? BACKEND_READ : BACKEND_WRITE;
		io.flags = op == VOL_READ || volume->write_back ? 0 : BACKEND_FUA;
		io.offset_bytes = offset_bytes;
		io.len_bytes = len_bytes;
		io.iov = &iov;
		io.iov_count = 1;
		vol_set_depth_once(volume);
		if (op == VOL_WRITE)
			vol_map_set(volume->map, offset_bytes, len_bytes);
		*status = volume->backend->ops->run(volume->backend, &io);
	}
	if (__builtin_expect(*status != IO_OK, 0)) {
		vol_count_failure(volume, *status);
	} else if (op == VOL_READ) {
		vol_count(volume, WHERRY_VOLUME_read_ops, 1);
		vol_count(volume, WHERRY_VOLUME_read_bytes, len_bytes);
	} else {
		vol_count(volume, WHERRY_VOLUME_write_ops, 1);
		vol_count(volume, WHERRY_VOLUME_write_bytes, len_bytes);
	}
	return true;
}

void vol_on_io_done(struct backend_io *io, enum io_status status)
{
	struct vol_request *request = (struct vol_request *)((char *)io - offsetof(struct vol_request, io));
	struct volume *volume = request->volume;
	if (request->submitting) {
		request->completed = true;
		request->io_status = status;
		return;
	}
	/* A backend may complete one request while another of the volume is being started. */
	const bool outermost = vol_enter(volume);
	if (vol_steps_resume(request, status))
		vol_finish(volume, request);
	if (outermost)
		vol_leave(volume);
}

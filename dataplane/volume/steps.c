/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How one request becomes backend I/O.
 *
 * Nearly always it is one I/O on the caller's buffers.  When offset, length or
 * memory do not fit the backend's granularity, the locked range is worked off in
 * chunks through one bounce buffer: reads are copied out; for writes a chunk
 * that the request covers only in part is read first (read-modify-write).  A
 * verify is a read through the bounce buffer that nobody looks at.
 *
 * Steps loop here instead of calling each other, so that a backend that
 * completes at once does not deepen the stack.
 */
#include <assert.h>
#include <string.h>

#include "volume/volume_priv.h"

enum vol_step {
	STEP_DIRECT, /* the whole request, on the caller's buffers */
	STEP_FETCH,  /* READ, VERIFY: chunk into the bounce buffer */
	STEP_FILL,   /* chunk into the bounce buffer, to be modified */
	STEP_STORE,  /* chunk from the bounce buffer */
	STEP_ZERO,   /* whole blocks of WRITE_ZEROES */
};

static bool steps_changes_durably(const struct vol_request *request)
{
	return vol_op_changes(request->op) && (!request->volume->write_back || (request->flags & VOL_FUA));
}

static void steps_prepare(struct vol_request *request, enum vol_step step, enum backend_op op, uint64_t offset_bytes,
			  uint64_t len_bytes)
{
	struct backend_io *io = &request->io;
	request->step = (uint8_t)step;
	io->op = op;
	io->flags = op != BACKEND_READ && steps_changes_durably(request) ? BACKEND_FUA : 0;
	if (op == BACKEND_WRITE_ZEROES) {
		io->flags |= request->flags & VOL_NO_HOLE ? 0 : BACKEND_MAY_PUNCH;
		io->flags |= request->flags & VOL_FAST ? BACKEND_FAST : 0;
	}
	io->offset_bytes = offset_bytes;
	io->len_bytes = len_bytes;
	io->zeroed = false;
	io->done = vol_on_io_done;
	if (step == STEP_DIRECT) {
		io->iov = request->iov;
		io->iov_count = request->iov_count;
		return;
	}
	request->iov_bounce = (struct iovec){request->bounce, len_bytes};
	io->iov = &request->iov_bounce;
	io->iov_count = 1;
}

static void steps_prepare_chunk(struct vol_request *request, enum vol_step step, enum backend_op op,
				uint64_t chunk_bytes)
{
	request->chunk_bytes = chunk_bytes;
	steps_prepare(request, step, op, request->at_bytes, chunk_bytes);
}

/* Copy between the caller's buffers, from skip on, and the bounce buffer. */
static void steps_copy(const struct vol_request *request, uint64_t skip, uint8_t *bounce, uint64_t len_bytes)
{
	for (uint32_t i = 0; len_bytes; i++) {
		const struct iovec *iov = &request->iov[i];
		assert(i < request->iov_count);
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		uint8_t *at = (uint8_t *)iov->iov_base + skip;
		const uint64_t part = iov->iov_len - skip < len_bytes ? iov->iov_len - skip : len_bytes;
		if (request->op == VOL_READ)
			memcpy(at, bounce, part);
		else
			memcpy(bounce, at, part);
		bounce += part;
		len_bytes -= part;
		skip = 0;
	}
}

/* The part of the chunk that the request covers: to or from the caller, or zero. */
static void steps_merge(struct vol_request *request)
{
	const uint64_t end = request->offset_bytes + request->len_bytes;
	const uint64_t chunk_end = request->at_bytes + request->chunk_bytes;
	const uint64_t from = request->at_bytes > request->offset_bytes ? request->at_bytes : request->offset_bytes;
	const uint64_t to = chunk_end < end ? chunk_end : end;
	uint8_t *bounce = (uint8_t *)request->bounce + (from - request->at_bytes);
	if (request->op == VOL_WRITE_ZEROES)
		memset(bounce, 0, to - from);
	else
		steps_copy(request, from - request->offset_bytes, bounce, to - from);
}

static void steps_next_write(struct vol_request *request, uint64_t chunk_bytes)
{
	const uint64_t end = request->offset_bytes + request->len_bytes;
	if (request->at_bytes < request->offset_bytes || request->at_bytes + chunk_bytes > end) {
		steps_prepare_chunk(request, STEP_FILL, BACKEND_READ, chunk_bytes);
		return;
	}
	steps_prepare_chunk(request, STEP_STORE, BACKEND_WRITE, chunk_bytes);
	steps_merge(request);
}

/* The blocks at the edges are modified, all those between are the backend's to zero. */
static void steps_next_zeroes(struct vol_request *request)
{
	const uint32_t align_bytes = request->volume->backend->align_bytes;
	const uint64_t whole_end = vol_align_down(request->offset_bytes + request->len_bytes, align_bytes);
	if (request->at_bytes >= request->offset_bytes && request->at_bytes < whole_end)
		steps_prepare_chunk(request, STEP_ZERO, BACKEND_WRITE_ZEROES, whole_end - request->at_bytes);
	else
		steps_prepare_chunk(request, STEP_FILL, BACKEND_READ, align_bytes);
}

static void steps_next(struct vol_request *request)
{
	const uint64_t left_bytes = request->lock_end - request->at_bytes;
	const uint64_t bounce_bytes = vol_bounce_bytes(request->volume->bounce_pool);
	const uint64_t chunk_bytes = left_bytes < bounce_bytes ? left_bytes : bounce_bytes;
	switch (request->op) {
	case VOL_READ:
	case VOL_VERIFY:
		steps_prepare_chunk(request, STEP_FETCH, BACKEND_READ, chunk_bytes);
		break;
	case VOL_WRITE:
		steps_next_write(request, chunk_bytes);
		break;
	case VOL_WRITE_ZEROES:
		steps_next_zeroes(request);
		break;
	case VOL_FLUSH:
	case VOL_DISCARD:
	case VOL_EXTENTS:
	case VOL_OP_COUNT:
		assert(false && "one step");
	}
}

/* One I/O succeeded.  True: that was the last one. */
static bool steps_advance(struct vol_request *request)
{
	switch ((enum vol_step)request->step) {
	case STEP_DIRECT:
		return true;
	case STEP_FILL:
		steps_merge(request);
		steps_prepare_chunk(request, STEP_STORE, BACKEND_WRITE, request->chunk_bytes);
		return false;
	case STEP_FETCH:
		if (request->op == VOL_READ)
			steps_merge(request);
		break;
	case STEP_STORE:
	case STEP_ZERO:
		break;
	}
	request->at_bytes += request->chunk_bytes;
	if (request->at_bytes == request->lock_end)
		return true;
	steps_next(request);
	return false;
}

/* Run the prepared I/O.  True: it is done, with the result in io_status. */
static bool steps_issue(struct vol_request *request)
{
	struct backend *backend = request->volume->backend;
	if (backend->ops->run) {
		request->io_status = backend->ops->run(backend, &request->io);
		return true;
	}
	request->completed = false;
	request->submitting = true;
	backend->ops->submit(backend, &request->io);
	request->submitting = false;
	return request->completed;
}

/* What the end of a request tells of holes; those that overlap still wait. */
static void steps_map(const struct vol_request *request)
{
	struct vol_map *map = request->volume->map;
	const struct backend_io *io = &request->io;
	if (request->op == VOL_WRITE_ZEROES && !(request->flags & VOL_NO_HOLE))
		vol_map_clear(map, request->offset_bytes, request->len_bytes);
	else if (request->op == VOL_DISCARD && io->zeroed)
		vol_map_clear(map, io->offset_bytes, io->len_bytes);
}

static bool steps_over(struct vol_request *request)
{
	if (request->io_status == IO_OK && vol_op_changes(request->op))
		steps_map(request);
	struct vol_bounce_pool *pool = request->volume->bounce_pool;
	struct vol_request *next;
	if (!request->bounce)
		return true;
	vol_bounce_put(pool, request->volume, request->bounce);
	request->bounce = NULL;
	while ((next = vol_bounce_next(pool)) != NULL)
		vol_wake(next);
	return true;
}

static bool steps_run(struct vol_request *request)
{
	while (steps_issue(request)) {
		if (request->io_status != IO_OK || steps_advance(request))
			return steps_over(request);
	}
	return false;
}

bool vol_steps_resume(struct vol_request *request, enum io_status status)
{
	request->io_status = status;
	if (status != IO_OK || steps_advance(request))
		return steps_over(request);
	return steps_run(request);
}

static bool steps_fit_memory(const struct vol_request *request, const struct backend *backend)
{
	if (backend->memory_align_bytes == 1 && backend->align_bytes == 1)
		return true;
	uintptr_t address_bits = 0, length_bits = 0;
	for (uint32_t i = 0; i < request->iov_count; i++) {
		address_bits |= (uintptr_t)request->iov[i].iov_base;
		length_bits |= request->iov[i].iov_len;
	}
	return (address_bits & (backend->memory_align_bytes - 1)) == 0 &&
	       (length_bits & (backend->align_bytes - 1)) == 0;
}

static bool steps_fit_range(const struct vol_request *request)
{
	return request->lock_start == request->offset_bytes &&
	       request->lock_end == request->offset_bytes + request->len_bytes;
}

/* With a bounce buffer: now, or when there is one. */
static bool steps_start_bounced(struct vol_request *request)
{
	struct volume *volume = request->volume;
	struct vol_bounce_pool *pool = volume->bounce_pool;
	if (pool && !request->bounce)
		request->bounce = vol_bounce_get(pool, volume);
	if (!request->bounce) {
		request->io_status = IO_ERR_NO_MEMORY;
		if (!pool || !vol_bounce_wait(pool, request))
			return true;
		vol_count(volume, WHERRY_VOLUME_buffer_waits, 1);
		return false;
	}
	if (vol_op_changes(request->op) && !steps_fit_range(request))
		vol_count(volume, WHERRY_VOLUME_rmw_ops, 1);
	request->at_bytes = request->lock_start;
	steps_next(request);
	return steps_run(request);
}

/* The whole blocks inside; the rest of a discard may be ignored. */
static bool steps_start_discard(struct vol_request *request)
{
	const uint32_t align_bytes = request->volume->backend->align_bytes;
	const uint64_t start = vol_align_up(request->offset_bytes, align_bytes);
	const uint64_t end = vol_align_down(request->offset_bytes + request->len_bytes, align_bytes);
	request->io_status = IO_OK;
	request->io.zeroed = false;
	if (start >= end)
		return true;
	steps_prepare(request, STEP_DIRECT, BACKEND_DISCARD, start, end - start);
	return steps_run(request);
}

static bool steps_start_direct(struct vol_request *request, enum backend_op op)
{
	steps_prepare(request, STEP_DIRECT, op, request->offset_bytes, request->len_bytes);
	return steps_run(request);
}

static bool steps_start_extents(struct vol_request *request)
{
	const uint64_t end = request->offset_bytes + request->len_bytes;
	uint64_t at = request->offset_bytes;
	request->extent_count = 0;
	while (at < end && request->extent_count < request->extent_count_max) {
		struct vol_extent *extent = &request->extents[request->extent_count++];
		const uint64_t run_end = vol_map_run(request->volume->map, at, end, &extent->hole);
		extent->len_bytes = run_end - at;
		at = run_end;
	}
	request->io_status = IO_OK;
	return true;
}

/* The store need not be asked. */
static bool steps_skip(struct vol_request *request)
{
	if (!(request->flags & VOL_SKIP_HOLES) ||
	    !vol_map_is_hole(request->volume->map, request->offset_bytes, request->len_bytes))
		return false;
	request->hole = true;
	request->io_status = IO_OK;
	return true;
}

bool vol_steps_start(struct vol_request *request)
{
	const struct volume *volume = request->volume;
	const bool fits = steps_fit_range(request);
	request->submitting = false;
	if (volume->offline) {
		request->io_status = IO_ERR_OFFLINE;
		return steps_over(request);
	}
	if (request->bounce) /* it waited for that */
		return steps_start_bounced(request);
	switch (request->op) {
	case VOL_READ:
		if (steps_skip(request))
			return true;
		if (fits && steps_fit_memory(request, volume->backend))
			return steps_start_direct(request, BACKEND_READ);
		break;
	case VOL_WRITE:
		vol_map_set(request->volume->map, request->offset_bytes, request->len_bytes);
		if (fits && steps_fit_memory(request, volume->backend))
			return steps_start_direct(request, BACKEND_WRITE);
		break;
	case VOL_WRITE_ZEROES:
		if (fits)
			return steps_start_direct(request, BACKEND_WRITE_ZEROES);
		if (request->flags & VOL_FAST) {
			request->io_status = IO_ERR_UNSUPPORTED;
			return true;
		}
		break;
	case VOL_FLUSH:
		return steps_start_direct(request, BACKEND_FLUSH);
	case VOL_DISCARD:
		return steps_start_discard(request);
	case VOL_EXTENTS:
		return steps_start_extents(request);
	case VOL_VERIFY:
		break;
	case VOL_OP_COUNT:
		assert(false && "not an operation");
	}
	return steps_start_bounced(request);
}

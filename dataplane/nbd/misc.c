/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests without data: flush, trim, write zeroes, block status. */
#include "nbd/nbd_priv.h"

static void other_done(struct vol_request *vol, enum io_status status)
{
	struct nbd_request *request = vol->ctx;
	request->error = nbd_error_of(status, request->type);
	nbd_request_answer(request);
}

static void submit(struct nbd_request *request, enum vol_op op, uint32_t flags, uint64_t offset_bytes,
		   uint64_t len_bytes, vol_done_fn *done)
{
	struct vol_request *vol = &request->vol;
	vol->op = op;
	vol->flags = flags | (request->flags & NBD_CMD_FLAG_FUA ? VOL_FUA : 0);
	vol->offset_bytes = offset_bytes;
	vol->len_bytes = len_bytes;
	vol->iov = NULL;
	vol->iov_count = 0;
	vol->done = done;
	vol->ctx = request;
	vol_port_submit(&request->export_->settings.volume, vol);
}

void nbd_flush_start(struct nbd_request *request)
{
	submit(request, VOL_FLUSH, 0, 0, 0, other_done);
}

void nbd_trim_start(struct nbd_request *request)
{
	submit(request, VOL_DISCARD, 0, request->offset_bytes, request->len_bytes, other_done);
}

/* ---- zeroes, in steps that a worker can afford ---- */

static void zero_done(struct vol_request *vol, enum io_status status);

static void zero_step(struct nbd_request *request)
{
	const uint64_t step_bytes = vol_zero_step_bytes(request->export_->settings.volume.volume);
	const uint64_t left_bytes = request->len_bytes - request->at_bytes;
	const uint64_t at_bytes = request->at_bytes;
	uint32_t flags = 0;
	if (request->flags & NBD_CMD_FLAG_NO_HOLE)
		flags |= VOL_NO_HOLE;
	if (request->flags & NBD_CMD_FLAG_FAST_ZERO)
		flags |= VOL_FAST;
	const uint64_t bytes = left_bytes < step_bytes ? left_bytes : step_bytes;
	request->at_bytes += bytes;
	submit(request, VOL_WRITE_ZEROES, flags, request->offset_bytes + at_bytes, bytes, zero_done);
}

static void zero_done(struct vol_request *vol, enum io_status status)
{
	struct nbd_request *request = vol->ctx;
	struct nbd_session *session = request->session;
	const bool more = status == IO_OK && request->at_bytes < request->len_bytes;
	if (more && session->end_ns) {
		request->error = NBD_ESHUTDOWN;
		nbd_request_answer(request);
	} else if (more && session->stream) {
		TAILQ_INSERT_TAIL(&session->lcore->stepping, request, step_link);
	} else {
		other_done(vol, status);
	}
}

void nbd_zero_start(struct nbd_request *request)
{
	zero_step(request);
}

void nbd_step_run(struct nbd_lcore *lcore)
{
	struct nbd_request *const last = TAILQ_LAST(&lcore->stepping, nbd_step_list), *request;
	do {
		request = TAILQ_FIRST(&lcore->stepping);
		TAILQ_REMOVE(&lcore->stepping, request, step_link);
		zero_step(request);
	} while (request != last);
}

/* ---- block status ---- */

static uint32_t emit_extents(struct nbd_io *io, bool extended)
{
	/* In place: an extent on the wire is no longer than one of the volume's. */
	const struct vol_extent *extents = (const struct vol_extent *)io->data;
	uint32_t at = 0;
	_Static_assert(sizeof(struct vol_extent) >= 16, "an extent on the wire may overwrite its source only");
	for (uint32_t i = 0; i < io->vol.extent_count; i++) {
		const struct vol_extent extent = extents[i];
		at += nbd_chunk_extent_emit(io->data + at, extended, extent.len_bytes,
					    extent.hole ? NBD_STATE_HOLE | NBD_STATE_ZERO : 0);
	}
	return at;
}

static void status_done(struct vol_request *vol, enum io_status status)
{
	struct nbd_io *io = vol->ctx;
	struct nbd_request *request = io->request;
	const bool extended = request->session->extended;
	if (status != IO_OK) {
		request->error = nbd_error_of(status, request->type);
		nbd_io_put(io);
		nbd_request_answer(request);
		return;
	}
	const uint32_t extents_bytes = emit_extents(io, extended);
	const uint32_t fixed_bytes = extended ? 8 : 4;
	const struct nbd_chunk_header header = {
		.flags = NBD_CHUNK_FLAG_DONE,
		.type = extended ? NBD_CHUNK_BLOCK_STATUS_EXT : NBD_CHUNK_BLOCK_STATUS,
		.cookie = request->cookie,
		.offset_bytes = request->offset_bytes,
		.len_bytes = fixed_bytes + extents_bytes,
	};
	uint8_t *start = io->data - fixed_bytes - nbd_chunk_bytes(extended);
	nbd_chunk_emit(start, extended, &header);
	nbd_chunk_status_emit(io->data - fixed_bytes, extended, NBD_CONTEXT_ID, io->vol.extent_count);
	nbd_io_send(io, start, (uint32_t)(io->data - start) + extents_bytes);
	nbd_request_finish(request);
	nbd_request_put(request);
}

bool nbd_status_start(struct nbd_request *request)
{
	struct nbd_io *io = nbd_io_take(request->session);
	if (!io)
		return false;
	io->request = request;
	io->vol.op = VOL_EXTENTS;
	io->vol.flags = 0;
	io->vol.offset_bytes = request->offset_bytes;
	io->vol.len_bytes = request->len_bytes;
	io->vol.iov = NULL;
	io->vol.iov_count = 0;
	io->vol.extents = (struct vol_extent *)io->data;
	io->vol.extent_count_max = request->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : NBD_EXTENT_COUNT_MAX;
	io->vol.done = status_done;
	io->vol.ctx = io;
	vol_port_submit(&request->export_->settings.volume, &io->vol);
	return true;
}

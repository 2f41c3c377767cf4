/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads: one request to the volume for each buffer.
 *
 * With structured replies every piece leaves as its own chunk when it is there,
 * in whatever order, so that a failure of one is an error for that one alone,
 * and a hole is a chunk without data.  The last to come carries DONE.
 *
 * Without, or when the client wants it in one piece, the pieces leave in order
 * behind one header.  That header says "no error", so it waits until all is
 * there (hold); a read too long for that (only of clients without structured
 * replies) starts when its first piece is there, and a failure later on ends the
 * connection, as the protocol has it.
 */
#include "nbd/nbd_priv.h"

static uint32_t piece_count(const struct nbd_request *request)
{
	uint32_t count = 0;
	for (uint64_t at = 0; at < request->len_bytes; count++)
		at += nbd_piece_bytes(request->session->lcore, request->offset_bytes + at, request->len_bytes - at);
	return count;
}

static uint32_t hold_count_max(const struct nbd_lcore *lcore)
{
	return lcore->io_count_each < NBD_HOLD_COUNT_MAX ? lcore->io_count_each : NBD_HOLD_COUNT_MAX;
}

/* It has been answered, and holds nothing. */
static void read_over(struct nbd_request *request)
{
	nbd_request_finish(request);
	nbd_request_put(request);
}

static bool is_gone(const struct nbd_request *request)
{
	return !request->session->stream || request->session->doomed;
}

/* ---- chunks ---- */

static void send_chunk(struct nbd_io *io, enum nbd_chunk_type type, bool done)
{
	const struct nbd_request *request = io->request;
	const bool extended = request->session->extended;
	const uint32_t head_bytes = nbd_chunk_bytes(extended);
	struct nbd_chunk_header header = {
		.flags = done ? NBD_CHUNK_FLAG_DONE : 0,
		.type = (uint16_t)type,
		.cookie = request->cookie,
		.offset_bytes = request->offset_bytes,
	};
	uint8_t *start = io->data - head_bytes - 8;
	switch (type) {
	case NBD_CHUNK_OFFSET_DATA:
		header.len_bytes = nbd_chunk_data_emit(start + head_bytes, io->offset_bytes) + io->len_bytes;
		break;
	case NBD_CHUNK_OFFSET_HOLE:
		start = io->data;
		header.len_bytes = nbd_chunk_hole_emit(start + head_bytes, io->offset_bytes, io->len_bytes);
		break;
	default:
		start = io->data;
		header.len_bytes = nbd_chunk_error_emit(start + head_bytes, request->error,
							nbd_error_text(request->error), &io->offset_bytes);
		break;
	}
	nbd_chunk_emit(start, extended, &header);
	nbd_io_send(io, start, head_bytes + (uint32_t)header.len_bytes);
}

static void chunk_done(struct nbd_io *io, enum io_status status)
{
	struct nbd_request *request = io->request;
	const bool last = request->issued && request->pending == 0;
	if (status != IO_OK) {
		request->error = nbd_error_of(status, NBD_CMD_READ);
		send_chunk(io, NBD_CHUNK_ERROR_OFFSET, last);
	} else if (io->vol.hole) {
		nbd_count(request->export_, WHERRY_EXPORT_nbd_hole_bytes, io->len_bytes);
		send_chunk(io, NBD_CHUNK_OFFSET_HOLE, last);
	} else {
		send_chunk(io, NBD_CHUNK_OFFSET_DATA, last);
	}
	if (last)
		read_over(request);
}

/* ---- in order, behind one header ---- */

static uint8_t *emit_head(struct nbd_io *io)
{
	const struct nbd_request *request = io->request;
	const struct nbd_session *session = request->session;
	if (!session->structured && !session->extended) {
		const struct nbd_simple_reply reply = {NBD_OK, request->cookie};
		nbd_simple_reply_emit(io->data - NBD_SIMPLE_REPLY_BYTES, &reply);
		return io->data - NBD_SIMPLE_REPLY_BYTES;
	}
	const struct nbd_chunk_header header = {
		.flags = NBD_CHUNK_FLAG_DONE,
		.type = NBD_CHUNK_OFFSET_DATA,
		.cookie = request->cookie,
		.offset_bytes = request->offset_bytes,
		.len_bytes = 8 + request->len_bytes,
	};
	const uint32_t head_bytes = nbd_chunk_bytes(session->extended);
	uint8_t *start = io->data - head_bytes - 8;
	nbd_chunk_emit(start, session->extended, &header);
	nbd_chunk_data_emit(start + head_bytes, request->offset_bytes);
	return start;
}

static void drop_pieces(struct nbd_request *request)
{
	while (request->first && request->first->complete) {
		struct nbd_io *io = request->first;
		request->first = io->next;
		nbd_io_put(io);
	}
}

static void ordered_fail(struct nbd_request *request)
{
	drop_pieces(request);
	if (request->started)
		nbd_doom(request->session, WHERRY_LCORE_nbd_drop_late_error);
	request->issued = true;
	if (request->pending || request->session->issuing == request)
		return; /* in the latter case nbd_read_issue comes back here */
	drop_pieces(request);
	if (request->started)
		read_over(request);
	else
		nbd_request_answer(request);
}

static void ordered_push(struct nbd_request *request)
{
	const bool whole = request->issued && request->pending == 0;
	if (request->error) {
		ordered_fail(request);
		return;
	}
	if (request->hold && !whole)
		return;
	while (request->first && request->first->complete) {
		struct nbd_io *io = request->first;
		uint8_t *start = request->started ? io->data : emit_head(io);
		request->started = true;
		request->first = io->next;
		nbd_io_send(io, start, (uint32_t)(io->data - start) + io->len_bytes);
	}
	if (whole)
		read_over(request);
}

/* ---- pieces ---- */

/* Nobody listens any more. */
static void discard_done(struct nbd_io *io)
{
	struct nbd_request *request = io->request;
	if (request->ordered) {
		io->complete = true;
		drop_pieces(request);
	} else {
		nbd_io_put(io);
	}
	/* One that is still being issued is given up with its stream (nbd_read_abandon). */
	if (request->issued && request->pending == 0 && request->session->issuing != request) {
		drop_pieces(request);
		nbd_request_drop(request);
	}
}

static void read_done(struct vol_request *vol, enum io_status status)
{
	struct nbd_io *io = vol->ctx;
	struct nbd_request *request = io->request;
	request->pending--;
	if (is_gone(request)) {
		discard_done(io);
		return;
	}
	if (!request->ordered) {
		chunk_done(io, status);
		return;
	}
	io->complete = true;
	if (status != IO_OK && !request->error) {
		request->error = nbd_error_of(status, NBD_CMD_READ);
		request->error_offset_bytes = io->offset_bytes;
	}
	if (!request->busy)
		ordered_push(request);
}

/* The next piece.  True: it is the last. */
static bool prepare_piece(struct nbd_request *request, struct nbd_io *io)
{
	io->request = request;
	io->offset_bytes = request->offset_bytes + request->at_bytes;
	io->len_bytes =
		nbd_piece_bytes(request->session->lcore, io->offset_bytes, request->len_bytes - request->at_bytes);
	request->at_bytes += io->len_bytes;
	request->issued = request->at_bytes == request->len_bytes;
	request->pending++;
	if (request->ordered) {
		if (request->first)
			request->last->next = io;
		else
			request->first = io;
		request->last = io;
	}
	io->vol.op = VOL_READ;
	io->vol.flags = request->ordered ? 0 : VOL_SKIP_HOLES;
	io->vol.offset_bytes = io->offset_bytes;
	io->vol.len_bytes = io->len_bytes;
	io->vol.hole = false;
	io->vol.iov_one = (struct iovec){io->data, io->len_bytes};
	io->vol.iov = &io->vol.iov_one;
	io->vol.iov_count = 1;
	io->vol.done = read_done;
	io->vol.ctx = io;
	return request->issued;
}

static bool chunks_issue(struct nbd_request *request)
{
	bool last;
	do {
		struct nbd_io *io = nbd_io_take(request->session);
		if (!io)
			return false;
		last = prepare_piece(request, io);
		vol_port_submit(&request->export_->settings.volume, &io->vol);
	} while (!last); /* with the last one the request may be gone */
	return true;
}

static bool ordered_issue(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	if (request->hold && request->at_bytes == 0 && !nbd_io_grant(session, piece_count(request)))
		return false;
	request->busy = true;
	while (!request->issued && !request->error) {
		struct nbd_io *io = nbd_io_take(session);
		if (!io)
			break;
		prepare_piece(request, io);
		vol_port_submit(&request->export_->settings.volume, &io->vol);
	}
	request->busy = false;
	session->granted = 0; /* after a failure */
	const bool over = request->issued || request->error;
	ordered_push(request);
	return over;
}

bool nbd_read_issue(struct nbd_request *request)
{
	return request->ordered ? ordered_issue(request) : chunks_issue(request);
}

bool nbd_read_start(struct nbd_request *request)
{
	const struct nbd_session *session = request->session;
	const bool structured = session->structured || session->extended;
	if (request->len_bytes == 0) {
		nbd_request_answer(request);
		return true;
	}
	const uint32_t count = piece_count(request);
	request->ordered = !structured || ((request->flags & NBD_CMD_FLAG_DF) && count > 1);
	request->hold = request->ordered && count <= hold_count_max(session->lcore);
	if (structured && request->ordered && !request->hold) {
		request->error = NBD_EOVERFLOW;
		nbd_request_answer(request);
		return true;
	}
	return nbd_read_issue(request);
}

void nbd_read_abandon(struct nbd_request *request)
{
	request->issued = true;
	drop_pieces(request);
	if (request->pending == 0)
		nbd_request_drop(request);
}

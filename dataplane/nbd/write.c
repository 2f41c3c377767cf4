/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes: the payload is copied once, from the stream into aligned buffers.
 *
 * Full buffers are gathered into groups, so that a megabyte is one write to the
 * store and one wait for its durability.  A group goes to the volume when it is
 * full, when the payload ends, or when no buffer is to be had, because then
 * those in the group may be what everybody waits for.  Unaligned ends go apart,
 * so that only they are read, modified and written.
 */
#include "nbd/nbd_priv.h"

#define ALIGN_BYTES 4096u

static void drop_group(struct nbd_io *io)
{
	while (io) {
		struct nbd_io *next = io->next;
		nbd_io_put(io);
		io = next;
	}
}

static void write_over(struct nbd_request *request)
{
	if (request->abandoned)
		nbd_request_drop(request);
	else
		nbd_request_answer(request);
}

static void write_done(struct vol_request *vol, enum io_status status)
{
	struct nbd_io *first = vol->ctx;
	struct nbd_request *request = first->request;
	if (status != IO_OK && !request->error)
		request->error = nbd_error_of(status, NBD_CMD_WRITE);
	drop_group(first);
	if (--request->pending == 0 && request->issued)
		write_over(request);
}

static void submit_group(struct nbd_request *request)
{
	struct nbd_io *first = request->first;
	uint64_t len_bytes = 0;
	uint32_t count = 0;
	if (!first)
		return;
	if (request->error) { /* it fails, whatever becomes of the rest */
		drop_group(first);
		request->first = request->last = NULL;
		request->group_count = 0;
		return;
	}
	for (const struct nbd_io *io = first; io; io = io->next) {
		first->iov[count++] = (struct iovec){io->data, io->len_bytes};
		len_bytes += io->len_bytes;
	}
	request->first = request->last = NULL;
	request->group_count = 0;
	request->pending++;
	first->vol.op = VOL_WRITE;
	first->vol.flags = request->flags & NBD_CMD_FLAG_FUA ? VOL_FUA : 0;
	first->vol.offset_bytes = first->offset_bytes;
	first->vol.len_bytes = len_bytes;
	first->vol.iov = first->iov;
	first->vol.iov_count = count;
	first->vol.done = write_done;
	first->vol.ctx = first;
	vol_port_submit(&request->export_->settings.volume, &first->vol);
}

static void add_to_group(struct nbd_request *request, struct nbd_io *io)
{
	if (io->len_bytes % ALIGN_BYTES != 0)
		submit_group(request);
	if (request->first)
		request->last->next = io;
	else
		request->first = io;
	request->last = io;
	if (++request->group_count == NBD_GROUP_COUNT_MAX || io->offset_bytes % ALIGN_BYTES != 0)
		submit_group(request);
}

void nbd_write_start(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	if (request->len_bytes == 0) {
		nbd_request_answer(request);
		return;
	}
	session->receiving = request;
	nbd_set_state(session, NBD_STATE_PAYLOAD);
}

static struct nbd_io *next_buffer(struct nbd_session *session)
{
	struct nbd_request *request = session->receiving;
	struct nbd_io *io = nbd_io_take(session);
	if (!io) {
		submit_group(request);
		return NULL;
	}
	io->request = request;
	nbd_peer_begin(session, &io->peer_ns);
	io->offset_bytes = request->offset_bytes + request->at_bytes;
	io->len_bytes = nbd_piece_bytes(session->lcore, io->offset_bytes, request->len_bytes - request->at_bytes);
	return io;
}

/* All of the payload is there. */
static void received(struct nbd_session *session)
{
	struct nbd_request *request = session->receiving;
	session->receiving = NULL;
	nbd_set_state(session, NBD_STATE_REQUEST);
	/* One more than there is, so that nothing ends in the middle of this. */
	request->pending++;
	submit_group(request);
	request->issued = true;
	if (--request->pending == 0)
		write_over(request);
}

uint32_t nbd_input_payload(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	struct nbd_request *request = session->receiving;
	if (!session->filling)
		session->filling = next_buffer(session);
	struct nbd_io *io = session->filling;
	if (!io)
		return 0;
	const uint32_t left_bytes = io->len_bytes - io->have_bytes;
	const uint32_t take_bytes = len_bytes < left_bytes ? len_bytes : left_bytes;
	memcpy(io->data + io->have_bytes, data, take_bytes);
	io->have_bytes += take_bytes;
	if (io->have_bytes < io->len_bytes)
		return take_bytes;
	session->filling = NULL;
	nbd_peer_end(session, &io->peer_ns);
	request->at_bytes += io->len_bytes;
	add_to_group(request, io);
	if (request->at_bytes == request->len_bytes)
		received(session);
	return take_bytes;
}

void nbd_write_abandon(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	struct nbd_io *filling = session->filling, *group = request->first;
	session->filling = NULL;
	request->first = request->last = NULL;
	if (filling)
		nbd_io_put(filling);
	drop_group(group);
	request->abandoned = request->issued = true;
	if (request->pending == 0)
		nbd_request_drop(request);
}

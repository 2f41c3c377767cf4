/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests, buffers, and the queues for them.
 *
 * A pool that is empty is no error: the session stops reading and waits in
 * order of arrival, which its client feels as a closing window.  While anybody
 * waits, everybody takes turns: who is woken may take what it asked for, and
 * queues again for more.
 *
 * A read that is answered in one piece asks for all its buffers at once, and a
 * write that waits hands what it has to the volume: nobody waits for buffers
 * while holding some that only it could set free.
 *
 * An export leaves as many as its sessions have: one whose store hangs ends up
 * with half of the pools, two with a third each, and the others go on.
 */
#include "nbd/nbd_priv.h"

#define SHARE_LOOK_COUNT 16u /* sessions whose export's share is looked at in a turn */

static void wait_in(struct nbd_session *session, struct nbd_session_list *list, enum nbd_wait wait)
{
	session->wait = (uint8_t)wait;
	if (session->waiting)
		return;
	session->waiting = true;
	session->wait_since_ns = nbd_now(session->lcore);
	TAILQ_INSERT_TAIL(list, session, wait_link);
}

static void wait_pool(struct nbd_session *session, uint32_t need, bool need_request)
{
	session->need = need;
	session->need_request = need_request;
	session->turn = 0;
	nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_wait_pool);
	wait_in(session, &session->lcore->waiting, NBD_WAIT_POOL);
}

static void wait_share(struct nbd_session *session, uint32_t need, bool need_request)
{
	session->need = need;
	session->need_request = need_request;
	nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_wait_pool);
	wait_in(session, &session->lcore->sharing, NBD_WAIT_SHARE);
}

void nbd_wait_room(struct nbd_session *session)
{
	session->wait = NBD_WAIT_ROOM;
}

static struct nbd_session_list *wait_list(struct nbd_session *session)
{
	switch ((enum nbd_wait)session->wait) {
	case NBD_WAIT_POOL:
		return &session->lcore->waiting;
	case NBD_WAIT_SHARE:
		return &session->lcore->sharing;
	case NBD_WAIT_OPTION:
		return &session->lcore->waiting_option;
	case NBD_WAIT_ROOM:
	case NBD_WAIT_NONE:
		break;
	}
	return &session->lcore->ready;
}

void nbd_wait_stop(struct nbd_session *session)
{
	if (session->waiting)
		TAILQ_REMOVE(wait_list(session), session, wait_link);
	session->waiting = false;
	session->wait = NBD_WAIT_NONE;
}

/* Something of its own came back: look again in the next turn. */
static void wake_room(struct nbd_session *session)
{
	if (session->wait == NBD_WAIT_ROOM && session->stream)
		wait_in(session, &session->lcore->ready, NBD_WAIT_ROOM);
}

/* Its own share first: the queue is for those who may take. */
static bool share_has_room(struct nbd_session *session)
{
	return session->stream && session->stream->unsent_bytes <= STREAM_UNSENT_BYTES_GOAL;
}

/* Who has none may take what there is, however many it needs at once. */
static bool export_may_take(const struct nbd_export *export_, const struct nbd_lcore *lcore, uint32_t io_count,
			    bool request)
{
	if (export_->io_count && export_->io_count + io_count > lcore->free_io_count)
		return false;
	return !request || !export_->request_count || export_->request_count < lcore->free_request_count;
}

static bool io_available(struct nbd_session *session, uint32_t count)
{
	struct nbd_lcore *lcore = session->lcore;
	if (!share_has_room(session) || session->io_count + count > lcore->io_count_each) {
		nbd_wait_room(session);
		return false;
	}
	if (!export_may_take(session->export_, lcore, count, false)) {
		wait_share(session, count, false);
		return false;
	}
	if (lcore->free_io_count < count || (!TAILQ_EMPTY(&lcore->waiting) && session->turn < count)) {
		wait_pool(session, count, false);
		return false;
	}
	return true;
}

bool nbd_io_grant(struct nbd_session *session, uint32_t count)
{
	if (!io_available(session, count))
		return false;
	session->granted = count;
	return true;
}

struct nbd_io *nbd_io_take(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	if (session->granted)
		session->granted--;
	else if (!io_available(session, 1))
		return NULL;
	struct nbd_io *io = lcore->free_ios;
	lcore->free_ios = io->next;
	lcore->free_io_count--;
	session->turn -= session->turn != 0;
	session->io_count++;
	io->session = session;
	io->export_ = session->export_;
	io->export_->io_count++;
	nbd_export_get(io->export_);
	io->next = NULL;
	io->have_bytes = 0;
	io->complete = false;
	return io;
}

struct nbd_request *nbd_request_take(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	if (!share_has_room(session) || session->request_count >= lcore->limits.request_count_each) {
		nbd_wait_room(session);
		return NULL;
	}
	if (!export_may_take(session->export_, lcore, 0, true)) {
		wait_share(session, 0, true);
		return NULL;
	}
	struct nbd_request *request = lcore->free_requests;
	if (!request || (!TAILQ_EMPTY(&lcore->waiting) && session->turn == 0)) {
		wait_pool(session, 1, true);
		return NULL;
	}
	lcore->free_requests = request->next;
	lcore->free_request_count--;
	session->request_count++;
	session->active_count++;
	lcore->under_way++;
	request->session = session;
	request->export_ = session->export_;
	request->export_->request_count++;
	nbd_export_get(request->export_);
	return request;
}

struct nbd_option_buffer *nbd_option_take(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	if (session->option_buffer_count >= 2) {
		nbd_wait_room(session);
		return NULL;
	}
	struct nbd_option_buffer *option = lcore->free_options;
	if (!option) {
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_wait_pool);
		wait_in(session, &lcore->waiting_option, NBD_WAIT_OPTION);
		return NULL;
	}
	lcore->free_options = option->next;
	option->session = session;
	session->option_buffer_count++;
	return option;
}

static void moved(struct nbd_session *session)
{
	session->progress_ns = nbd_now(session->lcore);
	if (session->stream)
		wake_room(session);
	else
		nbd_session_release(session);
}

void nbd_io_put(struct nbd_io *io)
{
	struct nbd_session *session = io->session;
	struct nbd_lcore *lcore = session->lcore;
	io->next = lcore->free_ios;
	lcore->free_ios = io;
	lcore->free_io_count++;
	session->io_count--;
	io->export_->io_count--;
	nbd_export_put(io->export_);
	moved(session);
}

void nbd_request_put(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	request->next = session->lcore->free_requests;
	session->lcore->free_requests = request;
	session->lcore->free_request_count++;
	session->request_count--;
	request->export_->request_count--;
	nbd_export_put(request->export_);
	moved(session);
}

static void option_put(struct nbd_option_buffer *option)
{
	struct nbd_session *session = option->session;
	option->next = session->lcore->free_options;
	session->lcore->free_options = option;
	session->option_buffer_count--;
	moved(session);
}

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static void io_release(struct pkt_buf *buf)
{
	nbd_io_put(CONTAINER_OF(buf, struct nbd_io, buf));
}

static void request_release(struct pkt_buf *buf)
{
	nbd_request_put(CONTAINER_OF(buf, struct nbd_request, buf));
}

static void option_release(struct pkt_buf *buf)
{
	option_put(CONTAINER_OF(buf, struct nbd_option_buffer, buf));
}

static void send_out(struct nbd_session *session, struct pkt_buf *buf)
{
	stream_send(session->stream, buf);
	if (!session->in_data)
		nbd_attend(session);
}

void nbd_io_send(struct nbd_io *io, const uint8_t *bytes, uint32_t len_bytes)
{
	if (!io->session->stream || io->session->doomed) {
		nbd_io_put(io);
		return;
	}
	io->buf = (struct pkt_buf){.data = bytes, .len_bytes = len_bytes, .refs = 1, .release = io_release};
	send_out(io->session, &io->buf);
}

void nbd_request_send(struct nbd_request *request, uint32_t len_bytes)
{
	if (!request->session->stream || request->session->doomed) {
		nbd_request_put(request);
		return;
	}
	request->buf =
		(struct pkt_buf){.data = request->reply, .len_bytes = len_bytes, .refs = 1, .release = request_release};
	send_out(request->session, &request->buf);
}

void nbd_option_send(struct nbd_session *session, uint32_t len_bytes)
{
	struct nbd_option_buffer *option = session->option_buffer;
	session->option_buffer = NULL;
	if (!session->stream || session->doomed || len_bytes == 0) {
		option_put(option);
		return;
	}
	option->buf =
		(struct pkt_buf){.data = option->reply, .len_bytes = len_bytes, .refs = 1, .release = option_release};
	send_out(session, &option->buf);
}

static bool pool_has(const struct nbd_lcore *lcore, const struct nbd_session *session)
{
	return lcore->free_io_count >= session->need && (!session->need_request || lcore->free_requests);
}

/* By turns: those of an export whose store hangs may be many, and are passed by. */
static void wake_sharing(struct nbd_lcore *lcore)
{
	struct nbd_session *session;
	for (uint32_t i = 0; i < SHARE_LOOK_COUNT && (session = TAILQ_FIRST(&lcore->sharing)) != NULL; i++) {
		if (export_may_take(session->export_, lcore, session->need, session->need_request)) {
			nbd_wait_stop(session);
			nbd_session_continue(session);
		} else {
			TAILQ_REMOVE(&lcore->sharing, session, wait_link);
			TAILQ_INSERT_TAIL(&lcore->sharing, session, wait_link);
		}
	}
}

/* Who goes on may queue again at once: a turn looks at no more than everybody. */
void nbd_pool_wake(struct nbd_lcore *lcore)
{
	const uint32_t count = lcore->limits.session_count;
	struct nbd_session *session;
	for (uint32_t i = 0; i < count && (session = TAILQ_FIRST(&lcore->ready)) != NULL; i++) {
		nbd_wait_stop(session);
		nbd_session_continue(session);
	}
	for (uint32_t i = 0; i < count && (session = TAILQ_FIRST(&lcore->waiting)) != NULL; i++) {
		if (!pool_has(lcore, session))
			break;
		nbd_wait_stop(session);
		session->turn = session->need;
		nbd_session_continue(session);
	}
	wake_sharing(lcore);
	for (uint32_t i = 0; i < count && (session = TAILQ_FIRST(&lcore->waiting_option)) != NULL; i++) {
		if (!lcore->free_options)
			break;
		nbd_wait_stop(session);
		nbd_session_continue(session);
	}
}

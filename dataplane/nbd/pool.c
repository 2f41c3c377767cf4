/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests, buffers, and the queues for them.
 *
 * A pool that is empty is no error: the session stops reading and waits in
 * order of arrival, which its client feels as a closing window.  While anybody
 * waits, everybody takes turns: who is woken may take what it asked for, and
 * queues again for more.
 *
 * A peer that is slow to take its replies or to send its payload keeps buffers
 * that others could use.  Sessions are slow until they have proven otherwise,
 * and again when their peer lets a buffer wait for NBD_STALLED_NS.  What the slow of an
 * export hold is at most a quarter of each pool, so that the prompt are served
 * whatever the slow do; and an eighth is left for the slow who wait.
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

static struct nbd_session_list *class_list(const struct nbd_session *session)
{
	return session->prompt ? &session->lcore->waiting : &session->lcore->waiting_slow;
}

static void wait_pool(struct nbd_session *session, uint32_t need, bool need_request)
{
	session->need = need;
	session->need_request = need_request;
	session->turn = 0;
	nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_wait_pool);
	if (!session->waiting)
		session->waits_slow = !session->prompt;
	wait_in(session, class_list(session), NBD_WAIT_POOL);
}

void nbd_share_waits(struct nbd_session *session, uint32_t add)
{
	struct nbd_export *export_ = session->export_;
	if (session->waits_slow)
		export_->slow_sharing_count += add;
	else
		export_->sharing_count += add;
}

static void wait_share(struct nbd_session *session, uint32_t need, bool need_request)
{
	session->need = need;
	session->need_request = need_request;
	session->turn = 0;
	nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_wait_pool);
	if (!session->waiting) {
		session->waits_slow = !session->prompt;
		nbd_share_waits(session, 1);
	}
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
		return session->waits_slow ? &session->lcore->waiting_slow : &session->lcore->waiting;
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
	if (session->waiting && session->wait == NBD_WAIT_SHARE)
		nbd_share_waits(session, UINT32_MAX);
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

/* ---- prompt and slow ---- */

void nbd_session_set_prompt(struct nbd_session *session, bool prompt)
{
	session->prompt_count = 0;
	session->prompt = prompt;
}

void nbd_peer_begin(struct nbd_session *session, uint64_t *peer_ns)
{
	session->peer_count++;
	*peer_ns = nbd_now(session->lcore);
}

void nbd_peer_end(struct nbd_session *session, uint64_t *peer_ns)
{
	if (!*peer_ns)
		return;
	session->peer_count--;
	const uint64_t took_ns = nbd_now(session->lcore) - *peer_ns;
	if (took_ns > (session->prompt ? NBD_STALLED_NS : NBD_PROMPT_NS))
		nbd_session_set_prompt(session, false);
	else if (!session->prompt && ++session->prompt_count == NBD_PROMPT_COUNT)
		nbd_session_set_prompt(session, true);
	*peer_ns = 0;
}

static uint32_t less(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

/* What the slow of an export have been left of an eighth of all, when some wait. */
static uint32_t slow_reserve(const struct nbd_session *session, uint32_t all, uint32_t slow)
{
	return session->prompt && session->export_->slow_sharing_count ? less(all / 8, slow) : 0;
}

/* Does the share of its export have room?  An export that has none may take what there is, however many at once; the
 * slow of an export have a quarter of everything. */
static bool export_may_take(const struct nbd_session *session, uint32_t io_count, bool request)
{
	const struct nbd_lcore *lcore = session->lcore;
	const struct nbd_limits *limits = &lcore->limits;
	const struct nbd_export *export_ = session->export_;
	const uint32_t ios = io_count + slow_reserve(session, limits->buffer_count, export_->slow_io_count);
	const uint32_t requests = slow_reserve(session, limits->request_count, export_->slow_request_count);
	if (export_->io_count && export_->io_count + ios > lcore->free_io_count)
		return false;
	if (request && export_->request_count && export_->request_count + requests >= lcore->free_request_count)
		return false;
	if (session->prompt)
		return true;
	return export_->slow_io_count + io_count <= limits->buffer_count / 4 &&
	       (!request || export_->slow_request_count < limits->request_count / 4);
}

/* What a session may take of the left that are free: the prompt leave an eighth of all when the slow wait. */
static uint32_t class_room(const struct nbd_session *session, uint32_t all, uint32_t left)
{
	const bool all_of_it = !session->prompt || TAILQ_EMPTY(&session->lcore->waiting_slow);
	return all_of_it ? left : less(left, all / 8);
}

static uint32_t io_room(const struct nbd_session *session)
{
	const struct nbd_lcore *lcore = session->lcore;
	return class_room(session, lcore->limits.buffer_count, lcore->free_io_count);
}

static uint32_t request_room(const struct nbd_session *session)
{
	const struct nbd_lcore *lcore = session->lcore;
	return class_room(session, lcore->limits.request_count, lcore->free_request_count);
}

/* A slow session has a share of what the slow have left, and at least what a read in one piece takes. */
static uint32_t io_count_max(const struct nbd_session *session)
{
	const struct nbd_lcore *lcore = session->lcore;
	if (session->prompt)
		return lcore->io_count_each;
	return lcore->io_count_each < NBD_HOLD_COUNT_MAX ? lcore->io_count_each : NBD_HOLD_COUNT_MAX;
}

static uint32_t request_count_max(const struct nbd_session *session)
{
	const uint32_t each = session->lcore->limits.request_count_each;
	return session->prompt || each < NBD_SLOW_REQUEST_COUNT ? each : NBD_SLOW_REQUEST_COUNT;
}

/* ---- taking ---- */

static bool io_available(struct nbd_session *session, uint32_t count)
{
	if (!share_has_room(session) || session->io_count + count > io_count_max(session)) {
		nbd_wait_room(session);
		return false;
	}
	if (!export_may_take(session, count, false) || (session->export_->sharing_count && session->turn < count)) {
		wait_share(session, count, false);
		return false;
	}
	if (io_room(session) < count || (!TAILQ_EMPTY(class_list(session)) && session->turn < count)) {
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
	io->slow = !session->prompt;
	io->export_->slow_io_count += io->slow;
	nbd_export_get(io->export_);
	io->peer_ns = 0;
	io->next = NULL;
	io->have_bytes = 0;
	io->complete = false;
	return io;
}

struct nbd_request *nbd_request_take(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	if (!share_has_room(session) || session->request_count >= request_count_max(session)) {
		nbd_wait_room(session);
		return NULL;
	}
	if (!export_may_take(session, 0, true) || (session->export_->sharing_count && session->turn == 0)) {
		wait_share(session, 0, true);
		return NULL;
	}
	if (request_room(session) == 0 || (!TAILQ_EMPTY(class_list(session)) && session->turn == 0)) {
		wait_pool(session, 1, true);
		return NULL;
	}
	struct nbd_request *request = lcore->free_requests;
	lcore->free_requests = request->next;
	lcore->free_request_count--;
	session->request_count++;
	request->peer_ns = 0;
	session->active_count++;
	lcore->under_way++;
	request->session = session;
	request->export_ = session->export_;
	request->export_->request_count++;
	request->slow = !session->prompt;
	request->export_->slow_request_count += request->slow;
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
	nbd_peer_end(session, &io->peer_ns);
	io->next = lcore->free_ios;
	lcore->free_ios = io;
	lcore->free_io_count++;
	session->io_count--;
	io->export_->io_count--;
	io->export_->slow_io_count -= io->slow;
	nbd_export_put(io->export_);
	moved(session);
}

void nbd_request_put(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	nbd_peer_end(session, &request->peer_ns);
	request->next = session->lcore->free_requests;
	session->lcore->free_requests = request;
	session->lcore->free_request_count++;
	session->request_count--;
	request->export_->request_count--;
	request->export_->slow_request_count -= request->slow;
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
	nbd_peer_end(io->session, &io->peer_ns);
	nbd_peer_begin(io->session, &io->peer_ns);
	io->buf = (struct pkt_buf){
		.data = bytes, .len_bytes = len_bytes, .refs = 1, .is_dma = true, .release = io_release};
	send_out(io->session, &io->buf);
}

void nbd_request_send(struct nbd_request *request, uint32_t len_bytes)
{
	if (!request->session->stream || request->session->doomed) {
		nbd_request_put(request);
		return;
	}
	nbd_peer_begin(request->session, &request->peer_ns);
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

static bool pool_has(const struct nbd_session *session)
{
	return io_room(session) >= session->need && (!session->need_request || request_room(session));
}

/* By turns: those of an export whose store hangs may be many, and are passed by. */
static void wake_sharing(struct nbd_lcore *lcore)
{
	struct nbd_session *session;
	for (uint32_t i = 0; i < SHARE_LOOK_COUNT && (session = TAILQ_FIRST(&lcore->sharing)) != NULL; i++) {
		if (export_may_take(session, session->need, session->need_request)) {
			const uint32_t turn = session->need + session->need_request;
			nbd_wait_stop(session);
			session->turn = turn;
			nbd_session_continue(session);
		} else {
			TAILQ_REMOVE(&lcore->sharing, session, wait_link);
			TAILQ_INSERT_TAIL(&lcore->sharing, session, wait_link);
		}
	}
}

/* Who goes on may queue again at once: a turn looks at no more than everybody. */
static void wake(struct nbd_lcore *lcore, struct nbd_session_list *list, bool (*may)(const struct nbd_session *))
{
	struct nbd_session *session;
	for (uint32_t i = 0; i < lcore->limits.session_count && (session = TAILQ_FIRST(list)) != NULL; i++) {
		if (!may(session))
			break;
		const uint32_t turn = session->wait == NBD_WAIT_POOL ? session->need : session->turn;
		nbd_wait_stop(session);
		session->turn = turn;
		nbd_session_continue(session);
	}
}

static bool option_free(const struct nbd_session *session)
{
	return session->lcore->free_options != NULL;
}

static bool always(const struct nbd_session *session)
{
	(void)session;
	return true;
}

void nbd_pool_wake(struct nbd_lcore *lcore)
{
	wake(lcore, &lcore->ready, always);
	/* First whom the others might shut out. */
	wake(lcore, &lcore->waiting_slow, pool_has);
	wake(lcore, &lcore->waiting, pool_has);
	wake_sharing(lcore);
	wake(lcore, &lcore->waiting_option, option_free);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session: its stream's callbacks, its states, its end.
 *
 * Input is a table of handlers, one a state.  A handler takes what it can use
 * and returns how much that was; it leaves the rest where it is by waiting for
 * something (session->wait), and is given it again when that has come.
 */
#include "nbd/nbd_priv.h"

static uint32_t input_deaf(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	(void)session;
	(void)data;
	return len_bytes;
}

static uint32_t (*const inputs[NBD_STATE_COUNT])(struct nbd_session *, const uint8_t *, uint32_t) = {
	[NBD_STATE_FLAGS] = nbd_input_flags,
	[NBD_STATE_OPTION] = nbd_input_option,
	[NBD_STATE_OPTION_DATA] = nbd_input_option_data,
	[NBD_STATE_OPTION_SKIP] = nbd_input_option_skip,
	[NBD_STATE_REQUEST] = nbd_input_request,
	[NBD_STATE_PAYLOAD] = nbd_input_payload,
	[NBD_STATE_STATUS_DATA] = nbd_input_status_data,
	[NBD_STATE_SKIP] = nbd_input_skip,
	[NBD_STATE_DEAF] = input_deaf,
};

void nbd_set_state(struct nbd_session *session, enum nbd_state state)
{
	session->state = (uint8_t)state;
	session->input_bytes = 0;
}

void nbd_attend(struct nbd_session *session)
{
	if (session->attended || !session->stream)
		return;
	session->attended = true;
	TAILQ_INSERT_TAIL(&session->lcore->attend, session, attend_link);
}

static void attend_stop(struct nbd_session *session)
{
	if (session->attended)
		TAILQ_REMOVE(&session->lcore->attend, session, attend_link);
	session->attended = false;
}

/* What was begun and cannot end by itself: no payload, no room to reply will come. */
static void abandon(struct nbd_session *session)
{
	struct nbd_request *receiving = session->receiving, *issuing = session->issuing;
	session->receiving = session->issuing = NULL;
	session->listing = false;
	if (receiving)
		nbd_write_abandon(receiving);
	if (issuing)
		nbd_read_abandon(issuing);
	if (session->option_buffer)
		nbd_option_send(session, 0);
}

static void go_deaf(struct nbd_session *session)
{
	nbd_wait_stop(session);
	nbd_set_state(session, NBD_STATE_DEAF);
}

void nbd_doom(struct nbd_session *session, enum wherry_lcore_stat why)
{
	if (session->doomed || !session->stream)
		return;
	nbd_count_lcore(session->lcore, why);
	if (!session->export_)
		nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_drop_handshake);
	session->doomed = true;
	go_deaf(session);
	nbd_attend(session);
}

void nbd_end(struct nbd_session *session)
{
	if (!session->end_ns)
		session->end_ns = nbd_now(session->lcore);
	if (session->receiving && !session->receiving->error)
		session->receiving->error = NBD_ESHUTDOWN;
	if (session->ending)
		return;
	session->ending = true;
	if (!session->export_) {
		abandon(session);
		go_deaf(session);
	}
	nbd_attend(session);
}

void nbd_disconnect(struct nbd_session *session)
{
	session->ending = true;
	go_deaf(session);
	nbd_attend(session);
}

/* ---- the stream's callbacks ---- */

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
	struct nbd_session *session = ctx;
	uint32_t at = 0;
	session->in_data = true;
	while (at < len_bytes && session->wait == NBD_WAIT_NONE)
		at += inputs[session->state](session, data + at, len_bytes - at);
	session->in_data = false;
	if (at)
		session->progress_ns = nbd_now(session->lcore);
	return at;
}

/* The peer sends no more.  It is answered what it asked for whole. */
static void on_end(void *ctx)
{
	struct nbd_session *session = ctx;
	struct nbd_request *receiving = session->receiving;
	if (!session->export_ && session->state != NBD_STATE_DEAF)
		nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_drop_handshake);
	session->receiving = NULL;
	if (receiving)
		nbd_write_abandon(receiving);
	session->listing = false;
	if (session->option_buffer)
		nbd_option_send(session, 0);
	session->ending = true;
	if (!session->issuing)
		go_deaf(session);
	nbd_attend(session);
}

static void on_room(void *ctx)
{
	struct nbd_session *session = ctx;
	if (session->wait != NBD_WAIT_ROOM)
		return;
	nbd_wait_stop(session);
	nbd_session_continue(session);
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct nbd_session *session = ctx;
	(void)reason;
	session->stream = NULL;
	nbd_wait_stop(session);
	attend_stop(session);
	abandon(session);
	nbd_session_release(session);
}

static const struct stream_handler nbd_handler = {
	.on_data = on_data,
	.on_end = on_end,
	.on_room = on_room,
	.on_closed = on_closed,
};

static void greeting_release(struct pkt_buf *buf)
{
	struct nbd_session *session = (struct nbd_session *)((char *)buf - offsetof(struct nbd_session, greeting));
	if (!session->stream)
		nbd_session_release(session);
}

bool nbd_accept(void *lcore_, struct stream *stream)
{
	static const uint8_t greeting[NBD_GREETING_BYTES] = "NBDMAGICIHAVEOPT\0\3";
	struct nbd_lcore *lcore = lcore_;
	struct nbd_session *session = TAILQ_FIRST(&lcore->free_sessions);
	if (!session || lcore->draining) {
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_drop_no_session);
		return false;
	}
	TAILQ_REMOVE(&lcore->free_sessions, session, link);
	memset(session, 0, sizeof *session);
	session->used = true;
	session->lcore = lcore;
	session->stream = stream;
	session->since_ns = session->progress_ns = nbd_now(lcore);
	session->greeting = (struct pkt_buf){
		.data = greeting, .len_bytes = sizeof greeting, .refs = 1, .release = greeting_release};
	TAILQ_INSERT_TAIL(&lcore->sessions, session, link);
	lcore->session_count++;
	__atomic_store_n(&lcore->env.lcore_stats[WHERRY_LCORE_nbd_sessions], lcore->session_count, __ATOMIC_RELAXED);
	nbd_count_lcore(lcore, WHERRY_LCORE_nbd_accepted);
	nbd_set_state(session, NBD_STATE_FLAGS);
	stream->handler = &nbd_handler;
	stream->ctx = session;
	stream_send(stream, &session->greeting);
	nbd_attend(session);
	return true;
}

/* ---- going on, and ending ---- */

void nbd_session_continue(struct nbd_session *session)
{
	if (!session->stream || session->doomed)
		return;
	if (session->listing && !nbd_option_list(session))
		return;
	struct nbd_request *issuing = session->issuing;
	if (issuing) {
		session->issuing = NULL;
		const bool over = issuing->type == NBD_CMD_READ ? nbd_read_issue(issuing) : nbd_status_start(issuing);
		if (!over) {
			session->issuing = issuing;
			return;
		}
	}
	if (session->ending)
		nbd_attend(session);
	stream_resume(session->stream);
}

/* Nothing is owed to the peer any more. */
static bool has_finished(const struct nbd_session *session)
{
	return session->ending && !session->shut && session->active_count == 0 && !session->listing &&
	       session->state != NBD_STATE_SKIP;
}

void nbd_session_attend(struct nbd_lcore *lcore)
{
	struct nbd_session *session;
	while ((session = TAILQ_FIRST(&lcore->attend)) != NULL) {
		attend_stop(session);
		struct stream *stream = session->stream;
		if (session->doomed) {
			if (session->aborted)
				continue;
			session->aborted = true;
			stream_abort(stream);
		} else if (has_finished(session)) {
			session->shut = true;
			session->shut_ns = nbd_now(lcore);
			go_deaf(session);
			stream_shutdown(stream);
		} else {
			stream_flush(stream);
		}
	}
}

void nbd_session_give_up(struct nbd_session *session)
{
	const uint32_t held_up = (session->receiving ? 1u : 0u) + (session->issuing ? 1u : 0u);
	if (held_up && session->active_count == held_up)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_close);
}

void nbd_session_leave_export(struct nbd_session *session)
{
	struct nbd_export *export_ = session->export_;
	if (!export_)
		return;
	nbd_count(export_, WHERRY_EXPORT_nbd_sessions, UINT64_MAX);
	session->export_ = NULL;
	nbd_export_put(export_);
}

void nbd_session_release(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	if (!session->used || session->stream || session->io_count || session->request_count ||
	    session->option_buffer_count || session->greeting.refs)
		return;
	nbd_session_leave_export(session);
	session->used = false;
	TAILQ_REMOVE(&lcore->sessions, session, link);
	TAILQ_INSERT_HEAD(&lcore->free_sessions, session, link);
	lcore->session_count--;
	__atomic_store_n(&lcore->env.lcore_stats[WHERRY_LCORE_nbd_sessions], lcore->session_count, __ATOMIC_RELAXED);
}

/* For longer than it should have to: who waits, while somebody's peer has done nothing for idle_ns. */
static bool is_starved(const struct nbd_session *waits, uint64_t now_ns, uint64_t idle_ns)
{
	if (!waits)
		return false;
	const uint64_t wait_ns = now_ns - waits->wait_since_ns;
	if (waits->prompt && wait_ns > NBD_OVERDRAWN_NS && idle_ns > NBD_STALLED_NS)
		return true;
	return wait_ns > NBD_STARVED_NS && idle_ns > NBD_IDLE_NS;
}

/* Somebody waits for long for what this one may have. */
static bool starves_others(const struct nbd_session *session, uint64_t now_ns, uint64_t idle_ns)
{
	const struct nbd_lcore *lcore = session->lcore;
	const struct nbd_session *share = TAILQ_FIRST(&lcore->sharing);
	return is_starved(TAILQ_FIRST(&lcore->waiting), now_ns, idle_ns) ||
	       is_starved(TAILQ_FIRST(&lcore->waiting_slow), now_ns, idle_ns) ||
	       (share && share->export_ == session->export_ && is_starved(share, now_ns, idle_ns));
}

/* In the middle of something that the peer has to end. */
static bool owes_bytes(const struct nbd_session *session)
{
	return session->state == NBD_STATE_PAYLOAD || session->state == NBD_STATE_SKIP ||
	       session->state == NBD_STATE_STATUS_DATA || session->input_bytes;
}

/* It ends, and what is under way ends when the peer has sent or read something. */
static bool ends_by_peer(const struct nbd_session *session)
{
	return session->ending &&
	       (session->wait == NBD_WAIT_NONE ? owes_bytes(session) : session->stream->unsent_bytes);
}

/* The peer has to read something, or to send more of a payload that there is a place for. */
static bool waits_for_peer(const struct nbd_session *session)
{
	return session->stream->unsent_bytes || (session->receiving && session->wait == NBD_WAIT_NONE);
}

/* Its peer neither reads what is in its buffers nor fills them; those that its store has are not its peer's fault. */
static bool hoards(const struct nbd_session *session)
{
	return session->io_count && waits_for_peer(session) && session->wait != NBD_WAIT_POOL &&
	       session->wait != NBD_WAIT_SHARE;
}

void nbd_session_check(struct nbd_session *session, uint64_t now_ns)
{
	const uint64_t idle_ns = now_ns - session->progress_ns;
	/* A peer that ends may take its time as long as something moves; what the operator ends, it cannot hold up. */
	const uint64_t ending_ns = session->end_ns ? now_ns - session->end_ns : idle_ns;
	if (!session->used || !session->stream || session->doomed)
		return;
	if (session->prompt && idle_ns > NBD_STALLED_NS && (session->peer_count || waits_for_peer(session)))
		nbd_session_set_prompt(session, false);
	if (session->shut) {
		if (now_ns - session->shut_ns > NBD_CLOSE_NS)
			nbd_doom(session, WHERRY_LCORE_nbd_drop_close);
		return;
	}
	if (!session->export_ && idle_ns > NBD_HANDSHAKE_NS)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_silent);
	else if (ends_by_peer(session) && ending_ns > NBD_CLOSE_NS)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_close);
	else if (session->wait == NBD_WAIT_NONE && owes_bytes(session) && idle_ns > NBD_STALL_NS)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_stalled);
	else if (hoards(session) && starves_others(session, now_ns, idle_ns))
		nbd_doom(session, WHERRY_LCORE_nbd_drop_hoarding);
}

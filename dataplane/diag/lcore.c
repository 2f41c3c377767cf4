/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker's sessions and pools: creation, the turn, what is given back. */
#include <stdlib.h>

#include "diag/diag_priv.h"

uint64_t diag_memory_bytes(const struct diag_limits *limits)
{
	return DIAG_PATTERN_BYTES + (uint64_t)limits->echo_count * DIAG_ECHO_BYTES;
}

static void pools_init(struct diag_lcore *lcore)
{
	const struct diag_limits *limits = &lcore->limits;
	for (uint32_t i = 0; i < DIAG_PATTERN_BYTES; i++)
		lcore->byte_memory[i] = (uint8_t)(0x80 | ((i * 7 + (i >> 7)) & 0x7f));
	for (uint32_t i = limits->session_count; i-- > 0;)
		TAILQ_INSERT_HEAD(&lcore->free, &lcore->session_memory[i], link);
	for (uint32_t i = limits->echo_count + limits->pattern_count; i-- > 0;) {
		struct diag_buf *buf = &lcore->buf_memory[i];
		struct diag_buf **pool = i < limits->echo_count ? &lcore->free_echo : &lcore->free_pattern;
		if (i < limits->echo_count)
			buf->echo = lcore->byte_memory + DIAG_PATTERN_BYTES + (uint64_t)i * DIAG_ECHO_BYTES;
		buf->next = *pool;
		*pool = buf;
	}
}

static void lcore_fini(struct diag_lcore *lcore)
{
	if (lcore->byte_memory)
		lcore->env.free(lcore->env.ctx, lcore->byte_memory);
	free(lcore->session_memory);
	free(lcore->buf_memory);
	free(lcore);
}

struct diag_lcore *diag_lcore_create(const struct diag_env *env, const struct diag_limits *limits)
{
	struct diag_lcore *lcore = calloc(1, sizeof *lcore);
	if (!lcore)
		return NULL;
	lcore->env = *env;
	lcore->limits = *limits;
	TAILQ_INIT(&lcore->free);
	TAILQ_INIT(&lcore->used);
	TAILQ_INIT(&lcore->waiting);
	TAILQ_INIT(&lcore->timed);
	lcore->session_memory = calloc(limits->session_count, sizeof(struct diag_session));
	lcore->buf_memory = calloc(limits->echo_count + limits->pattern_count, sizeof(struct diag_buf));
	lcore->byte_memory = env->alloc(env->ctx, diag_memory_bytes(limits));
	if (!lcore->session_memory || !lcore->buf_memory || !lcore->byte_memory) {
		lcore_fini(lcore);
		return NULL;
	}
	pools_init(lcore);
	return lcore;
}

void diag_lcore_destroy(struct diag_lcore *lcore)
{
	if (lcore)
		lcore_fini(lcore);
}

uint32_t diag_session_count(const struct diag_lcore *lcore)
{
	return lcore->session_count;
}

/* ---- sessions ---- */

struct diag_session *diag_session_take(struct diag_lcore *lcore)
{
	struct diag_session *session = TAILQ_FIRST(&lcore->free);
	if (!session)
		return NULL;
	TAILQ_REMOVE(&lcore->free, session, link);
	memset(session, 0, sizeof *session);
	session->lcore = lcore;
	session->used = true;
	TAILQ_INSERT_TAIL(&lcore->used, session, link);
	lcore->session_count++;
	return session;
}

void diag_session_release(struct diag_session *session)
{
	struct diag_lcore *lcore = session->lcore;
	if (!session->used || session->stream || session->connecting || session->buf_count)
		return;
	if (session->waiting)
		TAILQ_REMOVE(&lcore->waiting, session, wait_link);
	diag_stop_timer(session);
	session->used = session->waiting = false;
	TAILQ_REMOVE(&lcore->used, session, link);
	TAILQ_INSERT_HEAD(&lcore->free, session, link);
	lcore->session_count--;
}

void diag_wait(struct diag_session *session)
{
	if (session->waiting)
		return;
	session->waiting = true;
	TAILQ_INSERT_TAIL(&session->lcore->waiting, session, wait_link);
}

void diag_set_timer(struct diag_session *session, uint64_t due_ns)
{
	session->due_ns = due_ns;
	if (session->timed)
		return;
	session->timed = true;
	TAILQ_INSERT_TAIL(&session->lcore->timed, session, timer_link);
}

void diag_stop_timer(struct diag_session *session)
{
	if (session->timed)
		TAILQ_REMOVE(&session->lcore->timed, session, timer_link);
	session->timed = false;
}

/* ---- buffers ---- */

static void buf_release(struct pkt_buf *pkt_buf)
{
	struct diag_buf *buf = (struct diag_buf *)((char *)pkt_buf - offsetof(struct diag_buf, buf));
	struct diag_session *session = buf->session;
	struct diag_lcore *lcore = session->lcore;
	struct diag_buf **pool = buf->echo ? &lcore->free_echo : &lcore->free_pattern;
	buf->session = NULL;
	buf->next = *pool;
	*pool = buf;
	session->buf_count--;
	if (buf->echo)
		session->echo_count--;
	lcore->woken = true;
	diag_session_release(session);
}

static struct diag_buf *take(struct diag_session *session, struct diag_buf **pool)
{
	struct diag_buf *buf = *pool;
	if (!buf)
		return NULL;
	*pool = buf->next;
	buf->session = session;
	buf->buf = (struct pkt_buf){.refs = 1, .release = buf_release};
	session->buf_count++;
	return buf;
}

struct diag_buf *diag_take_echo(struct diag_session *session)
{
	if (session->echo_count >= session->lcore->limits.echo_count_each)
		return NULL;
	struct diag_buf *buf = take(session, &session->lcore->free_echo);
	if (!buf)
		return NULL;
	session->echo_count++;
	buf->buf.data = buf->echo;
	return buf;
}

struct diag_buf *diag_take_pattern(struct diag_session *session)
{
	struct diag_buf *buf = take(session, &session->lcore->free_pattern);
	if (buf)
		buf->buf.data = session->lcore->byte_memory + session->sent_bytes % DIAG_PATTERN_BYTES;
	return buf;
}

/* ---- the turn ---- */

static void timer_over(struct diag_session *session)
{
	diag_stop_timer(session);
	if (session->paused) {
		session->paused = false;
		diag_continue(session);
	} else if (session->quit && session->stream) {
		stream_abort(session->stream);
	}
}

unsigned diag_poll(struct diag_lcore *lcore, uint64_t now_ns)
{
	unsigned moved = 0;
	struct diag_session *session, *next;
	for (session = TAILQ_FIRST(&lcore->timed); session; session = next) {
		next = TAILQ_NEXT(session, timer_link);
		if (now_ns < session->due_ns)
			continue;
		timer_over(session);
		moved++;
	}
	if (!lcore->woken)
		return moved;
	lcore->woken = false;
	/* Who has to wait again stands behind the others, and is not looked at twice. */
	const struct diag_session *last = TAILQ_LAST(&lcore->waiting, diag_session_list);
	for (bool more = last != NULL; more && (session = TAILQ_FIRST(&lcore->waiting)); moved++) {
		more = session != last;
		TAILQ_REMOVE(&lcore->waiting, session, wait_link);
		session->waiting = false;
		diag_continue(session);
	}
	return moved;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A session: what it reads, what it owes, its end. */
#include "diag/diag_priv.h"

bool diag_may_read(const struct diag_session *session)
{
	const struct diag_lcore *lcore = session->lcore;
	if (session->paused)
		return false;
	if (session->shut)
		return true;
	/* A buffer is left for whatever there is to say. */
	return session->owed_bytes == 0 && session->stream->unsent_bytes < STREAM_UNSENT_BYTES_GOAL &&
	       session->echo_count < lcore->limits.echo_count_each && lcore->free_echo;
}

uint32_t diag_answer(struct diag_session *session, const uint8_t *data, uint32_t len_bytes)
{
	uint32_t done = 0;
	if (session->shut)
		return len_bytes;
	while (done < len_bytes && session->stream->unsent_bytes < STREAM_UNSENT_BYTES_GOAL) {
		struct diag_buf *buf = diag_take_echo(session);
		if (!buf)
			break;
		const uint32_t left = len_bytes - done;
		buf->buf.len_bytes = left < DIAG_ECHO_BYTES ? left : DIAG_ECHO_BYTES;
		memcpy(buf->echo, data + done, buf->buf.len_bytes);
		done += buf->buf.len_bytes;
		stream_send(session->stream, &buf->buf);
	}
	return done;
}

void diag_shutdown(struct diag_session *session)
{
	if (session->shut)
		return;
	session->shut = true;
	stream_shutdown(session->stream);
}

bool diag_send_pattern(struct diag_session *session)
{
	/* Bounded by itself, too: a stream that has just ended takes everything and keeps nothing. */
	for (uint32_t count = 0; session->owed_bytes && count <= STREAM_UNSENT_BYTES_GOAL / DIAG_PATTERN_BYTES &&
				 session->stream->unsent_bytes < STREAM_UNSENT_BYTES_GOAL;
	     count++) {
		struct diag_buf *buf = diag_take_pattern(session);
		if (!buf)
			break;
		const uint32_t left = DIAG_PATTERN_BYTES - (uint32_t)(session->sent_bytes % DIAG_PATTERN_BYTES);
		buf->buf.len_bytes = session->owed_bytes < left ? (uint32_t)session->owed_bytes : left;
		session->owed_bytes -= buf->buf.len_bytes;
		session->sent_bytes += buf->buf.len_bytes;
		stream_send(session->stream, &buf->buf);
	}
	if (session->owed_bytes)
		diag_wait(session);
	return session->owed_bytes == 0;
}

void diag_continue(struct diag_session *session)
{
	if (!session->stream)
		return;
	if (diag_send_pattern(session) && !session->paused) {
		if (session->ended)
			diag_shutdown(session);
		else
			stream_resume(session->stream);
	}
	stream_flush(session->stream);
}

/* ---- reading ---- */

/* Bytes before the next command. */
static uint32_t plain_bytes(bool mid_line, const uint8_t *data, uint32_t len_bytes)
{
	uint32_t at = 0;
	while (mid_line || data[at] != '!') {
		const uint8_t *feed = memchr(data + at, '\n', len_bytes - at);
		if (!feed)
			return len_bytes;
		at = (uint32_t)(feed - data) + 1;
		if (at == len_bytes)
			return len_bytes;
		mid_line = false;
	}
	return at;
}

static uint32_t read_plain(struct diag_session *session, const uint8_t *data, uint32_t len_bytes)
{
	const uint32_t len = plain_bytes(session->mid_line, data, len_bytes);
	if (len == 0) {
		session->in_command = true;
		session->command_bytes = 0;
		return 0;
	}
	const uint32_t done = diag_answer(session, data, len);
	if (done)
		session->mid_line = data[done - 1] != '\n';
	return done;
}

static uint32_t read_command(struct diag_session *session, const uint8_t *data, uint32_t len_bytes)
{
	for (uint32_t i = 0; i < len_bytes; i++) {
		if (data[i] == '\n') {
			session->in_command = session->mid_line = false;
			diag_obey(session);
			return i + 1;
		}
		if (session->command_bytes < DIAG_LINE_BYTES_MAX)
			session->command[session->command_bytes] = (char)data[i];
		if (session->command_bytes <= DIAG_LINE_BYTES_MAX)
			session->command_bytes++;
	}
	return len_bytes;
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
	struct diag_session *session = ctx;
	uint32_t at = 0;
	while (at < len_bytes && !session->quit && diag_may_read(session)) {
		const uint32_t left = len_bytes - at;
		at += session->in_command ? read_command(session, data + at, left)
					  : read_plain(session, data + at, left);
	}
	if (session->quit && at < len_bytes) {
		/* Nobody will read it (RFC 9293 3.10.4, RFC 1122 4.2.2.13). */
		diag_stop_timer(session);
		stream_abort(session->stream);
		return len_bytes;
	}
	if (at < len_bytes && !session->paused)
		diag_wait(session);
	return at;
}

static void on_end(void *ctx)
{
	struct diag_session *session = ctx;
	session->ended = true;
	if (session->owed_bytes == 0 && !session->paused)
		diag_shutdown(session);
}

static void on_room(void *ctx)
{
	((struct diag_session *)ctx)->lcore->woken = true;
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct diag_session *session = ctx;
	(void)reason;
	session->stream = NULL;
	session->connecting = false;
	diag_stop_timer(session);
	diag_session_release(session);
}

const struct stream_handler diag_handler = {
	.on_data = on_data,
	.on_end = on_end,
	.on_room = on_room,
	.on_closed = on_closed,
};

bool diag_accept(void *lcore, struct stream *stream)
{
	struct diag_session *session = diag_session_take(lcore);
	if (!session)
		return false;
	session->stream = stream;
	stream->handler = &diag_handler;
	stream->ctx = session;
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

struct rig rig;

static void *rig_alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

static void rig_free(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

/* ---- the stream ---- */

static void take(struct rig_stream *s, struct pkt_buf *buf)
{
	cr_assert(s->out_bytes + buf->len_bytes <= RIG_BYTES);
	memcpy(s->out + s->out_bytes, buf->data, buf->len_bytes);
	s->out_bytes += buf->len_bytes;
	pkt_buf_put(buf);
}

static void op_send(struct stream *stream, struct pkt_buf *buf)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(buf->len_bytes && buf->refs == 1 && !s->shut && !s->aborted);
	if (s->dead) {
		pkt_buf_put(buf);
		return;
	}
	if (!s->deaf && !s->kept_first) {
		take(s, buf);
		return;
	}
	buf->next = NULL;
	if (s->kept_first)
		s->kept_last->next = buf;
	else
		s->kept_first = buf;
	s->kept_last = buf;
	stream->unsent_bytes += buf->len_bytes;
	s->room_wanted |= stream->unsent_bytes >= STREAM_UNSENT_BYTES_GOAL;
}

static void op_flush(struct stream *stream)
{
	(void)stream;
}

static void deliver(struct rig_stream *s)
{
	do {
		s->resume = false;
		if (s->aborted)
			return;
		if (s->in_bytes == 0)
			break;
		/* An exact copy, so that a byte too far is seen. */
		uint8_t *copy = malloc(s->in_bytes);
		memcpy(copy, s->in, s->in_bytes);
		s->in_callback = true;
		const uint32_t taken = s->stream.handler->on_data(s->stream.ctx, copy, (uint32_t)s->in_bytes);
		s->in_callback = false;
		free(copy);
		cr_assert(taken <= s->in_bytes);
		s->in_bytes -= taken;
		memmove(s->in, s->in + taken, s->in_bytes);
	} while (s->resume);
	if (s->in_bytes == 0 && s->end_given && !s->end_told) {
		s->end_told = true;
		s->in_callback = true;
		s->stream.handler->on_end(s->stream.ctx);
		s->in_callback = false;
	}
}

static void op_resume(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	s->resume = true;
	if (!s->in_callback)
		deliver(s);
}

static void op_shutdown(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(!s->shut);
	s->shut = true;
}

static void op_abort(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(!s->aborted);
	s->aborted = true;
}

static void op_info(const struct stream *stream, struct stream_info *info)
{
	*info = (struct stream_info){.local_port = DIAG_PORT, .remote_port = ((const struct rig_stream *)stream)->port};
}

static const struct stream_ops ops = {op_send, op_flush, op_resume, op_shutdown, op_abort, op_info};

static struct rig_stream *make(uint16_t port)
{
	struct rig_stream *s = calloc(1, sizeof *s);
	s->stream.ops = &ops;
	s->out = malloc(RIG_BYTES);
	s->in = malloc(RIG_BYTES);
	s->port = port;
	return s;
}

static void destroy(struct rig_stream *s)
{
	free(s->out);
	free(s->in);
	free(s);
}

static struct stream *rig_open(void *ctx, const struct stream_info *ends, uint16_t port,
			       const struct stream_handler *handler, void *handler_ctx)
{
	(void)ctx;
	if (rig.connect_error) {
		errno = rig.connect_error;
		return NULL;
	}
	rig.opened_from = *ends;
	rig.opened = make(port);
	rig.opened->stream.handler = handler;
	rig.opened->stream.ctx = handler_ctx;
	return &rig.opened->stream;
}

/* ---- for the tests ---- */

void rig_init(const struct diag_limits *limits)
{
	memset(&rig, 0, sizeof rig);
	rig.now_ns = 1000000000;
	const struct diag_env env = {.now_ns = &rig.now_ns, .alloc = rig_alloc, .free = rig_free, .connect = rig_open};
	rig.lcore = diag_lcore_create(&env, limits);
	cr_assert(rig.lcore);
}

static unsigned length(const struct diag_buf *buf)
{
	unsigned count = 0;
	for (; buf; buf = buf->next)
		count++;
	return count;
}

void rig_fini(void)
{
	rig_turn(0);
	cr_expect_eq(diag_session_count(rig.lcore), 0);
	cr_expect_eq(length(rig.lcore->free_echo), rig.lcore->limits.echo_count, "every buffer is back");
	cr_expect_eq(length(rig.lcore->free_pattern), rig.lcore->limits.pattern_count);
	cr_expect(TAILQ_EMPTY(&rig.lcore->timed) && TAILQ_EMPTY(&rig.lcore->waiting));
	diag_lcore_destroy(rig.lcore);
}

struct rig_stream *rig_connect(void)
{
	struct rig_stream *s = make(40000);
	if (diag_accept(rig.lcore, &s->stream))
		return s;
	destroy(s);
	return NULL;
}

void rig_give(struct rig_stream *s, const void *bytes, size_t len)
{
	cr_assert(s->in_bytes + len <= RIG_BYTES);
	const bool stuck = s->in_bytes > 0;
	memcpy(s->in + s->in_bytes, bytes, len);
	s->in_bytes += len;
	if (!stuck)
		deliver(s);
}

void rig_give_end(struct rig_stream *s)
{
	s->end_given = true;
	if (s->in_bytes == 0)
		deliver(s);
}

void rig_take(struct rig_stream *s, uint64_t bytes)
{
	uint64_t taken = 0;
	while (s->kept_first && taken < bytes) {
		struct pkt_buf *buf = s->kept_first;
		s->kept_first = buf->next;
		taken += buf->len_bytes;
		s->stream.unsent_bytes -= buf->len_bytes;
		take(s, buf);
	}
	if (s->room_wanted && s->stream.unsent_bytes <= STREAM_UNSENT_BYTES_GOAL / 2) {
		s->room_wanted = false;
		s->stream.handler->on_room(s->stream.ctx);
	}
}

void rig_close(struct rig_stream *s)
{
	/* The stream is gone before its last buffers: they may be with a device. */
	struct pkt_buf *kept = s->kept_first;
	s->stream.handler->on_closed(s->stream.ctx, STREAM_RESET);
	while (kept) {
		struct pkt_buf *buf = kept;
		kept = buf->next;
		pkt_buf_put(buf);
	}
	destroy(s);
}

void rig_turn(uint64_t later_ns)
{
	rig.now_ns += later_ns;
	for (unsigned i = 0; i < 4; i++)
		(void)diag_poll(rig.lcore, rig.now_ns);
}

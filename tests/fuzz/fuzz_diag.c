/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines for the diagnostic service, given in pieces, to a peer that reads or not.
 *
 * Two sessions are given the same bytes: one at once to a peer that takes
 * everything, one in pieces that the input chooses, with pauses of its peer.  What
 * they answer has to be the same, whatever it is.
 */
#include <stdlib.h>

#include "diag/diag_priv.h"

#define require(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

#define OUT_BYTES (1u << 20) /* what is compared; more is counted */
#define TURNS_MAX 3000u

struct side {
	struct stream stream; /* first */
	bool deaf, resume, in_callback, shut, aborted, room_wanted;
	uint64_t out_bytes;
	struct pkt_buf *kept_first, *kept_last;
	const uint8_t *in; /* not read yet: in ... in_end */
	const uint8_t *in_end;
	uint8_t out[OUT_BYTES];
};

static struct side sides[2];
static uint64_t now_ns;
static unsigned opened_count;

static void take(struct side *side, struct pkt_buf *buf)
{
	for (uint32_t i = 0; i < buf->len_bytes && side->out_bytes + i < OUT_BYTES; i++)
		side->out[side->out_bytes + i] = buf->data[i];
	side->out_bytes += buf->len_bytes;
	pkt_buf_put(buf);
}

static void op_send(struct stream *stream, struct pkt_buf *buf)
{
	struct side *side = (struct side *)stream;
	require(buf->len_bytes && buf->refs == 1 && !side->shut && !side->aborted);
	if (!side->deaf && !side->kept_first) {
		take(side, buf);
		return;
	}
	buf->next = NULL;
	if (side->kept_first)
		side->kept_last->next = buf;
	else
		side->kept_first = buf;
	side->kept_last = buf;
	stream->unsent_bytes += buf->len_bytes;
	require(stream->unsent_bytes <= STREAM_UNSENT_BYTES_GOAL + DIAG_PATTERN_BYTES);
	side->room_wanted |= stream->unsent_bytes >= STREAM_UNSENT_BYTES_GOAL;
}

static void op_flush(struct stream *stream)
{
	(void)stream;
}

static void deliver(struct side *side, uint32_t piece_bytes)
{
	do {
		side->resume = false;
		const size_t left = (size_t)(side->in_end - side->in);
		const uint32_t len = left < piece_bytes ? (uint32_t)left : piece_bytes;
		if (len == 0 || side->aborted)
			return;
		uint8_t *copy = malloc(len);
		memcpy(copy, side->in, len);
		side->in_callback = true;
		const uint32_t taken = side->stream.handler->on_data(side->stream.ctx, copy, len);
		side->in_callback = false;
		free(copy);
		require(taken <= len);
		side->in += taken;
	} while (side->resume);
}

static void op_resume(struct stream *stream)
{
	struct side *side = (struct side *)stream;
	side->resume = true;
	if (!side->in_callback)
		deliver(side, UINT32_MAX);
}

static void op_shutdown(struct stream *stream)
{
	struct side *side = (struct side *)stream;
	require(!side->shut);
	side->shut = true;
}

static void op_abort(struct stream *stream)
{
	struct side *side = (struct side *)stream;
	require(!side->aborted);
	side->aborted = true;
}

static void op_info(const struct stream *stream, struct stream_info *info)
{
	(void)stream;
	*info = (struct stream_info){.remote_port = 1};
}

static const struct stream_ops ops = {op_send, op_flush, op_resume, op_shutdown, op_abort, op_info};

static struct stream *no_connection(void *ctx, const struct stream_info *ends, uint16_t port,
				    const struct stream_handler *handler, void *handler_ctx)
{
	(void)ctx, (void)ends, (void)handler, (void)handler_ctx;
	require(port);
	opened_count++;
	return NULL;
}

static void *alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

static void release(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

static void hear(struct side *side, uint64_t bytes)
{
	for (uint64_t taken = 0; side->kept_first && taken < bytes;) {
		struct pkt_buf *buf = side->kept_first;
		side->kept_first = buf->next;
		taken += buf->len_bytes;
		side->stream.unsent_bytes -= buf->len_bytes;
		take(side, buf);
	}
	if (side->room_wanted && side->stream.unsent_bytes <= STREAM_UNSENT_BYTES_GOAL / 2) {
		side->room_wanted = false;
		side->stream.handler->on_room(side->stream.ctx);
	}
}

/* Everything, in pieces; false: there is no end to it. */
static bool run(struct diag_lcore *lcore, struct side *side, const uint8_t *choices, size_t choice_count)
{
	for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
		const uint8_t choice = choice_count ? choices[turn % choice_count] : 0xff;
		side->deaf = choice_count && choice & 1;
		deliver(side, choice_count ? 1u + (choice >> 1) : UINT32_MAX);
		hear(side, side->deaf ? (uint64_t)choice << 8 : UINT64_MAX);
		now_ns += DIAG_PAUSE_MS_MAX * DIAG_NS_PER_MS / 64;
		(void)diag_poll(lcore, now_ns);
		const struct diag_session *session = side->stream.ctx;
		if (side->aborted ||
		    (side->in == side->in_end && !side->kept_first && !session->owed_bytes && !session->paused))
			return true;
	}
	return false;
}

static void end(struct side *side)
{
	struct pkt_buf *kept = side->kept_first;
	side->stream.handler->on_closed(side->stream.ctx, STREAM_RESET);
	while (kept) {
		struct pkt_buf *buf = kept;
		kept = buf->next;
		pkt_buf_put(buf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size - 1 < data[0])
		return 0;
	const size_t choice_count = data[0];
	const uint8_t *choices = data + 1;
	const struct diag_limits limits = {4, 8, 4, 24};
	const struct diag_env env = {.now_ns = &now_ns, .alloc = alloc, .free = release, .connect = no_connection};
	struct diag_lcore *lcore = diag_lcore_create(&env, &limits);
	require(lcore);
	bool over[2];
	unsigned opened[2];
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &sides[i];
		memset(side, 0, offsetof(struct side, out));
		side->stream.ops = &ops;
		side->in = choices + choice_count;
		side->in_end = data + size;
		require(diag_accept(lcore, &side->stream));
		opened_count = 0;
		over[i] = run(lcore, side, choices, i ? choice_count : 0);
		opened[i] = opened_count;
		if (over[i] && !side->aborted && !side->shut) {
			side->stream.handler->on_end(side->stream.ctx);
			require(side->shut);
		}
	}
	if (over[0] && over[1] && !sides[0].aborted && !sides[1].aborted) {
		const uint64_t bytes = sides[0].out_bytes;
		require(bytes == sides[1].out_bytes && opened[0] == opened[1]);
		require(memcmp(sides[0].out, sides[1].out, bytes < OUT_BYTES ? bytes : OUT_BYTES) == 0);
	}
	end(&sides[0]);
	end(&sides[1]);
	require(diag_session_count(lcore) == 0);
	diag_lcore_destroy(lcore);
	return 0;
}

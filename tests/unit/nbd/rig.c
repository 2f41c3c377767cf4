/* SPDX-License-Identifier: BSD-3-Clause */
#include "rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void *rig_alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return aligned_alloc(4096, bytes);
}

static void rig_free(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

void rig_init_limits(struct rig *rig, bool held, const struct nbd_limits *limits)
{
	memset(rig, 0, sizeof *rig);
	rig->limits = *limits;
	rig->now_ns = 1000000000;
	const struct nbd_env env = {
		.now_ns = &rig->now_ns, .lcore_stats = rig->stats, .alloc = rig_alloc, .free = rig_free};
	rig->lcore = nbd_lcore_create(&env, limits);
	rig->held = held_create(RIG_DISK_BYTES, 512, 512);
	rig->held->at_once = !held;
	rig->map = vol_map_create(RIG_DISK_BYTES);
	cr_assert(rig->lcore && rig->held && rig->map);
	vol_init(&rig->volume, 1, &rig->held->backend, vol_bounce_pool_create(4, 65536), RIG_DISK_BYTES, 512);
	rig->volume.map = rig->map;
	rig->settings = (struct nbd_export_settings){.id = 1,
						     .name = "disk",
						     .description = "a disk",
						     .is_default = true,
						     .volume = {&rig->volume, 0, NULL}};
	rig->export_ = nbd_export_create(&rig->settings);
	cr_assert(rig->export_);
	cr_assert(nbd_export_add(rig->lcore, rig->export_) == NULL);
}

void rig_init(struct rig *rig, bool held)
{
	const struct nbd_limits limits = {8, 64, 16, 32, 65536};
	rig_init_limits(rig, held, &limits);
}

void rig_fini(struct rig *rig)
{
	rig_turn(rig);
	cr_expect(nbd_lcore_session_count(rig->lcore) == 0 && nbd_lcore_under_way(rig->lcore) == 0);
	cr_expect(rig->lcore->free_io_count == rig->limits.buffer_count, "every buffer is back");
	cr_expect(rig->volume.under_way_count == 0);
	if (rig->export_) {
		cr_expect(nbd_export_idle(rig->export_));
		cr_expect(nbd_export_stats(rig->export_)[WHERRY_EXPORT_queue_depth] == 0);
		nbd_export_destroy(nbd_export_remove(rig->lcore, 1));
	}
	nbd_lcore_destroy(rig->lcore);
	vol_bounce_pool_destroy(rig->volume.bounce_pool);
	vol_map_destroy(rig->map);
	held_destroy(rig->held);
}

/* ---- the stream ---- */

static void s_send(struct stream *stream, struct pkt_buf *buf)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(buf->len_bytes && buf->refs == 1 && !s->shut && !s->aborted && !s->closed);
	cr_assert(s->out_end + buf->len_bytes <= RIG_OUT_BYTES);
	if (!s->keep) {
		memcpy(s->out + s->out_end, buf->data, buf->len_bytes);
		s->out_end += buf->len_bytes;
		pkt_buf_put(buf);
		return;
	}
	buf->next = NULL;
	if (s->kept_first)
		s->kept_last->next = buf;
	else
		s->kept_first = buf;
	s->kept_last = buf;
	stream->unsent_bytes += buf->len_bytes;
}

static void s_flush(struct stream *stream)
{
	cr_assert(!((struct rig_stream *)stream)->closed);
}

static void deliver(struct rig_stream *s)
{
	do {
		s->resume = false;
		if (s->in_bytes == 0 || s->aborted || s->closed)
			return;
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
}

static void s_resume(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	s->resume = true;
	if (!s->in_callback)
		deliver(s);
}

static void s_shutdown(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(!s->shut && !s->closed);
	s->shut = true;
}

static void s_abort(struct stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	cr_assert(!s->aborted && !s->closed);
	s->aborted = true;
}

static void s_info(const struct stream *stream, struct stream_info *info)
{
	*info = (struct stream_info){.remote = ((const struct rig_stream *)stream)->remote, .remote_port = 1};
}

static const struct stream_ops ops = {s_send, s_flush, s_resume, s_shutdown, s_abort, s_info};

struct rig_stream *rig_connect(struct rig *rig)
{
	static const uint8_t address[4] = {127, 0, 0, 1};
	struct rig_stream *s = calloc(1, sizeof *s);
	s->stream.ops = &ops;
	s->remote = ip_addr_v4(address);
	s->out = calloc(1, RIG_OUT_BYTES);
	s->in = calloc(1, RIG_OUT_BYTES);
	if (!nbd_accept(rig->lcore, &s->stream)) {
		free(s->out);
		free(s->in);
		free(s);
		return NULL;
	}
	return s;
}

void rig_give(struct rig *rig, struct rig_stream *stream, const void *bytes, size_t len)
{
	cr_assert(stream->in_bytes + len <= RIG_OUT_BYTES);
	memcpy(stream->in + stream->in_bytes, bytes, len);
	stream->in_bytes += len;
	deliver(stream);
	rig_turn(rig);
}

void rig_give_end(struct rig *rig, struct rig_stream *stream)
{
	cr_assert(stream->in_bytes == 0);
	stream->stream.handler->on_end(stream->stream.ctx);
	rig_turn(rig);
}

void rig_release(struct rig *rig, struct rig_stream *stream)
{
	const bool was_full = stream->stream.unsent_bytes > STREAM_UNSENT_BYTES_GOAL;
	while (stream->kept_first) {
		struct pkt_buf *buf = stream->kept_first;
		stream->kept_first = buf->next;
		memcpy(stream->out + stream->out_end, buf->data, buf->len_bytes);
		stream->out_end += buf->len_bytes;
		stream->stream.unsent_bytes -= buf->len_bytes;
		pkt_buf_put(buf);
	}
	if (was_full)
		stream->stream.handler->on_room(stream->stream.ctx);
	rig_turn(rig);
}

void rig_close(struct rig *rig, struct rig_stream *stream)
{
	while (stream->kept_first) {
		struct pkt_buf *buf = stream->kept_first;
		stream->kept_first = buf->next;
		pkt_buf_put(buf);
	}
	stream->closed = true;
	stream->stream.handler->on_closed(stream->stream.ctx, STREAM_RESET);
	free(stream->out);
	free(stream->in);
	free(stream);
	rig_turn(rig);
}

void rig_turn(struct rig *rig)
{
	for (unsigned i = 0; i < 40; i++)
		nbd_poll(rig->lcore, rig->now_ns);
}

size_t rig_left(const struct rig_stream *stream)
{
	return stream->out_end - stream->out_at;
}

const uint8_t *rig_take(struct rig_stream *stream, size_t len)
{
	cr_assert(rig_left(stream) >= len, "%zu bytes are there, %zu wanted", rig_left(stream), len);
	stream->out_at += len;
	return stream->out + stream->out_at - len;
}

/* ---- the client's part ---- */

void rig_option(struct rig *rig, struct rig_stream *stream, uint32_t option, const void *data, uint32_t len)
{
	uint8_t bytes[NBD_OPTION_BYTES + 20000];
	const struct nbd_option_header header = {option, len};
	nbd_option_emit(bytes, &header);
	cr_assert(len <= 20000);
	if (len)
		memcpy(bytes + NBD_OPTION_BYTES, data, len);
	rig_give(rig, stream, bytes, NBD_OPTION_BYTES + len);
}

const uint8_t *rig_expect_reply(struct rig_stream *stream, uint32_t option, uint32_t type, uint32_t *len)
{
	struct nbd_option_reply_header header;
	cr_assert(nbd_option_reply_parse(rig_take(stream, NBD_OPTION_REPLY_BYTES), NBD_OPTION_REPLY_BYTES, &header)
			  .result == WIRE_OK);
	cr_assert(header.option == option && header.type == type, "option %u: type %x, expected %x", header.option,
		  header.type, type);
	if (len)
		*len = header.len_bytes;
	return rig_take(stream, header.len_bytes);
}

void rig_hello(struct rig *rig, struct rig_stream *stream)
{
	uint8_t flags[4];
	rig_take(stream, NBD_GREETING_BYTES);
	nbd_client_flags_emit(flags, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	rig_give(rig, stream, flags, sizeof flags);
}

void rig_go(struct rig *rig, struct rig_stream *stream, uint32_t option, const char *name)
{
	uint8_t data[256];
	const uint32_t len = (uint32_t)strlen(name);
	*(be32 *)data = be32_of(len);
	memcpy(data + 4, name, len);
	*(be16 *)(data + 4 + len) = be16_of(0);
	rig_option(rig, stream, option, data, len + 6);
}

struct rig_stream *rig_ready(struct rig *rig, enum rig_kind kind)
{
	static const uint8_t meta[] = {0,   0,   0,   0,   0,   0,   0,   1,   0,   0,   0,   15,  'b', 'a',
				       's', 'e', ':', 'a', 'l', 'l', 'o', 'c', 'a', 't', 'i', 'o', 'n'};
	struct rig_stream *stream = rig_connect(rig);
	cr_assert(stream);
	rig_hello(rig, stream);
	if (kind != RIG_SIMPLE) {
		rig_option(rig, stream, kind == RIG_EXTENDED ? NBD_OPT_EXTENDED_HEADERS : NBD_OPT_STRUCTURED_REPLY,
			   NULL, 0);
		rig_option(rig, stream, NBD_OPT_SET_META_CONTEXT, meta, sizeof meta);
	}
	rig_go(rig, stream, NBD_OPT_GO, "");
	stream->out_at = stream->out_end = 0;
	return stream;
}

static const struct nbd_session *session_of(const struct rig_stream *stream)
{
	return stream->stream.ctx;
}

void rig_request(struct rig *rig, struct rig_stream *stream, uint16_t type, uint16_t flags, uint64_t cookie,
		 uint64_t offset, uint64_t len)
{
	uint8_t bytes[NBD_REQUEST_EXT_BYTES];
	const struct nbd_command_header header = {flags, type, cookie, offset, len};
	rig_give(rig, stream, bytes, nbd_request_emit(bytes, session_of(stream)->extended, &header));
}

uint32_t rig_simple(struct rig_stream *stream, uint64_t cookie)
{
	struct nbd_simple_reply reply;
	cr_assert(nbd_simple_reply_parse(rig_take(stream, NBD_SIMPLE_REPLY_BYTES), NBD_SIMPLE_REPLY_BYTES, &reply)
			  .result == WIRE_OK);
	cr_assert(reply.cookie == cookie);
	return reply.error;
}

struct nbd_chunk_header rig_chunk(struct rig_stream *stream, uint64_t cookie, const uint8_t **body)
{
	const bool extended = session_of(stream)->extended;
	const uint32_t bytes = nbd_chunk_bytes(extended);
	struct nbd_chunk_header header;
	cr_assert(nbd_chunk_parse(rig_take(stream, bytes), bytes, extended, &header).result == WIRE_OK);
	cr_assert(header.cookie == cookie);
	*body = rig_take(stream, header.len_bytes);
	return header;
}

void rig_expect_error(struct rig_stream *stream, uint64_t cookie, enum nbd_error error)
{
	const uint8_t *body;
	const struct nbd_chunk_header header = rig_chunk(stream, cookie, &body);
	cr_assert(header.type == NBD_CHUNK_ERROR || header.type == NBD_CHUNK_ERROR_OFFSET);
	cr_expect(header.flags == NBD_CHUNK_FLAG_DONE);
	cr_expect(be32_get(*(const be32 *)body) == (uint32_t)error, "error %u, expected %u",
		  be32_get(*(const be32 *)body), (unsigned)error);
}

void rig_expect_done(struct rig_stream *stream, uint64_t cookie)
{
	const uint8_t *body;
	const struct nbd_chunk_header header = rig_chunk(stream, cookie, &body);
	cr_expect(header.type == NBD_CHUNK_NONE && header.flags == NBD_CHUNK_FLAG_DONE && header.len_bytes == 0);
}

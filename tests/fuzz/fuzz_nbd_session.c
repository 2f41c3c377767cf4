/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session with the NBD server: a handshake that leads somewhere, then whatever
 * the input says: bytes as they are, requests whose headers are likely to be
 * accepted, completions late or failing, buffers kept by a slow peer, turns,
 * time, and the end of the stream at any moment.
 *
 * Input: a byte that chooses the prefix, then steps; the first byte of a step
 * says which.
 *
 * What must hold: every byte sent can be read until its buffer is released,
 * everything is given back at the end, and no answer is sent after the end of
 * sending.  That replies are right is the unit tests' to say.
 */
#include <stdlib.h>
#include <string.h>

#include "nbd/nbd_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK_BYTES (1u << 20)
#define HELD_MAX 256
#define IN_BYTES (1u << 16)

struct disk {
	struct backend backend; /* first */
	struct volume volume;
	uint8_t bytes[DISK_BYTES];
};

static struct disk disk;
static struct backend_io *held[HELD_MAX];
static unsigned held_count;
static bool hold;
static uint64_t now_ns, stats[WHERRY_LCORE_STAT_COUNT];
static const uint8_t *at, *end;

struct peer {
	struct stream stream; /* first */
	struct pkt_buf *first, *last;
	uint8_t in[IN_BYTES];
	uint32_t in_bytes;
	bool keep, in_callback, resume, shut, aborted, closed, ended;
};

static struct peer peer;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t next(void)
{
	return at < end ? *at++ : 0;
}

/* ---- the store ---- */

static enum io_status disk_apply(const struct backend_io *io, enum io_status status)
{
	uint8_t *to = disk.bytes + io->offset_bytes;
	require(io->op == BACKEND_FLUSH ||
		(io->offset_bytes <= DISK_BYTES && io->len_bytes <= DISK_BYTES - io->offset_bytes));
	if (status != IO_OK)
		return status;
	if (io->op == BACKEND_WRITE_ZEROES)
		memset(to, 0, io->len_bytes);
	for (uint32_t i = 0; i < io->iov_count && (io->op == BACKEND_READ || io->op == BACKEND_WRITE); i++) {
		if (io->op == BACKEND_READ)
			memcpy(io->iov[i].iov_base, to, io->iov[i].iov_len);
		else
			memcpy(to, io->iov[i].iov_base, io->iov[i].iov_len);
		to += io->iov[i].iov_len;
	}
	return IO_OK;
}

static void disk_submit(struct backend *backend, struct backend_io *io)
{
	(void)backend;
	if (!hold || held_count == HELD_MAX)
		io->done(io, disk_apply(io, IO_OK));
	else
		held[held_count++] = io;
}

static const struct backend_ops disk_ops = {.name = "fuzz", .submit = disk_submit};

static void release_one(unsigned index, enum io_status status)
{
	if (held_count == 0)
		return;
	index %= held_count;
	struct backend_io *io = held[index];
	memmove(&held[index], &held[index + 1], (--held_count - index) * sizeof held[0]);
	io->done(io, disk_apply(io, status));
}

/* ---- the stream ---- */

static void peer_release(void)
{
	const bool was_full = peer.stream.unsent_bytes > STREAM_UNSENT_BYTES_GOAL;
	while (peer.first) {
		struct pkt_buf *buf = peer.first;
		volatile uint8_t sum = 0;
		for (uint32_t i = 0; i < buf->len_bytes; i++)
			sum = (uint8_t)(sum + buf->data[i]); /* readable until released */
		peer.first = buf->next;
		peer.stream.unsent_bytes -= buf->len_bytes;
		pkt_buf_put(buf);
	}
	if (was_full && !peer.closed)
		peer.stream.handler->on_room(peer.stream.ctx);
}

static void peer_send(struct stream *stream, struct pkt_buf *buf)
{
	require(buf->refs == 1 && buf->len_bytes && !peer.shut && !peer.aborted && !peer.closed);
	buf->next = NULL;
	if (peer.first)
		peer.last->next = buf;
	else
		peer.first = buf;
	peer.last = buf;
	stream->unsent_bytes += buf->len_bytes;
}

static void peer_flush(struct stream *stream)
{
	(void)stream;
	require(!peer.closed);
}

static void deliver(void)
{
	do {
		peer.resume = false;
		if (peer.in_bytes == 0 || peer.aborted || peer.closed)
			return;
		uint8_t *copy = malloc(peer.in_bytes); /* exact, for ASan */
		memcpy(copy, peer.in, peer.in_bytes);
		peer.in_callback = true;
		const uint32_t taken = peer.stream.handler->on_data(peer.stream.ctx, copy, peer.in_bytes);
		peer.in_callback = false;
		free(copy);
		require(taken <= peer.in_bytes);
		peer.in_bytes -= taken;
		memmove(peer.in, peer.in + taken, peer.in_bytes);
	} while (peer.resume);
}

static void peer_resume(struct stream *stream)
{
	(void)stream;
	peer.resume = true;
	if (!peer.in_callback)
		deliver();
}

static void peer_shutdown(struct stream *stream)
{
	(void)stream;
	require(!peer.shut && !peer.closed);
	peer.shut = true;
}

static void peer_abort(struct stream *stream)
{
	(void)stream;
	require(!peer.aborted && !peer.closed);
	peer.aborted = true;
}

static void peer_info(const struct stream *stream, struct stream_info *info)
{
	(void)stream;
	memset(info, 0, sizeof *info);
}

static const struct stream_ops peer_ops = {peer_send, peer_flush, peer_resume, peer_shutdown, peer_abort, peer_info};

static void give(const void *bytes, uint32_t len)
{
	if (len == 0 || peer.closed || peer.ended || len > IN_BYTES - peer.in_bytes)
		return;
	memcpy(peer.in + peer.in_bytes, bytes, len);
	peer.in_bytes += len;
	deliver();
}

static void close_peer(void)
{
	if (peer.closed)
		return;
	while (peer.first) {
		struct pkt_buf *buf = peer.first;
		peer.first = buf->next;
		pkt_buf_put(buf);
	}
	peer.closed = true;
	peer.stream.handler->on_closed(peer.stream.ctx, STREAM_RESET);
}

/* ---- steps ---- */

static void give_option(uint32_t option, const void *bytes, uint32_t len)
{
	uint8_t header[NBD_OPTION_BYTES];
	const struct nbd_option_header value = {option, len};
	nbd_option_emit(header, &value);
	give(header, sizeof header);
	give(bytes, len);
}

static void give_prefix(uint8_t choice)
{
	static const uint8_t flags[4] = {0, 0, 0, 3};
	static const uint8_t meta[] = {0,   0,   0,   0,   0,   0,   0,   1,   0,   0,   0,   15,  'b', 'a',
				       's', 'e', ':', 'a', 'l', 'l', 'o', 'c', 'a', 't', 'i', 'o', 'n'};
	static const uint8_t go[6];
	if (choice % 4 == 0)
		return;
	give(flags, sizeof flags);
	if (choice & 4)
		return;
	if (choice % 4 >= 2) {
		give_option(choice % 4 == 2 ? NBD_OPT_STRUCTURED_REPLY : NBD_OPT_EXTENDED_HEADERS, NULL, 0);
		give_option(NBD_OPT_SET_META_CONTEXT, meta, sizeof meta);
	}
	give_option(NBD_OPT_GO, go, sizeof go);
}

static void step_request(bool extended)
{
	static uint8_t payload[IN_BYTES];
	uint8_t bytes[NBD_REQUEST_EXT_BYTES];
	struct nbd_command_header header = {.flags = next() & 0x3f, .type = next() % 9};
	header.cookie = next();
	header.offset_bytes = ((uint64_t)next() << 12 | next()) % (DISK_BYTES + 4096);
	header.len_bytes = (uint64_t)next() << 8 << (next() % 16) | next();
	give(bytes, nbd_request_emit(bytes, extended, &header));
	const bool follows = extended ? header.flags & NBD_CMD_FLAG_PAYLOAD_LEN : header.type == NBD_CMD_WRITE;
	if (follows && header.len_bytes <= IN_BYTES)
		give(payload, (uint32_t)header.len_bytes);
}

static void step_option(void)
{
	uint8_t bytes[256];
	const uint32_t option = next() % 13, len = next() % sizeof bytes;
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = next();
	give_option(option, bytes, len);
}

static void step_bytes(void)
{
	const uint32_t want = next(), have = (uint32_t)(end - at), len = want < have ? want : have;
	give(at, len);
	at += len;
}

static void step_end(void)
{
	if (peer.closed || peer.ended || peer.in_bytes || peer.aborted)
		return;
	peer.ended = true;
	peer.stream.handler->on_end(peer.stream.ctx);
}

static void step(struct nbd_lcore *lcore, uint8_t choice)
{
	switch (choice % 12) {
	case 0:
	case 1:
	case 2:
		step_request(choice % 12 == 2);
		break;
	case 3:
		step_bytes();
		break;
	case 4:
		step_option();
		break;
	case 5:
		hold = next() & 1;
		break;
	case 6:
		release_one(next(), next() % 4 ? IO_OK : IO_ERR_MEDIA);
		break;
	case 7:
		peer.keep = next() & 1;
		break;
	case 8:
		now_ns += (uint64_t)next() << 28;
		break;
	case 9:
		step_end();
		break;
	case 10:
		if (next() == 0xff)
			close_peer();
		break;
	default:
		if (next() == 0xfe)
			nbd_lcore_drain(lcore);
		break;
	}
	if (!peer.keep && !peer.closed)
		peer_release();
	nbd_poll(lcore, now_ns);
	if (peer.aborted)
		close_peer();
}

static void *fuzz_alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return aligned_alloc(4096, bytes);
}

static void fuzz_free(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nbd_limits limits = {2, 24, 16, 12, 65536};
	const struct nbd_env env = {.now_ns = &now_ns, .lcore_stats = stats, .alloc = fuzz_alloc, .free = fuzz_free};
	struct nbd_export_settings settings = {
		.id = 1, .name = "disk", .is_default = true, .volume = {&disk.volume, 0, NULL}};
	at = data;
	end = data + size;
	now_ns = 1;
	hold = false;
	memset(&peer, 0, sizeof peer);
	peer.stream.ops = &peer_ops;
	disk.backend = (struct backend){&disk_ops, DISK_BYTES, 512, 512};
	struct nbd_lcore *lcore = nbd_lcore_create(&env, &limits);
	struct vol_bounce_pool *bounce = vol_bounce_pool_create(2, 65536);
	struct vol_map *map = vol_map_create(DISK_BYTES);
	vol_init(&disk.volume, 1, &disk.backend, bounce, DISK_BYTES, 512);
	disk.volume.map = map;
	vol_map_clear(map, 0, DISK_BYTES / 2);
	memset(disk.bytes, 0, DISK_BYTES / 2);
	struct nbd_export *export_ = nbd_export_create(&settings);
	nbd_export_add(lcore, export_);
	require(nbd_accept(lcore, &peer.stream));
	give_prefix(next());
	for (unsigned i = 0; i < 400 && at < end; i++)
		step(lcore, next());
	close_peer();
	for (unsigned i = 0; i < 10000 && (held_count || nbd_lcore_under_way(lcore)); i++) {
		release_one(0, IO_OK);
		nbd_poll(lcore, now_ns);
	}
	require(nbd_lcore_session_count(lcore) == 0 && nbd_lcore_under_way(lcore) == 0);
	require(lcore->free_io_count == limits.buffer_count && disk.volume.under_way_count == 0);
	require(nbd_export_idle(export_) && nbd_export_stats(export_)[WHERRY_EXPORT_queue_depth] == 0);
	nbd_export_destroy(nbd_export_remove(lcore, 1));
	nbd_lcore_destroy(lcore);
	vol_bounce_pool_destroy(bounce);
	vol_map_destroy(map);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of any kind into a live connection, and into what there is besides:
 * a listener, half-open connections, an active open, TIME-WAIT.
 *
 * The input is a list of steps: a segment whose numbers are near those of the
 * connection (or not), a turn, time, something that the protocol does, an ICMP
 * error, a shortage.  Bytes that the protocol is given are not judged, but what
 * the stack sends has to parse, and at the end nothing may be left over.
 */
#include <stdlib.h>

#include "pkt/pkt_heap.h"
#include "tcp/tcp_priv.h"

#define require(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

#define PORT 7u
#define BUF_COUNT 64

struct end {
	struct stream *stream;
	bool closed;
};

static struct {
	const uint8_t *at, *end;
	struct pkt_heap heap;
	struct tcp_lcore *tcp;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t now_ns;
	struct end ends[64];
	unsigned end_count;
	struct tcp_segment last;
	struct pkt_buf bufs[BUF_COUNT];
	unsigned buf_out;
	uint8_t taken; /* how the protocol takes data */
	uint16_t mtu;
	unsigned sent_in_turn;
} s;

static const struct ip_addr here = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}},
			    there = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}};
static uint8_t storage[4096];

static uint8_t next_byte(void)
{
	return s.at < s.end ? *s.at++ : 0;
}

static uint32_t next_word(void)
{
	uint32_t word = 0;
	for (unsigned i = 0; i < 4; i++)
		word = word << 8 | next_byte();
	return word;
}

/* ---- surroundings ---- */

static int path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
		     const struct ip_view *from)
{
	(void)ctx, (void)from;
	memset(path, 0, sizeof *path);
	path->local = ip_addr_is_none(local) ? here : *local;
	path->remote = *remote;
	path->mtu = s.mtu;
	return 0;
}

static void output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	(void)ctx, (void)path, (void)ecn, (void)now_ns;
	require(++s.sent_in_turn < 20000);
	require(tcp_segment_parse(pkt->data, pkt->len_bytes, &s.last).result == WIRE_OK);
	require(pkt_total_bytes(pkt) + 20 <= 9000);
	pkt_drop_frags(pkt);
	pkt_heap_free(pkt);
}

static uint16_t path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	(void)ctx, (void)path, (void)now_ns;
	return s.mtu;
}

static void path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	(void)ctx, (void)remote, (void)now_ns;
	s.mtu = mtu;
}

static void path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	(void)ctx, (void)path, (void)now_ns;
}

/* ---- the protocol ---- */

static void release(struct pkt_buf *buf)
{
	buf->data = NULL;
	s.buf_out--;
}

static void send_some(struct end *end, uint8_t how)
{
	for (unsigned i = 0; i < BUF_COUNT; i++) {
		if (s.bufs[i].data)
			continue;
		s.bufs[i] = (struct pkt_buf){
			.data = storage, .len_bytes = 1 + (uint32_t)how * 16 % 4096, .refs = 1, .release = release};
		s.buf_out++;
		stream_send(end->stream, &s.bufs[i]);
		if (how & 1)
			stream_flush(end->stream);
		return;
	}
}

static void act(struct end *end, uint8_t how)
{
	if (!end->stream)
		return;
	switch (how % 8) {
	case 0:
		stream_abort(end->stream);
		break;
	case 1:
		stream_shutdown(end->stream);
		break;
	case 2:
		stream_resume(end->stream);
		break;
	case 3:
		stream_flush(end->stream);
		break;
	default:
		send_some(end, how);
	}
}

static void on_open(void *ctx)
{
	act(ctx, s.taken >> 4);
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len)
{
	require(len > 0);
	volatile uint8_t sum = 0;
	for (uint32_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + data[i]);
	const uint8_t how = s.taken;
	if (how & 0x80)
		act(ctx, how >> 3 & 7);
	return how & 1 ? len : how & 2 ? len / 2 : 0;
}

static void on_end(void *ctx)
{
	if (s.taken & 0x40)
		act(ctx, s.taken >> 2);
}

static void on_room(void *ctx)
{
	act(ctx, 4);
}

static void on_closed(void *ctx, enum stream_close reason)
{
	(void)reason;
	struct end *end = ctx;
	require(!end->closed);
	end->closed = true;
	end->stream = NULL;
}

static const struct stream_handler handler = {on_open, on_data, on_end, on_room, on_closed};

static bool accept_one(void *ctx, struct stream *stream)
{
	(void)ctx;
	if (s.end_count == 64)
		return false;
	struct end *end = &s.ends[s.end_count++];
	end->stream = stream;
	stream->handler = &handler;
	stream->ctx = end;
	if (s.taken & 0x20)
		act(end, s.taken >> 1);
	return true;
}

/* ---- steps ---- */

static struct tcp_conn *some_conn(uint8_t how)
{
	for (unsigned i = 0; i < s.tcp->limits.connection_count; i++) {
		struct tcp_conn *conn = &s.tcp->conns[(how + i) % s.tcp->limits.connection_count];
		if (conn->node.in_table)
			return conn;
	}
	return NULL;
}

static void segment(uint8_t how)
{
	struct tcp_segment segment = {.source_port = (uint16_t)(1 + how % 3), .destination_port = PORT};
	const struct tcp_conn *conn = how & 0x80 ? some_conn(how) : NULL;
	segment.flags = next_byte();
	segment.window = (uint16_t)(next_byte() << 8 | how);
	uint32_t seq = s.last.ack, ack = s.last.seq + tcp_segment_length(&s.last);
	if (conn) {
		segment.source_port = conn->node.key.remote_port;
		segment.destination_port = conn->node.key.local_port;
		seq = conn->rcv_nxt;
		ack = how & 0x40 ? conn->snd_nxt : conn->snd_una;
	}
	segment.seq = seq + (uint32_t)((int8_t)next_byte() * (how & 0x20 ? 97 : 1));
	segment.ack = ack + (uint32_t)((int8_t)next_byte() * (how & 0x10 ? 1 : 0));
	const uint8_t options = next_byte();
	struct tcp_options *o = &segment.options;
	o->has_timestamps = options & 1;
	o->ts_val = (uint32_t)(s.now_ns / 1000000) + (options & 2 ? next_word() : 0);
	o->ts_ecr = s.last.options.ts_val;
	o->has_mss = options & 4;
	o->mss_bytes = (uint16_t)(options * 37u);
	o->sack_permitted = options & 8;
	o->has_wscale = options & 16;
	o->wscale = options >> 4;
	o->sack_count = options >> 5 & 3;
	for (unsigned i = 0; i < o->sack_count; i++) {
		o->sack[i].start = ack + next_byte() * 64u;
		o->sack[i].end = o->sack[i].start + next_byte() * 64u;
	}
	uint8_t bytes[2048] = {0};
	uint32_t len = tcp_segment_emit(bytes, &segment);
	len += next_byte() * (how & 8 ? 5u : 1u);
	if (how & 4) {
		const uint8_t where = next_byte();
		bytes[where % len] ^= next_byte(); /* also headers that are not sane */
	}
	struct pkt *pkt = pkt_heap_make(&s.heap, bytes, len, 0, how & 2 ? 600 : 0);
	pkt->checksum = PKT_CHECKSUM_GOOD;
	const struct ip_view view = {.src = there, .dst = here, .ecn = options & 3};
	tcp_input(s.tcp, pkt, &view, s.now_ns);
}

static void step(void)
{
	const uint8_t what = next_byte(), how = next_byte();
	switch (what % 12) {
	case 0:
		s.now_ns += (uint64_t)how << (what >> 4);
		s.now_ns += (uint64_t)(what >> 4) * how * 1000000;
		s.sent_in_turn = 0;
		tcp_poll(s.tcp, s.now_ns);
		break;
	case 1:
		tcp_poll(s.tcp, s.now_ns);
		break;
	case 2:
		if (s.end_count)
			act(&s.ends[how % s.end_count], how >> 3);
		break;
	case 3:
		s.taken = how;
		break;
	case 4: {
		const struct tcp_conn *conn = some_conn(how);
		const struct net_icmp_view icmp = {(enum net_error)(how & 3),
						   (uint16_t)(how * 20),
						   here,
						   there,
						   conn ? conn->node.key.local_port : PORT,
						   conn ? conn->node.key.remote_port : 1,
						   conn ? conn->snd_una + next_byte() : 0};
		tcp_icmp(s.tcp, &icmp, s.now_ns);
		break;
	}
	case 5:
		s.heap.count_max = how & 1 ? UINT32_MAX : how >> 1;
		break;
	case 6:
		if (s.end_count < 64) {
			struct end *end = &s.ends[s.end_count++];
			end->stream = tcp_connect(s.tcp, NULL, how & 1 ? 99 : 0, &there, 5, &handler, end, s.now_ns);
		}
		break;
	case 7:
		if (how == 77)
			tcp_abort_all(s.tcp, &here, s.now_ns);
		break;
	default:
		segment(how);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&s, 0, sizeof s);
	s.at = data;
	s.end = data + size;
	s.now_ns = 1000000000;
	s.mtu = 1500;
	s.taken = 1;
	pkt_heap_init(&s.heap);
	struct tcp_env env = {.pool = pkt_heap_pool(&s.heap),
			      .path_open = path_open,
			      .output = output,
			      .path_mtu = path_mtu,
			      .path_set_mtu = path_set_mtu,
			      .path_confirm = path_confirm,
			      .worker_count = 1,
			      .lcore_stats = s.stats};
	const struct tcp_limits limits = {.connection_count = 4,
					  .embryonic_count = 2,
					  .listener_count = 1,
					  .sent_segment_count = 24,
					  .held_packet_count = 16,
					  .held_packet_count_each = 8};
	struct tcp_settings settings;
	tcp_settings_default(&settings);
	const uint8_t policy = next_byte();
	settings.congestion = (enum tcp_congestion)(policy % 3);
	settings.window_bytes_max = policy & 0x40 ? 4 << 20 : 20000;
	s.tcp = tcp_lcore_create(&env, &limits, &settings);
	require(s.tcp && tcp_listen(s.tcp, NULL, PORT, accept_one, NULL) == 0);
	s.tcp->now_ns = s.now_ns;
	for (unsigned i = 0; i < 400 && s.at < s.end; i++) {
		s.sent_in_turn = 0;
		step();
	}
	tcp_lcore_destroy(s.tcp);
	for (unsigned i = 0; i < s.end_count; i++)
		require(!s.ends[i].stream);
	require(s.heap.out_count == 0 && s.buf_out == 0);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions per TCP segment, in process: a connection is fed with segments,
 * acknowledgements or buffers, 32 a turn (or one: "alone"), and what it sends
 * goes nowhere.  Ports compute checksums, but in the cases that say so.  Run
 * under callgrind, which counts inside bench_tcp_measured alone:
 *
 *   valgrind --tool=callgrind --collect-atstart=no --toggle-collect=bench_tcp_measured tcp_insn CASE SEGMENTS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp.h"
#include "util/checksum.h"
#include "wire/tcp.h"

#define BURST 32u
#define PACKET_COUNT 256u
#define ROOM_BYTES 2048u
#define PAYLOAD_BYTES 1448u
#define PORT 10809u

enum kind { RECEIVE, RECEIVE_SUM, ACKNOWLEDGE, ACKNOWLEDGE_ALONE, SEND, SEND_SUM };
static const char *const names[] = {"rx-segment",     "rx-segment-checksum", "pure-ack",
				    "pure-ack-alone", "tx-segment",          "tx-segment-checksum"};

static uint8_t memory[PACKET_COUNT][ROOM_BYTES] __attribute__((aligned(64)));
static struct pkt pkts[PACKET_COUNT];
static struct pkt_frag frags[PACKET_COUNT][PKT_FRAG_COUNT_MAX];
static struct pkt *free_list;
static uint64_t stats[WHERRY_LCORE_STAT_COUNT];
static struct tcp_lcore *tcp;
static struct stream *stream;
static uint64_t now_ns = 1000000000;
static uint32_t peer_seq = 5000, peer_ack;
static uint32_t last_seq; /* of what was sent */
static uint64_t received_bytes, sent_segments;
static bool port_sums; /* checksums of what is sent are the port's work */
static uint8_t storage[65536];
static struct pkt_buf bufs[64];
static const struct ip_addr here = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}},
			    there = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}};

static struct pkt *take(void *ctx, uint16_t port_index)
{
	(void)ctx;
	struct pkt *pkt = free_list;
	free_list = pkt->next;
	pkt->data = pkt->head;
	pkt->len_bytes = 0;
	pkt->port_index = port_index;
	pkt->frag_count = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	return pkt;
}

static void give(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	pkt->next = free_list;
	free_list = pkt;
}

static int path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
		     const struct ip_view *from)
{
	(void)ctx, (void)from;
	memset(path, 0, sizeof *path);
	path->local = *local;
	path->remote = *remote;
	path->mtu = 1500;
	path->checksum_offload = port_sums;
	return 0;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Cheap, because it is counted too. */
static void output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t at_ns)
{
	(void)ctx, (void)path, (void)ecn, (void)at_ns;
	sent_segments++;
	last_seq = get32(pkt->data + 4);
	pkt_drop_frags(pkt);
	give(NULL, pkt);
}

static uint16_t path_mtu(void *ctx, struct net_path *path, uint64_t at_ns)
{
	(void)ctx, (void)path, (void)at_ns;
	return 1500;
}

static void path_confirm(void *ctx, const struct net_path *path, uint64_t at_ns)
{
	(void)ctx, (void)path, (void)at_ns;
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len)
{
	(void)ctx, (void)data;
	received_bytes += len;
	return len;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, enum stream_close reason)
{
	(void)ctx, (void)reason;
	stream = NULL;
}

static const struct stream_handler handler = {nothing, on_data, nothing, nothing, on_closed};

static bool accept_one(void *ctx, struct stream *new_stream)
{
	(void)ctx;
	stream = new_stream;
	stream->handler = &handler;
	return true;
}

static void released(struct pkt_buf *buf)
{
	buf->refs = 0;
}

static struct pkt *build(uint8_t flags, uint32_t payload_bytes, bool verify)
{
	struct tcp_segment segment = {.source_port = 40000,
				      .destination_port = PORT,
				      .seq = peer_seq,
				      .ack = peer_ack,
				      .flags = flags,
				      .window = 65535};
	segment.options.has_timestamps = true;
	segment.options.ts_val = (uint32_t)(now_ns / 1000000);
	if (flags & TCP_SYN) {
		segment.options.has_mss = segment.options.has_wscale = segment.options.sack_permitted = true;
		segment.options.mss_bytes = 1460;
		segment.options.wscale = 7;
	}
	struct pkt *pkt = take(NULL, 0);
	pkt->data += 64;
	pkt->len_bytes = tcp_segment_emit(pkt->data, &segment) + payload_bytes;
	pkt->checksum = verify ? PKT_CHECKSUM_UNKNOWN : PKT_CHECKSUM_GOOD;
	uint64_t sum = checksum_of_be16(6);
	sum = checksum_add(sum, here.b + 12, 4);
	sum = checksum_add(sum, there.b + 12, 4);
	sum = checksum_add64(sum, checksum_of_be16((uint16_t)pkt->len_bytes));
	const uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(sum, pkt->data, pkt->len_bytes));
	memcpy(pkt->data + 16, &checksum, 2);
	peer_seq += payload_bytes + ((flags & TCP_SYN) != 0);
	return pkt;
}

__attribute__((noinline)) void bench_tcp_measured(struct pkt **burst, unsigned count);
void bench_tcp_measured(struct pkt **burst, unsigned count)
{
	static const struct ip_view view = {.src = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}},
					    .dst = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}}};
	for (unsigned i = 0; i < count; i++)
		tcp_input(tcp, burst[i], &view, now_ns);
	tcp_poll(tcp, now_ns);
}

static void input_unmeasured(struct pkt *pkt)
{
	const struct ip_view view = {.src = there, .dst = here};
	tcp_input(tcp, pkt, &view, now_ns);
}

static void queue(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct pkt_buf *buf = &bufs[i];
		*buf = (struct pkt_buf){.data = storage, .len_bytes = PAYLOAD_BYTES, .refs = 1, .release = released};
		stream_send(stream, buf);
	}
	stream_flush(stream);
}

static void turn(enum kind kind, unsigned count)
{
	struct pkt *burst[BURST];
	now_ns += 100000;
	if (kind == RECEIVE || kind == RECEIVE_SUM) {
		for (unsigned i = 0; i < count; i++)
			burst[i] = build(TCP_ACK, PAYLOAD_BYTES, kind == RECEIVE_SUM);
		bench_tcp_measured(burst, count);
		return;
	}
	/* Segments out, each acknowledged alone: one of the two is measured. */
	const bool sends = kind == SEND || kind == SEND_SUM;
	queue(count);
	if (sends)
		bench_tcp_measured(NULL, 0);
	else
		tcp_poll(tcp, now_ns);
	now_ns += 50000;
	for (unsigned i = 0; i < count; i++) {
		peer_ack += PAYLOAD_BYTES;
		burst[i] = build(TCP_ACK, 0, false);
		if (sends)
			input_unmeasured(burst[i]);
	}
	if (!sends)
		bench_tcp_measured(burst, count);
	else
		tcp_poll(tcp, now_ns);
}

static int run(enum kind kind, unsigned segments)
{
	port_sums = kind != SEND_SUM;
	for (unsigned i = 0; i < PACKET_COUNT; i++) {
		pkts[i] = (struct pkt){.head = memory[i], .room_bytes = ROOM_BYTES, .frags = frags[i]};
		give(NULL, &pkts[i]);
	}
	const struct tcp_env env = {.pool = {NULL, take, give},
				    .path_open = path_open,
				    .output = output,
				    .path_mtu = path_mtu,
				    .path_confirm = path_confirm,
				    .worker_count = 1,
				    .lcore_stats = stats};
	const struct tcp_limits limits = {64, 16, 4, 4096, 1024, 512};
	struct tcp_settings settings;
	tcp_settings_default(&settings);
	tcp = tcp_lcore_create(&env, &limits, &settings);
	if (!tcp || tcp_listen(tcp, NULL, PORT, accept_one, NULL))
		return 1;
	input_unmeasured(build(TCP_SYN, 0, true));
	peer_ack = last_seq + 1;
	input_unmeasured(build(TCP_ACK, 0, true));
	for (unsigned i = 0; i < 64; i++)
		turn(ACKNOWLEDGE, i < BURST - 8 ? 8 + i : BURST);    /* the window opens */
	const unsigned each = kind == ACKNOWLEDGE_ALONE ? 1 : BURST; /* of a turn */
	for (unsigned i = 0; i < segments / each; i++)
		turn(kind, each);
	if (!stream || stats[WHERRY_LCORE_tcp_retransmits] ||
	    ((kind == RECEIVE || kind == RECEIVE_SUM) && received_bytes != (uint64_t)segments * PAYLOAD_BYTES)) {
		fprintf(stderr, "tcp_insn: the connection did not do what it should\n");
		return 1;
	}
	tcp_lcore_destroy(tcp);
	return 0;
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 3 && i < sizeof names / sizeof *names; i++)
		if (!strcmp(argv[1], names[i]))
			return run((enum kind)i, (unsigned)strtoul(argv[2], NULL, 0));
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		puts(names[i]);
	return argc == 2 && !strcmp(argv[1], "--list") ? 0 : 2;
}

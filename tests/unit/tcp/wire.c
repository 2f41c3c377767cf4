/* SPDX-License-Identifier: BSD-3-Clause */
/* Two stacks joined by a wire on a virtual clock. */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/checksum.h"

#define require(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

uint64_t wire_random(struct wire *wire)
{
	wire->random ^= wire->random << 13;
	wire->random ^= wire->random >> 7;
	wire->random ^= wire->random << 17;
	return wire->random * 0x2545f4914f6cdd1dull;
}

static bool draw(struct wire *wire, uint32_t ppm)
{
	return ppm && wire_random(wire) % 1000000 < ppm;
}

static uint32_t header_bytes(const struct wire *wire)
{
	return wire->rules.v6 ? 40 : 20;
}

/* ---- surroundings of a stack ---- */

static int path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
		     const struct ip_view *from)
{
	struct endpoint *end = ctx;
	(void)from;
	memset(path, 0, sizeof *path);
	path->local = ip_addr_is_none(local) ? end->addr : *local;
	path->remote = *remote;
	path->mtu = end->mtu;
	path->checksum_offload = end->checksum_offload;
	return ip_addr_equal(&path->local, &end->addr) ? 0 : -EADDRNOTAVAIL;
}

static uint16_t path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	(void)path, (void)now_ns;
	return ((struct endpoint *)ctx)->mtu;
}

static void path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	(void)remote, (void)now_ns;
	((struct endpoint *)ctx)->mtu = mtu;
}

static void path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	(void)path, (void)now_ns;
	((struct endpoint *)ctx)->confirmed++;
}

static void fly(struct wire *wire, struct pkt *pkt, unsigned to, enum ip_ecn ecn, uint64_t at_ns)
{
	require(wire->flight_count < FLIGHT_MAX);
	unsigned i = wire->flight_count++;
	const uint64_t order = wire->order++;
	/* A heap by time, then by order. */
	while (i) {
		const unsigned up = (i - 1) / 2;
		if (wire->flights[up].at_ns <= at_ns)
			break;
		wire->flights[i] = wire->flights[up];
		i = up;
	}
	wire->flights[i] = (struct flight){at_ns, order, pkt, (uint8_t)to, (uint8_t)ecn};
}

static bool flies_before(const struct flight *a, const struct flight *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static struct flight land(struct wire *wire)
{
	/* The heap orders times only; among equals the earliest is looked for. */
	unsigned best = 0;
	for (unsigned i = 1; i < wire->flight_count && i < 64; i++)
		if (flies_before(&wire->flights[i], &wire->flights[best]))
			best = i;
	const struct flight first = wire->flights[best];
	require(first.at_ns == wire->flights[0].at_ns);
	struct flight last = wire->flights[--wire->flight_count];
	unsigned i = best;
	if (i == wire->flight_count)
		return first;
	while (i && flies_before(&last, &wire->flights[(i - 1) / 2])) {
		wire->flights[i] = wire->flights[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	for (;;) {
		unsigned child = 2 * i + 1;
		if (child >= wire->flight_count)
			break;
		if (child + 1 < wire->flight_count && flies_before(&wire->flights[child + 1], &wire->flights[child]))
			child++;
		if (!flies_before(&wire->flights[child], &last))
			break;
		wire->flights[i] = wire->flights[child];
		i = child;
	}
	wire->flights[i] = last;
	return first;
}

static struct pkt *copy_linear(struct wire *wire, unsigned to, const struct pkt *pkt)
{
	uint8_t bytes[65536];
	uint32_t len = pkt->len_bytes;
	memcpy(bytes, pkt->data, len);
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		memcpy(bytes + len, pkt->frags[i].data, pkt->frags[i].len_bytes);
		len += pkt->frags[i].len_bytes;
	}
	return pkt_heap_make(&wire->ends[to].heap, bytes, len, 0, 512);
}

/* A SYN without some of its options. */
static struct pkt *strip(struct wire *wire, unsigned from, struct pkt *pkt, struct tcp_segment *segment)
{
	const struct wire_rules *rules = &wire->rules;
	struct tcp_options *o = &segment->options;
	if (!(segment->flags & TCP_SYN) || !(rules->strip_sack || rules->strip_timestamps || rules->strip_wscale))
		return pkt;
	o->sack_permitted &= !rules->strip_sack;
	o->has_timestamps &= !rules->strip_timestamps;
	o->has_wscale &= !rules->strip_wscale;
	uint8_t bytes[TCP_HEADER_BYTES_MAX];
	struct pkt *stripped = pkt_heap_make(pkt->priv, bytes, tcp_segment_emit(bytes, segment), 0, 0);
	tcp_fill_checksum(stripped, tcp_pseudo_sum(&wire->ends[from].addr, &wire->ends[!from].addr));
	pkt_heap_free(pkt);
	return stripped;
}

static void tell_too_big(struct wire *wire, unsigned from, const struct tcp_segment *segment)
{
	if (!wire->icmp)
		return;
	const struct net_icmp_view icmp = {
		.error = NET_ERROR_TOO_BIG,
		.mtu = (uint16_t)wire->path_mtu,
		.local = wire->ends[from].addr,
		.remote = wire->ends[!from].addr,
		.local_port = segment->source_port,
		.remote_port = segment->destination_port,
		.seq = segment->seq,
	};
	tcp_icmp(wire->ends[from].tcp, &icmp, wire->now_ns);
}

static void log_segment(const struct wire *wire, unsigned from, const struct tcp_segment *s, const char *what)
{
	if (!wire->log)
		return;
	fprintf(stderr, "%12.6f %s %02x seq %u+%u ack %u win %u", (double)wire->now_ns / 1e9, from ? "C>S" : "S>C",
		s->flags, s->seq, s->payload_bytes, s->ack, s->window);
	for (unsigned i = 0; i < s->options.sack_count; i++)
		fprintf(stderr, " [%u,%u)", s->options.sack[i].start, s->options.sack[i].end);
	fprintf(stderr, " %s\n", what);
}

/* Time at which the bottleneck has passed it on; UINT64_MAX: its queue is full. */
static uint64_t through_bottleneck(struct wire *wire, struct endpoint *end, uint32_t bytes, enum ip_ecn *ecn)
{
	const struct wire_rules *rules = &wire->rules;
	if (!rules->byte_ps)
		return wire->now_ns;
	if (end->link_free_ns < wire->now_ns)
		end->link_free_ns = wire->now_ns;
	const uint64_t queued = (end->link_free_ns - wire->now_ns) * 1000 / rules->byte_ps;
	if (rules->queue_bytes && queued + bytes > rules->queue_bytes)
		return UINT64_MAX;
	if (rules->mark_bytes && queued > rules->mark_bytes && *ecn != IP_ECN_NOT_ECT)
		*ecn = IP_ECN_CE;
	end->link_free_ns += bytes * rules->byte_ps / 1000;
	return end->link_free_ns;
}

static void output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	struct endpoint *end = ctx;
	struct wire *wire = end->wire;
	const unsigned from = (unsigned)(end - wire->ends), to = !from;
	(void)path;
	require(now_ns == wire->now_ns);
	require(pkt_headroom_bytes(pkt) >= NET_HEADROOM_BYTES);
	if (pkt->checksum == PKT_CHECKSUM_PARTIAL) {
		require(end->checksum_offload);
		end->partial_count++;
		pkt_finish_checksum(pkt);
	}
	struct pkt *copy = copy_linear(wire, to, pkt);
	pkt_drop_frags(pkt);
	pkt_heap_free(pkt);
	struct tcp_segment segment;
	require(tcp_segment_parse(copy->data, copy->len_bytes, &segment).result == WIRE_OK);
	uint64_t sum = tcp_pseudo_sum(&wire->ends[to].addr, &end->addr);
	sum = checksum_add64(sum, checksum_of_be16((uint16_t)copy->len_bytes));
	require(checksum_fold(checksum_add(sum, copy->data, copy->len_bytes)) == 0xffff);
	require(copy->len_bytes + header_bytes(wire) <= 1500 || copy->len_bytes + header_bytes(wire) <= end->mtu);
	end->sent_count++;
	end->last_sent = segment;
	copy = strip(wire, from, copy, &segment);
	const bool keep = !wire->hook || wire->hook(wire, from, copy, &segment);
	if (wire->path_mtu && copy->len_bytes + header_bytes(wire) > wire->path_mtu) {
		log_segment(wire, from, &segment, "TOO BIG");
		pkt_heap_free(copy);
		tell_too_big(wire, from, &segment);
		return;
	}
	const uint64_t passed_ns = through_bottleneck(wire, end, copy->len_bytes + header_bytes(wire), &ecn);
	if (!keep || passed_ns == UINT64_MAX || draw(wire, wire->rules.loss_ppm)) {
		log_segment(wire, from, &segment, "LOST");
		pkt_heap_free(copy);
		return;
	}
	log_segment(wire, from, &segment, "");
	const unsigned copies = draw(wire, wire->rules.repeat_ppm) ? 2 : 1;
	for (unsigned i = 0; i < copies; i++) {
		struct pkt *one = i ? pkt_heap_make(&wire->ends[to].heap, copy->data, copy->len_bytes, 0, 512) : copy;
		if (draw(wire, wire->rules.damage_ppm))
			one->data[wire_random(wire) % one->len_bytes] ^= (uint8_t)(1 + wire_random(wire) % 255);
		const uint64_t jitter_ns = wire->rules.jitter_ns ? wire_random(wire) % wire->rules.jitter_ns : 0;
		fly(wire, one, to, ecn, passed_ns + wire->rules.delay_ns + jitter_ns);
	}
}

/* ---- the wire ---- */

void wire_init(struct wire *wire, uint64_t seed)
{
	memset(wire, 0, sizeof *wire);
	wire->random = seed * 0x9e3779b97f4a7c15ull + 1;
	wire->now_ns = 1000 * SECOND + seed * 12345;
	wire->rules.delay_ns = 5 * MS;
	for (unsigned i = 0; i < 2; i++) {
		struct endpoint *end = &wire->ends[i];
		end->wire = wire;
		end->mtu = 1500;
		pkt_heap_init(&end->heap);
		tcp_settings_default(&end->settings);
	}
}

void wire_start(struct wire *wire)
{
	const struct tcp_limits limits = {.connection_count = 64,
					  .embryonic_count = 8,
					  .listener_count = 4,
					  .sent_segment_count = 8192,
					  .held_packet_count = 4096,
					  .held_packet_count_each = 2048};
	for (unsigned i = 0; i < 2; i++) {
		struct endpoint *end = &wire->ends[i];
		if (wire->rules.v6)
			end->addr = (struct ip_addr){.b = {0xfd, [15] = (uint8_t)(i + 1)}};
		else
			end->addr = ip_addr_v4((const uint8_t[4]){10, 0, 0, (uint8_t)(i + 1)});
		struct tcp_env env = {
			.ctx = end,
			.pool = pkt_heap_pool(&end->heap),
			.path_open = path_open,
			.output = output,
			.path_mtu = path_mtu,
			.path_set_mtu = path_set_mtu,
			.path_confirm = path_confirm,
			.worker_count = 1,
			.lcore_stats = end->stats,
		};
		for (unsigned b = 0; b < sizeof env.secret; b++)
			env.secret[b] = (uint8_t)wire_random(wire);
		end->tcp = tcp_lcore_create(&env, &limits, &end->settings);
		require(end->tcp);
		end->tcp->now_ns = wire->now_ns;
	}
}

void wire_fini(struct wire *wire)
{
	while (wire->flight_count)
		pkt_heap_free(wire->flights[--wire->flight_count].pkt);
	for (unsigned i = 0; i < 2; i++) {
		const struct tcp_lcore *tcp = wire->ends[i].tcp;
		uint32_t held = 0;
		for (uint32_t c = 0; c < tcp->limits.connection_count; c++)
			held += tcp->conns[c].held_count;
		require(held + tcp->free_held_count == tcp->limits.held_packet_count);
		tcp_lcore_destroy(wire->ends[i].tcp);
		require(wire->ends[i].heap.out_count == 0);
	}
}

void wire_turn(struct wire *wire, unsigned end)
{
	tcp_poll(wire->ends[end].tcp, wire->now_ns);
}

bool wire_step(struct wire *wire, uint64_t until_ns)
{
	uint64_t next_ns = wire->flight_count ? wire->flights[0].at_ns : UINT64_MAX;
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t due_ns = tcp_next_due_ns(wire->ends[i].tcp);
		if (due_ns < next_ns)
			next_ns = due_ns;
	}
	if (next_ns > until_ns) {
		wire->now_ns = until_ns;
		return next_ns != UINT64_MAX;
	}
	if (next_ns > wire->now_ns)
		wire->now_ns = next_ns;
	for (unsigned n = 0; wire->flight_count && wire->flights[0].at_ns <= wire->now_ns && n < 32; n++) {
		const struct flight flight = land(wire);
		const struct ip_view view = {
			.src = wire->ends[!flight.to].addr, .dst = wire->ends[flight.to].addr, .ecn = flight.ecn};
		tcp_input(wire->ends[flight.to].tcp, flight.pkt, &view, wire->now_ns);
	}
	wire_turn(wire, 0);
	wire_turn(wire, 1);
	return true;
}

void wire_run(struct wire *wire, uint64_t for_ns)
{
	const uint64_t until_ns = wire->now_ns + for_ns;
	for (unsigned steps = 0; wire->now_ns < until_ns; steps++) {
		require(steps < 50000000);
		wire_step(wire, until_ns);
	}
}

bool wire_until(struct wire *wire, bool (*condition)(void *ctx), void *ctx, uint64_t for_ns)
{
	const uint64_t until_ns = wire->now_ns + for_ns;
	while (!condition(ctx)) {
		if (wire->now_ns >= until_ns)
			return false;
		wire_step(wire, until_ns);
	}
	return true;
}

void wire_inject(struct wire *wire, unsigned to, const struct tcp_segment *segment, const void *payload,
		 uint32_t payload_bytes)
{
	wire_inject_ecn(wire, to, segment, payload, payload_bytes, IP_ECN_NOT_ECT);
}

void wire_inject_ecn(struct wire *wire, unsigned to, const struct tcp_segment *segment, const void *payload,
		     uint32_t payload_bytes, enum ip_ecn ecn)
{
	uint8_t bytes[65536];
	struct tcp_segment copy = *segment;
	const uint32_t len = tcp_segment_emit(bytes, &copy) + payload_bytes;
	if (payload_bytes)
		memcpy(bytes + len - payload_bytes, payload, payload_bytes);
	struct pkt *pkt = pkt_heap_make(&wire->ends[to].heap, bytes, len, 0, 64);
	const struct ip_view view = {.src = wire->ends[!to].addr, .dst = wire->ends[to].addr, .ecn = (uint8_t)ecn};
	tcp_fill_checksum(pkt, tcp_pseudo_sum(&view.dst, &view.src));
	tcp_input(wire->ends[to].tcp, pkt, &view, wire->now_ns);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "router.h"

#include <string.h>

#include "flows.h"
#include "frame.h"
#include "neighbour.h"

#define ROUND_NS SEC
#define ROUND_GAP_MAX_NS (65 * SEC)
#define ROUNDS_MAX 8u
#define ROUNDS_MAX_CALM 3u

void station_mac(uint8_t mac[6], char kind, unsigned number, unsigned version)
{
	const uint8_t bytes[6] = {0x02, 0x57, (uint8_t)version, 0, (uint8_t)kind, (uint8_t)number};
	memcpy(mac, bytes, 6);
}

void router_addr(uint8_t addr[16], bool v4, enum fabric_segment segment, uint8_t number)
{
	memset(addr, 0, 16);
	if (v4) {
		addr[0] = 10;
		addr[1] = (uint8_t)segment;
		addr[3] = number;
	} else {
		addr[0] = 0xfd;
		addr[7] = (uint8_t)segment;
		addr[15] = number;
	}
}

/* The segment of an address; FABRIC_SEGMENT_COUNT: none of them. */
static enum fabric_segment segment_of(const struct frame_ip *ip)
{
	const unsigned segment = ip->v4 ? ip->dst[1] : ip->dst[7];
	if (ip->dst[0] != (ip->v4 ? 10 : 0xfd) || segment >= FABRIC_SEGMENT_COUNT)
		return FABRIC_SEGMENT_COUNT;
	return (enum fabric_segment)segment;
}

void router_learn(struct router *router, enum fabric_segment segment, uint8_t number, const uint8_t mac[6])
{
	router->kinds[segment][number] = mac[4];
	router->macs[segment][number] = mac[2];
}

/* Told in so many rounds, of which each was lost with the next: this cannot be chance. */
static void check_told(struct router *router, const struct frame_ip *ip)
{
	const uint64_t now_ns = router->sim->now_ns;
	if (ip->protocol != 6 || ip->payload_bytes < 20)
		return;
	const unsigned ports = get16(ip->payload) ^ get16(ip->payload + 2);
	struct router_told *told = &router->told[(ports ^ ip->src[ip->v4 ? 3 : 15]) % FLOW_SLOTS];
	if (now_ns - told->when_ns > ROUND_GAP_MAX_NS)
		told->rounds = 0;
	/* One that was told of is sent again, or a later one; what is older has been under way for seconds. */
	const uint32_t seq = get32(ip->payload + 4);
	if (told->rounds && (now_ns - told->when_ns < ROUND_NS || (int32_t)(seq - told->seq) < 0))
		return;
	told->seq = seq;
	told->when_ns = now_ns;
	if (++told->rounds == (router->is_calm ? ROUNDS_MAX_CALM : ROUNDS_MAX))
		sim_fail(router->sim, "number %u was told %u times that what it sends is too long",
			 ip->src[ip->v4 ? 3 : 15], told->rounds);
}

static void tell_too_big(struct router *router, struct fabric_end *end, const uint8_t *frame, const struct frame_ip *ip)
{
	uint8_t bytes[FRAME_HEAD_BYTES + 1240] = {0}, own[16];
	const enum fabric_segment segment = (enum fabric_segment)end->segment;
	uint8_t *icmp = bytes + FRAME_HEAD_BYTES;
	const uint32_t header_bytes = ip->v4 ? 20 : 40;
	uint32_t quote_bytes = header_bytes + ip->payload_bytes, len_bytes;
	if (quote_bytes > (ip->v4 ? 28u : 1232u))
		quote_bytes = ip->v4 ? 28 : 1232;
	router_addr(own, ip->v4, segment, ROUTER_NUMBER);
	icmp[0] = ip->v4 ? 3 : 2;
	icmp[1] = ip->v4 ? 4 : 0;
	put32(icmp + 4, router->manner == ROUTER_TELLS || !ip->v4 ? router->path_mtu : 0);
	memcpy(icmp + 8, frame + 14, quote_bytes);
	const struct frame_ip back = {ip->v4, own, ip->src, ip->v4 ? 1 : 58, icmp, 8 + quote_bytes};
	put16(icmp + 2, ip->v4 ? (uint16_t)~frame_sum(0, icmp, 8 + quote_bytes) : frame_checksum(&back));
	router->told_count++;
	check_told(router, ip);
	const uint8_t *out = frame_build(bytes, &back, frame + 6, end->mac, &len_bytes);
	fabric_send(router->fabric, end, out, len_bytes);
}

static void forward(struct router *router, struct fabric_end *from, const uint8_t *frame, uint32_t len_bytes,
		    const struct frame_ip *ip)
{
	uint8_t bytes[FABRIC_FRAME_BYTES_MAX];
	const enum fabric_segment segment = segment_of(ip);
	if (segment == FABRIC_SEGMENT_COUNT || segment == from->segment)
		return;
	const uint32_t total = ip->payload_bytes + (ip->v4 ? 20 : 40);
	if (total > router->path_mtu) {
		flows_harm(router->fabric->flows, frame, len_bytes, "too big");
		if (router->manner != ROUTER_SILENT)
			tell_too_big(router, from, frame, ip);
		return;
	}
	if (ip->v4 && frame_sum(0, frame + 14, 20) != 0xffff)
		return;
	memcpy(bytes, frame, len_bytes);
	if (ip->v4) {
		bytes[14 + 8]--;
		put16(bytes + 14 + 10, 0);
		put16(bytes + 14 + 10, (uint16_t)~frame_sum(0, bytes + 14, 20));
	} else {
		bytes[14 + 7]--;
	}
	const uint8_t number = ip->dst[ip->v4 ? 3 : 15];
	struct fabric_end *to = &router->ends[segment];
	station_mac(bytes, (char)router->kinds[segment][number], number, router->macs[segment][number]);
	memcpy(bytes + 6, to->mac, 6);
	fabric_send(router->fabric, to, bytes, len_bytes);
}

static void on_frame(struct sim *sim, void *ctx, const uint8_t *frame, uint32_t len_bytes)
{
	struct fabric_end *end = ctx;
	struct router *router = (struct router *)(void *)((char *)(end - end->segment) - offsetof(struct router, ends));
	uint8_t answer[NEIGHBOUR_FRAME_BYTES];
	uint8_t addrs[2][16];
	struct frame_ip ip;
	(void)sim;
	for (unsigned v4 = 0; v4 < 2; v4++)
		router_addr(addrs[v4], v4, (enum fabric_segment)end->segment, ROUTER_NUMBER);
	const uint32_t answer_bytes = neighbour_answer(answer, frame, len_bytes, addrs[1], addrs[0], end->mac, true);
	if (answer_bytes)
		fabric_send(router->fabric, end, answer, answer_bytes);
	else if (memcmp(frame, end->mac, 6) == 0 && frame_ip_parse(frame, len_bytes, &ip))
		forward(router, end, frame, len_bytes, &ip);
}

static void set_macs(struct router *router)
{
	for (unsigned i = 0; i < FABRIC_SEGMENT_COUNT; i++)
		station_mac(router->ends[i].mac, 'R', i, router->takeovers);
}

void router_init(struct router *router, struct sim *sim, struct fabric *fabric, uint32_t mtu)
{
	*router = (struct router){.sim = sim, .fabric = fabric, .path_mtu = mtu};
	set_macs(router);
	for (unsigned i = 0; i < FABRIC_SEGMENT_COUNT; i++) {
		router->ends[i].segment = (uint8_t)i;
		router->ends[i].mtu = mtu;
		router->ends[i].ctx = &router->ends[i];
		router->ends[i].deliver = on_frame;
		fabric_attach(fabric, &router->ends[i]);
	}
}

void router_calm(struct router *router)
{
	memset(router->told, 0, sizeof router->told);
	router->is_calm = true;
}

void router_fail_over(struct router *router)
{
	uint8_t frame[NEIGHBOUR_FRAME_BYTES], addr[16];
	router->takeovers++;
	set_macs(router);
	sim_trace(router->sim, "router: another one takes over");
	for (unsigned i = 0; i < 2 * FABRIC_SEGMENT_COUNT; i++) {
		struct fabric_end *end = &router->ends[i / 2];
		router_addr(addr, i % 2, (enum fabric_segment)end->segment, ROUTER_NUMBER);
		const uint32_t len_bytes = neighbour_announce(frame, i % 2, addr, end->mac, true);
		fabric_send(router->fabric, end, frame, len_bytes);
	}
}

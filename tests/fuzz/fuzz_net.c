/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of any kind against a live stack: addresses of both families, two
 * VLANs, flows that send, a clock that runs.  The input is a list of
 * {seconds and port flags, length, frame}; each frame lies in an allocation of
 * its size.  No packet may be lost, and what is sent must be sane.
 */
#include <stdlib.h>
#include <string.h>

#include "net/net.h"
#include "pkt/pkt_heap.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_COUNT_MAX 64

struct world {
	struct pkt_heap heap;
	struct net_lcore *net;
	uint64_t now_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void output(void *ctx, struct pkt *pkt)
{
	struct ipv4_header v4;
	struct ipv6_header v6;
	struct arp_packet arp;
	uint16_t type, tci;
	(void)ctx;
	const uint32_t at = eth_payload_offset(pkt->data, pkt->len_bytes, &type, &tci);
	require(at != 0 && pkt->len_bytes >= ETH_FRAME_BYTES_MIN && !eth_addr_is_group(eth_src(pkt->data)));
	if (type == IPV4_ETHERTYPE)
		require(ipv4_parse(pkt->data + at, pkt->len_bytes - at, true, &v4).result == WIRE_OK);
	else if (type == IPV6_ETHERTYPE)
		require(ipv6_parse(pkt->data + at, pkt->len_bytes - at, &v6).result == WIRE_OK);
	else
		require(type == ARP_ETHERTYPE &&
			arp_parse(pkt->data + at, pkt->len_bytes - at, &arp).result == WIRE_OK);
	pkt_heap_free(pkt);
}

static void tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	struct world *world = ctx;
	struct net_path path;
	(void)now_ns;
	uint8_t sum = 0;
	for (uint32_t i = 0; i < pkt->len_bytes; i++)
		sum = (uint8_t)(sum + pkt->data[i]);
	/* Answer by the way it came, as a transport does. */
	if (net_path_open(world->net, &path, &view->dst, &view->src, view) == 0) {
		const uint8_t answer[20] = {sum};
		struct pkt *out = pkt_heap_make(&world->heap, answer, sizeof answer, NET_HEADROOM_BYTES, 26);
		require(path.mtu >= 552);
		net_output(world->net, &path, out, IP_PROTOCOL_TCP, view->ecn, world->now_ns);
		net_path_confirm(world->net, &path, world->now_ns);
	}
	pkt_heap_free(pkt);
}

static void tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	struct world *world = ctx;
	if (icmp->error == NET_ERROR_TOO_BIG)
		net_path_set_mtu(world->net, &icmp->remote, icmp->mtu, now_ns);
}

static struct net_config *configure(void)
{
	const struct net_address addresses[] = {
		{0, 0, ip_addr_v4((const uint8_t[]){192, 0, 2, 1}), 24, true},
		{0, 0, {{0x20, 1, 0xd, 0xb8, [15] = 1}}, 64, false},
		{0, 7, ip_addr_v4((const uint8_t[]){198, 51, 100, 1}), 30, false},
	};
	const struct net_route route = {ip_addr_v4((const uint8_t[]){0, 0, 0, 0}), 0,
					ip_addr_v4((const uint8_t[]){192, 0, 2, 254})};
	const struct net_settings settings = {
		.addresses = addresses,
		.address_count = 3,
		.routes = &route,
		.route_count = 1,
		.ports = {[0] = {{2, 0, 0, 0, 0, 1}, 1500, true, true, true, true}},
	};
	char error[200];
	return net_config_create(&settings, error, sizeof error);
}

static void frame(struct world *world, const uint8_t *bytes, uint32_t len, bool learn)
{
	struct eth_filter filter = {{2, 0, 0, 0, 0, 1}, {0}};
	struct eth_view eth;
	uint32_t hash;
	eth_filter_add_vlan(&filter, 7);
	struct pkt *pkt = pkt_heap_make(&world->heap, bytes, len, 0, 0);
	if (eth_parse(pkt->data, len, &filter, &eth) != ETH_ACCEPT) {
		pkt_heap_free(pkt);
		return;
	}
	net_peek_flow(pkt->data, len, &eth, &hash);
	if (learn && net_frame_is_for_all(pkt->data, len, &eth))
		net_learn(world->net, pkt, &eth, world->now_ns);
	if (net_input(world->net, pkt, &eth, world->now_ns) == NET_PUNT) {
		require(pkt->len_bytes == len && memcmp(pkt->data, bytes, len) == 0);
		pkt_heap_free(pkt);
	}
}

static void decoders(const uint8_t *data, uint32_t len)
{
	uint8_t *exact = malloc(len ? len : 1), out[64];
	struct nd_message nd;
	struct icmp_quote quote;
	struct arp_packet arp;
	require(exact != NULL);
	memcpy(exact, data, len);
	if (nd_parse(exact, len, &nd).result == WIRE_OK && nd.type != ICMPV6_ROUTER_ADVERTISEMENT)
		require(nd_emit(out, sizeof out, &nd) >= ICMP_HEADER_BYTES);
	require(icmp_quote_parse(exact, len, true, &quote).result != WIRE_OK || quote.v4);
	require(icmp_quote_parse(exact, len, false, &quote).result != WIRE_OK || !quote.v4);
	if (arp_parse(exact, len, &arp).result == WIRE_OK)
		require(arp_emit(out, sizeof out, &arp) == ARP_PACKET_BYTES &&
			memcmp(out, exact, ARP_PACKET_BYTES) == 0);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {.now_ns = 1000000000};
	pkt_heap_init(&world.heap);
	world.heap.room_bytes = 2048;
	world.heap.headroom_bytes = NET_HEADROOM_BYTES;
	world.heap.count_max = 64;
	const struct net_env env = {&world, pkt_heap_pool(&world.heap), output, tcp_input, tcp_icmp, world.stats, 1};
	struct net_config *config = configure();
	world.net = net_lcore_create(&env, 8, 8);
	require(config && world.net);
	net_set_config(world.net, config, true, world.now_ns);
	for (unsigned i = 0; i < FRAME_COUNT_MAX && size >= 3; i++) {
		const uint8_t head = data[0];
		uint32_t len = (uint32_t)(data[1] << 8 | data[2]);
		data += 3;
		size -= 3;
		len = len > size ? (uint32_t)size : len;
		world.now_ns += (head & 0x3f) * 250000000ull;
		net_poll(world.net, world.now_ns);
		decoders(data, len);
		frame(&world, data, len, head & 0x40);
		if (head & 0x80)
			net_on_link_up(world.net, 0, world.now_ns);
		data += len;
		size -= len;
	}
	net_set_config(world.net, NULL, true, world.now_ns);
	net_lcore_destroy(world.net);
	net_config_destroy(config);
	require(world.heap.out_count == 0);
	return 0;
}

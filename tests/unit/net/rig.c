/* SPDX-License-Identifier: BSD-3-Clause */
/* One stack on a heap pool. */
#include "rig.h"

#include <criterion/criterion.h>
#include <string.h>

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

const uint8_t rig_mac[6] = {2, 0, 0, 0, 0, 1}, rig_peer[6] = {2, 0, 0, 0, 0, 9};

static void output(void *ctx, struct pkt *pkt)
{
	struct rig *rig = ctx;
	cr_assert_lt(rig->out_count, RIG_FRAME_COUNT_MAX);
	struct rig_frame *frame = &rig->out[rig->out_count++];
	frame->ip_offset = pkt->ip_offset;
	frame->was_partial = pkt->checksum == PKT_CHECKSUM_PARTIAL;
	pkt_finish_checksum(pkt);
	if (pkt->frag_count)
		pkt_linearise(pkt);
	cr_assert_leq(pkt->len_bytes, RIG_FRAME_BYTES_MAX);
	frame->len = pkt->len_bytes;
	frame->port_index = pkt->port_index;
	memcpy(frame->bytes, pkt->data, pkt->len_bytes);
	pkt_heap_free(pkt);
}

static void tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	struct rig *rig = ctx;
	(void)now_ns;
	rig->tcp_count++;
	rig->tcp_view = *view;
	rig->tcp_len = pkt->len_bytes;
	memcpy(rig->tcp, pkt->data, pkt->len_bytes);
	pkt_heap_free(pkt);
}

static void tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	struct rig *rig = ctx;
	(void)now_ns;
	rig->icmp_count++;
	rig->icmp = *icmp;
}

struct ip_addr rig_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return ip_addr_v4((const uint8_t[4]){a, b, c, d});
}

struct ip_addr rig_v6(uint16_t first, uint16_t second, uint16_t last)
{
	return (struct ip_addr){{(uint8_t)(first >> 8), (uint8_t)first, (uint8_t)(second >> 8),
				 (uint8_t)second, [14] = (uint8_t)(last >> 8), [15] = (uint8_t)last}};
}

struct net_settings rig_settings(void)
{
	static struct net_address addresses[3];
	static struct net_route routes[2];
	addresses[0] = (struct net_address){0, 0, rig_v4(192, 0, 2, 1), 24, true};
	addresses[1] = (struct net_address){0, 0, rig_v6(0x2001, 0xdb8, 1), 64, true};
	addresses[2] = (struct net_address){0, 7, rig_v4(198, 51, 100, 1), 24, true};
	routes[0] = (struct net_route){rig_v4(0, 0, 0, 0), 0, rig_v4(192, 0, 2, 254)};
	routes[1] = (struct net_route){rig_v4(203, 0, 113, 0), 24, rig_v4(198, 51, 100, 254)};
	struct net_settings settings = {
		.addresses = addresses,
		.address_count = 3,
		.routes = routes,
		.route_count = 2,
		.ports = {[0] = {.mtu = 1500, .present = true}},
	};
	memcpy(settings.ports[0].mac, rig_mac, 6);
	return settings;
}

void rig_init(struct rig *rig, const struct net_settings *settings)
{
	char error[200] = "";
	*rig = (struct rig){.now_ns = 1000 * RIG_S};
	pkt_heap_init(&rig->heap);
	rig->heap.room_bytes = 2048;
	rig->heap.headroom_bytes = NET_HEADROOM_BYTES;
	const struct net_env env = {
		.ctx = rig,
		.pool = pkt_heap_pool(&rig->heap),
		.output = output,
		.tcp_input = tcp_input,
		.tcp_icmp = tcp_icmp,
		.lcore_stats = rig->stats,
		.secret = 0x5eed,
	};
	rig->net = net_lcore_create(&env, 64, 40);
	cr_assert_not_null(rig->net);
	const struct net_settings usual = rig_settings();
	rig->config = net_config_create(settings ? settings : &usual, error, sizeof error);
	cr_assert_not_null(rig->config, "%s", error);
	net_set_config(rig->net, rig->config, true, rig->now_ns);
	if (settings)
		return;
	rig_run(rig, 10 * RIG_S);
	rig_forget(rig);
	memset(rig->stats, 0, sizeof rig->stats);
}

void rig_fini(struct rig *rig)
{
	net_set_config(rig->net, NULL, true, rig->now_ns);
	net_lcore_destroy(rig->net);
	net_config_destroy(rig->config);
	cr_expect_eq(rig->heap.out_count, 0, "%u packets leaked", rig->heap.out_count);
}

bool rig_in(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	struct eth_filter filter = {{0}, {0}};
	struct eth_view eth;
	memcpy(filter.mac, rig_mac, 6);
	eth_filter_add_vlan(&filter, 7);
	struct pkt *pkt = pkt_heap_make(&rig->heap, frame, len, 0, 0);
	cr_assert_eq(eth_parse(pkt->data, pkt->len_bytes, &filter, &eth), ETH_ACCEPT);
	uint32_t hash;
	net_peek_flow(pkt->data, pkt->len_bytes, &eth, &hash);
	net_frame_is_for_all(pkt->data, pkt->len_bytes, &eth);
	if (net_input(rig->net, pkt, &eth, rig->now_ns) == NET_TAKEN)
		return true;
	cr_expect(pkt->len_bytes == len && memcmp(pkt->data, frame, len) == 0, "the kernel gets what came");
	pkt_heap_free(pkt);
	return false;
}

void rig_forget(struct rig *rig)
{
	rig->out_count = 0;
}

void rig_run(struct rig *rig, uint64_t ns)
{
	for (const uint64_t end = rig->now_ns + ns; rig->now_ns < end; rig->now_ns += RIG_S / 20)
		net_poll(rig->net, rig->now_ns);
}

uint32_t rig_eth(uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t vlan, uint16_t type)
{
	struct eth_header eth = {.type = type, .tagged = vlan != 0, .tci = vlan};
	memcpy(eth.dst, dst, 6);
	memcpy(eth.src, src, 6);
	return eth_header_emit(frame, 18, &eth);
}

uint32_t rig_arp(uint8_t *frame, uint16_t operation, const uint8_t *mac, const struct ip_addr *sender,
		 const struct ip_addr *target)
{
	static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
	struct arp_packet arp = {.operation = operation};
	memcpy(arp.sender_mac, mac, 6);
	memcpy(arp.sender_ip, sender->b + IP_ADDR_V4_OFFSET, 4);
	memcpy(arp.target_ip, target->b + IP_ADDR_V4_OFFSET, 4);
	if (operation == ARP_REPLY)
		memcpy(arp.target_mac, rig_mac, 6);
	const uint32_t at = rig_eth(frame, operation == ARP_REPLY ? rig_mac : everybody, mac, 0, ARP_ETHERTYPE);
	return at + arp_emit(frame + at, ARP_PACKET_BYTES, &arp);
}

uint32_t rig_ip(uint8_t *frame, const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
		const uint8_t *payload, uint32_t len)
{
	const bool v4 = ip_addr_is_v4(dst);
	uint32_t at = rig_eth(frame, rig_mac, rig_peer, 0, v4 ? IPV4_ETHERTYPE : IPV6_ETHERTYPE);
	if (v4) {
		struct ipv4_header ip = {.total_bytes = (uint16_t)(20 + len), .ttl = 64, .protocol = protocol};
		memcpy(ip.src, src->b + IP_ADDR_V4_OFFSET, 4);
		memcpy(ip.dst, dst->b + IP_ADDR_V4_OFFSET, 4);
		at += ipv4_emit(frame + at, 20, &ip);
	} else {
		struct ipv6_header ip = {.payload_bytes = (uint16_t)len, .next_header = protocol, .hop_limit = 255};
		memcpy(ip.src, src->b, 16);
		memcpy(ip.dst, dst->b, 16);
		at += ipv6_emit(frame + at, 40, &ip);
	}
	memcpy(frame + at, payload, len);
	if (protocol == IP_PROTOCOL_ICMP || protocol == IP_PROTOCOL_ICMPV6) {
		struct icmp_wire *icmp = (struct icmp_wire *)(frame + at);
		icmp->checksum = be16_of(0);
		icmp->checksum = checksum_finish(
			checksum_add(v4 ? 0 : checksum_pseudo_v6(src->b, dst->b, protocol, len), frame + at, len));
	}
	return at + len;
}

void rig_meet(struct rig *rig, const struct ip_addr *peer, const struct ip_addr *us)
{
	uint8_t frame[128];
	if (ip_addr_is_v4(peer)) {
		const uint32_t len = rig_arp(frame, ARP_REQUEST, rig_peer, peer, us);
		cr_assert(rig_in(rig, frame, len));
	} else {
		struct nd_message message = {.type = ICMPV6_NEIGHBOUR_SOLICITATION, .has_mac = true};
		uint8_t payload[ND_EMIT_BYTES_MAX];
		memcpy(message.mac, rig_peer, 6);
		memcpy(message.target, us->b, 16);
		const uint32_t bytes = nd_emit(payload, sizeof payload, &message);
		const uint32_t len = rig_ip(frame, peer, us, IP_PROTOCOL_ICMPV6, payload, bytes);
		cr_assert(rig_in(rig, frame, len));
	}
	rig_forget(rig);
}

void rig_send(struct rig *rig, struct net_path *path, uint32_t len)
{
	uint8_t bytes[RIG_FRAME_BYTES_MAX];
	memset(bytes, 0x5a, sizeof bytes);
	struct pkt *pkt = pkt_heap_make(&rig->heap, bytes, len, NET_HEADROOM_BYTES, 64);
	net_output(rig->net, path, pkt, IP_PROTOCOL_TCP, IP_ECN_ECT0, rig->now_ns);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams in: what is answered, given to TCP, refused, and left to the kernel; neighbour discovery; ICMP. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "net/sum.h"
#include "rig.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

#define US4 rig_v4(192, 0, 2, 1)
#define PEER4 rig_v4(192, 0, 2, 9)
#define US6 rig_v6(0x2001, 0xdb8, 1)
#define PEER6 rig_v6(0x2001, 0xdb8, 9)

static struct rig rig;
static uint8_t frame[RIG_FRAME_BYTES_MAX];

static uint32_t ip(struct ip_addr src, struct ip_addr dst, uint8_t protocol, const uint8_t *payload, uint32_t len)
{
	return rig_ip(frame, &src, &dst, protocol, payload, len);
}

static void meet(struct ip_addr peer, struct ip_addr us)
{
	rig_meet(&rig, &peer, &us);
}

static const uint8_t segment[20] = {0x12, 0x34, 0x27, 0x75, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x10};

Test(net_input, an_echo_request_is_answered_in_both_families)
{
	for (int family = 0; family < 2; family++) {
		const struct ip_addr us = family ? US6 : US4, peer = family ? PEER6 : PEER4;
		const uint8_t protocol = family ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP;
		uint8_t echo[40] = {family ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST, 0, 0, 0, 1, 2, 3, 4, 0x55};
		rig_init(&rig, NULL);
		meet(peer, us);
		cr_expect(rig_in(&rig, frame, ip(peer, us, protocol, echo, sizeof echo)));
		cr_assert_eq(rig.out_count, 1);
		const uint8_t *icmp = rig.out[0].bytes + 14 + (family ? 40 : 20);
		cr_expect_arr_eq(rig.out[0].bytes, rig_peer, 6);
		cr_expect_eq(icmp[0], family ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);
		cr_expect_arr_eq(icmp + 4, echo + 4, sizeof echo - 4);
		cr_expect(checksum_is_right(checksum_add(
			family ? checksum_pseudo_v6(us.b, peer.b, protocol, sizeof echo) : 0, icmp, sizeof echo)));
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_echo_replies], 1);
		frame[14 + (family ? 40 : 20) + 9] ^= 1;
		cr_expect(rig_in(&rig, frame, 14 + (family ? 40u : 20u) + (uint32_t)sizeof echo));
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_checksum], 1);
		cr_expect_eq(rig.out_count, 1);
		rig_fini(&rig);
	}
}

Test(net_input, echo_requests_beyond_the_limit_are_dropped)
{
	uint8_t echo[8] = {ICMP_ECHO_REQUEST};
	rig_init(&rig, NULL);
	meet(PEER4, US4);
	const uint32_t len = ip(PEER4, US4, IP_PROTOCOL_ICMP, echo, sizeof echo);
	for (int i = 0; i < 1010; i++) {
		rig_in(&rig, frame, len);
		rig_forget(&rig);
	}
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_echo_replies], 1000);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_echo_limit], 10);
	rig_fini(&rig);
}

Test(net_input, tcp_gets_its_segment_without_padding)
{
	for (int family = 0; family < 2; family++) {
		rig_init(&rig, NULL);
		const struct ip_addr us = family ? US6 : US4, peer = family ? PEER6 : PEER4;
		uint32_t len = ip(peer, us, IP_PROTOCOL_TCP, segment, sizeof segment);
		memset(frame + len, 0xee, 6); /* padding of Ethernet */
		cr_expect(rig_in(&rig, frame, len + 6));
		cr_assert_eq(rig.tcp_count, 1);
		cr_expect_eq(rig.tcp_len, sizeof segment);
		cr_expect_arr_eq(rig.tcp, segment, sizeof segment);
		cr_expect(ip_addr_equal(&rig.tcp_view.src, &peer) && ip_addr_equal(&rig.tcp_view.dst, &us));
		rig_fini(&rig);
	}
}

Test(net_input, every_truncation_is_dropped_and_counted)
{
	for (int family = 0; family < 2; family++) {
		rig_init(&rig, NULL);
		const uint32_t len = family ? ip(PEER6, US6, 6, segment, sizeof segment)
					    : ip(PEER4, US4, 6, segment, sizeof segment);
		for (uint32_t i = 14; i < len; i++)
			cr_expect(rig_in(&rig, frame, i), "%u of %u bytes", i, len);
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_malformed], len - 14);
		cr_expect_eq(rig.tcp_count, 0);
		rig_fini(&rig);
	}
}

Test(net_input, sources_that_no_sender_has_are_dropped)
{
	const struct {
		const char *name;
		struct ip_addr src, dst;
	} cases[] = {
		{"land", US4, US4},
		{"loopback", rig_v4(127, 0, 0, 1), US4},
		{"zero", rig_v4(0, 0, 0, 0), US4},
		{"multicast", rig_v4(224, 0, 0, 1), US4},
		{"reserved", rig_v4(240, 0, 0, 1), US4},
		{"broadcast", rig_v4(255, 255, 255, 255), US4},
		{"our network's broadcast", rig_v4(192, 0, 2, 255), US4},
		{"our network's zero", rig_v4(192, 0, 2, 0), US4},
		{"land by IPv6", US6, US6},
		{"multicast by IPv6", rig_v6(0xff02, 0, 1), US6},
		{"loopback by IPv6", rig_v6(0, 0, 1), US6},
		{"unspecified by IPv6", rig_v6(0, 0, 0), US6},
	};
	rig_init(&rig, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect(rig_in(&rig, frame, ip(cases[i].src, cases[i].dst, 6, segment, sizeof segment)));
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_source], i + 1, "%s", cases[i].name);
	}
	/* IPv4 addresses in an IPv6 header. */
	const uint32_t len = ip(PEER6, US6, 6, segment, sizeof segment);
	memcpy(frame + 14 + 8, PEER4.b, 16);
	cr_expect(rig_in(&rig, frame, len));
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_source], sizeof cases / sizeof *cases + 1);
	cr_expect_eq(rig.tcp_count, 0);
	cr_expect_eq(rig.out_count, 0);
	rig_fini(&rig);
}

Test(net_input, what_is_not_for_us_is_left_to_the_kernel_as_it_came)
{
	const struct {
		const char *name;
		struct ip_addr dst;
		uint8_t protocol;
	} cases[] = {
		{"a neighbour's address", rig_v4(192, 0, 2, 2), 6},
		{"broadcast, where DHCP is", rig_v4(255, 255, 255, 255), 17},
		{"the network's broadcast", rig_v4(192, 0, 2, 255), 17},
		{"multicast", rig_v4(224, 0, 0, 251), 17},
		{"a neighbour's by IPv6", rig_v6(0x2001, 0xdb8, 2), 6},
		{"multicast by IPv6", rig_v6(0xff02, 0, 0xfb), 17},
		{"an extension header that nobody knows, for a neighbour", rig_v6(0x2001, 0xdb8, 2), 135},
		{"a cut hop-by-hop header, for a neighbour", rig_v6(0x2001, 0xdb8, 2), 0},
		{"a cut hop-by-hop header, for a group", rig_v6(0xff02, 0, 0xfb), 0},
	};
	rig_init(&rig, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct ip_addr src = ip_addr_is_v4(&cases[i].dst) ? PEER4 : PEER6;
		uint8_t payload[20];
		memset(payload, 0xff, sizeof payload);
		cr_expect_not(rig_in(&rig, frame, ip(src, cases[i].dst, cases[i].protocol, payload, 20)), "%s",
			      cases[i].name);
	}
	uint64_t counted = 0;
	for (unsigned i = 0; i < WHERRY_LCORE_STAT_COUNT; i++)
		counted += rig.stats[i];
	cr_expect_eq(counted, 0, "whoever drops it counts it");
	cr_expect_eq(rig.out_count + rig.tcp_count, 0);
	rig_fini(&rig);
}

Test(net_input, fragments_source_routes_and_group_frames_are_dropped_by_name)
{
	rig_init(&rig, NULL);
	uint32_t len = ip(PEER4, US4, 6, segment, sizeof segment);
	struct ipv4_wire *wire = (struct ipv4_wire *)(frame + 14);
	const be16 right = wire->checksum;
	wire->fragment = be16_of(IPV4_FLAG_MF);
	wire->checksum = checksum_replace(right, 0, IPV4_FLAG_MF);
	rig_in(&rig, frame, len);
	wire->fragment = be16_of(7);
	wire->checksum = checksum_replace(right, 0, 7);
	rig_in(&rig, frame, len);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_fragment], 2);
	wire->fragment = be16_of(0);
	wire->checksum = right;
	memset(frame, 0xff, 6);
	rig_in(&rig, frame, len);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_group], 1);
	const uint8_t fragment[16] = {6, 0, 0, 1};
	rig_in(&rig, frame, ip(PEER6, US6, IPV6_FRAGMENT, fragment, sizeof fragment));
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_fragment], 3);
	cr_expect_eq(rig.tcp_count, 0);
	uint8_t options[28] = {131, 7, 4, 10, 0, 0, 1, 0};
	memcpy(options + 8, segment, 20);
	len = ip(PEER4, US4, 6, options, sizeof options);
	wire->version_length = 0x47;
	wire->checksum = be16_of(0);
	wire->checksum = checksum_finish(checksum_add(0, wire, 28));
	rig_in(&rig, frame, len);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_option], 1);
	rig_fini(&rig);
}

Test(net_input, a_port_that_nobody_serves_is_unreachable_within_a_limit)
{
	static const uint8_t datagram[700] = {0x12, 0x34, 0, 53, 2, 188};
	for (int family = 0; family < 2; family++) {
		const struct ip_addr us = family ? US6 : US4, peer = family ? PEER6 : PEER4;
		const uint32_t header = 14 + (family ? 40 : 20);
		rig_init(&rig, NULL);
		meet(peer, us);
		const uint32_t len = ip(peer, us, IP_PROTOCOL_UDP, datagram, sizeof datagram);
		rig_in(&rig, frame, len);
		cr_assert_eq(rig.out_count, 1);
		const uint8_t *icmp = rig.out[0].bytes + header;
		cr_expect_eq(icmp[0], family ? 1 : 3);
		cr_expect_eq(icmp[1], family ? 4 : 3);
		cr_expect_eq(rig.out[0].len, family ? 14 + 40 + 8 + 740 : 14 + 576);
		cr_expect_arr_eq(icmp + 8, frame + 14, family ? 740 : 548, "it quotes");
		const uint32_t bytes = rig.out[0].len - header;
		cr_expect(checksum_is_right(
			checksum_add(family ? checksum_pseudo_v6(us.b, peer.b, 58, bytes) : 0, icmp, bytes)));
		for (int i = 0; i < 99; i++) {
			rig_forget(&rig);
			rig_in(&rig, frame, len);
		}
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_icmp_errors_out], 50);
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_error_limit], 50);
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_protocol], 100);
		rig.now_ns += RIG_S / 10;
		rig_in(&rig, frame, len);
		cr_expect_eq(rig.stats[WHERRY_LCORE_net_icmp_errors_out], 51, "credit comes back");
		rig_fini(&rig);
	}
}

/* An error that quotes what `from` sent. */
static uint32_t error_about(struct ip_addr from, struct ip_addr to, uint8_t type, uint8_t code, uint32_t rest)
{
	const bool v4 = ip_addr_is_v4(&from);
	uint8_t payload[200] = {0}, quoted[200];
	const uint32_t bytes = rig_ip(quoted, &from, &to, IP_PROTOCOL_TCP, segment, 8) - 14;
	const struct icmp_header icmp = {type, code, rest};
	icmp_emit(payload, sizeof payload, &icmp);
	memcpy(payload + 8, quoted + 14, bytes);
	return v4 ? ip(rig_v4(203, 0, 113, 5), US4, IP_PROTOCOL_ICMP, payload, 8 + bytes)
		  : ip(rig_v6(0x2001, 0xdb9, 5), US6, IP_PROTOCOL_ICMPV6, payload, 8 + bytes);
}

Test(net_input, errors_about_our_segments_reach_tcp)
{
	const struct ip_addr far4 = rig_v4(203, 0, 113, 7), far6 = rig_v6(0x2001, 0xdb9, 7);
	const struct {
		struct ip_addr from, to;
		uint8_t type, code;
		uint32_t rest;
		int error; /* -1: ignored */
	} cases[] = {
		{US4, far4, 3, 4, 1400, NET_ERROR_TOO_BIG},
		{US4, far4, 3, 4, 0, NET_ERROR_TOO_BIG},
		{US4, far4, 3, 4, 67, -1},
		{US4, far4, 3, 3, 0, NET_ERROR_PORT_UNREACHABLE},
		{US4, far4, 3, 2, 0, NET_ERROR_PROTOCOL},
		{US4, far4, 3, 1, 0, NET_ERROR_UNREACHABLE},
		{US4, far4, 11, 0, 0, NET_ERROR_UNREACHABLE},
		{rig_v4(192, 0, 2, 77), far4, 3, 4, 1400, -1},
		{US4, far4, 5, 0, 0, -1},
		{US6, far6, 2, 0, 1400, NET_ERROR_TOO_BIG},
		{US6, far6, 2, 0, 1279, -1},
		{US6, far6, 1, 4, 0, NET_ERROR_PORT_UNREACHABLE},
		{US6, far6, 4, 1, 40, NET_ERROR_PROTOCOL},
		{US6, far6, 3, 0, 0, NET_ERROR_UNREACHABLE},
		{US6, far6, 100, 0, 0, -1},
	};
	rig_init(&rig, NULL);
	unsigned expected = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect(rig_in(&rig, frame,
				 error_about(cases[i].from, cases[i].to, cases[i].type, cases[i].code, cases[i].rest)));
		expected += cases[i].error >= 0;
		cr_expect_eq(rig.icmp_count, expected, "case %zu", i);
		if (cases[i].error < 0)
			continue;
		cr_expect_eq(rig.icmp.error, (unsigned)cases[i].error, "case %zu", i);
		cr_expect_eq(rig.icmp.local_port, 0x1234);
		cr_expect_eq(rig.icmp.remote_port, 0x2775);
		cr_expect_eq(rig.icmp.seq, 0x01020304);
		cr_expect(ip_addr_equal(&rig.icmp.remote, &cases[i].to));
		if (rig.icmp.error == NET_ERROR_TOO_BIG)
			cr_expect_eq(rig.icmp.mtu, cases[i].rest);
	}
	cr_expect_eq(rig.out_count, 0, "errors are not answered");
	rig_fini(&rig);
}

Test(net_input, a_flow_and_the_errors_about_it_have_the_same_hash)
{
	struct eth_filter filter = {{2, 0, 0, 0, 0, 1}, {0}};
	for (int family = 0; family < 2; family++) {
		const struct ip_addr us = family ? US6 : US4;
		const struct ip_addr far = family ? rig_v6(0x2001, 0xdb9, 7) : rig_v4(203, 0, 113, 7);
		struct eth_view eth;
		uint32_t hash = 0, other = 0;
		uint8_t swapped[20];
		memcpy(swapped, segment, 20);
		memcpy(swapped, segment + 2, 2); /* they answer to the port that we sent from */
		memcpy(swapped + 2, segment, 2);
		uint32_t len = ip(far, us, 6, swapped, 20);
		cr_assert_eq(eth_parse(frame, len, &filter, &eth), ETH_ACCEPT);
		cr_assert(net_peek_flow(frame, len, &eth, &hash));
		cr_expect_eq(hash, net_flow_hash(&us, 0x1234, &far, 0x2775));
		len = error_about(us, far, family ? 2 : 3, family ? 0 : 4, 1400);
		cr_assert(net_peek_flow(frame, len, &eth, &other));
		cr_expect_eq(hash, other);
	}
}

/* ---- neighbour discovery ---- */

static uint32_t nd(struct ip_addr src, struct ip_addr dst, struct nd_message *message)
{
	uint8_t payload[ND_EMIT_BYTES_MAX];
	const uint32_t bytes = nd_emit(payload, sizeof payload, message);
	return ip(src, dst, IP_PROTOCOL_ICMPV6, payload, bytes);
}

static struct nd_message solicit(struct ip_addr target, bool with_mac)
{
	struct nd_message message = {.type = ICMPV6_NEIGHBOUR_SOLICITATION, .has_mac = with_mac};
	memcpy(message.target, target.b, 16);
	memcpy(message.mac, rig_peer, 6);
	return message;
}

Test(net_input, a_neighbour_solicitation_is_answered_from_hop_limit_255_alone)
{
	rig_init(&rig, NULL);
	struct nd_message message = solicit(US6, true);
	uint32_t len = nd(PEER6, US6, &message);
	rig_in(&rig, frame, len);
	cr_assert_eq(rig.out_count, 1);
	struct nd_message answer;
	cr_assert_eq(nd_parse(rig.out[0].bytes + 54, rig.out[0].len - 54, &answer).result, WIRE_OK);
	cr_expect(answer.solicited && answer.override && answer.has_mac && !answer.router);
	cr_expect_arr_eq(answer.mac, rig_mac, 6);
	cr_expect_arr_eq(rig.out[0].bytes + 22, US6.b, 16);
	cr_expect_arr_eq(rig.out[0].bytes + 38, PEER6.b, 16);
	cr_expect_eq(rig.out[0].bytes[21], 255);
	frame[21] = 254;
	rig_in(&rig, frame, len);
	cr_expect_eq(rig.out_count, 1);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_nd], 1);
	message = solicit(rig_v6(0x2001, 0xdb8, 2), true);
	cr_expect_not(rig_in(&rig, frame, nd(PEER6, rig_v6(0xff02, 0, 1), &message)), "the kernel's address perhaps");
	rig_fini(&rig);
}

Test(net_input, the_link_local_address_is_always_there)
{
	rig_init(&rig, NULL);
	const struct ip_addr self = {{0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1}};
	struct nd_message message = solicit(self, true);
	rig_in(&rig, frame, nd(rig_v6(0xfe80, 0, 9), self, &message));
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes + 22, self.b, 16);
	rig_fini(&rig);
}

Test(net_input, a_probe_for_our_address_is_answered_to_everybody)
{
	rig_init(&rig, NULL);
	const struct ip_addr group = {{0xff, 2, [11] = 1, [12] = 0xff, [15] = 1}};
	struct nd_message message = solicit(US6, false);
	rig_in(&rig, frame, nd(rig_v6(0, 0, 0), group, &message));
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes, ((uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}), 6);
	message.has_mac = true;
	rig_in(&rig, frame, nd(rig_v6(0, 0, 0), group, &message));
	cr_expect_eq(rig.out_count, 1);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_nd], 1);
	rig_fini(&rig);
}

Test(net_input, an_ipv6_neighbour_is_resolved_and_its_advertisements_believed)
{
	rig_init(&rig, NULL);
	struct net_path path;
	const struct ip_addr none = {{0}}, peer = PEER6, us = US6;
	cr_assert_eq(net_path_open(rig.net, &path, &none, &peer, NULL), 0);
	cr_expect(ip_addr_equal(&path.local, &us));
	rig_send(&rig, &path, 100);
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes, ((uint8_t[6]){0x33, 0x33, 0xff, 0, 0, 9}), 6, "its solicited-node group");
	rig_forget(&rig);
	struct nd_message message = {.type = ICMPV6_NEIGHBOUR_ADVERTISEMENT, .has_mac = true, .solicited = true};
	memcpy(message.target, peer.b, 16);
	memcpy(message.mac, rig_peer, 6);
	rig_in(&rig, frame, nd(peer, US6, &message));
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes, rig_peer, 6);
	struct ipv6_header out;
	cr_assert_eq(ipv6_parse(rig.out[0].bytes + 14, 140, &out).result, WIRE_OK);
	cr_expect_eq(out.payload_bytes, 100);
	cr_expect_eq(out.traffic_class, IP_ECN_ECT0);
	cr_expect_eq(out.next_header, IP_PROTOCOL_TCP);
	message.mac[5] = 0x77; /* without override: not believed; with: believed */
	message.solicited = false;
	rig_in(&rig, frame, nd(peer, US6, &message));
	rig_send(&rig, &path, 100);
	cr_expect_eq(rig.out[1].bytes[5], 9);
	message.override = true;
	rig_in(&rig, frame, nd(peer, US6, &message));
	rig_send(&rig, &path, 100);
	cr_expect_eq(rig.out[2].bytes[5], 0x77);
	rig_fini(&rig);
}

Test(net_input, routers_give_addresses_routes_and_an_mtu_and_take_them_back)
{
	static const uint8_t advertisement[64] = {134,  0, 0,   0,    64, 0, 0, 90,   0, 0, 0, 0,  0, 0, 0, 0,
						  3,    4, 64,  0xc0, 0,  0, 0, 100,  0, 0, 0, 50, 0, 0, 0, 0,
						  0x20, 1, 0xd, 0xb8, 0,  5, 0, 0,    0, 0, 0, 0,  0, 0, 0, 0,
						  5,    1, 0,   0,    0,  0, 5, 0x78, 1, 1, 2, 0,  0, 0, 0, 9};
	struct net_settings settings = rig_settings();
	settings.address_count = settings.route_count = 0;
	settings.ports[0].slaac = true;
	rig_init(&rig, &settings);
	rig_run(&rig, 2 * RIG_S);
	const struct ip_addr router = rig_v6(0xfe80, 0, 9), nodes = rig_v6(0xff02, 0, 1);
	const struct ip_addr none = {{0}}, far = rig_v6(0x2001, 0xdb9, 7);
	struct net_path path;
	cr_expect_neq(net_path_open(rig.net, &path, &none, &far, NULL), 0, "no router yet");
	rig_forget(&rig);
	rig_in(&rig, frame, ip(router, nodes, IP_PROTOCOL_ICMPV6, advertisement, sizeof advertisement));
	rig_run(&rig, 2 * RIG_S);
	struct net_address_info info[4];
	cr_assert_eq(net_address_copy(rig.net, info, 4), 2);
	cr_expect(info[1].advertised);
	cr_expect_eq(info[1].state, NET_USABLE);
	cr_assert_eq(net_path_open(rig.net, &path, &none, &far, NULL), 0);
	cr_expect(ip_addr_equal(&path.local, &info[1].addr));
	cr_expect(ip_addr_equal(&path.next_hop, &router));
	cr_expect_eq(net_path_mtu(rig.net, &path, rig.now_ns), 1400);
	rig_forget(&rig);
	rig_run(&rig, 100 * RIG_S);
	cr_expect_eq(net_address_copy(rig.net, info, 4), 1, "its time is over");
	cr_expect_neq(net_path_open(rig.net, &path, &none, &far, NULL), 0);
	rig_fini(&rig);
}

/* ---- paths ---- */

Test(net_path, the_longest_prefix_wins_and_the_interface_of_arrival_is_kept)
{
	rig_init(&rig, NULL);
	const struct ip_addr none = {{0}};
	const struct {
		struct ip_addr remote, local, hop;
		uint16_t vlan;
	} cases[] = {
		{rig_v4(192, 0, 2, 50), US4, rig_v4(192, 0, 2, 50), 0},
		{rig_v4(198, 51, 100, 50), rig_v4(198, 51, 100, 1), rig_v4(198, 51, 100, 50), 7},
		{rig_v4(203, 0, 113, 50), rig_v4(198, 51, 100, 1), rig_v4(198, 51, 100, 254), 7},
		{rig_v4(8, 8, 8, 8), US4, rig_v4(192, 0, 2, 254), 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct net_path path;
		cr_assert_eq(net_path_open(rig.net, &path, &none, &cases[i].remote, NULL), 0, "case %zu", i);
		cr_expect(ip_addr_equal(&path.local, &cases[i].local), "case %zu", i);
		cr_expect(ip_addr_equal(&path.next_hop, &cases[i].hop), "case %zu", i);
		cr_expect_eq(path.vlan, cases[i].vlan, "case %zu", i);
		cr_expect_eq(path.header_bytes, cases[i].vlan ? 38 : 34);
	}
	struct net_path path;
	const struct ip_addr strange = rig_v4(192, 0, 2, 77), far6 = rig_v6(0x2001, 0xdb9, 7), us = US4;
	const struct ip_addr remote = rig_v4(192, 0, 2, 50), group = rig_v4(224, 0, 0, 1),
			     broadcast = rig_v4(192, 0, 2, 255);
	cr_expect_neq(net_path_open(rig.net, &path, &strange, &remote, NULL), 0, "not ours");
	cr_expect_neq(net_path_open(rig.net, &path, &none, &far6, NULL), 0, "no route");
	cr_expect_neq(net_path_open(rig.net, &path, &none, &group, NULL), 0);
	cr_expect_neq(net_path_open(rig.net, &path, &none, &broadcast, NULL), 0);
	cr_expect_neq(net_path_open(rig.net, &path, &none, &us, NULL), 0, "ourselves");
	rig_fini(&rig);
}

Test(net_path, a_smaller_mtu_is_kept_for_ten_minutes_and_never_below_the_minimum)
{
	rig_init(&rig, NULL);
	for (int family = 0; family < 2; family++) {
		const struct ip_addr none = {{0}}, remote = family ? PEER6 : PEER4;
		struct net_path path;
		cr_assert_eq(net_path_open(rig.net, &path, &none, &remote, NULL), 0);
		cr_expect_eq(path.mtu, 1500);
		net_path_set_mtu(rig.net, &remote, 1400, rig.now_ns);
		cr_expect_eq(net_path_mtu(rig.net, &path, rig.now_ns), 1400);
		net_path_set_mtu(rig.net, &remote, 100, rig.now_ns);
		cr_expect_eq(net_path_mtu(rig.net, &path, rig.now_ns), family ? 1280 : 552);
		cr_expect_eq(net_path_mtu(rig.net, &path, rig.now_ns + 599 * RIG_S), family ? 1280 : 552);
		cr_expect_eq(net_path_mtu(rig.net, &path, rig.now_ns + 600 * RIG_S), 1500);
	}
	rig_fini(&rig);
}

Test(net_path, a_change_of_configuration_is_noticed_by_paths_that_are_open)
{
	rig_init(&rig, NULL);
	meet(PEER4, US4);
	const struct ip_addr us = US4, peer = PEER4;
	struct net_path path;
	char error[100];
	cr_assert_eq(net_path_open(rig.net, &path, &us, &peer, NULL), 0);
	rig_send(&rig, &path, 100);
	cr_expect_eq(rig.out_count, 1);
	struct net_settings settings = rig_settings();
	settings.ports[0].mac[5] = 0x21; /* a failover of ours */
	struct net_config *other = net_config_create(&settings, error, sizeof error);
	cr_assert_not_null(other);
	cr_expect_eq(net_set_config(rig.net, other, true, rig.now_ns), rig.config);
	rig_forget(&rig);
	rig_send(&rig, &path, 100);
	cr_assert_geq(rig.out_count, 1);
	cr_expect_eq(rig.out[0].bytes[11], 0x21);
	net_config_destroy(rig.config);
	rig.config = other;
	net_set_config(rig.net, NULL, true, rig.now_ns);
	rig_send(&rig, &path, 100);
	cr_expect_geq(rig.stats[WHERRY_LCORE_net_drop_no_address], 1);
	rig_fini(&rig);
}

Test(net_path, pieces_are_in_the_lengths_and_in_the_checksum)
{
	static const uint8_t bytes[100] = {1, 2, 3, 4, 5, 6, 7};
	struct pkt_buf buf = {.data = bytes, .len_bytes = 100, .refs = 100};
	rig_init(&rig, NULL);
	meet(PEER4, US4);
	const struct ip_addr us = US4, peer = PEER4;
	struct pkt_pool pool = pkt_heap_pool(&rig.heap);
	for (uint32_t cut = 0; cut < 8; cut++) {
		struct pkt *pkt = pool.alloc(pool.ctx, 0);
		memcpy(pkt->data, segment, 20);
		pkt->len_bytes = 20;
		pkt->frag_count = 3;
		for (uint32_t i = 0, at = 0; i < 3; i++) {
			const uint32_t len = i < 2 ? cut + i : 100 - at;
			pkt_buf_get(&buf);
			pkt->frags[i] = (struct pkt_frag){&buf, bytes + at, len};
			at += len;
		}
		const uint64_t sum = net_transport_sum(&us, &peer, 6, pkt);
		struct net_path path;
		cr_assert_eq(net_path_open(rig.net, &path, &us, &peer, NULL), 0);
		net_output(rig.net, &path, pkt, 6, IP_ECN_NOT_ECT, rig.now_ns);
		cr_assert_eq(rig.out_count, 1);
		cr_expect_eq(rig.out[0].len, 14 + 20 + 20 + 100);
		cr_expect_eq(checksum_fold(sum),
			     checksum_fold(checksum_add(checksum_pseudo_v4(us.b + 12, peer.b + 12, 6, 120),
							rig.out[0].bytes + 34, 120)));
		rig_forget(&rig);
	}
	rig_fini(&rig);
}

Test(net_config, what_cannot_be_is_refused_with_a_sentence)
{
	const struct {
		struct net_address address;
		const char *says;
	} cases[] = {
		{{0, 0, rig_v4(224, 0, 0, 1), 24, false}, "unicast"},
		{{0, 0, rig_v4(192, 0, 2, 3), 33, false}, "prefix length"},
		{{0, 0, rig_v6(0x2001, 0xdb8, 3), 129, false}, "prefix length"},
		{{3, 0, rig_v4(192, 0, 2, 3), 24, false}, "port"},
		{{0, 4095, rig_v4(192, 0, 2, 3), 24, false}, "VLAN"},
		{{0, 0, rig_v4(192, 0, 2, 1), 24, false}, "twice"},
	};
	char error[200];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct net_address addresses[2] = {{0, 0, US4, 24, false}, cases[i].address};
		struct net_settings settings = rig_settings();
		settings.addresses = addresses;
		settings.address_count = 2;
		settings.route_count = 0;
		cr_assert_null(net_config_create(&settings, error, sizeof error), "case %zu", i);
		cr_expect_not_null(strstr(error, cases[i].says), "%s", error);
	}
	const struct net_route route = {rig_v4(0, 0, 0, 0), 0, rig_v4(10, 0, 0, 1)};
	struct net_settings settings = rig_settings();
	settings.routes = &route;
	settings.route_count = 1;
	cr_assert_null(net_config_create(&settings, error, sizeof error));
	cr_expect_not_null(strstr(error, "0.0.0.0/0: its gateway is on no network"), "%s", error);
}

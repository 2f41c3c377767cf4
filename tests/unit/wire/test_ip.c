/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP, IPv4, IPv6, ICMP and neighbour discovery: golden bytes, identity, truncation, and what is refused. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

static uint8_t *exact_copy(const uint8_t *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

#define EXACT(status, bytes, len, call)                                                                                \
	do {                                                                                                           \
		uint8_t *exact = exact_copy(bytes, len);                                                               \
		status = call;                                                                                         \
		free(exact);                                                                                           \
	} while (0)

/* ---- ARP ---- */

static const uint8_t golden_arp[28] = {0x00, 0x01, 0x08, 0x00, 6, 4, 0, 1, 0x02, 0, 0,   0, 0, 9,
				       192,  0,    2,    9,    0, 0, 0, 0, 0,    0, 192, 0, 2, 1};

Test(wire_ip, arp_is_read_and_written_as_it_was)
{
	struct arp_packet arp;
	struct wire_status status;
	uint8_t out[28];
	EXACT(status, golden_arp, 28, arp_parse(exact, 28, &arp));
	cr_assert_eq(status.result, WIRE_OK);
	cr_expect_eq(arp.operation, ARP_REQUEST);
	cr_expect_arr_eq(arp.sender_mac, golden_arp + 8, 6);
	cr_expect_arr_eq(arp.sender_ip, golden_arp + 14, 4);
	cr_expect_arr_eq(arp.target_ip, golden_arp + 24, 4);
	cr_expect_eq(arp_emit(out, 28, &arp), 28);
	cr_expect_arr_eq(out, golden_arp, 28);
	cr_expect_eq(arp_emit(out, 27, &arp), 0);
	for (uint32_t len = 0; len < 28; len++) {
		EXACT(status, golden_arp, len, arp_parse(exact, len, &arp));
		cr_expect_eq(status.reason, WIRE_WHY_ARP_PACKET, "%u bytes", len);
	}
}

Test(wire_ip, arp_of_other_kinds_is_not_served)
{
	for (unsigned at = 0; at < 8; at++) {
		uint8_t bytes[28];
		struct arp_packet arp;
		memcpy(bytes, golden_arp, 28);
		bytes[at] ^= 0x10;
		cr_expect_eq(arp_parse(bytes, 28, &arp).result, WIRE_UNSUPPORTED, "byte %u", at);
	}
	uint8_t bytes[28];
	struct arp_packet arp;
	memcpy(bytes, golden_arp, 28);
	for (uint8_t operation = 0; operation < 5; operation++) {
		bytes[7] = operation;
		cr_expect_eq(arp_parse(bytes, 28, &arp).result == WIRE_OK, operation == 1 || operation == 2, "%u",
			     operation);
	}
}

/* ---- IPv4 ---- */

static const uint8_t golden_v4[24] = {0x45, 0x02, 0x00, 0x18, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x3c, 0x66,
				      192,  0,    2,    9,    198,  51,   100,  7,    0xde, 0xad, 0xbe, 0xef};

Test(wire_ip, ipv4_is_read_and_written_as_it_was)
{
	struct ipv4_header ip;
	struct wire_status status;
	uint8_t out[20];
	EXACT(status, golden_v4, 24, ipv4_parse(exact, 24, true, &ip));
	cr_assert_eq(status.reason, WIRE_WHY_NONE, "%s", wire_reason_text(status.reason));
	cr_expect_eq(ip.header_bytes, 20);
	cr_expect_eq(ip.traffic_class, 2);
	cr_expect_eq(ip.total_bytes, 24);
	cr_expect_eq(ip.id, 0x1234);
	cr_expect(ip.dont_fragment && !ipv4_is_fragment(&ip));
	cr_expect_eq(ip.ttl, 64);
	cr_expect_eq(ip.protocol, IP_PROTOCOL_TCP);
	cr_expect_arr_eq(ip.src, golden_v4 + 12, 4);
	cr_expect_arr_eq(ip.dst, golden_v4 + 16, 4);
	cr_expect_eq(ipv4_emit(out, 20, &ip), 20);
	cr_expect_arr_eq(out, golden_v4, 20);
	cr_expect_eq(ipv4_emit(out, 19, &ip), 0);
}

Test(wire_ip, every_truncation_of_an_ipv4_datagram_is_short)
{
	for (uint32_t len = 0; len < 24; len++) {
		struct ipv4_header ip;
		struct wire_status status;
		EXACT(status, golden_v4, len, ipv4_parse(exact, len, true, &ip));
		cr_expect_eq(status.result, WIRE_SHORT, "%u bytes", len);
		cr_expect_eq(status.reason, len < 20 ? WIRE_WHY_IPV4_HEADER : WIRE_WHY_IPV4_LENGTH, "%u bytes", len);
	}
}

Test(wire_ip, padding_behind_an_ipv4_datagram_is_not_in_its_length)
{
	uint8_t bytes[46] = {0};
	struct ipv4_header ip;
	memcpy(bytes, golden_v4, 24);
	cr_expect_eq(ipv4_parse(bytes, 46, true, &ip).result, WIRE_OK);
	cr_expect_eq(ip.total_bytes, 24);
}

Test(wire_ip, any_flipped_bit_of_an_ipv4_header_is_refused)
{
	for (unsigned bit = 0; bit < 160; bit++) {
		uint8_t bytes[24];
		struct ipv4_header ip;
		memcpy(bytes, golden_v4, 24);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_neq(ipv4_parse(bytes, 24, true, &ip).result, WIRE_OK, "bit %u", bit);
	}
}

static struct wire_status parse_options(const uint8_t *options, uint8_t len, struct ipv4_header *ip)
{
	uint8_t bytes[60];
	struct wire_status status;
	memcpy(bytes, golden_v4, 20);
	memcpy(bytes + 20, options, len);
	bytes[0] = (uint8_t)(0x45 + len / 4);
	bytes[3] = (uint8_t)(20 + len);
	EXACT(status, bytes, 20u + len, ipv4_parse(exact, 20u + len, false, ip));
	return status;
}

Test(wire_ip, ipv4_options_are_walked_to_their_end)
{
	static const struct {
		const char *name;
		uint8_t len, options[12];
		enum wire_result result;
		bool source_route;
	} cases[] = {
		{"no-operations and end", 4, {1, 1, 0, 7}, WIRE_OK, false},
		{"record route", 8, {7, 7, 4, 0, 0, 0, 0, 0}, WIRE_OK, false},
		{"router alert", 4, {148, 4, 0, 0}, WIRE_OK, false},
		{"loose source route", 8, {131, 7, 4, 10, 0, 0, 1, 0}, WIRE_OK, true},
		{"strict source route behind another", 12, {148, 4, 0, 0, 137, 7, 4, 10, 0, 0, 1, 0}, WIRE_OK, true},
		{"a route behind the end is none", 8, {0, 131, 7, 4, 10, 0, 0, 1}, WIRE_OK, false},
		{"length 0", 4, {7, 0, 0, 0}, WIRE_BAD, false},
		{"length 1", 4, {7, 1, 0, 0}, WIRE_BAD, false},
		{"length past the end", 4, {7, 5, 0, 0}, WIRE_BAD, false},
		{"type without length", 4, {1, 1, 1, 7}, WIRE_BAD, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ipv4_header ip;
		struct wire_status status = parse_options(cases[i].options, cases[i].len, &ip);
		cr_expect_eq(status.result, cases[i].result, "%s", cases[i].name);
		if (status.result == WIRE_OK)
			cr_expect_eq(ip.source_route, cases[i].source_route, "%s", cases[i].name);
		else
			cr_expect_eq(status.reason, WIRE_WHY_IPV4_OPTION, "%s", cases[i].name);
	}
}

Test(wire_ip, ipv4_lengths_that_lie_are_refused)
{
	struct ipv4_header ip;
	uint8_t bytes[24];
	for (uint8_t words = 0; words < 16; words++) {
		memcpy(bytes, golden_v4, 24);
		bytes[0] = (uint8_t)(0x40 | words);
		const struct wire_status status = ipv4_parse(bytes, 24, false, &ip);
		if (words < 5)
			cr_expect_eq(status.reason, WIRE_WHY_IPV4_HEADER_LENGTH, "%u words", words);
		else if (words > 6)
			cr_expect_eq(status.reason, WIRE_WHY_IPV4_HEADER, "%u words", words);
	}
	memcpy(bytes, golden_v4, 24);
	bytes[3] = 19;
	cr_expect_eq(ipv4_parse(bytes, 24, false, &ip).reason, WIRE_WHY_IPV4_LENGTH);
	bytes[3] = 25;
	cr_expect_eq(ipv4_parse(bytes, 24, false, &ip).reason, WIRE_WHY_IPV4_LENGTH);
	memcpy(bytes, golden_v4, 24);
	bytes[6] = 0x20;
	cr_expect_eq(ipv4_parse(bytes, 24, false, &ip).result, WIRE_OK);
	cr_expect(ipv4_is_fragment(&ip) && ip.more_fragments);
	bytes[6] = 0x1f;
	bytes[7] = 0xff;
	cr_expect_eq(ipv4_parse(bytes, 24, false, &ip).result, WIRE_OK);
	cr_expect(ipv4_is_fragment(&ip));
	cr_expect_eq(ip.fragment_bytes, 65528);
}

/* ---- IPv6 ---- */

#define GOLDEN_V6_SRC 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9
#define GOLDEN_V6_DST 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1

static const uint8_t golden_v6[44] = {0x60, 0x2a, 0xbc, 0xde, 0x00, 4, 6, 64, GOLDEN_V6_SRC, GOLDEN_V6_DST, 1, 2, 3, 4};

Test(wire_ip, ipv6_is_read_and_written_as_it_was)
{
	struct ipv6_header ip;
	struct ipv6_payload payload;
	struct wire_status status;
	uint8_t out[40];
	EXACT(status, golden_v6, 44, ipv6_parse(exact, 44, &ip));
	cr_assert_eq(status.result, WIRE_OK);
	cr_expect_eq(ip.traffic_class, 2);
	cr_expect_eq(ip.flow_label, 0xabcde);
	cr_expect_eq(ip.payload_bytes, 4);
	cr_expect_eq(ip.hop_limit, 64);
	cr_expect_eq(ipv6_walk(golden_v6, 44, &ip, &payload).result, WIRE_OK);
	cr_expect_eq(payload.protocol, IP_PROTOCOL_TCP);
	cr_expect_eq(payload.offset_bytes, 40);
	cr_expect_eq(ipv6_emit(out, 40, &ip), 40);
	cr_expect_arr_eq(out, golden_v6, 40);
	cr_expect_eq(ipv6_emit(out, 39, &ip), 0);
	for (uint32_t len = 0; len < 44; len++) {
		EXACT(status, golden_v6, len, ipv6_parse(exact, len, &ip));
		cr_expect_eq(status.reason, len < 40 ? WIRE_WHY_IPV6_HEADER : WIRE_WHY_IPV6_LENGTH, "%u bytes", len);
	}
	memcpy(out, golden_v6, 40);
	for (uint8_t version = 0; version < 16; version++) {
		out[0] = (uint8_t)(version << 4);
		out[5] = 0;
		cr_expect_eq(ipv6_parse(out, 40, &ip).result == WIRE_OK, version == 6, "version %u", version);
	}
}

static struct wire_status walk(uint8_t first, const uint8_t *chain, uint8_t len, struct ipv6_payload *payload)
{
	uint8_t bytes[40 + 128];
	struct ipv6_header ip;
	struct wire_status status;
	memcpy(bytes, golden_v6, 40);
	memcpy(bytes + 40, chain, len);
	bytes[5] = len;
	bytes[6] = first;
	cr_assert_eq(ipv6_parse(bytes, 40u + len, &ip).result, WIRE_OK);
	EXACT(status, bytes, 40u + len, ipv6_walk(exact, 40u + len, &ip, payload));
	return status;
}

Test(wire_ip, ipv6_extension_headers_are_walked)
{
	static const struct {
		const char *name;
		uint8_t first, len, chain[24];
		enum wire_reason reason;
		uint8_t protocol, offset;
		bool fragment, report;
		uint8_t bad;
	} cases[] = {
		{"none", 6, 0, {0}, WIRE_WHY_NONE, 6, 40, 0, 0, 0},
		{"no next header", 59, 4, {1, 2, 3, 4}, WIRE_WHY_NONE, 59, 40, 0, 0, 0},
		{"authentication is a protocol", 51, 8, {6, 4}, WIRE_WHY_NONE, 51, 40, 0, 0, 0},
		{"hop by hop", 0, 8, {58, 0, 5, 2, 0, 0, 1, 0}, WIRE_WHY_NONE, 58, 48, 0, 0, 0},
		{"destination", 60, 8, {6, 0, 0, 0, 0, 0, 0, 0}, WIRE_WHY_NONE, 6, 48, 0, 0, 0},
		{"both", 0, 16, {60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4}, WIRE_WHY_NONE, 6, 56, 0, 0, 0},
		{"hop by hop second",
		 60,
		 16,
		 {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4},
		 WIRE_WHY_IPV6_EXTENSION,
		 0,
		 0,
		 0,
		 0,
		 0},
		{"spent routing", 43, 8, {6, 0, 0, 0}, WIRE_WHY_NONE, 6, 48, 0, 0, 0},
		{"routing with segments", 43, 8, {6, 0, 0, 1}, WIRE_WHY_IPV6_ROUTING, 0, 0, 0, 1, 42},
		{"first fragment", 44, 8, {6, 0, 0, 1}, WIRE_WHY_NONE, 6, 48, 1, 0, 0},
		{"last fragment", 44, 8, {6, 0, 0, 8}, WIRE_WHY_NONE, 6, 48, 1, 0, 0},
		{"whole fragment", 44, 8, {6, 0, 0, 6}, WIRE_WHY_NONE, 6, 48, 0, 0, 0},
		{"skippable option", 60, 8, {6, 0, 0x1e, 0, 1, 2, 0, 0}, WIRE_WHY_NONE, 6, 48, 0, 0, 0},
		{"silently refused option", 60, 8, {6, 0, 0x5e, 0, 1, 2}, WIRE_WHY_IPV6_OPTION, 0, 0, 0, 0, 42},
		{"refused option", 60, 8, {6, 0, 0, 0x9e, 0, 1, 1}, WIRE_WHY_IPV6_OPTION, 0, 0, 0, 1, 43},
		{"option refused to one", 60, 8, {6, 0, 0xde, 0, 1, 2}, WIRE_WHY_IPV6_OPTION, 0, 0, 0, 1, 42},
		{"option past the end", 60, 8, {6, 0, 1, 5}, WIRE_WHY_IPV6_EXTENSION, 0, 0, 0, 0, 0},
		{"option without length", 60, 8, {6, 0, 1, 3, 0, 0, 0, 1}, WIRE_WHY_IPV6_EXTENSION, 0, 0, 0, 0, 0},
		{"header past the end", 60, 8, {6, 1}, WIRE_WHY_IPV6_EXTENSION, 0, 0, 0, 0, 0},
		{"header not whole", 60, 7, {6, 0}, WIRE_WHY_IPV6_EXTENSION, 0, 0, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ipv6_payload payload;
		const struct wire_status status = walk(cases[i].first, cases[i].chain, cases[i].len, &payload);
		cr_expect_eq(status.reason, cases[i].reason, "%s: %s", cases[i].name, wire_reason_text(status.reason));
		cr_expect_eq(payload.report, cases[i].report, "%s", cases[i].name);
		cr_expect_eq(payload.bad_bytes, cases[i].bad, "%s", cases[i].name);
		if (status.result != WIRE_OK)
			continue;
		cr_expect_eq(payload.protocol, cases[i].protocol, "%s", cases[i].name);
		cr_expect_eq(payload.offset_bytes, cases[i].offset, "%s", cases[i].name);
		cr_expect_eq(payload.fragment, cases[i].fragment, "%s", cases[i].name);
	}
}

Test(wire_ip, a_chain_of_extension_headers_has_a_bound)
{
	for (uint8_t count = 0; count < 12; count++) {
		uint8_t chain[96] = {0};
		struct ipv6_payload payload;
		for (unsigned i = 0; i < count; i++) {
			chain[i * 8] = i + 1u < count ? IPV6_DESTINATION : 6;
			chain[i * 8 + 2] = 1;
			chain[i * 8 + 3] = 4;
		}
		const struct wire_status status =
			walk(count ? IPV6_DESTINATION : 6, chain, (uint8_t)(count * 8), &payload);
		cr_expect_eq(status.reason,
			     count <= IPV6_EXTENSION_COUNT_MAX ? WIRE_WHY_NONE : WIRE_WHY_IPV6_EXTENSION_COUNT, "%u",
			     count);
	}
}

/* ---- ICMP ---- */

Test(wire_ip, icmp_errors_quote_a_flow)
{
	uint8_t v4[28] = {0}, v6[48] = {0};
	struct icmp_quote quote;
	struct wire_status status;
	memcpy(v4, golden_v4, 20);
	v4[2] = 0x05; /* of a datagram that was longer */
	const uint8_t tcp[8] = {0x12, 0x34, 0x27, 0x75, 0xff, 0xfe, 0xfd, 0xfc};
	memcpy(v4 + 20, tcp, 8);
	memcpy(v6, golden_v6, 40);
	memcpy(v6 + 40, tcp, 8);
	for (int family = 0; family < 2; family++) {
		const uint8_t *bytes = family ? v6 : v4;
		const uint32_t whole = family ? 48 : 28;
		EXACT(status, bytes, whole, icmp_quote_parse(exact, whole, !family, &quote));
		cr_assert_eq(status.result, WIRE_OK);
		cr_expect_eq(quote.protocol, 6);
		cr_expect_eq(quote.src_port, 0x1234);
		cr_expect_eq(quote.dst_port, 0x2775);
		cr_expect_eq(quote.seq, 0xfffefdfc);
		cr_expect_arr_eq(quote.src, bytes + (family ? 8 : 12), family ? 16 : 4);
		cr_expect_arr_eq(quote.dst, bytes + (family ? 24 : 16), family ? 16 : 4);
		for (uint32_t len = 0; len < whole; len++) {
			EXACT(status, bytes, len, icmp_quote_parse(exact, len, !family, &quote));
			cr_expect_eq(status.result, WIRE_SHORT, "%u of %u bytes", len, whole);
		}
	}
	v4[7] = 1;
	cr_expect_eq(icmp_quote_parse(v4, 28, true, &quote).reason, WIRE_WHY_ICMP_QUOTE);
}

Test(wire_ip, icmp_headers_survive_emit_and_parse)
{
	const uint8_t golden[8] = {8, 0, 0, 0, 0x12, 0x34, 0x56, 0x78};
	struct icmp_header header;
	uint8_t out[8];
	for (uint32_t len = 0; len < 8; len++) {
		struct wire_status status;
		EXACT(status, golden, len, icmp_parse(exact, len, &header));
		cr_expect_eq(status.result, WIRE_SHORT);
		cr_expect_eq(icmp_emit(out, len, &header), 0);
	}
	cr_assert_eq(icmp_parse(golden, 8, &header).result, WIRE_OK);
	cr_expect_eq(header.rest, 0x12345678);
	cr_expect_eq(icmp_emit(out, 8, &header), 8);
	cr_expect_arr_eq(out, golden, 8);
}

/* ---- neighbour discovery ---- */

static const uint8_t golden_ns[32] = {135, 0, 0, 0, 0, 0, 0, 0, GOLDEN_V6_DST, 1, 1, 2, 0, 0, 0, 0, 9};
static const uint8_t golden_na[32] = {136, 0, 0, 0, 0xe0, 0, 0, 0, GOLDEN_V6_DST, 2, 1, 2, 0, 0, 0, 0, 9};
static const uint8_t golden_ra[72] = {134, 0,    0, 0, 64, 0, 0x07, 0x08, 0,    0, 0,  0, 0, 0, 0,    0,    3,    4,
				      64,  0xc0, 0, 1, 0,  0, 0,    0,    0x80, 0, 0,  0, 0, 0, 0x20, 0x01, 0x0d, 0xb8,
				      0,   0,    0, 0, 0,  0, 0,    0,    0,    0, 0,  0, 5, 1, 0,    0,    0,    0,
				      5,   0xdc, 1, 1, 2,  0, 0,    0,    0,    9, 42, 1, 0, 0, 0,    0,    0,    0};

Test(wire_ip, neighbour_messages_survive_parse_and_emit)
{
	const uint8_t *const golden[2] = {golden_ns, golden_na};
	for (int i = 0; i < 2; i++) {
		struct nd_message message;
		struct wire_status status;
		uint8_t out[32] = {0}, target[16] = {GOLDEN_V6_DST};
		EXACT(status, golden[i], 32, nd_parse(exact, 32, &message));
		cr_assert_eq(status.result, WIRE_OK);
		cr_expect(message.has_mac && message.mac[5] == 9);
		cr_expect_arr_eq(message.target, target, 16);
		cr_expect_eq(message.router && message.solicited && message.override, i == 1);
		cr_expect_eq(nd_emit(out, 32, &message), 32);
		cr_expect_arr_eq(out, golden[i], 32);
		cr_expect_eq(nd_emit(out, 31, &message), 0);
		for (uint32_t len = 0; len < 32; len++) {
			EXACT(status, golden[i], len, nd_parse(exact, len, &message));
			cr_expect_eq(status.result, len < 24 ? WIRE_SHORT : len == 24 ? WIRE_OK : WIRE_BAD, "%u", len);
		}
		memcpy(out, golden[i], 32);
		out[25] = 0;
		cr_expect_eq(nd_parse(out, 32, &message).reason, WIRE_WHY_ND_OPTION);
		out[25] = 1;
		out[1] = 1;
		cr_expect_eq(nd_parse(out, 32, &message).reason, WIRE_WHY_ND_CODE);
		out[1] = 0;
		out[8] = 0xff;
		cr_expect_eq(nd_parse(out, 32, &message).reason, WIRE_WHY_ND_TARGET);
	}
}

Test(wire_ip, a_router_advertisement_is_read)
{
	struct nd_message message;
	struct wire_status status;
	EXACT(status, golden_ra, 72, nd_parse(exact, 72, &message));
	cr_assert_eq(status.result, WIRE_OK);
	cr_expect_eq(message.lifetime_s, 1800);
	cr_expect_eq(message.mtu, 1500);
	cr_expect(message.has_mac && message.mac[5] == 9);
	cr_assert_eq(message.prefix_count, 1);
	cr_expect_eq(message.prefixes[0].bits, 64);
	cr_expect(message.prefixes[0].on_link && message.prefixes[0].autonomous);
	cr_expect_eq(message.prefixes[0].valid_s, 65536);
	cr_expect_eq(message.prefixes[0].preferred_s, 32768);
	for (uint32_t len = 0; len < 72; len++) {
		EXACT(status, golden_ra, len, nd_parse(exact, len, &message));
		const bool boundary = len == 16 || len == 48 || len == 56 || len == 64;
		cr_expect_eq(status.result, len < 16 ? WIRE_SHORT : boundary ? WIRE_OK : WIRE_BAD, "%u bytes", len);
	}
	uint8_t out[72];
	cr_expect_eq(nd_parse(golden_ra, 72, &message).result, WIRE_OK);
	cr_expect_eq(nd_emit(out, 72, &message), 0, "hosts advertise no router");
}

Test(wire_ip, more_prefixes_than_are_kept_are_ignored)
{
	uint8_t bytes[16 + 32 * 12] = {134};
	struct nd_message message;
	for (unsigned i = 0; i < 12; i++) {
		bytes[16 + 32 * i] = 3;
		bytes[17 + 32 * i] = 4;
		bytes[18 + 32 * i] = i == 0 ? 129 : 64;
	}
	cr_assert_eq(nd_parse(bytes, sizeof bytes, &message).result, WIRE_OK);
	cr_expect_eq(message.prefix_count, ND_PREFIX_COUNT_MAX);
	cr_expect_eq(message.prefixes[0].bits, 64, "a prefix of 129 bits is none");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 header (RFC 791).  Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define IPV4_ETHERTYPE 0x0800
#define IPV4_HEADER_BYTES 20u
#define IPV4_HEADER_BYTES_MAX 60u
#define IPV4_TTL_DEFAULT 64

/* Protocols, which IPv6 calls next headers. */
enum ip_protocol {
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ICMPV6 = 58,
};

#define IPV4_FLAG_DF 0x4000
#define IPV4_FLAG_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

struct ipv4_wire {
	uint8_t version_length;
	uint8_t traffic_class;
	be16 total_bytes;
	be16 id;
	be16 fragment;
	uint8_t ttl;
	uint8_t protocol;
	be16 checksum;
	uint8_t src[4], dst[4];
};

_Static_assert(sizeof(struct ipv4_wire) == IPV4_HEADER_BYTES, "RFC 791 3.1");
_Static_assert(offsetof(struct ipv4_wire, fragment) == 6 && offsetof(struct ipv4_wire, dst) == 16, "RFC 791 3.1");

struct ipv4_header {
	uint8_t header_bytes; /* 20 to 60 */
	uint8_t traffic_class;
	uint16_t total_bytes; /* header included; what is behind it in the frame is padding */
	uint16_t id;
	uint16_t fragment_bytes; /* offset of this fragment */
	bool more_fragments, dont_fragment;
	bool source_route; /* an option that has the sender choose the way (RFC 791 3.1) */
	uint8_t ttl;
	uint8_t protocol; /* enum ip_protocol */
	uint8_t src[4], dst[4];
};

static inline bool ipv4_is_fragment(const struct ipv4_header *header)
{
	return header->fragment_bytes != 0 || header->more_fragments;
}

/*
 * The header, and that the datagram is whole: SHORT or BAD with the reason.
 * Options are walked, not kept.  verify: check the header's checksum, too.
 * Addresses are the caller's to judge.
 */
__attribute__((warn_unused_result)) struct wire_status ipv4_parse(const uint8_t *data, uint32_t len_bytes, bool verify,
								  struct ipv4_header *header);
/* The same for what an ICMP error quotes: the datagram need not be whole, nor its checksum right. */
__attribute__((warn_unused_result)) struct wire_status ipv4_parse_quoted(const uint8_t *data, uint32_t len_bytes,
									 struct ipv4_header *header);
/* A header without options, its checksum filled in.  Returns the bytes written, 0 when room does not suffice. */
uint32_t ipv4_emit(uint8_t *data, uint32_t room_bytes, const struct ipv4_header *header);

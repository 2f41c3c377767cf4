/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 header and the walk over its extension headers (RFC 8200).  Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define IPV6_ETHERTYPE 0x86dd
#define IPV6_HEADER_BYTES 40u
#define IPV6_HOP_LIMIT_DEFAULT 64
#define IPV6_MTU_MIN 1280
#define IPV6_EXTENSION_COUNT_MAX 8u /* more is an attack on whoever walks them */

enum ipv6_next_header {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_NONE = 59,
	IPV6_DESTINATION = 60,
};

struct ipv6_wire {
	be32 version_class_flow;
	be16 payload_bytes;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t src[16], dst[16];
};

_Static_assert(sizeof(struct ipv6_wire) == IPV6_HEADER_BYTES, "RFC 8200 3");
_Static_assert(offsetof(struct ipv6_wire, src) == 8 && offsetof(struct ipv6_wire, dst) == 24, "RFC 8200 3");

struct ipv6_header {
	uint8_t traffic_class;
	uint32_t flow_label;
	uint16_t payload_bytes; /* behind the header; what follows in the frame is padding */
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t src[16], dst[16];
};

/* The header, and that the datagram is whole.  Jumbograms (payload length 0 with an option) are not served. */
__attribute__((warn_unused_result)) struct wire_status ipv6_parse(const uint8_t *data, uint32_t len_bytes,
								  struct ipv6_header *header);
/* The same for what an ICMP error quotes: the datagram need not be whole. */
__attribute__((warn_unused_result)) struct wire_status ipv6_parse_quoted(const uint8_t *data, uint32_t len_bytes,
									 struct ipv6_header *header);
/* Returns the bytes written, 0 when room does not suffice. */
uint32_t ipv6_emit(uint8_t *data, uint32_t room_bytes, const struct ipv6_header *header);

/* Where the extension headers end. */
struct ipv6_payload {
	uint8_t protocol;      /* the first next header that is no extension, enum ip_protocol; IPV6_NONE */
	uint32_t offset_bytes; /* of the payload, from the start of the IPv6 header */
	bool fragment;         /* a part of a datagram; what is behind the fragment header has not been looked at.
				* A fragment header of a whole datagram is skipped (RFC 6946). */
	/* With a refusal that the sender is to hear of (RFC 8200 4.2, 4.4): */
	bool report;        /* by a Parameter Problem */
	uint8_t code;       /* of the Parameter Problem */
	uint32_t bad_bytes; /* its pointer */
};

/* Walk the extension headers of a datagram of len_bytes from its IPv6 header on, which ipv6_parse has accepted. */
__attribute__((warn_unused_result)) struct wire_status
ipv6_walk(const uint8_t *data, uint32_t len_bytes, const struct ipv6_header *header, struct ipv6_payload *payload);

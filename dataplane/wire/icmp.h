/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP (RFC 792, 1122, 1191) and ICMPv6 (RFC 4443): header, and what an error quotes.  Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define ICMP_HEADER_BYTES 8u
#define ICMP_ERROR_BYTES_MAX 576u    /* whole IPv4 datagram (RFC 1812 4.3.2.3) */
#define ICMPV6_ERROR_BYTES_MAX 1280u /* whole IPv6 datagram (RFC 4443 3.1) */

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_REDIRECT = 5,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_unreachable_code { ICMP_CODE_PROTOCOL = 2, ICMP_CODE_PORT = 3, ICMP_CODE_TOO_BIG = 4 };

enum icmpv6_type {
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_MLD_QUERY = 130,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_ROUTER_ADVERTISEMENT = 134,
	ICMPV6_NEIGHBOUR_SOLICITATION = 135,
	ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMPV6_REDIRECT = 137,
	ICMPV6_MLD2_REPORT = 143,
};

enum icmpv6_code { ICMPV6_CODE_PORT = 4 /* of UNREACHABLE */, ICMPV6_CODE_NEXT_HEADER = 1 /* of PARAMETER_PROBLEM */ };

struct icmp_wire {
	uint8_t type, code;
	be16 checksum;
	be32 rest;
};

_Static_assert(sizeof(struct icmp_wire) == ICMP_HEADER_BYTES, "RFC 792, RFC 4443 2.1");
_Static_assert(offsetof(struct icmp_wire, rest) == 4, "RFC 792, RFC 4443 2.1");

/* Errors quote a datagram, and none is sent about one. */
static inline bool icmp_is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

static inline bool icmpv6_is_error(uint8_t type)
{
	return type < 128;
}

/* Neighbour discovery that hosts take part in. */
static inline bool icmpv6_is_nd(uint8_t type)
{
	return type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_NEIGHBOUR_ADVERTISEMENT;
}

/* Both families; the checksum is the caller's, who has the pseudo header. */
struct icmp_header {
	uint8_t type, code;
	uint32_t rest; /* identifier and sequence number; next-hop MTU; pointer */
};

__attribute__((warn_unused_result)) struct wire_status icmp_parse(const uint8_t *data, uint32_t len_bytes,
								  struct icmp_header *header);
/* With a checksum field of 0.  Returns the bytes written, 0 when room does not suffice. */
uint32_t icmp_emit(uint8_t *data, uint32_t room_bytes, const struct icmp_header *header);

/* The datagram that an error quotes, as far as a flow needs it. */
struct icmp_quote {
	bool v4;
	uint8_t src[16], dst[16]; /* the first 4 bytes for IPv4 */
	uint8_t protocol;
	uint16_t src_port, dst_port;
	uint32_t seq; /* TCP */
};

/* From the quoted IP header on.  SHORT when its transport header's first 8 bytes are missing (RFC 792), BAD for a later
 * fragment, which has none. */
__attribute__((warn_unused_result)) struct wire_status icmp_quote_parse(const uint8_t *data, uint32_t len_bytes,
									bool v4, struct icmp_quote *quote);

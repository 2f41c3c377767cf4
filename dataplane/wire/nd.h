/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements of neighbours and routers, behind the
 * ICMPv6 checksum.  Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/icmp.h"
#include "wire/wire.h"

#define ND_HOP_LIMIT 255 /* whatever was forwarded has less (RFC 4861 7.1) */
#define ND_PREFIX_COUNT_MAX 8u

struct nd_neighbour_wire {
	struct icmp_wire icmp; /* rest: flags of an advertisement */
	uint8_t target[16];
};

struct nd_router_wire {
	uint8_t type, code;
	be16 checksum;
	uint8_t hop_limit, flags;
	be16 lifetime_s;
	be32 reachable_ms, retransmit_ms;
};

struct nd_lladdr_wire {
	uint8_t type, length;
	uint8_t mac[6];
};

struct nd_prefix_wire {
	uint8_t type, length, bits, flags;
	be32 valid_s, preferred_s, reserved;
	uint8_t prefix[16];
};

struct nd_mtu_wire {
	uint8_t type, length;
	be16 reserved;
	be32 mtu;
};

_Static_assert(sizeof(struct nd_neighbour_wire) == 24, "RFC 4861 4.3, 4.4");
_Static_assert(sizeof(struct nd_router_wire) == 16, "RFC 4861 4.2");
_Static_assert(sizeof(struct nd_lladdr_wire) == 8, "RFC 4861 4.6.1");
_Static_assert(sizeof(struct nd_prefix_wire) == 32 && offsetof(struct nd_prefix_wire, prefix) == 16, "RFC 4861 4.6.2");
_Static_assert(sizeof(struct nd_mtu_wire) == 8, "RFC 4861 4.6.4");

struct nd_prefix {
	uint8_t prefix[16];
	uint8_t bits;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

struct nd_message {
	uint8_t type; /* enum icmpv6_type, one of the four */
	bool has_mac; /* source (solicitations, router advertisement) or target (advertisement) link-layer address */
	uint8_t mac[6];
	/* neighbours */
	uint8_t target[16];
	bool router, solicited, override;
	/* router advertisement */
	uint16_t lifetime_s; /* as a default router; 0: it is none */
	uint32_t mtu;        /* 0: none given */
	unsigned prefix_count;
	struct nd_prefix prefixes[ND_PREFIX_COUNT_MAX]; /* those beyond are ignored */
};

/* From the ICMPv6 header on.  Unknown options are skipped; an option of length 0 makes the whole message BAD. */
__attribute__((warn_unused_result)) struct wire_status nd_parse(const uint8_t *data, uint32_t len_bytes,
								struct nd_message *message);

#define ND_EMIT_BYTES_MAX 32u

/* A neighbour solicitation or advertisement or a router solicitation, with a checksum field of 0.  Returns the bytes
 * written, 0 when room does not suffice. */
uint32_t nd_emit(uint8_t *data, uint32_t room_bytes, const struct nd_message *message);

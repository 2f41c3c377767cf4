/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet addresses, and what a transport sees of a datagram.  Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2): one type, one comparison, one hash for both. */
struct ip_addr {
	uint8_t b[16];
};

#define IP_ADDR_V4_OFFSET 12

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	static const uint8_t prefix[IP_ADDR_V4_OFFSET] = {[10] = 0xff, [11] = 0xff};
	return memcmp(a->b, prefix, sizeof prefix) == 0;
}

static inline struct ip_addr ip_addr_v4(const uint8_t bytes[4])
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	memcpy(a.b + IP_ADDR_V4_OFFSET, bytes, 4);
	return a;
}

static inline struct ip_addr ip_addr_v6(const uint8_t bytes[16])
{
	struct ip_addr a;
	memcpy(a.b, bytes, 16);
	return a;
}

/* All zero bytes: no address, "any" in a listener. */
static inline bool ip_addr_is_none(const struct ip_addr *a)
{
	static const struct ip_addr none;
	return ip_addr_equal(a, &none);
}

/* Codepoints of the two ECN bits (RFC 3168 5). */
enum ip_ecn { IP_ECN_NOT_ECT = 0, IP_ECN_ECT1 = 1, IP_ECN_ECT0 = 2, IP_ECN_CE = 3 };

/* A datagram that was accepted: for one of our addresses on this interface, whole, its addresses sane. */
struct ip_view {
	struct ip_addr src, dst;
	uint16_t port_index;
	uint16_t vlan; /* 0: untagged */
	uint8_t ecn;   /* enum ip_ecn */
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and prefixes of IPv4 and IPv6 as the operator writes them.  Inside,
 * an address is 16 bytes, IPv4 as ::ffff:a.b.c.d, as in the control protocol; the
 * length of a prefix is the family's (up to 32 for IPv4).
 * Pure functions, any thread, no allocation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEXT_IP_BYTES 46       /* any output of text_ip_emit */
#define TEXT_PREFIX_BYTES 50   /* any output of text_prefix_emit */
#define TEXT_ENDPOINT_BYTES 54 /* any output of text_endpoint_emit */

struct text_ip {
	uint8_t b[16];
};

struct text_prefix {
	struct text_ip ip;
	uint8_t bits; /* of the family */
};

/* "10.0.0.1" or "2001:db8::1"; IPv4 written as IPv6 is refused, so that each address has one text.  0 or -EINVAL. */
int text_ip_parse(const char *text, struct text_ip *ip);
const char *text_ip_emit(const struct text_ip *ip, char out[TEXT_IP_BYTES]);
bool text_ip_is_v4(const struct text_ip *ip);
/* 32 or 128. */
unsigned text_ip_bits(const struct text_ip *ip);
bool text_ip_equal(const struct text_ip *a, const struct text_ip *b);
/* One host can have it: no group, loopback, unspecified or reserved address (RFC 1122 3.2.1.3, RFC 4291 2.4). */
bool text_ip_is_unicast(const struct text_ip *ip);
/* IPv6, and means something on one link only (fe80::/10). */
bool text_ip_is_link_local(const struct text_ip *ip);

/* "10.0.0.0/8"; without a length, all of the address.  0; -EINVAL; -ERANGE when the length is more than the family's.
 */
int text_prefix_parse(const char *text, struct text_prefix *prefix);
const char *text_prefix_emit(const struct text_prefix *prefix, char out[TEXT_PREFIX_BYTES]);
/* The same with every bit beyond the length cleared. */
struct text_prefix text_prefix_network(const struct text_prefix *prefix);
/* Is the address, of the same family, in it? */
bool text_prefix_holds(const struct text_prefix *prefix, const struct text_ip *ip);
bool text_prefix_equal(const struct text_prefix *a, const struct text_prefix *b);

/* "10.0.0.1:10809", "[2001:db8::1]:10809". */
const char *text_endpoint_emit(const struct text_ip *ip, uint16_t port, char out[TEXT_ENDPOINT_BYTES]);

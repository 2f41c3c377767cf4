/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum in packets: pseudo headers, the field, pieces.  How sums
 * are kept is util/checksum.h's.  Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "util/checksum.h"

/* The sum with bytes added that start at an odd offset of what is summed. */
static inline uint64_t checksum_add_odd(uint64_t sum, const void *data, uint32_t len_bytes)
{
	return checksum_add64(sum, checksum_swap(checksum_add(0, data, len_bytes)));
}

/* What the checksum field is to hold, the field itself being summed as 0. */
static inline be16 checksum_finish(uint64_t sum)
{
	const uint16_t word = (uint16_t)~checksum_fold(sum);
	be16 wire;
	memcpy(wire.b, &word, sizeof word);
	return wire;
}

/* For a sum over bytes that hold their checksum. */
static inline bool checksum_is_right(uint64_t sum)
{
	return checksum_fold(sum) == 0xffff;
}

/* Sums of the pseudo headers of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1). */
static inline uint64_t checksum_pseudo_v4(const uint8_t src[4], const uint8_t dst[4], uint8_t protocol,
					  uint16_t len_bytes)
{
	uint32_t a, b;
	memcpy(&a, src, sizeof a);
	memcpy(&b, dst, sizeof b);
	return (uint64_t)a + b + checksum_of_be16(protocol) + checksum_of_be16(len_bytes);
}

static inline uint64_t checksum_pseudo_v6(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol,
					  uint32_t len_bytes)
{
	uint32_t words[8];
	uint64_t sum = checksum_of_be16(protocol) + checksum_of_be16((uint16_t)(len_bytes >> 16)) +
		       checksum_of_be16((uint16_t)len_bytes);
	memcpy(words, src, 16);
	memcpy(words + 4, dst, 16);
	for (unsigned i = 0; i < 8; i++)
		sum += words[i];
	return sum;
}

/* The field after one 16-bit word of what it covers has changed (RFC 1624). */
static inline be16 checksum_replace(be16 field, uint16_t from, uint16_t to)
{
	const uint64_t sum = (uint64_t)(uint16_t)~be16_get(field) + (uint16_t)~from + to;
	const uint64_t once = (sum & 0xffff) + (sum >> 16);
	return be16_of((uint16_t) ~((once & 0xffff) + (once >> 16)));
}

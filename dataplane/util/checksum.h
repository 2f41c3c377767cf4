/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071) of IP, ICMP and TCP.
 *
 * A sum is kept in 64 bits with the carries wrapped around, in the byte order of
 * the machine; it is folded and complemented once, at the end, and is then
 * stored as it is.  Pure, any thread.
 */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint64_t checksum_add64(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

/* Add bytes that begin at an even place of the datagram (an odd length is padded with a zero byte). */
uint64_t checksum_add(uint64_t sum, const void *data, uint32_t len_bytes);

/* Sum of bytes, turned round for a piece that begins at an odd place of the datagram. */
static inline uint64_t checksum_swap(uint64_t sum)
{
	return (sum & 0x00ff00ff00ff00ffull) << 8 | (sum >> 8 & 0x00ff00ff00ff00ffull);
}

/* The 16 bits as they lie in memory: to be compared with 0xffff, or complemented and stored. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* A number of the pseudo header (protocol, length), which travels in network order. */
static inline uint64_t checksum_of_be16(uint16_t value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	uint16_t word;
	memcpy(&word, bytes, sizeof word);
	return word;
}

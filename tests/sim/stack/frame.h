/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames as the simulated world sees them: read and written by code that shares
 * nothing with the stack, so that an error of its parsers or emitters is not
 * repeated here.  Ethernet without tags, IPv4 without options, IPv6 without
 * extension headers, which is all that is ever sent here.
 */
#pragma once

#include "../core.h"

struct frame_ip {
	bool v4;
	const uint8_t *src, *dst; /* 4 or 16 bytes */
	uint8_t protocol;
	const uint8_t *payload;
	uint32_t payload_bytes;
};

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

bool frame_is_arp(const uint8_t *frame, uint32_t len_bytes);
/* ARP or neighbour discovery. */
bool frame_is_neighbourly(const uint8_t *frame, uint32_t len_bytes);
/* False: no IP, or not whole. */
bool frame_ip_parse(const uint8_t *frame, uint32_t len_bytes, struct frame_ip *ip);
/* Congestion experienced, if the sender can be told. */
void frame_mark(uint8_t *frame, uint32_t len_bytes);
/* RFC 1071, over bytes that begin at an even place. */
uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, uint32_t len_bytes);
/* What belongs in, or makes zero of, the checksum field of a payload with this pseudo header. */
uint16_t frame_checksum(const struct frame_ip *ip);
/* What is wrong with a frame that a stack sends; NULL: nothing. */
const char *frame_error(const uint8_t *frame, uint32_t len_bytes);
void frame_tell(struct sim *sim, const char *where, const uint8_t *frame, uint32_t len_bytes);

/* Ethernet and IP headers in front of a payload that lies FRAME_HEAD_BYTES into bytes; returns where the frame begins,
 * and its length, padded.  addresses as in struct frame_ip. */
#define FRAME_HEAD_BYTES 54u
uint8_t *frame_build(uint8_t *bytes, const struct frame_ip *ip, const uint8_t dst[6], const uint8_t src[6],
		     uint32_t *len_bytes);

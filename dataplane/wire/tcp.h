/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP segments (RFC 9293 3.1) with the options of RFC 9293, 7323 and 2018.
 *
 * The checksum is not looked at here: it needs the addresses.  An option of a
 * known kind with a length that it cannot have is passed over; a length that
 * leads nowhere (0, 1, past the end) makes the whole segment unusable.  Pure,
 * any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define TCP_HEADER_BYTES 20u
#define TCP_HEADER_BYTES_MAX 60u
#define TCP_OPTION_BYTES_MAX 40u
#define TCP_TIMESTAMPS_BYTES 12u /* with the two NOPs in front that align it */
#define TCP_SACK_COUNT_MAX 4u
#define TCP_WSCALE_MAX 14u /* RFC 7323 2.3 */

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

struct tcp_header {
	be16 source, destination;
	be32 seq, ack;
	uint8_t offset; /* words, in the upper four bits */
	uint8_t flags;
	be16 window, checksum, urgent;
};
_Static_assert(sizeof(struct tcp_header) == TCP_HEADER_BYTES, "RFC 9293 3.1");

/* Sequence numbers: half of the space is before a number, half behind it (RFC 9293 3.4). */
static inline bool tcp_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool tcp_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

struct tcp_range {
	uint32_t start, end; /* end is the first number behind */
};

struct tcp_options {
	bool has_mss, has_wscale, has_timestamps, sack_permitted;
	uint8_t wscale; /* at most TCP_WSCALE_MAX */
	uint8_t sack_count;
	uint16_t mss_bytes;
	uint32_t ts_val, ts_ecr;
	struct tcp_range sack[TCP_SACK_COUNT_MAX];
};

struct tcp_segment {
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint16_t window; /* as it is in the segment: not scaled */
	uint8_t flags;
	uint8_t header_bytes;
	uint32_t payload_bytes;
	struct tcp_options options;
};

/* Numbers that the segment takes up: payload, SYN, FIN. */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->payload_bytes + ((segment->flags & TCP_SYN) != 0) + ((segment->flags & TCP_FIN) != 0);
}

/* Fills in everything; the payload is what follows header_bytes. */
__attribute__((warn_unused_result)) struct wire_status tcp_segment_parse(const uint8_t *bytes, uint32_t len_bytes,
									 struct tcp_segment *segment);

/* ---- what nearly every segment is ---- */

/* ACK, with or without PSH, and either no option or the timestamps, aligned by two NOPs (RFC 7323 A). */
struct tcp_plain {
	uint16_t shape; /* TCP_SHAPE_... */
	uint16_t window;
	uint32_t ports; /* the source's in the upper half */
	uint32_t seq, ack;
	uint32_t ts_val, ts_ecr; /* of TCP_SHAPE_TIMESTAMPS, else 0 */
	uint32_t header_bytes;
};

/* The header's bytes of data offset and flags, but for PSH. */
#define TCP_SHAPE_BARE (5u << 12 | TCP_ACK)
#define TCP_SHAPE_TIMESTAMPS (8u << 12 | TCP_ACK)
#define TCP_TIMESTAMPS_WORD 0x0101080au /* NOP, NOP, kind 8 of 10 bytes */

struct tcp_plain_header {
	be16 source, destination;
	be32 seq, ack;
	be16 shape; /* of struct tcp_header: offset and flags */
	be16 window, checksum, urgent;
	be32 kind, ts_val, ts_ecr; /* not there in TCP_SHAPE_BARE */
};
_Static_assert(sizeof(struct tcp_plain_header) == TCP_HEADER_BYTES + TCP_TIMESTAMPS_BYTES, "RFC 7323 3.2");
_Static_assert(offsetof(struct tcp_plain_header, shape) == offsetof(struct tcp_header, offset), "RFC 9293 3.1");

/* False: it is something else, or not whole. */
static inline bool tcp_plain_parse(const uint8_t *bytes, uint32_t len_bytes, struct tcp_plain *plain)
{
	const struct tcp_plain_header *wire = (const struct tcp_plain_header *)bytes;
	if (len_bytes < TCP_HEADER_BYTES)
		return false;
	plain->shape = be16_get(wire->shape) & (uint16_t)~TCP_PSH;
	if (plain->shape == TCP_SHAPE_TIMESTAMPS) {
		if (len_bytes < sizeof *wire || be32_get(wire->kind) != TCP_TIMESTAMPS_WORD)
			return false;
		plain->ts_val = be32_get(wire->ts_val);
		plain->ts_ecr = be32_get(wire->ts_ecr);
		plain->header_bytes = sizeof *wire;
	} else {
		if (plain->shape != TCP_SHAPE_BARE)
			return false;
		plain->ts_val = plain->ts_ecr = 0;
		plain->header_bytes = TCP_HEADER_BYTES;
	}
	plain->ports = (uint32_t)be16_get(wire->source) << 16 | be16_get(wire->destination);
	plain->seq = be32_get(wire->seq);
	plain->ack = be32_get(wire->ack);
	plain->window = be16_get(wire->window);
	return true;
}

/* Header with the checksum 0; room for both kinds, whichever it is. */
static inline void tcp_plain_emit(struct tcp_plain_header *wire, const struct tcp_plain *plain)
{
	*wire = (struct tcp_plain_header){
		.source = be16_of((uint16_t)(plain->ports >> 16)),
		.destination = be16_of((uint16_t)plain->ports),
		.seq = be32_of(plain->seq),
		.ack = be32_of(plain->ack),
		.shape = be16_of(plain->shape),
		.window = be16_of(plain->window),
		.kind = be32_of(TCP_TIMESTAMPS_WORD),
		.ts_val = be32_of(plain->ts_val),
		.ts_ecr = be32_of(plain->ts_ecr),
	};
}

/* A header that was emitted once, with another number and more flags; room for both kinds, whichever it is. */
static inline void tcp_plain_stamp(uint8_t *to, const struct tcp_plain_header *from, uint32_t seq, uint8_t flags)
{
	struct tcp_plain_header *wire = (struct tcp_plain_header *)to;
	memcpy(wire, from, sizeof *wire);
	wire->seq = be32_of(seq);
	wire->shape.b[1] |= flags;
}

/* ---- any segment ---- */

/* The options alone, for a header whose length is known to be there. */
__attribute__((warn_unused_result)) struct wire_status tcp_options_parse(const uint8_t *bytes, uint32_t len_bytes,
									 struct tcp_options *options);

/* Bytes that tcp_options_emit takes; a multiple of 4. */
uint32_t tcp_options_bytes(const struct tcp_options *options);
/* Room for TCP_OPTION_BYTES_MAX; SACK blocks that do not fit are left out.  Returns the bytes written. */
uint32_t tcp_options_emit(uint8_t *to, const struct tcp_options *options);

/* Header (checksum 0) and options; room for TCP_HEADER_BYTES_MAX.  Returns and fills in header_bytes. */
uint32_t tcp_segment_emit(uint8_t *to, struct tcp_segment *segment);

/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP segments: parse and emit. */
#include "wire/tcp.h"

#include <stddef.h>
#include <string.h>

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
};

static uint32_t get32(const uint8_t *at)
{
	be32 word;
	memcpy(&word, at, sizeof word);
	return be32_get(word);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	const be32 word = be32_of(value);
	memcpy(at, &word, sizeof word);
	return at + sizeof word;
}

/* One option of a known length. */
static void take_option(const uint8_t *at, uint32_t len, struct tcp_options *options)
{
	switch (at[0]) {
	case OPTION_MSS:
		if (len == 4) {
			options->has_mss = true;
			options->mss_bytes = (uint16_t)(at[2] << 8 | at[3]);
		}
		break;
	case OPTION_WSCALE:
		if (len == 3) {
			options->has_wscale = true;
			options->wscale = at[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : at[2];
		}
		break;
	case OPTION_SACK_PERMITTED:
		options->sack_permitted |= len == 2;
		break;
	case OPTION_SACK:
		if ((len - 2) % 8 == 0 && len <= 2 + 8 * TCP_SACK_COUNT_MAX) {
			options->sack_count = (uint8_t)((len - 2) / 8);
			for (unsigned i = 0; i < options->sack_count; i++)
				options->sack[i] = (struct tcp_range){get32(at + 2 + 8 * i), get32(at + 6 + 8 * i)};
		}
		break;
	case OPTION_TIMESTAMPS:
		if (len == 10) {
			options->has_timestamps = true;
			options->ts_val = get32(at + 2);
			options->ts_ecr = get32(at + 6);
		}
		break;
	default:
		break; /* unknown: passed over (RFC 9293 3.1, MUST-6) */
	}
}

struct wire_status tcp_options_parse(const uint8_t *bytes, uint32_t len_bytes, struct tcp_options *options)
{
	memset(options, 0, offsetof(struct tcp_options, ts_val));
	/* What nearly every segment has: timestamps, aligned by two NOPs (RFC 7323 A). */
	if (len_bytes == TCP_TIMESTAMPS_BYTES && get32(bytes) == (0x0101u << 16 | OPTION_TIMESTAMPS << 8 | 10)) {
		options->has_timestamps = true;
		options->ts_val = get32(bytes + 4);
		options->ts_ecr = get32(bytes + 8);
		return wire_ok();
	}
	for (uint32_t at = 0; at < len_bytes;) {
		if (bytes[at] == OPTION_END)
			break;
		if (bytes[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (len_bytes - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > len_bytes - at)
			return wire_no(WIRE_BAD, WIRE_WHY_TCP_OPTION);
		take_option(bytes + at, bytes[at + 1], options);
		at += bytes[at + 1];
	}
	return wire_ok();
}

struct wire_status tcp_segment_parse(const uint8_t *bytes, uint32_t len_bytes, struct tcp_segment *segment)
{
	if (len_bytes < TCP_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_TCP_HEADER);
	struct tcp_header header;
	memcpy(&header, bytes, sizeof header);
	const uint32_t header_bytes = (uint32_t)(header.offset >> 4) * 4;
	if (header_bytes < TCP_HEADER_BYTES)
		return wire_no(WIRE_BAD, WIRE_WHY_TCP_OFFSET);
	if (header_bytes > len_bytes)
		return wire_no(WIRE_SHORT, WIRE_WHY_TCP_OFFSET);
	segment->source_port = be16_get(header.source);
	segment->destination_port = be16_get(header.destination);
	segment->seq = be32_get(header.seq);
	segment->ack = be32_get(header.ack);
	segment->window = be16_get(header.window);
	segment->flags = header.flags;
	segment->header_bytes = (uint8_t)header_bytes;
	segment->payload_bytes = len_bytes - header_bytes;
	return tcp_options_parse(bytes + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES, &segment->options);
}

/* Blocks that find room beside the other options. */
static uint32_t sack_count(const struct tcp_options *options, uint32_t used)
{
	const uint32_t room = TCP_OPTION_BYTES_MAX - used;
	const uint32_t most = room < 12 ? 0 : (room - 4) / 8;
	return options->sack_count < most ? options->sack_count : most;
}

static uint32_t fixed_bytes(const struct tcp_options *options)
{
	return (options->has_mss ? 4u : 0u) + (options->has_wscale ? 4u : 0u) +
	       (options->has_timestamps   ? TCP_TIMESTAMPS_BYTES
		: options->sack_permitted ? 4u
					  : 0u);
}

uint32_t tcp_options_bytes(const struct tcp_options *options)
{
	const uint32_t used = fixed_bytes(options);
	const uint32_t blocks = sack_count(options, used);
	return used + (blocks ? 4 + 8 * blocks : 0);
}

uint32_t tcp_options_emit(uint8_t *to, const struct tcp_options *options)
{
	uint8_t *at = to;
	if (options->has_mss)
		at = put32(at, OPTION_MSS << 24 | 4 << 16 | (uint32_t)options->mss_bytes);
	if (options->has_timestamps) {
		const uint32_t front = options->sack_permitted ? OPTION_SACK_PERMITTED << 8 | 2 : 0x0101;
		at = put32(at, front << 16 | OPTION_TIMESTAMPS << 8 | 10);
		at = put32(at, options->ts_val);
		at = put32(at, options->ts_ecr);
	} else if (options->sack_permitted) {
		at = put32(at, 0x0101u << 16 | OPTION_SACK_PERMITTED << 8 | 2);
	}
	if (options->has_wscale)
		at = put32(at, OPTION_NOP << 24 | OPTION_WSCALE << 16 | 3 << 8 | (uint32_t)options->wscale);
	const uint32_t blocks = sack_count(options, (uint32_t)(at - to));
	if (blocks) {
		at = put32(at, 0x0101u << 16 | OPTION_SACK << 8 | (2 + 8 * blocks));
		for (uint32_t i = 0; i < blocks; i++)
			at = put32(put32(at, options->sack[i].start), options->sack[i].end);
	}
	return (uint32_t)(at - to);
}

uint32_t tcp_segment_emit(uint8_t *to, struct tcp_segment *segment)
{
	const uint32_t header_bytes = TCP_HEADER_BYTES + tcp_options_emit(to + TCP_HEADER_BYTES, &segment->options);
	const struct tcp_header header = {
		.source = be16_of(segment->source_port),
		.destination = be16_of(segment->destination_port),
		.seq = be32_of(segment->seq),
		.ack = be32_of(segment->ack),
		.offset = (uint8_t)(header_bytes / 4 << 4),
		.flags = segment->flags,
		.window = be16_of(segment->window),
	};
	memcpy(to, &header, sizeof header);
	segment->header_bytes = (uint8_t)header_bytes;
	return header_bytes;
}

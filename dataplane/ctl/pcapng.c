/* SPDX-License-Identifier: BSD-3-Clause */
/* pcapng blocks: type, total length, body padded to 4 bytes, total length again. */
#include "ctl/pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	OPTION_END = 0,
	OPTION_USER_APPLICATION = 4,
	OPTION_INTERFACE_NAME = 2,
	OPTION_TIME_RESOLUTION = 9,
	OPTION_PACKET_FLAGS = 2,
	TIME_RESOLUTION_NS = 9, /* 10^-9 s */
	PACKET_INBOUND = 1,
	PACKET_OUTBOUND = 2,
};

struct block {
	uint8_t *start, *at, *end;
	bool full;
};

static void put_bytes(struct block *b, const void *bytes, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	if (b->full || (size_t)(b->end - b->at) < padded) {
		b->full = true;
		return;
	}
	memcpy(b->at, bytes, len);
	memset(b->at + len, 0, padded - len);
	b->at += padded;
}

static void put_u32(struct block *b, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
	put_bytes(b, bytes, sizeof bytes);
}

static void put_u16_pair(struct block *b, unsigned first, unsigned second)
{
	put_u32(b, (first & 0xffffu) | second << 16);
}

static void put_option(struct block *b, unsigned code, const void *value, size_t len)
{
	put_u16_pair(b, code, (unsigned)len);
	put_bytes(b, value, len);
}

static struct block block_begin(uint8_t *buf, size_t cap, uint32_t type)
{
	struct block b = {buf, buf, buf + cap, false};
	put_u32(&b, type);
	put_u32(&b, 0); /* the total, known at the end */
	return b;
}

static size_t block_end(struct block *b)
{
	uint32_t total = (uint32_t)(b->at - b->start) + 4;
	put_u32(b, total);
	if (b->full)
		return 0;
	struct block head = {b->start + 4, b->start + 4, b->start + 8, false};
	put_u32(&head, total);
	return total;
}

size_t pcapng_put_section(uint8_t *buf, size_t cap, const char *application)
{
	struct block b = block_begin(buf, cap, BLOCK_SECTION);
	put_u32(&b, BYTE_ORDER_MAGIC);
	put_u16_pair(&b, 1, 0); /* version 1.0 */
	put_u32(&b, UINT32_MAX);
	put_u32(&b, UINT32_MAX); /* section length: not told */
	put_option(&b, OPTION_USER_APPLICATION, application, strlen(application));
	put_option(&b, OPTION_END, "", 0);
	return block_end(&b);
}

size_t pcapng_put_interface(uint8_t *buf, size_t cap, const char *name, uint32_t snap_bytes)
{
	const uint8_t resolution = TIME_RESOLUTION_NS;
	struct block b = block_begin(buf, cap, BLOCK_INTERFACE);
	put_u16_pair(&b, LINKTYPE_ETHERNET, 0);
	put_u32(&b, snap_bytes);
	put_option(&b, OPTION_INTERFACE_NAME, name, strlen(name));
	put_option(&b, OPTION_TIME_RESOLUTION, &resolution, 1);
	put_option(&b, OPTION_END, "", 0);
	return block_end(&b);
}

size_t pcapng_put_packet(uint8_t *buf, size_t cap, const struct pcapng_packet *packet)
{
	const uint8_t flags[4] = {packet->outgoing ? PACKET_OUTBOUND : PACKET_INBOUND};
	struct block b = block_begin(buf, cap, BLOCK_PACKET);
	put_u32(&b, packet->interface);
	put_u32(&b, (uint32_t)(packet->time_ns >> 32));
	put_u32(&b, (uint32_t)packet->time_ns);
	put_u32(&b, packet->captured_bytes);
	put_u32(&b, packet->frame_bytes);
	put_bytes(&b, packet->bytes, packet->captured_bytes);
	put_option(&b, OPTION_PACKET_FLAGS, flags, sizeof flags);
	put_option(&b, OPTION_END, "", 0);
	return block_end(&b);
}

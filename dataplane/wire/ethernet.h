/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet header with at most one VLAN tag (IEEE 802.3, IEEE 802.1Q).
 * Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define ETH_ADDR_BYTES 6
#define ETH_HEADER_BYTES 14u
#define ETH_TAG_BYTES 4u
#define ETH_FRAME_BYTES_MIN 60u /* without FCS, untagged; a tag comes on top, so that removing it leaves 60 */
#define ETH_TYPE_VLAN 0x8100
#define ETH_VLAN_ID_MASK 0x0fff

struct eth_wire {
	uint8_t dst[ETH_ADDR_BYTES];
	uint8_t src[ETH_ADDR_BYTES];
	be16 type;
};

struct eth_tag_wire {
	be16 tci; /* priority, drop eligibility, VLAN id */
	be16 type;
};

_Static_assert(sizeof(struct eth_wire) == ETH_HEADER_BYTES, "IEEE 802.3 3.1.1");
_Static_assert(offsetof(struct eth_wire, src) == 6 && offsetof(struct eth_wire, type) == 12, "IEEE 802.3 3.1.1");
_Static_assert(sizeof(struct eth_tag_wire) == ETH_TAG_BYTES, "IEEE 802.1Q 9.5");

struct eth_header {
	uint8_t dst[ETH_ADDR_BYTES];
	uint8_t src[ETH_ADDR_BYTES];
	uint16_t type; /* behind the tag when there is one */
	bool tagged;
	uint16_t tci; /* 0 when untagged */
};

/* Bytes that the header takes in the frame: 14 or 18. */
static inline uint32_t eth_header_bytes(const struct eth_header *header)
{
	return ETH_HEADER_BYTES + (header->tagged ? ETH_TAG_BYTES : 0);
}

/* VLAN id, 0 for untagged and for priority-tagged frames. */
static inline uint16_t eth_header_vlan(const struct eth_header *header)
{
	return header->tci & ETH_VLAN_ID_MASK;
}

/* Broadcast or multicast. */
static inline bool eth_addr_is_group(const uint8_t addr[ETH_ADDR_BYTES])
{
	return addr[0] & 1;
}

static inline bool eth_addr_is_zero(const uint8_t addr[ETH_ADDR_BYTES])
{
	return !(addr[0] | addr[1] | addr[2] | addr[3] | addr[4] | addr[5]);
}

static inline bool eth_addr_equal(const uint8_t a[ETH_ADDR_BYTES], const uint8_t b[ETH_ADDR_BYTES])
{
	return memcmp(a, b, ETH_ADDR_BYTES) == 0;
}

/* SHORT when the header, or the tag that it announces, is not whole.  A second tag is left as the type. */
__attribute__((warn_unused_result)) struct wire_status eth_header_parse(const uint8_t *frame, uint32_t len_bytes,
									struct eth_header *header);
/*
 * The same for who needs no addresses: EtherType behind the tag, the tag's bits
 * (0 when there is none), and where the payload starts; that is 0 when the header
 * is not whole.
 */
static inline uint32_t eth_payload_offset(const uint8_t *frame, uint32_t len_bytes, uint16_t *type, uint16_t *tci)
{
	*tci = 0;
	if (len_bytes < ETH_HEADER_BYTES)
		return 0;
	*type = be16_get(((const struct eth_wire *)frame)->type);
	if (*type != ETH_TYPE_VLAN)
		return ETH_HEADER_BYTES;
	if (len_bytes < ETH_HEADER_BYTES + ETH_TAG_BYTES)
		return 0;
	const struct eth_tag_wire *tag = (const struct eth_tag_wire *)(frame + ETH_HEADER_BYTES);
	*tci = be16_get(tag->tci);
	*type = be16_get(tag->type);
	return ETH_HEADER_BYTES + ETH_TAG_BYTES;
}

/* Addresses of a frame whose header is whole. */
static inline const uint8_t *eth_dst(const uint8_t *frame)
{
	return ((const struct eth_wire *)frame)->dst;
}

static inline const uint8_t *eth_src(const uint8_t *frame)
{
	return ((const struct eth_wire *)frame)->src;
}

/* Turn a frame round in place: back to its sender, from addr.  A tag stays as it is. */
static inline void eth_turn_round(uint8_t *frame, const uint8_t addr[ETH_ADDR_BYTES])
{
	struct eth_wire *wire = (struct eth_wire *)frame;
	memcpy(wire->dst, wire->src, ETH_ADDR_BYTES);
	memcpy(wire->src, addr, ETH_ADDR_BYTES);
}

/* Returns the bytes written, 0 when room does not suffice. */
uint32_t eth_header_emit(uint8_t *frame, uint32_t room_bytes, const struct eth_header *header);

/* The length a frame of len_bytes has after padding to the minimum. */
static inline uint32_t eth_padded_bytes(uint32_t len_bytes, bool tagged)
{
	uint32_t min = ETH_FRAME_BYTES_MIN + (tagged ? ETH_TAG_BYTES : 0);
	return len_bytes < min ? min : len_bytes;
}

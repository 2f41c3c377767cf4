/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a received frame must be before a protocol sees it.
 *
 * Pure: a frame and a filter go in, a verdict comes out.  Each verdict but
 * ETH_AOE is a counted drop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wherry/stats.h"

#define ETH_HEADER_BYTES 14u
#define ETH_TAG_BYTES 4u
#define ETH_TYPE_AOE 0x88a2u
#define ETH_TYPE_VLAN 0x8100u

/* What a port lets in.  Bit v of vlans: VLAN v is served; untagged and priority-tagged frames always are. */
struct eth_filter {
	uint8_t mac[6];
	uint64_t vlans[64];
};

enum eth_verdict { ETH_AOE, ETH_SHORT, ETH_TYPE, ETH_VLAN, ETH_DST, ETH_SRC, ETH_VERDICT_COUNT };

static inline uint16_t eth_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline bool eth_is_broadcast(const uint8_t mac[6])
{
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

/* A source that nobody may have: a group address, or all zero. */
static inline bool eth_source_is_bad(const uint8_t mac[6])
{
	return (mac[0] & 1) || !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/*
 * Look at a frame of len_bytes that starts with its Ethernet header.  The type
 * is judged first, so that the other protocols on a shared interface all fall
 * under ETH_TYPE.
 */
static inline enum eth_verdict eth_check(const struct eth_filter *filter, const uint8_t *frame, uint32_t len_bytes)
{
	if (len_bytes < ETH_HEADER_BYTES)
		return ETH_SHORT;
	uint16_t type = eth_be16(frame + 12);
	if (type == ETH_TYPE_VLAN) {
		if (len_bytes < ETH_HEADER_BYTES + ETH_TAG_BYTES)
			return ETH_SHORT;
		if (eth_be16(frame + 16) != ETH_TYPE_AOE)
			return ETH_TYPE;
		uint16_t vlan = eth_be16(frame + 14) & 0xfff;
		if (vlan && !(filter->vlans[vlan >> 6] >> (vlan & 63) & 1))
			return ETH_VLAN;
	} else if (type != ETH_TYPE_AOE) {
		return ETH_TYPE;
	}
	if (memcmp(frame, filter->mac, 6) != 0 && !eth_is_broadcast(frame))
		return ETH_DST;
	return eth_source_is_bad(frame + 6) ? ETH_SRC : ETH_AOE;
}

/* The counter of a verdict other than ETH_AOE. */
static inline enum wherry_lcore_stat eth_drop_stat(enum eth_verdict verdict)
{
	switch (verdict) {
	case ETH_SHORT:
		return WHERRY_LCORE_drop_eth_short;
	case ETH_VLAN:
		return WHERRY_LCORE_drop_eth_vlan;
	case ETH_DST:
		return WHERRY_LCORE_drop_eth_dst;
	case ETH_SRC:
		return WHERRY_LCORE_drop_eth_src;
	case ETH_AOE:
	case ETH_TYPE:
	case ETH_VERDICT_COUNT:
		break;
	}
	return WHERRY_LCORE_drop_eth_type;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First look at a received frame: is it for us, and what is it.
 *
 * The lcore calls this once per frame, before it routes by EtherType; nothing
 * behind looks at VLAN membership or at lengths of the Ethernet header again.
 * Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wherry/stats.h"
#include "wire/ethernet.h"

#define ETH_VLAN_SET_WORDS (4096 / 64)

/* What one port takes in.  Immutable while a lcore uses it. */
struct eth_filter {
	uint8_t mac[ETH_ADDR_BYTES];
	uint64_t vlans[ETH_VLAN_SET_WORDS]; /* ids served beside untagged frames: bit id % 64 of word id / 64 */
};

static inline void eth_filter_add_vlan(struct eth_filter *filter, uint16_t vlan)
{
	filter->vlans[(vlan & ETH_VLAN_ID_MASK) / 64] |= 1ull << (vlan % 64);
}

struct eth_view {
	uint16_t type;        /* EtherType behind the tag; another tag shows as 0x8100 and is nobody's type */
	uint16_t vlan;        /* 0: untagged or priority-tagged */
	uint8_t header_bytes; /* 14 or 18: where the payload starts */
	bool group;           /* destination is broadcast or multicast */
};

#define ETH_ACCEPT WHERRY_LCORE_STAT_COUNT /* eth_parse: not a drop */

/*
 * ETH_ACCEPT and the view, or the drop to count: too short, a source that no
 * station can have, a unicast destination that is not the port's, a VLAN that is
 * not configured.  The EtherType is the caller's to judge.
 */
__attribute__((warn_unused_result)) enum wherry_lcore_stat
eth_parse(const uint8_t *frame, uint32_t len_bytes, const struct eth_filter *filter, struct eth_view *view);

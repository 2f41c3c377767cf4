/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of MAC addresses: in the order they were given, searched from where the last search ended. */
#include "aoe/aoe_priv.h"

bool aoe_mac_list_has(struct aoe_mac_list *list, const uint8_t mac[6])
{
	if (list->hint < list->count && eth_addr_equal(list->mac[list->hint].b, mac))
		return true;
	for (uint16_t i = 0; i < list->count; i++) {
		if (eth_addr_equal(list->mac[i].b, mac)) {
			list->hint = i;
			return true;
		}
	}
	return false;
}

bool aoe_mac_list_equal(const struct aoe_mac_list *a, const struct aoe_mac_list *b)
{
	return a->count == b->count && memcmp(a->mac, b->mac, a->count * sizeof a->mac[0]) == 0;
}

void aoe_mac_list_set(struct aoe_mac_list *list, const void *macs, uint32_t count)
{
	assert(count <= WHERRY_AOE_RESERVE_COUNT_MAX);
	list->count = (uint16_t)count;
	list->hint = 0;
	if (count)
		memcpy(list->mac, macs, count * sizeof list->mac[0]);
}

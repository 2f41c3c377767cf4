/* SPDX-License-Identifier: BSD-3-Clause */
/* Acceptance of a received frame by addresses and VLAN. */
#include "net/eth.h"

enum wherry_lcore_stat eth_parse(const uint8_t *frame, uint32_t len_bytes, const struct eth_filter *filter,
				 struct eth_view *view)
{
	struct eth_header header;
	if (eth_header_parse(frame, len_bytes, &header).result != WIRE_OK)
		return WHERRY_LCORE_drop_eth_short;
	if (eth_addr_is_group(header.src) || eth_addr_is_zero(header.src))
		return WHERRY_LCORE_drop_eth_src;
	view->group = eth_addr_is_group(header.dst);
	if (!view->group && !eth_addr_equal(header.dst, filter->mac))
		return WHERRY_LCORE_drop_eth_dst;
	view->type = header.type;
	view->vlan = eth_header_vlan(&header);
	view->header_bytes = (uint8_t)eth_header_bytes(&header);
	if (view->vlan && !(filter->vlans[view->vlan / 64] >> (view->vlan % 64) & 1))
		return WHERRY_LCORE_drop_eth_vlan;
	return ETH_ACCEPT;
}

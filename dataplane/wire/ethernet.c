/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet header: parse and emit. */
#include "wire/ethernet.h"

struct wire_status eth_header_parse(const uint8_t *frame, uint32_t len_bytes, struct eth_header *header)
{
	if (len_bytes < ETH_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ETH_HEADER);
	const struct eth_wire *wire = (const struct eth_wire *)frame;
	memcpy(header->dst, wire->dst, ETH_ADDR_BYTES);
	memcpy(header->src, wire->src, ETH_ADDR_BYTES);
	header->type = be16_get(wire->type);
	header->tagged = header->type == ETH_TYPE_VLAN;
	header->tci = 0;
	if (!header->tagged)
		return wire_ok();
	if (len_bytes < ETH_HEADER_BYTES + ETH_TAG_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ETH_VLAN);
	const struct eth_tag_wire *tag = (const struct eth_tag_wire *)(frame + ETH_HEADER_BYTES);
	header->tci = be16_get(tag->tci);
	header->type = be16_get(tag->type);
	return wire_ok();
}

uint32_t eth_header_emit(uint8_t *frame, uint32_t room_bytes, const struct eth_header *header)
{
	uint32_t bytes = eth_header_bytes(header);
	if (room_bytes < bytes)
		return 0;
	struct eth_wire *wire = (struct eth_wire *)frame;
	memcpy(wire->dst, header->dst, ETH_ADDR_BYTES);
	memcpy(wire->src, header->src, ETH_ADDR_BYTES);
	wire->type = be16_of(header->tagged ? ETH_TYPE_VLAN : header->type);
	if (header->tagged) {
		struct eth_tag_wire *tag = (struct eth_tag_wire *)(frame + ETH_HEADER_BYTES);
		*tag = (struct eth_tag_wire){be16_of(header->tci), be16_of(header->type)};
	}
	return bytes;
}

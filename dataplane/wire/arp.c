/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP: parse and emit. */
#include "wire/arp.h"

#include <string.h>

#define HARDWARE_ETHERNET 1
#define PROTOCOL_IPV4 0x0800

struct wire_status arp_parse(const uint8_t *data, uint32_t len_bytes, struct arp_packet *arp)
{
	if (len_bytes < ARP_PACKET_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ARP_PACKET);
	const struct arp_wire *wire = (const struct arp_wire *)data;
	if (be16_get(wire->hardware) != HARDWARE_ETHERNET || be16_get(wire->protocol) != PROTOCOL_IPV4 ||
	    wire->hardware_bytes != 6 || wire->protocol_bytes != 4)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_ARP_KIND);
	arp->operation = be16_get(wire->operation);
	if (arp->operation != ARP_REQUEST && arp->operation != ARP_REPLY)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_ARP_OPERATION);
	memcpy(arp->sender_mac, wire->sender_mac, 6);
	memcpy(arp->sender_ip, wire->sender_ip, 4);
	memcpy(arp->target_mac, wire->target_mac, 6);
	memcpy(arp->target_ip, wire->target_ip, 4);
	return wire_ok();
}

uint32_t arp_emit(uint8_t *data, uint32_t room_bytes, const struct arp_packet *arp)
{
	if (room_bytes < ARP_PACKET_BYTES)
		return 0;
	struct arp_wire *wire = (struct arp_wire *)data;
	wire->hardware = be16_of(HARDWARE_ETHERNET);
	wire->protocol = be16_of(PROTOCOL_IPV4);
	wire->hardware_bytes = 6;
	wire->protocol_bytes = 4;
	wire->operation = be16_of(arp->operation);
	memcpy(wire->sender_mac, arp->sender_mac, 6);
	memcpy(wire->sender_ip, arp->sender_ip, 4);
	memcpy(wire->target_mac, arp->target_mac, 6);
	memcpy(wire->target_ip, arp->target_ip, 4);
	return ARP_PACKET_BYTES;
}

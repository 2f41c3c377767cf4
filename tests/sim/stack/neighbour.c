/* SPDX-License-Identifier: BSD-3-Clause */
#include "neighbour.h"

#include <string.h>

#include "frame.h"

#define ARP_BYTES 60u
#define ND_SOLICIT 135
#define ND_ADVERTISE 136

static uint32_t arp(uint8_t *to, unsigned operation, const uint8_t *dst, const uint8_t mac[6], const uint8_t *own,
		    const uint8_t *target_mac, const uint8_t *target)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6] = {0};
	static const uint8_t head[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0};
	memset(to, 0, ARP_BYTES);
	memcpy(to, dst ? dst : all, 6);
	memcpy(to + 6, mac, 6);
	memcpy(to + 12, head, sizeof head);
	to[21] = (uint8_t)operation;
	memcpy(to + 22, mac, 6);
	memcpy(to + 28, own, 4);
	memcpy(to + 32, target_mac ? target_mac : none, 6);
	memcpy(to + 38, target, 4);
	return ARP_BYTES;
}

static uint32_t nd(uint8_t *to, unsigned type, uint32_t flags, const uint8_t *target, const uint8_t *src,
		   const uint8_t *dst, const uint8_t *dst_mac, const uint8_t mac[6])
{
	uint8_t bytes[FRAME_HEAD_BYTES + 72] = {0};
	uint8_t *icmp = bytes + FRAME_HEAD_BYTES;
	uint32_t len_bytes;
	icmp[0] = (uint8_t)type;
	put32(icmp + 4, flags);
	memcpy(icmp + 8, target, 16);
	icmp[24] = type == ND_SOLICIT ? 1 : 2;
	icmp[25] = 1;
	memcpy(icmp + 26, mac, 6);
	const struct frame_ip ip = {false, src, dst, 58, icmp, 32};
	put16(icmp + 2, frame_checksum(&ip));
	const uint8_t *frame = frame_build(bytes, &ip, dst_mac, mac, &len_bytes);
	memcpy(to, frame, len_bytes);
	return len_bytes;
}

uint32_t neighbour_answer(uint8_t *to, const uint8_t *frame, uint32_t len_bytes, const uint8_t *addr4,
			  const uint8_t *addr6, const uint8_t mac[6], bool is_router)
{
	static const uint8_t none[16] = {0};
	struct frame_ip ip;
	if (frame_is_arp(frame, len_bytes)) {
		if (len_bytes < 42 || frame[21] != 1 || memcmp(frame + 38, addr4, 4) != 0 ||
		    memcmp(frame + 28, none, 4) == 0)
			return 0;
		return arp(to, 2, frame + 22, mac, addr4, frame + 22, frame + 28);
	}
	if (!frame_ip_parse(frame, len_bytes, &ip) || ip.v4 || ip.protocol != 58 || ip.payload_bytes < 24 ||
	    ip.payload[0] != ND_SOLICIT || memcmp(ip.payload + 8, addr6, 16) != 0 || frame_checksum(&ip) != 0 ||
	    memcmp(ip.src, none, 16) == 0)
		return 0;
	const uint32_t flags = 0x60000000u | (is_router ? 0x80000000u : 0);
	return nd(to, ND_ADVERTISE, flags, addr6, addr6, ip.src, frame + 6, mac);
}

uint32_t neighbour_announce(uint8_t *to, bool v4, const uint8_t *addr, const uint8_t mac[6], bool is_router)
{
	static const uint8_t all[16] = {0xff, 2, [15] = 1}, all_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	if (v4)
		return arp(to, 1, NULL, mac, addr, NULL, addr);
	return nd(to, ND_ADVERTISE, 0x20000000u | (is_router ? 0x80000000u : 0), addr, addr, all, all_mac, mac);
}

uint32_t neighbour_ask(uint8_t *to, bool v4, const uint8_t *wanted, const uint8_t *own, const uint8_t mac[6])
{
	if (v4)
		return arp(to, 1, NULL, mac, own, NULL, wanted);
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff}, group_mac[6] = {0x33, 0x33, 0xff};
	memcpy(group + 13, wanted + 13, 3);
	memcpy(group_mac + 3, wanted + 13, 3);
	return nd(to, ND_SOLICIT, 0, wanted, own, group, group_mac, mac);
}

bool neighbour_heard(const uint8_t *frame, uint32_t len_bytes, bool v4, const uint8_t *wanted, uint8_t mac[6])
{
	struct frame_ip ip;
	if (v4) {
		if (!frame_is_arp(frame, len_bytes) || len_bytes < 42 || memcmp(frame + 28, wanted, 4) != 0)
			return false;
		memcpy(mac, frame + 22, 6);
		return true;
	}
	if (!frame_ip_parse(frame, len_bytes, &ip) || ip.v4 || ip.protocol != 58 || ip.payload_bytes < 32 ||
	    frame_checksum(&ip) != 0)
		return false;
	const bool advertised = ip.payload[0] == ND_ADVERTISE && memcmp(ip.payload + 8, wanted, 16) == 0;
	const bool asks = ip.payload[0] == ND_SOLICIT && memcmp(ip.src, wanted, 16) == 0;
	if (!advertised && !asks)
		return false;
	memcpy(mac, ip.payload + 26, 6);
	return true;
}

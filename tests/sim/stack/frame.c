/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <stdio.h>
#include <string.h>

#define TYPE_V4 0x0800u
#define TYPE_ARP 0x0806u
#define TYPE_V6 0x86ddu
#define FRAME_BYTES_MIN 60u

bool frame_is_arp(const uint8_t *frame, uint32_t len_bytes)
{
	return len_bytes >= 14 && get16(frame + 12) == TYPE_ARP;
}

bool frame_is_neighbourly(const uint8_t *frame, uint32_t len_bytes)
{
	struct frame_ip ip;
	return frame_is_arp(frame, len_bytes) || (frame_ip_parse(frame, len_bytes, &ip) && ip.protocol == 58 &&
						  ip.payload_bytes && ip.payload[0] >= 133 && ip.payload[0] <= 136);
}

bool frame_ip_parse(const uint8_t *frame, uint32_t len_bytes, struct frame_ip *ip)
{
	const uint8_t *at = frame + 14;
	if (len_bytes >= 34 && get16(frame + 12) == TYPE_V4 && at[0] == 0x45) {
		const uint32_t total = get16(at + 2);
		if (total < 20 || total > len_bytes - 14)
			return false;
		*ip = (struct frame_ip){true, at + 12, at + 16, at[9], at + 20, total - 20};
		return true;
	}
	if (len_bytes >= 54 && get16(frame + 12) == TYPE_V6 && at[0] >> 4 == 6) {
		const uint32_t payload = get16(at + 4);
		if (payload > len_bytes - 54)
			return false;
		*ip = (struct frame_ip){false, at + 8, at + 24, at[6], at + 40, payload};
		return true;
	}
	return false;
}

uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, uint32_t len_bytes)
{
	for (; len_bytes > 1; bytes += 2, len_bytes -= 2)
		sum += get16(bytes);
	if (len_bytes)
		sum += (uint32_t)bytes[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint16_t frame_checksum(const struct frame_ip *ip)
{
	const uint32_t addr_bytes = ip->v4 ? 4 : 16;
	uint32_t sum = frame_sum(0, ip->src, addr_bytes);
	sum = frame_sum(sum, ip->dst, addr_bytes);
	sum = frame_sum(sum + ip->protocol + ip->payload_bytes, ip->payload, ip->payload_bytes);
	return (uint16_t)~sum;
}

void frame_mark(uint8_t *frame, uint32_t len_bytes)
{
	struct frame_ip ip;
	if (!frame_ip_parse(frame, len_bytes, &ip))
		return;
	uint8_t *at = frame + 14;
	if (ip.v4 && (at[1] & 3)) {
		at[1] |= 3;
		put16(at + 10, 0);
		put16(at + 10, (uint16_t)~frame_sum(0, at, 20));
	} else if (!ip.v4 && (at[1] & 0x30)) {
		at[1] |= 0x30;
	}
}

const char *frame_error(const uint8_t *frame, uint32_t len_bytes)
{
	struct frame_ip ip;
	if (frame_is_arp(frame, len_bytes))
		return len_bytes >= FRAME_BYTES_MIN ? NULL : "a frame is shorter than Ethernet's minimum";
	if (!frame_ip_parse(frame, len_bytes, &ip))
		return "a datagram is not whole";
	if (len_bytes < FRAME_BYTES_MIN)
		return "a frame is shorter than Ethernet's minimum";
	if (ip.v4 && frame_sum(0, frame + 14, 20) != 0xffff)
		return "the checksum of an IPv4 header is wrong";
	if (ip.v4 && ip.protocol == 1)
		return frame_sum(0, ip.payload, ip.payload_bytes) == 0xffff ? NULL : "the checksum of ICMP is wrong";
	if ((ip.protocol == 6 || ip.protocol == 58) && frame_checksum(&ip) != 0)
		return "the checksum of a payload is wrong";
	return NULL;
}

static void tell_tcp(char *line, size_t room, const struct frame_ip *ip)
{
	static const char names[] = "FSRPAUEC";
	const uint8_t *tcp = ip->payload;
	char flags[9];
	unsigned count = 0;
	for (unsigned i = 0; i < 8; i++)
		if (tcp[13] >> i & 1)
			flags[count++] = names[i];
	flags[count] = '\0';
	const uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
	snprintf(line, room, "%u>%u %s seq %u+%u ack %u win %u opt %u", get16(tcp), get16(tcp + 2), flags,
		 get32(tcp + 4), ip->payload_bytes - header, get32(tcp + 8), get16(tcp + 14), header - 20);
}

void frame_tell(struct sim *sim, const char *where, const uint8_t *frame, uint32_t len_bytes)
{
	struct frame_ip ip;
	char line[200] = "";
	if (frame_is_arp(frame, len_bytes) && len_bytes >= 42) {
		sim_print(sim, "%s: ARP %u, %u.%u is at %02x, for %u.%u", where, frame[21], frame[30], frame[31],
			  frame[27], frame[40], frame[41]);
		return;
	}
	if (!frame_ip_parse(frame, len_bytes, &ip)) {
		sim_print(sim, "%s: %u bytes of something", where, len_bytes);
		return;
	}
	if (ip.protocol == 6 && ip.payload_bytes >= 20)
		tell_tcp(line, sizeof line, &ip);
	else if (ip.payload_bytes >= 8)
		snprintf(line, sizeof line, "protocol %u type %u code %u rest %u", ip.protocol, ip.payload[0],
			 ip.payload[1], get32(ip.payload + 4));
	const unsigned last = ip.v4 ? 3 : 15;
	sim_print(sim, "%s: %s .%u > .%u %s", where, ip.v4 ? "v4" : "v6", ip.src[last], ip.dst[last], line);
}

uint8_t *frame_build(uint8_t *bytes, const struct frame_ip *ip, const uint8_t dst[6], const uint8_t src[6],
		     uint32_t *len_bytes)
{
	const uint32_t ip_bytes = ip->v4 ? 20 : 40;
	uint8_t *at = bytes + FRAME_HEAD_BYTES - ip_bytes, *frame = at - 14;
	memset(at, 0, ip_bytes);
	if (ip->v4) {
		at[0] = 0x45;
		put16(at + 2, ip_bytes + ip->payload_bytes);
		put16(at + 6, 0x4000);
		at[8] = 64;
		at[9] = ip->protocol;
		memcpy(at + 12, ip->src, 4);
		memcpy(at + 16, ip->dst, 4);
		put16(at + 10, (uint16_t)~frame_sum(0, at, 20));
	} else {
		at[0] = 0x60;
		put16(at + 4, ip->payload_bytes);
		at[6] = ip->protocol;
		at[7] = ip->protocol == 58 ? 255 : 64;
		memcpy(at + 8, ip->src, 16);
		memcpy(at + 24, ip->dst, 16);
	}
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	put16(frame + 12, ip->v4 ? TYPE_V4 : TYPE_V6);
	*len_bytes = 14 + ip_bytes + ip->payload_bytes;
	if (*len_bytes < FRAME_BYTES_MIN) {
		memset(frame + *len_bytes, 0, FRAME_BYTES_MIN - *len_bytes);
		*len_bytes = FRAME_BYTES_MIN;
	}
	return frame;
}

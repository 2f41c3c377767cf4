/* SPDX-License-Identifier: BSD-3-Clause */
/* Kinds of addresses, and addresses made of others. */
#include "net/priv.h"

const struct ip_addr net_addr_all_nodes = {{0xff, 0x02, [15] = 1}};
const struct ip_addr net_addr_all_routers = {{0xff, 0x02, [15] = 2}};
const struct ip_addr net_addr_mld_routers = {{0xff, 0x02, [15] = 0x16}};

unsigned net_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	for (unsigned i = 0; i < 16; i++) {
		const unsigned differing = a->b[i] ^ b->b[i];
		if (differing)
			return i * 8 + (unsigned)__builtin_clz(differing) - 24;
	}
	return 128;
}

bool net_match(const struct ip_addr *addr, const struct ip_addr *prefix, unsigned prefix_bits)
{
	/* A short IPv6 prefix must not take in what are IPv4 addresses here. */
	return net_common_bits(addr, prefix) >= prefix_bits && ip_addr_is_v4(addr) == ip_addr_is_v4(prefix);
}

bool net_addr_is_link_local(const struct ip_addr *addr)
{
	return addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

bool net_addr_is_unicast(const struct ip_addr *addr)
{
	static const uint8_t zero[15];
	const uint8_t first = addr->b[IP_ADDR_V4_OFFSET];
	if (ip_addr_is_v4(addr)) /* RFC 1122 3.2.1.3, RFC 1112 4 */
		return first != 0 && first != 127 && first < 224;
	/* ff00::/8, :: and ::1, and what else starts with 96 zero bits (RFC 4291 2.5.5.1) */
	return addr->b[0] != 0xff && memcmp(addr->b, zero, IP_ADDR_V4_OFFSET) != 0;
}

struct ip_addr net_addr_eui64(const struct ip_addr *prefix, const uint8_t mac[6])
{
	struct ip_addr addr = *prefix;
	memcpy(addr.b + 8, mac, 3);
	addr.b[8] ^= 2;
	addr.b[11] = 0xff;
	addr.b[12] = 0xfe;
	memcpy(addr.b + 13, mac + 3, 3);
	return addr;
}

struct ip_addr net_addr_link_local(const uint8_t mac[6])
{
	static const struct ip_addr prefix = {{0xfe, 0x80}};
	return net_addr_eui64(&prefix, mac);
}

struct ip_addr net_addr_solicited(const struct ip_addr *addr)
{
	struct ip_addr group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};
	memcpy(group.b + 13, addr->b + 13, 3);
	return group;
}

void net_addr_group_mac(const struct ip_addr *group, uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->b + 12, 4);
}

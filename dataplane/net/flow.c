/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker a frame concerns, seen from its bytes alone. */
#include "net/net.h"

#include "net/priv.h"
#include "util/bytes.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

struct ports_wire {
	be16 src, dst;
};

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

uint32_t net_flow_hash(const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
		       uint16_t remote_port)
{
	uint64_t words[4];
	memcpy(words, local->b, 16);
	memcpy(words + 2, remote->b, 16);
	uint64_t hash = mix((uint64_t)local_port << 16 | remote_port, words[1]);
	hash = mix(hash, words[3]);
	hash = mix(hash, words[0]);
	return (uint32_t)(mix(hash, words[2]) >> 16);
}

/* The flow that an error is about: we sent what it quotes. */
static bool quoted_flow(const uint8_t *data, uint32_t len_bytes, bool v4, uint32_t *hash)
{
	struct icmp_quote quote;
	if (icmp_quote_parse(data, len_bytes, v4, &quote).result != WIRE_OK || quote.protocol != IP_PROTOCOL_TCP)
		return false;
	const struct ip_addr local = v4 ? ip_addr_v4(quote.src) : ip_addr_v6(quote.src);
	const struct ip_addr remote = v4 ? ip_addr_v4(quote.dst) : ip_addr_v6(quote.dst);
	*hash = net_flow_hash(&local, quote.src_port, &remote, quote.dst_port);
	return true;
}

static bool transport_flow(const uint8_t *data, uint32_t len_bytes, const struct ip_addr *src,
			   const struct ip_addr *dst, uint32_t *hash)
{
	if (len_bytes < sizeof(struct ports_wire))
		return false;
	const struct ports_wire *ports = (const struct ports_wire *)data;
	*hash = net_flow_hash(dst, be16_get(ports->dst), src, be16_get(ports->src));
	return true;
}

static bool peek_v4(const uint8_t *data, uint32_t len_bytes, uint32_t *hash)
{
	struct ipv4_header ip;
	if (ipv4_parse_quoted(data, len_bytes, &ip).result != WIRE_OK || ipv4_is_fragment(&ip))
		return false;
	const uint8_t *payload = data + ip.header_bytes;
	const uint32_t bytes = len_bytes - ip.header_bytes;
	if (ip.protocol == IP_PROTOCOL_ICMP)
		return bytes > ICMP_HEADER_BYTES && icmp_is_error(payload[0]) &&
		       quoted_flow(payload + ICMP_HEADER_BYTES, bytes - ICMP_HEADER_BYTES, true, hash);
	const struct ip_addr src = ip_addr_v4(ip.src), dst = ip_addr_v4(ip.dst);
	return ip.protocol == IP_PROTOCOL_TCP && transport_flow(payload, bytes, &src, &dst, hash);
}

static bool peek_v6(const uint8_t *data, uint32_t len_bytes, uint32_t *hash)
{
	struct ipv6_header ip;
	struct ipv6_payload at;
	if (ipv6_parse(data, len_bytes, &ip).result != WIRE_OK ||
	    ipv6_walk(data, IPV6_HEADER_BYTES + ip.payload_bytes, &ip, &at).result != WIRE_OK || at.fragment)
		return false;
	const uint8_t *payload = data + at.offset_bytes;
	const uint32_t bytes = IPV6_HEADER_BYTES + ip.payload_bytes - at.offset_bytes;
	if (at.protocol == IP_PROTOCOL_ICMPV6)
		return bytes > ICMP_HEADER_BYTES && icmpv6_is_error(payload[0]) &&
		       quoted_flow(payload + ICMP_HEADER_BYTES, bytes - ICMP_HEADER_BYTES, false, hash);
	const struct ip_addr src = ip_addr_v6(ip.src), dst = ip_addr_v6(ip.dst);
	return at.protocol == IP_PROTOCOL_TCP && transport_flow(payload, bytes, &src, &dst, hash);
}

bool net_peek_flow(const uint8_t *frame, uint32_t len_bytes, const struct eth_view *eth, uint32_t *hash)
{
	if (len_bytes < eth->header_bytes)
		return false;
	const uint8_t *data = frame + eth->header_bytes;
	len_bytes -= eth->header_bytes;
	if (eth->type == IPV4_ETHERTYPE)
		return peek_v4(data, len_bytes, hash);
	return eth->type == IPV6_ETHERTYPE && peek_v6(data, len_bytes, hash);
}

bool net_frame_is_for_all(const uint8_t *frame, uint32_t len_bytes, const struct eth_view *eth)
{
	if (eth->type == ARP_ETHERTYPE)
		return true;
	/* Neighbour discovery has no extension headers in practice; one that had some would be learnt by one worker. */
	if (eth->type != IPV6_ETHERTYPE || len_bytes < eth->header_bytes + IPV6_HEADER_BYTES + 1)
		return false;
	const uint8_t *data = frame + eth->header_bytes;
	return ((const struct ipv6_wire *)data)->next_header == IP_PROTOCOL_ICMPV6 &&
	       icmpv6_is_nd(data[IPV6_HEADER_BYTES]);
}

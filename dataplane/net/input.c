/* SPDX-License-Identifier: BSD-3-Clause */
/* Received frames: is the datagram whole, for us, and from somebody who can be; then to whom it belongs. */
#include "net/priv.h"
#include "net/sum.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

/* A frame while it is looked at.  The packet is as it came until somebody of us takes it. */
struct input {
	struct net_lcore *lcore;
	struct pkt *pkt;
	const struct eth_view *eth;
	uint8_t interface;
	bool verify; /* checksums: the device has not */
	const uint8_t *ip;
	uint32_t len_bytes; /* from the IP header to the end of the frame, then of the datagram */
	struct ip_view view;
	uint64_t now_ns;
};

static enum net_verdict drop(const struct input *in, enum wherry_lcore_stat why)
{
	return net_drop(in->lcore, in->pkt, why);
}

/* Nobody sends to us from there: groups, loopback, networks, and we ourselves (RFC 1122 3.2.1.3, land attack). */
static bool source_is_sane(const struct input *in)
{
	struct net_lcore *lcore = in->lcore;
	const struct ip_addr *src = &in->view.src;
	struct net_source *seen = &lcore->sources[(src->b[15] ^ src->b[14] * 7u) % NET_SOURCE_SLOT_COUNT];
	if (seen->generation == lcore->generation && seen->interface == in->interface &&
	    ip_addr_equal(&seen->addr, src))
		return true;
	if (!net_addr_is_unicast(src) || net_local_find(lcore, in->interface, src) ||
	    net_is_broadcast(lcore, in->interface, src))
		return false;
	*seen = (struct net_source){*src, lcore->generation, in->interface};
	return true;
}

static bool is_ours(const struct input *in)
{
	const struct net_local *local = net_local_find(in->lcore, in->interface, &in->view.dst);
	return local && local->state == NET_USABLE;
}

/* The transport's bytes alone. */
static void strip(const struct input *in, uint32_t offset)
{
	in->pkt->data = (uint8_t *)(uintptr_t)in->ip + offset;
	in->pkt->len_bytes = in->len_bytes - offset;
}

/* ---- TCP over IPv4 between two stations that were found right before ---- */

static inline struct net_pair *pair_slot(struct net_lcore *lcore, uint64_t addresses)
{
	return &lcore->pairs[addresses * 0x9e3779b97f4a7c15ull >> (64 - NET_PAIR_SLOT_BITS)];
}

static inline uint64_t pair_addresses(const struct ipv4_wire *ip)
{
	uint64_t addresses;
	memcpy(&addresses, (const uint8_t *)ip + offsetof(struct ipv4_wire, src), sizeof addresses); /* and dst */
	return addresses;
}

static inline uint64_t pair_load(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* The header's checksum, for one without options. */
static inline bool header_sums_up(const struct ipv4_wire *ip)
{
	const uint8_t *bytes = &ip->version_length;
	uint32_t last;
	memcpy(&last, bytes + 16, sizeof last);
	const uint64_t sum = checksum_add64(checksum_add64(pair_load(bytes), pair_load(bytes + 8)), last);
	return checksum_fold(sum) == 0xffff;
}

static void pair_learn(const struct input *in)
{
	const struct ipv4_wire *ip = (const struct ipv4_wire *)in->ip;
	const uint64_t addresses = pair_addresses(ip);
	*pair_slot(in->lcore, addresses) = (struct net_pair){addresses, in->lcore->generation, in->view};
}

/* True: it was such a segment, in a plain header, and TCP has it.  False: nothing has happened. */
static inline bool pair_input(struct net_lcore *lcore, struct pkt *pkt, const struct eth_view *eth, uint64_t now_ns)
{
	const struct ipv4_wire *ip = (const struct ipv4_wire *)(pkt->data + eth->header_bytes);
	if (eth->type != IPV4_ETHERTYPE || eth->group || pkt->len_bytes < eth->header_bytes + IPV4_HEADER_BYTES)
		return false;
	const uint32_t total_bytes = be16_get(ip->total_bytes);
	if (ip->version_length != 0x45 || ip->protocol != IP_PROTOCOL_TCP ||
	    (be16_get(ip->fragment) & (uint16_t)~IPV4_FLAG_DF) || total_bytes < IPV4_HEADER_BYTES ||
	    total_bytes > pkt->len_bytes - eth->header_bytes)
		return false;
	const uint64_t addresses = pair_addresses(ip);
	struct net_pair *pair = pair_slot(lcore, addresses);
	if (pair->addresses != addresses || pair->generation != lcore->generation ||
	    pair->view.port_index != pkt->port_index || pair->view.vlan != eth->vlan ||
	    (pkt->checksum != PKT_CHECKSUM_GOOD && !header_sums_up(ip)))
		return false;
	lcore->now_ns = now_ns;
	net_count(lcore, WHERRY_LCORE_net_datagrams_in);
	pair->view.ecn = ip->traffic_class & 3;
	pkt->data += eth->header_bytes + IPV4_HEADER_BYTES;
	pkt->len_bytes = total_bytes - IPV4_HEADER_BYTES;
	lcore->env.tcp_input(lcore->env.ctx, pkt, &pair->view, now_ns);
	return true;
}

/* A datagram for one of our addresses, its source sane. */
static enum net_verdict deliver(struct input *in, uint8_t protocol, uint32_t offset)
{
	struct net_lcore *lcore = in->lcore;
	const bool v4 = ip_addr_is_v4(&in->view.dst);
	net_count(lcore, WHERRY_LCORE_net_datagrams_in);
	if (protocol == IP_PROTOCOL_TCP) {
		if (v4)
			pair_learn(in);
		strip(in, offset);
		lcore->env.tcp_input(lcore->env.ctx, in->pkt, &in->view, in->now_ns);
		return NET_TAKEN;
	}
	if (protocol == (v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6)) {
		strip(in, offset);
		if (in->verify &&
		    !checksum_is_right(v4 ? checksum_add(0, in->pkt->data, in->pkt->len_bytes)
					  : net_transport_sum(&in->view.src, &in->view.dst, protocol, in->pkt)))
			return drop(in, WHERRY_LCORE_net_drop_checksum);
		net_icmp_input(lcore, in->pkt, &in->view, in->now_ns);
		return NET_TAKEN;
	}
	if (protocol == IP_PROTOCOL_UDP)
		net_icmp_error(lcore, &in->view, v4 ? (uint8_t)ICMP_UNREACHABLE : (uint8_t)ICMPV6_UNREACHABLE,
			       v4 ? (uint8_t)ICMP_CODE_PORT : (uint8_t)ICMPV6_CODE_PORT, 0, in->ip, in->len_bytes,
			       in->now_ns);
	else if (v4)
		net_icmp_error(lcore, &in->view, ICMP_UNREACHABLE, ICMP_CODE_PROTOCOL, 0, in->ip, in->len_bytes,
			       in->now_ns);
	else if (protocol != IPV6_NONE)
		net_icmp_error(lcore, &in->view, ICMPV6_PARAMETER_PROBLEM, ICMPV6_CODE_NEXT_HEADER,
			       offset == IPV6_HEADER_BYTES ? 6 : offset, in->ip, in->len_bytes, in->now_ns);
	return drop(in, WHERRY_LCORE_net_drop_protocol);
}

static enum net_verdict input_v4(struct input *in)
{
	struct ipv4_header ip;
	const struct wire_status status = ipv4_parse(in->ip, in->len_bytes, in->verify, &ip);
	if (status.result != WIRE_OK)
		return drop(in, status.reason == WIRE_WHY_IPV4_CHECKSUM ? WHERRY_LCORE_net_drop_checksum
									: WHERRY_LCORE_net_drop_malformed);
	in->view.src = ip_addr_v4(ip.src);
	in->view.dst = ip_addr_v4(ip.dst);
	in->view.ecn = ip.traffic_class & 3;
	if (!is_ours(in))
		return NET_PUNT;
	in->len_bytes = ip.total_bytes;
	if (in->eth->group)
		return drop(in, WHERRY_LCORE_net_drop_group); /* RFC 1122 3.3.6 */
	if (!source_is_sane(in))
		return drop(in, WHERRY_LCORE_net_drop_source);
	if (ipv4_is_fragment(&ip))
		return drop(in, WHERRY_LCORE_net_drop_fragment);
	if (ip.source_route)
		return drop(in, WHERRY_LCORE_net_drop_option);
	return deliver(in, ip.protocol, ip.header_bytes);
}

static bool is_nd(const struct input *in, const struct ipv6_payload *at)
{
	return at->protocol == IP_PROTOCOL_ICMPV6 && !at->fragment && in->len_bytes > at->offset_bytes &&
	       icmpv6_is_nd(in->ip[at->offset_bytes]);
}

/* The checksum of ICMPv6, on a packet that stays as it is. */
static bool icmpv6_is_right(const struct input *in, uint32_t offset)
{
	const uint32_t bytes = in->len_bytes - offset;
	return !in->verify || checksum_is_right(checksum_add(
				      checksum_pseudo_v6(in->view.src.b, in->view.dst.b, IP_PROTOCOL_ICMPV6, bytes),
				      in->ip + offset, bytes));
}

static enum net_verdict neighbour_discovery(const struct input *in, const struct ipv6_payload *at, uint8_t hop_limit,
					    bool answer)
{
	if (!icmpv6_is_right(in, at->offset_bytes)) {
		net_count(in->lcore, WHERRY_LCORE_net_drop_checksum);
		return NET_TAKEN;
	}
	const struct net_datagram6 datagram = {
		.src = in->view.src,
		.dst = in->view.dst,
		.hop_limit = hop_limit,
		.data = in->ip + at->offset_bytes,
		.len_bytes = in->len_bytes - at->offset_bytes,
		.frame = in->pkt->data,
	};
	return net_nd_input(in->lcore, in->interface, &datagram, answer, in->now_ns);
}

/* A group's datagram: groups concern neighbour discovery and MLD only, and the kernel. */
static enum net_verdict input_group(struct input *in, const struct ipv6_payload *at)
{
	if (at->protocol == IP_PROTOCOL_ICMPV6 && !at->fragment &&
	    in->len_bytes >= at->offset_bytes + ICMP_HEADER_BYTES && in->ip[at->offset_bytes] == ICMPV6_MLD_QUERY &&
	    net_addr_is_link_local(&in->view.src) && icmpv6_is_right(in, at->offset_bytes))
		net_mld_query(in->lcore, in->interface, in->now_ns);
	return NET_PUNT;
}

/* Header and extension headers.  True, or the verdict on what is not sane. */
static bool parse_v6(struct input *in, struct ipv6_header *ip, struct ipv6_payload *at, enum net_verdict *verdict)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (ipv6_parse(in->ip, in->len_bytes, ip).result != WIRE_OK) {
		*verdict = drop(in, WHERRY_LCORE_net_drop_malformed);
		return false;
	}
	in->view.src = ip_addr_v6(ip->src);
	in->view.dst = ip_addr_v6(ip->dst);
	in->view.ecn = ip->traffic_class & 3;
	in->len_bytes = IPV6_HEADER_BYTES + ip->payload_bytes;
	/* IPv4 addresses in an IPv6 header would be taken for those of IPv4 further up. */
	if (memcmp(ip->src, mapped, 12) == 0 || memcmp(ip->dst, mapped, 12) == 0 || ip->src[0] == 0xff) {
		*verdict = drop(in, WHERRY_LCORE_net_drop_source);
		return false;
	}
	const struct wire_status status = ipv6_walk(in->ip, in->len_bytes, ip, at);
	if (status.result == WIRE_OK)
		return true;
	if (!is_ours(in)) {
		*verdict = NET_PUNT; /* what the appliance cannot read may still be read by whom it is for */
		return false;
	}
	if (at->report && !in->eth->group && source_is_sane(in))
		net_icmp_error(in->lcore, &in->view, ICMPV6_PARAMETER_PROBLEM, at->code, at->bad_bytes, in->ip,
			       in->len_bytes, in->now_ns);
	*verdict = drop(in, status.result == WIRE_UNSUPPORTED ? WHERRY_LCORE_net_drop_option
							      : WHERRY_LCORE_net_drop_malformed);
	return false;
}

static enum net_verdict input_v6(struct input *in)
{
	struct ipv6_header ip;
	struct ipv6_payload at;
	enum net_verdict verdict;
	if (!parse_v6(in, &ip, &at, &verdict))
		return verdict;
	const bool group = in->view.dst.b[0] == 0xff;
	if (is_nd(in, &at) && (group || net_local_find(in->lcore, in->interface, &in->view.dst))) {
		if (neighbour_discovery(in, &at, ip.hop_limit, true) == NET_PUNT)
			return NET_PUNT;
		in->lcore->env.pool.free(in->lcore->env.pool.ctx, in->pkt);
		return NET_TAKEN;
	}
	if (group)
		return input_group(in, &at);
	if (!is_ours(in))
		return NET_PUNT;
	if (in->eth->group)
		return drop(in, WHERRY_LCORE_net_drop_group);
	if (!source_is_sane(in))
		return drop(in, WHERRY_LCORE_net_drop_source);
	if (at.fragment)
		return drop(in, WHERRY_LCORE_net_drop_fragment);
	return deliver(in, at.protocol, at.offset_bytes);
}

static bool begin(struct input *in, struct net_lcore *lcore, struct pkt *pkt, const struct eth_view *eth,
		  uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	if (!lcore->config || pkt->len_bytes < eth->header_bytes)
		return false;
	*in = (struct input){
		.lcore = lcore,
		.pkt = pkt,
		.eth = eth,
		.interface = net_interface_find(lcore->config, pkt->port_index, eth->vlan),
		.verify = pkt->checksum != PKT_CHECKSUM_GOOD,
		.ip = pkt->data + eth->header_bytes,
		.len_bytes = pkt->len_bytes - eth->header_bytes,
		.view = {.port_index = pkt->port_index, .vlan = eth->vlan},
		.now_ns = now_ns,
	};
	return in->interface != NET_NO_INTERFACE;
}

enum net_verdict net_input(struct net_lcore *lcore, struct pkt *pkt, const struct eth_view *eth, uint64_t now_ns)
{
	if (pair_input(lcore, pkt, eth, now_ns))
		return NET_TAKEN;
	struct input in;
	if (!begin(&in, lcore, pkt, eth, now_ns))
		return NET_PUNT;
	switch (eth->type) {
	case IPV4_ETHERTYPE:
		return input_v4(&in);
	case IPV6_ETHERTYPE:
		return input_v6(&in);
	case ARP_ETHERTYPE:
		if (net_arp_input(lcore, in.interface, in.ip, in.len_bytes, true, now_ns) == NET_PUNT)
			return NET_PUNT;
		lcore->env.pool.free(lcore->env.pool.ctx, pkt);
		return NET_TAKEN;
	default:
		return NET_PUNT;
	}
}

void net_learn(struct net_lcore *lcore, const struct pkt *pkt, const struct eth_view *eth, uint64_t now_ns)
{
	struct input in;
	struct ipv6_header ip;
	struct ipv6_payload at;
	/* Nothing of what follows changes the packet. */
	if (!begin(&in, lcore, (struct pkt *)(uintptr_t)pkt, eth, now_ns))
		return;
	if (eth->type == ARP_ETHERTYPE) {
		net_arp_input(lcore, in.interface, in.ip, in.len_bytes, false, now_ns);
		return;
	}
	if (eth->type != IPV6_ETHERTYPE || ipv6_parse(in.ip, in.len_bytes, &ip).result != WIRE_OK ||
	    ipv6_walk(in.ip, IPV6_HEADER_BYTES + ip.payload_bytes, &ip, &at).result != WIRE_OK)
		return;
	in.view.src = ip_addr_v6(ip.src);
	in.view.dst = ip_addr_v6(ip.dst);
	in.len_bytes = IPV6_HEADER_BYTES + ip.payload_bytes;
	if (is_nd(&in, &at) && ip.src[0] != 0xff && !ip_addr_is_v4(&in.view.src))
		neighbour_discovery(&in, &at, ip.hop_limit, false);
}

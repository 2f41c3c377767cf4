/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery and MLD: what is said, and neighbours' words (RFC 4861, 4862, 3810).  Routers' are in router.c.
 */
#include "wire/nd.h"

#include "net/priv.h"
#include "wire/checksum.h"

#define MLD_RECORD_BYTES 20u
#define MLD_HOP_BY_HOP_BYTES 8u
#define MLD_GROUP_COUNT_MAX 48u /* that fit the smallest frame */
#define MLD_EXCLUDE 4           /* change to exclude nothing: joined (RFC 3810 5.2.12) */

/* ICMPv6 without its checksum, behind `extension` bytes of headers in pkt, to a station: checksum, IPv6, send. */
static void send_icmpv6(struct net_lcore *lcore, uint8_t interface, struct pkt *pkt, uint32_t extension,
			struct ipv6_header *ip, const uint8_t *mac)
{
	uint8_t group_mac[6];
	struct icmp_wire *icmp = (struct icmp_wire *)(pkt->data + extension);
	const uint32_t bytes = pkt->len_bytes - extension;
	const uint64_t sum = checksum_add(checksum_pseudo_v6(ip->src, ip->dst, IP_PROTOCOL_ICMPV6, bytes), icmp, bytes);
	icmp->checksum = checksum_finish(sum);
	ip->payload_bytes = (uint16_t)pkt->len_bytes;
	pkt->data -= IPV6_HEADER_BYTES;
	pkt->len_bytes += IPV6_HEADER_BYTES;
	ipv6_emit(pkt->data, IPV6_HEADER_BYTES, ip);
	if (!mac) {
		const struct ip_addr dst = ip_addr_v6(ip->dst);
		net_addr_group_mac(&dst, group_mac);
		mac = group_mac;
	}
	net_frame_send(lcore, interface, pkt, mac, IPV6_ETHERTYPE);
}

static void send_nd(struct net_lcore *lcore, uint8_t interface, const struct nd_message *message,
		    const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *mac)
{
	struct pkt *pkt = net_frame_alloc(lcore, interface);
	if (!pkt)
		return;
	struct ipv6_header ip = {.next_header = IP_PROTOCOL_ICMPV6, .hop_limit = ND_HOP_LIMIT};
	memcpy(ip.src, src->b, 16);
	memcpy(ip.dst, dst->b, 16);
	pkt->len_bytes = nd_emit(pkt->data, pkt_tailroom_bytes(pkt), message);
	send_icmpv6(lcore, interface, pkt, 0, &ip, mac);
}

static void own_mac(const struct net_lcore *lcore, uint8_t interface, struct nd_message *message)
{
	message->has_mac = true;
	memcpy(message->mac, lcore->config->interfaces[interface].mac, 6);
}

void net_nd_solicit(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *src, const struct ip_addr *target,
		    const uint8_t *to)
{
	struct nd_message message = {.type = ICMPV6_NEIGHBOUR_SOLICITATION};
	const struct ip_addr dst = to ? *target : net_addr_solicited(target);
	memcpy(message.target, target->b, 16);
	if (!ip_addr_is_none(src)) /* RFC 4861 4.3: not from the unspecified address */
		own_mac(lcore, interface, &message);
	net_count(lcore, WHERRY_LCORE_net_solicitations);
	send_nd(lcore, interface, &message, src, &dst, to);
}

void net_nd_advertise(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *target,
		      const struct ip_addr *dst, const uint8_t *mac)
{
	const bool everybody = ip_addr_is_none(dst);
	struct nd_message message = {.type = ICMPV6_NEIGHBOUR_ADVERTISEMENT, .solicited = !everybody, .override = true};
	memcpy(message.target, target->b, 16);
	own_mac(lcore, interface, &message);
	net_count(lcore, WHERRY_LCORE_net_advertisements);
	send_nd(lcore, interface, &message, target, everybody ? &net_addr_all_nodes : dst, everybody ? NULL : mac);
}

void net_nd_solicit_routers(struct net_lcore *lcore, uint8_t interface, uint64_t now_ns)
{
	struct nd_message message = {.type = ICMPV6_ROUTER_SOLICITATION};
	struct ip_addr src = {{0}};
	if (net_source_find(lcore, interface, &net_addr_all_routers, now_ns, &src))
		own_mac(lcore, interface, &message);
	net_count(lcore, WHERRY_LCORE_net_solicitations);
	send_nd(lcore, interface, &message, &src, &net_addr_all_routers, NULL);
}

/* ---- MLD ---- */

static unsigned put_groups(const struct net_lcore *lcore, uint8_t interface, uint8_t *to, unsigned max)
{
	unsigned count = 0;
	for (unsigned i = 0; i < lcore->local_count && count < max; i++) {
		const struct net_local *local = &lcore->locals[i];
		if (local->interface != interface || ip_addr_is_v4(&local->addr))
			continue;
		const struct ip_addr group = net_addr_solicited(&local->addr);
		bool there = false;
		for (unsigned j = 0; j < count && !there; j++)
			there = memcmp(to + j * MLD_RECORD_BYTES + 4, group.b, 16) == 0;
		if (there)
			continue;
		uint8_t *record = to + count++ * MLD_RECORD_BYTES;
		memcpy(record, (const uint8_t[4]){MLD_EXCLUDE}, 4);
		memcpy(record + 4, group.b, 16);
	}
	return count;
}

void net_mld_report(struct net_lcore *lcore, uint8_t interface)
{
	/* Pads are options, too; the router alert says that routers shall look (RFC 3810 5). */
	static const uint8_t hop_by_hop[MLD_HOP_BY_HOP_BYTES] = {IP_PROTOCOL_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct pkt *pkt = net_frame_alloc(lcore, interface);
	if (!pkt)
		return;
	struct ipv6_header ip = {.next_header = IPV6_HOP_BY_HOP, .hop_limit = 1};
	struct ip_addr src = {{0}};
	const struct ip_addr scope = {{0xfe, 0x80}};
	if (net_source_find(lcore, interface, &scope, lcore->now_ns, &src) && net_addr_is_link_local(&src))
		memcpy(ip.src, src.b, 16);
	memcpy(ip.dst, net_addr_mld_routers.b, 16);
	memcpy(pkt->data, hop_by_hop, sizeof hop_by_hop);
	uint8_t *report = pkt->data + sizeof hop_by_hop;
	const unsigned count = put_groups(lcore, interface, report + ICMP_HEADER_BYTES, MLD_GROUP_COUNT_MAX);
	const struct icmp_header icmp = {.type = ICMPV6_MLD2_REPORT, .rest = count};
	icmp_emit(report, ICMP_HEADER_BYTES, &icmp);
	pkt->len_bytes = (uint32_t)sizeof hop_by_hop + ICMP_HEADER_BYTES + count * MLD_RECORD_BYTES;
	send_icmpv6(lcore, interface, pkt, sizeof hop_by_hop, &ip, NULL);
}

void net_mld_query(struct net_lcore *lcore, uint8_t interface, uint64_t now_ns)
{
	if (now_ns < lcore->mld_next_ns[interface])
		return;
	lcore->mld_next_ns[interface] = now_ns + NET_S;
	net_mld_report(lcore, interface);
}

/* ---- neighbours ---- */

static void refuse(struct net_lcore *lcore)
{
	net_count(lcore, WHERRY_LCORE_net_drop_nd);
}

static enum net_verdict solicitation(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *in,
				     const struct nd_message *message, bool answer, uint64_t now_ns)
{
	static const struct ip_addr none;
	const struct ip_addr target = ip_addr_v6(message->target);
	struct net_local *local = net_local_find(lcore, interface, &target);
	const uint8_t *sender = message->has_mac ? message->mac : eth_src(in->frame);
	if (ip_addr_is_none(&in->src)) {
		const struct ip_addr group = net_addr_solicited(&target);
		if (message->has_mac || !ip_addr_equal(&in->dst, &group)) {
			refuse(lcore);
			return NET_TAKEN;
		}
		if (local && local->state == NET_TENTATIVE)
			net_local_conflict(lcore, local, eth_src(in->frame), now_ns);
		else if (local && local->state == NET_USABLE && answer)
			net_nd_advertise(lcore, interface, &target, &none, NULL);
		return local ? NET_TAKEN : NET_PUNT;
	}
	if (!local)
		return NET_PUNT;
	if (local->state != NET_USABLE)
		return NET_TAKEN;
	if (message->has_mac && net_on_link(lcore, interface, &in->src, now_ns) >= 0) {
		struct net_entry *entry = net_neighbour_get(lcore, interface, &in->src, now_ns);
		if (entry)
			net_neighbour_heard(lcore, entry, message->mac, false, now_ns);
	}
	if (answer)
		net_nd_advertise(lcore, interface, &target, &in->src, sender);
	return NET_TAKEN;
}

/* RFC 4861 7.2.5. */
static void advertised(struct net_lcore *lcore, struct net_entry *entry, const struct nd_message *message,
		       uint64_t now_ns)
{
	const bool known = entry->state != NET_INCOMPLETE && entry->state != NET_FAILED;
	if (!message->has_mac && !known)
		return;
	const uint8_t *mac = message->has_mac ? message->mac : entry->mac;
	uint8_t copy[6];
	memcpy(copy, mac, 6);
	if (known && !message->override && !eth_addr_equal(copy, entry->mac))
		return; /* somebody else's word, which does not insist: unreachability will show */
	net_neighbour_heard(lcore, entry, copy, message->solicited, now_ns);
}

static enum net_verdict advertisement(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *in,
				      const struct nd_message *message, uint64_t now_ns)
{
	const struct ip_addr target = ip_addr_v6(message->target);
	struct net_local *local = net_local_find(lcore, interface, &target);
	if (local) {
		net_local_conflict(lcore, local, eth_src(in->frame), now_ns);
		return NET_TAKEN;
	}
	struct net_entry *entry = net_neighbour_find(lcore, interface, &target);
	if (entry)
		advertised(lcore, entry, message, now_ns);
	return in->dst.b[0] == 0xff ? NET_PUNT : NET_TAKEN;
}

enum net_verdict net_nd_input(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *in, bool answer,
			      uint64_t now_ns)
{
	struct nd_message message;
	if (in->hop_limit != ND_HOP_LIMIT || nd_parse(in->data, in->len_bytes, &message).result != WIRE_OK ||
	    (message.has_mac && (eth_addr_is_group(message.mac) || eth_addr_is_zero(message.mac))) ||
	    (message.type == ICMPV6_NEIGHBOUR_ADVERTISEMENT && message.solicited && in->dst.b[0] == 0xff)) {
		refuse(lcore);
		return NET_TAKEN;
	}
	/* What a switch sends back to us. */
	if (eth_addr_equal(eth_src(in->frame), lcore->config->interfaces[interface].mac))
		return NET_TAKEN;
	switch (message.type) {
	case ICMPV6_NEIGHBOUR_SOLICITATION:
		return solicitation(lcore, interface, in, &message, answer, now_ns);
	case ICMPV6_NEIGHBOUR_ADVERTISEMENT:
		return advertisement(lcore, interface, in, &message, now_ns);
	case ICMPV6_ROUTER_ADVERTISEMENT:
		return net_router_input(lcore, interface, in, &message, now_ns);
	default:
		return NET_PUNT; /* a router's business */
	}
}

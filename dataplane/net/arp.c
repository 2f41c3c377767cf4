/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP: answers, learning, conflicts (RFC 826, RFC 5227). */
#include "wire/arp.h"

#include "net/priv.h"

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void send_arp(struct net_lcore *lcore, uint8_t interface, const struct arp_packet *arp, const uint8_t dst[6])
{
	struct pkt *pkt = net_frame_alloc(lcore, interface);
	if (!pkt)
		return;
	pkt->len_bytes = arp_emit(pkt->data, pkt_tailroom_bytes(pkt), arp);
	net_frame_send(lcore, interface, pkt, dst, ARP_ETHERTYPE);
}

void net_arp_request(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *sender,
		     const struct ip_addr *target, const uint8_t *to)
{
	struct arp_packet arp = {.operation = ARP_REQUEST};
	memcpy(arp.sender_mac, lcore->config->interfaces[interface].mac, 6);
	memcpy(arp.sender_ip, sender->b + IP_ADDR_V4_OFFSET, 4); /* of none: 0.0.0.0 */
	memcpy(arp.target_ip, target->b + IP_ADDR_V4_OFFSET, 4);
	net_count(lcore,
		  ip_addr_equal(sender, target) ? WHERRY_LCORE_net_advertisements : WHERRY_LCORE_net_solicitations);
	send_arp(lcore, interface, &arp, to ? to : broadcast);
}

static void reply(struct net_lcore *lcore, uint8_t interface, const struct arp_packet *request)
{
	struct arp_packet arp = {.operation = ARP_REPLY};
	memcpy(arp.sender_mac, lcore->config->interfaces[interface].mac, 6);
	memcpy(arp.sender_ip, request->target_ip, 4);
	memcpy(arp.target_mac, request->sender_mac, 6);
	memcpy(arp.target_ip, request->sender_ip, 4);
	net_count(lcore, WHERRY_LCORE_net_advertisements);
	send_arp(lcore, interface, &arp, request->sender_mac);
}

/* What the sender says of itself.  A stranger is remembered only when it speaks to us. */
static void learn(struct net_lcore *lcore, uint8_t interface, const struct arp_packet *arp,
		  const struct ip_addr *sender, bool to_us, uint64_t now_ns)
{
	struct net_entry *entry = net_neighbour_find(lcore, interface, sender);
	if (!entry && to_us && arp->operation == ARP_REQUEST && net_on_link(lcore, interface, sender, now_ns) >= 0)
		entry = net_neighbour_get(lcore, interface, sender, now_ns);
	if (entry)
		net_neighbour_heard(lcore, entry, arp->sender_mac, to_us && arp->operation == ARP_REPLY, now_ns);
}

static bool is_sane(const struct arp_packet *arp, const struct ip_addr *sender)
{
	static const uint8_t any[4];
	if (eth_addr_is_group(arp->sender_mac) || eth_addr_is_zero(arp->sender_mac))
		return false;
	return memcmp(arp->sender_ip, any, 4) == 0 || net_addr_is_unicast(sender);
}

/* Somebody else has an address of ours, or wants one that we are still probing for (RFC 5227 2.1.1, 2.4). */
static bool look_for_conflict(struct net_lcore *lcore, uint8_t interface, const struct arp_packet *arp,
			      struct net_local *claimed, struct net_local *wanted, uint64_t now_ns)
{
	static const uint8_t any[4];
	const bool probe = arp->operation == ARP_REQUEST && memcmp(arp->sender_ip, any, 4) == 0;
	struct net_local *ours = claimed;
	if (!ours && probe && wanted && wanted->state == NET_TENTATIVE)
		ours = wanted;
	/* What a switch sends back to us is no conflict. */
	if (!ours || eth_addr_equal(arp->sender_mac, lcore->config->interfaces[interface].mac))
		return false;
	net_local_conflict(lcore, ours, arp->sender_mac, now_ns);
	return true;
}

enum net_verdict net_arp_input(struct net_lcore *lcore, uint8_t interface, const uint8_t *data, uint32_t len_bytes,
			       bool answer, uint64_t now_ns)
{
	struct arp_packet arp;
	if (arp_parse(data, len_bytes, &arp).result != WIRE_OK) {
		net_count(lcore, WHERRY_LCORE_net_drop_arp);
		return NET_TAKEN;
	}
	const struct ip_addr sender = ip_addr_v4(arp.sender_ip), target = ip_addr_v4(arp.target_ip);
	if (!is_sane(&arp, &sender)) {
		net_count(lcore, WHERRY_LCORE_net_drop_arp);
		return NET_TAKEN;
	}
	struct net_local *claimed = net_local_find(lcore, interface, &sender);
	struct net_local *wanted = net_local_find(lcore, interface, &target);
	const bool to_us = wanted && wanted->state == NET_USABLE;
	if (look_for_conflict(lcore, interface, &arp, claimed, wanted, now_ns))
		return NET_TAKEN;
	if (claimed)
		return NET_TAKEN; /* our own words */
	if (net_addr_is_unicast(&sender))
		learn(lcore, interface, &arp, &sender, to_us, now_ns);
	if (answer && to_us && arp.operation == ARP_REQUEST)
		reply(lcore, interface, &arp);
	return wanted ? NET_TAKEN : NET_PUNT;
}

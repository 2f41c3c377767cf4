/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our addresses: probed for before use (RFC 5227, RFC 4862 5.4), announced,
 * defended.  Every worker runs the same timers; one of them speaks.
 */
#include "net/priv.h"

#define ARP_PROBE_COUNT 3u /* RFC 5227 1.1 */
#define ARP_PROBE_GAP_NS (1 * NET_S)
#define ARP_ANNOUNCE_WAIT_NS (2 * NET_S)
#define ND_PROBE_COUNT 1u /* RFC 4862 5.1 */
#define ND_PROBE_WAIT_NS (1 * NET_S)
#define ANNOUNCE_COUNT 2u
#define ANNOUNCE_GAP_NS (2 * NET_S)
#define DEFEND_GAP_NS (10 * NET_S)
#define DUPLICATE_RETRY_NS (60 * NET_S)

static uint32_t slot_of(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr)
{
	uint64_t low;
	memcpy(&low, addr->b + 8, sizeof low);
	low = (low ^ lcore->env.secret ^ interface) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(low >> 40) & (NET_LOCAL_SLOT_COUNT - 1);
}

struct net_local *net_local_find(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr)
{
	for (uint32_t at = slot_of(lcore, interface, addr);; at = (at + 1) & (NET_LOCAL_SLOT_COUNT - 1)) {
		if (lcore->local_slots[at] == 0)
			return NULL;
		struct net_local *local = &lcore->locals[lcore->local_slots[at] - 1];
		if (local->interface == interface && ip_addr_equal(&local->addr, addr))
			return local;
	}
}

struct net_local *net_local_find_any(struct net_lcore *lcore, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < lcore->local_count; i++)
		if (lcore->locals[i].state == NET_USABLE && ip_addr_equal(&lcore->locals[i].addr, addr))
			return &lcore->locals[i];
	return NULL;
}

void net_local_rebuild(struct net_lcore *lcore)
{
	memset(lcore->local_slots, 0, sizeof lcore->local_slots);
	for (unsigned i = 0; i < lcore->local_count; i++) {
		uint32_t at = slot_of(lcore, lcore->locals[i].interface, &lcore->locals[i].addr);
		while (lcore->local_slots[at])
			at = (at + 1) & (NET_LOCAL_SLOT_COUNT - 1);
		lcore->local_slots[at] = (uint16_t)(i + 1);
	}
}

bool net_is_broadcast(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr)
{
	if (!ip_addr_is_v4(addr))
		return false;
	for (unsigned i = 0; i < lcore->local_count; i++) {
		const struct net_local *local = &lcore->locals[i];
		/* Networks of one or two addresses have no broadcast (RFC 3021). */
		if (local->interface != interface || local->prefix_bits > 126 ||
		    !net_match(addr, &local->addr, local->prefix_bits))
			continue;
		uint32_t host = 0;
		for (unsigned j = 0; j < 4; j++)
			host = host << 8 | addr->b[IP_ADDR_V4_OFFSET + j];
		const uint32_t mask = (uint32_t)((1ull << (128 - local->prefix_bits)) - 1);
		if ((host & mask) == mask || (host & mask) == 0)
			return true;
	}
	return false;
}

int net_on_link(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr, uint64_t now_ns)
{
	int best = -1;
	for (unsigned i = 0; i < lcore->local_count; i++) {
		const struct net_local *local = &lcore->locals[i];
		if (local->interface == interface && local->prefix_bits > best &&
		    net_match(addr, &local->addr, local->prefix_bits))
			best = local->prefix_bits;
	}
	for (unsigned i = 0; i < NET_PREFIX_COUNT_MAX; i++) {
		const struct net_prefix *prefix = &lcore->prefixes[i];
		if (prefix->until_ns > now_ns && prefix->interface == interface && prefix->bits > best &&
		    net_match(addr, &prefix->prefix, prefix->bits))
			best = prefix->bits;
	}
	return best;
}

struct net_local *net_local_add(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr,
				uint8_t prefix_bits, bool optimistic, uint64_t now_ns)
{
	if (lcore->local_count == NET_LOCAL_COUNT_MAX)
		return NULL;
	struct net_local *local = &lcore->locals[lcore->local_count++];
	*local = (struct net_local){
		.addr = *addr,
		.prefix_bits = prefix_bits,
		.interface = interface,
		.state = optimistic ? NET_USABLE : NET_TENTATIVE,
		.announcements = ANNOUNCE_COUNT,
		.due_ns = now_ns,
		.valid_until_ns = NET_NEVER,
		.preferred_until_ns = NET_NEVER,
	};
	net_due(lcore, now_ns);
	return local;
}

static void probe(struct net_lcore *lcore, const struct net_local *local)
{
	static const struct ip_addr none;
	if (!lcore->speaks)
		return;
	if (ip_addr_is_v4(&local->addr)) {
		net_arp_request(lcore, local->interface, &none, &local->addr, NULL);
		return;
	}
	net_mld_report(lcore, local->interface);
	net_nd_solicit(lcore, local->interface, &none, &local->addr, NULL);
}

static void announce(struct net_lcore *lcore, const struct net_local *local)
{
	static const struct ip_addr none;
	if (!lcore->speaks)
		return;
	if (ip_addr_is_v4(&local->addr)) {
		net_arp_request(lcore, local->interface, &local->addr, &local->addr, NULL);
		return;
	}
	net_mld_report(lcore, local->interface);
	net_nd_advertise(lcore, local->interface, &local->addr, &none, NULL);
}

/* The way of whoever has an address that changes its use may be another one now. */
static void set_state(struct net_lcore *lcore, struct net_local *local, enum net_address_state state)
{
	local->state = (uint8_t)state;
	net_ways_changed(lcore);
}

void net_local_conflict(struct net_lcore *lcore, struct net_local *local, const uint8_t mac[6], uint64_t now_ns)
{
	net_count(lcore, WHERRY_LCORE_net_conflicts);
	local->conflict_count++;
	memcpy(local->conflict_mac, mac, 6);
	if (local->state == NET_TENTATIVE) {
		set_state(lcore, local, NET_DUPLICATE);
		local->due_ns = now_ns + DUPLICATE_RETRY_NS;
		net_due(lcore, local->due_ns);
	} else if (local->state == NET_USABLE &&
		   (!local->defended_ns || now_ns - local->defended_ns >= DEFEND_GAP_NS)) {
		/* A server does not give way (RFC 5227 2.4 c); it says so, but not in a loop with the other. */
		local->defended_ns = now_ns;
		announce(lcore, local);
	}
}

static void probe_on(struct net_lcore *lcore, struct net_local *local, uint64_t now_ns)
{
	const bool v4 = ip_addr_is_v4(&local->addr);
	const unsigned count = v4 ? ARP_PROBE_COUNT : ND_PROBE_COUNT;
	if (local->probes >= count) {
		set_state(lcore, local, NET_USABLE);
		local->due_ns = now_ns;
		return;
	}
	probe(lcore, local);
	if (++local->probes < count)
		local->due_ns = now_ns + ARP_PROBE_GAP_NS;
	else
		local->due_ns = now_ns + (v4 ? ARP_ANNOUNCE_WAIT_NS : ND_PROBE_WAIT_NS);
}

static void step(struct net_lcore *lcore, struct net_local *local, uint64_t now_ns)
{
	if (local->state == NET_DUPLICATE) {
		local->probes = 0;
		local->announcements = ANNOUNCE_COUNT;
		set_state(lcore, local, NET_TENTATIVE);
	}
	if (local->state == NET_TENTATIVE)
		probe_on(lcore, local, now_ns);
	if (local->state != NET_USABLE || local->due_ns > now_ns)
		return;
	if (local->announcements) {
		announce(lcore, local);
		local->announcements--;
	}
	local->due_ns = local->announcements ? now_ns + ANNOUNCE_GAP_NS : NET_NEVER;
}

uint64_t net_local_poll(struct net_lcore *lcore, uint64_t now_ns)
{
	uint64_t next = NET_NEVER;
	bool removed = false;
	for (unsigned i = 0; i < lcore->local_count;) {
		struct net_local *local = &lcore->locals[i];
		if (local->valid_until_ns <= now_ns) {
			set_state(lcore, local, NET_DUPLICATE);
			*local = lcore->locals[--lcore->local_count];
			removed = true;
			continue;
		}
		if (local->due_ns <= now_ns)
			step(lcore, local, now_ns);
		if (local->due_ns < next)
			next = local->due_ns;
		if (local->valid_until_ns < next)
			next = local->valid_until_ns;
		i++;
	}
	if (removed)
		net_local_rebuild(lcore);
	return next;
}

unsigned net_address_copy(const struct net_lcore *lcore, struct net_address_info *to, unsigned max)
{
	unsigned count = 0;
	for (; count < lcore->local_count && count < max; count++) {
		const struct net_local *local = &lcore->locals[count];
		const struct net_interface *interface = &lcore->config->interfaces[local->interface];
		to[count] = (struct net_address_info){local->addr,  interface->port_index, interface->vlan,
						      local->state, local->advertised,     local->conflict_count,
						      {0}};
		memcpy(to[count].conflict_mac, local->conflict_mac, 6);
	}
	return count;
}

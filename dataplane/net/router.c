/* SPDX-License-Identifier: BSD-3-Clause */
/* What routers advertise: default routers, prefixes, addresses, the link's MTU (RFC 4861 6.3, RFC 4862 5.5). */
#include "net/priv.h"
#include "wire/nd.h"

#define SOLICIT_GAP_NS (4 * NET_S)
#define TWO_HOURS_NS (7200 * NET_S)

static uint64_t until(uint32_t seconds, uint64_t now_ns)
{
	return seconds == UINT32_MAX ? NET_NEVER : now_ns + seconds * NET_S;
}

static void take_router(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr, uint16_t lifetime_s,
			uint64_t now_ns)
{
	struct net_router *slot = NULL;
	for (unsigned i = 0; i < NET_ROUTER_COUNT_MAX; i++) {
		struct net_router *router = &lcore->routers[i];
		if (router->until_ns && router->interface == interface && ip_addr_equal(&router->addr, addr)) {
			slot = router;
			break;
		}
		if (!router->until_ns && !slot)
			slot = router;
	}
	if (!slot || (!slot->until_ns && !lifetime_s))
		return;
	const bool changed = !slot->until_ns || !lifetime_s;
	*slot = (struct net_router){*addr, interface, lifetime_s ? until(lifetime_s, now_ns) : 0};
	if (changed)
		net_ways_changed(lcore);
}

static void take_on_link(struct net_lcore *lcore, uint8_t interface, const struct nd_prefix *prefix, uint64_t now_ns)
{
	const struct ip_addr addr = ip_addr_v6(prefix->prefix);
	struct net_prefix *slot = NULL;
	for (unsigned i = 0; i < NET_PREFIX_COUNT_MAX; i++) {
		struct net_prefix *other = &lcore->prefixes[i];
		if (other->until_ns && other->interface == interface && other->bits == prefix->bits &&
		    net_match(&other->prefix, &addr, prefix->bits)) {
			slot = other;
			break;
		}
		if (!other->until_ns && !slot)
			slot = other;
	}
	if (!slot || (!slot->until_ns && !prefix->valid_s))
		return;
	const bool changed = !slot->until_ns || !prefix->valid_s;
	*slot = (struct net_prefix){addr, prefix->bits, interface,
				    prefix->valid_s ? until(prefix->valid_s, now_ns) : 0};
	if (changed)
		net_ways_changed(lcore);
}

/* RFC 4862 5.5.3. */
static void take_address(struct net_lcore *lcore, uint8_t interface, const struct nd_prefix *prefix, uint64_t now_ns)
{
	if (prefix->bits != 64 || prefix->preferred_s > prefix->valid_s)
		return;
	const struct ip_addr base = ip_addr_v6(prefix->prefix);
	const struct ip_addr addr = net_addr_eui64(&base, lcore->config->interfaces[interface].mac);
	struct net_local *local = net_local_find(lcore, interface, &addr);
	if (local && !local->advertised)
		return;
	uint64_t valid = until(prefix->valid_s, now_ns);
	if (local) {
		const uint64_t two_hours = now_ns + TWO_HOURS_NS;
		/* Nobody may take an address away at once. */
		if (valid < two_hours && valid < local->valid_until_ns)
			valid = local->valid_until_ns < two_hours ? local->valid_until_ns : two_hours;
	} else {
		if (!prefix->valid_s)
			return;
		local = net_local_add(lcore, interface, &addr, 128, false, now_ns);
		if (!local)
			return;
		local->advertised = true;
		net_local_rebuild(lcore);
		net_ways_changed(lcore);
	}
	local->valid_until_ns = valid;
	local->preferred_until_ns = until(prefix->preferred_s, now_ns);
	net_due(lcore, valid);
}

enum net_verdict net_router_input(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *in,
				  const struct nd_message *message, uint64_t now_ns)
{
	if (!net_addr_is_link_local(&in->src)) {
		net_count(lcore, WHERRY_LCORE_net_drop_nd);
		return NET_TAKEN;
	}
	const struct net_interface *self = &lcore->config->interfaces[interface];
	if (!self->slaac)
		return NET_PUNT;
	lcore->solicits_left[interface] = 0;
	lcore->solicit_due_ns[interface] = NET_NEVER;
	if (message->has_mac) {
		struct net_entry *entry = net_neighbour_get(lcore, interface, &in->src, now_ns);
		if (entry)
			net_neighbour_heard(lcore, entry, message->mac, false, now_ns);
	}
	take_router(lcore, interface, &in->src, message->lifetime_s, now_ns);
	if (message->mtu >= IPV6_MTU_MIN && message->mtu <= self->mtu && lcore->mtu6[interface] != message->mtu) {
		lcore->mtu6[interface] = (uint16_t)message->mtu;
		lcore->mtu_stamp++;
	}
	for (unsigned i = 0; i < message->prefix_count; i++) {
		const struct nd_prefix *prefix = &message->prefixes[i];
		const struct ip_addr addr = ip_addr_v6(prefix->prefix);
		if (net_addr_is_link_local(&addr) || !net_addr_is_unicast(&addr))
			continue;
		if (prefix->on_link)
			take_on_link(lcore, interface, prefix, now_ns);
		if (prefix->autonomous)
			take_address(lcore, interface, prefix, now_ns);
	}
	return NET_PUNT;
}

static uint64_t solicit(struct net_lcore *lcore, uint8_t interface, uint64_t now_ns)
{
	if (lcore->solicit_due_ns[interface] > now_ns)
		return lcore->solicit_due_ns[interface];
	if (!lcore->solicits_left[interface])
		return NET_NEVER;
	lcore->solicits_left[interface]--;
	if (lcore->speaks)
		net_nd_solicit_routers(lcore, interface, now_ns);
	return lcore->solicit_due_ns[interface] = now_ns + SOLICIT_GAP_NS;
}

uint64_t net_router_poll(struct net_lcore *lcore, uint64_t now_ns)
{
	uint64_t next = NET_NEVER;
	bool changed = false;
	for (unsigned i = 0; i < NET_ROUTER_COUNT_MAX; i++) {
		struct net_router *router = &lcore->routers[i];
		if (router->until_ns && router->until_ns <= now_ns) {
			router->until_ns = 0;
			changed = true;
		}
		if (router->until_ns && router->until_ns < next)
			next = router->until_ns;
	}
	for (unsigned i = 0; i < NET_PREFIX_COUNT_MAX; i++) {
		struct net_prefix *prefix = &lcore->prefixes[i];
		if (prefix->until_ns && prefix->until_ns <= now_ns) {
			prefix->until_ns = 0;
			changed = true;
		}
		if (prefix->until_ns && prefix->until_ns < next)
			next = prefix->until_ns;
	}
	if (changed)
		net_ways_changed(lcore);
	for (uint8_t i = 0; i < lcore->config->interface_count; i++) {
		const uint64_t due = solicit(lcore, i, now_ns);
		next = due < next ? due : next;
	}
	return next;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of the stack on one lcore: memory, configuration, timers. */
#include <stdlib.h>

#include "net/priv.h"

#define ERRORS_PER_S 100u
#define ERRORS_BURST 50u
#define ECHOES_PER_S 20000u
#define ECHOES_BURST 1000u
#define STRANGERS_PER_S 1000u
#define STRANGERS_BURST 1000u
#define POLL_GAP_NS (10 * NET_MS) /* between two looks at all timers */
#define SOLICIT_COUNT 3u          /* of routers (RFC 4861 6.3.7) */

void net_lcore_destroy(struct net_lcore *lcore)
{
	if (!lcore)
		return;
	for (uint32_t i = 0; lcore->neighbours && i < lcore->neighbour_count; i++)
		if (lcore->neighbours[i].in_use)
			net_neighbour_forget(lcore, &lcore->neighbours[i], WHERRY_LCORE_net_drop_no_neighbour);
	free(lcore->neighbours);
	free(lcore->chains);
	free(lcore);
}

struct net_lcore *net_lcore_create(const struct net_env *env, unsigned neighbour_count, unsigned held_count)
{
	uint32_t chain_count = 1;
	while (chain_count < neighbour_count)
		chain_count *= 2;
	struct net_lcore *lcore = calloc(1, sizeof *lcore);
	if (!lcore)
		return NULL;
	lcore->neighbours = calloc(neighbour_count, sizeof *lcore->neighbours);
	lcore->chains = calloc(chain_count, sizeof *lcore->chains);
	if (!lcore->neighbours || !lcore->chains) {
		net_lcore_destroy(lcore);
		return NULL;
	}
	lcore->env = *env;
	lcore->generation = 1;
	lcore->last_stamp = NET_STAMP_FREE;
	lcore->next_due_ns = NET_NEVER;
	lcore->neighbour_count = neighbour_count;
	lcore->chain_mask = chain_count - 1;
	lcore->held_max = held_count;
	lcore->mtu_stamp = 1;
	lcore->free_first = NET_NONE;
	for (uint32_t i = 0; i < chain_count; i++)
		lcore->chains[i] = NET_NONE;
	for (uint32_t i = neighbour_count; i-- > 0;) {
		lcore->neighbours[i].stamp = NET_STAMP_FREE;
		lcore->neighbours[i].next = lcore->free_first;
		lcore->free_first = i;
	}
	bucket_init(&lcore->errors, ERRORS_PER_S, ERRORS_BURST, 0);
	bucket_init(&lcore->echoes, ECHOES_PER_S, ECHOES_BURST, 0);
	bucket_init(&lcore->strangers, STRANGERS_PER_S, STRANGERS_BURST, 0);
	return lcore;
}

void net_ways_changed(struct net_lcore *lcore)
{
	lcore->generation = lcore->generation == UINT32_MAX ? 1 : lcore->generation + 1;
	lcore->mtu_stamp++;
	for (uint32_t i = 0; i < lcore->neighbour_count; i++)
		if (lcore->neighbours[i].in_use)
			lcore->neighbours[i].stamp = net_new_stamp(lcore);
}

/* The index that an interface of one configuration has in another. */
static uint8_t moved(const struct net_config *from, const struct net_config *to, uint8_t interface)
{
	if (!to)
		return NET_NO_INTERFACE;
	return net_interface_find(to, from->interfaces[interface].port_index, from->interfaces[interface].vlan);
}

/* What was learnt stays, where its interface does. */
static void move_learnt(struct net_lcore *lcore, const struct net_config *old, const struct net_config *config)
{
	for (uint32_t i = 0; i < lcore->neighbour_count; i++) {
		struct net_entry *entry = &lcore->neighbours[i];
		if (!entry->in_use)
			continue;
		const uint8_t interface = moved(old, config, entry->interface);
		/* Held frames have the MAC of before in them. */
		if (interface == NET_NO_INTERFACE ||
		    !eth_addr_equal(old->interfaces[entry->interface].mac, config->interfaces[interface].mac))
			net_neighbour_forget(lcore, entry, WHERRY_LCORE_net_drop_no_neighbour);
		else
			net_neighbour_move(lcore, entry, interface);
	}
	for (unsigned i = 0; i < NET_ROUTER_COUNT_MAX; i++) {
		struct net_router *router = &lcore->routers[i];
		if (router->until_ns && (router->interface = moved(old, config, router->interface)) == NET_NO_INTERFACE)
			router->until_ns = 0;
	}
	for (unsigned i = 0; i < NET_PREFIX_COUNT_MAX; i++) {
		struct net_prefix *prefix = &lcore->prefixes[i];
		if (prefix->until_ns && (prefix->interface = moved(old, config, prefix->interface)) == NET_NO_INTERFACE)
			prefix->until_ns = 0;
	}
}

/* Addresses that stay keep their state; advertised ones stay with their interface. */
static void move_locals(struct net_lcore *lcore, const struct net_config *old, const struct net_config *config,
			uint64_t now_ns)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < lcore->local_count; i++) {
		struct net_local *local = &lcore->locals[i];
		const uint8_t interface = moved(old, config, local->interface);
		if (interface == NET_NO_INTERFACE)
			continue;
		const bool new_mac =
			!eth_addr_equal(old->interfaces[local->interface].mac, config->interfaces[interface].mac);
		bool stays = local->advertised && config->interfaces[interface].slaac && !new_mac;
		for (unsigned j = 0; j < config->address_count && !stays; j++) {
			const struct net_config_address *address = &config->addresses[j];
			stays = address->interface == interface && address->prefix_bits == local->prefix_bits &&
				ip_addr_equal(&address->addr, &local->addr);
		}
		if (!stays)
			continue;
		local->interface = interface;
		if (new_mac) {
			local->announcements = 2;
			local->due_ns = now_ns;
			net_due(lcore, now_ns);
		}
		lcore->locals[kept++] = *local;
	}
	lcore->local_count = kept;
	net_local_rebuild(lcore);
}

const struct net_config *net_set_config(struct net_lcore *lcore, const struct net_config *config, bool announce,
					uint64_t now_ns)
{
	const struct net_config *old = lcore->config;
	lcore->now_ns = now_ns;
	lcore->speaks = announce;
	if (old) {
		move_learnt(lcore, old, config);
		move_locals(lcore, old, config, now_ns);
	}
	lcore->config = config;
	for (unsigned i = 0; config && i < config->address_count; i++) {
		const struct net_config_address *address = &config->addresses[i];
		if (!net_local_find(lcore, address->interface, &address->addr))
			net_local_add(lcore, address->interface, &address->addr, address->prefix_bits,
				      address->optimistic, now_ns);
	}
	net_local_rebuild(lcore);
	for (uint8_t i = 0; config && i < config->interface_count; i++) {
		lcore->mtu6[i] = 0;
		lcore->solicits_left[i] = config->interfaces[i].slaac ? SOLICIT_COUNT : 0;
		lcore->solicit_due_ns[i] = config->interfaces[i].slaac ? now_ns : NET_NEVER;
	}
	net_due(lcore, now_ns);
	net_ways_changed(lcore);
	return old;
}

void net_on_link_up(struct net_lcore *lcore, uint16_t port_index, uint64_t now_ns)
{
	for (unsigned i = 0; lcore->config && i < lcore->local_count; i++) {
		struct net_local *local = &lcore->locals[i];
		if (lcore->config->interfaces[local->interface].port_index != port_index || local->state != NET_USABLE)
			continue;
		local->announcements = 2;
		local->due_ns = now_ns;
	}
	for (uint8_t i = 0; lcore->config && i < lcore->config->interface_count; i++) {
		const struct net_interface *interface = &lcore->config->interfaces[i];
		if (interface->port_index != port_index || !interface->slaac)
			continue;
		lcore->solicits_left[i] = SOLICIT_COUNT;
		lcore->solicit_due_ns[i] = now_ns;
	}
	net_due(lcore, now_ns);
}

unsigned net_poll(struct net_lcore *lcore, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	if (now_ns >= lcore->next_due_ns && lcore->config) {
		lcore->next_due_ns = NET_NEVER;
		uint64_t next = net_local_poll(lcore, now_ns);
		const uint64_t neighbour = net_neighbour_poll(lcore, now_ns);
		const uint64_t router = net_router_poll(lcore, now_ns);
		next = neighbour < next ? neighbour : next;
		next = router < next ? router : next;
		net_due(lcore, next < now_ns + POLL_GAP_NS ? now_ns + POLL_GAP_NS : next);
	}
	const unsigned sent = lcore->sent;
	lcore->sent = 0;
	return sent;
}

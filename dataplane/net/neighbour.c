/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour cache of both families, with the unreachability detection of RFC 4861
 * 7.3 for both: a flow that gets its acknowledgements confirms its neighbour
 * without a packet.
 */
#include "net/priv.h"

#define RETRANSMIT_NS (1 * NET_S)
#define PROBE_COUNT_MAX 3u
#define DELAY_NS (5 * NET_S)
#define REACHABLE_NS (30 * NET_S)
#define VICTIM_LOOK_COUNT 32u

uint32_t net_new_stamp(struct net_lcore *lcore)
{
	if (++lcore->last_stamp <= NET_STAMP_FREE)
		lcore->last_stamp = NET_STAMP_FREE + 1;
	return lcore->last_stamp;
}

static uint32_t *chain_of(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr)
{
	uint64_t words[2];
	memcpy(words, addr->b, sizeof words);
	uint64_t hash = (words[1] ^ lcore->env.secret ^ interface) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 29 ^ words[0]) * 0xbf58476d1ce4e5b9ull;
	return &lcore->chains[(uint32_t)(hash >> 32) & lcore->chain_mask];
}

struct net_entry *net_neighbour_find(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr)
{
	for (uint32_t i = *chain_of(lcore, interface, addr); i != NET_NONE; i = lcore->neighbours[i].next) {
		struct net_entry *entry = &lcore->neighbours[i];
		if (entry->interface == interface && ip_addr_equal(&entry->addr, addr))
			return entry;
	}
	return NULL;
}

static void drop_held(struct net_lcore *lcore, struct net_entry *entry, enum wherry_lcore_stat why)
{
	while (entry->held_first) {
		struct pkt *pkt = entry->held_first;
		entry->held_first = pkt->next;
		net_drop(lcore, pkt, why);
	}
	lcore->held_count -= entry->held_count;
	entry->held_count = 0;
}

static void unlink_entry(struct net_lcore *lcore, struct net_entry *entry)
{
	const uint32_t index = (uint32_t)(entry - lcore->neighbours);
	uint32_t *link = chain_of(lcore, entry->interface, &entry->addr);
	while (*link != index)
		link = &lcore->neighbours[*link].next;
	*link = entry->next;
}

void net_neighbour_move(struct net_lcore *lcore, struct net_entry *entry, uint8_t interface)
{
	unlink_entry(lcore, entry);
	uint32_t *chain = chain_of(lcore, interface, &entry->addr);
	entry->interface = interface;
	entry->next = *chain;
	*chain = (uint32_t)(entry - lcore->neighbours);
}

void net_neighbour_forget(struct net_lcore *lcore, struct net_entry *entry, enum wherry_lcore_stat why)
{
	const uint32_t index = (uint32_t)(entry - lcore->neighbours);
	unlink_entry(lcore, entry);
	drop_held(lcore, entry, why);
	*entry = (struct net_entry){.stamp = NET_STAMP_FREE, .next = lcore->free_first};
	lcore->free_first = index;
}

/* Lower is forgotten sooner. */
static uint64_t worth(const struct net_entry *entry)
{
	if (entry->state == NET_FAILED)
		return 0;
	if (entry->state == NET_INCOMPLETE && !entry->held_count)
		return 1;
	return 2 + entry->used_ns;
}

/* The least useful of some.  Who spoke to us and was never answered through a path (used 0) goes before who was. */
static void make_room(struct net_lcore *lcore)
{
	struct net_entry *victim = NULL;
	for (uint32_t i = 0; i < VICTIM_LOOK_COUNT && i < lcore->neighbour_count; i++) {
		lcore->clock_hand = (lcore->clock_hand + 1) % lcore->neighbour_count;
		struct net_entry *entry = &lcore->neighbours[lcore->clock_hand];
		if (!victim || worth(entry) < worth(victim))
			victim = entry;
	}
	if (victim)
		net_neighbour_forget(lcore, victim, WHERRY_LCORE_net_drop_neighbour_full);
}

struct net_entry *net_neighbour_get(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr,
				    uint64_t now_ns)
{
	struct net_entry *entry = net_neighbour_find(lcore, interface, addr);
	if (entry)
		return entry;
	if (lcore->free_first == NET_NONE)
		make_room(lcore);
	if (lcore->free_first == NET_NONE)
		return NULL;
	const uint32_t index = lcore->free_first;
	uint32_t *chain = chain_of(lcore, interface, addr);
	entry = &lcore->neighbours[index];
	lcore->free_first = entry->next;
	*entry = (struct net_entry){
		.addr = *addr,
		.interface = interface,
		.state = NET_FAILED, /* nothing known, nothing asked */
		.in_use = true,
		.stamp = net_new_stamp(lcore),
		.next = *chain,
		.due_ns = NET_NEVER,
		.confirmed_ns = now_ns,
	};
	*chain = index;
	return entry;
}

static void set_due(struct net_lcore *lcore, struct net_entry *entry, uint64_t due_ns)
{
	entry->due_ns = due_ns;
	net_due(lcore, due_ns);
}

/* Ask: everybody, or the neighbour itself when its MAC is known. */
static void ask(struct net_lcore *lcore, struct net_entry *entry, uint64_t now_ns)
{
	struct ip_addr from;
	const uint8_t *to = entry->state == NET_PROBE ? entry->mac : NULL;
	entry->probes++;
	set_due(lcore, entry, now_ns + RETRANSMIT_NS);
	if (!net_source_find(lcore, entry->interface, &entry->addr, now_ns, &from))
		return;
	if (ip_addr_is_v4(&entry->addr))
		net_arp_request(lcore, entry->interface, &from, &entry->addr, to);
	else
		net_nd_solicit(lcore, entry->interface, &from, &entry->addr, to);
}

bool net_neighbour_use(struct net_lcore *lcore, struct net_entry *entry, uint64_t now_ns)
{
	entry->used_ns = now_ns;
	switch (entry->state) {
	case NET_FAILED:
		entry->state = NET_INCOMPLETE;
		entry->probes = 0;
		ask(lcore, entry, now_ns);
		return false;
	case NET_INCOMPLETE:
		return false;
	case NET_STALE:
		entry->state = NET_DELAY;
		entry->confirmed_ns = 0;
		set_due(lcore, entry, now_ns + DELAY_NS);
		return true;
	default:
		return true;
	}
}

void net_neighbour_hold(struct net_lcore *lcore, struct net_entry *entry, struct pkt *pkt)
{
	if (entry->held_first && (entry->held_count == NET_HELD_COUNT_EACH || lcore->held_count == lcore->held_max)) {
		struct pkt *oldest = entry->held_first;
		entry->held_first = oldest->next;
		entry->held_count--;
		lcore->held_count--;
		net_drop(lcore, oldest, WHERRY_LCORE_net_drop_hold_full);
	}
	if (lcore->held_count == lcore->held_max) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_hold_full);
		return;
	}
	pkt->next = NULL;
	if (entry->held_first)
		entry->held_last->next = pkt;
	else
		entry->held_first = pkt;
	entry->held_last = pkt;
	entry->held_count++;
	lcore->held_count++;
}

static void send_held(struct net_lcore *lcore, struct net_entry *entry)
{
	struct pkt *pkt = entry->held_first;
	lcore->held_count -= entry->held_count;
	entry->held_first = NULL;
	entry->held_count = 0;
	while (pkt) {
		struct pkt *next = pkt->next;
		memcpy(pkt->data, entry->mac, 6);
		lcore->sent++;
		lcore->env.output(lcore->env.ctx, pkt);
		pkt = next;
	}
}

void net_neighbour_heard(struct net_lcore *lcore, struct net_entry *entry, const uint8_t mac[6], bool confirmed,
			 uint64_t now_ns)
{
	const bool known = entry->state != NET_INCOMPLETE && entry->state != NET_FAILED;
	const bool same = known && eth_addr_equal(entry->mac, mac);
	if (known && !same)
		net_count(lcore, WHERRY_LCORE_net_mac_changes);
	memcpy(entry->mac, mac, 6);
	if (confirmed) {
		entry->state = NET_REACHABLE;
		entry->probes = 0;
		entry->confirmed_ns = now_ns;
		set_due(lcore, entry, now_ns + REACHABLE_NS);
	} else if (!same) {
		entry->state = NET_STALE;
		entry->due_ns = NET_NEVER;
	}
	if (same)
		return;
	entry->stamp = net_new_stamp(lcore);
	if (!entry->held_count)
		return;
	net_neighbour_use(lcore, entry, now_ns);
	send_held(lcore, entry);
}

/* It does not answer: whoever still needs it asks everybody next. */
static void fail(struct net_lcore *lcore, struct net_entry *entry)
{
	entry->state = NET_FAILED;
	entry->due_ns = NET_NEVER;
	entry->stamp = net_new_stamp(lcore);
	drop_held(lcore, entry, WHERRY_LCORE_net_drop_no_neighbour);
}

static void expire(struct net_lcore *lcore, struct net_entry *entry, uint64_t now_ns)
{
	/* Wrap-free: confirmed_ns is never in the future. */
	const bool fresh = entry->confirmed_ns && now_ns - entry->confirmed_ns < REACHABLE_NS;
	switch (entry->state) {
	case NET_REACHABLE:
		if (fresh) {
			set_due(lcore, entry, entry->confirmed_ns + REACHABLE_NS);
			return;
		}
		entry->state = NET_STALE;
		entry->due_ns = NET_NEVER;
		entry->stamp = net_new_stamp(lcore); /* the next use is noticed */
		return;
	case NET_DELAY:
	case NET_PROBE:
		if (fresh) {
			entry->state = NET_REACHABLE;
			entry->probes = 0;
			set_due(lcore, entry, entry->confirmed_ns + REACHABLE_NS);
			return;
		}
		if (entry->state == NET_DELAY)
			entry->probes = 0;
		entry->state = NET_PROBE;
		break;
	default:
		break;
	}
	if (entry->probes >= PROBE_COUNT_MAX)
		fail(lcore, entry);
	else
		ask(lcore, entry, now_ns);
}

uint64_t net_neighbour_poll(struct net_lcore *lcore, uint64_t now_ns)
{
	uint64_t next = NET_NEVER;
	for (uint32_t i = 0; i < lcore->neighbour_count; i++) {
		struct net_entry *entry = &lcore->neighbours[i];
		if (!entry->in_use)
			continue;
		if (entry->due_ns <= now_ns)
			expire(lcore, entry, now_ns);
		if (entry->due_ns < next)
			next = entry->due_ns;
	}
	return next;
}

void net_path_confirm(struct net_lcore *lcore, const struct net_path *path, uint64_t now_ns)
{
	struct net_entry *entry = &lcore->neighbours[path->neighbour];
	if (entry->stamp == path->epoch)
		entry->confirmed_ns = now_ns;
}

unsigned net_neighbour_copy(struct net_lcore *lcore, struct net_neighbour *to, unsigned max, uint64_t now_ns)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < lcore->neighbour_count && count < max; i++) {
		const struct net_entry *entry = &lcore->neighbours[i];
		if (!entry->in_use)
			continue;
		const struct net_interface *interface = &lcore->config->interfaces[entry->interface];
		struct net_neighbour *out = &to[count++];
		*out = (struct net_neighbour){
			.addr = entry->addr,
			.port_index = interface->port_index,
			.vlan = interface->vlan,
			.state = entry->state == NET_DELAY ? (uint8_t)NET_STALE : entry->state,
			.age_ns = now_ns > entry->confirmed_ns ? now_ns - entry->confirmed_ns : 0,
		};
		memcpy(out->mac, entry->mac, 6);
	}
	return count;
}

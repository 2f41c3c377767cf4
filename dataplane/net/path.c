/* SPDX-License-Identifier: BSD-3-Clause */
/* Ways to a remote address, and sending along them. */
#include <errno.h>

#include "net/priv.h"
#include "wire/checksum.h"

#define PMTU_LIFE_NS (600 * NET_S) /* RFC 1191 6.3, RFC 8201 5.3 */
#define PMTU_V4_MIN 552            /* below that a message is an attack rather than a link */

struct way {
	uint8_t interface;
	int bits; /* of the prefix that led there; -1: none */
	struct ip_addr next_hop;
};

bool net_source_find(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *remote, uint64_t now_ns,
		     struct ip_addr *source)
{
	const bool local_scope = net_addr_is_link_local(remote);
	int best = -1;
	for (unsigned i = 0; i < lcore->local_count; i++) {
		const struct net_local *local = &lcore->locals[i];
		if (local->interface != interface || local->state != NET_USABLE ||
		    ip_addr_is_v4(&local->addr) != ip_addr_is_v4(remote))
			continue;
		int score = (int)net_common_bits(&local->addr, remote);
		if (net_addr_is_link_local(&local->addr) == local_scope)
			score += 1024;
		if (local->preferred_until_ns > now_ns)
			score += 512;
		if (score > best) {
			best = score;
			*source = local->addr;
		}
	}
	return best >= 0;
}

static bool owns(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *local)
{
	if (ip_addr_is_none(local))
		return true;
	const struct net_local *found = net_local_find(lcore, interface, local);
	return found && found->state == NET_USABLE;
}

static void consider(struct way *way, uint8_t interface, int bits, const struct ip_addr *next_hop, uint8_t preferred)
{
	if (bits < way->bits || (bits == way->bits && (interface != preferred || way->interface == preferred)))
		return;
	*way = (struct way){interface, bits, *next_hop};
}

/* The longest prefix among what is on a link, routes and advertised routers, over the interfaces that own local. */
static bool find_way(struct net_lcore *lcore, const struct ip_addr *local, const struct ip_addr *remote,
		     uint8_t preferred, uint64_t now_ns, struct way *way)
{
	const struct net_config *config = lcore->config;
	*way = (struct way){NET_NO_INTERFACE, -1, *remote};
	for (uint8_t i = 0; i < config->interface_count; i++) {
		const int bits = owns(lcore, i, local) ? net_on_link(lcore, i, remote, now_ns) : -1;
		if (bits < 0)
			continue;
		consider(way, i, i == preferred ? 128 : bits, remote, preferred);
	}
	if (net_addr_is_link_local(remote))
		return way->bits >= 0;
	for (unsigned i = 0; i < config->route_count; i++) {
		const struct net_config_route *route = &config->routes[i];
		if (owns(lcore, route->interface, local) && net_match(remote, &route->prefix, route->prefix_bits))
			consider(way, route->interface, route->prefix_bits, &route->gateway, preferred);
	}
	for (unsigned i = 0; i < NET_ROUTER_COUNT_MAX && !ip_addr_is_v4(remote); i++) {
		const struct net_router *router = &lcore->routers[i];
		if (router->until_ns > now_ns && owns(lcore, router->interface, local))
			consider(way, router->interface, 0, &router->addr, preferred);
	}
	return way->bits >= 0;
}

/* A link-local address means as many stations as there are links. */
static bool is_ambiguous(const struct net_lcore *lcore, const struct ip_addr *local, const struct ip_addr *remote,
			 uint8_t preferred)
{
	return net_addr_is_link_local(remote) && preferred == NET_NO_INTERFACE && ip_addr_is_none(local) &&
	       lcore->config->interface_count > 1;
}

static uint16_t interface_mtu(const struct net_lcore *lcore, const struct net_path *path)
{
	const uint16_t mtu = lcore->config->interfaces[path->interface].mtu;
	const uint16_t said = lcore->mtu6[path->interface];
	return !path->v4 && said && said < mtu ? said : mtu;
}

static void fill_path(struct net_lcore *lcore, struct net_path *path, const struct way *way)
{
	const struct net_interface *interface = &lcore->config->interfaces[way->interface];
	const uint8_t ip_bytes = path->v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
	struct eth_header eth = {
		.type = path->v4 ? IPV4_ETHERTYPE : IPV6_ETHERTYPE,
		.tagged = interface->vlan != 0,
		.tci = interface->vlan,
	};
	memcpy(eth.src, interface->mac, 6);
	const uint32_t eth_bytes = eth_header_emit(path->header, sizeof path->header, &eth);
	path->next_hop = way->next_hop;
	path->interface = way->interface;
	path->port_index = interface->port_index;
	path->vlan = interface->vlan;
	path->checksum_offload = lcore->config->ports[interface->port_index].checksum_offload;
	path->header_bytes = (uint8_t)(eth_bytes + ip_bytes);
	path->generation = lcore->generation;
	path->epoch = 0;
	path->neighbour = 0;
	path->mtu_stamp = lcore->mtu_stamp - 1;
	path->mtu_until_ns = 0;
	path->payload_max = (uint16_t)(interface->mtu - ip_bytes);
	uint8_t *ip = path->header + eth_bytes;
	if (path->v4) {
		/* Whole datagrams alone: any identifier will do (RFC 6864 4.1). */
		struct ipv4_header header = {.dont_fragment = true, .ttl = IPV4_TTL_DEFAULT};
		memcpy(header.src, path->local.b + IP_ADDR_V4_OFFSET, 4);
		memcpy(header.dst, path->remote.b + IP_ADDR_V4_OFFSET, 4);
		ipv4_emit(ip, ip_bytes, &header);
		((struct ipv4_wire *)ip)->checksum = be16_of(0);
		path->sum = checksum_add(0, ip, ip_bytes);
	} else {
		struct ipv6_header header = {.hop_limit = IPV6_HOP_LIMIT_DEFAULT};
		memcpy(header.src, path->local.b, 16);
		memcpy(header.dst, path->remote.b, 16);
		ipv6_emit(ip, ip_bytes, &header);
	}
}

/* Find the way for the addresses in the path.  0 or -errno as net_path_open says. */
static int route_path(struct net_lcore *lcore, struct net_path *path, uint8_t preferred, uint64_t now_ns)
{
	struct way way;
	if (!lcore->config || !net_addr_is_unicast(&path->remote) || net_local_find_any(lcore, &path->remote) ||
	    is_ambiguous(lcore, &path->local, &path->remote, preferred))
		return -EHOSTUNREACH;
	if (!ip_addr_is_none(&path->local) && !net_local_find_any(lcore, &path->local))
		return -EADDRNOTAVAIL;
	if (!find_way(lcore, &path->local, &path->remote, preferred, now_ns, &way))
		return -EHOSTUNREACH;
	if (net_is_broadcast(lcore, way.interface, &path->remote))
		return -EHOSTUNREACH;
	if (ip_addr_is_none(&path->local) &&
	    !net_source_find(lcore, way.interface, &path->remote, now_ns, &path->local))
		return -EADDRNOTAVAIL;
	if (ip_addr_is_v4(&path->local) != path->v4)
		return -EADDRNOTAVAIL;
	fill_path(lcore, path, &way);
	return 0;
}

/* After a change of configuration; by the same interface, if that is a way. */
static bool find_again(struct net_lcore *lcore, struct net_path *path, uint64_t now_ns)
{
	const uint8_t before =
		lcore->config ? net_interface_find(lcore->config, path->port_index, path->vlan) : NET_NO_INTERFACE;
	return route_path(lcore, path, before, now_ns) == 0;
}

int net_path_open(struct net_lcore *lcore, struct net_path *path, const struct ip_addr *local,
		  const struct ip_addr *remote, const struct ip_view *from)
{
	const uint64_t now_ns = lcore->now_ns;
	uint8_t preferred = NET_NO_INTERFACE;
	*path = (struct net_path){.local = *local, .remote = *remote, .v4 = ip_addr_is_v4(remote)};
	if (from && lcore->config)
		preferred = net_interface_find(lcore->config, from->port_index, from->vlan);
	const int error = route_path(lcore, path, preferred, now_ns);
	if (error)
		return error;
	net_path_mtu(lcore, path, now_ns);
	return 0;
}

/* ---- sending ---- */

/* The template, then what is different in each packet. */
static inline void put_headers(const struct net_path *path, struct pkt *pkt, uint32_t payload_bytes, uint8_t protocol,
			       enum ip_ecn ecn)
{
	const uint32_t bytes = path->header_bytes;
	assert(pkt_headroom_bytes(pkt) >= bytes);
	pkt->data -= bytes;
	pkt->len_bytes += bytes;
	pkt->port_index = path->port_index;
	pkt->transport_offset = (uint8_t)bytes;
	/* 34 to 58 bytes as two moves of 32 that overlap. */
	memcpy(pkt->data, path->header, 32);
	memcpy(pkt->data + bytes - 32, path->header + bytes - 32, 32);
	if (path->v4) {
		struct ipv4_wire *ip = (struct ipv4_wire *)(pkt->data + bytes - IPV4_HEADER_BYTES);
		const uint16_t total = (uint16_t)(payload_bytes + IPV4_HEADER_BYTES);
		pkt->ip_offset = (uint8_t)(bytes - IPV4_HEADER_BYTES);
		ip->traffic_class = (uint8_t)ecn;
		ip->total_bytes = be16_of(total);
		ip->protocol = protocol;
		ip->checksum = checksum_finish(path->sum + checksum_of_be16(total) + checksum_of_be16(protocol) +
					       checksum_of_be16((uint16_t)ecn));
	} else {
		struct ipv6_wire *ip = (struct ipv6_wire *)(pkt->data + bytes - IPV6_HEADER_BYTES);
		pkt->ip_offset = (uint8_t)(bytes - IPV6_HEADER_BYTES);
		ip->version_class_flow.b[1] = (uint8_t)((unsigned)ecn << 4);
		ip->payload_bytes = be16_of((uint16_t)payload_bytes);
		ip->next_header = protocol;
	}
	if (pkt->len_bytes < ETH_FRAME_BYTES_MIN + ETH_TAG_BYTES)
		net_frame_pad(pkt, path->vlan != 0);
}

/* The neighbour is not what it was, or not known: find the way again, resolve, or wait. */
static __attribute__((noinline)) void output_slowly(struct net_lcore *lcore, struct net_path *path, struct pkt *pkt,
						    uint8_t protocol, enum ip_ecn ecn, uint64_t now_ns)
{
	if (path->generation != lcore->generation && !find_again(lcore, path, now_ns)) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_no_address);
		return;
	}
	struct net_entry *entry = net_neighbour_find(lcore, path->interface, &path->next_hop);
	if (!entry && !bucket_take(&lcore->strangers, now_ns)) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_strangers);
		return;
	}
	if (!entry)
		entry = net_neighbour_get(lcore, path->interface, &path->next_hop, now_ns);
	if (!entry) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_neighbour_full);
		return;
	}
	const bool known = net_neighbour_use(lcore, entry, now_ns);
	net_count(lcore, WHERRY_LCORE_net_datagrams_out);
	if (known) {
		memcpy(path->header, entry->mac, 6);
		path->neighbour = (uint32_t)(entry - lcore->neighbours);
		path->epoch = entry->stamp;
	}
	put_headers(path, pkt, pkt_total_bytes(pkt), protocol, ecn);
	if (!known) {
		net_neighbour_hold(lcore, entry, pkt);
		return;
	}
	lcore->sent++;
	lcore->env.output(lcore->env.ctx, pkt);
}

void net_output(struct net_lcore *lcore, struct net_path *path, struct pkt *pkt, uint8_t protocol, enum ip_ecn ecn,
		uint64_t now_ns)
{
	struct net_entry *entry = &lcore->neighbours[path->neighbour];
	const uint32_t payload_bytes = pkt_total_bytes(pkt);
	if (payload_bytes > path->payload_max) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_too_big);
		return;
	}
	if (entry->stamp != path->epoch) {
		output_slowly(lcore, path, pkt, protocol, ecn, now_ns);
		return;
	}
	entry->used_ns = now_ns;
	net_count(lcore, WHERRY_LCORE_net_datagrams_out);
	put_headers(path, pkt, payload_bytes, protocol, ecn);
	lcore->env.output(lcore->env.ctx, pkt);
}

/* ---- path MTU ---- */

static struct net_pmtu *pmtu_set(struct net_lcore *lcore, const struct ip_addr *remote)
{
	uint64_t words[2];
	memcpy(words, remote->b, sizeof words);
	const uint64_t hash = (words[0] ^ words[1] ^ lcore->env.secret) * 0x9e3779b97f4a7c15ull;
	return lcore->pmtus[(hash >> 32) % NET_PMTU_SET_COUNT];
}

void net_path_set_mtu(struct net_lcore *lcore, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	const uint16_t min = ip_addr_is_v4(remote) ? PMTU_V4_MIN : IPV6_MTU_MIN;
	struct net_pmtu *set = pmtu_set(lcore, remote), *slot = set;
	for (unsigned i = 0; i < NET_PMTU_WAY_COUNT; i++) {
		if (set[i].mtu && ip_addr_equal(&set[i].remote, remote)) {
			slot = &set[i];
			break;
		}
		if (set[i].until_ns < slot->until_ns)
			slot = &set[i];
	}
	*slot = (struct net_pmtu){*remote, mtu < min ? min : mtu, now_ns + PMTU_LIFE_NS};
	lcore->mtu_stamp++;
}

uint16_t net_path_mtu(struct net_lcore *lcore, struct net_path *path, uint64_t now_ns)
{
	if (path->mtu_stamp == lcore->mtu_stamp && now_ns < path->mtu_until_ns)
		return path->mtu;
	if (path->generation != lcore->generation && !find_again(lcore, path, now_ns))
		return path->mtu;
	path->mtu = interface_mtu(lcore, path);
	path->mtu_stamp = lcore->mtu_stamp;
	path->mtu_until_ns = NET_NEVER;
	const struct net_pmtu *set = pmtu_set(lcore, &path->remote);
	for (unsigned i = 0; i < NET_PMTU_WAY_COUNT; i++)
		if (set[i].mtu && set[i].until_ns > now_ns && ip_addr_equal(&set[i].remote, &path->remote)) {
			path->mtu = set[i].mtu < path->mtu ? set[i].mtu : path->mtu;
			path->mtu_until_ns = set[i].until_ns;
		}
	return path->mtu;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of net/: the lcore's state and what its files ask of each other.
 *
 * Invariants: a neighbour's held packets are whole frames that lack the
 * destination's address only; held_count is their number over all neighbours; a
 * path's header is right while path->epoch is the stamp of its neighbour, and
 * whatever could make it wrong gives the neighbour a new stamp; next_due_ns is
 * never later than any timer.  Thread: the owning lcore.
 */
#pragma once

#include "net/bucket.h"
#include "net/net.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define NET_S 1000000000ull
#define NET_MS 1000000ull
#define NET_NEVER UINT64_MAX

#define NET_NONE UINT32_MAX /* no index */
#define NET_NO_INTERFACE 0xff

/* ---- configuration, immutable ---- */

struct net_interface {
	uint16_t port_index, vlan;
	uint16_t mtu;
	uint8_t mac[6];
	bool slaac;
};

/* Prefix lengths are those of struct ip_addr: IPv4 has 96 more than its own. */
struct net_config_address {
	struct ip_addr addr;
	uint8_t prefix_bits;
	uint8_t interface;
	bool optimistic;
};

struct net_config_route {
	struct ip_addr prefix, gateway;
	uint8_t prefix_bits;
	uint8_t interface; /* on which the gateway is */
};

struct net_config {
	struct net_port ports[WHERRY_PORT_COUNT_MAX];
	uint8_t interface_count;
	struct net_interface interfaces[NET_INTERFACE_COUNT_MAX];
	unsigned address_count; /* link-local ones included */
	struct net_config_address addresses[NET_ADDRESS_COUNT_MAX + NET_INTERFACE_COUNT_MAX];
	unsigned route_count;
	struct net_config_route routes[NET_ROUTE_COUNT_MAX]; /* longest prefix first */
};

/* Index of the interface, NET_NO_INTERFACE. */
uint8_t net_interface_find(const struct net_config *config, uint16_t port_index, uint16_t vlan);

/* ---- state ---- */

#define NET_LOCAL_COUNT_MAX 384u /* configured, link-local, advertised */
#define NET_LOCAL_SLOT_COUNT 1024u

_Static_assert(NET_LOCAL_COUNT_MAX > NET_ADDRESS_COUNT_MAX + NET_INTERFACE_COUNT_MAX, "room for advertised addresses");
_Static_assert(NET_LOCAL_SLOT_COUNT > 2 * NET_LOCAL_COUNT_MAX, "look-ups stay short");

struct net_local {
	struct ip_addr addr;
	uint8_t prefix_bits; /* what is on its link; 128 for advertised ones */
	uint8_t interface;
	uint8_t state; /* enum net_address_state */
	uint8_t probes;
	uint8_t announcements; /* still to be sent */
	bool advertised;
	uint64_t due_ns;
	uint64_t valid_until_ns, preferred_until_ns; /* advertised ones */
	uint64_t defended_ns;                        /* last defence, 0: none */
	uint32_t conflict_count;
	uint8_t conflict_mac[6];
};

enum { NET_DELAY = NET_FAILED + 1 }; /* STALE and used: probed soon unless somebody confirms it (RFC 4861 7.3.2) */

struct net_entry {
	struct ip_addr addr;
	uint8_t interface;
	uint8_t state; /* enum net_neighbour_state, NET_DELAY */
	bool in_use;
	uint8_t probes;
	uint8_t mac[6];
	uint8_t held_count;
	uint32_t stamp;
	uint32_t next; /* in its hash chain, or in the free list */
	uint64_t due_ns;
	uint64_t used_ns, confirmed_ns;
	struct pkt *held_first, *held_last;
};

#define NET_STAMP_FREE 1u /* of an entry that no path has; a path that has none says 0 */
#define NET_HELD_COUNT_EACH 16u

struct net_router {
	struct ip_addr addr;
	uint8_t interface;
	uint64_t until_ns; /* 0: free slot */
};

struct net_prefix {
	struct ip_addr prefix;
	uint8_t bits, interface;
	uint64_t until_ns; /* 0: free slot */
};

#define NET_ROUTER_COUNT_MAX 8u
#define NET_PREFIX_COUNT_MAX 32u

struct net_pmtu {
	struct ip_addr remote;
	uint16_t mtu; /* 0: free slot */
	uint64_t until_ns;
};

#define NET_PMTU_SET_COUNT 128u
#define NET_PMTU_WAY_COUNT 4u

#define NET_SOURCE_SLOT_COUNT 256u
#define NET_PAIR_SLOT_BITS 8u
#define NET_PAIR_SLOT_COUNT (1u << NET_PAIR_SLOT_BITS)

struct net_lcore {
	struct net_env env;
	const struct net_config *config;
	bool speaks;
	uint64_t now_ns;     /* of the last call that was told the time */
	uint32_t generation; /* of the configuration and of what routers say; never 0 */
	uint32_t last_stamp;
	uint64_t next_due_ns;
	unsigned sent; /* frames, since net_poll last said */

	unsigned local_count;
	struct net_local locals[NET_LOCAL_COUNT_MAX];
	uint16_t local_slots[NET_LOCAL_SLOT_COUNT]; /* index + 1, 0: empty; linear probing */

	/* Sources that were found sane, so that a flow's are not looked at again: valid in their generation. */
	struct net_source {
		struct ip_addr addr;
		uint32_t generation;
		uint8_t interface;
	} sources[NET_SOURCE_SLOT_COUNT];

	/* Two stations that speak TCP over IPv4 here, both addresses found right: valid in their generation. */
	struct net_pair {
		uint64_t addresses; /* as they lie in the header */
		uint32_t generation;
		struct ip_view view;
	} pairs[NET_PAIR_SLOT_COUNT];

	unsigned neighbour_count;
	struct net_entry *neighbours;
	uint32_t *chains; /* [chain_mask + 1] first neighbour, NET_NONE */
	uint32_t chain_mask;
	uint32_t free_first;
	uint32_t clock_hand;
	unsigned held_count, held_max;

	struct net_router routers[NET_ROUTER_COUNT_MAX];
	struct net_prefix prefixes[NET_PREFIX_COUNT_MAX];
	uint16_t mtu6[NET_INTERFACE_COUNT_MAX]; /* by routers; 0: none said */
	uint8_t solicits_left[NET_INTERFACE_COUNT_MAX];
	uint64_t solicit_due_ns[NET_INTERFACE_COUNT_MAX];
	uint64_t mld_next_ns[NET_INTERFACE_COUNT_MAX]; /* when a query is heeded again */

	uint32_t mtu_stamp;
	struct net_pmtu pmtus[NET_PMTU_SET_COUNT][NET_PMTU_WAY_COUNT];

	struct bucket errors, echoes;
	struct bucket strangers; /* next hops that nobody has heard of, and that have to be asked for */
};

static inline void net_count(struct net_lcore *lcore, enum wherry_lcore_stat stat)
{
	lcore->env.lcore_stats[stat]++;
}

static inline void net_due(struct net_lcore *lcore, uint64_t due_ns)
{
	if (due_ns < lcore->next_due_ns)
		lcore->next_due_ns = due_ns;
}

/* Count why, free, and that is that. */
static inline enum net_verdict net_drop(struct net_lcore *lcore, struct pkt *pkt, enum wherry_lcore_stat why)
{
	net_count(lcore, why);
	pkt_drop_frags(pkt);
	lcore->env.pool.free(lcore->env.pool.ctx, pkt);
	return NET_TAKEN;
}

/* ---- addr.c: kinds of addresses ---- */

bool net_match(const struct ip_addr *addr, const struct ip_addr *prefix, unsigned prefix_bits);
unsigned net_common_bits(const struct ip_addr *a, const struct ip_addr *b);
bool net_addr_is_link_local(const struct ip_addr *addr); /* IPv6 */
/* One station may have it, and send from it. */
bool net_addr_is_unicast(const struct ip_addr *addr);
struct ip_addr net_addr_link_local(const uint8_t mac[6]);
struct ip_addr net_addr_eui64(const struct ip_addr *prefix, const uint8_t mac[6]);
/* The group that a solicitation for the address goes to (RFC 4291 2.7.1). */
struct ip_addr net_addr_solicited(const struct ip_addr *addr);
/* The Ethernet group of an IPv6 group (RFC 2464 7). */
void net_addr_group_mac(const struct ip_addr *group, uint8_t mac[6]);
extern const struct ip_addr net_addr_all_nodes, net_addr_all_routers, net_addr_mld_routers;

/* ---- local.c: our addresses ---- */

/* Whatever its state; NULL: not ours on this interface. */
struct net_local *net_local_find(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr);
/* Of any interface, and usable. */
struct net_local *net_local_find_any(struct net_lcore *lcore, const struct ip_addr *addr);
/* The broadcast address of a network on this interface, or the all-zero one. */
bool net_is_broadcast(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr);
/* Is it on the link of this interface, by an address of ours or by a router's word?  Bits of the longest prefix, -1. */
int net_on_link(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr, uint64_t now_ns);
void net_local_rebuild(struct net_lcore *lcore);
/* NULL when there is no room.  Begins probing, or is usable at once. */
struct net_local *net_local_add(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr,
				uint8_t prefix_bits, bool optimistic, uint64_t now_ns);
/* Somebody else uses, or probes for, this address of ours. */
void net_local_conflict(struct net_lcore *lcore, struct net_local *local, const uint8_t mac[6], uint64_t now_ns);
/* Timers; returns when there is something to do next. */
uint64_t net_local_poll(struct net_lcore *lcore, uint64_t now_ns);

/* ---- neighbour.c ---- */

struct net_entry *net_neighbour_find(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr);
/* Made when it is not there; NULL when every entry is in use. */
struct net_entry *net_neighbour_get(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *addr,
				    uint64_t now_ns);
/* Its address is needed for sending: true, and the entry has a MAC; false: resolution is under way. */
bool net_neighbour_use(struct net_lcore *lcore, struct net_entry *entry, uint64_t now_ns);
/* Wait for resolution with a frame that lacks the destination. */
void net_neighbour_hold(struct net_lcore *lcore, struct net_entry *entry, struct pkt *pkt);
/* It has this MAC.  confirmed: it answered us. */
void net_neighbour_heard(struct net_lcore *lcore, struct net_entry *entry, const uint8_t mac[6], bool confirmed,
			 uint64_t now_ns);
void net_neighbour_forget(struct net_lcore *lcore, struct net_entry *entry, enum wherry_lcore_stat why);
/* Its interface has another index now. */
void net_neighbour_move(struct net_lcore *lcore, struct net_entry *entry, uint8_t interface);
uint64_t net_neighbour_poll(struct net_lcore *lcore, uint64_t now_ns);
uint32_t net_new_stamp(struct net_lcore *lcore);

/* ---- arp.c ---- */

/* answer: this worker speaks; otherwise it only learns.  PUNT: the kernel may be interested. */
enum net_verdict net_arp_input(struct net_lcore *lcore, uint8_t interface, const uint8_t *data, uint32_t len_bytes,
			       bool answer, uint64_t now_ns);
/* Who has target?  sender none: a probe.  to NULL: everybody. */
void net_arp_request(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *sender,
		     const struct ip_addr *target, const uint8_t *to);

/* ---- nd.c ---- */

struct net_datagram6 {
	struct ip_addr src, dst;
	uint8_t hop_limit;
	const uint8_t *data; /* ICMPv6 */
	uint32_t len_bytes;
	const uint8_t *frame; /* whose Ethernet source says who sent it */
};

enum net_verdict net_nd_input(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *datagram,
			      bool answer, uint64_t now_ns);
/* Who has target?  src none: duplicate address detection.  to NULL: its solicited-node group. */
void net_nd_solicit(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *src, const struct ip_addr *target,
		    const uint8_t *to);
/* Here is target, to everybody (dst none), or the answer to dst at mac. */
void net_nd_advertise(struct net_lcore *lcore, uint8_t interface, const struct ip_addr *target,
		      const struct ip_addr *dst, const uint8_t *mac);
void net_nd_solicit_routers(struct net_lcore *lcore, uint8_t interface, uint64_t now_ns);
/* Which multicast groups we listen to, for switches that care (RFC 3810). */
void net_mld_report(struct net_lcore *lcore, uint8_t interface);
/* Somebody asks for it: the report follows, once a second at most. */
void net_mld_query(struct net_lcore *lcore, uint8_t interface, uint64_t now_ns);

/* ---- router.c ---- */

struct nd_message;
enum net_verdict net_router_input(struct net_lcore *lcore, uint8_t interface, const struct net_datagram6 *datagram,
				  const struct nd_message *message, uint64_t now_ns);
uint64_t net_router_poll(struct net_lcore *lcore, uint64_t now_ns);

/* ---- path.c ---- */

/* The address of ours to speak to remote with on this interface (RFC 6724 5, as far as it matters here). */
bool net_source_find(const struct net_lcore *lcore, uint8_t interface, const struct ip_addr *remote, uint64_t now_ns,
		     struct ip_addr *source);

/* ---- lcore.c ---- */

/* An address or route came, went or changed: every path looks for its way again. */
void net_ways_changed(struct net_lcore *lcore);

/* ---- icmp.c ---- */

/* pkt->data is the ICMP header, the checksum verified.  Takes the packet. */
void net_icmp_input(struct net_lcore *lcore, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns);
/* Tell the sender of a datagram, whose IP header and length these are, unless it must not be told or was told enough.
 * The datagram stays the caller's. */
void net_icmp_error(struct net_lcore *lcore, const struct ip_view *view, uint8_t type, uint8_t code, uint32_t rest,
		    const uint8_t *ip, uint32_t len_bytes, uint64_t now_ns);

/* ---- frame.c: frames that this worker makes itself ---- */

/* An empty packet for the port with room in front for every header; NULL, and counted, when there is none. */
struct pkt *net_frame_alloc(struct net_lcore *lcore, uint8_t interface);
/* Put the Ethernet header in front, pad, and send. */
void net_frame_send(struct net_lcore *lcore, uint8_t interface, struct pkt *pkt, const uint8_t dst[6], uint16_t type);
/* Zeros behind a frame that is shorter than Ethernet's minimum. */
void net_frame_pad(struct pkt *pkt, bool tagged);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4, IPv6, ARP, neighbour discovery and ICMP of one worker lcore.
 *
 * Each worker has a net_lcore of its own with its own neighbour cache; what is
 * configured (addresses, routes) is an immutable net_config that all of them
 * read and that a job exchanges.  A frame goes in by net_input, which answers
 * ARP, neighbour solicitations, echo requests and errors itself, gives segments
 * of TCP to env.tcp, and says PUNT for what the kernel may want.  A transport
 * sends by net_output along a net_path, which caches the next hop.
 *
 * No clock, no allocation after creation, no DPDK: time, packets and output are
 * the caller's.
 *
 * Neighbour resolution never blocks: packets that wait for it are held, a few per
 * neighbour and a bounded number in all, the oldest dropped first (RFC 1122
 * 2.3.2.2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/eth.h"
#include "net/ip.h"
#include "pkt/pkt.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

/* Bytes that must be free in front of a transport header given to net_output: Ethernet, VLAN tag, IPv6. */
#define NET_HEADROOM_BYTES 58u

struct net_lcore;
struct net_config;

/* ---- configuration: made by the main lcore, then immutable ---- */

#define NET_ADDRESS_COUNT_MAX 256u
#define NET_ROUTE_COUNT_MAX 256u
#define NET_INTERFACE_COUNT_MAX 64u

struct net_address {
	uint16_t port_index;
	uint16_t vlan; /* 0: untagged */
	struct ip_addr addr;
	uint8_t prefix_bits; /* of the family: up to 32 for IPv4, 128 for IPv6 */
	/* It was ours a moment ago (a restart): served from the first moment, while looking for conflicts goes on.
	 * Others are probed for first, which takes 5 s for IPv4 (RFC 5227 2.1) and 1 s for IPv6 (RFC 4862 5.4). */
	bool optimistic;
};

struct net_route {
	struct ip_addr prefix;
	uint8_t prefix_bits; /* of the family; 0 is the default route */
	struct ip_addr gateway;
};

/* One interface is a port with a VLAN; it is there when it has an address, and then has a link-local one, too. */
struct net_port {
	uint8_t mac[6];
	uint16_t mtu; /* of the IP datagram */
	bool present;
	bool punt;             /* what is not for the appliance may go to the kernel */
	bool slaac;            /* addresses and default routers by router advertisements (RFC 4862), untagged */
	bool checksum_offload; /* the port finishes TCP checksums (PKT_CHECKSUM_PARTIAL) cheaper than a transport can */
};

struct net_settings {
	const struct net_address *addresses;
	unsigned address_count;
	const struct net_route *routes;
	unsigned route_count;
	struct net_port ports[WHERRY_PORT_COUNT_MAX];
};

/*
 * Check and copy.  NULL with errno (ENOMEM, EINVAL) and a sentence that names
 * the address or route: not unicast, a prefix longer than the family's, the same
 * address twice on an interface, a gateway that no interface reaches.
 */
struct net_config *net_config_create(const struct net_settings *settings, char *error, size_t error_bytes);
void net_config_destroy(struct net_config *config);

/* ---- what a transport keeps for each flow ---- */

#define NET_PATH_HEADER_BYTES 64u

/* Filled in by net_path_open; the cache in it is refreshed by net_output. */
struct net_path {
	struct ip_addr local, remote;
	uint16_t port_index; /* interface */
	uint16_t vlan;
	uint16_t mtu;          /* of the path, as net_path_mtu saw it last; never below the family's minimum */
	uint8_t header_bytes;  /* Ethernet and IP: what net_output puts in front */
	bool checksum_offload; /* a transport may leave its checksum PKT_CHECKSUM_PARTIAL */
	/* Private to net/ from here on. */
	bool v4;
	uint8_t interface;
	uint16_t payload_max;  /* bytes behind the IP header that the interface takes */
	uint32_t epoch;        /* the header is usable while this is the neighbour's stamp */
	uint32_t neighbour;    /* index */
	uint32_t generation;   /* of the configuration that the way was found in */
	uint32_t mtu_stamp;    /* mtu is current while this is the lcore's, */
	uint64_t mtu_until_ns; /* and until then */
	uint64_t sum;          /* of the constant words of an IPv4 header */
	struct ip_addr next_hop;
	uint8_t header[NET_PATH_HEADER_BYTES]; /* template: lengths, protocol and checksum are filled in per packet */
};

/* Why a datagram came back (ICMP, ICMPv6), for the flow that it quotes.  The transport checks the sequence number
 * against what it has in flight (RFC 5927) before it believes it. */
enum net_error { NET_ERROR_TOO_BIG, NET_ERROR_UNREACHABLE, NET_ERROR_PORT_UNREACHABLE, NET_ERROR_PROTOCOL };

struct net_icmp_view {
	enum net_error error;
	uint16_t mtu; /* TOO_BIG: of the next hop, 0 when it did not say (RFC 1191 5) */
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t seq; /* of the segment quoted */
};

/* ---- surroundings; set once ---- */

struct net_env {
	void *ctx;
	struct pkt_pool pool; /* NET_HEADROOM_BYTES in front of data; any frame of the port fits */
	/* Send a whole frame on pkt->port_index; takes it. */
	void (*output)(void *ctx, struct pkt *pkt);
	/* A segment of TCP for one of our addresses; pkt->data is its first byte, pkt->len_bytes its length by the IP
	 * header.  Takes it. */
	void (*tcp_input)(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns);
	void (*tcp_icmp)(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns);
	uint64_t *lcore_stats; /* [WHERRY_LCORE_STAT_COUNT]: net_* counters */
	uint64_t secret;       /* unpredictable: hash seeds */
};

/* Main lcore.  neighbour_count bounds the cache, held_count the packets that wait for resolution.  NULL without memory.
 */
struct net_lcore *net_lcore_create(const struct net_env *env, unsigned neighbour_count, unsigned held_count);
void net_lcore_destroy(struct net_lcore *lcore);

/* ---- below: the owning lcore only ---- */

/* The next address, from *at on (0 at first), that one configuration has and the other has on no interface.  False: no
 * more.  Any thread. */
bool net_config_lost(const struct net_config *from, const struct net_config *to, unsigned *at, struct ip_addr *addr);

/* Use this configuration from now on (NULL: no addresses).  Returns the one before.  Paths find out by themselves.
 * announce: this worker speaks for all of them: it probes for conflicts, and says hello for every address that is new
 * (gratuitous ARP, unsolicited neighbour advertisement).  The others run the same timers silently. */
const struct net_config *net_set_config(struct net_lcore *lcore, const struct net_config *config, bool announce,
					uint64_t now_ns);

enum net_verdict {
	NET_TAKEN, /* consumed, or counted and freed */
	NET_PUNT,  /* not ours, or the kernel's as well; as it came: the caller gives it to the kernel, or counts and
		    * frees  it */
};

/* A frame whose Ethernet header eth_parse has accepted (EtherType ARP, IPv4 or IPv6). */
enum net_verdict net_input(struct net_lcore *lcore, struct pkt *pkt, const struct eth_view *eth, uint64_t now_ns);

/*
 * Does every worker need a copy of this frame?  ARP and neighbour discovery
 * teach caches, and each worker has its own; only the worker that the frame came
 * in on answers (net_learn elsewhere).  Pure.
 */
bool net_frame_is_for_all(const uint8_t *frame, uint32_t len_bytes, const struct eth_view *eth);
/* A copy of such a frame on another worker: learn from it, answer nothing.  The packet stays the caller's. */
void net_learn(struct net_lcore *lcore, const struct pkt *pkt, const struct eth_view *eth, uint64_t now_ns);

/*
 * Look at a frame for routing to the worker that owns its flow: true, with the
 * flow's hash, when it is an unfragmented TCP segment, or an ICMP error that
 * quotes one of ours.  Pure.
 */
bool net_peek_flow(const uint8_t *frame, uint32_t len_bytes, const struct eth_view *eth, uint32_t *hash);
/* The hash that net_peek_flow gives for what remote sends to local.  Pure. */
uint32_t net_flow_hash(const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
		       uint16_t remote_port);

/*
 * Find the way from local to remote.  local may be none: the address of the
 * outgoing interface is chosen and filled in.  When the flow came in on an
 * interface (from != NULL), that interface is kept for remotes on its link.
 * 0, -EHOSTUNREACH (no route), -EADDRNOTAVAIL (local is not ours).
 */
int net_path_open(struct net_lcore *lcore, struct net_path *path, const struct ip_addr *local,
		  const struct ip_addr *remote, const struct ip_view *from);

/*
 * Put IP and Ethernet in front of a transport's bytes and send; takes the
 * packet.  The transport's checksum is in place, or PKT_CHECKSUM_PARTIAL where path->checksum_offload.  A packet whose
 * next hop is not known yet is held, or dropped and counted: the transport sends again.
 */
void net_output(struct net_lcore *lcore, struct net_path *path, struct pkt *pkt, uint8_t protocol, enum ip_ecn ecn,
		uint64_t now_ns);

/* A way's largest datagram is this from now on (a transport believed an ICMP error).  Forgotten after 10 minutes
 * (RFC 1191 6.3, RFC 8201 5.3), when paths that ask by net_path_mtu see the interface's again. */
void net_path_set_mtu(struct net_lcore *lcore, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns);
uint16_t net_path_mtu(struct net_lcore *lcore, struct net_path *path, uint64_t now_ns);

/* The transport heard from the neighbour: what it has in the cache is confirmed (RFC 4861 7.3.1). */
void net_path_confirm(struct net_lcore *lcore, const struct net_path *path, uint64_t now_ns);

/* The link of a port has come up, perhaps to another switch: announce its addresses, look for routers. */
void net_on_link_up(struct net_lcore *lcore, uint16_t port_index, uint64_t now_ns);

/* Timers: resolution retries, expiry, duplicate address detection.  Call every turn; cheap.  Returns frames sent. */
unsigned net_poll(struct net_lcore *lcore, uint64_t now_ns);

/* Our addresses for the operator, link-local and advertised ones included; returns how many were written. */
enum net_address_state { NET_TENTATIVE, NET_USABLE, NET_DUPLICATE };
struct net_address_info {
	struct ip_addr addr;
	uint16_t port_index, vlan;
	uint8_t state; /* enum net_address_state; a DUPLICATE is not served, and probed for again once a minute */
	bool advertised;
	uint32_t conflict_count;
	uint8_t conflict_mac[6]; /* who used it last */
};
unsigned net_address_copy(const struct net_lcore *lcore, struct net_address_info *to, unsigned max);

/* Neighbours for the operator; returns how many were written. */
struct net_neighbour {
	struct ip_addr addr;
	uint8_t mac[6];
	uint16_t port_index, vlan;
	uint8_t state; /* enum net_neighbour_state */
	uint64_t age_ns;
};
enum net_neighbour_state { NET_INCOMPLETE, NET_REACHABLE, NET_STALE, NET_PROBE, NET_FAILED };
unsigned net_neighbour_copy(struct net_lcore *lcore, struct net_neighbour *to, unsigned max, uint64_t now_ns);

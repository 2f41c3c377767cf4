/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP of one worker lcore (RFC 9293 and those that README "TCP" lists).
 *
 * A connection lives on one lcore from its first segment to its last.  Segments
 * go in by tcp_input; time is passed in; segments go out by env.output along the
 * connection's net_path.  Nothing is allocated after creation: connections,
 * embryonic connections (half-open), out-of-order packets and unread bytes come
 * from pools that tcp_limits sizes.  When they are used up, service degrades:
 * cookies instead of half-open state, smaller windows, refused connections.
 *
 * A protocol sees tcp/stream.h only.  No DPDK.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/ip.h"
#include "net/net.h"
#include "pkt/pkt.h"
#include "tcp/stream.h"
#include "wherry/stats.h"

struct tcp_conn;
struct tcp_lcore;

enum tcp_congestion { TCP_CUBIC, TCP_DCTCP, TCP_RENO };

/* Settings that the operator may change; a connection takes them when it begins. */
struct tcp_settings {
	enum tcp_congestion congestion;
	bool ecn;                   /* offer and accept ECN (DCTCP always does) */
	uint32_t keepalive_idle_ms; /* silence before the first probe; 0: never */
	uint32_t keepalive_interval_ms;
	uint32_t keepalive_count;
	uint32_t user_timeout_ms;  /* unacknowledged data for so long: reset (RFC 5482, local) */
	uint32_t window_bytes_max; /* largest receive window that autotuning may reach */
	uint32_t send_bytes_max;   /* unacknowledged bytes of one connection in flight */
};
/* Sensible ones: CUBIC, ECN accepted, keep-alive after 60 s, user timeout 60 s. */
void tcp_settings_default(struct tcp_settings *settings);

struct tcp_limits {
	uint32_t connection_count;
	uint32_t embryonic_count; /* half-open connections with state; cookies beyond */
	uint32_t listener_count;
	uint32_t sent_segment_count;     /* sent and not acknowledged, over all connections */
	uint32_t held_packet_count;      /* received packets held over all connections: out of order, or unread */
	uint32_t held_packet_count_each; /* of one connection */
};

struct tcp_env {
	void *ctx;
	struct pkt_pool pool; /* NET_HEADROOM_BYTES in front of data, and a segment's headers and small pieces behind */
	/* The way to a peer, and sending along it: net/'s functions in production. */
	int (*path_open)(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
			 const struct ip_view *from);
	/* pkt->data is the TCP header, NET_HEADROOM_BYTES free in front; its checksum is in place, or
	 * PKT_CHECKSUM_PARTIAL where path->checksum_offload.  Takes the packet. */
	void (*output)(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns);
	uint16_t (*path_mtu)(void *ctx, struct net_path *path, uint64_t now_ns);
	void (*path_set_mtu)(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns);
	void (*path_confirm)(void *ctx, const struct net_path *path, uint64_t now_ns);
	uint8_t secret[32];    /* from the system's CSPRNG: sequence numbers (RFC 6528), cookies, ports; per process */
	unsigned worker_index; /* active opens choose a local port whose flow comes back to this worker: */
	unsigned worker_count; /* net_flow_hash() % worker_count == worker_index */
	uint64_t *lcore_stats; /* [WHERRY_LCORE_STAT_COUNT]: tcp_* counters */
};

/* Main lcore.  NULL without memory. */
struct tcp_lcore *tcp_lcore_create(const struct tcp_env *env, const struct tcp_limits *limits,
				   const struct tcp_settings *settings);
/* Frees everything without a word to the peers; on_closed is called for each stream. */
void tcp_lcore_destroy(struct tcp_lcore *lcore);

/* ---- below: the owning lcore only ---- */

void tcp_set_settings(struct tcp_lcore *lcore, const struct tcp_settings *settings);

/*
 * Whoever connects: fill in stream->handler and stream->ctx and return true, or
 * false to refuse (the peer is reset).  Called when the handshake is over.
 */
typedef bool tcp_accept_fn(void *ctx, struct stream *stream);

/*
 * Listen on a port.  local none: every address.  0, -EADDRINUSE, -ENOSPC (no
 * listener left), -EINVAL (port 0).  The same on every worker.
 */
int tcp_listen(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port, tcp_accept_fn *accept, void *ctx);
/* No new connections; those that there are stay.  False when there was no such listener. */
bool tcp_unlisten(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port);

/*
 * Open a connection.  local none: chosen; local_port 0: chosen at random (RFC
 * 6056).  on_open or on_closed follows, not before this returns.  NULL with
 * errno: ENOBUFS, EADDRINUSE, EHOSTUNREACH, EADDRNOTAVAIL.
 */
struct stream *tcp_connect(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t local_port,
			   const struct ip_addr *remote, uint16_t remote_port, const struct stream_handler *handler,
			   void *ctx, uint64_t now_ns);

/* A segment: pkt->data is its first byte, pkt->len_bytes its length by the IP header.  Takes it. */
void tcp_input(struct tcp_lcore *lcore, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns);
void tcp_icmp(struct tcp_lcore *lcore, const struct net_icmp_view *icmp, uint64_t now_ns);

/* Timers that are due and acknowledgements that were put off to the end of the turn.  Call every turn, after input.
 * Returns how many connections moved. */
unsigned tcp_poll(struct tcp_lcore *lcore, uint64_t now_ns);
/* When tcp_poll has something to do next, UINT64_MAX: not by itself. */
uint64_t tcp_next_due_ns(const struct tcp_lcore *lcore);

/* Reset every connection whose local address is this one (it was removed), or all of them (NULL: shutdown). */
void tcp_abort_all(struct tcp_lcore *lcore, const struct ip_addr *local, uint64_t now_ns);
unsigned tcp_connection_count(const struct tcp_lcore *lcore);

/* ---- for the operator: one record a connection ---- */

struct tcp_connection_info {
	struct stream_info ends;
	uint16_t port_index, vlan;
	uint8_t state;      /* enum tcp_state */
	uint8_t congestion; /* enum tcp_congestion */
	bool ecn, sack, timestamps;
	uint16_t mss_bytes; /* payload of a full segment sent */
	uint32_t rtt_us, rtt_var_us, rto_us;
	uint32_t cwnd_bytes, ssthresh_bytes, in_flight_bytes;
	uint32_t send_window_bytes, receive_window_bytes;
	uint64_t unsent_bytes;
	uint32_t held_packets;
	uint64_t opened_ns;
	uint64_t bytes_in, bytes_out;
	uint64_t segments_in, segments_out, retransmits, timeouts, tail_probes, zero_windows, out_of_order, duplicates;
};

enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATE_COUNT,
};
const char *tcp_state_name(enum tcp_state state);

/* Records from *cursor on (0 at first); returns how many were written, 0 at the end. */
unsigned tcp_connection_copy(struct tcp_lcore *lcore, uint32_t *cursor, struct tcp_connection_info *to, unsigned max,
			     uint64_t now_ns);

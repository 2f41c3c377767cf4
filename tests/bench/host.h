/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The product's own IP and TCP as one end of a benchmark: a net_lcore and a
 * tcp_lcore over packets in plain memory, and on top of them NBD clients that
 * open connections.
 *
 * Single-threaded; time and frames are passed in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nbd_client.h"
#include "net/net.h"
#include "tcp/tcp.h"

#define HOST_CONNECTION_COUNT_MAX 16u
#define HOST_PACKET_COUNT 8192u
#define HOST_ROOM_BYTES 10240u

struct host_item; /* a request on its way out */

struct host_client {
	struct nbd_client nbd;
	struct stream *stream; /* NULL: not connected */
	struct host *host;
};

struct host {
	/* ---- set by whoever makes it ---- */
	uint8_t mac[6];
	uint8_t address[4]; /* in a network of 24 bits */
	uint16_t mtu;
	bool checksum_offload; /* what it sends has PKT_CHECKSUM_PARTIAL */
	/* Takes the packet: gives it back with host_give. */
	void (*output)(struct host *host, struct pkt *pkt);

	struct net_lcore *net;
	struct tcp_lcore *tcp;
	struct net_config *config;
	struct eth_filter filter;
	uint64_t now_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	struct pkt *free_pkts;
	struct host_item *free_items;
	unsigned client_count;
	struct host_client clients[HOST_CONNECTION_COUNT_MAX];
};

/* False, with a line on stderr: out of memory, or not a configuration. */
bool host_create(struct host *host, uint64_t now_ns);

/* An empty packet for a frame of the wire: NULL when none is left. */
struct pkt *host_take(struct host *host);
void host_give(struct host *host, struct pkt *pkt);

/* A frame has come.  Takes the packet. */
void host_input(struct host *host, struct pkt *pkt, uint64_t now_ns);
/* The end of a turn: what clients want to send, timers, acknowledgements. */
void host_poll(struct host *host, uint64_t now_ns);

/* Open a connection for a client; true when it has begun.  It has failed when its stream is NULL again. */
bool host_connect(struct host *host, const uint8_t address[4], const struct nbd_client_config *config);

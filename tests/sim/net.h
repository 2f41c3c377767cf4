/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One Ethernet segment: every port of the appliance and every card of a client
 * hangs on one switch, and frames between them are lost, doubled, overtaken,
 * damaged, or stopped by a link that is down.
 *
 * No frame, nor its double, lives longer than NET_FRAME_LIFE_NS: real networks
 * bound this too, and without a bound no AoE target can be right, because the
 * protocol cannot tell an old frame from a new one.  Clients wait at least
 * NET_RTO_MIN_NS before they repeat a request.
 *
 * A damaged frame is dropped, as the check sequence of Ethernet does; in a run
 * that says so it is delivered, and then nothing can be said about contents: such
 * a run only shows that nothing crashes, leaks or hangs.
 */
#pragma once

#include "core.h"

#define NET_FRAME_LIFE_NS (2 * MS)
#define NET_RTO_MIN_NS (20 * MS)
#define NET_FRAME_BYTES_MAX (9216u + 18)

struct net_weather {
	uint32_t loss_ppm, double_ppm, reorder_ppm, damage_ppm;
	bool deliver_damaged;
};

struct net_endpoint {
	uint8_t mac[6];
	bool down;
	uint32_t mtu;
	void *ctx;
	void (*deliver)(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes);
	struct net_endpoint *next;
	uint64_t last_arrival_ns; /* frames to it keep their order unless they are drawn to overtake */
};

struct net_frame;

struct net {
	struct sim *sim;
	struct rng rng;
	struct net_weather weather;
	struct net_endpoint *endpoints;
	struct net_frame *unused[2];
	uint64_t sent_count, lost_count, delivered_count;
};

void net_init(struct net *net, struct sim *sim);
void net_attach(struct net *net, struct net_endpoint *endpoint);
/* Put a frame on the wire; the bytes are copied. */
void net_send(struct net *net, struct net_endpoint *from, const uint8_t *bytes, uint32_t len_bytes);
/* A MAC address by kind ('P' port, 'C' client, 'X' nobody) and numbers. */
void net_mac(uint8_t mac[6], char kind, unsigned index, unsigned card);

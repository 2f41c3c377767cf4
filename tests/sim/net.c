/* SPDX-License-Identifier: BSD-3-Clause */
#include "net.h"

#include <string.h>

#define SMALL_BYTES 2048u

struct net_frame {
	struct net_frame *next;
	struct net *net;
	struct net_endpoint *to;
	uint32_t len_bytes;
	bool large;
	uint8_t bytes[];
};

void net_init(struct net *net, struct sim *sim)
{
	*net = (struct net){.sim = sim, .rng = sim_rng(sim, "net", 0)};
}

void net_attach(struct net *net, struct net_endpoint *endpoint)
{
	endpoint->next = net->endpoints;
	net->endpoints = endpoint;
}

void net_mac(uint8_t mac[6], char kind, unsigned index, unsigned card)
{
	const uint8_t bytes[6] = {0x02, 0x57, (uint8_t)kind, 0, (uint8_t)index, (uint8_t)card};
	memcpy(mac, bytes, 6);
}

static struct net_frame *frame_make(struct net *net, const uint8_t *bytes, uint32_t len_bytes)
{
	const bool large = len_bytes > SMALL_BYTES;
	struct net_frame *frame = net->unused[large];
	if (frame)
		net->unused[large] = frame->next;
	else
		frame = sim_alloc(net->sim, sizeof *frame + (large ? NET_FRAME_BYTES_MAX : SMALL_BYTES));
	frame->net = net;
	frame->large = large;
	frame->len_bytes = len_bytes;
	memcpy(frame->bytes, bytes, len_bytes);
	return frame;
}

static void frame_drop(struct net_frame *frame)
{
	struct net *net = frame->net;
	frame->next = net->unused[frame->large];
	net->unused[frame->large] = frame;
}

static void on_arrival(struct sim *sim, void *ctx, uint64_t arg)
{
	struct net_frame *frame = ctx;
	struct net_endpoint *to = frame->to;
	(void)arg;
	if (!to->down) {
		frame->net->delivered_count++;
		to->deliver(sim, to->ctx, frame->bytes, frame->len_bytes);
	}
	frame_drop(frame);
}

/* Some bits behind the Ethernet header, or the length. */
static void damage(struct net *net, struct net_frame *frame)
{
	if (rng_chance(&net->rng, 200000)) {
		frame->len_bytes = (uint32_t)rng_between(&net->rng, 14, frame->len_bytes);
		return;
	}
	for (uint64_t flips = rng_between(&net->rng, 1, 4); flips; flips--) {
		/* Mostly in the headers, where it hurts. */
		uint64_t end = rng_chance(&net->rng, 700000) && frame->len_bytes > 44 ? 44 : frame->len_bytes;
		uint64_t at = 14 + rng_below(&net->rng, end - 14);
		frame->bytes[at] ^= (uint8_t)(1u << rng_below(&net->rng, 8));
	}
}

static void send_copy(struct net *net, struct net_endpoint *to, const uint8_t *bytes, uint32_t len_bytes)
{
	const struct net_weather *weather = &net->weather;
	struct rng *rng = &net->rng;
	uint64_t arrival_ns = net->sim->now_ns + rng_between(rng, 5, 40) * US;
	if (rng_chance(rng, weather->loss_ppm)) {
		net->lost_count++;
		return;
	}
	struct net_frame *frame = frame_make(net, bytes, len_bytes);
	frame->to = to;
	if (len_bytes > 14 && rng_chance(rng, weather->damage_ppm)) {
		damage(net, frame);
		if (!weather->deliver_damaged) {
			net->lost_count++;
			frame_drop(frame);
			return;
		}
	}
	if (rng_chance(rng, weather->reorder_ppm)) {
		arrival_ns = net->sim->now_ns + rng_between(rng, 5 * US, NET_FRAME_LIFE_NS - 1);
	} else {
		if (arrival_ns <= to->last_arrival_ns)
			arrival_ns = to->last_arrival_ns + 1;
		if (arrival_ns < net->sim->now_ns + NET_FRAME_LIFE_NS)
			to->last_arrival_ns = arrival_ns;
		else
			arrival_ns = net->sim->now_ns + NET_FRAME_LIFE_NS - 1;
	}
	sim_at(net->sim, arrival_ns, on_arrival, frame, 0);
}

void net_send(struct net *net, struct net_endpoint *from, const uint8_t *bytes, uint32_t len_bytes)
{
	if (len_bytes < 14 || len_bytes > from->mtu + 18)
		sim_fail(net->sim, "a frame of %u bytes was sent on a link of MTU %u", len_bytes, from->mtu);
	sim_mix(net->sim, net->sim->now_ns ^ (uint64_t)len_bytes << 48 ^ (uint64_t)bytes[len_bytes - 1] << 32);
	net->sent_count++;
	if (from->down)
		return;
	const bool group = bytes[0] & 1;
	for (struct net_endpoint *to = net->endpoints; to; to = to->next) {
		if (to == from || (!group && memcmp(to->mac, bytes, 6) != 0))
			continue;
		send_copy(net, to, bytes, len_bytes);
		if (rng_chance(&net->rng, net->weather.double_ppm))
			send_copy(net, to, bytes, len_bytes);
	}
}

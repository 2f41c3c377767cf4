/* SPDX-License-Identifier: BSD-3-Clause */
#include "fabric.h"

#include <string.h>

#include "flows.h"
#include "frame.h"

#define SMALL_BYTES 2048u
#define ETH_BYTES 14u

struct fabric_frame {
	struct fabric_frame *next;
	struct fabric *fabric;
	struct fabric_end *to;
	uint32_t len_bytes;
	bool large;
	uint8_t bytes[];
};

void fabric_init(struct fabric *fabric, struct sim *sim, struct flows *flows)
{
	*fabric = (struct fabric){.sim = sim, .flows = flows, .rng = sim_rng(sim, "fabric", 0)};
}

void fabric_attach(struct fabric *fabric, struct fabric_end *end)
{
	end->next = fabric->ends;
	fabric->ends = end;
}

static struct fabric_frame *frame_make(struct fabric *fabric, const uint8_t *bytes, uint32_t len_bytes)
{
	const bool large = len_bytes > SMALL_BYTES;
	struct fabric_frame *frame = fabric->unused[large];
	if (frame)
		fabric->unused[large] = frame->next;
	else
		frame = sim_alloc(fabric->sim, sizeof *frame + (large ? FABRIC_FRAME_BYTES_MAX : SMALL_BYTES));
	frame->fabric = fabric;
	frame->large = large;
	frame->len_bytes = len_bytes;
	memcpy(frame->bytes, bytes, len_bytes);
	return frame;
}

static void frame_drop(struct fabric_frame *frame)
{
	struct fabric *fabric = frame->fabric;
	frame->next = fabric->unused[frame->large];
	fabric->unused[frame->large] = frame;
}

static void on_arrival(struct sim *sim, void *ctx, uint64_t late)
{
	struct fabric_frame *frame = ctx;
	struct fabric_end *to = frame->to;
	if (to->down)
		flows_harm(frame->fabric->flows, frame->bytes, frame->len_bytes, "the link is down");
	else
		to->deliver(sim, to->ctx, frame->bytes, frame->len_bytes);
	(void)late;
	frame_drop(frame);
}

/* Returns whether it was: ARP has no checksum of its own. */
static bool damage(struct fabric *fabric, struct fabric_frame *frame)
{
	struct rng *rng = &fabric->rng;
	if (frame_is_arp(frame->bytes, frame->len_bytes) || frame->len_bytes <= ETH_BYTES)
		return false;
	if (rng_chance(rng, 200000)) {
		frame->len_bytes = (uint32_t)rng_between(rng, ETH_BYTES, frame->len_bytes - 1);
		return true;
	}
	/* Mostly in the headers, where it hurts. */
	const uint64_t end = rng_chance(rng, 600000) && frame->len_bytes > 74 ? 74 : frame->len_bytes;
	const uint64_t bit_count = (end - ETH_BYTES) * 8;
	const uint64_t first = rng_below(rng, bit_count);
	for (unsigned i = 0; i < 15 && first + i < bit_count; i++) {
		if (i == 0 || rng_chance(rng, 300000))
			frame->bytes[ETH_BYTES + (first + i) / 8] ^= (uint8_t)(0x80u >> (first + i) % 8);
	}
	return true;
}

static bool is_lost(struct fabric *fabric, const uint8_t *bytes, uint32_t len_bytes)
{
	const struct fabric_weather *weather = &fabric->weather;
	const uint64_t now_ns = fabric->sim->now_ns;
	if (rng_chance(&fabric->rng, weather->burst_ppm))
		fabric->burst_until_ns = now_ns + rng_below(&fabric->rng, weather->burst_ns);
	if (now_ns < fabric->burst_until_ns && rng_chance(&fabric->rng, 800000))
		return true;
	if (frame_is_neighbourly(bytes, len_bytes) && rng_chance(&fabric->rng, weather->neighbour_loss_ppm))
		return true;
	return rng_chance(&fabric->rng, weather->loss_ppm);
}

static void send_copy(struct fabric *fabric, const struct fabric_end *from, struct fabric_end *to, const uint8_t *bytes,
		      uint32_t len_bytes)
{
	const struct fabric_weather *weather = &fabric->weather;
	struct rng *rng = &fabric->rng;
	const uint64_t base_ns = fabric->sim->now_ns + from->delay_ns + to->delay_ns;
	uint64_t arrival_ns = base_ns + rng_between(rng, 5, 40) * US;
	if (len_bytes > to->mtu + 18 || is_lost(fabric, bytes, len_bytes)) {
		fabric->lost_count++;
		flows_harm(fabric->flows, bytes, len_bytes, "lost");
		return;
	}
	struct fabric_frame *frame = frame_make(fabric, bytes, len_bytes);
	frame->to = to;
	if (rng_chance(rng, weather->mark_ppm))
		frame_mark(frame->bytes, len_bytes);
	if (rng_chance(rng, weather->damage_ppm) && damage(fabric, frame)) {
		fabric->damaged_count++;
		flows_harm(fabric->flows, bytes, len_bytes, "damaged");
	}
	if (rng_chance(rng, weather->reorder_ppm)) {
		arrival_ns += rng_below(rng, weather->reorder_ns);
	} else {
		if (arrival_ns <= to->last_arrival_ns)
			arrival_ns = to->last_arrival_ns + 1;
		to->last_arrival_ns = arrival_ns;
	}
	sim_at(fabric->sim, arrival_ns, on_arrival, frame, 0);
}

/* A copy that lay about somewhere for a long time. */
static void send_stale(struct fabric *fabric, struct fabric_end *to, const uint8_t *bytes, uint32_t len_bytes)
{
	if (!rng_chance(&fabric->rng, fabric->weather.stale_ppm) || frame_is_arp(bytes, len_bytes))
		return;
	struct fabric_frame *frame = frame_make(fabric, bytes, len_bytes);
	frame->to = to;
	sim_in(fabric->sim, rng_below(&fabric->rng, fabric->weather.stale_ns), on_arrival, frame, 1);
}

void fabric_send(struct fabric *fabric, struct fabric_end *from, const uint8_t *bytes, uint32_t len_bytes)
{
	bool reached = false;
	if (len_bytes < ETH_BYTES || len_bytes > from->mtu + 18)
		sim_fail(fabric->sim, "a frame of %u bytes was sent on a link of MTU %u", len_bytes, from->mtu);
	sim_mix(fabric->sim, fabric->sim->now_ns ^ (uint64_t)len_bytes << 48 ^ (uint64_t)bytes[len_bytes - 1] << 32);
	fabric->sent_count++;
	if (fabric->sim->verbose)
		frame_tell(fabric->sim, "wire", bytes, len_bytes);
	const bool group = bytes[0] & 1;
	for (struct fabric_end *to = fabric->ends; to && !from->down; to = to->next) {
		if (to == from || to->segment != from->segment || (!group && memcmp(to->mac, bytes, 6) != 0))
			continue;
		reached = true;
		send_copy(fabric, from, to, bytes, len_bytes);
		if (rng_chance(&fabric->rng, fabric->weather.double_ppm))
			send_copy(fabric, from, to, bytes, len_bytes);
		send_stale(fabric, to, bytes, len_bytes);
	}
	if (!reached)
		flows_harm(fabric->flows, bytes, len_bytes, "nobody there");
}

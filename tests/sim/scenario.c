/* SPDX-License-Identifier: BSD-3-Clause */
#include "scenario.h"

#include <string.h>

#include "wherry/ctl.h"

static void draw_volume(struct volume_scenario *volume, const struct scenario *scenario, struct rng *rng)
{
	static const uint32_t aligns[] = {1, 512, 512, 4096};
	static const uint32_t memory_aligns[] = {1, 1, 512, 4096};
	volume->sector_count = (uint32_t)rng_between(rng, 4, 40) * 8;
	volume->align_bytes = aligns[rng_below(rng, 4)];
	volume->memory_align_bytes = memory_aligns[rng_below(rng, 4)];
	volume->write_back = rng_chance(rng, 250000);
	volume->home = (unsigned)rng_below(rng, scenario->worker_count);
	volume->latency.low_us = (uint32_t)rng_between(rng, 5, 50);
	volume->latency.high_us = volume->latency.low_us;
	volume->latency.high_us += (uint32_t)rng_between(rng, 10, rng_chance(rng, 200000) ? 20000 : 400);
	volume->latency.stall_ppm = rng_chance(rng, 600000) ? (uint32_t)rng_between(rng, 1000, 40000) : 0;
	volume->latency.stall_high_ms = (uint32_t)rng_between(rng, 5, 1500);
	volume->faulty = rng_chance(rng, 300000);
	if (!volume->faulty)
		return;
	volume->plan = (struct backend_fault_plan){
		.seed = rng_next(rng),
		.read_error_ppm = (uint32_t)rng_below(rng, 20000),
		.write_error_ppm = (uint32_t)rng_below(rng, 20000),
		.flush_error_ppm = (uint32_t)rng_below(rng, 50000),
		.no_space_ppm = (uint32_t)rng_below(rng, 10000),
		.delay_ppm = (uint32_t)rng_below(rng, 50000),
		.delay_us = (uint32_t)rng_below(rng, 300000),
	};
}

static void draw_export(struct export_scenario *export_, unsigned index, const struct scenario *scenario,
			struct rng *rng)
{
	export_->volume = (unsigned)(index < scenario->volume_count ? index : rng_below(rng, scenario->volume_count));
	export_->shelf = (uint16_t)rng_below(rng, 3);
	export_->slot = (uint8_t)index;
	export_->buffer_count = (uint16_t)rng_between(rng, 2, 64);
	export_->sectors_max = rng_chance(rng, 300000) ? (uint16_t)rng_between(rng, 1, 16) : 0;
	export_->flags = rng_chance(rng, 800000)
				 ? WHERRY_AOE_REMOTE_MASK | WHERRY_AOE_REMOTE_CONFIG | WHERRY_AOE_REMOTE_FORCE_RESERVE
				 : (uint32_t)rng_below(rng, 8) << 1;
	export_->administered = rng_chance(rng, 500000);
	export_->operated = !export_->administered && rng_chance(rng, 400000);
}

static void draw_client(struct client_scenario *client, unsigned index, const struct scenario *scenario,
			struct rng *rng, unsigned op_count)
{
	static const enum client_kind kinds[] = {CLIENT_LINUX,  CLIENT_LINUX, CLIENT_LINUX, CLIENT_LINUX,
						 CLIENT_WINAOE, CLIENT_IPXE,  CLIENT_NOISE};
	client->kind = index < 2 ? CLIENT_LINUX : kinds[rng_below(rng, sizeof kinds / sizeof kinds[0])];
	client->export_ = (unsigned)rng_below(rng, scenario->export_count);
	client->card_count = client->kind == CLIENT_LINUX ? (unsigned)rng_between(rng, 1, CARD_MAX) : 1;
	client->op_count = op_count ? op_count : (unsigned)rng_between(rng, 200, 4000);
	client->depth = (unsigned)rng_between(rng, 1, 32);
	client->read_percent = (uint32_t)rng_between(rng, 20, 80);
	client->trim_ppm = rng_chance(rng, 200000) ? 20000 : 0;
	client->verify_ppm = rng_chance(rng, 200000) ? 20000 : 0;
	client->flush_ppm = rng_chance(rng, 400000) ? 20000 : 0;
	client->think_ns_max = rng_between(rng, 1, 100) * MS;
	if (client->kind == CLIENT_IPXE) {
		client->read_percent = 100;
		client->trim_ppm = client->verify_ppm = client->flush_ppm = 0;
	}
}

static void draw_accidents(struct scenario *scenario, const struct sim *sim, struct rng *rng)
{
	scenario->trouble_ns = rng_between(rng, 1, 20) * SEC;
	scenario->dataplane_crash_count = (unsigned)rng_below(rng, 7);
	scenario->power_loss_count = rng_chance(rng, 400000) ? (unsigned)rng_between(rng, 1, 3) : 0;
	scenario->control_crash_count = (unsigned)rng_below(rng, 7);
	scenario->link_down_count = rng_chance(rng, 300000) ? (unsigned)rng_between(rng, 1, 3) : 0;
	scenario->replace_count = rng_chance(rng, 400000) ? (unsigned)rng_between(rng, 1, 12) : 0;
	scenario->control_latency_ns_max = rng_between(rng, 1, rng_chance(rng, 300000) ? 300 : 50) * MS;
	/* A planted bug needs its accident. */
	if (sim->plant == PLANT_OVERTAKEN_WRITE) {
		scenario->stall_ppm = 2000;
		scenario->stall_ns_max = SEC;
		scenario->rx_owner[0] = 0;
		scenario->rx_owner[1] = 1;
	}
	if (sim->plant == PLANT_ACK_BEFORE_DURABLE)
		scenario->power_loss_count = 3;
	if (sim->plant == PLANT_LOST_PERSIST)
		scenario->control_crash_count = scenario->dataplane_crash_count = 4;
}

static void draw_weather(struct net_weather *weather, struct rng *rng)
{
	if (rng_chance(rng, 700000))
		weather->loss_ppm = (uint32_t)rng_below(rng, 30000);
	if (rng_chance(rng, 500000))
		weather->double_ppm = (uint32_t)rng_below(rng, 30000);
	if (rng_chance(rng, 600000))
		weather->reorder_ppm = (uint32_t)rng_below(rng, 100000);
	if (rng_chance(rng, 300000))
		weather->damage_ppm = (uint32_t)rng_below(rng, 20000);
	weather->deliver_damaged = weather->damage_ppm && rng_chance(rng, 150000);
}

/* One administrator for each export that has one, beside the other clients. */
static void add_admins(struct scenario *scenario, struct rng *rng, unsigned op_count)
{
	for (unsigned i = 0; i < scenario->export_count; i++) {
		if (!scenario->exports[i].administered)
			continue;
		if (scenario->client_count == CLIENT_MAX) {
			scenario->exports[i].administered = false;
			continue;
		}
		struct client_scenario *admin = &scenario->clients[scenario->client_count++];
		draw_client(admin, 2, scenario, rng, op_count);
		admin->kind = CLIENT_ADMIN;
		admin->export_ = i;
		admin->card_count = 1;
		admin->op_count = (unsigned)rng_between(rng, 20, 200);
	}
}

void scenario_draw(struct scenario *scenario, const struct sim *sim, unsigned op_count)
{
	struct rng rng = sim_rng(sim, "scenario", 0);
	memset(scenario, 0, sizeof *scenario);
	scenario->port_count = (unsigned)rng_between(&rng, 1, PORT_MAX);
	scenario->worker_count = (unsigned)rng_between(&rng, 1, WORKER_MAX);
	if (sim->plant == PLANT_OVERTAKEN_WRITE)
		scenario->port_count = scenario->worker_count = 2;
	scenario->volume_count = (unsigned)rng_between(&rng, 1, VOLUME_MAX);
	scenario->export_count = (unsigned)rng_between(&rng, scenario->volume_count, EXPORT_MAX);
	scenario->client_count = (unsigned)rng_between(&rng, 2, 4);
	scenario->mtu = rng_chance(&rng, 600000) ? 1500 : 9000;
	for (unsigned i = 0; i < scenario->port_count; i++)
		scenario->rx_owner[i] = (unsigned)rng_below(&rng, scenario->worker_count);
	for (unsigned i = 0; i < scenario->volume_count; i++)
		draw_volume(&scenario->volumes[i], scenario, &rng);
	for (unsigned i = 0; i < scenario->export_count; i++)
		draw_export(&scenario->exports[i], i, scenario, &rng);
	for (unsigned i = 0; i < scenario->client_count; i++)
		draw_client(&scenario->clients[i], i, scenario, &rng, op_count);
	add_admins(scenario, &rng, op_count);
	scenario->rx_ring_frames = (unsigned)rng_between(&rng, 8, 256);
	scenario->handoff_ring_frames = (unsigned)rng_between(&rng, 4, 128);
	scenario->request_count = (unsigned)rng_between(&rng, 8, 256);
	scenario->packet_count = (unsigned)rng_between(&rng, 64, 1024);
	scenario->bounce_count = (unsigned)rng_between(&rng, 2, 64);
	scenario->stall_ppm = rng_chance(&rng, 500000) ? (uint32_t)rng_below(&rng, 2000) : 0;
	/* Shorter and longer than any client waits. */
	scenario->stall_ns_max = rng_between(&rng, 1, 10) * MS;
	if (rng_chance(&rng, 400000))
		scenario->stall_ns_max *= 40;
	draw_weather(&scenario->weather, &rng);
	draw_accidents(scenario, sim, &rng);
}

static const char *const kind_names[CLIENT_KIND_COUNT] = {"linux", "ipxe", "winaoe", "admin", "noise"};

void scenario_trace(struct sim *sim, const struct scenario *scenario)
{
	sim_trace(sim, "ports %u workers %u MTU %u, rings %u/%u, requests %u, packets %u", scenario->port_count,
		  scenario->worker_count, scenario->mtu, scenario->rx_ring_frames, scenario->handoff_ring_frames,
		  scenario->request_count, scenario->packet_count);
	sim_trace(sim, "net: loss %u double %u reorder %u damage %u ppm%s; stalls %u ppm of up to %lu ms",
		  scenario->weather.loss_ppm, scenario->weather.double_ppm, scenario->weather.reorder_ppm,
		  scenario->weather.damage_ppm, scenario->weather.deliver_damaged ? " delivered" : "",
		  scenario->stall_ppm, (unsigned long)(scenario->stall_ns_max / MS));
	sim_trace(sim, "accidents: dataplane %u power %u control %u links %u replaced %u in %lu ms",
		  scenario->dataplane_crash_count, scenario->power_loss_count, scenario->control_crash_count,
		  scenario->link_down_count, scenario->replace_count, (unsigned long)(scenario->trouble_ns / MS));
	for (unsigned i = 0; i < scenario->volume_count; i++) {
		const struct volume_scenario *volume = &scenario->volumes[i];
		sim_trace(sim, "volume %u: %u sectors, align %u/%u, worker %u%s%s, stalls %u ppm", i,
			  volume->sector_count, volume->align_bytes, volume->memory_align_bytes, volume->home,
			  volume->write_back ? ", write-back" : "", volume->faulty ? ", faulty" : "",
			  volume->latency.stall_ppm);
	}
	for (unsigned i = 0; i < scenario->export_count; i++) {
		const struct export_scenario *export_ = &scenario->exports[i];
		sim_trace(sim, "export %u: e%u.%u volume %u, buffers %u, sectors %u, flags %x%s%s", i, export_->shelf,
			  export_->slot, export_->volume, export_->buffer_count, export_->sectors_max, export_->flags,
			  export_->administered ? ", administered" : "", export_->operated ? ", operated" : "");
	}
	for (unsigned i = 0; i < scenario->client_count; i++) {
		const struct client_scenario *client = &scenario->clients[i];
		sim_trace(sim, "client %u: %s, export %u, cards %u, ops %u, depth %u", i, kind_names[client->kind],
			  client->export_, client->card_count, client->op_count, client->depth);
	}
}

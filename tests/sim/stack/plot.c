/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot.h"

#include <string.h>

static void draw_volume(struct volume_plot *volume, const struct stack_plot *plot, struct rng *rng)
{
	static const uint32_t aligns[] = {1, 512, 512, 4096};
	static const uint32_t memory_aligns[] = {1, 1, 512, 4096};
	volume->sector_count = (uint32_t)rng_between(rng, 4, 40) * 8;
	volume->align_bytes = aligns[rng_below(rng, 4)];
	volume->memory_align_bytes = memory_aligns[rng_below(rng, 4)];
	volume->write_back = rng_chance(rng, 400000);
	volume->home = (unsigned)rng_below(rng, plot->worker_count);
	volume->latency.low_us = (uint32_t)rng_between(rng, 5, 50);
	volume->latency.high_us = volume->latency.low_us;
	volume->latency.high_us += (uint32_t)rng_between(rng, 10, rng_chance(rng, 200000) ? 20000 : 400);
	volume->latency.stall_ppm = rng_chance(rng, 500000) ? (uint32_t)rng_between(rng, 1000, 20000) : 0;
	volume->latency.stall_high_ms = (uint32_t)rng_between(rng, 5, 1500);
	volume->faulty = rng_chance(rng, 250000);
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

static void draw_device(struct host_plot *host, const struct stack_plot *plot, struct rng *rng, unsigned op_count)
{
	host->volume = (unsigned)rng_below(rng, plot->volume_count);
	host->conn_count = rng_chance(rng, 500000) ? 1 : (unsigned)rng_between(rng, 2, CONN_MAX);
	host->op_count = op_count ? op_count : (unsigned)rng_between(rng, 40, 600);
	host->depth = (unsigned)rng_between(rng, 1, 32);
	host->read_percent = (uint32_t)rng_between(rng, 20, 80);
	host->sectors_max = (uint32_t)rng_between(rng, 1, rng_chance(rng, 500000) ? 128 : 16);
	host->trim_ppm = rng_chance(rng, 300000) ? 30000 : 0;
	host->zero_ppm = rng_chance(rng, 400000) ? 40000 : 0;
	host->flush_ppm = rng_chance(rng, 700000) ? (uint32_t)rng_between(rng, 5000, 60000) : 0;
	host->fua_ppm = rng_chance(rng, 600000) ? (uint32_t)rng_between(rng, 10000, 500000) : 0;
	host->structured = rng_chance(rng, 700000);
	host->extended = host->structured && rng_chance(rng, 400000);
	host->status_ppm = host->structured && rng_chance(rng, 400000) ? 20000 : 0;
	host->by_name = !host->extended && rng_chance(rng, 200000);
	host->gives_up = rng_chance(rng, 300000);
	host->leave_ppm = rng_chance(rng, 600000) ? (uint32_t)rng_between(rng, 1000, 30000) : 0;
	host->think_ns_max = rng_between(rng, 1, 2000) * MS;
	host->patience_ns = rng_chance(rng, 500000) ? NEVER : rng_between(rng, 30, 90) * SEC;
	host->slow_ppm = rng_chance(rng, 300000) ? (uint32_t)rng_between(rng, 1000, 20000) : 0;
	if (host->status_ppm && !host->structured)
		host->status_ppm = 0;
}

static void draw_host(struct host_plot *host, const struct stack_plot *plot, struct rng *rng, unsigned op_count)
{
	host->kind = rng_chance(rng, 500000) ? HOST_ODD : HOST_OWN;
	host->far = rng_chance(rng, 400000);
	host->v6 = rng_chance(rng, 400000);
	host->mtu = rng_chance(rng, 500000) ? plot->mtu : (uint16_t)rng_between(rng, 1280, 1500);
	host->delay_ns = rng_between(rng, 1, 200) * US;
	if (rng_chance(rng, 300000))
		host->delay_ns = rng_between(rng, 1, 60) * MS;
	draw_device(host, plot, rng, op_count);
}

static void draw_weather(struct fabric_weather *weather, struct rng *rng)
{
	if (rng_chance(rng, 700000))
		weather->loss_ppm = (uint32_t)rng_below(rng, rng_chance(rng, 200000) ? 100000 : 20000);
	if (rng_chance(rng, 400000))
		weather->double_ppm = (uint32_t)rng_below(rng, 30000);
	if (rng_chance(rng, 500000))
		weather->reorder_ppm = (uint32_t)rng_below(rng, 100000);
	if (rng_chance(rng, 500000))
		weather->damage_ppm = (uint32_t)rng_below(rng, 20000);
	if (rng_chance(rng, 300000))
		weather->burst_ppm = (uint32_t)rng_between(rng, 100, 2000);
	if (rng_chance(rng, 300000))
		weather->stale_ppm = (uint32_t)rng_between(rng, 1000, 20000);
	if (rng_chance(rng, 300000))
		weather->neighbour_loss_ppm = (uint32_t)rng_between(rng, 100000, 600000);
	if (rng_chance(rng, 300000))
		weather->mark_ppm = (uint32_t)rng_between(rng, 1000, 200000);
	weather->burst_ns = rng_between(rng, 1, rng_chance(rng, 300000) ? 3000 : 100) * MS;
	weather->reorder_ns = rng_between(rng, 1, rng_chance(rng, 300000) ? 200 : 5) * MS;
	if (weather->stale_ppm)
		weather->stale_ns = rng_between(rng, 1, 20) * SEC;
}

static void draw_limits(struct stack_plot *plot, struct rng *rng)
{
	const bool tight = rng_chance(rng, 250000);
	plot->tcp = (struct tcp_limits){
		.connection_count = 64,
		.embryonic_count = rng_chance(rng, 200000) ? 1 : (uint32_t)rng_between(rng, 2, 32),
		.listener_count = 4,
		.sent_segment_count = (uint32_t)(tight ? rng_between(rng, 40, 400) : 4096),
		.held_packet_count = (uint32_t)(tight ? rng_between(rng, 16, 200) : 1024),
	};
	plot->tcp.held_packet_count_each = plot->tcp.held_packet_count / 2;
	plot->nbd = (struct nbd_limits){
		.session_count = 48,
		.request_count = (uint32_t)(tight ? rng_between(rng, 16, 60) : 256),
		.request_count_each = (uint32_t)rng_between(rng, 16, 64),
		.buffer_count = (uint32_t)(tight ? rng_between(rng, 4, 12) : rng_between(rng, 16, 48)),
		.buffer_bytes = 65536,
	};
	plot->packet_count = (unsigned)(tight ? rng_between(rng, 200, 800) : 4096);
	plot->rx_ring_frames = (unsigned)rng_between(rng, tight ? 16 : 256, 512);
	plot->handoff_ring_frames = (unsigned)rng_between(rng, tight ? 16 : 256, 512);
	plot->bounce_count = (unsigned)rng_between(rng, 2, 64);
}

static void draw_settings(struct stack_plot *plot, struct rng *rng)
{
	tcp_settings_default(&plot->settings);
	plot->settings.congestion = (enum tcp_congestion)rng_below(rng, 3);
	plot->settings.ecn = rng_chance(rng, 700000);
	if (rng_chance(rng, 400000)) {
		plot->settings.keepalive_idle_ms = (uint32_t)rng_between(rng, 1000, 60000);
		plot->settings.keepalive_interval_ms = (uint32_t)rng_between(rng, 1000, 10000);
	}
	if (rng_chance(rng, 300000))
		plot->settings.window_bytes_max = (uint32_t)rng_between(rng, 2000, 200000);
	if (rng_chance(rng, 300000))
		plot->settings.send_bytes_max = (uint32_t)rng_between(rng, 3000, 100000);
}

static void draw_accidents(struct stack_plot *plot, const struct sim *sim, struct rng *rng)
{
	plot->trouble_ns = rng_between(rng, 1, rng_chance(rng, 400000) ? 60 : 10) * SEC;
	plot->kill_count = rng_chance(rng, 600000) ? (unsigned)rng_between(rng, 1, 4) : 0;
	plot->power_loss_count = rng_chance(rng, 400000) ? (unsigned)rng_between(rng, 1, 3) : 0;
	plot->restart_count = rng_chance(rng, 300000) ? (unsigned)rng_between(rng, 1, 2) : 0;
	plot->link_down_count = rng_chance(rng, 400000) ? (unsigned)rng_between(rng, 1, 4) : 0;
	plot->mac_change_count = rng_chance(rng, 300000) ? (unsigned)rng_between(rng, 1, 3) : 0;
	plot->path_change_count = rng_chance(rng, 600000) ? (unsigned)rng_between(rng, 1, 6) : 0;
	plot->router_change_count = rng_chance(rng, 250000) ? (unsigned)rng_between(rng, 1, 2) : 0;
	plot->host_loss_count = rng_chance(rng, 400000) ? (unsigned)rng_between(rng, 1, 3) : 0;
	plot->stall_ppm = rng_chance(rng, 400000) ? (uint32_t)rng_below(rng, 2000) : 0;
	plot->stall_ns_max = rng_between(rng, 1, 300) * MS;
	/* A planted bug needs its accident. */
	if (sim->plant == PLANT_ACK_BEFORE_DURABLE)
		plot->power_loss_count = 3;
	if (sim->plant == PLANT_BAD_CHECKSUM)
		plot->weather.damage_ppm = 20000;
	if (sim->plant == PLANT_DEAF_TO_MTU) {
		plot->path_change_count = 6;
		plot->hosts[0].far = true;
	}
}

/* The longest that anything may reasonably take, for a timeout that has measured it. */
static uint64_t slack_ns(const struct stack_plot *plot)
{
	uint64_t delay_ns = 0;
	for (unsigned i = 0; i < plot->host_count; i++)
		delay_ns = plot->hosts[i].delay_ns > delay_ns ? plot->hosts[i].delay_ns : delay_ns;
	const uint64_t rtt_ns = 2 * delay_ns + 4 * plot->weather.reorder_ns + 2 * plot->stall_ns_max + 600 * MS;
	return 2 * SEC + 6 * rtt_ns;
}

void plot_draw(struct stack_plot *plot, const struct sim *sim, unsigned op_count)
{
	struct rng rng = sim_rng(sim, "plot", 0);
	memset(plot, 0, sizeof *plot);
	plot->worker_count = (unsigned)rng_between(&rng, 1, WORKER_MAX);
	plot->rx_worker = (unsigned)rng_below(&rng, plot->worker_count);
	plot->volume_count = (unsigned)rng_between(&rng, 1, VOLUME_MAX);
	plot->host_count = (unsigned)rng_between(&rng, 1, 3);
	plot->mtu = rng_chance(&rng, 700000) ? 1500 : 9000;
	plot->optimistic = rng_chance(&rng, 800000);
	/* Clocks that wrap while it runs: of milliseconds in 32 bits, of microseconds. */
	static const uint64_t wraps_ms[] = {1ull << 32, 1ull << 31, 0xffffffffull / 1000 * 4};
	plot->clock_base_ns = rng_between(&rng, 10, 100000) * SEC;
	if (rng_chance(&rng, 400000))
		plot->clock_base_ns = wraps_ms[rng_below(&rng, 3)] * MS - rng_between(&rng, 1, 20) * SEC;
	for (unsigned i = 0; i < plot->volume_count; i++)
		draw_volume(&plot->volumes[i], plot, &rng);
	for (unsigned i = 0; i < plot->host_count; i++)
		draw_host(&plot->hosts[i], plot, &rng, op_count);
	draw_limits(plot, &rng);
	draw_settings(plot, &rng);
	draw_weather(&plot->weather, &rng);
	draw_accidents(plot, sim, &rng);
	plot->slack_ns = slack_ns(plot);
}

void plot_trace(struct sim *sim, const struct stack_plot *plot)
{
	const struct fabric_weather *weather = &plot->weather;
	sim_trace(sim, "workers %u, MTU %u, packets %u, sent %u, held %u, requests %u, buffers %u", plot->worker_count,
		  plot->mtu, plot->packet_count, plot->tcp.sent_segment_count, plot->tcp.held_packet_count,
		  plot->nbd.request_count, plot->nbd.buffer_count);
	sim_trace(sim, "net: loss %u double %u reorder %u (%lu ms) damage %u burst %u (%lu ms) stale %u neighbours %u",
		  weather->loss_ppm, weather->double_ppm, weather->reorder_ppm,
		  (unsigned long)(weather->reorder_ns / MS), weather->damage_ppm, weather->burst_ppm,
		  (unsigned long)(weather->burst_ns / MS), weather->stale_ppm, weather->neighbour_loss_ppm);
	sim_trace(sim,
		  "accidents: kills %u power %u restarts %u links %u MACs %u paths %u routers %u hosts %u in %lu ms; "
		  "slack %lu ms",
		  plot->kill_count, plot->power_loss_count, plot->restart_count, plot->link_down_count,
		  plot->mac_change_count, plot->path_change_count, plot->router_change_count, plot->host_loss_count,
		  (unsigned long)(plot->trouble_ns / MS), (unsigned long)(plot->slack_ns / MS));
	for (unsigned i = 0; i < plot->volume_count; i++) {
		const struct volume_plot *volume = &plot->volumes[i];
		sim_trace(sim, "volume %u: %u sectors, align %u/%u, worker %u%s%s, stalls %u ppm", i,
			  volume->sector_count, volume->align_bytes, volume->memory_align_bytes, volume->home,
			  volume->write_back ? ", write-back" : "", volume->faulty ? ", faulty" : "",
			  volume->latency.stall_ppm);
	}
	for (unsigned i = 0; i < plot->host_count; i++) {
		const struct host_plot *host = &plot->hosts[i];
		sim_trace(sim, "host %u: %s, %s, %s, MTU %u, %lu us; volume %u, connections %u, ops %u, depth %u%s%s",
			  i, host->kind == HOST_OWN ? "own" : "odd", host->far ? "far" : "near", host->v6 ? "v6" : "v4",
			  host->mtu, (unsigned long)(host->delay_ns / US), host->volume, host->conn_count,
			  host->op_count, host->depth, host->structured ? ", structured" : "",
			  host->extended ? ", extended" : "");
	}
}

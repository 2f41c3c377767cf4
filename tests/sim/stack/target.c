/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of the process: volumes, exports, crashes. */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbd/nbd_priv.h"
#include "net/priv.h"
#include "stack_world.h"
#include "tcp/tcp_priv.h"

#define WIND_UP_ROUNDS 1000
#define DRAIN_NS (5 * SEC)

static void on_frame(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct target *target = ctx;
	static const uint32_t headrooms[] = {0, 64, 128};
	(void)sim;
	if (target->state == TARGET_DOWN || target->heap.out_count >= target->heap.count_max) {
		flows_harm(&target->world->flows, bytes, len_bytes, "not received");
		return;
	}
	const uint32_t headroom = headrooms[rng_below(&target->rng, 3)];
	struct pkt *pkt = pkt_heap_make(&target->heap, bytes, len_bytes, headroom, 0);
	if (target->sim->plant == PLANT_BAD_CHECKSUM)
		pkt->checksum = PKT_CHECKSUM_GOOD;
	struct target_worker *worker = &target->workers[target->plot->rx_worker];
	if (frame_ring_push(&worker->rx, pkt)) {
		target_worker_kick(worker);
		return;
	}
	flows_harm(&target->world->flows, bytes, len_bytes, "ring full");
	pkt_heap_free(pkt);
}

static void on_disk_ready(struct sim *sim, void *ctx)
{
	const struct disk *disk = ctx;
	struct target *target = &stack_world_of(sim)->target;
	if (target->state != TARGET_DOWN)
		target_worker_kick(&target->workers[target->plot->volumes[disk->index].home]);
}

void target_init(struct target *target, struct stack_world *world)
{
	target->world = world;
	target->sim = &world->sim;
	target->plot = &world->plot;
	target->rng = sim_rng(&world->sim, "target", 0);
	target->clock_base_ns = world->plot.clock_base_ns;
	target->end.mtu = world->plot.mtu;
	target->end.segment = FABRIC_NEAR;
	target->end.ctx = target;
	target->end.deliver = on_frame;
	station_mac(target->end.mac, 'T', 1, 0);
	router_learn(&world->router, FABRIC_NEAR, 1, target->end.mac);
	fabric_attach(&world->fabric, &target->end);
	for (unsigned i = 0; i < world->plot.volume_count; i++) {
		const struct volume_plot *volume = &world->plot.volumes[i];
		struct disk *disk = &target->disks[i];
		disk_init(disk, &world->sim, i, (uint64_t)volume->sector_count * 512, volume->align_bytes,
			  volume->memory_align_bytes);
		disk->latency = volume->latency;
		disk->on_ready = on_disk_ready;
		disk->ready_ctx = disk;
	}
}

static void start_volume(struct target *target, unsigned index)
{
	const struct volume_plot *plot = &target->plot->volumes[index];
	struct target_volume *volume = &target->volumes[index];
	struct backend *backend = &target->disks[index].backend;
	disk_revive(&target->disks[index]);
	volume->fault = NULL;
	if (plot->faulty && !target->world->calm) {
		struct backend_fault_plan plan = plot->plan;
		plan.seed += target->instance;
		volume->fault = backend_fault_create(target->workers[plot->home].engine, backend, &plan);
		if (!volume->fault)
			sim_fail(target->sim, "no memory for a fault injector");
		backend = volume->fault;
	}
	vol_init(&volume->volume, index + 1, backend, target->workers[plot->home].bounce,
		 (uint64_t)plot->sector_count * 512, 512);
	volume->volume.write_back = plot->write_back;
}

static const struct net_config *make_config(struct target *target)
{
	struct net_address addresses[2] = {0};
	struct net_route routes[2] = {0};
	struct net_settings settings = {.addresses = addresses, .address_count = 2, .routes = routes, .route_count = 2};
	char error[200] = "";
	for (unsigned v4 = 0; v4 < 2; v4++) {
		uint8_t bytes[16];
		router_addr(bytes, v4, FABRIC_NEAR, 1);
		addresses[v4].addr = v4 ? ip_addr_v4(bytes) : ip_addr_v6(bytes);
		addresses[v4].prefix_bits = v4 ? 24 : 64;
		addresses[v4].optimistic = target->plot->optimistic || target->instance > 1;
		router_addr(bytes, v4, FABRIC_NEAR, ROUTER_NUMBER);
		routes[v4].gateway = v4 ? ip_addr_v4(bytes) : ip_addr_v6(bytes);
		routes[v4].prefix = v4 ? ip_addr_v4((const uint8_t[4]){0}) : ip_addr_v6((const uint8_t[16]){0});
	}
	settings.ports[0].present = true;
	settings.ports[0].mtu = target->plot->mtu;
	memcpy(settings.ports[0].mac, target->end.mac, 6);
	const struct net_config *config = net_config_create(&settings, error, sizeof error);
	if (!config)
		sim_fail(target->sim, "the addresses were refused: %s", error);
	return config;
}

/* The control plane has told it everything. */
static void on_loaded(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target *target = ctx;
	static const struct ip_addr any;
	if (instance != target->instance || target->state != TARGET_LOADING)
		return;
	for (unsigned w = 0; w < target->plot->worker_count; w++) {
		struct target_worker *worker = &target->workers[w];
		worker->now_ns = sim->now_ns + target->clock_base_ns;
		net_set_config(worker->net, target->config, w == 0, worker->now_ns);
		for (unsigned v = 0; v < target->plot->volume_count; v++) {
			const unsigned home = target->plot->volumes[v].home;
			struct nbd_export_settings settings = {
				.id = v + 1,
				.is_default = v == 0,
				.volume = {&target->volumes[v].volume, home,
					   home == w ? NULL : &target->carries[w].carrier}};
			snprintf(settings.name, sizeof settings.name, "disk%u", v);
			worker->exports[v] = nbd_export_create(&settings);
			if (!worker->exports[v])
				sim_fail(sim, "no memory for an export");
			nbd_export_add(worker->nbd, worker->exports[v]);
		}
		if (tcp_listen(worker->tcp, &any, NBD_PORT, nbd_accept, worker->nbd))
			sim_fail(sim, "no listener");
		target_worker_kick(worker);
	}
	target->state = TARGET_SERVING;
	sim_trace(sim, "target: serves");
}

void target_start(struct target *target)
{
	target->instance++;
	target->state = TARGET_LOADING;
	target->zombie = false;
	pkt_heap_init(&target->heap);
	target->heap.room_bytes = target->plot->mtu + 18u + PKT_SLACK_BYTES + NET_HEADROOM_BYTES;
	target->heap.headroom_bytes = NET_HEADROOM_BYTES;
	target->heap.count_max = target->plot->packet_count;
	for (unsigned i = 0; i < target->plot->worker_count; i++)
		target_worker_create(target, i);
	for (unsigned i = 0; i < target->plot->volume_count; i++)
		start_volume(target, i);
	target->config = make_config(target);
	sim_trace(target->sim, "target: instance %lu starts", (unsigned long)target->instance);
	flows_harm_all(&target->world->flows);
	sim_in(target->sim, rng_between(&target->rng, 1, 300) * MS, on_loaded, target, target->instance);
}

/* NULL: nothing. */
static const char *what_is_left(const struct target *target)
{
	static char text[120];
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		const struct target_worker *worker = &target->workers[i];
		snprintf(text, sizeof text, "worker %u: %u requests, %u sessions, %u carried, %u delayed", i,
			 nbd_lcore_under_way(worker->nbd), nbd_lcore_session_count(worker->nbd),
			 target->carries[i].away_count, backend_engine_under_way(worker->engine));
		if (nbd_lcore_under_way(worker->nbd) || nbd_lcore_session_count(worker->nbd) ||
		    target->carries[i].away_count || backend_engine_under_way(worker->engine))
			return text;
	}
	for (unsigned i = 0; i < target->plot->volume_count; i++) {
		snprintf(text, sizeof text, "volume %u: %u requests", i, target->volumes[i].volume.under_way_count);
		if (target->volumes[i].volume.under_way_count || target->disks[i].under_way)
			return text;
	}
	return NULL;
}

static void destroy_worker(struct target *target, struct target_worker *worker)
{
	for (unsigned v = 0; v < target->plot->volume_count; v++) {
		if (!worker->exports[v])
			continue;
		if (!nbd_export_idle(worker->exports[v]))
			sim_fail(target->sim, "worker %u: export %u is never idle", worker->index, v);
		nbd_export_destroy(nbd_export_remove(worker->nbd, v + 1));
	}
	nbd_lcore_destroy(worker->nbd);
	net_lcore_destroy(worker->net);
	if (vol_bounce_pool_used(worker->bounce))
		sim_fail(target->sim, "worker %u: %u bounce buffers lost", worker->index,
			 vol_bounce_pool_used(worker->bounce));
	vol_bounce_pool_destroy(worker->bounce);
	backend_engine_destroy(worker->engine);
	for (unsigned i = 0; i < WHERRY_LCORE_STAT_COUNT; i++)
		target->stats_total[i] += worker->stats[i];
}

static void ring_drop(struct frame_ring *ring)
{
	struct pkt *pkt;
	while ((pkt = frame_ring_pop(ring)) != NULL)
		pkt_heap_free(pkt);
}

static void destroy_all(struct target *target)
{
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		ring_drop(&target->workers[i].rx);
		ring_drop(&target->workers[i].tx);
		ring_drop(&target->workers[i].handoff_in);
	}
	for (unsigned round = 0; what_is_left(target) || round < 3; round++) {
		if (round == WIND_UP_ROUNDS)
			sim_fail(target->sim, "a killed dataplane never ends: %s", what_is_left(target));
		for (unsigned i = 0; i < target->plot->worker_count; i++)
			target_worker_wind_up(&target->workers[i]);
		for (unsigned i = 0; i < target->plot->worker_count && round == 1; i++) {
			if (target->workers[i].tcp)
				tcp_lcore_destroy(target->workers[i].tcp);
			target->workers[i].tcp = NULL;
		}
	}
	for (unsigned i = 0; i < target->plot->volume_count; i++) {
		if (!target->volumes[i].fault)
			continue;
		(void)backend_fault_detach(target->volumes[i].fault);
		backend_destroy(target->volumes[i].fault);
	}
	for (unsigned i = 0; i < target->plot->worker_count; i++)
		destroy_worker(target, &target->workers[i]);
	net_config_destroy((struct net_config *)target->config);
	if (target->heap.out_count || target->memory_count)
		sim_fail(target->sim, "%u packets lost, %lu blocks of memory", target->heap.out_count,
			 (unsigned long)target->memory_count);
}

void target_crash(struct target *target, bool power_loss)
{
	if (target->state == TARGET_DOWN)
		return;
	sim_trace(target->sim, "target: %s", power_loss ? "POWER LOSS" : "KILLED");
	target->state = TARGET_DOWN;
	target->zombie = true;
	for (unsigned i = 0; i < target->plot->volume_count; i++) {
		if (power_loss)
			disk_power_lost(&target->disks[i]);
		else
			disk_process_lost(&target->disks[i]);
	}
	if (power_loss)
		target->clock_base_ns = rng_between(&target->rng, 1, 20) * SEC;
	/* One way or the other, everything has to be given back. */
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		struct target_worker *worker = &target->workers[i];
		if (target->instance % 2)
			tcp_abort_all(worker->tcp, NULL, worker->now_ns);
		else
			tcp_lcore_destroy(worker->tcp);
		if (target->instance % 2 == 0)
			worker->tcp = NULL;
	}
	destroy_all(target);
	stack_world_writes_ended(target->world);
}

static void stop_in_order(struct target *target)
{
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		struct target_worker *worker = &target->workers[i];
		worker->now_ns = target->sim->now_ns + target->clock_base_ns;
		tcp_abort_all(worker->tcp, NULL, worker->now_ns);
		target_worker_flush(worker);
	}
	target->state = TARGET_DOWN;
	target->zombie = true;
	for (unsigned i = 0; i < target->plot->volume_count; i++)
		disk_process_lost(&target->disks[i]);
	destroy_all(target);
	stack_world_writes_ended(target->world);
	sim_trace(target->sim, "target: has stopped");
}

static void on_drain(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target *target = ctx;
	uint32_t left = 0;
	if (instance != target->instance || target->state != TARGET_DRAINING)
		return;
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		nbd_lcore_drain(target->workers[i].nbd);
		left += nbd_lcore_under_way(target->workers[i].nbd) + target->carries[i].away_count;
		target_worker_kick(&target->workers[i]);
	}
	if (left && sim->now_ns < target->drain_ns + DRAIN_NS)
		sim_in(sim, 10 * MS, on_drain, target, instance);
	else
		stop_in_order(target);
}

void target_drain(struct target *target)
{
	if (target->state != TARGET_SERVING)
		return;
	sim_trace(target->sim, "target: asked to stop");
	target->state = TARGET_DRAINING;
	target->drain_ns = target->sim->now_ns;
	on_drain(target->sim, target, target->instance);
}

void target_calm(struct target *target)
{
	const struct backend_fault_plan none = {0};
	for (unsigned i = 0; i < target->plot->volume_count; i++) {
		target->disks[i].latency.stall_ppm = 0;
		if (target->state != TARGET_DOWN && target->volumes[i].fault)
			backend_fault_set_plan(target->volumes[i].fault, &none);
	}
}

static uint32_t list_count(const struct tcp_lcore *tcp)
{
	uint32_t count = 0;
	for (const struct tcp_sent *sent = tcp->free_sent; sent; sent = TAILQ_NEXT(sent, by_seq))
		count++;
	return count;
}

const char *target_leak(struct target *target)
{
	static char text[120];
	uint32_t held = 0;
	if (target->state != TARGET_SERVING)
		return "the target does not serve";
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		const struct target_worker *worker = &target->workers[i];
		const struct tcp_lcore *tcp = worker->tcp;
		held += worker->net->held_count;
		snprintf(text, sizeof text,
			 "worker %u: %u connections, %u half-open, %u of %u held, %u of %u sent left", i,
			 tcp_connection_count(tcp), tcp->half_count, tcp->free_held_count,
			 tcp->limits.held_packet_count, list_count(tcp), tcp->limits.sent_segment_count);
		if (tcp_connection_count(tcp) || tcp->half_count ||
		    tcp->free_held_count != tcp->limits.held_packet_count ||
		    list_count(tcp) != tcp->limits.sent_segment_count)
			return text;
		snprintf(text, sizeof text, "worker %u: %u sessions, %u requests, %u of %u buffers left", i,
			 nbd_lcore_session_count(worker->nbd), nbd_lcore_under_way(worker->nbd),
			 worker->nbd->free_io_count, worker->nbd->limits.buffer_count);
		if (nbd_lcore_session_count(worker->nbd) || nbd_lcore_under_way(worker->nbd) ||
		    worker->nbd->free_io_count != worker->nbd->limits.buffer_count)
			return text;
		held += worker->rx.count + worker->handoff_in.count + worker->tx.count;
	}
	snprintf(text, sizeof text, "%u packets are out, %u are held", target->heap.out_count, held);
	return target->heap.out_count == held ? NULL : text;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance.h"

#include <errno.h>
#include <string.h>

#include "world.h"

#define WIND_UP_ROUNDS 1000
#define HEARTBEAT_NS (10 * MS)

static void on_frame(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct app_port *port = ctx;
	struct appliance *appliance = &world_of(sim)->appliance;
	const unsigned index = (unsigned)(port - appliance->ports);
	static const uint32_t headrooms[] = {0, 64, 128};
	if (!appliance->running || appliance->heap.out_count >= appliance->heap.count_max)
		return;
	worker_note_idle(&appliance->workers[appliance->scenario->rx_owner[index]], port);
	const uint32_t room = appliance->scenario->mtu + 18u + PKT_SLACK_BYTES;
	struct pkt *pkt = pkt_heap_make(&appliance->heap, bytes, len_bytes, headrooms[rng_below(&appliance->rng, 3)],
					room - len_bytes);
	pkt->port_index = (uint16_t)index;
	if (ring_push(&port->rx, pkt))
		worker_kick(&appliance->workers[appliance->scenario->rx_owner[index]]);
	else
		pkt_heap_free(pkt);
}

static void on_disk_ready(struct sim *sim, void *ctx)
{
	struct disk *disk = ctx;
	struct appliance *appliance = &world_of(sim)->appliance;
	if (appliance->running)
		worker_kick(&appliance->workers[appliance->scenario->volumes[disk->index].home]);
}

static void init_port(struct appliance *appliance, unsigned index)
{
	struct app_port *port = &appliance->ports[index];
	port->endpoint.mtu = appliance->scenario->mtu;
	port->endpoint.ctx = port;
	port->endpoint.deliver = on_frame;
	net_mac(port->endpoint.mac, 'P', index, 0);
	memcpy(port->filter.mac, port->endpoint.mac, 6);
	net_attach(&appliance->world->net, &port->endpoint);
	port->rx.capacity = appliance->scenario->rx_ring_frames;
	port->rx.pkts = sim_alloc(appliance->sim, port->rx.capacity * sizeof(struct pkt *));
	appliance->aoe_ports[index] = (struct aoe_port){.mtu = appliance->scenario->mtu, .present = true};
	memcpy(appliance->aoe_ports[index].mac, port->endpoint.mac, 6);
}

void appliance_init(struct appliance *appliance, struct world *world)
{
	appliance->world = world;
	appliance->sim = &world->sim;
	appliance->scenario = &world->scenario;
	appliance->rng = sim_rng(&world->sim, "appliance", 0);
	for (unsigned i = 0; i < world->scenario.port_count; i++)
		init_port(appliance, i);
	for (unsigned i = 0; i < world->scenario.volume_count; i++) {
		const struct volume_scenario *volume = &world->scenario.volumes[i];
		struct disk *disk = &appliance->disks[i];
		disk_init(disk, &world->sim, i, (uint64_t)volume->sector_count * 512, volume->align_bytes,
			  volume->memory_align_bytes);
		disk->latency = volume->latency;
		disk->on_ready = on_disk_ready;
		disk->ready_ctx = disk;
	}
}

static void on_heartbeat(struct sim *sim, void *ctx, uint64_t instance)
{
	struct appliance *appliance = ctx;
	if (instance != appliance->instance || !appliance->running)
		return;
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++)
		worker_kick(&appliance->workers[i]);
	sim_in(sim, HEARTBEAT_NS, on_heartbeat, appliance, instance);
}

static void start_volume(struct appliance *appliance, unsigned index)
{
	const struct volume_scenario *scenario = &appliance->scenario->volumes[index];
	struct app_volume *volume = &appliance->volumes[index];
	struct disk *disk = &appliance->disks[index];
	struct backend *backend = &disk->backend;
	disk_revive(disk);
	volume->fault = NULL;
	if (scenario->faulty && !appliance->world->calm) {
		struct backend_fault_plan plan = scenario->plan;
		plan.seed += appliance->instance;
		volume->fault = backend_fault_create(appliance->workers[scenario->home].engine, backend, &plan);
		if (!volume->fault)
			sim_fail(appliance->sim, "no memory for a fault injector");
		backend = volume->fault;
	}
	vol_init(&volume->volume, index + 1, backend, appliance->workers[scenario->home].bounce,
		 (uint64_t)scenario->sector_count * 512, 512);
	volume->volume.write_back = scenario->write_back;
	volume->volume.drained_ctx = appliance->world; /* for plant.c */
}

void appliance_start(struct appliance *appliance)
{
	appliance->instance++;
	appliance->running = true;
	appliance->zombie = false;
	pkt_heap_init(&appliance->heap);
	appliance->heap.room_bytes = appliance->scenario->mtu + 18u + PKT_SLACK_BYTES + 128u;
	appliance->heap.headroom_bytes = 0;
	appliance->heap.count_max = appliance->scenario->packet_count;
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++)
		worker_create(appliance, i);
	for (unsigned i = 0; i < appliance->scenario->port_count; i++)
		arrival_init(&appliance->ports[i].arrival, ARRIVAL_QUEUE_FRAMES, appliance->sim->now_ns + 1);
	for (unsigned i = 0; i < appliance->scenario->volume_count; i++)
		start_volume(appliance, i);
	sim_trace(appliance->sim, "dataplane: instance %lu starts", (unsigned long)appliance->instance);
	on_heartbeat(appliance->sim, appliance, appliance->instance);
	control_sync(&appliance->world->control);
}

/* The control plane will never answer these. */
static void fail_tickets(struct appliance *appliance)
{
	while (appliance->tickets) {
		struct persist_ticket *ticket = appliance->tickets;
		appliance->tickets = ticket->next;
		if (ticket->next)
			ticket->next->at = &appliance->tickets;
		ticket->at = NULL;
		aoe_on_persisted(appliance->workers[ticket->worker].aoe, ticket->cookie, -ECONNRESET, 0,
				 appliance->sim->now_ns);
	}
}

static bool is_wound_up(const struct appliance *appliance)
{
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++) {
		if (aoe_lcore_under_way(appliance->workers[i].aoe) ||
		    backend_engine_under_way(appliance->workers[i].engine))
			return false;
	}
	for (unsigned i = 0; i < appliance->scenario->volume_count; i++) {
		if (appliance->volumes[i].volume.under_way_count || appliance->disks[i].under_way)
			return false;
	}
	return true;
}

static void wind_up(struct appliance *appliance)
{
	for (unsigned round = 0; round < WIND_UP_ROUNDS; round++) {
		fail_tickets(appliance);
		for (unsigned i = 0; i < appliance->scenario->worker_count; i++)
			worker_wind_up(&appliance->workers[i]);
		if (round > 3 && is_wound_up(appliance))
			return;
	}
	sim_fail(appliance->sim, "a killed dataplane's requests never end");
}

static void destroy_objects(struct appliance *appliance)
{
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++) {
		while (appliance->workers[i].jobs_first)
			appliance->workers[i].jobs_first = appliance->workers[i].jobs_first->next;
	}
	for (unsigned i = 0; i < appliance->scenario->export_count; i++) {
		if (appliance->exports[i])
			aoe_export_remove(appliance->workers[appliance_export_home(appliance, i)].aoe, i + 1);
	}
	for (unsigned i = 0; i < appliance->scenario->volume_count; i++) {
		for (unsigned stat = 0; stat < WHERRY_VOLUME_STAT_COUNT; stat++)
			appliance->volume_stats_total[stat] += appliance->volumes[i].volume.stats[stat];
		if (appliance->volumes[i].fault) {
			(void)backend_fault_detach(appliance->volumes[i].fault);
			backend_destroy(appliance->volumes[i].fault);
		}
	}
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++)
		worker_destroy(&appliance->workers[i]);
	for (; appliance->retired; appliance->retired = appliance->retired->next)
		aoe_export_destroy(appliance->retired->export_);
	for (unsigned i = 0; i < appliance->scenario->export_count; i++) {
		if (appliance->exports[i])
			aoe_export_destroy(appliance->exports[i]);
		appliance->exports[i] = NULL;
	}
}

void appliance_crash(struct appliance *appliance, bool power_loss)
{
	if (!appliance->running)
		return;
	sim_trace(appliance->sim, "dataplane: %s", power_loss ? "POWER LOSS" : "KILLED");
	appliance->running = false;
	appliance->zombie = true;
	for (unsigned i = 0; i < appliance->scenario->volume_count; i++) {
		if (power_loss)
			disk_power_lost(&appliance->disks[i]);
		else
			disk_process_lost(&appliance->disks[i]);
	}
	for (unsigned i = 0; i < appliance->scenario->port_count; i++) {
		struct pkt *pkt;
		while ((pkt = ring_pop(&appliance->ports[i].rx)) != NULL)
			pkt_heap_free(pkt);
	}
	wind_up(appliance);
	destroy_objects(appliance);
	if (appliance->heap.out_count)
		sim_fail(appliance->sim, "%u packets lost", appliance->heap.out_count);
}

void appliance_post(struct appliance *appliance, unsigned index,
		    void (*run)(struct appliance *appliance, unsigned worker, void *ctx), void *ctx)
{
	struct app_worker *worker = &appliance->workers[index];
	struct worker_job *job = sim_alloc(appliance->sim, sizeof *job);
	*job = (struct worker_job){.run = run, .ctx = ctx};
	if (worker->jobs_last)
		worker->jobs_last->next = job;
	else
		worker->jobs_first = job;
	worker->jobs_last = job;
	worker_kick(worker);
}

unsigned appliance_export_home(const struct appliance *appliance, unsigned export_)
{
	return appliance->scenario->volumes[appliance->scenario->exports[export_].volume].home;
}

void appliance_export_put(struct appliance *appliance, unsigned index, const struct wherry_ctl_aoe_export_put *put,
			  bool advertise)
{
	struct app_worker *worker = &appliance->workers[appliance_export_home(appliance, index)];
	struct aoe_export *export_ =
		aoe_export_create(put, &appliance->volumes[appliance->scenario->exports[index].volume].volume);
	if (!export_)
		sim_fail(appliance->sim, "no memory for an export");
	struct aoe_export *old = aoe_export_add(worker->aoe, export_, advertise, worker->now_ns);
	if (old) {
		struct retired_export *retired = sim_alloc(appliance->sim, sizeof *retired);
		*retired = (struct retired_export){appliance->retired, old};
		appliance->retired = retired;
	}
	appliance->exports[index] = export_;
}

void appliance_open_gate(struct appliance *appliance, unsigned index)
{
	struct app_worker *worker = &appliance->workers[index];
	if (!worker->gate_open)
		aoe_advertise_all(worker->aoe);
	worker->gate_open = true;
}

bool appliance_quiet(const struct appliance *appliance)
{
	return appliance->running && is_wound_up(appliance) && !appliance->tickets;
}

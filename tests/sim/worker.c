/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's loop.  A turn takes the time, does its work, and then its answers
 * leave and what it gathered for other workers is theirs.  Between any two of
 * these the thread may be preempted.
 */
#include <errno.h>
#include <string.h>

#include "appliance.h"
#include "world.h"

#define RX_BURST 32u
#define HANDOFF_BURST 32u
#define TX_RING 4096u
#define IDLE_SLEEP_NS_MAX (100 * US)

bool ring_push(struct pkt_ring *ring, struct pkt *pkt)
{
	if (ring->count == ring->capacity)
		return false;
	ring->pkts[(ring->first + ring->count++) % ring->capacity] = pkt;
	return true;
}

struct pkt *ring_pop(struct pkt_ring *ring)
{
	if (ring->count == 0)
		return NULL;
	struct pkt *pkt = ring->pkts[ring->first];
	ring->first = (ring->first + 1) % ring->capacity;
	ring->count--;
	return pkt;
}

static void ring_make(struct sim *sim, struct pkt_ring *ring, unsigned capacity)
{
	*ring = (struct pkt_ring){.pkts = sim_alloc(sim, capacity * sizeof(struct pkt *)), .capacity = capacity};
}

static void env_output(void *ctx, struct pkt *pkt)
{
	struct app_worker *worker = ctx;
	if (worker->appliance->zombie || !ring_push(&worker->tx, pkt))
		pkt_heap_free(pkt);
}

static int env_persist(void *ctx, const struct aoe_persist *change)
{
	struct app_worker *worker = ctx;
	if (worker->appliance->zombie)
		return -EAGAIN;
	return control_persist(&worker->appliance->world->control, worker->index, change);
}

static uint64_t *env_client_stats(void *ctx, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns)
{
	struct app_worker *worker = ctx;
	(void)mac;
	(void)port_index;
	(void)vlan;
	(void)now_ns;
	return worker->client_stats;
}

void worker_create(struct appliance *appliance, unsigned index)
{
	struct sim *sim = appliance->sim;
	const struct scenario *scenario = appliance->scenario;
	struct app_worker *worker = &appliance->workers[index];
	memset(worker, 0, sizeof *worker);
	worker->appliance = appliance;
	worker->index = index;
	worker->now_ns = sim->now_ns;
	worker->engine = backend_engine_create(0);
	worker->bounce = vol_bounce_pool_create(scenario->bounce_count, 16384);
	const struct aoe_env env = {
		.ctx = worker,
		.pool = pkt_heap_pool(&appliance->heap),
		.output = env_output,
		.persist = env_persist,
		.client_stats = env_client_stats,
		.ports = appliance->aoe_ports,
		.lcore_stats = worker->stats,
		.now_ns = &worker->now_ns,
	};
	worker->aoe = aoe_lcore_create(&env, scenario->request_count);
	if (!worker->engine || !worker->bounce || !worker->aoe)
		sim_fail(sim, "no memory for a worker");
	ring_make(sim, &worker->tx, TX_RING);
	ring_make(sim, &worker->handoff_in, scenario->handoff_ring_frames);
	for (unsigned i = 0; i < scenario->worker_count; i++)
		ring_make(sim, &worker->handoff_out[i], HANDOFF_BURST * 4);
}

static void ring_drop(struct pkt_ring *ring)
{
	struct pkt *pkt;
	while ((pkt = ring_pop(ring)) != NULL)
		pkt_heap_free(pkt);
}

void worker_destroy(struct app_worker *worker)
{
	struct appliance *appliance = worker->appliance;
	ring_drop(&worker->tx);
	ring_drop(&worker->handoff_in);
	for (unsigned i = 0; i < appliance->scenario->worker_count; i++)
		ring_drop(&worker->handoff_out[i]);
	if (aoe_lcore_under_way(worker->aoe))
		sim_fail(appliance->sim, "worker %u: %u requests never end", worker->index,
			 aoe_lcore_under_way(worker->aoe));
	aoe_lcore_destroy(worker->aoe);
	if (vol_bounce_pool_used(worker->bounce))
		sim_fail(appliance->sim, "worker %u: %u bounce buffers lost", worker->index,
			 vol_bounce_pool_used(worker->bounce));
	vol_bounce_pool_destroy(worker->bounce);
	backend_engine_destroy(worker->engine);
	for (unsigned i = 0; i < WHERRY_LCORE_STAT_COUNT; i++)
		appliance->stats_total[i] += worker->stats[i];
}

static void drop(struct app_worker *worker, struct pkt *pkt, enum wherry_lcore_stat stat)
{
	worker->stats[stat]++;
	pkt_heap_free(pkt);
}

static void hand_over(struct app_worker *worker, unsigned to, struct pkt *pkt)
{
	if (!ring_push(&worker->handoff_out[to], pkt))
		drop(worker, pkt, WHERRY_LCORE_handoff_full);
}

static void copy_to_others(struct app_worker *worker, const struct pkt *pkt)
{
	struct appliance *appliance = worker->appliance;
	for (unsigned to = 0; to < appliance->scenario->worker_count; to++) {
		if (to == worker->index)
			continue;
		struct pkt_pool pool = pkt_heap_pool(&appliance->heap);
		struct pkt *copy = pool.alloc(pool.ctx, pkt->port_index);
		if (!copy) {
			worker->stats[WHERRY_LCORE_aoe_drop_no_buffer]++;
			continue;
		}
		copy->data = copy->head + (pkt->data - pkt->head);
		copy->len_bytes = pkt->len_bytes;
		copy->arrived_ns = pkt->arrived_ns;
		memcpy(copy->data, pkt->data, pkt->len_bytes);
		hand_over(worker, to, copy);
	}
}

static int route(const struct appliance *appliance, uint16_t shelf, uint8_t slot)
{
	for (unsigned i = 0; i < appliance->scenario->export_count; i++) {
		const struct export_scenario *export_ = &appliance->scenario->exports[i];
		if (export_->shelf == shelf && export_->slot == slot)
			return (int)appliance_export_home(appliance, i);
	}
	return -1;
}

/* True: this worker serves the frame; else it went its way. */
static bool sort_frame(struct app_worker *worker, struct pkt *pkt)
{
	const struct appliance *appliance = worker->appliance;
	struct eth_view view;
	const enum wherry_lcore_stat refusal =
		eth_parse(pkt->data, pkt->len_bytes, &appliance->ports[pkt->port_index].filter, &view);
	if (refusal != ETH_ACCEPT) {
		drop(worker, pkt, refusal);
		return false;
	}
	if (view.type != AOE_ETHERTYPE || !worker->gate_open) {
		drop(worker, pkt,
		     view.type != AOE_ETHERTYPE ? WHERRY_LCORE_drop_eth_type : WHERRY_LCORE_drop_gate_closed);
		return false;
	}
	uint16_t shelf;
	uint8_t slot;
	bool wildcard;
	if (!aoe_peek(pkt->data, pkt->len_bytes, &shelf, &slot, &wildcard)) {
		drop(worker, pkt, WHERRY_LCORE_aoe_drop_runt);
		return false;
	}
	if (wildcard) {
		copy_to_others(worker, pkt);
	} else {
		const int owner = route(appliance, shelf, slot);
		if (owner < 0) {
			drop(worker, pkt, WHERRY_LCORE_aoe_drop_target);
			return false;
		}
		if ((unsigned)owner != worker->index) {
			hand_over(worker, (unsigned)owner, pkt);
			return false;
		}
	}
	return true;
}

static void receive_from(struct app_worker *worker, struct app_port *port)
{
	struct pkt *pkts[RX_BURST];
	unsigned count = 0;
	while (count < RX_BURST && (pkts[count] = ring_pop(&port->rx)) != NULL)
		count++;
	if (worker->appliance->scenario->port_count > 1 && worker->appliance->sim->plant != PLANT_OVERTAKEN_WRITE) {
		const uint64_t arrived_ns = arrival_poll(&port->arrival, worker->now_ns, count,
							 arrival_left(&port->arrival, count, RX_BURST));
		for (unsigned i = 0; i < count; i++)
			pkts[i]->arrived_ns = arrived_ns;
	}
	unsigned own = 0;
	for (unsigned i = 0; i < count; i++) {
		pkts[own] = pkts[i];
		own += sort_frame(worker, pkts[i]);
	}
	aoe_input_burst(worker->aoe, pkts, own, worker->now_ns);
	if (port->rx.count)
		worker->turn_wanted = true;
}

static void receive(struct app_worker *worker)
{
	struct appliance *appliance = worker->appliance;
	for (unsigned port = 0; port < appliance->scenario->port_count; port++) {
		if (appliance->scenario->rx_owner[port] == worker->index)
			receive_from(worker, &appliance->ports[port]);
	}
}

static void poll_storage(struct app_worker *worker)
{
	struct appliance *appliance = worker->appliance;
	backend_engine_poll(worker->engine, worker->now_ns);
	for (unsigned i = 0; i < appliance->scenario->volume_count; i++) {
		if (appliance->scenario->volumes[i].home == worker->index)
			disk_poll(&appliance->disks[i]);
	}
}

static void run_jobs(struct app_worker *worker)
{
	while (worker->jobs_first) {
		struct worker_job *job = worker->jobs_first;
		worker->jobs_first = job->next;
		if (!worker->jobs_first)
			worker->jobs_last = NULL;
		job->run(worker->appliance, worker->index, job->ctx);
	}
}

static void free_retired(struct appliance *appliance)
{
	for (struct retired_export **at = &appliance->retired; *at;) {
		if (aoe_export_idle((*at)->export_)) {
			aoe_export_destroy((*at)->export_);
			*at = (*at)->next;
		} else {
			at = &(*at)->next;
		}
	}
}

static void on_turn(struct sim *sim, void *ctx, uint64_t instance);

static void schedule(struct app_worker *worker)
{
	struct appliance *appliance = worker->appliance;
	worker->in_turn = true;
	worker->turn_wanted = false;
	sim_in(appliance->sim, rng_between(&appliance->rng, 200, 3000), on_turn, worker, appliance->instance);
}

static void on_turn_end(struct sim *sim, void *ctx, uint64_t instance)
{
	struct app_worker *worker = ctx;
	struct appliance *appliance = worker->appliance;
	struct pkt *pkt;
	if (instance != appliance->instance || !appliance->running)
		return;
	while ((pkt = ring_pop(&worker->tx)) != NULL) {
		net_send(&appliance->world->net, &appliance->ports[pkt->port_index].endpoint, pkt->data,
			 pkt->len_bytes);
		pkt_heap_free(pkt);
	}
	for (unsigned to = 0; to < appliance->scenario->worker_count; to++) {
		struct app_worker *other = &appliance->workers[to];
		while ((pkt = ring_pop(&worker->handoff_out[to])) != NULL) {
			worker->stats[WHERRY_LCORE_handoff_out]++;
			if (!ring_push(&other->handoff_in, pkt))
				drop(worker, pkt, WHERRY_LCORE_handoff_full);
			else
				worker_kick(other);
		}
	}
	worker->in_turn = false;
	worker->turn_end_ns = sim->now_ns;
	if (worker->turn_wanted)
		schedule(worker);
}

static uint64_t draw_stall_ns(struct appliance *appliance)
{
	if (!rng_chance(&appliance->rng, appliance->scenario->stall_ppm))
		return 0;
	return rng_below(&appliance->rng, appliance->scenario->stall_ns_max);
}

static void on_turn_work(struct sim *sim, void *ctx, uint64_t instance)
{
	struct app_worker *worker = ctx;
	struct appliance *appliance = worker->appliance;
	if (instance != appliance->instance || !appliance->running)
		return;
	run_jobs(worker);
	receive(worker);
	struct pkt *handed[HANDOFF_BURST];
	unsigned handed_count = 0;
	while (handed_count < HANDOFF_BURST && (handed[handed_count] = ring_pop(&worker->handoff_in)) != NULL)
		handed_count++;
	worker->stats[WHERRY_LCORE_handoff_in] += handed_count;
	aoe_input_burst(worker->aoe, handed, handed_count, worker->now_ns);
	poll_storage(worker);
	const unsigned sent = aoe_poll(worker->aoe, worker->now_ns);
	free_retired(appliance);
	if (worker->handoff_in.count || sent)
		worker->turn_wanted = true;
	uint64_t length_ns = rng_between(&appliance->rng, 500, 5000);
	length_ns += draw_stall_ns(appliance);
	sim_in(sim, length_ns, on_turn_end, worker, instance);
	const uint64_t due_ns = backend_engine_next_due_ns(worker->engine);
	if (due_ns != NEVER)
		world_kick_at(appliance->world, worker->index, due_ns);
}

/* The time is taken; what is done then may be done much later. */
static void on_turn(struct sim *sim, void *ctx, uint64_t instance)
{
	struct app_worker *worker = ctx;
	struct appliance *appliance = worker->appliance;
	if (instance != appliance->instance || !appliance->running)
		return;
	worker->now_ns = sim->now_ns;
	const uint64_t stall_ns = draw_stall_ns(appliance);
	if (stall_ns)
		sim_in(sim, stall_ns, on_turn_work, worker, instance);
	else
		on_turn_work(sim, worker, instance);
}

void worker_note_idle(const struct app_worker *worker, struct app_port *port)
{
	struct appliance *appliance = worker->appliance;
	if (worker->in_turn || port->rx.count)
		return;
	/* A real worker's idle turns are no events here. */
	const uint64_t now_ns = appliance->sim->now_ns, slept_ns = rng_below(&appliance->rng, IDLE_SLEEP_NS_MAX);
	if (now_ns - worker->turn_end_ns > slept_ns)
		arrival_poll(&port->arrival, now_ns - slept_ns, 0, 0);
}

void worker_kick(struct app_worker *worker)
{
	if (worker->in_turn)
		worker->turn_wanted = true;
	else
		schedule(worker);
}

void worker_wind_up(struct app_worker *worker)
{
	/* Far ahead: whatever waits for a time has waited long enough. */
	worker->now_ns += 10 * SEC;
	poll_storage(worker);
	aoe_poll(worker->aoe, worker->now_ns);
}

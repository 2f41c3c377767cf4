/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_COUNT_MAX 20000000ull
#define CALM_POLL_NS (10 * MS)
#define DAMAGED_CALM_NS (10 * SEC)

/* ---- accidents ---- */

static void on_dataplane_start(struct sim *sim, void *ctx, uint64_t arg)
{
	struct world *world = ctx;
	(void)sim;
	(void)arg;
	if (!world->appliance.running)
		appliance_start(&world->appliance);
}

static void on_control_start(struct sim *sim, void *ctx, uint64_t arg)
{
	(void)sim;
	(void)arg;
	control_start(&((struct world *)ctx)->control);
}

static void on_dataplane_crash(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct world *world = ctx;
	if (!world->appliance.running)
		return;
	appliance_crash(&world->appliance, false);
	sim_in(sim, restart_ns, on_dataplane_start, world, 0);
}

static void on_power_loss(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct world *world = ctx;
	if (!world->appliance.running)
		return;
	control_crash(&world->control);
	appliance_crash(&world->appliance, true);
	for (unsigned i = 0; i < world->scenario.volume_count; i++)
		oracle_power_loss(&world->volumes[i]);
	sim_in(sim, restart_ns, on_control_start, world, 0);
	sim_in(sim, restart_ns + 50 * MS, on_dataplane_start, world, 0);
}

static void on_control_crash(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct world *world = ctx;
	control_crash(&world->control);
	sim_in(sim, restart_ns, on_control_start, world, 0);
}

static void on_link_up(struct sim *sim, void *ctx, uint64_t arg)
{
	struct net_endpoint *endpoint = ctx;
	(void)arg;
	endpoint->down = false;
	sim_trace(sim, "link of %02x:%02x:%02x up", endpoint->mac[2], endpoint->mac[4], endpoint->mac[5]);
}

static void on_link_down(struct sim *sim, void *ctx, uint64_t draw)
{
	struct world *world = ctx;
	unsigned count = 0;
	for (struct net_endpoint *at = world->net.endpoints; at; at = at->next)
		count++;
	struct net_endpoint *endpoint = world->net.endpoints;
	for (uint64_t i = draw % count; i; i--)
		endpoint = endpoint->next;
	endpoint->down = true;
	sim_trace(sim, "link of %02x:%02x:%02x down", endpoint->mac[2], endpoint->mac[4], endpoint->mac[5]);
	sim_in(sim, (draw >> 8) % (2 * SEC), on_link_up, endpoint, 0);
}

static void on_replace(struct sim *sim, void *ctx, uint64_t export_)
{
	(void)sim;
	control_replace_export(&((struct world *)ctx)->control, (unsigned)export_);
}

static void on_operate(struct sim *sim, void *ctx, uint64_t export_)
{
	struct world *world = ctx;
	struct rng rng = sim_rng(sim, "operator", sim->now_ns);
	struct state_value value = {0};
	const enum state_kind kind = (enum state_kind)rng_below(&rng, STATE_KIND_COUNT);
	if (kind == STATE_CONFIG) {
		value.count = (uint16_t)snprintf((char *)value.config, sizeof value.config, "operator-%lu",
						 (unsigned long)sim->now_ns);
	} else if (rng_chance(&rng, 500000)) {
		for (unsigned i = 0; i < world->scenario.client_count; i++) {
			uint8_t mac[6];
			net_mac(mac, 'C', i, (unsigned)rng_below(&rng, CARD_MAX));
			if (rng_chance(&rng, 600000))
				state_list_add(&value, mac);
		}
	}
	control_operate(&world->control, (unsigned)export_, kind, &value);
}

struct accident_kind {
	event_fn *fn;
	unsigned count;
	uint64_t arg_low, arg_high;
};

static void plan_accidents(struct world *world)
{
	const struct scenario *scenario = &world->scenario;
	const struct accident_kind kinds[] = {
		{on_dataplane_crash, scenario->dataplane_crash_count, 50 * MS, 800 * MS},
		{on_power_loss, scenario->power_loss_count, 500 * MS, 2000 * MS},
		{on_control_crash, scenario->control_crash_count, 20 * MS, 1500 * MS},
		{on_link_down, scenario->link_down_count, 0, UINT64_MAX - 1},
		{on_replace, scenario->replace_count, 0, scenario->export_count - 1},
	};
	struct rng rng = sim_rng(&world->sim, "accidents", 0);
	/* One draw a statement: the order in which a compiler evaluates arguments is its own. */
	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		for (unsigned n = 0; n < kinds[i].count; n++) {
			const uint64_t at_ns = rng_between(&rng, 20 * MS, scenario->trouble_ns);
			const uint64_t arg = rng_between(&rng, kinds[i].arg_low, kinds[i].arg_high);
			sim_at(&world->sim, at_ns, kinds[i].fn, world, arg);
		}
	}
	for (unsigned i = 0; i < scenario->export_count; i++) {
		for (unsigned n = 0; scenario->exports[i].operated && n < 5; n++)
			sim_at(&world->sim, rng_between(&rng, 20 * MS, scenario->trouble_ns), on_operate, world, i);
	}
}

/* ---- the calm ---- */

/* The operator, too, leaves everything open: a client that is shut out for ever proves nothing. */
static void open_exports(struct world *world)
{
	const struct state_value open = {0};
	for (unsigned i = 0; i < world->scenario.export_count; i++) {
		for (unsigned kind = STATE_MASK; world->scenario.exports[i].operated && kind <= STATE_RESERVE; kind++) {
			if (world->control.held[i].state[kind].count)
				control_operate(&world->control, i, (enum state_kind)kind, &open);
		}
	}
}

static bool everything_is_up(struct world *world)
{
	if (!world->control.up || !world->appliance.running)
		return false;
	for (unsigned i = 0; i < world->scenario.worker_count; i++) {
		if (!world->appliance.workers[i].gate_open)
			return false;
	}
	for (const struct net_endpoint *endpoint = world->net.endpoints; endpoint; endpoint = endpoint->next) {
		if (endpoint->down)
			return false;
	}
	return true;
}

static void on_calm(struct sim *sim, void *ctx, uint64_t arg)
{
	struct world *world = ctx;
	const struct backend_fault_plan none = {0};
	(void)arg;
	memset(&world->net.weather, 0, sizeof world->net.weather);
	world->scenario.stall_ppm = 0;
	for (unsigned i = 0; i < world->scenario.volume_count; i++) {
		world->scenario.volumes[i].faulty = false;
		world->appliance.disks[i].latency.stall_ppm = 0;
		if (world->appliance.running && world->appliance.volumes[i].fault)
			backend_fault_set_plan(world->appliance.volumes[i].fault, &none);
	}
	if (!everything_is_up(world)) {
		sim_in(sim, CALM_POLL_NS, on_calm, world, 0);
		return;
	}
	if (!world->calm)
		sim_trace(sim, "calm");
	world->calm_ns = world->calm ? world->calm_ns : sim->now_ns;
	world->calm = true;
	open_exports(world);
	/* Damaged requests may have shut anybody out for good. */
	if (world->scenario.weather.deliver_damaged && sim->now_ns - world->calm_ns > DAMAGED_CALM_NS) {
		for (unsigned i = 0; i < world->scenario.client_count; i++)
			world->clients[i]->finished = true;
	}
	sim_in(sim, 500 * MS, on_calm, world, 0);
}

void world_kick_at(struct world *world, unsigned worker, uint64_t at_ns);

static void on_kick(struct sim *sim, void *ctx, uint64_t instance)
{
	struct app_worker *worker = ctx;
	(void)sim;
	if (worker->appliance->running && worker->appliance->instance == instance)
		worker_kick(worker);
}

void world_kick_at(struct world *world, unsigned worker, uint64_t at_ns)
{
	sim_at(&world->sim, at_ns, on_kick, &world->appliance.workers[worker], world->appliance.instance);
}

/* ---- the reckoning ---- */

static bool all_finished(const struct world *world)
{
	for (unsigned i = 0; i < world->scenario.client_count; i++) {
		if (!world->clients[i]->finished)
			return false;
	}
	return world->calm;
}

static void fail_unfinished(struct world *world)
{
	for (unsigned i = 0; i < world->scenario.client_count; i++) {
		if (!world->clients[i]->finished)
			sim_fail(&world->sim, "the run does not end: client %u has %u requests left%s", i,
				 world->clients[i]->ops_left, world->calm ? "" : ", and the trouble goes on");
	}
	sim_fail(&world->sim, "the run does not end: the trouble goes on");
}

static void check_end(struct world *world)
{
	struct sim *sim = &world->sim;
	const uint64_t patience_ns = sim->now_ns + 100 * SEC;
	while (!appliance_quiet(&world->appliance)) {
		if (!sim_step(sim) || sim->now_ns > patience_ns)
			sim_fail(sim, "the appliance never comes to rest");
	}
	if (world->scenario.weather.deliver_damaged) {
		appliance_crash(&world->appliance, false);
		return;
	}
	for (unsigned i = 0; i < world->scenario.volume_count; i++)
		oracle_check_disk(&world->volumes[i], world->appliance.disks[i].current);
	control_crash(&world->control);
	appliance_crash(&world->appliance, true);
	for (unsigned i = 0; i < world->scenario.volume_count; i++) {
		oracle_power_loss(&world->volumes[i]);
		oracle_check_disk(&world->volumes[i], world->appliance.disks[i].durable);
	}
	for (unsigned i = 0; i < world->scenario.export_count; i++) {
		for (unsigned kind = 0; kind < STATE_KIND_COUNT; kind++)
			state_told(&world->states[i], (enum state_kind)kind, &world->control.durable[i].state[kind],
				   sim->now_ns);
	}
}

static void play(struct world *world, const struct run_options *options)
{
	struct sim *sim = &world->sim;
	scenario_draw(&world->scenario, sim, options->op_count);
	scenario_trace(sim, &world->scenario);
	net_init(&world->net, sim);
	world->net.weather = world->scenario.weather;
	for (unsigned i = 0; i < world->scenario.volume_count; i++)
		oracle_init(&world->volumes[i], sim, i, world->scenario.volumes[i].sector_count,
			    world->scenario.volumes[i].write_back);
	for (unsigned i = 0; i < world->scenario.export_count; i++)
		state_init(&world->states[i], sim, i);
	control_init(&world->control, world);
	appliance_init(&world->appliance, world);
	appliance_start(&world->appliance);
	for (unsigned i = 0; i < world->scenario.client_count; i++)
		world->clients[i] = client_create(world, i);
	plan_accidents(world);
	sim_at(sim, world->scenario.trouble_ns, on_calm, world, 0);
	while (!all_finished(world)) {
		if (!sim_step(sim) || sim->event_count > EVENT_COUNT_MAX)
			fail_unfinished(world);
	}
	check_end(world);
	sim_trace(sim, "end: %lu reads, %lu writes, %lu repeats", (unsigned long)world->read_count,
		  (unsigned long)world->write_count, (unsigned long)world->retry_count);
}

void world_run(const struct run_options *options, struct run_result *result)
{
	struct world *world = calloc(1, sizeof *world);
	jmp_buf failed;
	if (!world)
		abort();
	memset(result, 0, sizeof *result);
	sim_init(&world->sim, options->seed);
	world->sim.verbose = options->verbose;
	world->sim.plant = options->plant;
	world->sim.failed = &failed;
	if (setjmp(failed) == 0) {
		play(world, options);
	} else {
		result->failed = true;
		memcpy(result->failure, world->sim.failure, sizeof result->failure);
	}
	result->trace_hash = world->sim.trace_hash;
	result->virtual_ns = world->sim.now_ns;
	result->event_count = world->sim.event_count;
	const uint64_t counts[] = {world->read_count,
				   world->write_count,
				   world->retry_count,
				   world->appliance.volume_stats_total[WHERRY_VOLUME_overlap_waits],
				   world->appliance.volume_stats_total[WHERRY_VOLUME_rmw_ops],
				   world->appliance.stats_total[WHERRY_LCORE_handoff_in]};
	memcpy(result->counts, counts, sizeof counts);
	sim_fini(&world->sim);
	free(world);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "tcp/tcp_priv.h"

#define EVENT_COUNT_MAX 8000000ull
#define CHECK_NS (250 * MS)
#define CALM_NS_MAX (600 * SEC)
/* For all that is left to be given up: a user timeout and its last gap, or keep-alive, and TIME-WAIT. */
#define REST_NS (260 * SEC)

/* ---- what others call ---- */

uint32_t stack_frame_flatten(struct sim *sim, const struct pkt *pkt, uint8_t *bytes, uint32_t room_bytes)
{
	uint32_t total = pkt->len_bytes;
	if (pkt_total_bytes(pkt) > room_bytes)
		sim_fail(sim, "a frame of %u bytes was sent", pkt_total_bytes(pkt));
	memcpy(bytes, pkt->data, pkt->len_bytes);
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		memcpy(bytes + total, pkt->frags[i].data, pkt->frags[i].len_bytes);
		total += pkt->frags[i].len_bytes;
	}
	const char *error = frame_error(bytes, total);
	if (error)
		sim_fail(sim, "%s", error);
	return total;
}

void stack_world_writes_ended(struct stack_world *world)
{
	for (unsigned v = 0; v < world->plot.volume_count; v++) {
		const struct volume_oracle *volume = &world->volumes[v];
		for (uint64_t i = 0; i < volume->write_count; i++) {
			if (volume->writes[i]->end_ns == NEVER)
				volume->writes[i]->end_ns = world->sim.now_ns;
		}
	}
}

static void on_lose_host(struct sim *sim, void *ctx, uint64_t host)
{
	struct stack_world *world = ctx;
	sim_trace(sim, "host %lu: switched off", (unsigned long)host);
	flows_harm_host(&world->flows, (unsigned)host);
	world->hosts[host]->ops->reboot(world->hosts[host]);
	initiator_host_lost(&world->initiators[host]);
}

void stack_world_lose_host(struct stack_world *world, unsigned host)
{
	sim_in(&world->sim, 0, on_lose_host, world, host);
}

/* Sent and not acknowledged, in a state in which that is somebody's concern. */
static bool waits(const struct tcp_conn *conn)
{
	return conn->node.in_table && conn->sent_count && conn->state >= TCP_ESTABLISHED && !conn->finished;
}

void stack_world_check_tcp(struct stack_world *world, const struct tcp_lcore *tcp, uint64_t clock_base_ns,
			   const char *who, unsigned host)
{
	for (uint32_t i = 0; i < tcp->limits.connection_count; i++) {
		const struct tcp_conn *conn = &tcp->conns[i];
		if (!conn->node.in_table)
			continue;
		const unsigned peer = host < HOST_MAX ? host : conn->node.key.remote.b[15] - 0u - host_number(0);
		const uint16_t port = host < HOST_MAX ? conn->node.key.local_port : conn->node.key.remote_port;
		if (peer >= HOST_MAX)
			continue;
		/* Who does not read stops the other side. */
		if (conn->rcv_edge - conn->rcv_nxt < 2u * conn->rcv_mss || conn->paused)
			flows_harm_port(&world->flows, peer, port);
		if (!waits(conn))
			continue;
		const uint64_t progress_ns = conn->progress_ns - clock_base_ns;
		const uint64_t late_ns = flows_overdue_ns(&world->flows, peer, port, progress_ns);
		if (late_ns)
			sim_fail(&world->sim,
				 "%s %u: connection of host %u, port %u has not got on since %.3f s: %.3f s late, "
				 "%u segments out, window %u, timer %u, backoff %u",
				 who, host, peer, port, (double)progress_ns / 1e9, (double)late_ns / 1e9,
				 conn->sent_count, conn->snd_wnd, conn->timer, conn->backoff);
	}
}

/* ---- the referee's rounds ---- */

static uint64_t drop_count(const struct target_worker *worker)
{
	static const enum wherry_lcore_stat stats[] = {
		WHERRY_LCORE_handoff_full,        WHERRY_LCORE_net_drop_no_neighbour, WHERRY_LCORE_net_drop_hold_full,
		WHERRY_LCORE_net_drop_no_buffer,  WHERRY_LCORE_tcp_drop_held,         WHERRY_LCORE_tcp_drop_no_packet,
		WHERRY_LCORE_tcp_drop_no_segment, WHERRY_LCORE_tcp_drop_no_connection};
	uint64_t count = 0;
	for (unsigned i = 0; i < sizeof stats / sizeof stats[0]; i++)
		count += worker->stats[stats[i]];
	return count;
}

static void check_target(struct stack_world *world)
{
	struct target *target = &world->target;
	if (target->state == TARGET_DOWN || target->state == TARGET_LOADING) {
		flows_harm_all(&world->flows);
		return;
	}
	for (unsigned i = 0; i < world->plot.worker_count; i++) {
		struct target_worker *worker = &target->workers[i];
		/* What was dropped for want of room was not answered, either. */
		if (drop_count(worker) != worker->drops_seen)
			flows_harm_all(&world->flows);
		worker->drops_seen = drop_count(worker);
		stack_world_check_tcp(world, worker->tcp, target->clock_base_ns, "target, worker", HOST_MAX);
	}
}

static void on_check(struct sim *sim, void *ctx, uint64_t arg)
{
	struct stack_world *world = ctx;
	(void)arg;
	check_target(world);
	for (unsigned i = 0; i < world->plot.host_count; i++)
		world->hosts[i]->ops->check(world->hosts[i]);
	sim_in(sim, CHECK_NS, on_check, world, 0);
}

/* ---- accidents ---- */

static void on_start(struct sim *sim, void *ctx, uint64_t arg)
{
	struct stack_world *world = ctx;
	(void)sim;
	(void)arg;
	if (world->target.state == TARGET_DOWN)
		target_start(&world->target);
}

static void on_kill(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct stack_world *world = ctx;
	target_crash(&world->target, false);
	sim_in(sim, restart_ns, on_start, world, 0);
}

static void on_power_loss(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct stack_world *world = ctx;
	if (world->target.state == TARGET_DOWN)
		return;
	target_crash(&world->target, true);
	for (unsigned i = 0; i < world->plot.volume_count; i++)
		oracle_power_loss(&world->volumes[i]);
	sim_in(sim, restart_ns, on_start, world, 0);
}

static void on_restart(struct sim *sim, void *ctx, uint64_t restart_ns)
{
	struct stack_world *world = ctx;
	target_drain(&world->target);
	/* The drain takes up to five seconds. */
	for (uint64_t i = 0; i < 8; i++)
		sim_in(sim, restart_ns + i * SEC, on_start, world, 0);
}

static void on_link_up(struct sim *sim, void *ctx, uint64_t arg)
{
	struct fabric_end *end = ctx;
	(void)arg;
	end->down = false;
	sim_trace(sim, "link of %02x %02x up", end->mac[4], end->mac[5]);
}

static void on_link_down(struct sim *sim, void *ctx, uint64_t draw)
{
	struct stack_world *world = ctx;
	unsigned count = 0;
	for (struct fabric_end *at = world->fabric.ends; at; at = at->next)
		count++;
	struct fabric_end *end = world->fabric.ends;
	for (uint64_t i = draw % count; i; i--)
		end = end->next;
	end->down = true;
	sim_trace(sim, "link of %02x %02x down", end->mac[4], end->mac[5]);
	/* Mostly short, sometimes as long as anybody is patient. */
	sim_in(sim, (draw >> 8) % ((draw >> 40) % 4 ? 3 * SEC : 40 * SEC), on_link_up, end, 0);
}

static void on_move(struct sim *sim, void *ctx, uint64_t draw)
{
	struct stack_world *world = ctx;
	struct host *host = world->hosts[draw % world->plot.host_count];
	sim_trace(sim, "host %u: has another MAC address", host->index);
	host->ops->move(host);
}

static void on_path(struct sim *sim, void *ctx, uint64_t draw)
{
	struct stack_world *world = ctx;
	static const uint16_t mtus[] = {9000, 1500, 1492, 1400, 1300, 1280};
	struct router *router = &world->router;
	uint16_t mtu = mtus[draw % 6];
	router->path_mtu = mtu < world->plot.mtu ? mtu : world->plot.mtu;
	router->manner = (enum router_manner)((draw >> 8) % 4 == 3 ? 0 : (draw >> 8) % 4);
	sim_trace(sim, "router: path MTU %u, %s", router->path_mtu,
		  router->manner == ROUTER_TELLS    ? "tells"
		  : router->manner == ROUTER_SILENT ? "silent"
						    : "no MTU");
}

static void on_fail_over(struct sim *sim, void *ctx, uint64_t arg)
{
	(void)sim;
	(void)arg;
	router_fail_over(&((struct stack_world *)ctx)->router);
}

static void on_host_loss(struct sim *sim, void *ctx, uint64_t draw)
{
	struct stack_world *world = ctx;
	(void)sim;
	stack_world_lose_host(world, (unsigned)(draw % world->plot.host_count));
}

struct accident_kind {
	event_fn *fn;
	unsigned count;
	uint64_t arg_low, arg_high;
};

static void plan_accidents(struct stack_world *world)
{
	const struct stack_plot *plot = &world->plot;
	const struct accident_kind kinds[] = {
		{on_kill, plot->kill_count, 50 * MS, 800 * MS},
		{on_power_loss, plot->power_loss_count, 500 * MS, 2000 * MS},
		{on_restart, plot->restart_count, 50 * MS, 1000 * MS},
		{on_link_down, plot->link_down_count, 0, UINT64_MAX - 1},
		{on_move, plot->mac_change_count, 0, UINT64_MAX - 1},
		{on_path, plot->path_change_count, 0, UINT64_MAX - 1},
		{on_fail_over, plot->router_change_count, 0, 1},
		{on_host_loss, plot->host_loss_count, 0, UINT64_MAX - 1},
	};
	struct rng rng = sim_rng(&world->sim, "accidents", 0);
	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		for (unsigned n = 0; n < kinds[i].count; n++) {
			const uint64_t at_ns = rng_between(&rng, 20 * MS, plot->trouble_ns);
			const uint64_t arg = rng_between(&rng, kinds[i].arg_low, kinds[i].arg_high);
			sim_at(&world->sim, at_ns, kinds[i].fn, world, arg);
		}
	}
}

/* ---- the calm ---- */

static bool everything_is_up(struct stack_world *world)
{
	for (const struct fabric_end *end = world->fabric.ends; end; end = end->next) {
		if (end->down)
			return false;
	}
	return world->target.state == TARGET_SERVING;
}

/* The last frame that lay about somewhere has arrived. */
static void on_router_calm(struct sim *sim, void *ctx, uint64_t arg)
{
	(void)sim;
	(void)arg;
	router_calm(&((struct stack_world *)ctx)->router);
}

static void on_calm(struct sim *sim, void *ctx, uint64_t arg)
{
	struct stack_world *world = ctx;
	(void)arg;
	memset(&world->fabric.weather, 0, sizeof world->fabric.weather);
	target_calm(&world->target);
	for (unsigned i = 0; i < world->plot.volume_count; i++)
		world->plot.volumes[i].faulty = false;
	world->plot.stall_ppm = 0;
	if (!everything_is_up(world)) {
		sim_in(sim, 10 * MS, on_calm, world, 0);
		return;
	}
	sim_trace(sim, "calm");
	world->calm = true;
	sim_in(sim, world->plot.weather.stale_ns, on_router_calm, world, 0);
	world->calm_ns = sim->now_ns;
}

/* ---- the reckoning ---- */

static bool all_finished(const struct stack_world *world)
{
	for (unsigned i = 0; i < world->plot.host_count; i++) {
		if (!world->initiators[i].finished)
			return false;
	}
	return world->calm;
}

static void step(struct stack_world *world)
{
	if (!sim_step(&world->sim) || world->sim.event_count > EVENT_COUNT_MAX)
		sim_fail(&world->sim, "the run does not end: %s",
			 world->calm ? "too many events" : "the trouble goes on");
}

static void fail_unfinished(struct stack_world *world)
{
	for (unsigned i = 0; i < world->plot.host_count; i++) {
		const struct initiator *initiator = &world->initiators[i];
		for (unsigned n = 0; n < DEPTH_MAX && !initiator->finished; n++) {
			const struct initiator_io *io = &initiator->ios[n];
			if (io->state == IO_SENT)
				sim_fail(&world->sim, "host %u: connection %u: no answer to %lu of %.3f s", i, io->conn,
					 (unsigned long)io->cookie, (double)io->sent_ns / 1e9);
		}
		if (!initiator->finished)
			sim_fail(&world->sim, "host %u does not come to an end: %u requests left", i,
				 initiator->ops_left);
	}
}

static void check_end(struct stack_world *world)
{
	struct sim *sim = &world->sim;
	const uint64_t until_ns = sim->now_ns + REST_NS;
	while (sim->now_ns < until_ns)
		step(world);
	const char *leak = target_leak(&world->target);
	if (leak)
		sim_fail(sim, "target: something is left: %s", leak);
	for (unsigned i = 0; i < world->plot.host_count; i++) {
		leak = world->hosts[i]->ops->leak(world->hosts[i]);
		if (leak)
			sim_fail(sim, "host %u: something is left: %s", i, leak);
		world->hosts[i]->ops->fini(world->hosts[i]);
	}
	for (unsigned i = 0; i < world->plot.volume_count; i++)
		oracle_check_disk(&world->volumes[i], world->target.disks[i].current);
	target_crash(&world->target, true);
	for (unsigned i = 0; i < world->plot.volume_count; i++) {
		oracle_power_loss(&world->volumes[i]);
		oracle_check_disk(&world->volumes[i], world->target.disks[i].durable);
	}
}

static void create(struct stack_world *world, const struct run_options *options)
{
	struct sim *sim = &world->sim;
	plot_draw(&world->plot, sim, options->op_count);
	plot_trace(sim, &world->plot);
	flows_init(&world->flows, sim);
	world->flows.slack_ns = world->plot.slack_ns;
	fabric_init(&world->fabric, sim, &world->flows);
	world->fabric.weather = world->plot.weather;
	router_init(&world->router, sim, &world->fabric, world->plot.mtu);
	for (unsigned i = 0; i < world->plot.volume_count; i++)
		oracle_init(&world->volumes[i], sim, i, world->plot.volumes[i].sector_count,
			    world->plot.volumes[i].write_back);
	target_init(&world->target, world);
	target_start(&world->target);
	for (unsigned i = 0; i < world->plot.host_count; i++) {
		world->hosts[i] =
			world->plot.hosts[i].kind == HOST_OWN ? own_host_create(world, i) : odd_host_create(world, i);
		initiator_create(&world->initiators[i], world, i);
	}
}

static void play(struct stack_world *world, const struct run_options *options)
{
	struct sim *sim = &world->sim;
	create(world, options);
	plan_accidents(world);
	sim_at(sim, world->plot.trouble_ns, on_calm, world, 0);
	sim_in(sim, CHECK_NS, on_check, world, 0);
	while (!all_finished(world)) {
		step(world);
		if (world->calm && sim->now_ns > world->calm_ns + CALM_NS_MAX)
			fail_unfinished(world);
	}
	check_end(world);
	sim_trace(sim, "end: %lu reads, %lu writes, %lu errors, %lu connections", (unsigned long)world->read_count,
		  (unsigned long)world->write_count, (unsigned long)world->error_count,
		  (unsigned long)world->connect_count);
}

void stack_world_run(const struct run_options *options, struct run_result *result)
{
	struct stack_world *world = calloc(1, sizeof *world);
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
	const uint64_t *stats = world->target.stats_total;
	const uint64_t counts[RUN_COUNT_MAX] = {world->read_count,
						world->write_count,
						world->error_count,
						world->connect_count,
						world->fabric.sent_count,
						world->fabric.lost_count,
						world->fabric.damaged_count,
						stats[WHERRY_LCORE_tcp_retransmits],
						stats[WHERRY_LCORE_tcp_timeouts],
						stats[WHERRY_LCORE_handoff_in] + stats[WHERRY_LCORE_carried_in]};
	memcpy(result->counts, counts, sizeof counts);
	sim_fini(&world->sim);
	free(world);
}

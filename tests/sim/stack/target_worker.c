/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker: surroundings of net/, tcp/ and nbd/, and the turn. */
#include <stdlib.h>
#include <string.h>

#include "net/priv.h"
#include "stack_world.h"
#include "target.h"
#include "wire/ipv4.h"

#define BURST 32u
#define TX_RING 8192u
#define HEARTBEAT_NS (20 * MS)
#define COPY_FLAG 1u /* of pkt->owner_lcore: for learning only */

bool frame_ring_push(struct frame_ring *ring, struct pkt *pkt)
{
	if (ring->count == ring->capacity)
		return false;
	ring->pkts[(ring->first + ring->count++) % ring->capacity] = pkt;
	return true;
}

struct pkt *frame_ring_pop(struct frame_ring *ring)
{
	if (ring->count == 0)
		return NULL;
	struct pkt *pkt = ring->pkts[ring->first];
	ring->first = (ring->first + 1) % ring->capacity;
	ring->count--;
	return pkt;
}

static void ring_make(struct sim *sim, struct frame_ring *ring, unsigned capacity)
{
	*ring = (struct frame_ring){.pkts = sim_alloc(sim, capacity * sizeof(struct pkt *)), .capacity = capacity};
}

/* ---- surroundings: what lcore/stack.c gives them ---- */

static struct pkt *env_alloc(void *ctx, uint16_t port_index)
{
	const struct pkt_pool pool = pkt_heap_pool(&((struct target_worker *)ctx)->target->heap);
	return pool.alloc(pool.ctx, port_index);
}

static void env_free(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	pkt_heap_free(pkt);
}

static void env_output(void *ctx, struct pkt *pkt)
{
	struct target_worker *worker = ctx;
	if (worker->target->zombie || !frame_ring_push(&worker->tx, pkt))
		pkt_heap_free(pkt);
}

static void env_tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	tcp_input(((struct target_worker *)ctx)->tcp, pkt, view, now_ns);
}

static void env_tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	tcp_icmp(((struct target_worker *)ctx)->tcp, icmp, now_ns);
}

static int env_path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
			 const struct ip_view *from)
{
	return net_path_open(((struct target_worker *)ctx)->net, path, local, remote, from);
}

static void env_tcp_output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	net_output(((struct target_worker *)ctx)->net, path, pkt, IP_PROTOCOL_TCP, ecn, now_ns);
}

static uint16_t env_path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	return net_path_mtu(((struct target_worker *)ctx)->net, path, now_ns);
}

static void env_path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	struct target_worker *worker = ctx;
	if (worker->target->sim->plant != PLANT_DEAF_TO_MTU)
		net_path_set_mtu(worker->net, remote, mtu, now_ns);
}

static void env_path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	net_path_confirm(((struct target_worker *)ctx)->net, path, now_ns);
}

static void *env_memory_alloc(void *ctx, uint64_t bytes)
{
	((struct target_worker *)ctx)->target->memory_count++;
	return aligned_alloc(4096, bytes);
}

static void env_memory_free(void *ctx, void *memory)
{
	((struct target_worker *)ctx)->target->memory_count--;
	free(memory);
}

static void create_stack(struct target_worker *worker, const uint8_t secret[32])
{
	struct target *target = worker->target;
	const struct stack_plot *plot = target->plot;
	const struct pkt_pool pool = {worker, env_alloc, env_free};
	struct net_env net = {.ctx = worker,
			      .pool = pool,
			      .output = env_output,
			      .tcp_input = env_tcp_input,
			      .tcp_icmp = env_tcp_icmp,
			      .lcore_stats = worker->stats};
	memcpy(&net.secret, secret, sizeof net.secret);
	net.secret ^= worker->index;
	struct tcp_env tcp = {.ctx = worker,
			      .pool = pool,
			      .path_open = env_path_open,
			      .output = env_tcp_output,
			      .path_mtu = env_path_mtu,
			      .path_set_mtu = env_path_set_mtu,
			      .path_confirm = env_path_confirm,
			      .worker_index = worker->index,
			      .worker_count = plot->worker_count,
			      .lcore_stats = worker->stats};
	memcpy(tcp.secret, secret, sizeof tcp.secret);
	const struct nbd_env nbd = {.ctx = worker,
				    .now_ns = &worker->now_ns,
				    .lcore_stats = worker->stats,
				    .alloc = env_memory_alloc,
				    .free = env_memory_free};
	worker->net = net_lcore_create(&net, 64, 32);
	worker->tcp = tcp_lcore_create(&tcp, &plot->tcp, &plot->settings);
	worker->nbd = nbd_lcore_create(&nbd, &plot->nbd);
	if (!worker->net || !worker->tcp || !worker->nbd)
		sim_fail(target->sim, "no memory for a stack");
}

void target_worker_create(struct target *target, unsigned index)
{
	struct sim *sim = target->sim;
	const struct stack_plot *plot = target->plot;
	struct target_worker *worker = &target->workers[index];
	uint8_t secret[32];
	memset(worker, 0, sizeof *worker);
	worker->target = target;
	worker->index = index;
	worker->kick_ns = NEVER;
	worker->now_ns = sim->now_ns + target->clock_base_ns;
	worker->engine = backend_engine_create(0);
	worker->bounce = vol_bounce_pool_create(plot->bounce_count, 16384);
	if (!worker->engine || !worker->bounce)
		sim_fail(sim, "no memory for a worker");
	struct rng rng = sim_rng(sim, "secret", target->instance);
	for (unsigned i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)rng_next(&rng);
	carry_init(&target->carries[index], target->carries, &worker->stats[WHERRY_LCORE_carried_out],
		   &worker->stats[WHERRY_LCORE_carried_in]);
	create_stack(worker, secret);
	ring_make(sim, &worker->tx, TX_RING);
	ring_make(sim, &worker->rx, plot->rx_ring_frames);
	ring_make(sim, &worker->handoff_in, plot->handoff_ring_frames);
}

/* ---- frames ---- */

static void drop(struct target_worker *worker, struct pkt *pkt, enum wherry_lcore_stat stat)
{
	worker->stats[stat]++;
	pkt_heap_free(pkt);
}

static void hand_over(struct target_worker *worker, unsigned to, struct pkt *pkt, uint16_t flag)
{
	struct target_worker *other = &worker->target->workers[to];
	pkt->owner_lcore = flag;
	if (frame_ring_push(&other->handoff_in, pkt))
		target_worker_kick(other);
	else
		drop(worker, pkt, WHERRY_LCORE_handoff_full);
}

static void copy_to_others(struct target_worker *worker, const struct pkt *pkt)
{
	struct target *target = worker->target;
	for (unsigned to = 0; to < target->plot->worker_count; to++) {
		if (to != worker->index)
			hand_over(worker, to, pkt_heap_make(&target->heap, pkt->data, pkt->len_bytes, 0, 0), COPY_FLAG);
	}
}

static void input(struct target_worker *worker, struct pkt *pkt, const struct eth_view *eth)
{
	if (net_input(worker->net, pkt, eth, worker->now_ns) != NET_TAKEN)
		drop(worker, pkt, WHERRY_LCORE_drop_eth_type);
}

static void sort_frame(struct target_worker *worker, struct pkt *pkt)
{
	struct target *target = worker->target;
	struct eth_filter filter = {0};
	struct eth_view view;
	uint32_t hash;
	memcpy(filter.mac, target->end.mac, 6);
	const enum wherry_lcore_stat refusal = eth_parse(pkt->data, pkt->len_bytes, &filter, &view);
	if (refusal != ETH_ACCEPT || target->state == TARGET_LOADING) {
		drop(worker, pkt, refusal != ETH_ACCEPT ? refusal : WHERRY_LCORE_drop_gate_closed);
		return;
	}
	if (view.type != 0x0800 && view.type != 0x0806 && view.type != 0x86dd) {
		drop(worker, pkt, WHERRY_LCORE_drop_eth_type);
		return;
	}
	const unsigned count = target->plot->worker_count;
	if (count > 1 && net_frame_is_for_all(pkt->data, pkt->len_bytes, &view)) {
		copy_to_others(worker, pkt);
	} else if (count > 1 && net_peek_flow(pkt->data, pkt->len_bytes, &view, &hash) &&
		   hash % count != worker->index) {
		hand_over(worker, hash % count, pkt, 0);
		return;
	}
	input(worker, pkt, &view);
}

static void take_handed(struct target_worker *worker, struct pkt *pkt)
{
	struct eth_filter filter = {0};
	struct eth_view view;
	memcpy(filter.mac, worker->target->end.mac, 6);
	if (eth_parse(pkt->data, pkt->len_bytes, &filter, &view) != ETH_ACCEPT) {
		pkt_heap_free(pkt);
	} else if (pkt->owner_lcore == COPY_FLAG) {
		net_learn(worker->net, pkt, &view, worker->now_ns);
		pkt_heap_free(pkt);
	} else {
		input(worker, pkt, &view);
	}
}

/* ---- the turn ---- */

static void poll_storage(struct target_worker *worker)
{
	struct target *target = worker->target;
	backend_engine_poll(worker->engine, worker->now_ns);
	for (unsigned i = 0; i < target->plot->volume_count; i++) {
		if (target->plot->volumes[i].home == worker->index)
			disk_poll(&target->disks[i]);
	}
}

static unsigned stack_poll(struct target_worker *worker)
{
	struct carry *carry = &worker->target->carries[worker->index];
	unsigned work = 0;
	if (carry_is_pending(carry))
		work += carry_poll(carry);
	work += nbd_poll(worker->nbd, worker->now_ns);
	work += tcp_poll(worker->tcp, worker->now_ns);
	work += net_poll(worker->net, worker->now_ns);
	return work;
}

void target_worker_flush(struct target_worker *worker)
{
	struct target *target = worker->target;
	uint8_t bytes[FABRIC_FRAME_BYTES_MAX];
	struct pkt *pkt;
	while ((pkt = frame_ring_pop(&worker->tx)) != NULL) {
		const uint32_t total = stack_frame_flatten(target->sim, pkt, bytes, sizeof bytes);
		pkt_heap_free(pkt);
		fabric_send(&target->world->fabric, &target->end, bytes, total);
	}
}

static void kick_carriers(struct target *target)
{
	for (unsigned i = 0; i < target->plot->worker_count; i++) {
		if (carry_is_pending(&target->carries[i]))
			target_worker_kick(&target->workers[i]);
	}
}

static void on_turn(struct sim *sim, void *ctx, uint64_t instance);

static void schedule(struct target_worker *worker)
{
	struct target *target = worker->target;
	worker->in_turn = true;
	worker->turn_wanted = false;
	sim_in(target->sim, rng_between(&target->rng, 200, 3000), on_turn, worker, target->instance);
}

static bool is_stale(const struct target *target, uint64_t instance)
{
	return instance != target->instance || target->state == TARGET_DOWN;
}

static uint64_t next_due_ns(const struct target_worker *worker)
{
	const struct target *target = worker->target;
	uint64_t due_ns = tcp_next_due_ns(worker->tcp);
	if (backend_engine_next_due_ns(worker->engine) < due_ns)
		due_ns = backend_engine_next_due_ns(worker->engine);
	if (worker->net->next_due_ns < due_ns)
		due_ns = worker->net->next_due_ns;
	if (due_ns == NEVER || due_ns < target->clock_base_ns)
		return due_ns == NEVER ? NEVER : 0;
	return due_ns - target->clock_base_ns;
}

static void on_turn_end(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target_worker *worker = ctx;
	struct target *target = worker->target;
	if (is_stale(target, instance))
		return;
	target_worker_flush(worker);
	kick_carriers(target);
	worker->in_turn = false;
	if (worker->rx.count || worker->handoff_in.count)
		worker->turn_wanted = true;
	const uint64_t due_ns = next_due_ns(worker);
	if (worker->turn_wanted || due_ns <= sim->now_ns)
		schedule(worker);
	else
		target_worker_kick_at(worker,
				      due_ns < sim->now_ns + HEARTBEAT_NS ? due_ns : sim->now_ns + HEARTBEAT_NS);
}

static uint64_t draw_stall_ns(struct target *target)
{
	if (!rng_chance(&target->rng, target->plot->stall_ppm) || target->world->calm)
		return 0;
	return rng_below(&target->rng, target->plot->stall_ns_max);
}

static void on_turn_work(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target_worker *worker = ctx;
	struct target *target = worker->target;
	struct pkt *pkt;
	if (is_stale(target, instance))
		return;
	for (unsigned i = 0; i < BURST && (pkt = frame_ring_pop(&worker->rx)); i++)
		sort_frame(worker, pkt);
	if (worker->handoff_in.count)
		worker->now_ns = sim->now_ns + target->clock_base_ns;
	for (unsigned i = 0; i < BURST && (pkt = frame_ring_pop(&worker->handoff_in)); i++)
		take_handed(worker, pkt);
	poll_storage(worker);
	if (stack_poll(worker))
		worker->turn_wanted = true;
	sim_in(sim, rng_between(&target->rng, 500, 5000) + draw_stall_ns(target), on_turn_end, worker, instance);
}

/* The time is taken; what is done then may be done much later. */
static void on_turn(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target_worker *worker = ctx;
	struct target *target = worker->target;
	if (is_stale(target, instance))
		return;
	worker->now_ns = sim->now_ns + target->clock_base_ns;
	const uint64_t stall_ns = draw_stall_ns(target);
	if (stall_ns)
		sim_in(sim, stall_ns, on_turn_work, worker, instance);
	else
		on_turn_work(sim, worker, instance);
}

void target_worker_kick(struct target_worker *worker)
{
	if (worker->in_turn)
		worker->turn_wanted = true;
	else
		schedule(worker);
}

static void on_kick(struct sim *sim, void *ctx, uint64_t instance)
{
	struct target_worker *worker = ctx;
	if (is_stale(worker->target, instance))
		return;
	if (sim->now_ns >= worker->kick_ns)
		worker->kick_ns = NEVER;
	target_worker_kick(worker);
}

void target_worker_kick_at(struct target_worker *worker, uint64_t at_ns)
{
	struct target *target = worker->target;
	if (worker->kick_ns <= at_ns && worker->kick_ns > target->sim->now_ns)
		return;
	worker->kick_ns = at_ns;
	sim_at(target->sim, at_ns, on_kick, worker, target->instance);
}

void target_worker_wind_up(struct target_worker *worker)
{
	/* Far ahead: whatever waits for a time has waited long enough. */
	worker->now_ns += 10 * SEC;
	poll_storage(worker);
	if (worker->tcp) {
		stack_poll(worker);
		return;
	}
	if (carry_is_pending(&worker->target->carries[worker->index]))
		carry_poll(&worker->target->carries[worker->index]);
	nbd_poll(worker->nbd, worker->now_ns);
}

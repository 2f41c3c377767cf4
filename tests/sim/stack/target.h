/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane with its TCP/IP stack and NBD, as far as it can be run without
 * DPDK: real net/, tcp/, nbd/, carry, volumes, engines and fault injectors, wired
 * and turned as lcore/stack.c and lcore/loop.c do.  One port is polled by one
 * worker; the others get their flows through bounded rings.
 *
 * A crash takes everything that is not on disk.  The objects of the process are
 * then wound up where nobody sees it, which shows that requests end exactly once
 * and that no packet, buffer or session is lost.
 */
#pragma once

#include "lcore/carry.h"
#include "net/net.h"
#include "pkt/pkt_heap.h"
#include "plot.h"

struct stack_world;
struct target;

struct frame_ring {
	struct pkt **pkts;
	unsigned first, count, capacity;
};

struct target_worker {
	struct target *target;
	unsigned index;
	uint64_t now_ns; /* by its own clock */
	struct net_lcore *net;
	struct tcp_lcore *tcp;
	struct nbd_lcore *nbd;
	struct backend_engine *engine;
	struct vol_bounce_pool *bounce;
	struct frame_ring rx, handoff_in, tx;
	bool turn_wanted, in_turn;
	uint64_t kick_ns; /* the next one that is on its way */
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t drops_seen;
	struct nbd_export *exports[VOLUME_MAX];
};

struct target_volume {
	struct volume volume;
	struct backend *fault;
};

enum target_state { TARGET_DOWN, TARGET_LOADING, TARGET_SERVING, TARGET_DRAINING };

struct target {
	struct stack_world *world;
	struct sim *sim;
	const struct stack_plot *plot;
	struct rng rng;
	enum target_state state;
	bool zombie;
	uint64_t instance;
	uint64_t clock_base_ns; /* its clock is virtual time and this */
	uint64_t drain_ns;
	struct disk disks[VOLUME_MAX];
	struct fabric_end end;
	/* of the process: */
	struct pkt_heap heap;
	const struct net_config *config;
	struct target_worker workers[WORKER_MAX];
	struct carry carries[WORKER_MAX];
	struct target_volume volumes[VOLUME_MAX];
	uint64_t memory_count; /* blocks given to nbd/ */
	uint64_t stats_total[WHERRY_LCORE_STAT_COUNT];
};

void target_init(struct target *target, struct stack_world *world);
/* The process starts; it serves when the control plane has told it what. */
void target_start(struct target *target);
/* It is killed; with the power, the caches of the disks go too. */
void target_crash(struct target *target, bool power_loss);
/* It is asked to stop: ends what is under way, resets its connections, and is down. */
void target_drain(struct target *target);
/* Fault injectors stop. */
void target_calm(struct target *target);
/* Everything of every connection is gone, and every pool is full again; NULL, or what is not. */
const char *target_leak(struct target *target);

/* target_worker.c */
void target_worker_create(struct target *target, unsigned index);
void target_worker_kick(struct target_worker *worker);
void target_worker_kick_at(struct target_worker *worker, uint64_t at_ns);
/* One round of winding up. */
void target_worker_wind_up(struct target_worker *worker);
void target_worker_flush(struct target_worker *worker);
bool frame_ring_push(struct frame_ring *ring, struct pkt *pkt);
struct pkt *frame_ring_pop(struct frame_ring *ring);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane, as far as it can be run without DPDK: the real AoE targets,
 * volumes, engines and fault injectors, driven by worker loops that are modelled
 * on lcore/ (receive, hand-off through bounded rings, poll, transmit), with
 * threads that are preempted between two steps of a turn.
 *
 * A crash takes everything that is not on disk.  The objects of the process are
 * then wound up where nobody sees it: every I/O of theirs fails without touching
 * the disk and what they send goes nowhere.  So each crash also shows that
 * requests end exactly once and that no packet or bounce buffer is lost.
 */
#pragma once

#include "aoe/aoe.h"
#include "control.h"
#include "disk.h"
#include "lcore/arrival.h"
#include "net.h"
#include "net/eth.h"
#include "pkt/pkt_heap.h"
#include "scenario.h"

struct world;
struct appliance;

/* A bounded ring of packets. */
struct pkt_ring {
	struct pkt **pkts;
	unsigned first, count, capacity;
};

/* Something that the main lcore wants done between two turns. */
struct worker_job {
	struct worker_job *next;
	void (*run)(struct appliance *appliance, unsigned worker, void *ctx);
	void *ctx;
};

struct app_worker {
	struct appliance *appliance;
	unsigned index;
	uint64_t now_ns;
	struct aoe_lcore *aoe;
	struct backend_engine *engine;
	struct vol_bounce_pool *bounce;
	struct pkt_ring handoff_in, handoff_out[WORKER_MAX], tx;
	struct worker_job *jobs_first, *jobs_last;
	bool turn_wanted, in_turn, gate_open;
	uint64_t turn_end_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t client_stats[WHERRY_CLIENT_STAT_COUNT];
};

struct app_volume {
	struct volume volume;
	struct backend *fault; /* NULL: the disk itself */
};

struct app_port {
	struct net_endpoint endpoint;
	struct eth_filter filter;
	struct pkt_ring rx;
	struct arrival arrival;
};

struct retired_export {
	struct retired_export *next;
	struct aoe_export *export_;
};

struct appliance {
	struct world *world;
	struct sim *sim;
	const struct scenario *scenario;
	struct rng rng;
	bool running, zombie;
	uint64_t instance; /* counts starts: what belongs to an older one is stale */
	struct disk disks[VOLUME_MAX];
	struct app_port ports[PORT_MAX];
	struct aoe_port aoe_ports[WHERRY_PORT_COUNT_MAX];
	/* of the process: */
	struct pkt_heap heap;
	struct app_worker workers[WORKER_MAX];
	struct app_volume volumes[VOLUME_MAX];
	struct aoe_export *exports[EXPORT_MAX];
	struct retired_export *retired;
	struct persist_ticket *tickets; /* accepted, not answered */
	uint64_t stats_total[WHERRY_LCORE_STAT_COUNT], volume_stats_total[WHERRY_VOLUME_STAT_COUNT];
};

void appliance_init(struct appliance *appliance, struct world *world);
/* The process starts: gate closed, no exports. */
void appliance_start(struct appliance *appliance);
/* It is killed; with the power, the caches of the disks go too. */
void appliance_crash(struct appliance *appliance, bool power_loss);
/* Run on the worker between two turns. */
void appliance_post(struct appliance *appliance, unsigned worker,
		    void (*run)(struct appliance *appliance, unsigned worker, void *ctx), void *ctx);
unsigned appliance_export_home(const struct appliance *appliance, unsigned export_);
/* In a job on the export's home: serve it (anew) as the message says. */
void appliance_export_put(struct appliance *appliance, unsigned export_, const struct wherry_ctl_aoe_export_put *put,
			  bool advertise);
/* In a job: let frames in. */
void appliance_open_gate(struct appliance *appliance, unsigned worker);
/* Nothing under way anywhere inside. */
bool appliance_quiet(const struct appliance *appliance);

/* worker.c */
void worker_create(struct appliance *appliance, unsigned index);
void worker_destroy(struct app_worker *worker);
/* A frame is about to arrive at a port of the worker: if that does nothing, it has polled in vain until just now. */
void worker_note_idle(const struct app_worker *worker, struct app_port *port);
/* Let it take a turn soon. */
void worker_kick(struct app_worker *worker);
/* Of a killed process: one round of winding up. */
void worker_wind_up(struct app_worker *worker);
bool ring_push(struct pkt_ring *ring, struct pkt *pkt);
struct pkt *ring_pop(struct pkt_ring *ring);

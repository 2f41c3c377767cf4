/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker lcore and how the main lcore reaches it.
 *
 * Main -> worker: a job is a function to run on the worker between two loop
 * turns, and a function to run on the main lcore afterwards.  Because a worker
 * runs jobs at a point where it holds no pointer into shared tables, "the job has
 * run on every worker" is the grace period after which a replaced table or a
 * removed object may be freed.  Nothing else synchronises configuration.
 *
 * Worker -> main: the same struct the other way round (plane_post_main), with an
 * eventfd that wakes the main lcore's event loop.
 *
 * Neither direction blocks or allocates on a worker: a worker posts jobs that
 * the caller pre-allocated (request slots, pools).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "aoe/aoe.h"
#include "backend/engine.h"
#include "nbd/nbd.h"
#include "net/net.h"
#include "tcp/tcp.h"
#include "volume/volume.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

/* Durable changes that a worker may have under way: what stands behind worker_set_persist refuses more. */
#define WORKER_CHANGE_COUNT 64u

struct worker;

struct job {
	struct job *next;
	void (*run)(struct worker *worker, struct job *job); /* on the worker; NULL for a job posted to main */
	void (*finished)(struct job *job);                   /* on main, after run; may free the job */
	struct worker *worker;
};

/* Who writes: the worker, unless stated.  Who reads: the worker; main reads stats relaxed. */
struct worker {
	unsigned index;    /* 0 .. worker count - 1 */
	unsigned lcore_id; /* EAL's */
	unsigned numa_node;
	uint64_t now_ns;      /* sampled once per turn, CLOCK_MONOTONIC scale */
	uint64_t now_real_us; /* UNIX time of the turn, for first/last seen */
	struct aoe_lcore *aoe;
	struct net_lcore *net;
	struct tcp_lcore *tcp;
	struct nbd_lcore *nbd;
	struct carry *carry; /* to volumes on other workers */
	struct backend_engine *engine;
	struct vol_bounce_pool *bounce;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	struct worker_private *priv; /* lcore/'s own: rings, ports, client table, route table */
};

/* All workers of the process, 1 .. WHERRY_LCORE_COUNT_MAX - 1.  Constant once they are created; any thread. */
unsigned worker_count(void);
struct worker *worker_at(unsigned index);

/* Descriptions for LCORE_LIST: the workers by their index, then the main lcore with index worker_count().
 * All fields but exports and volumes, which are ctl/'s knowledge.  Main lcore. */
unsigned lcore_count(void);
void lcore_item(unsigned index, struct wherry_ctl_lcore_item *item);

/* Queue a job for a worker.  Main lcore.  Never fails: jobs are linked, not copied. */
void worker_post(struct worker *worker, struct job *job);
/* Queue a job for the main lcore; only its finished function is called.  Any worker. */
void worker_post_main(struct worker *worker, struct job *job);
/* Descriptor that becomes readable when jobs wait for main, and the function that runs them.  Main lcore. */
int worker_main_fd(void);
void worker_main_run(void);

/*
 * The table that says which worker serves (shelf, slot).  Immutable once
 * published; every worker reads it at any time between jobs.
 */
struct route_table;
struct route_entry {
	uint16_t shelf;
	uint8_t slot;
	uint8_t worker_index;
};
struct route_table *route_table_create(const struct route_entry *entries, unsigned count); /* NULL without memory */
void route_table_destroy(struct route_table *table);
/* Worker index, or -1 when nobody serves it. */
int route_table_lookup(const struct route_table *table, uint16_t shelf, uint8_t slot);
/* In a job: make the worker use this table from now on. */
void worker_set_routes(struct worker *worker, const struct route_table *table);
/* In a job: open (or close) the gate; while it is closed the worker drops and counts every frame. */
void worker_set_gate(struct worker *worker, bool open);
/* In a job: idle policy; sleeps grow up to sleep_us. */
void worker_set_idle(struct worker *worker, uint32_t spin_turns, uint32_t pause_turns, uint32_t sleep_us);
/* Persistence hook: called on the worker by aoe's persist; ctl/ sets it before the workers start. */
void worker_set_persist(int (*persist)(struct worker *worker, const struct aoe_persist *change));
/* Capture tap: NULL: off (the only cost is one test per burst).  In a job.  frame is valid during the call only. */
typedef void worker_tap_fn(struct worker *worker, void *ctx, uint16_t port_index, bool outgoing, const uint8_t *frame,
			   uint32_t len_bytes);
void worker_set_tap(struct worker *worker, worker_tap_fn *tap, void *ctx);

/* Clients seen by this worker; visit calls back for each.  In a job (the table is the worker's). */
struct client_record {
	uint8_t mac[6];
	uint16_t port_index, vlan;
	uint64_t first_seen_us, last_seen_us;
	uint64_t stats[WHERRY_CLIENT_STAT_COUNT];
};
unsigned worker_client_copy(struct worker *worker, struct client_record *to, unsigned max);

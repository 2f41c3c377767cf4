/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's private state, for the files of lcore/ only.
 *
 * Everything belongs to the worker's thread unless a field says otherwise.
 */
#pragma once

#include <rte_common.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lcore/arrival.h"
#include "lcore/carry.h"
#include "lcore/clients.h"
#include "lcore/clock.h"
#include "lcore/idle.h"
#include "lcore/joblist.h"
#include "lcore/stack.h"
#include "lcore/worker.h"
#include "lcore/workers.h"
#include "port/port.h"

#define RX_BURST 32u
#define RX_QUEUE_COUNT_MAX 256u       /* queues that one worker polls, over all ports */
#define HANDOFF_BURST 32u             /* frames gathered for another worker before they are passed on */
#define HANDOFF_RING_FRAMES 1024u     /* of each ordered pair of workers; a power of two */
#define HANDOFF_RING_FRAMES_MANY 256u /* the same when there are more than 8 workers */
#define TX_BATCH 32u                  /* answers gathered before they are handed to the driver within a turn */
#define TX_REST_NS 1000000ull         /* after which a lane is at rest */
#define TX_RECLAIMS 4u                /* of a lane at rest */
#define TX_LANE_PACKETS 512u          /* answers that wait while a transmit ring is full */
#define TX_STALL_NS 100000000ull      /* a lane that did not move for so long is emptied */
#define ENGINE_RING_ENTRIES 1024u
#define JOBS_A_TURN 16u      /* handing an export over, the most frequent of large numbers, takes about a microsecond */
#define SLEEP_US_WITH_IO 20u /* longest sleep while the engine has I/O under way */

struct rx_assignment {
	uint8_t port_index;
	uint16_t queue;
	struct arrival arrival;
};

/* Answers on their way to one port.  On the worker that owns a transmit queue of the port. */
struct tx_lane {
	uint16_t count;
	uint16_t queue;
	uint8_t owner;       /* worker whose queue carries this worker's answers: itself, or another */
	uint8_t reclaims;    /* to be made yet; 0 where another worker has the queue */
	uint64_t sent_ns;    /* when frames went out last */
	uint64_t stalled_ns; /* since when the driver has taken nothing, 0 while it does */
	struct pkt *pkts[TX_LANE_PACKETS];
};

struct handoff_out {
	unsigned count;
	void *frames[HANDOFF_BURST];
};

/* How far a worker's thread has come.  Written by the thread, read by main. */
enum worker_phase { WORKER_CREATED, WORKER_RUNNING, WORKER_FAILED, WORKER_STOPPED };

struct worker_private {
	/* ---- read by every turn ---- */
	unsigned rx_count;
	bool gate_open;
	bool several_queues; /* in all, over every worker: frames for one export may pass each other by */
	const struct route_table *routes;
	worker_tap_fn *tap;
	void *tap_ctx;
	struct clock_tsc clock;
	uint64_t next_sync_ns;
	int64_t real_minus_mono_us;
	struct idle idle;
	struct client_table *clients;
	struct job *jobs; /* taken from the inbox and not yet run, oldest first */
	struct rx_assignment rx[RX_QUEUE_COUNT_MAX];
	struct rte_ring *handoff_in[WHERRY_LCORE_COUNT_MAX]; /* by producer; NULL for itself; HANDOFF_FROM_MAIN */
	struct punt_lane *punt;                              /* NULL: no port punts */
	struct handoff_out handoff_out[WHERRY_LCORE_COUNT_MAX];
	struct tx_lane tx[WHERRY_PORT_COUNT_MAX];

	/* ---- written by main ---- */
	struct job_list inbox __rte_cache_aligned;
	_Atomic bool stop;

	/* ---- written by the other workers: bit p is set when handoff_in[p] may hold something ---- */
	_Atomic uint64_t handoff_pending __rte_cache_aligned;

	/* ---- written by this worker, read by main ---- */
	_Atomic int phase __rte_cache_aligned;
	char error[WHERRY_TEXT_BYTES_MAX + 1]; /* why phase is WORKER_FAILED */
} __rte_cache_aligned;

/* The thread's function. */
int worker_run(void *worker);

/* ---- frames between workers (handoff.c) ---- */

enum handoff_kind {
	HANDOFF_AOE,        /* a request for an export of the other worker, or a wildcard */
	HANDOFF_ANSWER,     /* to be sent by the worker that owns a transmit queue of its port */
	HANDOFF_STACK,      /* of a flow of the other worker */
	HANDOFF_STACK_COPY, /* what this worker deals with, for the other one to learn from */
};
/* The producer that is no worker: there is one worker less than lcores. */
#define HANDOFF_FROM_MAIN (WHERRY_LCORE_COUNT_MAX - 1u)
#define HANDOFF_MAIN_FRAMES 128u /* of the kernel's, on their way to one worker; a power of two */

/* Pass a frame on. */
void handoff_frame(struct worker *worker, unsigned to, enum handoff_kind kind, struct pkt *pkt);
/* Pass a copy of a frame to every other worker. */
void handoff_copies(struct worker *worker, enum handoff_kind kind, const struct pkt *pkt);
/* Give away what was gathered in this turn. */
void handoff_flush(struct worker *worker);
/* Others may have passed something. */
static inline bool handoff_is_pending(const struct worker *worker)
{
	return atomic_load_explicit(&worker->priv->handoff_pending, memory_order_relaxed) != 0;
}
/* Take what others passed.  Returns how many frames. */
unsigned handoff_input(struct worker *worker);
/* Frames passed to this worker and not yet taken. */
unsigned handoff_waiting(const struct worker *worker);
/* On main: pass a frame to be sent.  False: there is no room, it stays the caller's. */
bool handoff_from_main(struct worker *to, struct pkt *pkt);
unsigned handoff_main_room(const struct worker *to);
int handoff_create(struct worker *worker, unsigned worker_count);
/* Frees rings and the frames in them. */
void handoff_destroy(struct worker *worker, unsigned worker_count);

/* ---- sending (tx.c) ---- */

/* Queue a packet for its port; takes ownership. */
void tx_output(struct worker *worker, struct pkt *pkt);
/* The same for an answer that another worker passed. */
void tx_output_own(struct worker *worker, struct pkt *pkt);
/* Offer everything queued to the drivers.  Returns how many frames they took. */
unsigned tx_flush(struct worker *worker);
unsigned tx_waiting(const struct worker *worker);
void tx_drop_all(struct worker *worker);

/* ---- receiving (rx.c) ---- */

/* Poll every queue of this worker once.  Returns how many frames came. */
unsigned rx_poll(struct worker *worker);
/* Once, before the workers run: what each port lets in. */
void rx_set_filter(unsigned port_index);

/* ---- what is not for the appliance (punt.c) ---- */

/* A frame goes to the kernel where its port punts, and is counted as drop_reason where it does not; takes it. */
void punt_frame(struct worker *worker, struct pkt *pkt, enum wherry_lcore_stat drop_reason);

/* The hook that ctl/ set. */
int worker_persist(void *worker, const struct aoe_persist *change);
/* Run up to max of the jobs that wait, oldest first; how many there were.  Whoever owns the worker's state now. */
unsigned worker_run_jobs(struct worker *worker, unsigned max);

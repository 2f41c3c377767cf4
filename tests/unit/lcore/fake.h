/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, AoE and workers that a test looks at, in place of the real ones, under rx.c, tx.c and handoff.c. */
#pragma once

#include "lcore/priv.h"

#define FAKE_WORKER_COUNT_MAX 4u
#define FAKE_SENT_MAX 2048u

/* count workers, with hand-off rings, gate open and every port's queue of their own. */
void fake_init(unsigned worker_count);
void fake_fini(void);
extern struct worker fake_workers[FAKE_WORKER_COUNT_MAX];

/* A packet that is counted until it is freed or sent; data is copied. */
struct pkt *fake_pkt(uint16_t port_index, const void *data, uint32_t len_bytes);
/* An AoE frame to the port's MAC. */
struct pkt *fake_frame(uint16_t shelf, uint8_t slot);
unsigned fake_pkts_alive(void);
extern unsigned fake_allocs_left; /* port_pkt_alloc fails after so many */

/* The tap of port 0, -1: none, and its rate. */
extern int fake_punt_fd;
extern uint32_t fake_punt_rate;

/* A capture, and how much it saw: frames that came in, and that go out. */
extern unsigned fake_tapped[2];
extern uint32_t fake_tapped_bytes; /* of the last frame */
worker_tap_fn fake_tap;

/* What port_rx yields next. */
void fake_receive(struct pkt *pkt);
extern bool fake_starved; /* what port_starved says */
/* How many packets each port_tx takes at most, and what it took. */
extern unsigned fake_tx_room;
extern struct pkt *fake_sent[FAKE_SENT_MAX];
extern unsigned fake_sent_count, fake_tx_dropped, fake_reclaims;

/* What becomes of each frame that aoe_input_burst is given, and to whom it was given. */
extern enum aoe_verdict fake_verdict;
extern unsigned fake_input_count[FAKE_WORKER_COUNT_MAX];
extern struct pkt *fake_last_input;

/* Frames of the stack: routed as they came in, and then given to a worker, as copies or not.  Unicast belongs to
 * worker 0, group frames to all. */
extern unsigned fake_stack_routed, fake_stack_input[FAKE_WORKER_COUNT_MAX], fake_stack_copies[FAKE_WORKER_COUNT_MAX];

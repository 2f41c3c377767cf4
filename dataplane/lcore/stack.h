/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCP/IP stack of a worker and the protocols on it: made, fed and drained.
 *
 * For the files of lcore/ only; others reach worker->net, ->tcp and ->nbd by
 * jobs.
 */
#pragma once

#include "lcore/worker.h"
#include "net/eth.h"
#include "pkt/pkt.h"

/* Packets that the stack of a worker may hold at once, for the sizes of pools. */
uint32_t stack_packets_each(void);
/* Bytes of DPDK memory that the stack of a worker takes beside packets. */
uint64_t stack_memory_bytes(void);

/* worker->net, tcp, nbd and carry.  0 or -ENOMEM, -EIO (no random numbers).  Main lcore, after all workers have
 * their index. */
int stack_create(struct worker *worker, unsigned worker_count);
/* Every connection is reset.  The worker's, when it drains. */
void stack_reset(struct worker *worker);
/* The same, and what waits to be sent is dropped, so that nothing refers to exports any more.  Main lcore: the worker
 * has stopped. */
void stack_stop(struct worker *worker);
/* After stack_stop and the end of the exports. */
void stack_destroy(struct worker *worker);

/* An EtherType of the stack. */
static inline bool stack_serves(uint16_t eth_type)
{
	return eth_type == 0x0800 || eth_type == 0x0806 || eth_type == 0x86dd;
}

/* A frame of such a type that came in on a port, gate open: to the worker that owns its flow. */
void stack_route(struct worker *worker, struct pkt *pkt, const struct eth_view *eth);
/* A frame that another worker passed; copy: for learning only. */
void stack_input_own(struct worker *worker, struct pkt *pkt, bool copy);

/* Every turn, after the frames.  Returns how much moved. */
unsigned stack_poll(struct worker *worker);

/* Work that a clean stop waits for.  Begins to end the sessions when called first. */
uint32_t stack_drain(struct worker *worker);

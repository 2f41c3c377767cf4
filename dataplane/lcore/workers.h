/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of the workers, for main.c.  Order: workers_create, port_open_all,
 * workers_start, ..., workers_drain, workers_stop, (volumes and exports are
 * destroyed), workers_destroy, port_close_all.  Main lcore.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lcore/idle.h"
#include "lcore/worker.h"
#include "port/port.h"

/* AoE requests that one worker may have under way, over all its exports. */
#define WORKER_REQUEST_COUNT 2048u

/* One worker for each EAL lcore but the main one.  0, or -errno with a sentence in error. */
int workers_create(const struct idle_policy *idle, char *error, size_t error_bytes);
/* Packets that one of worker_count workers may hold at once beside the ports' rings.  Pure. */
uint32_t workers_packets_each(unsigned count);
/* DPDK memory that so many workers take beside packets. */
uint32_t workers_memory_mb(unsigned count);
/* What port_open_all has to know about them. */
void workers_describe(struct port_workers *out);
/* Let them run, gate closed; returns when every one has its I/O engine.  0, or -errno with a sentence in error. */
int workers_start(char *error, size_t error_bytes);
/*
 * Close the gate and wait until nothing is under way and every answer is sent,
 * for at most timeout_ms.  Returns how many requests were still under way.
 */
uint32_t workers_drain(unsigned timeout_ms);
/* End the loops and wait for the threads.  Jobs not yet run on a worker are run here, so that no finished call is
 * lost. */
void workers_stop(void);
/* Free everything; packets still held go back to their pools. */
void workers_destroy(void);

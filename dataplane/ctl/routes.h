/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The routing table of all workers, rebuilt from the live export instances.
 * Main lcore.
 *
 * Changes that come while a table is on its way to the workers share the next
 * one.  Inside SYNC brackets nothing is published until ctl_routes_flush.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Caller's storage, until ready is called. */
struct ctl_waiter {
	void (*ready)(struct ctl_waiter *waiter);
	struct ctl_waiter *next;
	uint64_t number; /* of the publication that it waits for */
};

/* The live instances are not what they were. */
void ctl_routes_changed(void);
/*
 * Call ready when every worker uses a table that reflects all changes so far, but
 * for those that wait for the end of a SYNC.  At once when that is so already.
 * Waiters are called in the order in which they came.
 */
void ctl_routes_then(struct ctl_waiter *waiter);
/* SYNC_BEGIN: changes publish nothing, and nobody waits for them. */
void ctl_routes_hold(void);
/* The end of SYNC: changes until ctl_routes_flush, and those before, are published by it as one. */
void ctl_routes_batch(void);
void ctl_routes_flush(void);
/* The workers have stopped. */
void ctl_routes_close(void);

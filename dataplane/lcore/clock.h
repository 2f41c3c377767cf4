/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nanoseconds of CLOCK_MONOTONIC from the time stamp counter.
 *
 * Reading the counter is cheaper than asking the clock; clock_sync, called a few
 * times a second with a fresh pair of readings, keeps the two together.  The
 * time never goes back: when it ran ahead it goes slower until it fits again.
 *
 * Pure: both readings are arguments.  Thread: one worker.
 */
#pragma once

#include <stdint.h>

struct clock_tsc {
	uint64_t base_tsc, base_ns; /* base_ns is what clock_ns gives at base_tsc */
	uint64_t mult;              /* nanoseconds a tick, 32.32 fixed point: what runs now */
	uint64_t sync_tsc, sync_ns; /* the last true pair */
	uint64_t nominal_mult;      /* from the counter's nominal frequency */
};

#define CLOCK_SYNC_NS 100000000ull /* call clock_sync about this often */

static inline uint64_t clock_ns(const struct clock_tsc *clock, uint64_t tsc)
{
	return clock->base_ns + (uint64_t)(((__uint128_t)(tsc - clock->base_tsc) * clock->mult) >> 32);
}

/* tsc and mono_ns: read at the same moment; hz: nominal frequency of the counter. */
void clock_init(struct clock_tsc *clock, uint64_t tsc, uint64_t mono_ns, uint64_t hz);
void clock_sync(struct clock_tsc *clock, uint64_t tsc, uint64_t mono_ns);

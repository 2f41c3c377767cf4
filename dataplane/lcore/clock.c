/* SPDX-License-Identifier: BSD-3-Clause */
/* See clock.h. */
#include "lcore/clock.h"

void clock_init(struct clock_tsc *clock, uint64_t tsc, uint64_t mono_ns, uint64_t hz)
{
	uint64_t mult = (uint64_t)(((__uint128_t)1000000000u << 32) / hz);
	*clock = (struct clock_tsc){tsc, mono_ns, mult, tsc, mono_ns, mult};
}

/* The rate since the last true pair; the nominal one when that is out of all reason (the host was suspended). */
static uint64_t measured_mult(const struct clock_tsc *clock, uint64_t tsc, uint64_t mono_ns)
{
	uint64_t ticks = tsc - clock->sync_tsc;
	if (ticks == 0 || mono_ns <= clock->sync_ns)
		return clock->nominal_mult;
	__uint128_t mult = ((__uint128_t)(mono_ns - clock->sync_ns) << 32) / ticks;
	uint64_t slack = clock->nominal_mult / 64;
	if (mult < clock->nominal_mult - slack || mult > clock->nominal_mult + slack)
		return clock->nominal_mult;
	return (uint64_t)mult;
}

void clock_sync(struct clock_tsc *clock, uint64_t tsc, uint64_t mono_ns)
{
	uint64_t now_ns = clock_ns(clock, tsc);
	uint64_t mult = measured_mult(clock, tsc, mono_ns);
	if (now_ns > mono_ns) {
		/* Ahead: lose it over the next interval, at no less than half speed. */
		uint64_t ahead_ns = now_ns - mono_ns;
		uint64_t lose_ns = ahead_ns < CLOCK_SYNC_NS / 2 ? ahead_ns : CLOCK_SYNC_NS / 2;
		mult -= (uint64_t)((__uint128_t)mult * lose_ns / CLOCK_SYNC_NS);
		mono_ns = mono_ns > clock->sync_ns ? mono_ns : clock->sync_ns;
		clock->base_ns = now_ns;
	} else {
		clock->base_ns = mono_ns;
	}
	clock->base_tsc = tsc;
	clock->mult = mult;
	clock->sync_tsc = tsc;
	clock->sync_ns = mono_ns;
}

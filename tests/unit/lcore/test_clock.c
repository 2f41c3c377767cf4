/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "lcore/clock.h"

#define HZ 2600000000ull
#define SECOND 1000000000ull

static uint64_t ticks(uint64_t ns, uint64_t hz)
{
	return (uint64_t)((__uint128_t)ns * hz / SECOND);
}

static void expect_near(uint64_t got, uint64_t wanted, uint64_t slack, const char *what)
{
	uint64_t off = got > wanted ? got - wanted : wanted - got;
	cr_expect_leq(off, slack, "%s: got %" PRIu64 ", wanted %" PRIu64, what, got, wanted);
}

Test(lcore_clock, runs_at_the_nominal_rate_from_the_first_reading)
{
	struct clock_tsc clock;
	clock_init(&clock, 1000, 5 * SECOND, HZ);
	cr_expect_eq(clock_ns(&clock, 1000), 5 * SECOND);
	expect_near(clock_ns(&clock, 1000 + HZ), 6 * SECOND, 2, "a second later");
	expect_near(clock_ns(&clock, 1000 + 1000 * HZ), 1005 * SECOND, 1000, "a thousand seconds later");
}

Test(lcore_clock, follows_a_counter_that_is_faster_or_slower_than_it_says)
{
	const struct {
		const char *name;
		uint64_t hz;
	} cases[] = {{"0.1 % fast", HZ / 1000 * 1001}, {"0.1 % slow", HZ / 1000 * 999}, {"exact", HZ}};
	for (unsigned i = 0; i < 3; i++) {
		struct clock_tsc clock;
		clock_init(&clock, 0, SECOND, HZ);
		uint64_t last = 0;
		for (uint64_t t = 1; t <= 100; t++) {
			uint64_t ns = t * CLOCK_SYNC_NS, tsc = ticks(ns, cases[i].hz);
			uint64_t before = clock_ns(&clock, tsc);
			cr_expect_geq(before, last, "%s: never back", cases[i].name);
			clock_sync(&clock, tsc, SECOND + ns);
			last = clock_ns(&clock, tsc);
			cr_expect_geq(last, before, "%s: a sync does not go back", cases[i].name);
			if (t > 20)
				expect_near(last, SECOND + ns, 2000, cases[i].name);
		}
	}
}

Test(lcore_clock, a_clock_that_ran_ahead_goes_slower_until_it_fits)
{
	struct clock_tsc clock;
	clock_init(&clock, 0, SECOND, HZ);
	/* A reading that was delayed by 5 ms between clock and counter puts us ahead by as much. */
	clock_sync(&clock, ticks(CLOCK_SYNC_NS, HZ), SECOND + CLOCK_SYNC_NS + 5000000);
	uint64_t last = 0, now = 0;
	for (uint64_t t = 2; t <= 12; t++) {
		uint64_t tsc = ticks(t * CLOCK_SYNC_NS, HZ);
		now = clock_ns(&clock, tsc);
		cr_expect_gt(now, last);
		clock_sync(&clock, tsc, SECOND + t * CLOCK_SYNC_NS);
		last = clock_ns(&clock, tsc);
	}
	expect_near(last, SECOND + 12 * CLOCK_SYNC_NS, 2000, "a second after the jump");
}

Test(lcore_clock, a_suspended_machine_jumps_forward_at_the_next_sync)
{
	struct clock_tsc clock;
	clock_init(&clock, 0, SECOND, HZ);
	clock_sync(&clock, ticks(CLOCK_SYNC_NS, HZ), 60 * SECOND);
	cr_expect_eq(clock_ns(&clock, ticks(CLOCK_SYNC_NS, HZ)), 60 * SECOND);
	expect_near(clock_ns(&clock, ticks(2 * CLOCK_SYNC_NS, HZ)), 60 * SECOND + CLOCK_SYNC_NS, 100,
		    "and goes on at the nominal rate");
}

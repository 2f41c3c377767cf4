/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "lcore/arrival.h"

Test(lcore_arrival, a_frame_came_after_the_poll_that_found_nothing)
{
	struct arrival queue;
	arrival_init(&queue, 64, 1000);
	arrival_poll(&queue, 5000, 0, true);
	cr_expect_eq(arrival_poll(&queue, 9000, 1, true), 5000);
	cr_expect_eq(arrival_poll(&queue, 9500, 1, true), 9000, "that poll emptied the queue too");
}

Test(lcore_arrival, a_backlog_is_old_until_a_queue_full_was_taken)
{
	struct arrival queue;
	arrival_init(&queue, 64, 0);
	arrival_poll(&queue, 1000, 0, true);
	/* A stall to 9000, then full bursts: the 64 frames that could be waiting all may be as old as that. */
	for (uint32_t taken = 0; taken < 64; taken += 32)
		cr_expect_eq(arrival_poll(&queue, 9000, 32, false), 1000, "after %u frames", taken);
	cr_expect_eq(arrival_poll(&queue, 9001, 32, false), 1000);
	cr_expect_eq(arrival_poll(&queue, 9002, 32, false), 1000);
	cr_expect_eq(arrival_poll(&queue, 9003, 32, false), 9000);
}

/* Against a queue whose arrivals are known: the bound never claims a frame to be younger than it is. */
Test(lcore_arrival, the_bound_is_never_later_than_the_true_arrival)
{
	enum { CAPACITY = 48, BURST = 16 };
	static uint64_t arrivals[65536];
	for (uint32_t seed = 1; seed <= 200; seed++) {
		uint32_t random = seed, head = 0, tail = 0;
		uint64_t now = 0;
		struct arrival queue;
		arrival_init(&queue, CAPACITY, 0);
		for (unsigned step = 0; step < 4000; step++) {
			random = random * 1664525u + 1013904223u;
			uint32_t roll = random >> 16;
			now += roll % 7;
			if (roll % 3) {
				for (unsigned i = 0; i < roll % 11 && tail - head < CAPACITY; i++)
					arrivals[tail++ % 65536] = now;
				continue;
			}
			uint32_t count = tail - head < BURST ? tail - head : BURST;
			uint64_t bound = arrival_poll(&queue, now, count, count < BURST);
			for (uint32_t i = 0; i < count; i++)
				cr_assert_leq(bound, arrivals[(head + i) % 65536], "seed %u step %u", seed, step);
			head += count;
		}
	}
}

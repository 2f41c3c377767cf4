/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "lcore/arrival.h"

Test(lcore_arrival, a_frame_came_after_the_poll_that_found_nothing)
{
	struct arrival queue;
	arrival_init(&queue, 64, 1000);
	arrival_poll(&queue, 5000, 0, 0);
	cr_expect_eq(arrival_poll(&queue, 9000, 1, 0), 5000);
	cr_expect_eq(arrival_poll(&queue, 9500, 1, 0), 9000, "that poll emptied the queue too");
}

Test(lcore_arrival, a_backlog_is_old_until_a_queue_full_was_taken)
{
	struct arrival queue;
	arrival_init(&queue, 64, 0);
	arrival_poll(&queue, 1000, 0, 0);
	/* A stall to 9000, then full bursts: the 64 frames that could be waiting all may be as old as that. */
	for (uint32_t taken = 0; taken < 64; taken += 32)
		cr_expect_eq(arrival_poll(&queue, 9000, 32, 64), 1000, "after %u frames", taken);
	cr_expect_eq(arrival_poll(&queue, 9001, 32, 64), 1000);
	cr_expect_eq(arrival_poll(&queue, 9002, 32, 64), 1000);
	cr_expect_eq(arrival_poll(&queue, 9003, 32, 64), 9000);
}

Test(lcore_arrival, a_short_burst_is_trusted_after_as_many_frames_as_it_may_have_left)
{
	struct arrival queue;
	arrival_init(&queue, 64, 0);
	cr_expect_eq(arrival_left(&queue, 0, 32), 0);
	cr_expect_eq(arrival_left(&queue, 1, 32), 32);
	cr_expect_eq(arrival_left(&queue, 16, 32), 32);
	cr_expect_eq(arrival_left(&queue, 17, 32), 64);
	cr_expect_eq(arrival_left(&queue, 32, 32), 64);
	arrival_poll(&queue, 1000, 0, 0);
	arrival_poll(&queue, 2000, 8, 32);
	for (unsigned taken = 0; taken < 32; taken += 8)
		cr_expect_eq(arrival_poll(&queue, 3000 + taken, 8, 32), 1000, "after %u frames", taken);
	cr_expect_eq(arrival_poll(&queue, 4000, 8, 32), 2000);
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
			if (count > 4) /* as virtio's driver does it */
				count -= (head + count) % 4;
			uint64_t bound = arrival_poll(&queue, now, count, arrival_left(&queue, count, BURST));
			for (uint32_t i = 0; i < count; i++)
				cr_assert_leq(bound, arrivals[(head + i) % 65536], "seed %u step %u", seed, step);
			head += count;
		}
	}
}

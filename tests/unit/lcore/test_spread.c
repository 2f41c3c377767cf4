/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "lcore/spread.h"
#include "wherry/limits.h"

Test(lcore_spread, a_transmit_queue_has_one_owner_who_uses_it_himself)
{
	for (unsigned workers = 1; workers <= 9; workers++)
		for (unsigned queues = 1; queues <= 12; queues++)
			for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
				for (unsigned i = 0; i < workers; i++) {
					unsigned queue = spread_tx_queue(port, i, queues, workers);
					unsigned owner = spread_owner(port, queue, workers);
					cr_assert_lt(queue, queues);
					cr_assert_lt(owner, workers);
					/* Whoever is given the queue of another worker hands his answers to one who
					 * sends on that very queue, not further on. */
					cr_assert_eq(spread_tx_queue(port, owner, queues, workers), queue,
						     "port %u worker %u of %u, %u queues", port, i, workers, queues);
				}
}

Test(lcore_spread, with_a_queue_for_each_worker_nobody_hands_over)
{
	for (unsigned workers = 1; workers <= 9; workers++)
		for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
			for (unsigned i = 0; i < workers; i++)
				cr_assert_eq(spread_owner(port, spread_tx_queue(port, i, workers, workers), workers),
					     i);
}

Test(lcore_spread, first_queues_of_ports_go_round_the_workers)
{
	for (unsigned workers = 1; workers <= 9; workers++) {
		unsigned polls[9] = {0};
		for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
			polls[spread_owner(port, 0, workers)]++;
		for (unsigned i = 0; i < workers; i++)
			cr_assert(polls[i] >= WHERRY_PORT_COUNT_MAX / workers &&
				  polls[i] <= WHERRY_PORT_COUNT_MAX / workers + 1);
	}
}

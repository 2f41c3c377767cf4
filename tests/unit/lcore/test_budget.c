/* SPDX-License-Identifier: BSD-3-Clause */
/* How many packets a worker may hold: a pool that is smaller stops the reception of its port. */
#include <criterion/criterion.h>

#include "lcore/workers.h"

Test(lcore_budget, a_worker_has_packets_for_all_that_it_may_keep_at_once)
{
	const unsigned requests = 2048, waiting_answers = 512, wildcards = 256, changes = 64, behind_each = 16;
	const unsigned alone = requests + waiting_answers + wildcards + changes * (1 + behind_each);
	cr_expect(workers_packets_each(1) >= alone, "%u", workers_packets_each(1));
	cr_expect(workers_packets_each(2) >= alone + 1024);
	cr_expect(workers_packets_each(16) >= alone + 256);
}

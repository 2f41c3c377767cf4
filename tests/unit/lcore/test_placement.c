/* SPDX-License-Identifier: BSD-3-Clause */
/* NUMA nodes of lcores, over a made-up machine and over this one. */
#include <criterion/criterion.h>
#include <numa.h>
#include <stdlib.h>

#include "lcore/placement.h"

/* Four CPUs a node; CPU 12 is on none that is known. */
static int four_a_node(int cpu)
{
	return cpu == 12 ? -1 : cpu / 4;
}

static cpu_set_t set_of(int first, int last)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	for (int cpu = first; cpu <= last; cpu++)
		CPU_SET((size_t)cpu, &cpus);
	return cpus;
}

Test(lcore_placement, cpus_of_one_node_have_it_and_others_have_none)
{
	static const struct {
		int first, last, node;
	} cases[] = {{0, 0, 0}, {0, 3, 0}, {4, 7, 1}, {9, 9, 2}, {3, 4, -1}, {0, 11, -1}, {12, 12, -1}, {11, 12, -1}};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cpu_set_t cpus = set_of(cases[i].first, cases[i].last);
		cr_expect_eq(placement_node_of_set(&cpus, four_a_node), cases[i].node, "CPUs %d to %d", cases[i].first,
			     cases[i].last);
	}
	cpu_set_t none = set_of(1, 0);
	cr_expect_eq(placement_node_of_set(&none, four_a_node), -1);
}

Test(lcore_placement, memory_goes_to_a_node_that_there_is)
{
	size_t bytes = 1 << 20;
	void *memory = aligned_alloc(4096, bytes);
	cr_assert_not_null(memory);
	cr_expect_eq(placement_move(memory, bytes, 0), 0);
	if (numa_available() >= 0 && numa_max_node() > 0)
		cr_expect_lt(placement_move(memory, bytes, (unsigned)numa_max_node() + 1), 0);
	free(memory);
}

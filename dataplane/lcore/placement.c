/* SPDX-License-Identifier: BSD-3-Clause */
/* See placement.h. */
#include "lcore/placement.h"

#include <errno.h>
#include <numa.h>
#include <numaif.h>

int placement_node_of_set(const cpu_set_t *cpus, int (*node_of_cpu)(int cpu))
{
	int node = -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET((size_t)cpu, cpus))
			continue;
		int found = node_of_cpu(cpu);
		if (found < 0 || (node >= 0 && found != node))
			return -1;
		node = found;
	}
	return node;
}

int placement_node(const cpu_set_t *cpus)
{
	return numa_available() < 0 ? -1 : placement_node_of_set(cpus, numa_node_of_cpu);
}

int placement_move(void *at, size_t bytes, unsigned node)
{
	unsigned long mask[16] = {0};
	const unsigned bits = sizeof mask * 8;
	if (numa_available() < 0 || numa_max_node() == 0)
		return 0;
	if (node >= bits || (int)node > numa_max_node())
		return -EINVAL;
	mask[node / (8 * sizeof mask[0])] = 1ul << node % (8 * sizeof mask[0]);
	return mbind(at, bytes, MPOL_PREFERRED, mask, bits, MPOL_MF_MOVE) < 0 ? -errno : 0;
}

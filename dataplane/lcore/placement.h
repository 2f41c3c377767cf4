/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which NUMA node things belong to, by libnuma: what the EAL knows ends at its
 * own memory and at PCI functions.  Any thread.
 */
#pragma once

#include <sched.h>
#include <stddef.h>

/* The node that all of these CPUs are on; -1: they are on several, or nobody knows.  node_of_cpu: as numa_node_of_cpu,
 * -1 when unknown. */
int placement_node_of_set(const cpu_set_t *cpus, int (*node_of_cpu)(int cpu));

/* The same for this machine. */
int placement_node(const cpu_set_t *cpus);

/*
 * Have this memory on a node: what is there moves, what comes is taken there
 * while it has some.  0 (also on a machine of one node, where nothing is to be
 * done), or -errno: it stays where it is.  Takes as long as copying it; not for
 * workers.
 */
int placement_move(void *at, size_t bytes, unsigned node);

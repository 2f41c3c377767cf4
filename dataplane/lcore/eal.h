/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting DPDK's EAL with arguments that fit the machine.  Main thread, before anything else of DPDK. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EAL_PCI_COUNT_MAX 16u
#define EAL_EXTRA_COUNT_MAX 32u
#define EAL_ARG_COUNT_MAX 96u

struct eal_config {
	const char *lcores; /* EAL syntax, never NULL */
	int main_lcore;     /* -1: the lowest */
	bool no_huge;
	uint32_t memory_mb; /* for packets and all else */
	unsigned pci_count;
	const char *pci[EAL_PCI_COUNT_MAX]; /* functions to take; no others are touched */
	unsigned extra_count;
	const char *extra[EAL_EXTRA_COUNT_MAX];
	int pid;
};

/* The argument vector, NULL-terminated, with its texts in store.  Returns its length, 0 when store is too small.
 * Pure. */
unsigned eal_build_args(const struct eal_config *config, const char *argv[EAL_ARG_COUNT_MAX], char *store,
			size_t store_bytes);

/* Lcores that a list in the EAL's syntax names, 0 when it makes no sense; a close guess, the EAL decides.  Pure. */
unsigned eal_count_lcores(const char *lcores);

/* MiB of free hugepages of all sizes and nodes. */
uint64_t eal_free_huge_mb(void);

/* 0, or -errno with a sentence in error. */
int eal_start(const struct eal_config *config, char *error, size_t error_bytes);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulator's command line.  Seeds are dealt to child processes, so that a
 * crash or a hang is a failed seed like any other and named as such.
 */
#pragma once

#include "core.h"

#define RUN_COUNT_MAX 10u

struct run_options {
	uint64_t seed;
	unsigned op_count; /* 0: as the seed says */
	bool verbose;
	enum plant plant;
};

struct run_result {
	bool failed;
	char failure[512];
	uint64_t trace_hash, virtual_ns, event_count;
	uint64_t counts[RUN_COUNT_MAX]; /* named by runner.count_names */
};

struct runner_plant {
	const char *name, *about;
	enum plant plant;
};

struct runner {
	const char *name;                       /* of the program */
	const char *about;                      /* what it simulates, a sentence */
	const struct runner_plant *plants;      /* bugs that can be planted; the last has no name */
	const char *count_names[RUN_COUNT_MAX]; /* what the report tells */
	void (*run)(const struct run_options *options, struct run_result *result);
};

/* Exit status: 0, 1: a promise was broken (or none, with --must-fail), 2: wrong usage. */
int runner_main(const struct runner *program, int argc, char **argv);

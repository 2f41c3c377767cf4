/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of CPUs as text, and the default choice of lcores.  Pure. */
#pragma once

#include <sched.h>
#include <stddef.h>

/* "0-3,8" into text, cut at a whole range when it does not fit. */
void cpus_format(const cpu_set_t *cpus, char *text, size_t text_bytes);

#define CPUS_WORKER_COUNT_MAX 4u /* workers chosen without --lcores */

/*
 * What --lcores is when it is not given, in the EAL's syntax.  Fewer than three
 * CPUs: the main lcore and one worker, both floating over all of them.  Else the
 * main lcore on the first CPU and a worker on each of the next, at most
 * CPUS_WORKER_COUNT_MAX.
 */
void cpus_default_lcores(const cpu_set_t *cpus, char *text, size_t text_bytes);

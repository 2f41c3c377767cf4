/* SPDX-License-Identifier: BSD-3-Clause */
/* See cpus.h. */
#include "lcore/cpus.h"

#include <stdio.h>
#include <string.h>

static void append_range(char *text, size_t text_bytes, unsigned first, unsigned last)
{
	char range[32];
	const char *comma = *text ? "," : "";
	if (first == last)
		snprintf(range, sizeof range, "%s%u", comma, first);
	else
		snprintf(range, sizeof range, "%s%u-%u", comma, first, last);
	size_t used = strlen(text), more = strlen(range);
	if (used + more < text_bytes)
		memcpy(text + used, range, more + 1);
}

void cpus_format(const cpu_set_t *cpus, char *text, size_t text_bytes)
{
	text[0] = '\0';
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cpus))
			continue;
		unsigned first = cpu;
		while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, cpus))
			cpu++;
		append_range(text, text_bytes, first, cpu);
	}
}

void cpus_default_lcores(const cpu_set_t *cpus, char *text, size_t text_bytes)
{
	if (CPU_COUNT(cpus) < 3) {
		char all[32];
		cpus_format(cpus, all, sizeof all);
		snprintf(text, text_bytes, "0@(%s),1@(%s)", all, all);
		return;
	}
	text[0] = '\0';
	for (unsigned cpu = 0, lcore = 0; cpu < CPU_SETSIZE && lcore <= CPUS_WORKER_COUNT_MAX; cpu++) {
		if (!CPU_ISSET(cpu, cpus))
			continue;
		size_t len = strlen(text);
		snprintf(text + len, text_bytes - len, "%s%u@%u", lcore ? "," : "", lcore, cpu);
		lcore++;
	}
}

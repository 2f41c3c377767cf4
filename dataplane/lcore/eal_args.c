/* SPDX-License-Identifier: BSD-3-Clause */
/* The pure part of eal.h. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lcore/eal.h"

struct builder {
	const char **argv;
	unsigned count;
	char *at;
	size_t left;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct builder *builder, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(builder->at, builder->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= builder->left || builder->count + 1 == EAL_ARG_COUNT_MAX) {
		builder->full = true;
		return;
	}
	builder->argv[builder->count++] = builder->at;
	builder->at += n + 1;
	builder->left -= (size_t)n + 1;
}

unsigned eal_build_args(const struct eal_config *config, const char *argv[EAL_ARG_COUNT_MAX], char *store,
			size_t store_bytes)
{
	struct builder builder = {argv, 0, store, store_bytes, false};
	add(&builder, "wherry-dataplane");
	add(&builder, "--no-telemetry");
	add(&builder, "--lcores=%s", config->lcores);
	if (config->main_lcore >= 0)
		add(&builder, "--main-lcore=%d", config->main_lcore);
	if (config->no_huge) {
		/* --in-memory is refused without hugepages; the prefix keeps the run-time folder to this process. */
		add(&builder, "--no-huge");
		add(&builder, "--no-shconf");
		add(&builder, "--file-prefix=wherry-%d", config->pid);
		add(&builder, "-m");
		add(&builder, "%u", config->memory_mb);
	} else {
		/* Nothing in a file system, nothing to clean up; memory is taken as it is needed. */
		add(&builder, "--in-memory");
	}
	if (config->pci_count == 0) {
		add(&builder, "--no-pci");
		add(&builder, "--iova-mode=va");
	}
	for (unsigned i = 0; i < config->pci_count; i++)
		add(&builder, "--allow=%s", config->pci[i]);
	for (unsigned i = 0; i < config->extra_count; i++)
		add(&builder, "%s", config->extra[i]);
	argv[builder.count] = NULL;
	return builder.full ? 0 : builder.count;
}

/* Numbers in "a", "a-b", and lists of them, up to where they end. */
static unsigned count_numbers(const char *text, const char *end)
{
	unsigned count = 0;
	while (text < end) {
		char *next;
		if (!isdigit((unsigned char)*text))
			return 0;
		unsigned long first = strtoul(text, &next, 10), last = first;
		if (*next == '-') {
			if (!isdigit((unsigned char)next[1]))
				return 0;
			last = strtoul(next + 1, &next, 10);
		}
		if (last < first || last > 1023)
			return 0;
		count += (unsigned)(last - first) + 1;
		if (next < end && *next != ',')
			return 0;
		text = next + 1;
	}
	return count;
}

unsigned eal_count_lcores(const char *lcores)
{
	unsigned count = 0;
	const char *at = lcores;
	while (*at) {
		/* One group: lcores[@cpus], either of them in parentheses when it is a list. */
		const char *start = at, *end;
		if (*at == '(') {
			start = at + 1;
			end = strchr(start, ')');
			if (!end)
				return 0;
			at = end + 1;
		} else {
			at = end = at + strcspn(at, ",@");
		}
		unsigned numbers = count_numbers(start, end);
		if (numbers == 0)
			return 0;
		count += numbers;
		if (*at == '@') {
			at++;
			at += *at == '(' ? strcspn(at, ")") : strcspn(at, ",");
			at += *at == ')';
		}
		if (*at && *at++ != ',')
			return 0;
	}
	return count;
}

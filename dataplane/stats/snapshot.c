/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots and sums of counters.  Pure but for the relaxed reads. */
#include "stats/snapshot.h"

#include <string.h>

void stats_copy(uint64_t *to, const uint64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] = stats_read(from, i);
}

void stats_add(uint64_t *to, const uint64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] += stats_read(from, i);
}

void stats_max(uint64_t *to, const uint64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t value = stats_read(from, i);
		if (value > to[i])
			to[i] = value;
	}
}

void stats_clear_gauges(enum wherry_stat_scope scope, uint64_t *values)
{
	const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(scope);
	for (unsigned i = 0; i < desc->stat_count; i++)
		if (desc->stats[i].kind == 'G')
			values[i] = 0;
}

bool stats_trim_hist(const uint64_t buckets[WHERRY_HIST_BUCKET_COUNT], struct wherry_ctl_hist_item *item)
{
	unsigned first = 0, end = WHERRY_HIST_BUCKET_COUNT;
	while (first < end && buckets[first] == 0)
		first++;
	while (end > first && buckets[end - 1] == 0)
		end--;
	item->first_bucket = (uint16_t)first;
	item->values.count = (uint16_t)(end - first);
	memcpy(item->values.v, buckets + first, (end - first) * sizeof buckets[0]);
	return first < end;
}

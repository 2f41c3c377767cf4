/* SPDX-License-Identifier: BSD-3-Clause */
/* Differences between two replies of stats.get. */
#include "cli/stats_math.h"

#include <string.h>

#include "cli/format.h"

json_t *stats_objects_by_name(const json_t *reply)
{
	const json_t *objects = json_object_get(reply, "objects");
	json_t *by_name = json_object();
	for (size_t i = 0; i < json_array_size(objects); i++) {
		json_t *object = json_array_get(objects, i);
		const char *name = json_string_value(json_object_get(object, "object"));
		if (name)
			json_object_set(by_name, name, object);
	}
	return by_name;
}

uint64_t stats_value(const json_t *object, const char *name)
{
	return cli_json_u64(json_object_get(json_object_get(object, "values"), name));
}

bool stats_is_continuous(const json_t *before, const json_t *after, const struct wherry_stat_scope_desc *scope)
{
	if (!before || !after)
		return false;
	for (size_t i = 0; i < scope->stat_count; i++) {
		const struct wherry_stat_desc *stat = &scope->stats[i];
		if (stat->kind == 'C' && stats_value(after, stat->name) < stats_value(before, stat->name))
			return false;
	}
	return true;
}

double stats_interval_s(const json_t *before, const json_t *after)
{
	uint64_t from_us = cli_json_u64(json_object_get(before, "time_us"));
	uint64_t to_us = cli_json_u64(json_object_get(after, "time_us"));
	return before && to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

double stats_busy_percent(const json_t *before, const json_t *after)
{
	uint64_t busy = stats_value(after, "busy_cycles") - stats_value(before, "busy_cycles");
	uint64_t idle = stats_value(after, "idle_cycles") - stats_value(before, "idle_cycles");
	double total = (double)busy + (double)idle;
	return total > 0 ? 100 * (double)busy / total : -1;
}

/* Add or take away the buckets of one histogram.  A count never falls below zero. */
static void apply_buckets(const json_t *object, const char *kind, bool add, struct stats_latency *to)
{
	const json_t *histogram = json_object_get(json_object_get(object, "histograms"), kind);
	const json_t *buckets = json_object_get(histogram, "buckets");
	for (size_t i = 0; i < json_array_size(buckets); i++) {
		const json_t *pair = json_array_get(buckets, i);
		uint64_t count = cli_json_u64(json_array_get(pair, 1));
		unsigned bucket = wherry_hist_bucket(cli_json_u64(json_array_get(pair, 0)));
		if (add)
			to->buckets[bucket] += count;
		else
			to->buckets[bucket] -= count < to->buckets[bucket] ? count : to->buckets[bucket];
	}
}

void stats_latency_between(const json_t *before, const json_t *after, const char *kind, struct stats_latency *to)
{
	memset(to, 0, sizeof(*to));
	apply_buckets(after, kind, true, to);
	apply_buckets(before, kind, false, to);
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++)
		to->count += to->buckets[i];
}

uint64_t stats_percentile_ns(const struct stats_latency *latency, unsigned per_thousand)
{
	/* The rank is rounded up: the 99th percentile of one latency is that one. */
	unsigned __int128 scaled = (unsigned __int128)latency->count * per_thousand;
	uint64_t rank = (uint64_t)((scaled + 999) / 1000), seen = 0;
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++) {
		seen += latency->buckets[i];
		if (seen && seen >= rank)
			return wherry_hist_floor_ns(i + 1);
	}
	return 0;
}

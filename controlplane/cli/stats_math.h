/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Differences between two replies of stats.get.
 * Pure; any JSON is accepted as a reply, what is missing counts as nothing.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wherry/stats.h"

/* Latencies that were recorded between two replies, by bucket. */
struct stats_latency {
	uint64_t count;
	uint64_t buckets[WHERRY_HIST_BUCKET_COUNT];
};

/* The objects of a reply by their names, as a JSON object owned by the caller: thousands of exports are looked up in
 * it. */
json_t *stats_objects_by_name(const json_t *reply);
/* A value of an object by its name, 0 when it is missing. */
uint64_t stats_value(const json_t *object, const char *name);
/* Whether the counters between two states of an object only grew; false: the dataplane restarted in between. */
bool stats_is_continuous(const json_t *before, const json_t *after, const struct wherry_stat_scope_desc *scope);
/* Seconds between two replies; 0 when they are not in order. */
double stats_interval_s(const json_t *before, const json_t *after);
/* Busy share of an lcore between two states, in percent; negative: no cycles at all. */
double stats_busy_percent(const json_t *before, const json_t *after);
/* The histogram "read", "write" or "other" of after, less that of before; before NULL: all of after. */
void stats_latency_between(const json_t *before, const json_t *after, const char *kind, struct stats_latency *to);
/* Upper edge in nanoseconds of the bucket that holds the per-thousand-th of all latencies; 0 without any. */
uint64_t stats_percentile_ns(const struct stats_latency *latency, unsigned per_thousand);

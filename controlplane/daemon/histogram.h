/* SPDX-License-Identifier: BSD-3-Clause */
/* Latency histograms of include/wherry/stats.h, told in figures.  Pure. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Smallest latency in nanoseconds that at least per_mille of 1,000 operations did
 * not exceed: the upper end of its bucket, so it never flatters.  counts[i] is
 * bucket first + i.  0 when there are none.
 */
uint64_t histogram_quantile_ns(unsigned first, const uint64_t *counts, size_t bucket_count, unsigned per_mille);
/* {p50_ns, p90_ns, p99_ns, p999_ns, max_ns, count, buckets: [[floor_ns, count], ...]}; new reference. */
json_t *histogram_json(unsigned first, const uint64_t *counts, size_t bucket_count);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the counters of a live object from another thread: each value whole,
 * the set a few operations apart.  Main lcore.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wherry/ctl.h"
#include "wherry/stats.h"

/* One value that its owner may be changing. */
static inline uint64_t stats_read(const uint64_t *values, unsigned index)
{
	return __atomic_load_n(&values[index], __ATOMIC_RELAXED);
}

/* Copy count values. */
void stats_copy(uint64_t *to, const uint64_t *from, unsigned count);

/*
 * Add an object's values to a sum over objects of one scope that stand for the
 * same thing: counters are added, gauges take the larger.
 */
void stats_merge(enum wherry_stat_scope scope, uint64_t *sum, const uint64_t *values);
/* The same for what an object leaves behind when it goes: its gauges no longer count. */
void stats_merge_last(enum wherry_stat_scope scope, uint64_t *sum, const uint64_t *values);

/* Add the buckets of a histogram to a sum. */
void stats_merge_hist(uint64_t sum[WHERRY_HIST_BUCKET_COUNT], const uint64_t buckets[WHERRY_HIST_BUCKET_COUNT]);
/* Fill first_bucket and values of a message: leading and trailing empty buckets are left out.  False when all are. */
bool stats_trim_hist(const uint64_t buckets[WHERRY_HIST_BUCKET_COUNT], struct wherry_ctl_hist_item *item);

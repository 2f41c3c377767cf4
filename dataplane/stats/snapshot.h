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

/* to[i] += from[i]. */
void stats_add(uint64_t *to, const uint64_t *from, unsigned count);
/* to[i] = the larger of the two. */
void stats_max(uint64_t *to, const uint64_t *from, unsigned count);
/* Set the gauges of a scope to 0: of an object that is gone. */
void stats_clear_gauges(enum wherry_stat_scope scope, uint64_t *values);

/* Fill first_bucket and values of a message: leading and trailing empty buckets are left out.  False when all are. */
bool stats_trim_hist(const uint64_t buckets[WHERRY_HIST_BUCKET_COUNT], struct wherry_ctl_hist_item *item);

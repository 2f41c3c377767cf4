/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/histogram.h"

#include "wherry/stats.h"

static uint64_t total(const uint64_t *counts, size_t bucket_count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bucket_count; i++)
		sum += counts[i];
	return sum;
}

/* The last bucket has no upper end: its floor is all that can be said. */
static uint64_t upper_ns(unsigned bucket)
{
	return wherry_hist_floor_ns(bucket + 1 < WHERRY_HIST_BUCKET_COUNT ? bucket + 1 : bucket);
}

uint64_t histogram_quantile_ns(unsigned first, const uint64_t *counts, size_t bucket_count, unsigned per_mille)
{
	uint64_t all = total(counts, bucket_count), seen = 0;

	for (size_t i = 0; i < bucket_count; i++) {
		seen += counts[i];
		if (counts[i] && (unsigned __int128)seen * 1000 >= (unsigned __int128)all * per_mille)
			return upper_ns(first + (unsigned)i);
	}
	return 0;
}

json_t *histogram_json(unsigned first, const uint64_t *counts, size_t bucket_count)
{
	json_t *buckets = json_array();

	if (first >= WHERRY_HIST_BUCKET_COUNT)
		bucket_count = 0;
	else if (bucket_count > WHERRY_HIST_BUCKET_COUNT - first)
		bucket_count = WHERRY_HIST_BUCKET_COUNT - first;
	for (size_t i = 0; i < bucket_count; i++)
		if (counts[i])
			(void)json_array_append_new(
				buckets, json_pack("[II]", (json_int_t)wherry_hist_floor_ns(first + (unsigned)i),
						   (json_int_t)counts[i]));
	return json_pack("{sI sI sI sI sI sI so}", "p50_ns",
			 (json_int_t)histogram_quantile_ns(first, counts, bucket_count, 500), "p90_ns",
			 (json_int_t)histogram_quantile_ns(first, counts, bucket_count, 900), "p99_ns",
			 (json_int_t)histogram_quantile_ns(first, counts, bucket_count, 990), "p999_ns",
			 (json_int_t)histogram_quantile_ns(first, counts, bucket_count, 999), "max_ns",
			 (json_int_t)histogram_quantile_ns(first, counts, bucket_count, 1000), "count",
			 (json_int_t)total(counts, bucket_count), "buckets", buckets);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Token bucket: at most `rate_per_s` events a second on average, and `burst` at
 * once.  For what strangers can make us send (ICMP) and for what goes to the
 * kernel.  Invariant: credit_ns <= burst * cost.  Thread: one owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t cost_ns;  /* of one event, in time */
	uint64_t limit_ns; /* credit of a full bucket */
	uint64_t credit_ns;
	uint64_t filled_ns; /* when credit was right */
};

/* Full.  rate_per_s 0: never anything. */
static inline void bucket_init(struct bucket *bucket, uint32_t rate_per_s, uint32_t burst, uint64_t now_ns)
{
	*bucket = (struct bucket){.filled_ns = now_ns};
	if (rate_per_s == 0)
		return;
	bucket->cost_ns = 1000000000u / rate_per_s;
	bucket->limit_ns = bucket->cost_ns * burst;
	bucket->credit_ns = bucket->limit_ns;
}

/* What has come since it was looked at last.  True when there is credit for an event. */
static inline bool bucket_fill(struct bucket *bucket, uint64_t now_ns)
{
	const uint64_t passed = now_ns > bucket->filled_ns ? now_ns - bucket->filled_ns : 0;
	bucket->filled_ns += passed;
	bucket->credit_ns =
		passed >= bucket->limit_ns - bucket->credit_ns ? bucket->limit_ns : bucket->credit_ns + passed;
	return bucket->limit_ns != 0 && bucket->credit_ns >= bucket->cost_ns;
}

/* True, and one event's credit taken, when there is some. */
static inline bool bucket_take(struct bucket *bucket, uint64_t now_ns)
{
	if (!bucket_fill(bucket, now_ns))
		return false;
	bucket->credit_ns -= bucket->cost_ns;
	return true;
}

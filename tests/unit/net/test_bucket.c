/* SPDX-License-Identifier: BSD-3-Clause */
/* The token bucket: burst, rate, and clocks that stand still or jump. */
#include <criterion/criterion.h>

#include "net/bucket.h"

static unsigned taken(struct bucket *bucket, unsigned tries, uint64_t now_ns)
{
	unsigned count = 0;
	for (unsigned i = 0; i < tries; i++)
		count += bucket_take(bucket, now_ns);
	return count;
}

Test(net_bucket, gives_a_burst_and_then_its_rate)
{
	struct bucket bucket;
	bucket_init(&bucket, 100, 50, 1000);
	cr_expect_eq(taken(&bucket, 80, 1000), 50);
	cr_expect_eq(taken(&bucket, 80, 1000 + 9999999), 0, "not a nanosecond early");
	cr_expect_eq(taken(&bucket, 80, 1000 + 10000000), 1);
	cr_expect_eq(taken(&bucket, 80, 1000 + 60000000), 5);
	cr_expect_eq(taken(&bucket, 80, UINT64_MAX), 50, "a long rest fills it, no more");
	unsigned count = 0;
	bucket_init(&bucket, 100, 50, 0);
	for (uint64_t now = 0; now < 10000000000; now += 1000000)
		count += taken(&bucket, 1, now);
	cr_expect_leq(count, 1050);
	cr_expect_geq(count, 1048);
}

Test(net_bucket, a_clock_that_goes_back_gives_nothing)
{
	struct bucket bucket;
	bucket_init(&bucket, 1000, 1, 5000);
	cr_expect_eq(taken(&bucket, 2, 5000), 1);
	cr_expect_eq(taken(&bucket, 2, 0), 0);
	cr_expect_eq(taken(&bucket, 2, 5000), 0);
}

Test(net_bucket, a_rate_of_nothing_gives_nothing)
{
	struct bucket bucket;
	bucket_init(&bucket, 0, 50, 0);
	cr_expect_eq(taken(&bucket, 10, 0), 0);
	cr_expect_eq(taken(&bucket, 10, UINT64_MAX), 0);
}

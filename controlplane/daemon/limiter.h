/* SPDX-License-Identifier: BSD-3-Clause */
/* A token bucket: what may happen so often, and no more.  Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct limiter {
	uint32_t burst;     /* tokens at most */
	uint64_t refill_us; /* one token per */
	uint32_t tokens;
	uint64_t refilled_us; /* when the last token came */
	uint64_t suppressed;  /* refused since the last that was let through */
};

static inline void limiter_init(struct limiter *limiter, uint32_t burst, uint64_t refill_us)
{
	*limiter = (struct limiter){.burst = burst, .refill_us = refill_us, .tokens = burst};
}

/* Take a token.  now_us never goes back. */
static inline bool limiter_take(struct limiter *limiter, uint64_t now_us)
{
	uint64_t more = (now_us - limiter->refilled_us) / limiter->refill_us;

	if (limiter->tokens + more >= limiter->burst) {
		limiter->tokens = limiter->burst;
		limiter->refilled_us = now_us;
	} else {
		limiter->tokens += (uint32_t)more;
		limiter->refilled_us += more * limiter->refill_us;
	}
	if (limiter->tokens == 0) {
		limiter->suppressed++;
		return false;
	}
	limiter->tokens--;
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers that a stranger must not guess: initial sequence numbers, offsets of timestamps. */
#include "tcp/tcp_priv.h"
#include "util/siphash.h"

enum { PURPOSE_ISN = 1, PURPOSE_TIMESTAMP = 2 };

uint64_t tcp_keyed(const struct tcp_lcore *lcore, const struct tcp_key *key, uint64_t purpose, uint64_t more)
{
	struct {
		uint64_t purpose, more;
		struct tcp_key key;
		uint32_t zero; /* no padding that was never written */
	} input = {.purpose = purpose, .more = more, .key = *key};
	_Static_assert(sizeof input == 16 + sizeof(struct tcp_key) + 4, "no padding");
	return siphash(lcore->env.secret, &input, sizeof input);
}

/* RFC 6528: a clock of about 4 us, and for each connection a place in the space of its own. */
uint32_t tcp_isn(const struct tcp_lcore *lcore, const struct tcp_key *key)
{
	return (uint32_t)(lcore->now_ns >> 12) + (uint32_t)tcp_keyed(lcore, key, PURPOSE_ISN, 0);
}

/* The same for every connection of one name, so that PAWS and RFC 6191 hold from one to the next. */
uint32_t tcp_ts_offset(const struct tcp_lcore *lcore, const struct tcp_key *key)
{
	return (uint32_t)tcp_keyed(lcore, key, PURPOSE_TIMESTAMP, 0);
}

uint32_t tcp_clock_ms(const struct tcp_lcore *lcore)
{
	return (uint32_t)(lcore->now_ns / TCP_NS_PER_MS);
}

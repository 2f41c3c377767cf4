/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN cookies (RFC 4987 3.6): the state of a half-open connection in the numbers
 * that the peer has to send back.
 *
 * The sequence number holds 5 bits of time (steps of 64 s), 3 bits of MSS and 24
 * bits of a keyed hash over both, the connection's name and the peer's number.
 * When the peer has timestamps, the lowest 6 bits of ours hold its window scale,
 * SACK and ECN; without, the connection does without them.
 */
#include "tcp/tcp_priv.h"

#define PURPOSE_COOKIE 4u
#define STEP_NS (64000 * TCP_NS_PER_MS)
#define STEPS_VALID 2u
#define TS_BITS 6u
#define TS_WSCALE 0x0fu /* 15: no window scaling */
#define TS_SACK 0x10u
#define TS_ECN 0x20u
#define WSCALE_NONE 15u

static const uint16_t mss_steps[8] = {216, 536, 1220, 1360, 1440, 1460, 4312, 8960};

static uint32_t step_now(const struct tcp_lcore *lcore)
{
	return (uint32_t)(lcore->now_ns / STEP_NS) & 31;
}

static uint32_t cookie_of(const struct tcp_lcore *lcore, const struct tcp_key *key, uint32_t irs, uint32_t step,
			  uint32_t mss_index)
{
	const uint32_t front = step << 27 | mss_index << 24;
	const uint64_t hash = tcp_keyed(lcore, key, PURPOSE_COOKIE, (uint64_t)irs << 32 | front);
	return front | (hash & 0xffffff);
}

void tcp_cookie_make(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key)
{
	uint32_t mss_index = 0;
	while (mss_index < 7 && mss_steps[mss_index + 1] <= half->peer_mss)
		mss_index++;
	half->iss = cookie_of(lcore, key, half->irs, step_now(lcore), mss_index);
	if (half->timestamps) {
		uint32_t bits = half->wscale_ok ? half->snd_wscale : WSCALE_NONE;
		bits |= (half->sack ? TS_SACK : 0) | (half->ecn ? TS_ECN : 0);
		const uint32_t now = tcp_clock_ms(lcore) + half->ts_offset;
		uint32_t stamped = (now & ~((1u << TS_BITS) - 1)) | bits;
		/* Never ahead of the clock: later segments would look old. */
		if (tcp_seq_lt(now, stamped))
			stamped -= 1u << TS_BITS;
		half->ts_offset = stamped - tcp_clock_ms(lcore);
	} else {
		half->wscale_ok = half->sack = half->ecn = false;
		half->snd_wscale = half->rcv_wscale = 0;
	}
	lcore->cookie_sent_ns = lcore->now_ns;
	TCP_COUNT(lcore, cookies_sent);
}

bool tcp_cookie_check(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key,
		      const struct tcp_segment *segment)
{
	if (!lcore->cookie_sent_ns || lcore->now_ns - lcore->cookie_sent_ns > STEPS_VALID * STEP_NS)
		return false;
	const uint32_t iss = segment->ack - 1, irs = segment->seq - 1;
	const uint32_t step = iss >> 27, mss_index = iss >> 24 & 7;
	if (((step_now(lcore) - step) & 31) >= STEPS_VALID || cookie_of(lcore, key, irs, step, mss_index) != iss) {
		TCP_COUNT(lcore, cookies_bad);
		return false;
	}
	half->iss = iss;
	half->irs = irs;
	half->peer_mss = mss_steps[mss_index];
	half->timestamps = segment->options.has_timestamps;
	half->ts_offset = tcp_ts_offset(lcore, key);
	half->ts_recent = segment->options.ts_val;
	half->retries = 1; /* its round trip is not known */
	if (half->timestamps) {
		const uint32_t bits = segment->options.ts_ecr;
		half->wscale_ok = (bits & TS_WSCALE) != WSCALE_NONE;
		half->snd_wscale = half->wscale_ok ? bits & TS_WSCALE : 0;
		half->rcv_wscale = half->wscale_ok ? tcp_wscale_for(lcore->settings.window_bytes_max) : 0;
		half->sack = bits & TS_SACK;
		half->ecn = bits & TS_ECN;
	}
	TCP_COUNT(lcore, cookies_good);
	return true;
}

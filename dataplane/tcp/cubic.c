/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CUBIC (RFC 9438) in integers: windows in bytes, times in milliseconds,
 * C = 0.4 segments/s^3, beta = 0.7.
 */
#include "tcp/tcp_priv.h"

#define EPOCH_MS_MAX 60000u /* of the curve; keeps the cube inside 64 bits at any MSS */

/* Largest x with x^3 <= value. */
static uint64_t cube_root(uint64_t value)
{
	uint64_t root = 0;
	for (int bit = 20; bit >= 0; bit--) {
		const uint64_t try = root | 1ull << bit;
		if (try * try * try <= value)
			root = try;
	}
	return root;
}

static void cubic_init(struct tcp_conn *conn)
{
	conn->cc_state.cubic = (struct tcp_cubic){0};
}

/* After an idle time the epoch is over (RFC 9438 4.2, "application-limited"). */
static uint32_t cubic_ssthresh(struct tcp_conn *conn)
{
	struct tcp_cubic *c = &conn->cc_state.cubic;
	const uint32_t cwnd = conn->cwnd;
	c->epoch_ns = 0;
	c->w_max_before = c->w_max;
	/* Fast convergence (4.7): the flow gives way to newer ones. */
	c->w_max = cwnd < c->w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
	c->prior = cwnd;
	/* What was really in flight is what congestion happened at (4.6). */
	const uint32_t flight = tcp_max_u32(tcp_min_u32(cwnd, conn->snd_nxt - conn->snd_una),
					    tcp_max_u32(conn->flight_max, conn->flight_max_before));
	return (uint32_t)((uint64_t)tcp_min_u32(cwnd, flight) * 7 / 10);
}

static void begin_epoch(struct tcp_conn *conn)
{
	struct tcp_cubic *c = &conn->cc_state.cubic;
	c->epoch_ns = conn->lcore->now_ns ? conn->lcore->now_ns : 1;
	c->w_est = conn->cwnd;
	c->remainder = 0;
	if (conn->cwnd < c->w_max) {
		/* K^3 = (w_max - cwnd) / C, in ms^3: 10^9 / 0.4 for each segment. */
		const uint64_t missing = c->w_max - conn->cwnd;
		const uint64_t segments_1024 = missing * 1024 / conn->mss;
		c->k_ms = cube_root(segments_1024 * 2441406); /* 2.5e9 / 1024 */
		if (c->k_ms > EPOCH_MS_MAX)
			c->k_ms = EPOCH_MS_MAX;
		c->origin = c->w_max;
	} else {
		c->k_ms = 0;
		c->origin = conn->cwnd;
	}
}

/* The curve after t, bytes. */
static uint64_t curve(const struct tcp_conn *conn, uint64_t t_ms)
{
	const struct tcp_cubic *c = &conn->cc_state.cubic;
	if (t_ms > c->k_ms + EPOCH_MS_MAX)
		t_ms = c->k_ms + EPOCH_MS_MAX;
	const bool below = t_ms < c->k_ms;
	const uint64_t d = below ? c->k_ms - t_ms : t_ms - c->k_ms;
	/* 0.4 * d^3 / 10^9 segments */
	const uint64_t bytes = d * d * d / 2500 * conn->mss / 1000000;
	if (below)
		return c->origin > bytes ? c->origin - bytes : 0;
	return c->origin + bytes;
}

static void cubic_avoid(struct tcp_conn *conn, uint32_t acked_bytes)
{
	struct tcp_cubic *c = &conn->cc_state.cubic;
	if (c->epoch_ns == 0)
		begin_epoch(conn);
	const uint64_t t_ms = (conn->lcore->now_ns - c->epoch_ns + conn->srtt_ns) / TCP_NS_PER_MS;
	uint64_t target = curve(conn, t_ms);
	const uint64_t most = (uint64_t)conn->cwnd * 3 / 2;
	if (target > most)
		target = most;
	/* Where Reno would be (4.3): alpha = 3 * 0.3 / 1.7 until the window before the reduction, then 1. */
	const uint64_t alpha_1024 = c->w_est >= c->prior ? 1024 : 542;
	const uint64_t gain = (uint64_t)acked_bytes * conn->mss * alpha_1024 / 1024 + c->remainder;
	c->w_est += (uint32_t)(gain / conn->cwnd);
	c->remainder = (uint32_t)(gain % conn->cwnd);
	if (c->w_est > target)
		target = c->w_est;
	if (target <= conn->cwnd)
		return;
	const uint64_t step = (target - conn->cwnd) * acked_bytes + conn->acked_remainder;
	conn->acked_remainder = (uint32_t)(step % conn->cwnd);
	conn->cwnd += (uint32_t)(step / conn->cwnd);
}

static void cubic_undo(struct tcp_conn *conn)
{
	conn->cc_state.cubic.w_max = conn->cc_state.cubic.w_max_before;
	conn->cc_state.cubic.epoch_ns = 0;
}

const struct tcp_cc_ops tcp_cubic_ops = {
	.init = cubic_init, .ssthresh = cubic_ssthresh, .avoid = cubic_avoid, .undo = cubic_undo};

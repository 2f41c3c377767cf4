/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does after a turn that found nothing: go on at once (spin),
 * relax the core for a moment (pause), or sleep shortly.  One turn with work
 * starts over.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Defaults: about a tenth of a millisecond of polling before the first sleep, so that a client with one request
 * outstanding never meets a sleeping worker. */
#define IDLE_SPIN_TURNS 500u
#define IDLE_PAUSE_TURNS 500u
#define IDLE_SLEEP_US 50u
#define IDLE_SLEEP_US_MAX 1000u /* a job, or an I/O completion, waits no longer than this */

struct idle_policy {
	uint32_t spin_turns, pause_turns;
	uint32_t sleep_us; /* 0: never sleep */
};

enum idle_action { IDLE_SPIN, IDLE_PAUSE, IDLE_SLEEP };

struct idle {
	struct idle_policy policy;
	uint64_t empty_turns;
};

/* What to do after a turn; worked: it moved something. */
static inline enum idle_action idle_turn(struct idle *idle, bool worked)
{
	if (worked) {
		idle->empty_turns = 0;
		return IDLE_SPIN;
	}
	uint64_t turns = ++idle->empty_turns;
	if (turns <= idle->policy.spin_turns)
		return IDLE_SPIN;
	if (turns <= (uint64_t)idle->policy.spin_turns + idle->policy.pause_turns || idle->policy.sleep_us == 0)
		return IDLE_PAUSE;
	return IDLE_SLEEP;
}

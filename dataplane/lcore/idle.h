/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does after a turn that found nothing: go on at once (spin),
 * relax the core for a moment (pause), or sleep; the first sleeps are short and
 * grow to what the policy allows.  One turn with work starts over.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Defaults.  A few ten microseconds of polling carry a client with one request
 * outstanding from one request to the next.  Much more would cost it time
 * wherever cores are shared: a thread that has used up its slice waits for
 * milliseconds, one that sleeps shortly is let in at once.
 */
#define IDLE_SPIN_TURNS 200u
#define IDLE_PAUSE_TURNS 50u
#define IDLE_SLEEP_US 100u
#define IDLE_SLEEP_US_FIRST 10u
#define IDLE_SLEEPS_A_STEP 64u  /* after so many sleeps in a row they last twice as long */
#define IDLE_SLEEP_US_MAX 1000u /* a job, or an I/O completion, waits no longer than this */

struct idle_policy {
	uint32_t spin_turns, pause_turns;
	uint32_t sleep_us; /* the longest sleep; 0: never sleep */
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

/* How long to sleep after IDLE_SLEEP. */
static inline uint32_t idle_sleep_us(const struct idle *idle)
{
	uint64_t sleeps = idle->empty_turns - idle->policy.spin_turns - idle->policy.pause_turns;
	uint64_t doublings = sleeps / IDLE_SLEEPS_A_STEP;
	uint64_t us = doublings < 10 ? (uint64_t)IDLE_SLEEP_US_FIRST << doublings : IDLE_SLEEP_US_MAX;
	return us < idle->policy.sleep_us ? (uint32_t)us : idle->policy.sleep_us;
}

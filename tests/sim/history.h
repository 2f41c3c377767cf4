/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one place (a sector, a config string, a list) may hold.
 *
 * A version is one write: issued, and later ended, by an answer or for good.
 * Between the two it may take effect at any moment, and more than once, because
 * its author repeats it until it is answered.  After its end it must never take
 * effect again: that is the stale-write rule.
 *
 * The history of a place is every version it ever may have held.  Those it may
 * hold now are "possible":
 *  - a version becomes possible when it is issued;
 *  - when one is acknowledged, it took effect after it was issued; so whatever
 *    had ended before that is no longer possible;
 *  - when a read that was issued at t returns one, the same holds for whatever
 *    had ended before t;
 *    (unless that lingers: when copies of its frame may be left, one may still
 *    land upon a write that was under way at the same time; one that was issued
 *    later than all of them ends this);
 *  - a write that failed or was given up proves nothing.
 * A read may return what was possible at any moment between its issue and its
 * answer.
 *
 * Under write-back, a power loss may bring back what a place held since the last
 * flush; so what is not possible any more stays "recoverable" until a flush that
 * was issued later is acknowledged.
 */
#pragma once

#include "core.h"

struct version {
	uint64_t id;
	uint64_t issue_ns, end_ns; /* end_ns: NEVER while it may still take effect */
	bool lingers;              /* a read proves nothing against it, only a later write does */
};

struct history_entry {
	struct version *version;
	uint64_t removed_ns; /* NEVER: possible now */
	bool recoverable;
};

struct history {
	struct history_entry *entries;
	uint32_t count, capacity;
};

void history_issue(struct sim *sim, struct history *history, struct version *version);
/* The version is acknowledged now; the caller sets its end_ns. */
void history_acknowledge(const struct sim *sim, struct history *history, const struct version *version);
/* Was the version possible at some moment since then? */
bool history_possible_since(const struct history *history, const struct version *version, uint64_t since_ns);
/* A read that was issued then has returned the version. */
void history_observe(const struct sim *sim, struct history *history, const struct version *version, uint64_t issue_ns);
/* A flush that was issued then is acknowledged. */
void history_flushed(struct history *history, uint64_t issue_ns);
/* The version, which is acknowledged, is durable: a power loss cannot bring back what had ended before it. */
void history_durable(struct history *history, const struct version *version);
/* Power loss under write-back. */
void history_power_loss(struct history *history);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --watch: the same question again and again, and what has happened in between.
 * Goes on while wherryd restarts.  One thread.
 */
#pragma once

#include "cli/run.h"

struct cli_watch {
	struct cli_run *run;
	void *ctx;
	/* Ask, and keep the answer; what was kept is that of before from now on.  0 or an exit code; then nothing is
	 * kept of this turn. */
	int (*take)(void *ctx);
	/* What has changed between the two, on to. */
	void (*print)(void *ctx, FILE *to);
};

/* Was --watch given? */
bool cli_watch_is_wanted(const struct cli_run *run);
/* The loop, with the interval and the count of the invocation.  0 or an exit code. */
__attribute__((warn_unused_result)) int cli_watch_run(const struct cli_watch *watch);
/* --count without --watch is a mistake: an exit code, with the reason; else 0. */
__attribute__((warn_unused_result)) int cli_watch_check(struct cli_run *run);

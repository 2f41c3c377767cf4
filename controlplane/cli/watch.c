/* SPDX-License-Identifier: BSD-3-Clause */
/* See watch.h. */
#include "cli/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/print.h"

#define INTERVAL_MIN_S 0.05
#define CLEAR_SCREEN "\033[H\033[2J"

bool cli_watch_is_wanted(const struct cli_run *run)
{
	return json_object_get(run->invocation->locals, "watch") != NULL;
}

int cli_watch_check(struct cli_run *run)
{
	if (json_integer_value(json_object_get(run->invocation->locals, "count")) && !cli_watch_is_wanted(run))
		return cli_fail(&run->error, FAIL_EXIT_USAGE, "--count counts intervals; give --watch too");
	return 0;
}

static void sleep_until(struct timespec *next, double interval_s)
{
	long long ns = next->tv_nsec + (long long)(interval_s * 1e9);
	next->tv_sec += (time_t)(ns / 1000000000);
	next->tv_nsec = (long)(ns % 1000000000);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
}

/* One interval, built in memory so that a terminal shows it at once. */
static void show(const struct cli_watch *watch, bool terminal)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	if (!to)
		return;
	watch->print(watch->ctx, to);
	if (!watch->run->invocation->json && !terminal)
		(void)fputc('\n', to);
	(void)fclose(to);
	(void)fprintf(watch->run->out, "%s%s", terminal ? CLEAR_SCREEN : "", text);
	free(text);
}

int cli_watch_run(const struct cli_watch *watch)
{
	struct cli_run *run = watch->run;
	const json_t *locals = run->invocation->locals;
	const char *term = getenv("TERM");
	const bool terminal = !run->invocation->json && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
	const json_int_t count = json_integer_value(json_object_get(locals, "count"));
	double interval_s = json_real_value(json_object_get(locals, "watch"));
	struct timespec next;
	if (interval_s < INTERVAL_MIN_S)
		interval_s = INTERVAL_MIN_S;
	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	int rc = watch->take(watch->ctx);
	for (json_int_t turn = 0; rc == 0 && (!count || turn < count); turn++) {
		sleep_until(&next, interval_s);
		rc = watch->take(watch->ctx);
		if (rc == 0) {
			show(watch, terminal);
		} else if (rc == FAIL_EXIT_NO_DAEMON) {
			/* The daemon may be restarting; the next interval tries again. */
			cli_print_error(run->err, &run->error, run->invocation->json);
			rpc_close(&run->rpc);
			rc = 0;
		}
		if (rc == 0 && fflush(run->out))
			rc = cli_fail(&run->error, FAIL_EXIT_ERROR, "standard output: %s", strerror(errno));
	}
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* stats: totals once, or rates again and again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"
#include "cli/stats_math.h"
#include "cli/stats_view.h"

#define INTERVAL_MIN_S 0.05
#define CLEAR_SCREEN "\033[H\033[2J"

struct stats {
	struct cli_run *run;
	bool wanted[WHERRY_SCOPE_COUNT];
	json_t *before[WHERRY_SCOPE_COUNT], *after[WHERRY_SCOPE_COUNT];
	const json_t *object; /* only this one, NULL: all */
	bool histogram, all, watch;
	double interval_s;
	json_int_t count; /* intervals, 0: no end */
};

static void forget(json_t **replies)
{
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		json_decref(replies[i]);
		replies[i] = NULL;
	}
}

/* Ask for every wanted scope into after. */
static int take(struct stats *s)
{
	forget(s->after);
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		if (!s->wanted[i])
			continue;
		bool histograms = i == WHERRY_SCOPE_EXPORT && (s->histogram || s->watch);
		json_t *params = json_pack("{s:s, s:O*, s:b}", "scope", wherry_stat_scope_desc(i)->name, "object",
					   s->object, "histograms", histograms);
		int rc = cli_call(s->run, s->run->command->method, params, &s->after[i]);
		json_decref(params);
		if (rc)
			return rc;
	}
	return 0;
}

static void print_totals(const struct stats *s)
{
	json_t *scopes = json_array();
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		if (!s->wanted[i])
			continue;
		if (!s->run->invocation->json) {
			stats_print_totals(s->run->out, wherry_stat_scope_desc(i), s->after[i], s->all, s->histogram);
			continue;
		}
		json_t *object = json_pack("{s:s}", "scope", wherry_stat_scope_desc(i)->name);
		json_object_update_missing(object, s->after[i]);
		json_array_append_new(scopes, object);
	}
	if (s->run->invocation->json)
		cli_print_json(s->run->out, scopes);
	json_decref(scopes);
}

/* One interval, built in memory so that a terminal shows it at once. */
static void print_rates(const struct stats *s, bool terminal)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	char time[64];
	bool first = true;
	if (!to)
		return;
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		if (!s->wanted[i])
			continue;
		if (s->run->invocation->json) {
			json_t *rates = stats_rates_json(wherry_stat_scope_desc(i), s->before[i], s->after[i]);
			cli_print_json_line(to, rates);
			json_decref(rates);
			continue;
		}
		if (first)
			(void)fprintf(to, "%s, %.2f s\n",
				      cli_time_text((int64_t)cli_json_u64(json_object_get(s->after[i], "time_us")),
						    time, sizeof(time)),
				      stats_interval_s(s->before[i], s->after[i]));
		(void)fputc('\n', to);
		first = false;
		stats_print_rates(to, wherry_stat_scope_desc(i), s->before[i], s->after[i], s->all);
	}
	if (!s->run->invocation->json && !terminal)
		(void)fputc('\n', to);
	(void)fclose(to);
	(void)fprintf(s->run->out, "%s%s", terminal ? CLEAR_SCREEN : "", text);
	free(text);
}

static void sleep_until(struct timespec *next, double interval_s)
{
	long long ns = next->tv_nsec + (long long)(interval_s * 1e9);
	next->tv_sec += (time_t)(ns / 1000000000);
	next->tv_nsec = (long)(ns % 1000000000);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
}

static int watch(struct stats *s)
{
	const char *term = getenv("TERM");
	bool terminal = !s->run->invocation->json && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
	struct timespec next;
	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	int rc = take(s);
	if (rc)
		return rc;
	for (json_int_t turn = 0; !s->count || turn < s->count; turn++) {
		memcpy(s->before, s->after, sizeof(s->before));
		memset(s->after, 0, sizeof(s->after));
		sleep_until(&next, s->interval_s);
		rc = take(s);
		if (rc == 0) {
			print_rates(s, terminal);
		} else if (rc == FAIL_EXIT_NO_DAEMON) {
			/* The daemon may be restarting; the next interval tries again. */
			cli_print_error(s->run->err, &s->run->error, s->run->invocation->json);
			rpc_close(&s->run->rpc);
			forget(s->after);
		} else {
			return rc;
		}
		forget(s->before);
		if (fflush(s->run->out))
			return cli_fail(&s->run->error, FAIL_EXIT_ERROR, "standard output: %s", strerror(errno));
	}
	return 0;
}

int cli_run_stats(struct cli_run *run)
{
	const json_t *locals = run->invocation->locals;
	const char *scope = json_string_value(json_object_get(locals, "SCOPE"));
	const json_t *interval = json_object_get(locals, "watch");
	struct stats s = {
		.run = run,
		.object = json_object_get(locals, "OBJECT"),
		.histogram = json_is_true(json_object_get(locals, "histogram")),
		.all = json_is_true(json_object_get(locals, "all")),
		.watch = interval != NULL,
		.interval_s = json_real_value(interval),
		.count = json_integer_value(json_object_get(locals, "count")),
	};
	if (s.count && !s.watch)
		return cli_fail(&run->error, FAIL_EXIT_USAGE, "--count counts intervals; give --watch too");
	if (s.interval_s < INTERVAL_MIN_S)
		s.interval_s = INTERVAL_MIN_S;
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++)
		s.wanted[i] = scope ? !strcmp(scope, wherry_stat_scope_desc(i)->name) : i != WHERRY_SCOPE_CLIENT;
	int rc = s.watch ? watch(&s) : take(&s);
	if (rc == 0 && !s.watch)
		print_totals(&s);
	forget(s.before);
	forget(s.after);
	return rc;
}

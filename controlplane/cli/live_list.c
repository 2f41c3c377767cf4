/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists whose objects come, count and go: once, or the rates of an interval again and again. */
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"
#include "cli/table_macros.h"
#include "cli/watch.h"

#define KEY_COUNT_MAX 12

/* What is watched of the objects of a method. */
static const struct watched {
	const char *method;
	const char *identity[4];             /* keys that tell one object from another */
	const char *rates[KEY_COUNT_MAX];    /* counters, shown for each second */
	const char *growths[KEY_COUNT_MAX];  /* counters, shown as how much they grew in the interval */
	const struct cli_column columns[14]; /* of objects that have "rate.KEY" and "grown.KEY" besides their own */
} sources[] = {
	{"tcp.connection.list",
	 {"local", "remote", "lcore"},
	 {"bytes_in", "bytes_out", "segments_in", "segments_out"},
	 {"retransmits", "timeouts", "zero_windows", "out_of_order"},
	 {COL("LOCAL", "local", TEXT), COL("REMOTE", "remote", TEXT), COL("STATE", "state", TEXT),
	  COL("RTT", "rtt_us", US), COL("CWND", "cwnd_bytes", SIZE), COL("IN FLIGHT", "in_flight_bytes", SIZE),
	  COL("IN/s", "rate.bytes_in", SIZE), COL("OUT/s", "rate.bytes_out", SIZE),
	  COL("SEG IN/s", "rate.segments_in", COUNT), COL("SEG OUT/s", "rate.segments_out", COUNT),
	  COL("RETRANSMITS", "grown.retransmits", COUNT), COL("TIMEOUTS", "grown.timeouts", COUNT),
	  COL("ZERO WINDOWS", "grown.zero_windows", COUNT), NO_COLUMN}},
	{"nbd.session.list",
	 {"local", "remote", "lcore"},
	 {"read_ops", "read_bytes", "write_ops", "write_bytes", "other_ops"},
	 {"errors"},
	 {COL("EXPORT", "export", TEXT), COL("CLIENT", "remote", TEXT), COL("LCORE", "lcore", TEXT),
	  COL("UNDER WAY", "under_way", COUNT), COL("READS/s", "rate.read_ops", COUNT),
	  COL("READ/s", "rate.read_bytes", SIZE), COL("WRITES/s", "rate.write_ops", COUNT),
	  COL("WRITTEN/s", "rate.write_bytes", SIZE), COL("OTHERS/s", "rate.other_ops", COUNT),
	  COL("ERRORS", "grown.errors", COUNT), NO_COLUMN}},
};

struct live {
	struct cli_run *run;
	const struct watched *watched;
	json_t *before, *after; /* objects by their identity; NULL: not known */
	int64_t before_us, after_us;
};

static char *identity_of(const struct watched *watched, const json_t *object)
{
	json_t *parts = json_array();
	for (unsigned i = 0; watched->identity[i]; i++) {
		json_t *part = json_object_get(object, watched->identity[i]);
		json_array_append(parts, part ? part : json_null());
	}
	char *text = json_dumps(parts, JSON_COMPACT);
	json_decref(parts);
	return text;
}

static int take(void *ctx)
{
	struct live *live = ctx;
	json_t *list;
	json_decref(live->before);
	live->before = live->after;
	live->before_us = live->after_us;
	live->after = NULL;
	int rc = cli_call(live->run, live->watched->method, live->run->invocation->params, &list);
	if (rc)
		return rc;
	live->after = json_object();
	live->after_us = cli_now_us();
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *object = json_array_get(list, i);
		char *identity = identity_of(live->watched, object);
		if (identity)
			json_object_set(live->after, identity, object);
		free(identity);
	}
	json_decref(list);
	return 0;
}

/* Whether it is the one that was there before: one that counts less is another of the same name. */
static bool is_same(const struct watched *watched, const json_t *before, const json_t *after)
{
	for (unsigned i = 0; watched->rates[i]; i++)
		if (cli_json_u64(json_object_get(after, watched->rates[i])) <
		    cli_json_u64(json_object_get(before, watched->rates[i])))
			return false;
	return before != NULL;
}

static json_t *growth(const char *key, const json_t *before, const json_t *after, double per_s)
{
	const uint64_t now = cli_json_u64(json_object_get(after, key));
	const uint64_t was = before ? cli_json_u64(json_object_get(before, key)) : 0;
	return json_integer((json_int_t)((double)(now > was ? now - was : 0) * per_s + 0.5));
}

/* The objects of now, each with what it did since before; one that is new has done all of it since. */
static json_t *with_growth(const struct live *live, double interval_s)
{
	const struct watched *watched = live->watched;
	json_t *out = json_array(), *object;
	const char *identity;
	json_object_foreach(live->after, identity, object)
	{
		const json_t *before = json_object_get(live->before, identity);
		if (!is_same(watched, before, object))
			before = NULL;
		json_t *rate = json_object(), *grown = json_object();
		for (unsigned i = 0; watched->rates[i]; i++)
			json_object_set_new(rate, watched->rates[i],
					    growth(watched->rates[i], before, object, 1 / interval_s));
		for (unsigned i = 0; watched->growths[i]; i++)
			json_object_set_new(grown, watched->growths[i], growth(watched->growths[i], before, object, 1));
		json_t *copy = json_copy(object);
		json_object_set_new(copy, "rate", rate);
		json_object_set_new(copy, "grown", grown);
		json_array_append_new(out, copy);
	}
	return out;
}

static void print(void *ctx, FILE *to)
{
	const struct live *live = ctx;
	char time[64];
	const double interval_s = (double)(live->after_us - live->before_us) / 1e6;
	/* wherryd was away in between: what its numbers were before is not known. */
	json_t *list = live->before && interval_s > 0 ? with_growth(live, interval_s) : json_array();
	if (live->run->invocation->json) {
		json_t *line = json_pack("{s:I, s:f, s:O}", "time_us", (json_int_t)live->after_us, "interval_s",
					 interval_s, "objects", list);
		cli_print_json_line(to, line);
		json_decref(line);
	} else {
		(void)fprintf(to, "%s, %.2f s, %zu\n\n", cli_time_text(live->after_us, time, sizeof(time)), interval_s,
			      json_object_size(live->after));
		cli_print_table(to, live->watched->columns, list, true, live->after_us);
	}
	json_decref(list);
}

static int print_once(struct live *live)
{
	json_t *list;
	int rc = cli_call(live->run, live->watched->method, live->run->invocation->params, &list);
	if (rc == 0 && live->run->invocation->json)
		cli_print_json(live->run->out, list);
	else if (rc == 0)
		cli_print_result(live->run->out, live->run->command, list, live->run->invocation->params, cli_now_us());
	json_decref(list);
	return rc;
}

int cli_run_live_list(struct cli_run *run)
{
	struct live live = {.run = run, .watched = sources};
	while (strcmp(live.watched->method, run->command->method))
		live.watched++; /* each command of this action has its row */
	int rc = cli_watch_check(run);
	if (rc == 0 && !cli_watch_is_wanted(run))
		return print_once(&live);
	const struct cli_watch watch = {.run = run, .ctx = &live, .take = take, .print = print};
	if (rc == 0)
		rc = cli_watch_run(&watch);
	json_decref(live.before);
	json_decref(live.after);
	return rc;
}

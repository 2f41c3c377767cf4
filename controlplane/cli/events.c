/* SPDX-License-Identifier: BSD-3-Clause */
/* events: pages of the daemon's event list, and with --follow whatever comes after. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"
#include "cli/value.h"

#define PAGE_COUNT 100
#define PAGES_MAX 1000 /* more than the daemon keeps; a guard against one that always answers */
#define WAIT_MS 20000
#define LATEST_DEFAULT 50

struct events {
	struct cli_run *run;
	int64_t since_id;    /* largest id seen */
	int64_t min_time_us; /* older ones are not shown */
	json_t *shown;       /* with --json and without --follow: collected */
	bool follow;
};

static void print_event(FILE *out, const json_t *event)
{
	static const struct cli_column columns[] = {
		{"", "id", CLI_AS_TEXT},   {"", "time_us", CLI_AS_TIME_US}, {"", "severity", CLI_AS_TEXT},
		{"", "code", CLI_AS_TEXT}, {"", "object", CLI_AS_TEXT},     {"", "message", CLI_AS_TEXT},
	};
	/* Lines come one by one, so that widths are fixed where a table would measure. */
	static const int widths[] = {5, 24, 7, 20, 12, 0};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		char *text = cli_cell(&columns[i], event, 0);
		(void)fprintf(out, "%-*s%s", widths[i], text, widths[i] ? "  " : "\n");
		free(text);
	}
}

static void show(struct events *events, json_t *event)
{
	json_int_t id = json_integer_value(json_object_get(event, "id"));
	if (id > events->since_id)
		events->since_id = id;
	if (json_integer_value(json_object_get(event, "time_us")) < events->min_time_us)
		return;
	if (!events->run->invocation->json)
		print_event(events->run->out, event);
	else if (events->follow)
		cli_print_json_line(events->run->out, event);
	else
		json_array_append(events->shown, event);
}

/* One request; how many events came, or -1 with the error set. */
static int take_page(struct events *events, const char *method, json_t *params)
{
	json_t *result;
	int rc = cli_call(events->run, method, params, &result);
	json_decref(params);
	int count = rc ? -1 : 0;
	for (size_t i = 0; i < json_array_size(result); i++) {
		json_t *event = json_array_get(result, i);
		if (!json_is_object(event))
			continue;
		show(events, event);
		count++;
	}
	json_decref(result);
	return count;
}

static int take_since(struct events *events)
{
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		json_int_t before = events->since_id;
		int count = take_page(events, "event.list",
				      json_pack("{s:I, s:i}", "since_id", before, "limit", PAGE_COUNT));
		if (count < 0)
			return events->run->error.code;
		if (count < PAGE_COUNT || events->since_id == before)
			break;
	}
	return 0;
}

static int follow(struct events *events)
{
	bool told = false;
	double limit_ms = events->run->invocation->timeout_s * 500; /* the answer must beat our own time limit */
	int wait_ms = limit_ms < WAIT_MS ? (int)limit_ms : WAIT_MS;
	for (;;) {
		if (fflush(events->run->out))
			return cli_fail(&events->run->error, FAIL_EXIT_ERROR, "standard output: no longer writable");
		int count = take_page(
			events, "event.wait",
			json_pack("{s:I, s:i}", "since_id", (json_int_t)events->since_id, "timeout_ms", wait_ms));
		if (count >= 0) {
			told = false;
			continue;
		}
		if (events->run->error.code != FAIL_EXIT_NO_DAEMON)
			return events->run->error.code;
		/* The daemon may be restarting: its events are what we are here for. */
		if (!told)
			cli_print_error(events->run->err, &events->run->error, events->run->invocation->json);
		told = true;
		rpc_close(&events->run->rpc);
		(void)sleep(1);
	}
}

int cli_run_events(struct cli_run *run)
{
	const json_t *locals = run->invocation->locals;
	const char *since = json_string_value(json_object_get(locals, "since"));
	struct events events = {.run = run, .follow = json_is_true(json_object_get(locals, "follow"))};
	int64_t age_s;
	events.shown = json_array();
	int rc;
	if (since) {
		if (cli_int_parse(since, &events.since_id)) {
			events.since_id = 0;
			if (!cli_age_parse(since, &age_s))
				events.min_time_us = cli_now_us() - age_s * 1000000;
		}
		rc = take_since(&events);
	} else {
		const json_t *limit = json_object_get(locals, "limit");
		json_int_t count = limit ? json_integer_value(limit) : LATEST_DEFAULT;
		rc = take_page(&events, "event.list", json_pack("{s:I}", "limit", count)) < 0 ? run->error.code : 0;
	}
	if (rc == 0 && run->invocation->json && !events.follow)
		cli_print_json(run->out, events.shown);
	if (rc == 0 && events.follow)
		rc = follow(&events);
	json_decref(events.shown);
	return rc;
}

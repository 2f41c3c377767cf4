/* SPDX-License-Identifier: BSD-3-Clause */
/* stats: totals once, or rates again and again. */
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"
#include "cli/stats_math.h"
#include "cli/stats_view.h"
#include "cli/watch.h"

struct stats {
	struct cli_run *run;
	bool wanted[WHERRY_SCOPE_COUNT];
	json_t *before[WHERRY_SCOPE_COUNT], *after[WHERRY_SCOPE_COUNT];
	const json_t *object; /* only this one, NULL: all */
	bool histogram, all, watch;
};

static void forget(json_t **replies)
{
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		json_decref(replies[i]);
		replies[i] = NULL;
	}
}

/* Whether the client is the one asked for; all are when none is. */
static bool is_wanted_client(const struct stats *s, const json_t *client)
{
	const char *mac = json_string_value(json_object_get(client, "mac"));
	return mac && (!s->object || !strcasecmp(mac, json_string_value(s->object)));
}

/* Clients have a list of their own; it takes the shape of the statistics of the other scopes. */
static int take_clients(struct stats *s)
{
	json_t *list;
	int rc = cli_call(s->run, "client.list", NULL, &list);
	if (rc)
		return rc;
	json_t *objects = json_array();
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *client = json_array_get(list, i);
		if (!is_wanted_client(s, client))
			continue;
		/* One client may talk on several ports and VLANs: each is a line of its own. */
		static const struct cli_column path = {"", "port|vlan", CLI_AS_TEXT};
		char name[128];
		char *where = cli_cell(&path, client, 0);
		(void)snprintf(name, sizeof(name), "%.17s %.80s", json_string_value(json_object_get(client, "mac")),
			       where);
		free(where);
		json_t *title = json_string(name);
		json_array_append_new(
			objects, json_pack("{s:o, s:O}", "object", title ? title : json_string("?"), "values", client));
	}
	json_decref(list);
	s->after[WHERRY_SCOPE_CLIENT] =
		json_pack("{s:I, s:o}", "time_us", (json_int_t)cli_now_us(), "objects", objects);
	return 0;
}

/* Ask for every wanted scope into after. */
static int take(struct stats *s)
{
	forget(s->after);
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		if (!s->wanted[i])
			continue;
		if (i == WHERRY_SCOPE_CLIENT) {
			int rc = take_clients(s);
			if (rc)
				return rc;
			continue;
		}
		bool histograms =
			(i == WHERRY_SCOPE_EXPORT || i == WHERRY_SCOPE_NBD_EXPORT) && (s->histogram || s->watch);
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

static int take_next(void *ctx)
{
	struct stats *s = ctx;
	forget(s->before);
	memcpy(s->before, s->after, sizeof(s->before));
	memset(s->after, 0, sizeof(s->after));
	int rc = take(s);
	if (rc)
		forget(s->after);
	return rc;
}

static void print_rates(void *ctx, FILE *to)
{
	const struct stats *s = ctx;
	char time[64];
	bool first = true;
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
}

int cli_run_stats(struct cli_run *run)
{
	const json_t *locals = run->invocation->locals;
	const char *scope = json_string_value(json_object_get(locals, "SCOPE"));
	struct stats s = {
		.run = run,
		.object = json_object_get(locals, "OBJECT"),
		.histogram = json_is_true(json_object_get(locals, "histogram")),
		.all = json_is_true(json_object_get(locals, "all")),
		.watch = cli_watch_is_wanted(run),
	};
	const struct cli_watch watch = {.run = run, .ctx = &s, .take = take_next, .print = print_rates};
	int rc = cli_watch_check(run);
	if (rc)
		return rc;
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++)
		s.wanted[i] = scope ? !strcmp(scope, wherry_stat_scope_desc(i)->name) : i != WHERRY_SCOPE_CLIENT;
	rc = s.watch ? cli_watch_run(&watch) : take(&s);
	if (rc == 0 && !s.watch)
		print_totals(&s);
	forget(s.before);
	forget(s.after);
	return rc;
}

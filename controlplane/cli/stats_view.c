/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics on a stream. */
#include "cli/stats_view.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/stats_math.h"
#include "common/text.h"

static const char *const latency_kinds[] = {"read", "write", "other"};
#define LATENCY_KIND_COUNT (sizeof(latency_kinds) / sizeof(latency_kinds[0]))
#define BAR_COLUMNS 40

/* ------------------------------------------------------------------ rates */
enum view_kind { VIEW_RATE, VIEW_BYTES, VIEW_GAUGE, VIEW_BUSY, VIEW_LATENCY };

struct view_column {
	const char *title;
	const char *stat; /* VIEW_LATENCY: kind of request */
	enum view_kind kind;
	unsigned per_thousand;
};

static const struct view_column port_view[] = {
	{"RX/s", "rx_frames", VIEW_RATE, 0},     {"RX BYTES/s", "rx_bytes", VIEW_BYTES, 0},
	{"TX/s", "tx_frames", VIEW_RATE, 0},     {"TX BYTES/s", "tx_bytes", VIEW_BYTES, 0},
	{"MISSED/s", "rx_missed", VIEW_RATE, 0}, {"RING FULL/s", "tx_ring_full", VIEW_RATE, 0},
	{"LINK", "link_up", VIEW_GAUGE, 0},      {NULL, NULL, 0, 0},
};
static const struct view_column lcore_view[] = {
	{"BUSY", NULL, VIEW_BUSY, 0},
	{"TURNS/s", "turns", VIEW_RATE, 0},
	{"SLEEPS/s", "sleeps", VIEW_RATE, 0},
	{"HANDED OUT/s", "handoff_out", VIEW_RATE, 0},
	{"HANDED IN/s", "handoff_in", VIEW_RATE, 0},
	{NULL, NULL, 0, 0},
};
static const struct view_column export_view[] = {
	{"READS/s", "read_ops", VIEW_RATE, 0},   {"READ BYTES/s", "read_bytes", VIEW_BYTES, 0},
	{"WRITES/s", "write_ops", VIEW_RATE, 0}, {"WRITE BYTES/s", "write_bytes", VIEW_BYTES, 0},
	{"DEPTH", "queue_depth", VIEW_GAUGE, 0}, {"READ p50", "read", VIEW_LATENCY, 500},
	{"p99", "read", VIEW_LATENCY, 990},      {"WRITE p50", "write", VIEW_LATENCY, 500},
	{"p99", "write", VIEW_LATENCY, 990},     {NULL, NULL, 0, 0},
};
static const struct view_column volume_view[] = {
	{"READS/s", "read_ops", VIEW_RATE, 0},
	{"READ BYTES/s", "read_bytes", VIEW_BYTES, 0},
	{"WRITES/s", "write_ops", VIEW_RATE, 0},
	{"WRITE BYTES/s", "write_bytes", VIEW_BYTES, 0},
	{"FLUSHES/s", "flush_ops", VIEW_RATE, 0},
	{"DEPTH", "queue_depth", VIEW_GAUGE, 0},
	{NULL, NULL, 0, 0},
};

static const struct view_column client_view[] = {
	{"READS/s", "read_ops", VIEW_RATE, 0},
	{"WRITES/s", "write_ops", VIEW_RATE, 0},
	{"BYTES IN/s", "bytes_in", VIEW_BYTES, 0},
	{"BYTES OUT/s", "bytes_out", VIEW_BYTES, 0},
	{"ERRORS/s", "errors", VIEW_RATE, 0},
	{"DROPS/s", "drops", VIEW_RATE, 0},
	{NULL, NULL, 0, 0},
};

static const struct view_column *view_of(const struct wherry_stat_scope_desc *scope)
{
	static const struct view_column *const views[WHERRY_SCOPE_COUNT] = {
		[WHERRY_SCOPE_PORT] = port_view,     [WHERRY_SCOPE_LCORE] = lcore_view,
		[WHERRY_SCOPE_EXPORT] = export_view, [WHERRY_SCOPE_VOLUME] = volume_view,
		[WHERRY_SCOPE_CLIENT] = client_view, [WHERRY_SCOPE_NBD_EXPORT] = export_view,
	};
	static const struct view_column none[] = {{NULL, NULL, 0, 0}};
	/* By name: each file that includes the list has its own copy of the descriptions. */
	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++)
		if (views[i] && !strcmp(wherry_stat_scope_desc(i)->name, scope->name))
			return views[i];
	return none;
}

/* Rate per second: whole numbers from 100 up, one decimal below. */
static char *rate_text(double rate, char *to, size_t size)
{
	if (rate >= 100)
		return cli_count_text((uint64_t)(rate + 0.5), to, size);
	(void)snprintf(to, size, rate > 0 ? "%.1f" : "0", rate);
	return to;
}

static double rate_of(const json_t *before, const json_t *after, const char *stat, double seconds)
{
	return (double)(stats_value(after, stat) - stats_value(before, stat)) / seconds;
}

/* malloc'd; "-" when the two states cannot be compared. */
static char *view_cell(const struct view_column *column, const json_t *before, const json_t *after, double seconds,
		       bool comparable)
{
	char text[TEXT_SIZE_BYTES + 8] = "-";
	struct stats_latency latency;
	double busy = comparable ? stats_busy_percent(before, after) : -1;
	switch (column->kind) {
	case VIEW_GAUGE:
		(void)snprintf(text, sizeof(text), "%" PRIu64, stats_value(after, column->stat));
		break;
	case VIEW_BUSY:
		if (busy >= 0)
			(void)snprintf(text, sizeof(text), "%.1f%%", busy);
		break;
	case VIEW_RATE:
		if (comparable)
			(void)rate_text(rate_of(before, after, column->stat, seconds), text, sizeof(text));
		break;
	case VIEW_BYTES:
		if (comparable)
			(void)text_size_emit_short((uint64_t)rate_of(before, after, column->stat, seconds), text);
		break;
	case VIEW_LATENCY:
		stats_latency_between(before, after, column->stat, &latency);
		if (comparable && latency.count)
			(void)cli_latency_text(stats_percentile_ns(&latency, column->per_thousand), text, sizeof(text));
		break;
	}
	return strdup(text);
}

static char *safe_name(const json_t *object)
{
	return cli_value_text(json_object_get(object, "object"), CLI_AS_TEXT, 0);
}

static bool in_view(const struct view_column *view, const char *stat)
{
	for (; view->title; view++)
		if (view->stat && view->kind != VIEW_LATENCY && !strcmp(view->stat, stat))
			return true;
	return false;
}

/* Counters without a column that moved: refusals and drops are always worth a line. */
static void print_moved(FILE *out, const struct wherry_stat_scope_desc *scope, const json_t *before,
			const json_t *after, double seconds, bool all)
{
	char rate[32];
	char *name = safe_name(after);
	for (size_t i = 0; i < scope->stat_count; i++) {
		const struct wherry_stat_desc *stat = &scope->stats[i];
		bool cycles = !strcmp(stat->unit, "cycles");
		if (stat->kind != 'C' || cycles || in_view(view_of(scope), stat->name))
			continue;
		double value = rate_of(before, after, stat->name, seconds);
		if (value > 0 || all)
			(void)fprintf(out, "  %s %s: %s %s/s (%s)\n", scope->name, name,
				      rate_text(value, rate, sizeof(rate)), stat->name, stat->help);
	}
	free(name);
}

/* The state of an object in the reply before; NULL: it is new. */
static const json_t *state_before(const json_t *by_name, const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "object"));
	return name ? json_object_get(by_name, name) : NULL;
}

static char *title_of(const struct wherry_stat_scope_desc *scope)
{
	char *title = strdup(scope->name);
	for (char *at = title; at && *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return title;
}

/* Header and a row for each object; objects that are none are left out.  Returns the number of rows. */
static size_t fill_rates(const struct wherry_stat_scope_desc *scope, const json_t *by_name, const json_t *objects,
			 double seconds, char **cells, size_t width)
{
	const struct view_column *view = view_of(scope);
	size_t rows = 1;
	cells[0] = title_of(scope);
	for (size_t c = 1; c < width; c++)
		cells[c] = strdup(view[c - 1].title);
	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i), *old = state_before(by_name, object);
		if (!json_is_object(object))
			continue;
		bool comparable = seconds > 0 && stats_is_continuous(old, object, scope);
		cells[rows * width] = safe_name(object);
		for (size_t c = 1; c < width; c++)
			cells[rows * width + c] = view_cell(&view[c - 1], old, object, seconds, comparable);
		rows++;
	}
	return rows;
}

void stats_print_rates(FILE *out, const struct wherry_stat_scope_desc *scope, const json_t *before, const json_t *after,
		       bool all)
{
	const json_t *objects = json_object_get(after, "objects");
	size_t width = 1, rows = 0, height = json_array_size(objects) + 1;
	double seconds = stats_interval_s(before, after);
	while (view_of(scope)[width - 1].title)
		width++;
	json_t *by_name = stats_objects_by_name(before);
	char **cells = calloc(height * width, sizeof(*cells));
	bool *number = calloc(width, sizeof(*number));
	if (cells && number) {
		memset(number + 1, true, width - 1); /* all but the names */
		rows = fill_rates(scope, by_name, objects, seconds, cells, width);
		cli_print_cells(out, cells, number, rows, width);
	}
	for (size_t i = 0; i < rows * width; i++)
		free(cells[i]);
	free(cells);
	free(number);
	for (size_t i = 0; seconds > 0 && i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i), *old = state_before(by_name, object);
		if (stats_is_continuous(old, object, scope))
			print_moved(out, scope, old, object, seconds, all);
	}
	json_decref(by_name);
}

static json_t *latency_json(const json_t *before, const json_t *after)
{
	json_t *kinds = json_object();
	for (unsigned i = 0; i < LATENCY_KIND_COUNT; i++) {
		struct stats_latency latency;
		stats_latency_between(before, after, latency_kinds[i], &latency);
		if (!latency.count)
			continue;
		json_object_set_new(kinds, latency_kinds[i],
				    json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)latency.count, "p50_ns",
					      (json_int_t)stats_percentile_ns(&latency, 500), "p90_ns",
					      (json_int_t)stats_percentile_ns(&latency, 900), "p99_ns",
					      (json_int_t)stats_percentile_ns(&latency, 990), "p999_ns",
					      (json_int_t)stats_percentile_ns(&latency, 999)));
	}
	return kinds;
}

static json_t *object_rates_json(const struct wherry_stat_scope_desc *scope, const json_t *before, const json_t *after,
				 double seconds)
{
	json_t *rates = json_object(), *gauges = json_object();
	bool comparable = seconds > 0 && stats_is_continuous(before, after, scope);
	for (size_t i = 0; i < scope->stat_count; i++) {
		const struct wherry_stat_desc *stat = &scope->stats[i];
		if (stat->kind == 'G')
			json_object_set_new(gauges, stat->name,
					    json_integer((json_int_t)(stats_value(after, stat->name) & INT64_MAX)));
		else if (comparable)
			json_object_set_new(rates, stat->name, json_real(rate_of(before, after, stat->name, seconds)));
	}
	json_t *object = json_pack("{s:O, s:o, s:o}", "object", json_object_get(after, "object"), "rates", rates,
				   "gauges", gauges);
	double busy = comparable ? stats_busy_percent(before, after) : -1;
	if (busy >= 0)
		json_object_set_new(object, "busy_percent", json_real(busy));
	if (comparable && json_object_get(after, "histograms"))
		json_object_set_new(object, "latency", latency_json(before, after));
	return object;
}

json_t *stats_rates_json(const struct wherry_stat_scope_desc *scope, const json_t *before, const json_t *after)
{
	const json_t *objects = json_object_get(after, "objects");
	double seconds = stats_interval_s(before, after);
	json_t *list = json_array(), *by_name = stats_objects_by_name(before);
	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i);
		if (json_is_string(json_object_get(object, "object")))
			json_array_append_new(list,
					      object_rates_json(scope, state_before(by_name, object), object, seconds));
	}
	json_decref(by_name);
	return json_pack("{s:I, s:f, s:s, s:o}", "time_us",
			 (json_int_t)(cli_json_u64(json_object_get(after, "time_us")) & INT64_MAX), "interval_s",
			 seconds, "scope", scope->name, "objects", list);
}

/* ----------------------------------------------------------------- totals */
static void print_total(FILE *out, const char *name, uint64_t value, const struct wherry_stat_desc *stat)
{
	char count[32], size[TEXT_SIZE_BYTES];
	(void)fprintf(out, "  %-26s %20s", name, cli_count_text(value, count, sizeof(count)));
	if (stat && !strcmp(stat->unit, "bytes") && value >= 1024)
		(void)fprintf(out, "  %s (%s)\n", stat->help, text_size_emit_short(value, size));
	else
		(void)fprintf(out, "  %s\n", stat ? stat->help : "");
}

/* Buckets joined to powers of two: 30 lines at most, and the shape is easier to see. */
static void print_histogram(FILE *out, const char *kind, const struct stats_latency *latency)
{
	uint64_t octaves[(WHERRY_HIST_BUCKET_COUNT >> WHERRY_HIST_SUB_BITS) + 1] = {0};
	uint64_t largest = 0;
	unsigned first = UINT32_MAX, last = 0;
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++) {
		unsigned octave = i >> WHERRY_HIST_SUB_BITS;
		octaves[octave] += latency->buckets[i];
		largest = octaves[octave] > largest ? octaves[octave] : largest;
		if (latency->buckets[i]) {
			first = first == UINT32_MAX ? octave : first;
			last = octave;
		}
	}
	for (unsigned i = first; i <= last; i++) {
		char floor[32], count[32], bar[BAR_COLUMNS + 1];
		size_t length = (size_t)((double)octaves[i] / (double)largest * BAR_COLUMNS);
		memset(bar, '#', length);
		bar[length] = 0;
		(void)fprintf(out, "  %-6s from %10s %20s  %s\n", kind,
			      cli_latency_text(wherry_hist_floor_ns(i << WHERRY_HIST_SUB_BITS), floor, sizeof(floor)),
			      cli_count_text(octaves[i], count, sizeof(count)), bar);
	}
}

static void print_latencies(FILE *out, const json_t *object)
{
	for (unsigned i = 0; i < LATENCY_KIND_COUNT; i++) {
		static const unsigned ranks[] = {500, 900, 990, 999, 1000};
		char text[5][32], count[32];
		struct stats_latency latency;
		stats_latency_between(NULL, object, latency_kinds[i], &latency);
		if (!latency.count)
			continue;
		for (unsigned r = 0; r < 5; r++)
			(void)cli_latency_text(stats_percentile_ns(&latency, ranks[r]), text[r], sizeof(text[r]));
		(void)fprintf(out, "  %-6s latency of %s: p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n", latency_kinds[i],
			      cli_count_text(latency.count, count, sizeof(count)), text[0], text[1], text[2], text[3],
			      text[4]);
		print_histogram(out, latency_kinds[i], &latency);
	}
}

static const struct wherry_stat_desc *find_stat(const struct wherry_stat_scope_desc *scope, const char *name)
{
	for (size_t i = 0; i < scope->stat_count; i++)
		if (!strcmp(scope->stats[i].name, name))
			return &scope->stats[i];
	return NULL;
}

void stats_print_totals(FILE *out, const struct wherry_stat_scope_desc *scope, const json_t *reply, bool all,
			bool histogram)
{
	const json_t *objects = json_object_get(reply, "objects");
	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i);
		const char *key;
		json_t *value;
		bool any = false;
		char *name = safe_name(object);
		(void)fprintf(out, "%s %s\n", scope->name, name);
		free(name);
		json_object_foreach(json_object_get(object, "values"), key, value)
		{
			const struct wherry_stat_desc *stat = find_stat(scope, key);
			if (!all && !cli_json_u64(value))
				continue;
			/* A newer daemon may count what this program has no words for; its name is still told. */
			char *title = stat ? strdup(key) : cli_key_text(key);
			print_total(out, title, cli_json_u64(value), stat);
			free(title);
			any = true;
		}
		if (!any)
			(void)fputs("  all counters are zero\n", out);
		if (histogram)
			print_latencies(out, object);
	}
}

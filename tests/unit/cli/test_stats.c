/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates, busy shares and percentiles between two replies. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stats_math.h"
#include "cli/stats_view.h"

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	cr_assert(value, "%s", text);
	return value;
}

#define CAPTURED(text, out, ...)                                                                                       \
	char *text = NULL;                                                                                             \
	size_t text##_length = 0;                                                                                      \
	FILE *out = open_memstream(&text, &text##_length);                                                             \
	__VA_ARGS__;                                                                                                   \
	(void)fclose(out)

static const struct wherry_stat_scope_desc *scope(enum wherry_stat_scope which)
{
	return wherry_stat_scope_desc(which);
}

static const char export_before[] = "{\"time_us\": 1000000, \"objects\": [{\"object\": \"1.0\", \"values\": "
				    "{\"read_ops\": 100, \"read_bytes\": 1000, "
				    "\"write_ops\": 5, \"queue_depth\": 9, \"err_reserved\": 1}, "
				    "\"histograms\": {\"read\": {\"buckets\": [[1024, 50]]}}}]}";
static const char export_after[] =
	"{\"time_us\": 3000000, \"objects\": [{\"object\": \"1.0\", \"values\": {\"read_ops\": 2100, \"read_bytes\": "
	"2098152, \"write_ops\": 6, \"queue_depth\": 3, \"err_reserved\": 7}, "
	"\"histograms\": {\"read\": {\"buckets\": [[1024, 148], [65536, 2]]}}}, "
	"{\"object\": \"2.0\", \"values\": {\"read_ops\": 10}}]}";

/* An object of a reply, borrowed. */
static const json_t *object_of(const json_t *reply, size_t index)
{
	return json_array_get(json_object_get(reply, "objects"), index);
}

Test(cli_stats, rates_are_differences_over_the_interval)
{
	json_t *before = load(export_before), *after = load(export_after);
	CAPTURED(text, out, stats_print_rates(out, scope(WHERRY_SCOPE_EXPORT), before, after, false));
	cr_expect_str_eq(
		text,
		"EXPORT  READS/s  READ BYTES/s  WRITES/s  WRITE BYTES/s  DEPTH  READ p50      p99  WRITE p50  p99\n"
		"1.0       1,000          1MiB       0.5             0B      3    1.2 us  73.7 us          -    -\n"
		"2.0           -             -         -              -      0         -        -          -    -\n"
		"  export 1.0: 3.0 err_reserved/s (AoE error 6: reserved by another host)\n",
		"\n%s", text);
	free(text);
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, sixteen_thousand_exports_are_compared_in_one_pass)
{
	json_t *objects = json_array();
	for (int i = 0; i < 16384; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "%d.%d", i / 250, i % 250);
		json_array_append_new(objects, json_pack("{s:s, s:{s:i}}", "object", name, "values", "read_ops", i));
	}
	json_t *before = json_pack("{s:i, s:O}", "time_us", 1000000, "objects", objects);
	json_t *after = json_pack("{s:i, s:O}", "time_us", 2000000, "objects", objects);
	CAPTURED(text, out, stats_print_rates(out, scope(WHERRY_SCOPE_EXPORT), before, after, false));
	size_t lines = 0;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	cr_expect_eq(lines, 16385);
	free(text);
	json_decref(before);
	json_decref(after);
	json_decref(objects);
}

Test(cli_stats, a_counter_that_fell_makes_no_rate)
{
	json_t *before = load("{\"time_us\": 1, \"objects\": [{\"object\": \"p\", \"values\": {\"rx_frames\": 9}}]}");
	json_t *after =
		load("{\"time_us\": 1000001, \"objects\": [{\"object\": \"p\", \"values\": {\"rx_frames\": 2}}]}");
	cr_expect_not(stats_is_continuous(object_of(before, 0), object_of(after, 0), scope(WHERRY_SCOPE_PORT)));
	CAPTURED(text, out, stats_print_rates(out, scope(WHERRY_SCOPE_PORT), before, after, true));
	cr_expect(strstr(text, "\np        -"), "%s", text);
	free(text);
	json_t *json = stats_rates_json(scope(WHERRY_SCOPE_PORT), before, after);
	cr_expect_eq(json_object_size(json_object_get(json_array_get(json_object_get(json, "objects"), 0), "rates")),
		     0);
	json_decref(json);
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, time_that_stood_still_makes_no_rate)
{
	json_t *before = load("{\"time_us\": 5, \"objects\": [{\"object\": \"p\", \"values\": {\"rx_frames\": 2}}]}");
	json_t *after = load("{\"time_us\": 5, \"objects\": [{\"object\": \"p\", \"values\": {\"rx_frames\": 9}}]}");
	cr_expect_eq(stats_interval_s(before, after), 0);
	cr_expect_eq(stats_interval_s(NULL, after), 0);
	CAPTURED(text, out, stats_print_rates(out, scope(WHERRY_SCOPE_PORT), before, after, true));
	cr_expect(strstr(text, "\np        -"), "%s", text);
	free(text);
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, an_lcore_is_busy_by_its_cycles)
{
	json_t *before = load("{\"values\": {\"busy_cycles\": 100, \"idle_cycles\": 100}}");
	json_t *after = load("{\"values\": {\"busy_cycles\": 400, \"idle_cycles\": 1000}}");
	cr_expect_float_eq(stats_busy_percent(before, after), 25.0, 1e-9);
	cr_expect(stats_busy_percent(after, after) < 0);
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, percentiles_are_the_upper_edge_of_their_bucket)
{
	struct stats_latency latency = {.count = 1000};
	latency.buckets[wherry_hist_bucket(1000)] = 989;
	latency.buckets[wherry_hist_bucket(5000)] = 10;
	latency.buckets[wherry_hist_bucket(1u << 20)] = 1;
	static const struct {
		unsigned per_thousand;
		uint64_t inside_ns;
	} cases[] = {{0, 1000}, {1, 1000}, {500, 1000}, {989, 1000}, {990, 5000}, {999, 5000}, {1000, 1u << 20}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t edge = wherry_hist_floor_ns(wherry_hist_bucket(cases[i].inside_ns) + 1);
		cr_expect_eq(stats_percentile_ns(&latency, cases[i].per_thousand), edge, "%u", cases[i].per_thousand);
	}
	struct stats_latency three = {.count = 3};
	three.buckets[wherry_hist_bucket(1000)] = 1;
	three.buckets[wherry_hist_bucket(5000)] = 2;
	cr_expect_eq(stats_percentile_ns(&three, 500), wherry_hist_floor_ns(wherry_hist_bucket(5000) + 1),
		     "the rank is rounded up");
	struct stats_latency none = {.count = 0};
	cr_expect_eq(stats_percentile_ns(&none, 500), 0);
	struct stats_latency last = {.count = 1};
	last.buckets[WHERRY_HIST_BUCKET_COUNT - 1] = 1;
	cr_expect(stats_percentile_ns(&last, 1000) > 0);
}

Test(cli_stats, a_histogram_is_the_difference_of_two)
{
	json_t *before = load(export_before), *after = load(export_after);
	struct stats_latency latency;
	stats_latency_between(object_of(before, 0), object_of(after, 0), "read", &latency);
	cr_expect_eq(latency.count, 100);
	cr_expect_eq(latency.buckets[wherry_hist_bucket(1024)], 98);
	cr_expect_eq(latency.buckets[wherry_hist_bucket(65536)], 2);
	stats_latency_between(object_of(after, 0), object_of(before, 0), "read", &latency);
	cr_expect_eq(latency.count, 0, "a restart in between must not wrap around");
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, rates_as_json_name_every_counter)
{
	json_t *before = load(export_before), *after = load(export_after);
	json_t *json = stats_rates_json(scope(WHERRY_SCOPE_EXPORT), before, after);
	const json_t *object = json_array_get(json_object_get(json, "objects"), 0);
	const json_t *rates = json_object_get(object, "rates");
	cr_expect_str_eq(json_string_value(json_object_get(json, "scope")), "export");
	cr_expect_float_eq(json_real_value(json_object_get(json, "interval_s")), 2.0, 1e-9);
	cr_expect_float_eq(json_real_value(json_object_get(rates, "read_ops")), 1000.0, 1e-9);
	cr_expect_float_eq(json_real_value(json_object_get(rates, "write_ops")), 0.5, 1e-9);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(object, "gauges"), "queue_depth")), 3);
	const json_t *read = json_object_get(json_object_get(object, "latency"), "read");
	cr_expect_eq(json_integer_value(json_object_get(read, "count")), 100);
	size_t counters = 0;
	for (size_t i = 0; i < scope(WHERRY_SCOPE_EXPORT)->stat_count; i++)
		counters += scope(WHERRY_SCOPE_EXPORT)->stats[i].kind == 'C';
	cr_expect_eq(json_object_size(rates), counters);
	json_decref(json);
	json_decref(before);
	json_decref(after);
}

Test(cli_stats, totals_leave_out_zeros_unless_asked)
{
	json_t *reply =
		load("{\"objects\": [{\"object\": \"1.0\", \"values\": {\"read_ops\": 1234, \"write_ops\": 0, "
		     "\"read_bytes\": 2048, \"new_one\": 7}}, {\"object\": \"2.0\", \"values\": {\"read_ops\": 0}}]}");
	CAPTURED(text, out, stats_print_totals(out, scope(WHERRY_SCOPE_EXPORT), reply, false, false));
	cr_expect(strstr(text, "1,234  reads served\n"), "%s", text);
	cr_expect(strstr(text, "2,048  bytes read (2KiB)\n"), "%s", text);
	cr_expect(strstr(text, "new_one"), "%s", text);
	cr_expect(!strstr(text, "write_ops"), "%s", text);
	cr_expect(strstr(text, "export 2.0\n  all counters are zero\n"), "%s", text);
	free(text);
	CAPTURED(all, to, stats_print_totals(to, scope(WHERRY_SCOPE_EXPORT), reply, true, false));
	cr_expect(strstr(all, "write_ops"), "%s", all);
	free(all);
	json_decref(reply);
}

Test(cli_stats, the_histogram_has_a_line_for_each_power_of_two)
{
	json_t *reply = load("{\"objects\": [{\"object\": \"1.0\", \"values\": {}, \"histograms\": {\"write\": "
			     "{\"buckets\": [[1024, 1], [1152, 3], [4096, 8]]}}}]}");
	CAPTURED(text, out, stats_print_totals(out, scope(WHERRY_SCOPE_EXPORT), reply, false, true));
	cr_expect(strstr(text, "write  latency of 12: p50 4.6 us"), "%s", text);
	cr_expect(strstr(text, "from     1.0 us                    4  ####################\n"), "%s", text);
	cr_expect(strstr(text, "from     2.0 us                    0  \n"), "%s", text);
	cr_expect(strstr(text, "from     4.1 us                    8  ########################################\n"),
		  "%s", text);
	free(text);
	json_decref(reply);
}

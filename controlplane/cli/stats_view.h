/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics on a stream: totals, rates of an interval, histograms.  Pure; any JSON is accepted as a reply. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "wherry/stats.h"

/* Totals of every object of a reply.  all: zeros too.  histogram: latencies too. */
void stats_print_totals(FILE *out, const struct wherry_stat_scope_desc *scope, const json_t *reply, bool all,
			bool histogram);
/* A table of rates between two replies, then the other counters that moved (all: that exist). */
void stats_print_rates(FILE *out, const struct wherry_stat_scope_desc *scope, const json_t *before, const json_t *after,
		       bool all);
/* The same as a JSON object: {time_us, interval_s, scope, objects: [{object, rates, gauges, busy_percent, latency}]}.
 */
json_t *stats_rates_json(const struct wherry_stat_scope_desc *scope, const json_t *before, const json_t *after);

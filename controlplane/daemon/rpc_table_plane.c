/* SPDX-License-Identifier: BSD-3-Clause */
/* port.*, lcore.*, client.*, stats.*: what concerns the dataplane itself. */
#include <stdio.h>
#include <string.h>

#include "daemon/op.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"
#include "wherry/stats.h"

/* ---------------------------------------------------------------- shapes */

static const struct rpc_schema device = {.type = RPC_STRING, .min = 1, .max = WHERRY_TEXT_BYTES_MAX};
static const struct rpc_schema numa = {.type = RPC_INT, .nullable = true, .min = 0, .max = UINT16_MAX};
static const struct rpc_schema main_lcore = {.type = RPC_INT, .min = -1, .max = 1023};
static const struct rpc_schema lcore_list_text = {.type = RPC_STRING, .min = 0, .max = WHERRY_NAME_BYTES_MAX};

static const struct rpc_field port_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_REQUIRED("index", &rpc_u16, NULL),
	RPC_REQUIRED("device", &rpc_text, NULL),
	RPC_REQUIRED("driver", &rpc_text_or_null, "null while the dataplane does not run"),
	RPC_REQUIRED("mac", &rpc_text_or_null, NULL),
	RPC_REQUIRED("mtu", &rpc_u32, NULL),
	RPC_REQUIRED("link_up", &rpc_bool, NULL),
	RPC_REQUIRED("link_mbps", &rpc_u32, "0: unknown"),
	RPC_REQUIRED("rx_queues", &rpc_u16, NULL),
	RPC_REQUIRED("tx_queues", &rpc_u16, NULL),
	RPC_REQUIRED("numa_node", &numa, "null: unknown"),
	RPC_REQUIRED("vlans", &rpc_vlans, NULL),
	RPC_REQUIRED("punt", &rpc_bool, "what is not for the appliance goes to the kernel"),
	RPC_REQUIRED("punt_rate", &rpc_u32, "frames a second, each way"),
	RPC_REQUIRED("punt_interface", &rpc_text_or_null, "the kernel's; null: there is none"),
	RPC_REQUIRED("punt_frames", &rpc_u64, "passed to the kernel"),
	RPC_REQUIRED("punt_dropped", &rpc_u64, "not passed: over the rate, or its interface down or full"),
	RPC_REQUIRED("punt_sent", &rpc_u64, "sent for the kernel"),
	RPC_REQUIRED("slaac", &rpc_bool, "IPv6 addresses and routers by router advertisements"),
	RPC_REQUIRED("detail", &rpc_text, "fall-backs, warnings, why it does not work"),
	RPC_END,
};
const struct rpc_schema rpc_port = {.type = RPC_OBJECT, .fields = port_fields};
const struct rpc_schema rpc_port_list = {.type = RPC_ARRAY, .items = &rpc_port};

static const struct rpc_field lcore_fields[] = {
	RPC_REQUIRED("index", &rpc_u16, NULL),
	RPC_REQUIRED("lcore_id", &rpc_u16, NULL),
	RPC_REQUIRED("main", &rpc_bool, "runs the control socket, serves nothing"),
	RPC_REQUIRED("numa_node", &numa, "null: unknown"),
	RPC_REQUIRED("cpus", &rpc_text, NULL),
	RPC_REQUIRED("busy_cycles", &rpc_u64, NULL),
	RPC_REQUIRED("idle_cycles", &rpc_u64, NULL),
	RPC_REQUIRED("tsc_hz", &rpc_u64, "cycles a second"),
	RPC_REQUIRED("exports", &rpc_u32, "that live there"),
	RPC_REQUIRED("volumes", &rpc_u32, "that live there"),
	RPC_END,
};
static const struct rpc_schema lcore = {.type = RPC_OBJECT, .fields = lcore_fields};
const struct rpc_schema rpc_lcore_list = {.type = RPC_ARRAY, .items = &lcore};

#define CLIENT_FIELD(scope, name, kind, unit, help) RPC_REQUIRED(#name, &rpc_u64, help),
static const struct rpc_field client_fields[] = {
	RPC_REQUIRED("mac", &rpc_text, NULL),
	RPC_REQUIRED("port", &rpc_text, NULL),
	RPC_REQUIRED("vlan", &rpc_u16, "0: untagged"),
	RPC_REQUIRED("first_seen_us", &rpc_u64, "UNIX time"),
	RPC_REQUIRED("last_seen_us", &rpc_u64, "UNIX time"),
	WHERRY_STATS_CLIENT(CLIENT_FIELD) RPC_END,
};
static const struct rpc_schema client = {.type = RPC_OBJECT, .fields = client_fields};
const struct rpc_schema rpc_client_list = {.type = RPC_ARRAY, .items = &client};

/* ----------------------------------------------------------------- ports */

static const struct rpc_schema punt_rate = {.type = RPC_INT, .min = 1, .max = WHERRY_PUNT_RATE_MAX};
static const struct rpc_field port_add_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_REQUIRED("device", &device, "pci:0000:01:00.0, af_xdp:IFACE, af_packet:IFACE, tap:IFACE or memif:/PATH"),
	RPC_OPTIONAL("mtu", &rpc_mtu, "1500", NULL),
	RPC_OPTIONAL("vlans", &rpc_vlans, "none", "sub-interfaces"),
	RPC_OPTIONAL("punt", &rpc_bool, "false", "pass to the kernel what is not for the appliance"),
	RPC_OPTIONAL("punt_rate", &punt_rate, "10000", "frames a second, each way"),
	RPC_OPTIONAL("slaac", &rpc_bool, "false", "take IPv6 addresses and routers from router advertisements"),
	RPC_END,
};
static const struct rpc_schema port_add_params = {.type = RPC_OBJECT, .fields = port_add_fields};
static const struct rpc_field port_set_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_OPTIONAL("mtu", &rpc_mtu, "unchanged", NULL),
	RPC_OPTIONAL("vlans", &rpc_vlans, "unchanged", NULL),
	RPC_OPTIONAL("punt", &rpc_bool, "unchanged", NULL),
	RPC_OPTIONAL("punt_rate", &punt_rate, "unchanged", NULL),
	RPC_OPTIONAL("slaac", &rpc_bool, "unchanged", "does not restart the dataplane"),
	RPC_END,
};
static const struct rpc_schema port_set_params = {.type = RPC_OBJECT, .fields = port_set_fields};
static const struct rpc_field name_fields[] = {RPC_REQUIRED("name", &rpc_name, NULL), RPC_END};
static const struct rpc_schema name_params = {.type = RPC_OBJECT, .fields = name_fields};

static void take_port(const json_t *params, struct port_row *row)
{
	const json_t *vlans = json_object_get(params, "vlans");
	json_t *vlan;
	size_t i;

	row->mtu = (uint16_t)rpc_param_u64(params, "mtu", row->mtu);
	row->punt = rpc_param_bool(params, "punt", row->punt);
	row->punt_rate = (uint32_t)rpc_param_u64(params, "punt_rate", row->punt_rate);
	row->slaac = rpc_param_bool(params, "slaac", row->slaac);
	if (!vlans)
		return;
	row->vlan_count = 0;
	json_array_foreach(vlans, i, vlan) row->vlans[row->vlan_count++] = (uint16_t)json_integer_value(vlan);
}

static void run_port_add(struct rpc_call *call)
{
	struct port_row row = {.mtu = 1500, .punt_rate = WHERRY_PUNT_RATE_DEFAULT};

	(void)snprintf(row.name, sizeof row.name, "%s", rpc_param_text(call->params, "name", ""));
	(void)snprintf(row.device, sizeof row.device, "%s", rpc_param_text(call->params, "device", ""));
	take_port(call->params, &row);
	op_port_add(call, &row);
}

static void run_port_set(struct rpc_call *call)
{
	struct port_row row;
	struct fail fail;

	if (state_port_by_name(call->daemon->state, rpc_param_text(call->params, "name", ""), &row, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	take_port(call->params, &row);
	op_port_set(call, &row);
}

static void run_port_remove(struct rpc_call *call)
{
	op_port_remove(call, rpc_param_text(call->params, "name", ""));
}

static void run_port_list(struct rpc_call *call)
{
	op_port_list(call);
}

/* ---------------------------------------------------------------- lcores */

static const struct rpc_field lcore_set_fields[] = {
	RPC_REQUIRED("lcores", &lcore_list_text, "such as 0-3,6; empty: the dataplane decides"),
	RPC_OPTIONAL("main", &main_lcore, "-1", "which of them serves the control socket; -1: the dataplane decides"),
	RPC_END,
};
static const struct rpc_schema lcore_set_params = {.type = RPC_OBJECT, .fields = lcore_set_fields};
static const struct rpc_field idle_fields[] = {
	RPC_OPTIONAL("spin_turns", &rpc_u32, "unchanged", "empty turns before pausing"),
	RPC_OPTIONAL("pause_turns", &rpc_u32, "unchanged", "pauses before sleeping"),
	RPC_OPTIONAL("sleep_us", &rpc_u32, "unchanged", "0: never sleep"),
	RPC_END,
};
static const struct rpc_schema idle_params = {.type = RPC_OBJECT, .fields = idle_fields};
static bool load_runtime(struct rpc_call *call, struct runtime_row *row)
{
	struct fail fail;

	if (state_runtime_get(call->daemon->state, row, &fail) == 0)
		return true;
	rpc_refuse(call, &fail);
	return false;
}

static void run_lcore_set(struct rpc_call *call)
{
	const json_t *main_value = json_object_get(call->params, "main");
	struct runtime_row row;

	if (!load_runtime(call, &row))
		return;
	(void)snprintf(row.lcores, sizeof row.lcores, "%s", rpc_param_text(call->params, "lcores", ""));
	row.main_lcore = main_value ? (int32_t)json_integer_value(main_value) : -1;
	op_lcore_set(call, &row);
}

static void run_lcore_idle(struct rpc_call *call)
{
	struct runtime_row row;

	if (!load_runtime(call, &row))
		return;
	row.idle_spin_turns = (uint32_t)rpc_param_u64(call->params, "spin_turns", row.idle_spin_turns);
	row.idle_pause_turns = (uint32_t)rpc_param_u64(call->params, "pause_turns", row.idle_pause_turns);
	row.idle_sleep_us = (uint32_t)rpc_param_u64(call->params, "sleep_us", row.idle_sleep_us);
	op_idle_set(call, &row);
}

static void run_lcore_list(struct rpc_call *call)
{
	op_lcore_list(call);
}

static void run_client_list(struct rpc_call *call)
{
	op_client_list(call);
}

/* ----------------------------------------------------------------- stats */

static const char *const scope_names[] = {"port", "lcore", "export", "nbd_export", "volume", NULL};
static const struct rpc_schema scope = {.type = RPC_STRING, .choices = scope_names};
static const struct rpc_field stats_fields[] = {
	RPC_REQUIRED("scope", &scope, NULL),
	RPC_OPTIONAL("object", &rpc_name, "all of the scope", "a name, an lcore's index or SHELF.SLOT"),
	RPC_OPTIONAL("histograms", &rpc_bool, "false", "latencies too; exports only"),
	RPC_END,
};
static const struct rpc_schema stats_params = {.type = RPC_OBJECT, .fields = stats_fields};

static const struct rpc_schema bucket = {.type = RPC_ARRAY, .min = 2, .max = 2, .items = &rpc_u64};
static const struct rpc_schema buckets = {.type = RPC_ARRAY, .items = &bucket};
static const struct rpc_field histogram_fields[] = {
	RPC_REQUIRED("p50_ns", &rpc_u64, "not exceeded by half of the operations; bucket's upper end"),
	RPC_REQUIRED("p90_ns", &rpc_u64, NULL),
	RPC_REQUIRED("p99_ns", &rpc_u64, NULL),
	RPC_REQUIRED("p999_ns", &rpc_u64, NULL),
	RPC_REQUIRED("max_ns", &rpc_u64, NULL),
	RPC_REQUIRED("count", &rpc_u64, NULL),
	RPC_REQUIRED("buckets", &buckets, "[smallest latency in ns, operations], empty ones left out"),
	RPC_END,
};
static const struct rpc_schema histogram = {.type = RPC_OBJECT, .fields = histogram_fields};
static const struct rpc_schema histograms = {.type = RPC_MAP, .items = &histogram};
static const struct rpc_schema values = {.type = RPC_MAP, .items = &rpc_u64};
static const struct rpc_field object_fields[] = {
	RPC_REQUIRED("object", &rpc_text, NULL),
	RPC_REQUIRED("values", &values, "by name, see stats.describe"),
	RPC_OPTIONAL("histograms", &histograms, "absent without any", "read, write, other"),
	RPC_END,
};
static const struct rpc_schema object = {.type = RPC_OBJECT, .fields = object_fields};
static const struct rpc_schema objects = {.type = RPC_ARRAY, .items = &object};
static const struct rpc_field stats_result_fields[] = {RPC_REQUIRED("time_us", &rpc_u64, "UNIX time"),
						       RPC_REQUIRED("objects", &objects, NULL), RPC_END};
static const struct rpc_schema stats_result = {.type = RPC_OBJECT, .fields = stats_result_fields};

static const struct rpc_field stat_fields[] = {
	RPC_REQUIRED("name", &rpc_text, NULL), RPC_REQUIRED("kind", &rpc_text, "counter or gauge"),
	RPC_REQUIRED("unit", &rpc_text, NULL), RPC_REQUIRED("help", &rpc_text, NULL), RPC_END};
static const struct rpc_schema stat = {.type = RPC_OBJECT, .fields = stat_fields};
static const struct rpc_schema stat_list = {.type = RPC_ARRAY, .items = &stat};
static const struct rpc_field scope_fields[] = {RPC_REQUIRED("scope", &rpc_text, NULL),
						RPC_REQUIRED("stats", &stat_list, NULL), RPC_END};
static const struct rpc_schema scope_object = {.type = RPC_OBJECT, .fields = scope_fields};
static const struct rpc_schema scope_list = {.type = RPC_ARRAY, .items = &scope_object};

static void run_stats_get(struct rpc_call *call)
{
	const char *name = rpc_param_text(call->params, "scope", "");
	unsigned i = 0;

	while (strcmp(wherry_stat_scope_desc(i)->name, name) != 0)
		i++;
	op_stats_get(call, i, rpc_param_text(call->params, "object", NULL),
		     rpc_param_bool(call->params, "histograms", false));
}

static void run_stats_describe(struct rpc_call *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < WHERRY_SCOPE_COUNT; i++) {
		const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(i);
		json_t *stats = json_array();
		for (size_t j = 0; j < desc->stat_count; j++)
			(void)json_array_append_new(stats,
						    json_pack("{ss ss ss ss}", "name", desc->stats[j].name, "kind",
							      desc->stats[j].kind == 'C' ? "counter" : "gauge", "unit",
							      desc->stats[j].unit, "help", desc->stats[j].help));
		(void)json_array_append_new(list, json_pack("{ss so}", "scope", desc->name, "stats", stats));
	}
	rpc_reply(call, list);
}

const struct rpc_method rpc_table_plane[] = {
	{"port.add", "Serve a device; the dataplane is started anew.", &port_add_params, &rpc_port, RPC_CHANGES,
	 run_port_add},
	{"port.set", "Change a port; the dataplane is started anew.", &port_set_params, &rpc_port, RPC_CHANGES,
	 run_port_set},
	{"port.remove", "Stop serving a device; the dataplane is started anew.", &name_params, &rpc_empty, RPC_CHANGES,
	 run_port_remove},
	{"port.list", "All ports, in order of their index.", &rpc_empty, &rpc_port_list, 0, run_port_list},
	{"lcore.list", "The lcores of the dataplane.", &rpc_empty, &rpc_lcore_list, 0, run_lcore_list},
	{"lcore.set", "Choose the lcores; the dataplane is started anew.", &lcore_set_params, &rpc_empty, RPC_CHANGES,
	 run_lcore_set},
	{"lcore.idle", "What an lcore does when there is nothing to do.", &idle_params, &rpc_empty, RPC_CHANGES,
	 run_lcore_idle},
	{"client.list", "Who has been heard.", &rpc_empty, &rpc_client_list, 0, run_client_list},
	{"stats.get", "Counters and gauges now.", &stats_params, &stats_result, 0, run_stats_get},
	{"stats.describe", "What the counters and gauges mean.", &rpc_empty, &scope_list, 0, run_stats_describe},
	{0},
};

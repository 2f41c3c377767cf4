/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc.* and daemon.*. */
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/op.h"
#include "daemon/plane.h"
#include "daemon/rpc_tables.h"

static const struct rpc_field method_fields[] = {
	RPC_REQUIRED("name", &rpc_text, NULL),
	RPC_REQUIRED("summary", &rpc_text, NULL),
	RPC_REQUIRED("params", &(const struct rpc_schema){.type = RPC_MAP}, "JSON Schema"),
	RPC_REQUIRED("result", &(const struct rpc_schema){.type = RPC_MAP}, "JSON Schema"),
	RPC_REQUIRED("changes", &rpc_bool, "changes something: such calls run one at a time"),
	RPC_END,
};
static const struct rpc_schema method = {.type = RPC_OBJECT, .fields = method_fields};
static const struct rpc_schema methods = {.type = RPC_ARRAY, .items = &method};

static const struct rpc_schema level = {.type = RPC_STRING, .choices = log_level_names};
static const struct rpc_field level_fields[] = {RPC_REQUIRED("level", &level, NULL), RPC_END};
static const struct rpc_schema level_params = {.type = RPC_OBJECT, .fields = level_fields};

static const struct rpc_schema pid_or_null = {.type = RPC_INT, .nullable = true, .min = 1, .max = INT32_MAX};
static const struct rpc_schema state_name = {.type = RPC_STRING, .choices = plane_state_names};
static const struct rpc_field plane_fields[] = {
	RPC_REQUIRED("state", &state_name, "adopted: serving, and older than this daemon"),
	RPC_REQUIRED("pid", &pid_or_null, NULL),
	RPC_REQUIRED("instance", &rpc_text_or_null, "random, of this process"),
	RPC_REQUIRED("software", &rpc_text_or_null, "name and version"),
	RPC_REQUIRED("restarts", &rpc_u64, "how often it was started again after it died"),
	RPC_REQUIRED("last_exit", &rpc_text_or_null, "how it ended last"),
	RPC_REQUIRED("hugepages", &rpc_bool, NULL),
	RPC_REQUIRED("detail", &rpc_text, "why it does not serve"),
	RPC_END,
};
static const struct rpc_schema plane = {.type = RPC_OBJECT, .fields = plane_fields};
static const struct rpc_field shutdown_fields[] = {
	RPC_OPTIONAL("dataplane", &rpc_bool, "false", "end the dataplane too"), RPC_END};
static const struct rpc_schema shutdown_params = {.type = RPC_OBJECT, .fields = shutdown_fields};

static const struct rpc_schema count_or_null = {.type = RPC_INT, .nullable = true, .min = 0, .max = UINT32_MAX};
static const struct rpc_field status_fields[] = {
	RPC_REQUIRED("version", &rpc_text, NULL),
	RPC_REQUIRED("pid", &rpc_u32, NULL),
	RPC_REQUIRED("uptime_s", &rpc_u64, NULL),
	RPC_REQUIRED("state_file", &rpc_text, NULL),
	RPC_REQUIRED("dataplane", &plane, NULL),
	RPC_REQUIRED("volumes", &rpc_u32, "how many"),
	RPC_REQUIRED("exports", &rpc_u32, "how many"),
	RPC_REQUIRED("aoe_exports", &rpc_u32, "of these"),
	RPC_REQUIRED("nbd_exports", &rpc_u32, "of these"),
	RPC_REQUIRED("nbd_sessions", &count_or_null, "now; null: the dataplane does not say"),
	RPC_REQUIRED("connections", &count_or_null, "of TCP, now"),
	RPC_END,
};
static const struct rpc_schema status_result = {.type = RPC_OBJECT, .fields = status_fields};

static void run_methods(struct rpc_call *call)
{
	rpc_reply(call, rpc_methods_describe());
}

static void run_status(struct rpc_call *call)
{
	op_daemon_status(call);
}

static void run_shutdown(struct rpc_call *call)
{
	struct daemon *daemon = call->daemon;
	bool with_dataplane = rpc_param_bool(call->params, "dataplane", false);

	rpc_reply(call, json_object());
	daemon_stop(daemon, with_dataplane);
}

static void run_log_level(struct rpc_call *call)
{
	log_set_level((enum log_level)log_level_parse(rpc_param_text(call->params, "level", "info")));
	rpc_reply(call, json_object());
}

const struct rpc_method rpc_table_daemon[] = {
	{"rpc.methods", "What can be called, with the shapes of parameters and results.", &rpc_empty, &methods, 0,
	 run_methods},
	{"daemon.status", "How the daemon and its dataplane are.", &rpc_empty, &status_result, 0, run_status},
	{"daemon.shutdown", "End the daemon; the dataplane goes on serving unless asked to end too.", &shutdown_params,
	 &rpc_empty, 0, run_shutdown},
	{"daemon.log_level", "How much the daemon writes to its log.", &level_params, &rpc_empty, 0, run_log_level},
	{0},
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* config.*: the whole configuration as one text. */
#include "daemon/op.h"
#include "daemon/rpc_tables.h"

static const char *const op_names[] = {"create", "update", "delete", NULL};
static const struct rpc_schema op_name = {.type = RPC_STRING, .choices = op_names};
static const struct rpc_field change_fields[] = {
	RPC_REQUIRED("op", &op_name, NULL),
	RPC_REQUIRED("kind", &rpc_text, "port, lcores, idle, volume or export"),
	RPC_REQUIRED("name", &rpc_text, NULL),
	RPC_REQUIRED("detail", &rpc_text, "what changes, for people"),
	RPC_END,
};
static const struct rpc_schema change = {.type = RPC_OBJECT, .fields = change_fields};
static const struct rpc_schema changes = {.type = RPC_ARRAY, .items = &change};

static const struct rpc_field text_fields[] = {RPC_REQUIRED("text", &rpc_text, "YAML"), RPC_END};
static const struct rpc_schema text_object = {.type = RPC_OBJECT, .fields = text_fields};
static const struct rpc_field apply_fields[] = {
	RPC_REQUIRED("text", &rpc_text,
		     "YAML; a section that is absent is left as it is, in one that is there what is "
		     "not named is deleted"),
	RPC_OPTIONAL("dry_run", &rpc_bool, "false", "only tell what would change"),
	RPC_END,
};
static const struct rpc_schema apply_params = {.type = RPC_OBJECT, .fields = apply_fields};
static const struct rpc_field result_fields[] = {
	RPC_REQUIRED("changes", &changes, "none: it is so already"),
	RPC_REQUIRED("applied", &rpc_bool, "false after a dry run"),
	RPC_END,
};
static const struct rpc_schema result = {.type = RPC_OBJECT, .fields = result_fields};

static void run_export(struct rpc_call *call)
{
	op_config_export(call);
}

static void run_diff(struct rpc_call *call)
{
	op_config_apply(call, rpc_param_text(call->params, "text", ""), false);
}

static void run_apply(struct rpc_call *call)
{
	op_config_apply(call, rpc_param_text(call->params, "text", ""),
			!rpc_param_bool(call->params, "dry_run", false));
}

const struct rpc_method rpc_table_config[] = {
	{"config.export", "The whole configuration as YAML; applying it changes nothing.", &rpc_empty, &text_object, 0,
	 run_export},
	{"config.diff", "What applying a configuration would change.", &text_object, &result, RPC_CHANGES, run_diff},
	{"config.apply", "Make the configuration what a text says, all of it or nothing.", &apply_params, &result,
	 RPC_CHANGES, run_apply},
	{0},
};

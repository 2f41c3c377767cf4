/* SPDX-License-Identifier: BSD-3-Clause */
/* nbd.*: from parameters to operations. */
#include <stdio.h>
#include <string.h>

#include "daemon/op.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"

static const struct rpc_schema description = {.type = RPC_STRING, .min = 0, .max = WHERRY_TEXT_BYTES_MAX};

#define SETTING_FIELDS                                                                                                 \
	RPC_OPTIONAL("description", &description, "unchanged; empty for a new export", "told to clients"),             \
		RPC_OPTIONAL("read_only", &rpc_bool, "unchanged; false for a new export", NULL),                       \
		RPC_OPTIONAL("default", &rpc_bool, "unchanged; false for a new export",                                \
			     "answers to the empty name, too"),                                                        \
		RPC_OPTIONAL("allow", &rpc_prefixes, "unchanged; everybody for a new export",                          \
			     "addresses or prefixes that may use it; empty: everybody")

static const struct rpc_field name_fields[] = {RPC_REQUIRED("name", &rpc_name, NULL), RPC_END};
static const struct rpc_schema name_params = {.type = RPC_OBJECT, .fields = name_fields};
static const struct rpc_field create_fields[] = {RPC_REQUIRED("name", &rpc_name, "what clients ask for"),
						 RPC_REQUIRED("volume", &rpc_name, NULL), SETTING_FIELDS, RPC_END};
static const struct rpc_schema create_params = {.type = RPC_OBJECT, .fields = create_fields};
static const struct rpc_field set_fields[] = {RPC_REQUIRED("name", &rpc_name, NULL), SETTING_FIELDS, RPC_END};
static const struct rpc_schema set_params = {.type = RPC_OBJECT, .fields = set_fields};
static const struct rpc_field listen_fields[] = {RPC_REQUIRED("port", &rpc_u16, "TCP; 0: switch NBD off"), RPC_END};
static const struct rpc_schema listen_params = {.type = RPC_OBJECT, .fields = listen_fields};

static int take_allow(const json_t *list, struct nbd_export_row *row, struct fail *fail)
{
	json_t *item;
	size_t i;

	row->allow_count = 0;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		if (text_prefix_parse(text, &row->allow[row->allow_count++]) != 0)
			return fail_set(fail, FAIL_USAGE,
					"NBD export '%s': '%.64s' is not an address or prefix such as 10.0.0.0/8 or"
					" 2001:db8::/32",
					row->name, text);
	}
	return 0;
}

static int take_settings(const struct rpc_call *call, struct nbd_export_row *row, struct fail *fail)
{
	const json_t *allow = json_object_get(call->params, "allow");
	const char *text = rpc_param_text(call->params, "description", NULL);

	if (text)
		(void)snprintf(row->description, sizeof row->description, "%s", text);
	row->read_only = rpc_param_bool(call->params, "read_only", row->read_only);
	row->is_default = rpc_param_bool(call->params, "default", row->is_default);
	return allow ? take_allow(allow, row, fail) : 0;
}

static const char *name_of(const struct rpc_call *call)
{
	return rpc_param_text(call->params, "name", "");
}

static void run_create(struct rpc_call *call)
{
	struct nbd_export_row row = {.id = 0};
	struct volume_row volume;
	struct fail fail;

	(void)snprintf(row.name, sizeof row.name, "%s", name_of(call));
	if (state_volume_by_name(call->daemon->state, rpc_param_text(call->params, "volume", ""), &volume, &fail) !=
		    0 ||
	    take_settings(call, &row, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	row.volume_id = volume.id;
	op_nbd_create(call, &row);
}

static void run_set(struct rpc_call *call)
{
	struct nbd_export_row row;
	struct fail fail;

	if (state_nbd_by_name(call->daemon->state, name_of(call), &row, &fail) != 0 ||
	    take_settings(call, &row, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		op_nbd_set(call, &row);
}

static void run_delete(struct rpc_call *call)
{
	op_nbd_delete(call, name_of(call));
}

static void run_list(struct rpc_call *call)
{
	op_nbd_list(call);
}

static void run_show(struct rpc_call *call)
{
	op_reply_nbd(call, name_of(call));
}

static void run_session_list(struct rpc_call *call)
{
	op_nbd_session_list(call);
}

static void run_listen(struct rpc_call *call)
{
	struct network_row row;
	struct fail fail;

	if (state_network_get(call->daemon->state, &row, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	row.nbd_tcp_port = (uint16_t)rpc_param_u64(call->params, "port", row.nbd_tcp_port);
	op_nbd_listen(call, &row);
}

static void run_settings(struct rpc_call *call)
{
	struct network_row row;
	struct fail fail;

	if (state_network_get(call->daemon->state, &row, &fail) == 0)
		rpc_reply(call, rpc_nbd_json(&row));
	else
		rpc_refuse(call, &fail);
}

const struct rpc_method rpc_table_nbd[] = {
	{"nbd.export.create", "Serve a volume over NBD.", &create_params, &rpc_nbd_export, RPC_CHANGES, run_create},
	{"nbd.export.set", "Change how an NBD export is served.", &set_params, &rpc_nbd_export, RPC_CHANGES, run_set},
	{"nbd.export.delete", "End an NBD export; its volume stays.", &name_params, &rpc_empty, RPC_CHANGES,
	 run_delete},
	{"nbd.export.list", "All NBD exports, by name.", &rpc_empty, &rpc_nbd_export_list, 0, run_list},
	{"nbd.export.show", "One NBD export.", &name_params, &rpc_nbd_export, 0, run_show},
	{"nbd.session.list", "Who is connected by NBD.", &rpc_empty, &rpc_session_list, 0, run_session_list},
	{"nbd.set", "Choose the TCP port that NBD listens on.", &listen_params, &rpc_nbd, RPC_CHANGES, run_listen},
	{"nbd.show", "The settings of NBD.", &rpc_empty, &rpc_nbd, 0, run_settings},
	{0},
};

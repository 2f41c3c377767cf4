/* SPDX-License-Identifier: BSD-3-Clause */
/* aoe.*: from parameters to operations. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "daemon/op.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"

#define ADDRESS_FIELDS                                                                                                 \
	RPC_REQUIRED("shelf", &rpc_shelf, "0 to 65534, not 4095"), RPC_REQUIRED("slot", &rpc_slot, "0 to 254")
#define SETTING_FIELDS                                                                                                 \
	RPC_OPTIONAL("read_only", &rpc_bool, "unchanged; false for a new export", NULL),                               \
		RPC_OPTIONAL("ports", &rpc_names, "unchanged; every port for a new export", "empty: every port"),      \
		RPC_OPTIONAL("vlans", &rpc_vlans, "unchanged; untagged for a new export", "0 is untagged"),            \
		RPC_OPTIONAL("buffer_count", &rpc_u16, "unchanged; 64 for a new export", "at least 2"),                \
		RPC_OPTIONAL("sectors_max", &rpc_u16, "unchanged; 0 for a new export", "0: what the MTU allows"),      \
		RPC_OPTIONAL("remote", &rpc_remote, "unchanged; all on for a new export", "what clients may change")

static const struct rpc_field address_fields[] = {ADDRESS_FIELDS, RPC_END};
static const struct rpc_schema address_params = {.type = RPC_OBJECT, .fields = address_fields};

static const struct rpc_field create_fields[] = {RPC_REQUIRED("volume", &rpc_name, NULL), ADDRESS_FIELDS,
						 SETTING_FIELDS, RPC_END};
static const struct rpc_schema create_params = {.type = RPC_OBJECT, .fields = create_fields};

static const struct rpc_field set_fields[] = {ADDRESS_FIELDS, SETTING_FIELDS, RPC_END};
static const struct rpc_schema set_params = {.type = RPC_OBJECT, .fields = set_fields};

static const struct rpc_field macs_fields[] = {ADDRESS_FIELDS, RPC_REQUIRED("macs", &rpc_macs, "00:11:22:33:44:55"),
					       RPC_END};
static const struct rpc_schema macs_params = {.type = RPC_OBJECT, .fields = macs_fields};

static const char *const encodings[] = {"utf-8", "hex", NULL};
static const struct rpc_schema encoding = {.type = RPC_STRING, .choices = encodings};
static const struct rpc_field config_fields[] = {
	ADDRESS_FIELDS,
	RPC_REQUIRED("value", &rpc_text, "at most 1024 bytes"),
	RPC_OPTIONAL("encoding", &encoding, "utf-8", "hex: two digits a byte"),
	RPC_END,
};
static const struct rpc_schema config_params = {.type = RPC_OBJECT, .fields = config_fields};

static uint16_t shelf_of(const struct rpc_call *call)
{
	return (uint16_t)rpc_param_u64(call->params, "shelf", 0);
}

static uint8_t slot_of(const struct rpc_call *call)
{
	return (uint8_t)rpc_param_u64(call->params, "slot", 0);
}

/* ------------------------------------------------------------- settings */

static int take_ports(struct state *state, const json_t *names, struct export_row *row, struct fail *fail)
{
	struct port_row port;
	size_t i;
	json_t *name;

	row->port_count = 0;
	json_array_foreach(names, i, name)
	{
		if (state_port_by_name(state, json_string_value(name), &port, fail) != 0)
			return -1;
		bool twice = false;
		for (unsigned j = 0; j < row->port_count; j++)
			twice |= row->port_ids[j] == port.id;
		if (!twice)
			row->port_ids[row->port_count++] = port.id;
	}
	return 0;
}

static int take_settings(struct rpc_call *call, struct export_row *row, struct fail *fail)
{
	const json_t *params = call->params, *remote = json_object_get(params, "remote");
	const json_t *vlans = json_object_get(params, "vlans"), *ports = json_object_get(params, "ports");
	size_t i;
	json_t *vlan;

	row->read_only = rpc_param_bool(params, "read_only", row->read_only);
	row->buffer_count = (uint16_t)rpc_param_u64(params, "buffer_count", row->buffer_count);
	row->sectors_max = (uint16_t)rpc_param_u64(params, "sectors_max", row->sectors_max);
	row->remote_mask = rpc_param_bool(remote, "mask", row->remote_mask);
	row->remote_config = rpc_param_bool(remote, "config", row->remote_config);
	row->remote_force_reserve = rpc_param_bool(remote, "force_reserve", row->remote_force_reserve);
	if (vlans) {
		row->vlan_count = 0;
		json_array_foreach(vlans, i, vlan) row->vlans[row->vlan_count++] = (uint16_t)json_integer_value(vlan);
	}
	return ports ? take_ports(call->daemon->state, ports, row, fail) : 0;
}

static void run_create(struct rpc_call *call)
{
	/* Administration from the network is off: whoever can send a frame could lock every client out. */
	struct export_row row = {.shelf = shelf_of(call), .slot = slot_of(call), .buffer_count = 64};
	struct volume_row volume;
	struct fail fail;

	if (state_volume_by_name(call->daemon->state, rpc_param_text(call->params, "volume", ""), &volume, &fail) !=
		    0 ||
	    take_settings(call, &row, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	row.volume_id = volume.id;
	op_export_create(call, &row);
}

static void run_set(struct rpc_call *call)
{
	struct export_row row;
	struct fail fail;

	if (state_export_by_address(call->daemon->state, shelf_of(call), slot_of(call), &row, &fail) != 0 ||
	    take_settings(call, &row, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		op_export_set(call, &row);
}

static void run_delete(struct rpc_call *call)
{
	op_export_delete(call, shelf_of(call), slot_of(call));
}

static void run_list(struct rpc_call *call)
{
	op_export_list(call);
}

static void run_show(struct rpc_call *call)
{
	op_reply_export(call, shelf_of(call), slot_of(call));
}

/* ------------------------------------------------------- durable state */

static void change_macs(struct rpc_call *call, enum op_state_kind kind)
{
	struct op_state_change change = {.kind = kind};
	struct fail fail;
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(call->params, "macs"), i, item)
	{
		const char *text = json_string_value(item);
		if (text_mac_parse(text, &change.macs[change.count++]) == 0)
			continue;
		(void)fail_set(&fail, FAIL_USAGE, "'%.32s' is not a MAC address such as 00:11:22:33:44:55", text);
		rpc_refuse(call, &fail);
		return;
	}
	op_export_state(call, shelf_of(call), slot_of(call), &change);
}

static void run_mask_add(struct rpc_call *call)
{
	change_macs(call, OP_MASK_ADD);
}

static void run_mask_remove(struct rpc_call *call)
{
	change_macs(call, OP_MASK_REMOVE);
}

static void run_mask_clear(struct rpc_call *call)
{
	change_macs(call, OP_MASK_PUT);
}

static void run_reserve_set(struct rpc_call *call)
{
	change_macs(call, OP_RESERVE_PUT);
}

static void run_config_set(struct rpc_call *call)
{
	const char *value = rpc_param_text(call->params, "value", "");
	struct op_state_change change = {.kind = OP_CONFIG_PUT};
	struct fail fail;
	size_t len = strlen(value);
	int rc = 0;

	if (strcmp(rpc_param_text(call->params, "encoding", "utf-8"), "hex") == 0)
		rc = text_hex_parse(value, change.config, sizeof change.config, &len);
	else if (len > sizeof change.config)
		rc = -ERANGE;
	else
		memcpy(change.config, value, len);
	change.config_bytes = len;
	if (rc == 0) {
		op_export_state(call, shelf_of(call), slot_of(call), &change);
		return;
	}
	(void)fail_set(&fail, FAIL_USAGE,
		       rc == -ERANGE ? "AoE export %u.%u: a config string has at most 1024 bytes"
				     : "AoE export %u.%u: the value is not hexadecimal, two digits a byte",
		       shelf_of(call), slot_of(call));
	rpc_refuse(call, &fail);
}

static void run_config_clear(struct rpc_call *call)
{
	const struct op_state_change change = {.kind = OP_CONFIG_PUT};

	op_export_state(call, shelf_of(call), slot_of(call), &change);
}

const struct rpc_method rpc_table_aoe[] = {
	{"aoe.export.create", "Serve a volume over AoE.", &create_params, &rpc_export, RPC_CHANGES, run_create},
	{"aoe.export.set", "Change how an export is served.", &set_params, &rpc_export, RPC_CHANGES, run_set},
	{"aoe.export.delete", "End an export; its volume stays.", &address_params, &rpc_empty, RPC_CHANGES, run_delete},
	{"aoe.export.list", "All exports, by address.", &rpc_empty, &rpc_export_list, 0, run_list},
	{"aoe.export.show", "One export.", &address_params, &rpc_export, 0, run_show},
	{"aoe.mask.add", "Let clients talk to an export; the first one locks out all others.", &macs_params,
	 &rpc_export, RPC_CHANGES, run_mask_add},
	{"aoe.mask.remove", "Take clients from the mask; an empty mask lets everybody in.", &macs_params, &rpc_export,
	 RPC_CHANGES, run_mask_remove},
	{"aoe.mask.clear", "Let everybody talk to an export.", &address_params, &rpc_export, RPC_CHANGES,
	 run_mask_clear},
	{"aoe.reserve.set", "Reserve an export for clients, whoever holds it now.", &macs_params, &rpc_export,
	 RPC_CHANGES, run_reserve_set},
	{"aoe.reserve.clear", "End the reservation of an export.", &address_params, &rpc_export, RPC_CHANGES,
	 run_reserve_set},
	{"aoe.config_string.set", "Set the config string of an export.", &config_params, &rpc_export, RPC_CHANGES,
	 run_config_set},
	{"aoe.config_string.clear", "Empty the config string of an export.", &address_params, &rpc_export, RPC_CHANGES,
	 run_config_clear},
	{0},
};

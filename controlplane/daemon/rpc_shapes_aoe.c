/* SPDX-License-Identifier: BSD-3-Clause */
/* AoE exports as clients see them. */
#include "common/text.h"
#include "daemon/rpc.h"
#include "daemon/rpc_shapes.h"

static const char *const encodings[] = {"utf-8", "hex", NULL};
static const struct rpc_schema encoding = {.type = RPC_STRING, .choices = encodings};

static const struct rpc_field remote_fields[] = {
	RPC_OPTIONAL("mask", &rpc_bool, "unchanged; on for a new export", "clients may edit the MAC mask"),
	RPC_OPTIONAL("config", &rpc_bool, "unchanged; on for a new export", "clients may set the config string"),
	RPC_OPTIONAL("force_reserve", &rpc_bool, "unchanged; on for a new export", "clients may force a reservation"),
	RPC_END,
};
const struct rpc_schema rpc_remote = {.type = RPC_OBJECT, .fields = remote_fields};

static const struct rpc_field export_fields[] = {
	RPC_REQUIRED("id", &rpc_u64, "never used twice"),
	RPC_REQUIRED("shelf", &rpc_shelf, NULL),
	RPC_REQUIRED("slot", &rpc_slot, NULL),
	RPC_REQUIRED("volume", &rpc_name, NULL),
	RPC_REQUIRED("read_only", &rpc_bool, NULL),
	RPC_REQUIRED("ports", &rpc_names, "where it is served; empty: everywhere"),
	RPC_REQUIRED("vlans", &rpc_vlans, "0 is untagged; empty: untagged only"),
	RPC_REQUIRED("buffer_count", &rpc_u16, "frames that a client may have under way"),
	RPC_REQUIRED("sectors_max", &rpc_u16, "per frame; 0: what the MTU allows"),
	RPC_REQUIRED("remote", &rpc_remote, "what clients may change"),
	RPC_REQUIRED("serial", &rpc_text, "of its volume"),
	RPC_REQUIRED("config_string", &rpc_text, "as text, or hexadecimal when it is not text"),
	RPC_REQUIRED("config_string_encoding", &encoding, NULL),
	RPC_REQUIRED("mask", &rpc_macs, "who may talk to it; empty: everybody"),
	RPC_REQUIRED("reserve", &rpc_macs, "who holds the reservation"),
	RPC_REQUIRED("state_generation", &rpc_u64, "grows with config string, mask and reservation"),
	RPC_END,
};
const struct rpc_schema rpc_export = {.type = RPC_OBJECT, .fields = export_fields};
const struct rpc_schema rpc_export_list = {.type = RPC_ARRAY, .items = &rpc_export};

static json_t *macs_json(const struct wherry_mac *macs, unsigned count)
{
	char text[TEXT_MAC_BYTES];
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		(void)json_array_append_new(list, json_string(text_mac_emit(&macs[i], text)));
	return list;
}

json_t *rpc_vlans_json(const uint16_t *vlans, unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		(void)json_array_append_new(list, json_integer(vlans[i]));
	return list;
}

static json_t *ports_json(const struct export_row *row, const struct port_row *ports, unsigned port_count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < row->port_count; i++)
		for (unsigned j = 0; j < port_count; j++)
			if (ports[j].id == row->port_ids[i])
				(void)json_array_append_new(list, json_string(ports[j].name));
	return list;
}

json_t *rpc_export_json(const struct export_row *row, const struct port_row *ports, unsigned port_count)
{
	char hex[2 * WHERRY_AOE_CONFIG_BYTES_MAX + 1];
	bool is_text = text_is_printable(row->config, row->config_bytes);

	text_hex_emit(row->config, row->config_bytes, hex);
	json_t *config = is_text ? json_stringn((const char *)row->config, row->config_bytes) : json_string(hex);
	json_t *remote = json_pack("{sb sb sb}", "mask", row->remote_mask, "config", row->remote_config,
				   "force_reserve", row->remote_force_reserve);
	return json_pack("{sI si si ss sb so so si si so ss so ss so so sI}", "id", (json_int_t)row->id, "shelf",
			 row->shelf, "slot", row->slot, "volume", row->volume_name, "read_only", row->read_only,
			 "ports", ports_json(row, ports, port_count), "vlans",
			 rpc_vlans_json(row->vlans, row->vlan_count), "buffer_count", row->buffer_count, "sectors_max",
			 row->sectors_max, "remote", remote, "serial", row->serial, "config_string", config,
			 "config_string_encoding", encodings[is_text ? 0 : 1], "mask",
			 macs_json(row->mask, row->mask_count), "reserve", macs_json(row->reserve, row->reserve_count),
			 "state_generation", (json_int_t)row->state_generation);
}

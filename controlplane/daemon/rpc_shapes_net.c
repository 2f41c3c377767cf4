/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, routes, TCP and NBD as clients see them. */
#include "daemon/model_net.h"
#include "daemon/rpc.h"
#include "daemon/rpc_shapes.h"

static const struct rpc_schema prefix_text = {.type = RPC_STRING, .min = 2, .max = TEXT_PREFIX_BYTES - 1};
static const struct rpc_schema vlan = {.type = RPC_INT, .min = 0, .max = 4094};
static const struct rpc_schema congestion = {.type = RPC_STRING, .choices = model_congestion_names};
const struct rpc_schema rpc_prefixes = {
	.type = RPC_ARRAY, .min = 0, .max = WHERRY_NBD_ALLOW_COUNT_MAX, .items = &prefix_text};

static const struct rpc_field address_fields[] = {
	RPC_REQUIRED("port", &rpc_name, NULL),
	RPC_REQUIRED("vlan", &vlan, "0: untagged"),
	RPC_REQUIRED("address", &prefix_text, "with the length of its network, 10.0.0.1/24"),
	RPC_END,
};
const struct rpc_schema rpc_address = {.type = RPC_OBJECT, .fields = address_fields};
const struct rpc_schema rpc_address_list = {.type = RPC_ARRAY, .items = &rpc_address};

static const struct rpc_field route_fields[] = {
	RPC_REQUIRED("prefix", &prefix_text, "0.0.0.0/0 and ::/0: default"),
	RPC_REQUIRED("gateway", &prefix_text, NULL),
	RPC_END,
};
const struct rpc_schema rpc_route = {.type = RPC_OBJECT, .fields = route_fields};
const struct rpc_schema rpc_route_list = {.type = RPC_ARRAY, .items = &rpc_route};

static const struct rpc_field tcp_fields[] = {
	RPC_REQUIRED("congestion", &congestion, "how connections react to loss"),
	RPC_REQUIRED("ecn", &rpc_bool, "routers may mark instead of drop"),
	RPC_REQUIRED("keepalive_idle_ms", &rpc_u32, "silence before the first probe; 0: no keep-alive"),
	RPC_REQUIRED("keepalive_interval_ms", &rpc_u32, "between probes"),
	RPC_REQUIRED("keepalive_count", &rpc_u32, "probes without an answer before a connection is given up"),
	RPC_REQUIRED("user_timeout_ms", &rpc_u32, "data unacknowledged for so long ends a connection; 0: never"),
	RPC_END,
};
const struct rpc_schema rpc_tcp = {.type = RPC_OBJECT, .fields = tcp_fields};

static const struct rpc_field nbd_fields[] = {RPC_REQUIRED("port", &rpc_u16, "TCP; 0: switched off"), RPC_END};
const struct rpc_schema rpc_nbd = {.type = RPC_OBJECT, .fields = nbd_fields};

static const struct rpc_field nbd_export_fields[] = {
	RPC_REQUIRED("id", &rpc_u64, "never used twice"),
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_REQUIRED("volume", &rpc_name, NULL),
	RPC_REQUIRED("description", &rpc_text, "told to clients"),
	RPC_REQUIRED("read_only", &rpc_bool, NULL),
	RPC_REQUIRED("default", &rpc_bool, "answers to the empty name, too"),
	RPC_REQUIRED("allow", &rpc_prefixes, "who may use it; empty: everybody"),
	RPC_END,
};
const struct rpc_schema rpc_nbd_export = {.type = RPC_OBJECT, .fields = nbd_export_fields};
const struct rpc_schema rpc_nbd_export_list = {.type = RPC_ARRAY, .items = &rpc_nbd_export};

static const struct rpc_field neighbour_fields[] = {
	RPC_REQUIRED("address", &rpc_text, NULL),
	RPC_REQUIRED("mac", &rpc_text_or_null, "null while it is not known"),
	RPC_REQUIRED("port", &rpc_text, NULL),
	RPC_REQUIRED("vlan", &rpc_u16, "0: untagged"),
	RPC_REQUIRED("lcore", &rpc_u16, "whose cache it is in"),
	RPC_REQUIRED("state", &rpc_text, "incomplete, reachable, stale, probe or failed"),
	RPC_REQUIRED("age_us", &rpc_u64, "since it was heard"),
	RPC_END,
};
static const struct rpc_schema neighbour = {.type = RPC_OBJECT, .fields = neighbour_fields};
const struct rpc_schema rpc_neighbour_list = {.type = RPC_ARRAY, .items = &neighbour};

static const struct rpc_field connection_fields[] = {
	RPC_REQUIRED("local", &rpc_text, "address and TCP port"),
	RPC_REQUIRED("remote", &rpc_text, "address and TCP port"),
	RPC_REQUIRED("port", &rpc_text, "the appliance's"),
	RPC_REQUIRED("vlan", &rpc_u16, "0: untagged"),
	RPC_REQUIRED("lcore", &rpc_u16, "where it lives"),
	RPC_REQUIRED("state", &rpc_text, "of RFC 9293"),
	RPC_REQUIRED("congestion", &rpc_text, NULL),
	RPC_REQUIRED("ecn", &rpc_bool, "agreed on"),
	RPC_REQUIRED("sack", &rpc_bool, "agreed on"),
	RPC_REQUIRED("timestamps", &rpc_bool, "agreed on"),
	RPC_REQUIRED("mss_bytes", &rpc_u16, "largest segment to the peer"),
	RPC_REQUIRED("rtt_us", &rpc_u32, "round trip, smoothed"),
	RPC_REQUIRED("rtt_var_us", &rpc_u32, "its variation"),
	RPC_REQUIRED("rto_us", &rpc_u32, "retransmission timeout"),
	RPC_REQUIRED("cwnd_bytes", &rpc_u32, "congestion window"),
	RPC_REQUIRED("ssthresh_bytes", &rpc_u32, NULL),
	RPC_REQUIRED("in_flight_bytes", &rpc_u32, "sent and not acknowledged"),
	RPC_REQUIRED("send_window_bytes", &rpc_u32, "what the peer takes"),
	RPC_REQUIRED("receive_window_bytes", &rpc_u32, "what the peer may send"),
	RPC_REQUIRED("unsent_bytes", &rpc_u64, "waiting to be sent"),
	RPC_REQUIRED("held_packets", &rpc_u32, "received and not taken yet, or out of order"),
	RPC_REQUIRED("age_us", &rpc_u64, "since it was opened"),
	RPC_REQUIRED("bytes_in", &rpc_u64, NULL),
	RPC_REQUIRED("bytes_out", &rpc_u64, NULL),
	RPC_REQUIRED("segments_in", &rpc_u64, NULL),
	RPC_REQUIRED("segments_out", &rpc_u64, NULL),
	RPC_REQUIRED("retransmits", &rpc_u64, "segments sent again"),
	RPC_REQUIRED("timeouts", &rpc_u64, "retransmission timeouts"),
	RPC_REQUIRED("tail_probes", &rpc_u64, "tail loss probes"),
	RPC_REQUIRED("zero_windows", &rpc_u64, "times that the peer closed its window"),
	RPC_REQUIRED("out_of_order", &rpc_u64, "segments received before their turn"),
	RPC_REQUIRED("duplicates", &rpc_u64, "segments received again"),
	RPC_END,
};
static const struct rpc_schema connection = {.type = RPC_OBJECT, .fields = connection_fields};
const struct rpc_schema rpc_connection_list = {.type = RPC_ARRAY, .items = &connection};

static const struct rpc_field session_fields[] = {
	RPC_REQUIRED("export", &rpc_text_or_null, "null: still in the handshake"),
	RPC_REQUIRED("local", &rpc_text, "address and TCP port"),
	RPC_REQUIRED("remote", &rpc_text, "address and TCP port"),
	RPC_REQUIRED("lcore", &rpc_u16, "where it lives"),
	RPC_REQUIRED("age_us", &rpc_u64, "since the client connected"),
	RPC_REQUIRED("structured", &rpc_bool, "structured replies were agreed on"),
	RPC_REQUIRED("extended", &rpc_bool, "extended headers were agreed on"),
	RPC_REQUIRED("base_allocation", &rpc_bool, "base:allocation was agreed on"),
	RPC_REQUIRED("under_way", &rpc_u32, "requests"),
	RPC_REQUIRED("read_ops", &rpc_u64, NULL),
	RPC_REQUIRED("read_bytes", &rpc_u64, NULL),
	RPC_REQUIRED("write_ops", &rpc_u64, NULL),
	RPC_REQUIRED("write_bytes", &rpc_u64, NULL),
	RPC_REQUIRED("other_ops", &rpc_u64, NULL),
	RPC_REQUIRED("errors", &rpc_u64, "requests answered with an error"),
	RPC_END,
};
static const struct rpc_schema session = {.type = RPC_OBJECT, .fields = session_fields};
const struct rpc_schema rpc_session_list = {.type = RPC_ARRAY, .items = &session};

json_t *rpc_address_json(const struct address_row *row)
{
	char text[TEXT_PREFIX_BYTES];

	return json_pack("{ss sI ss}", "port", row->port_name, "vlan", (json_int_t)row->vlan, "address",
			 text_prefix_emit(&row->address, text));
}

json_t *rpc_route_json(const struct route_row *row)
{
	char prefix[TEXT_PREFIX_BYTES], gateway[TEXT_IP_BYTES];

	return json_pack("{ss ss}", "prefix", text_prefix_emit(&row->prefix, prefix), "gateway",
			 text_ip_emit(&row->gateway, gateway));
}

json_t *rpc_tcp_json(const struct network_row *row)
{
	return json_pack("{ss sb sI sI sI sI}", "congestion", model_congestion_names[row->congestion], "ecn", row->ecn,
			 "keepalive_idle_ms", (json_int_t)row->keepalive_idle_ms, "keepalive_interval_ms",
			 (json_int_t)row->keepalive_interval_ms, "keepalive_count", (json_int_t)row->keepalive_count,
			 "user_timeout_ms", (json_int_t)row->user_timeout_ms);
}

json_t *rpc_nbd_json(const struct network_row *row)
{
	return json_pack("{sI}", "port", (json_int_t)row->nbd_tcp_port);
}

json_t *rpc_nbd_export_json(const struct nbd_export_row *row)
{
	char text[TEXT_PREFIX_BYTES];
	json_t *allow = json_array();

	for (unsigned i = 0; i < row->allow_count; i++)
		(void)json_array_append_new(allow, json_string(text_prefix_emit(&row->allow[i], text)));
	return json_pack("{sI ss ss so sb sb so}", "id", (json_int_t)row->id, "name", row->name, "volume",
			 row->volume_name, "description", rpc_text_lenient(row->description), "read_only",
			 row->read_only, "default", row->is_default, "allow", allow);
}

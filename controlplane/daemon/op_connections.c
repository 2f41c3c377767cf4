/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists that the dataplane answers: neighbours, TCP connections, NBD sessions. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/op_priv.h"
#include "daemon/rpc.h"

struct list_op {
	struct rpc_call *call;
	json_t *list;
	int port_count;
	struct port_row ports[WHERRY_PORT_COUNT_MAX];
};

static const char *port_name(const struct list_op *op, unsigned index)
{
	return (int)index < op->port_count ? op->ports[index].name : "unknown";
}

/* An address of the dataplane; false when it is none. */
static bool take_ip(const uint8_t *bytes, unsigned len, struct text_ip *ip)
{
	if (len != sizeof ip->b)
		return false;
	memcpy(ip->b, bytes, sizeof ip->b);
	return true;
}

static void on_neighbour(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct list_op *op = ctx;
	struct wherry_ctl_neighbour_item item;
	char address[TEXT_IP_BYTES], mac[TEXT_MAC_BYTES];
	struct text_ip ip;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_NEIGHBOUR_ITEM || wherry_ctl_get_neighbour_item(fields, len, &item) != 0 ||
	    !take_ip(item.address.b, item.address.len, &ip))
		return;
	bool known = item.mac.count == 1 && text_mac_is_host(&item.mac.mac[0]);
	(void)json_array_append_new(op->list,
				    json_pack("{ss so ss sI sI so sI}", "address", text_ip_emit(&ip, address), "mac",
					      known ? json_string(text_mac_emit(&item.mac.mac[0], mac)) : json_null(),
					      "port", port_name(op, item.port), "vlan", (json_int_t)item.vlan, "lcore",
					      (json_int_t)item.lcore, "state", rpc_text_lenient(item.state), "age_us",
					      (json_int_t)item.age_us));
}

/* What an operator looks at first, then all the rest. */
static json_t *connection_json(const struct list_op *op, const struct wherry_ctl_connection_item *item,
			       const char *local, const char *remote)
{
	json_t *out =
		json_pack("{ss ss ss sI sI so so sb sb sb}", "local", local, "remote", remote, "port",
			  port_name(op, item->port), "vlan", (json_int_t)item->vlan, "lcore", (json_int_t)item->lcore,
			  "state", rpc_text_lenient(item->state), "congestion", rpc_text_lenient(item->congestion),
			  "ecn", item->ecn, "sack", item->sack, "timestamps", item->timestamps);
#define NUMBER(name) (void)json_object_set_new(out, #name, json_integer((json_int_t)item->name));
	NUMBER(mss_bytes)
	NUMBER(rtt_us)
	NUMBER(rtt_var_us)
	NUMBER(rto_us)
	NUMBER(cwnd_bytes)
	NUMBER(ssthresh_bytes)
	NUMBER(in_flight_bytes)
	NUMBER(send_window_bytes)
	NUMBER(receive_window_bytes)
	NUMBER(unsent_bytes)
	NUMBER(held_packets)
	NUMBER(age_us)
	NUMBER(bytes_in)
	NUMBER(bytes_out)
	NUMBER(segments_in)
	NUMBER(segments_out)
	NUMBER(retransmits)
	NUMBER(timeouts)
	NUMBER(tail_probes)
	NUMBER(zero_windows)
	NUMBER(out_of_order)
	NUMBER(duplicates)
#undef NUMBER
	return out;
}

static void on_connection(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct list_op *op = ctx;
	struct wherry_ctl_connection_item item;
	char local_text[TEXT_ENDPOINT_BYTES], remote_text[TEXT_ENDPOINT_BYTES];
	struct text_ip local, remote;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_CONNECTION_ITEM || wherry_ctl_get_connection_item(fields, len, &item) != 0 ||
	    !take_ip(item.local.b, item.local.len, &local) || !take_ip(item.remote.b, item.remote.len, &remote))
		return;
	(void)json_array_append_new(op->list,
				    connection_json(op, &item, text_endpoint_emit(&local, item.local_port, local_text),
						    text_endpoint_emit(&remote, item.remote_port, remote_text)));
}

/* The export may be gone meanwhile: what is left of its session is shown all the same. */
static json_t *export_name(const struct list_op *op, uint64_t id)
{
	struct nbd_export_row row;

	if (id == 0)
		return json_null();
	return json_string(state_nbd_by_id(op->call->daemon->state, id, &row, NULL) == 0 ? row.name : "deleted");
}

static void on_session(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct list_op *op = ctx;
	struct wherry_ctl_nbd_session_item item;
	char local_text[TEXT_ENDPOINT_BYTES], remote_text[TEXT_ENDPOINT_BYTES];
	struct text_ip local, remote;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_NBD_SESSION_ITEM || wherry_ctl_get_nbd_session_item(fields, len, &item) != 0 ||
	    !take_ip(item.local.b, item.local.len, &local) || !take_ip(item.remote.b, item.remote.len, &remote))
		return;
	(void)json_array_append_new(
		op->list,
		json_pack("{so ss ss sI sI sb sb sb sI sI sI sI sI sI sI}", "export", export_name(op, item.export_id),
			  "local", text_endpoint_emit(&local, item.local_port, local_text), "remote",
			  text_endpoint_emit(&remote, item.remote_port, remote_text), "lcore", (json_int_t)item.lcore,
			  "age_us", (json_int_t)item.age_us, "structured", item.structured, "extended", item.extended,
			  "base_allocation", item.base_allocation, "under_way", (json_int_t)item.under_way, "read_ops",
			  (json_int_t)item.read_ops, "read_bytes", (json_int_t)item.read_bytes, "write_ops",
			  (json_int_t)item.write_ops, "write_bytes", (json_int_t)item.write_bytes, "other_ops",
			  (json_int_t)item.other_ops, "errors", (json_int_t)item.errors));
}

static void on_done(void *ctx, int error, const char *message)
{
	struct list_op *op = ctx;

	if (error) {
		json_decref(op->list);
		op_refuse_absent(op->call, message);
	} else {
		rpc_reply(op->call, op->list);
	}
	free(op);
}

/* Ask the dataplane for a list; encode makes the request. */
static void ask(struct rpc_call *call, size_t (*encode)(uint8_t *packet, size_t cap, uint32_t id), plane_item_fn *item)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct list_op *op = link ? calloc(1, sizeof *op) : NULL;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	if (!op) {
		op_refuse_absent(call, NULL);
		return;
	}
	op->call = call;
	op->list = json_array();
	op->port_count = state_port_list(call->daemon->state, op->ports, NULL);
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, encode(packet, sizeof packet, id), -1, item, on_done, op);
}

#define LIST_REQUEST(name)                                                                                             \
	static size_t encode_##name(uint8_t *packet, size_t cap, uint32_t id)                                          \
	{                                                                                                              \
		const struct wherry_ctl_##name request;                                                                \
		return wherry_ctl_put_##name(packet, cap, id, &request);                                               \
	}
LIST_REQUEST(neighbour_list)
LIST_REQUEST(connection_list)
LIST_REQUEST(nbd_session_list)

void op_neighbour_list(struct rpc_call *call)
{
	ask(call, encode_neighbour_list, on_neighbour);
}

void op_connection_list(struct rpc_call *call)
{
	ask(call, encode_connection_list, on_connection);
}

void op_nbd_session_list(struct rpc_call *call)
{
	ask(call, encode_nbd_session_list, on_session);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists that the dataplane answers: ports, lcores, clients. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/op_priv.h"
#include "daemon/rpc_shapes.h"

struct ports_op {
	struct rpc_call *call;
	char name[WHERRY_NAME_BYTES_MAX + 1]; /* "": all */
	unsigned count;
	bool came[WHERRY_PORT_COUNT_MAX];
	struct wherry_ctl_port_item items[WHERRY_PORT_COUNT_MAX];
	struct port_row rows[WHERRY_PORT_COUNT_MAX];
};

static void refuse_memory(struct rpc_call *call)
{
	const struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};

	rpc_refuse(call, &fail);
}

void op_refuse_absent(struct rpc_call *call, const char *message)
{
	const char *trouble = plane_trouble(call->daemon->plane);
	struct fail fail;

	(void)fail_set(&fail, FAIL_UNAVAILABLE, "the dataplane does not answer now: %s",
		       message && message[0] ? message
		       : trouble[0]          ? trouble
					     : "it is being started");
	rpc_refuse(call, &fail);
}

/* ----------------------------------------------------------------- ports */

/* What is set, and what the dataplane says; item NULL: nothing yet. */
static void add_punt(json_t *out, const struct port_row *row, const struct wherry_ctl_port_item *item)
{
	json_t *interface = item && item->punt_interface[0] ? rpc_text_lenient(item->punt_interface) : json_null();

	(void)json_object_set_new(out, "punt", json_boolean(row->punt));
	(void)json_object_set_new(out, "punt_rate", json_integer((json_int_t)row->punt_rate));
	(void)json_object_set_new(out, "punt_interface", interface);
	(void)json_object_set_new(out, "punt_frames", json_integer(item ? (json_int_t)item->punt_frames : 0));
	(void)json_object_set_new(out, "punt_dropped", json_integer(item ? (json_int_t)item->punt_dropped : 0));
	(void)json_object_set_new(out, "punt_sent", json_integer(item ? (json_int_t)item->punt_sent : 0));
}

static json_t *port_json(const struct ports_op *op, unsigned i)
{
	const struct wherry_ctl_port_item *item = &op->items[i];
	const struct port_row *row = &op->rows[i];
	const char *trouble = plane_trouble(op->call->daemon->plane);
	char mac[TEXT_MAC_BYTES];
	bool came = op->came[i];

	const char *detail = came ? item->detail : trouble[0] ? trouble : "the dataplane is being started";
	json_t *numa = came && item->numa_node != UINT16_MAX ? json_integer(item->numa_node) : json_null();
	json_t *mac_text = came && item->mac.count ? json_string(text_mac_emit(&item->mac.mac[0], mac)) : json_null();
	json_t *out = json_pack(
		"{ss sI so so so sI sb sI sI sI so so}", "name", row->name, "index", (json_int_t)i, "device",
		rpc_text_lenient(row->device), "driver", came ? rpc_text_lenient(item->driver) : json_null(), "mac",
		mac_text, "mtu", (json_int_t)(came ? item->mtu : row->mtu), "link_up", came && item->link_up,
		"link_mbps", (json_int_t)(came ? item->link_mbps : 0), "rx_queues",
		(json_int_t)(came ? item->rx_queues : 0), "tx_queues", (json_int_t)(came ? item->tx_queues : 0),
		"numa_node", numa, "vlans", rpc_vlans_json(row->vlans, row->vlan_count));
	add_punt(out, row, came ? item : NULL);
	(void)json_object_set_new(out, "slaac", json_boolean(row->slaac));
	(void)json_object_set_new(out, "detail", rpc_text_lenient(detail));
	return out;
}

static void on_port(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct ports_op *op = ctx;
	struct wherry_ctl_port_item item;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_PORT_ITEM || wherry_ctl_get_port_item(fields, len, &item) != 0)
		return;
	for (unsigned i = 0; i < op->count; i++) {
		if (strcmp(op->rows[i].name, item.name) != 0)
			continue;
		op->items[i] = item;
		op->came[i] = true;
	}
}

static void on_ports(void *ctx, int error, const char *message)
{
	struct ports_op *op = ctx;
	json_t *result = op->name[0] ? NULL : json_array();

	(void)error; /* without an answer the state's part is shown */
	(void)message;
	for (unsigned i = 0; i < op->count; i++) {
		if (!op->name[0])
			(void)json_array_append_new(result, port_json(op, i));
		else if (strcmp(op->rows[i].name, op->name) == 0)
			result = port_json(op, i);
	}
	rpc_reply(op->call, result);
	free(op);
}

void op_reply_port(struct rpc_call *call, const char *name)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct ports_op *op = calloc(1, sizeof *op);
	const struct wherry_ctl_port_list request;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];
	struct fail fail;

	if (!op) {
		refuse_memory(call);
		return;
	}
	op->call = call;
	(void)snprintf(op->name, sizeof op->name, "%s", name);
	int count = state_port_list(call->daemon->state, op->rows, &fail);
	if (count < 0) {
		rpc_refuse(call, &fail);
		free(op);
		return;
	}
	op->count = (unsigned)count;
	if (!link) {
		on_ports(op, ENOTCONN, "");
		return;
	}
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_port_list(packet, sizeof packet, id, &request), -1, on_port,
			   on_ports, op);
}

void op_port_list(struct rpc_call *call)
{
	op_reply_port(call, "");
}

/* ---------------------------------------------------------------- lcores */

struct lcores_op {
	struct rpc_call *call;
	json_t *list;
};

static void on_lcore(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct lcores_op *op = ctx;
	struct wherry_ctl_lcore_item item;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_LCORE_ITEM || wherry_ctl_get_lcore_item(fields, len, &item) != 0)
		return;
	(void)json_array_append_new(op->list,
				    json_pack("{sI sI sb so so sI sI sI sI sI}", "index", (json_int_t)item.index,
					      "lcore_id", (json_int_t)item.lcore_id, "main", item.main, "numa_node",
					      item.numa_node == UINT16_MAX ? json_null() : json_integer(item.numa_node),
					      "cpus", rpc_text_lenient(item.cpus), "tsc_hz", (json_int_t)item.tsc_hz,
					      "exports", (json_int_t)item.exports, "volumes", (json_int_t)item.volumes,
					      "busy_cycles", (json_int_t)0, "idle_cycles", (json_int_t)0));
}

static void on_lcore_stats(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct lcores_op *op = ctx;
	struct wherry_ctl_stats_item item;
	json_t *lcore;
	size_t i;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_STATS_ITEM || wherry_ctl_get_stats_item(fields, len, &item) != 0 ||
	    item.values.count <= WHERRY_LCORE_idle_cycles)
		return;
	json_array_foreach(op->list, i, lcore)
	{
		if ((uint64_t)json_integer_value(json_object_get(lcore, "index")) + 1 != item.id)
			continue;
		(void)json_object_set_new(lcore, "busy_cycles",
					  json_integer((json_int_t)item.values.v[WHERRY_LCORE_busy_cycles]));
		(void)json_object_set_new(lcore, "idle_cycles",
					  json_integer((json_int_t)item.values.v[WHERRY_LCORE_idle_cycles]));
	}
}

static void on_lcores_done(void *ctx, int error, const char *message)
{
	struct lcores_op *op = ctx;

	if (error) {
		json_decref(op->list);
		op_refuse_absent(op->call, message);
	} else {
		rpc_reply(op->call, op->list);
	}
	free(op);
}

static void on_lcores(void *ctx, int error, const char *message)
{
	struct lcores_op *op = ctx;
	struct plane_link *link = plane_usable_link(op->call->daemon->plane);
	const struct wherry_ctl_stats_get request = {.scope = WHERRY_SCOPE_LCORE};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof request];

	if (error || !link) {
		on_lcores_done(op, error ? error : ENOTCONN, message);
		return;
	}
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_stats_get(packet, sizeof packet, id, &request), -1,
			   on_lcore_stats, on_lcores_done, op);
}

void op_lcore_list(struct rpc_call *call)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct lcores_op *op = link ? calloc(1, sizeof *op) : NULL;
	const struct wherry_ctl_lcore_list request;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	if (!op) {
		op_refuse_absent(call, NULL);
		return;
	}
	op->call = call;
	op->list = json_array();
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_lcore_list(packet, sizeof packet, id, &request), -1,
			   on_lcore, on_lcores, op);
}

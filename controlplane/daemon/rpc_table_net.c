/* SPDX-License-Identifier: BSD-3-Clause */
/* net.*, tcp.*: from parameters to operations. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/model_net.h"
#include "daemon/op.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"

static const struct rpc_schema address_text = {.type = RPC_STRING, .min = 2, .max = TEXT_PREFIX_BYTES - 1};
static const struct rpc_schema vlan = {.type = RPC_INT, .min = 0, .max = 4094};

/* ------------------------------------------------------------- addresses */

static const struct rpc_field address_fields[] = {
	RPC_REQUIRED("port", &rpc_name, NULL),
	RPC_REQUIRED("address", &address_text, "10.0.0.1/24 or 2001:db8::1/64"),
	RPC_OPTIONAL("vlan", &vlan, "0", "one of the port's; 0: untagged"),
	RPC_END,
};
static const struct rpc_schema address_params = {.type = RPC_OBJECT, .fields = address_fields};

static int take_prefix(const char *what, const char *text, struct text_prefix *prefix, struct fail *fail)
{
	int rc = text_prefix_parse(text, prefix);

	if (rc == -ERANGE)
		return fail_set(fail, FAIL_USAGE, "%s %.64s: the prefix is too long; at most %d bits", what, text,
				strchr(text, ':') ? 128 : 32);
	return rc == 0 ? 0
		       : fail_set(fail, FAIL_USAGE,
				  "%s '%.64s': not an address of IPv4 or IPv6 such as 10.0.0.1/24 or 2001:db8::1/64",
				  what, text);
}

static int take_address(const struct rpc_call *call, struct address_row *row, struct fail *fail)
{
	*row = (struct address_row){.vlan = (uint16_t)rpc_param_u64(call->params, "vlan", 0)};
	(void)snprintf(row->port_name, sizeof row->port_name, "%s", rpc_param_text(call->params, "port", ""));
	return take_prefix("address", rpc_param_text(call->params, "address", ""), &row->address, fail);
}

static void run_address_add(struct rpc_call *call)
{
	const char *text = rpc_param_text(call->params, "address", "");
	struct address_row row;
	struct fail fail;
	int rc = take_address(call, &row, &fail);

	if (rc == 0 && !strchr(text, '/'))
		rc = fail_set(&fail, FAIL_USAGE, "address %.64s: the length of its network is missing; give %.64s/%s",
			      text, text, text_ip_is_v4(&row.address.ip) ? "24" : "64");
	if (rc == 0)
		op_address_add(call, &row);
	else
		rpc_refuse(call, &fail);
}

static void run_address_delete(struct rpc_call *call)
{
	struct address_row row;
	struct fail fail;

	if (take_address(call, &row, &fail) == 0)
		op_address_delete(call, &row);
	else
		rpc_refuse(call, &fail);
}

static void run_address_list(struct rpc_call *call)
{
	struct net_rows rows;
	struct fail fail;

	if (state_net_get(call->daemon->state, &rows, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	json_t *list = json_array();
	for (unsigned i = 0; i < rows.address_count; i++)
		(void)json_array_append_new(list, rpc_address_json(&rows.addresses[i]));
	rpc_reply(call, list);
}

/* ---------------------------------------------------------------- routes */

static const struct rpc_field route_fields[] = {
	RPC_REQUIRED("prefix", &address_text, "10.0.0.0/8, or default"),
	RPC_REQUIRED("gateway", &address_text, "on the network of one of the addresses"),
	RPC_END,
};
static const struct rpc_schema route_params = {.type = RPC_OBJECT, .fields = route_fields};
static const struct rpc_field prefix_fields[] = {
	RPC_REQUIRED("prefix", &address_text, "10.0.0.0/8, or default when there is only one"),
	RPC_END,
};
static const struct rpc_schema prefix_params = {.type = RPC_OBJECT, .fields = prefix_fields};

static struct text_prefix default_of(const char *text)
{
	struct text_prefix prefix = {.bits = 0};

	(void)text_ip_parse(text, &prefix.ip);
	return prefix;
}

static void run_route_add(struct rpc_call *call)
{
	const char *prefix = rpc_param_text(call->params, "prefix", "");
	const char *gateway = rpc_param_text(call->params, "gateway", "");
	struct route_row row = {.prefix.bits = 0};
	struct fail fail;
	int rc = 0;

	if (text_ip_parse(gateway, &row.gateway) != 0)
		rc = fail_set(&fail, FAIL_USAGE,
			      "route %.64s: gateway '%.64s' is not an address; give one such as 10.0.0.254", prefix,
			      gateway);
	else if (strcmp(prefix, "default") == 0)
		row.prefix = default_of(text_ip_is_v4(&row.gateway) ? "0.0.0.0" : "::");
	else
		rc = take_prefix("route", prefix, &row.prefix, &fail);
	if (rc == 0)
		op_route_add(call, &row);
	else
		rpc_refuse(call, &fail);
}

/* "default" without a family: the one that is there. */
static int find_default(struct state *state, struct text_prefix *prefix, struct fail *fail)
{
	struct net_rows rows;
	unsigned found = 0;

	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	for (unsigned i = 0; i < rows.route_count; i++) {
		if (rows.routes[i].prefix.bits == 0) {
			*prefix = rows.routes[i].prefix;
			found++;
		}
	}
	if (found == 1)
		return 0;
	return found ? fail_set(fail, FAIL_USAGE, "route default: there are two; name 0.0.0.0/0 or ::/0")
		     : fail_set(fail, FAIL_NOT_FOUND, "route default does not exist; 'route list' shows those that do");
}

static void run_route_delete(struct rpc_call *call)
{
	const char *text = rpc_param_text(call->params, "prefix", "");
	struct text_prefix prefix;
	struct fail fail;
	int rc = strcmp(text, "default") == 0 ? find_default(call->daemon->state, &prefix, &fail)
					      : take_prefix("route", text, &prefix, &fail);

	if (rc == 0)
		op_route_delete(call, &prefix);
	else
		rpc_refuse(call, &fail);
}

static void run_route_list(struct rpc_call *call)
{
	struct net_rows rows;
	struct fail fail;

	if (state_net_get(call->daemon->state, &rows, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	json_t *list = json_array();
	for (unsigned i = 0; i < rows.route_count; i++)
		(void)json_array_append_new(list, rpc_route_json(&rows.routes[i]));
	rpc_reply(call, list);
}

static void run_neighbour_list(struct rpc_call *call)
{
	op_neighbour_list(call);
}

/* ------------------------------------------------------------------- TCP */

static const struct rpc_schema congestion = {.type = RPC_STRING, .choices = model_congestion_names};
static const struct rpc_field tcp_fields[] = {
	RPC_OPTIONAL("congestion", &congestion, "unchanged", "how connections react to loss"),
	RPC_OPTIONAL("ecn", &rpc_bool, "unchanged", "offer and accept marks instead of drops"),
	RPC_OPTIONAL("keepalive_idle_ms", &rpc_u32, "unchanged", "silence before the first probe; 0: no keep-alive"),
	RPC_OPTIONAL("keepalive_interval_ms", &rpc_u32, "unchanged", "between probes"),
	RPC_OPTIONAL("keepalive_count", &rpc_u32, "unchanged", "probes without an answer before giving up"),
	RPC_OPTIONAL("user_timeout_ms", &rpc_u32, "unchanged", "data unacknowledged for so long ends a connection"),
	RPC_END,
};
static const struct rpc_schema tcp_params = {.type = RPC_OBJECT, .fields = tcp_fields};

static void run_tcp_set(struct rpc_call *call)
{
	const char *name = rpc_param_text(call->params, "congestion", NULL);
	const json_t *params = call->params;
	struct network_row row;
	struct fail fail;

	if (state_network_get(call->daemon->state, &row, &fail) != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	for (unsigned i = 0; name && model_congestion_names[i]; i++)
		if (strcmp(model_congestion_names[i], name) == 0)
			row.congestion = (enum wherry_tcp_congestion)i;
	row.ecn = rpc_param_bool(params, "ecn", row.ecn);
	row.keepalive_idle_ms = (uint32_t)rpc_param_u64(params, "keepalive_idle_ms", row.keepalive_idle_ms);
	row.keepalive_interval_ms = (uint32_t)rpc_param_u64(params, "keepalive_interval_ms", row.keepalive_interval_ms);
	row.keepalive_count = (uint32_t)rpc_param_u64(params, "keepalive_count", row.keepalive_count);
	row.user_timeout_ms = (uint32_t)rpc_param_u64(params, "user_timeout_ms", row.user_timeout_ms);
	op_tcp_set(call, &row);
}

static void run_tcp_show(struct rpc_call *call)
{
	struct network_row row;
	struct fail fail;

	if (state_network_get(call->daemon->state, &row, &fail) == 0)
		rpc_reply(call, rpc_tcp_json(&row));
	else
		rpc_refuse(call, &fail);
}

static void run_connection_list(struct rpc_call *call)
{
	op_connection_list(call);
}

const struct rpc_method rpc_table_net[] = {
	{"net.address.add", "Give the appliance an address on a port.", &address_params, &rpc_address, RPC_CHANGES,
	 run_address_add},
	{"net.address.delete", "Take an address away.", &address_params, &rpc_empty, RPC_CHANGES, run_address_delete},
	{"net.address.list", "All addresses, the oldest first.", &rpc_empty, &rpc_address_list, 0, run_address_list},
	{"net.route.add", "Reach a network through a gateway.", &route_params, &rpc_route, RPC_CHANGES, run_route_add},
	{"net.route.delete", "Forget a route.", &prefix_params, &rpc_empty, RPC_CHANGES, run_route_delete},
	{"net.route.list", "All routes, the oldest first.", &rpc_empty, &rpc_route_list, 0, run_route_list},
	{"net.neighbour.list", "Who is known on the networks of the addresses.", &rpc_empty, &rpc_neighbour_list, 0,
	 run_neighbour_list},
	{"tcp.set", "Change TCP, for connections from now on.", &tcp_params, &rpc_tcp, RPC_CHANGES, run_tcp_set},
	{"tcp.show", "The settings of TCP.", &rpc_empty, &rpc_tcp, 0, run_tcp_show},
	{"tcp.connection.list", "The TCP connections.", &rpc_empty, &rpc_connection_list, 0, run_connection_list},
	{0},
};

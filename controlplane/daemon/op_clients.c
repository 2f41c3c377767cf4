/* SPDX-License-Identifier: BSD-3-Clause */
/* client.list: one line for a client that several lcores know. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/op_priv.h"

struct client {
	struct wherry_mac mac;
	uint16_t port, vlan;
	uint64_t first_seen_us, last_seen_us;
	uint64_t values[WHERRY_CLIENT_STAT_COUNT];
};

struct clients_op {
	struct rpc_call *call;
	struct client *clients;
	size_t count, cap;
};

static void on_client(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct clients_op *op = ctx;
	struct wherry_ctl_client_item item;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_CLIENT_ITEM || wherry_ctl_get_client_item(fields, len, &item) != 0 ||
	    item.mac.count != 1)
		return;
	if (op->count == op->cap) {
		size_t cap = op->cap ? op->cap * 2 : 64;
		struct client *bigger = realloc(op->clients, cap * sizeof *bigger);
		if (!bigger)
			return;
		op->clients = bigger;
		op->cap = cap;
	}
	struct client *client = &op->clients[op->count++];
	*client = (struct client){.mac = item.mac.mac[0],
				  .port = item.port,
				  .vlan = item.vlan,
				  .first_seen_us = item.first_seen_us,
				  .last_seen_us = item.last_seen_us};
	for (unsigned i = 0; i < item.values.count && i < WHERRY_CLIENT_STAT_COUNT; i++)
		client->values[i] = item.values.v[i];
}

static int compare(const void *a_, const void *b_)
{
	const struct client *a = a_, *b = b_;
	int by_mac = memcmp(&a->mac, &b->mac, sizeof a->mac);

	if (by_mac)
		return by_mac;
	return a->port != b->port ? a->port - b->port : a->vlan - b->vlan;
}

/* Those that are equal become one; the clients are sorted. */
static void merge(struct clients_op *op)
{
	size_t kept = 0;

	qsort(op->clients, op->count, sizeof *op->clients, compare);
	for (size_t i = 0; i < op->count; i++) {
		struct client *into = &op->clients[kept ? kept - 1 : 0], *from = &op->clients[i];
		if (kept == 0 || compare(into, from) != 0) {
			op->clients[kept++] = *from;
			continue;
		}
		if (from->first_seen_us < into->first_seen_us)
			into->first_seen_us = from->first_seen_us;
		if (from->last_seen_us > into->last_seen_us)
			into->last_seen_us = from->last_seen_us;
		for (unsigned stat = 0; stat < WHERRY_CLIENT_STAT_COUNT; stat++)
			into->values[stat] += from->values[stat];
	}
	op->count = kept;
}

static json_t *client_json(const struct client *client, const struct port_row *ports, int port_count)
{
	const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(WHERRY_SCOPE_CLIENT);
	char mac[TEXT_MAC_BYTES];

	json_t *out = json_pack("{ss ss sI sI sI}", "mac", text_mac_emit(&client->mac, mac), "port",
				client->port < port_count ? ports[client->port].name : "unknown", "vlan",
				(json_int_t)client->vlan, "first_seen_us", (json_int_t)client->first_seen_us,
				"last_seen_us", (json_int_t)client->last_seen_us);
	for (unsigned i = 0; i < WHERRY_CLIENT_STAT_COUNT; i++)
		(void)json_object_set_new(out, desc->stats[i].name, json_integer((json_int_t)client->values[i]));
	return out;
}

static void on_clients(void *ctx, int error, const char *message)
{
	struct clients_op *op = ctx;
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);

	if (error || !ports) {
		op_refuse_absent(op->call, message);
	} else {
		json_t *list = json_array();
		int port_count = state_port_list(op->call->daemon->state, ports, NULL);
		if (op->count)
			merge(op);
		for (size_t i = 0; i < op->count; i++)
			(void)json_array_append_new(list, client_json(&op->clients[i], ports, port_count));
		rpc_reply(op->call, list);
	}
	free(ports);
	free(op->clients);
	free(op);
}

void op_client_list(struct rpc_call *call)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct clients_op *op = link ? calloc(1, sizeof *op) : NULL;
	const struct wherry_ctl_client_list request;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	if (!op) {
		op_refuse_absent(call, NULL);
		return;
	}
	op->call = call;
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_client_list(packet, sizeof packet, id, &request), -1,
			   on_client, on_clients, op);
}

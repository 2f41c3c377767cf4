/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, routes, TCP, and where NBD listens.  All of it goes to the dataplane
 * at once; an address or a route that it refuses is not kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_net.h"
#include "daemon/op_priv.h"
#include "daemon/rpc_shapes.h"

enum network_kind { ADDRESS_ADD, ADDRESS_DELETE, ROUTE_ADD, ROUTE_DELETE, TCP_SET, NBD_LISTEN };

struct network_op {
	struct rpc_call *call;
	enum network_kind kind;
	struct address_row address;
	struct route_row route;
	struct network_row network;
};

static int step_change(struct state *state, void *ctx, struct fail *fail)
{
	struct network_op *op = ctx;

	switch (op->kind) {
	case ADDRESS_ADD:
		return model_address_add(state, &op->address, fail);
	case ADDRESS_DELETE:
		return model_address_delete(state, &op->address, fail);
	case ROUTE_ADD:
		return model_route_add(state, &op->route, fail);
	case ROUTE_DELETE:
		return model_route_delete(state, &op->route.prefix, fail);
	case TCP_SET:
		return model_network_set(state, &op->network, "tcp.changed", fail);
	case NBD_LISTEN:
		return model_network_set(state, &op->network, "nbd.changed", fail);
	}
	return 0;
}

static int step_take_back(struct state *state, void *ctx, struct fail *fail)
{
	struct network_op *op = ctx;

	return op->kind == ADDRESS_ADD ? model_address_delete(state, &op->address, fail)
				       : model_route_delete(state, &op->route.prefix, fail);
}

static void succeed(struct network_op *op)
{
	json_t *result = NULL;

	switch (op->kind) {
	case ADDRESS_ADD:
		result = rpc_address_json(&op->address);
		break;
	case ROUTE_ADD:
		result = rpc_route_json(&op->route);
		break;
	case TCP_SET:
		result = rpc_tcp_json(&op->network);
		break;
	case NBD_LISTEN:
		result = rpc_nbd_json(&op->network);
		break;
	case ADDRESS_DELETE:
	case ROUTE_DELETE:
		result = json_object();
		break;
	}
	rpc_reply(op->call, result);
	free(op);
}

/* What the operation is about, for a reason. */
static void name_of(const struct network_op *op, char *name, size_t cap)
{
	char text[TEXT_PREFIX_BYTES];

	if (op->kind == ADDRESS_ADD || op->kind == ADDRESS_DELETE)
		(void)snprintf(name, cap, "address %s", text_prefix_emit(&op->address.address, text));
	else if (op->kind == ROUTE_ADD || op->kind == ROUTE_DELETE)
		(void)snprintf(name, cap, "route %s", text_prefix_emit(&op->route.prefix, text));
	else
		(void)snprintf(name, cap, "%s", op->kind == TCP_SET ? "tcp" : "nbd");
}

static void on_pushed(void *ctx, int error, const char *message)
{
	struct network_op *op = ctx;
	struct daemon *daemon = op->call->daemon;
	struct fail fail, ignored;
	char name[TEXT_PREFIX_BYTES + 16];

	if (!error || op_error_is_absence(error)) {
		succeed(op);
		return;
	}
	name_of(op, name, sizeof name);
	const char *why = message[0] ? message : strerror(error);
	if (op->kind == ADDRESS_ADD || op->kind == ROUTE_ADD) {
		(void)fail_set(&fail, FAIL_FAILED, "%s: the dataplane refused it: %.380s", name, why);
		if (op_transaction(daemon, step_take_back, op, &ignored) == 0)
			plane_push_network(daemon->plane, NULL, NULL);
	} else {
		(void)fail_set(&fail, FAIL_UNAVAILABLE, "%s: changed, but the dataplane did not follow: %.360s", name,
			       why);
	}
	rpc_refuse(op->call, &fail);
	free(op);
}

static void start(struct rpc_call *call, const struct network_op *from)
{
	struct network_op *op = malloc(sizeof *op);
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};

	if (op) {
		*op = *from;
		op->call = call;
	}
	if (op && op_transaction(call->daemon, step_change, op, &fail) == 0) {
		plane_push_network(call->daemon->plane, on_pushed, op);
		return;
	}
	free(op);
	rpc_refuse(call, &fail);
}

void op_address_add(struct rpc_call *call, const struct address_row *row)
{
	const struct network_op op = {.kind = ADDRESS_ADD, .address = *row};

	start(call, &op);
}

void op_address_delete(struct rpc_call *call, const struct address_row *row)
{
	const struct network_op op = {.kind = ADDRESS_DELETE, .address = *row};

	start(call, &op);
}

void op_route_add(struct rpc_call *call, const struct route_row *row)
{
	const struct network_op op = {.kind = ROUTE_ADD, .route = *row};

	start(call, &op);
}

void op_route_delete(struct rpc_call *call, const struct text_prefix *prefix)
{
	const struct network_op op = {.kind = ROUTE_DELETE, .route.prefix = *prefix};

	start(call, &op);
}

void op_tcp_set(struct rpc_call *call, const struct network_row *row)
{
	const struct network_op op = {.kind = TCP_SET, .network = *row};

	start(call, &op);
}

void op_nbd_listen(struct rpc_call *call, const struct network_row *row)
{
	const struct network_op op = {.kind = NBD_LISTEN, .network = *row};

	start(call, &op);
}

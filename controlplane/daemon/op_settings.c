/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports and lcores: what the dataplane is started with.  A change commits, then
 * the dataplane is started anew.  When it served before and does not come up with
 * the change, the change is taken back: a slip of the pen must not end service.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/op_priv.h"

#define SETTLE_US 20000000u

enum settings_kind { PORT_ADD, PORT_SET, PORT_REMOVE, LCORE_SET };

struct settings_op {
	struct rpc_call *call;
	enum settings_kind kind;
	bool was_serving;
	struct port_row port, port_before;
	struct runtime_row runtime, runtime_before;
};

static int step_change(struct state *state, void *ctx, struct fail *fail)
{
	struct settings_op *op = ctx;

	switch (op->kind) {
	case PORT_ADD:
		return model_port_add(state, &op->port, fail);
	case PORT_SET:
		return model_port_set(state, &op->port, fail);
	case PORT_REMOVE:
		return model_port_remove(state, &op->port, fail);
	case LCORE_SET:
		return model_runtime_set(state, &op->runtime, "lcore.changed", fail);
	}
	return 0;
}

static int step_take_back(struct state *state, void *ctx, struct fail *fail)
{
	struct settings_op *op = ctx;

	switch (op->kind) {
	case PORT_ADD:
		return model_port_remove(state, &op->port, fail);
	case PORT_SET:
		return model_port_set(state, &op->port_before, fail);
	case PORT_REMOVE:
		break;
	case LCORE_SET:
		return model_runtime_set(state, &op->runtime_before, "lcore.changed", fail);
	}
	return 0;
}

static void succeed(struct settings_op *op)
{
	if (op->kind == PORT_ADD || op->kind == PORT_SET)
		op_reply_port(op->call, op->port.name);
	else
		rpc_reply(op->call, json_object());
	free(op);
}

static void take_back(struct settings_op *op)
{
	struct daemon *daemon = op->call->daemon;
	const char *name = op->kind == LCORE_SET ? "lcores" : op->port.name;
	struct fail fail, ignored;

	(void)fail_set(&fail, FAIL_FAILED, "%s: the dataplane does not start with this, it is as before again: %.350s",
		       name, plane_trouble(daemon->plane));
	if (op_transaction(daemon, step_take_back, op, &ignored) == 0)
		plane_restart(daemon->plane);
	rpc_refuse(op->call, &fail);
	free(op);
}

static void on_settled(void *ctx, enum plane_settled settled)
{
	struct settings_op *op = ctx;

	/* The one that is being replaced may be the one that ended. */
	if (settled == PLANE_SETTLED_DIED && op->was_serving && op->kind != PORT_REMOVE)
		take_back(op);
	else
		succeed(op);
}

/* The dataplane takes up some changes as it runs. */
static bool needs_restart(const struct settings_op *op)
{
	struct port_row before = op->port_before;

	before.slaac = op->port.slaac;
	return op->kind != PORT_SET || !model_port_equal(&before, &op->port);
}

static void on_pushed(void *ctx, int error, const char *message)
{
	struct settings_op *op = ctx;
	struct daemon *daemon = op->call->daemon;
	struct fail fail, ignored;

	if (!error || op_error_is_absence(error)) {
		succeed(op);
		return;
	}
	(void)fail_set(&fail, FAIL_FAILED, "port '%s': the dataplane refused it, it is as before again: %.350s",
		       op->port.name, message[0] ? message : strerror(error));
	if (op_transaction(daemon, step_take_back, op, &ignored) == 0)
		plane_push_network(daemon->plane, NULL, NULL);
	rpc_refuse(op->call, &fail);
	free(op);
}

static void start(struct rpc_call *call, const struct settings_op *from)
{
	struct daemon *daemon = call->daemon;
	struct settings_op *op = malloc(sizeof *op);
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};

	if (op) {
		*op = *from;
		op->call = call;
		op->was_serving = plane_is_serving(daemon->plane);
	}
	if (!op || op_transaction(daemon, step_change, op, &fail) != 0) {
		free(op);
		rpc_refuse(call, &fail);
		return;
	}
	if (!needs_restart(op)) {
		plane_push_network(daemon->plane, on_pushed, op);
		return;
	}
	plane_restart(daemon->plane);
	if (op->was_serving)
		plane_wait_settled(daemon->plane, SETTLE_US, on_settled, op);
	else
		succeed(op);
}

void op_port_add(struct rpc_call *call, const struct port_row *row)
{
	const struct settings_op op = {.kind = PORT_ADD, .port = *row};

	start(call, &op);
}

void op_port_set(struct rpc_call *call, const struct port_row *row)
{
	struct settings_op op = {.kind = PORT_SET, .port = *row};
	struct fail fail;

	if (state_port_by_name(call->daemon->state, row->name, &op.port_before, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		start(call, &op);
}

void op_port_remove(struct rpc_call *call, const char *name)
{
	struct settings_op op = {.kind = PORT_REMOVE};
	struct fail fail;

	if (state_port_by_name(call->daemon->state, name, &op.port, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		start(call, &op);
}

void op_lcore_set(struct rpc_call *call, const struct runtime_row *row)
{
	struct settings_op op = {.kind = LCORE_SET, .runtime = *row};
	struct fail fail;

	if (op_check_cpus(row, &fail) != 0 || state_runtime_get(call->daemon->state, &op.runtime_before, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		start(call, &op);
}

/* ------------------------------------------------------------------ idle */

static int step_idle(struct state *state, void *ctx, struct fail *fail)
{
	return model_runtime_set(state, ctx, "idle.changed", fail);
}

static void on_idle(void *ctx, int error, const char *message)
{
	struct rpc_call *call = ctx;
	struct fail fail;

	if (!error || op_error_is_absence(error)) {
		rpc_reply(call, json_object());
		return;
	}
	(void)fail_set(&fail, FAIL_UNAVAILABLE, "idle: changed, but the dataplane did not follow: %s", message);
	rpc_refuse(call, &fail);
}

void op_idle_set(struct rpc_call *call, const struct runtime_row *row)
{
	struct runtime_row copy = *row;
	struct fail fail;

	if (op_transaction(call->daemon, step_idle, &copy, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		plane_push_idle(call->daemon->plane, &copy, on_idle, call);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* AoE exports: create, set, delete, durable state, lists. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_aoe.h"
#include "daemon/op_priv.h"
#include "daemon/rpc_shapes.h"

struct export_op {
	struct rpc_call *call;
	struct export_row row;
	const struct op_state_change *change; /* during the transaction only */
	bool created;
};

static struct export_op *begin(struct rpc_call *call, const struct export_row *row)
{
	struct export_op *op = calloc(1, sizeof *op);

	if (!op) {
		const struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
		rpc_refuse(call, &fail);
		return NULL;
	}
	op->call = call;
	op->row = *row;
	return op;
}

static void refuse(struct export_op *op, const struct fail *fail)
{
	rpc_refuse(op->call, fail);
	free(op);
}

static int step_delete(struct state *state, void *ctx, struct fail *fail)
{
	return model_export_delete(state, ctx, fail);
}

static void on_pushed(void *ctx, int error, const char *message)
{
	struct export_op *op = ctx;
	struct daemon *daemon = op->call->daemon;
	struct fail fail, ignored;

	if (!error || op_error_is_absence(error)) {
		op_reply_export(op->call, op->row.shelf, op->row.slot);
		free(op);
		return;
	}
	if (op->created) { /* what the dataplane cannot serve is not kept */
		(void)fail_set(&fail, FAIL_FAILED, "AoE export %u.%u: the dataplane refused it: %s", op->row.shelf,
			       op->row.slot, message[0] ? message : strerror(error));
		if (op_transaction(daemon, step_delete, &op->row, &ignored) == 0)
			plane_push_export_delete(daemon->plane, op->row.id, NULL, NULL);
	} else {
		(void)fail_set(&fail, FAIL_UNAVAILABLE,
			       "AoE export %u.%u: changed, but the dataplane did not follow: %s", op->row.shelf,
			       op->row.slot, message[0] ? message : strerror(error));
	}
	refuse(op, &fail);
}

static void push(struct export_op *op)
{
	if (op_waits_for_store(op->call->daemon, op->row.volume_id))
		on_pushed(op, ENODEV, "");
	else
		plane_push_export(op->call->daemon->plane, &op->row, on_pushed, op);
}

static int step_create(struct state *state, void *ctx, struct fail *fail)
{
	return model_export_create(state, ctx, fail);
}

static int step_set(struct state *state, void *ctx, struct fail *fail)
{
	return model_export_set(state, ctx, fail);
}

void op_export_create(struct rpc_call *call, const struct export_row *row)
{
	struct export_op *op = begin(call, row);
	struct fail fail;

	if (!op)
		return;
	op->created = true;
	if (op_transaction(call->daemon, step_create, &op->row, &fail) != 0)
		refuse(op, &fail);
	else
		push(op);
}

void op_export_set(struct rpc_call *call, const struct export_row *row)
{
	struct export_op *op = begin(call, row);
	struct fail fail;

	if (!op)
		return;
	if (op_transaction(call->daemon, step_set, &op->row, &fail) != 0)
		refuse(op, &fail);
	else
		push(op);
}

void op_on_export_deleted(void *ctx, int error, const char *message)
{
	struct rpc_call *call = ctx;
	struct fail fail;

	if (!error || error == ENOENT || op_error_is_absence(error)) {
		rpc_reply(call, json_object());
		return;
	}
	(void)fail_set(&fail, FAIL_UNAVAILABLE, "the export is deleted, but the dataplane did not follow: %s", message);
	rpc_refuse(call, &fail);
}

void op_export_delete(struct rpc_call *call, uint16_t shelf, uint8_t slot)
{
	struct export_row row;
	struct fail fail;

	int rc = state_export_by_address(call->daemon->state, shelf, slot, &row, &fail);
	if (rc == 0)
		rc = op_transaction(call->daemon, step_delete, &row, &fail);
	if (rc != 0)
		rpc_refuse(call, &fail);
	else
		plane_push_export_delete(call->daemon->plane, row.id, op_on_export_deleted, call);
}

/* ------------------------------------------------------- durable state */

static int step_state(struct state *state, void *ctx, struct fail *fail)
{
	struct export_op *op = ctx;
	const struct op_state_change *change = op->change;

	/* Read inside the transaction: a client's change may have come first. */
	if (state_export_by_address(state, op->row.shelf, op->row.slot, &op->row, fail) != 0)
		return -1;
	switch (change->kind) {
	case OP_MASK_ADD:
		return model_mask_add(state, &op->row, change->macs, change->count, fail);
	case OP_MASK_REMOVE:
		return model_mask_remove(state, &op->row, change->macs, change->count, fail);
	case OP_MASK_PUT:
		return model_mask_put(state, &op->row, change->macs, change->count, fail);
	case OP_RESERVE_PUT:
		return model_reserve_put(state, &op->row, change->macs, change->count, fail);
	case OP_CONFIG_PUT:
		return model_config_put(state, &op->row, change->config, change->config_bytes, fail);
	}
	return 0;
}

void op_export_state(struct rpc_call *call, uint16_t shelf, uint8_t slot, const struct op_state_change *change)
{
	const struct export_row row = {.shelf = shelf, .slot = slot};
	struct export_op *op = begin(call, &row);
	struct fail fail;

	if (!op)
		return;
	op->change = change;
	if (op_transaction(call->daemon, step_state, op, &fail) != 0)
		refuse(op, &fail);
	else if (op_waits_for_store(op->call->daemon, op->row.volume_id))
		on_pushed(op, ENODEV, "");
	else
		plane_push_export_state(call->daemon->plane, &op->row, on_pushed, op);
}

/* ----------------------------------------------------------------- lists */

static void reply(struct rpc_call *call, json_t *result, int rc, const struct fail *fail)
{
	if (rc == 0) {
		rpc_reply(call, result);
		return;
	}
	json_decref(result);
	rpc_refuse(call, fail);
}

void op_reply_export(struct rpc_call *call, uint16_t shelf, uint8_t slot)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	struct export_row row;
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
	json_t *result = NULL;

	int count = ports ? state_port_list(call->daemon->state, ports, &fail) : -1;
	int rc = count < 0 ? -1 : state_export_by_address(call->daemon->state, shelf, slot, &row, &fail);
	if (rc == 0)
		result = rpc_export_json(&row, ports, (unsigned)count);
	free(ports);
	reply(call, result, rc, &fail);
}

void op_export_list(struct rpc_call *call)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	struct export_row row;
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
	json_t *list = json_array();
	int count = ports ? state_port_list(call->daemon->state, ports, &fail) : -1;
	int rc = count < 0 ? -1 : 1;

	for (int32_t after = -1; rc == 1; after = state_export_key(&row)) {
		rc = state_export_next(call->daemon->state, after, &row, &fail);
		if (rc == 1)
			(void)json_array_append_new(list, rpc_export_json(&row, ports, (unsigned)count));
	}
	free(ports);
	reply(call, list, rc, &fail);
}

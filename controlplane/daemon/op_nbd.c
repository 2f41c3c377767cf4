/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD exports: create, set, delete, lists. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_nbd.h"
#include "daemon/op_priv.h"
#include "daemon/rpc_shapes.h"

struct nbd_op {
	struct rpc_call *call;
	struct nbd_export_row row;
	bool created;
};

static struct nbd_op *begin(struct rpc_call *call, const struct nbd_export_row *row)
{
	struct nbd_op *op = calloc(1, sizeof *op);

	if (!op) {
		const struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
		rpc_refuse(call, &fail);
		return NULL;
	}
	op->call = call;
	op->row = *row;
	return op;
}

static void refuse(struct nbd_op *op, const struct fail *fail)
{
	rpc_refuse(op->call, fail);
	free(op);
}

static int step_delete(struct state *state, void *ctx, struct fail *fail)
{
	return model_nbd_delete(state, ctx, fail);
}

static int step_create(struct state *state, void *ctx, struct fail *fail)
{
	return model_nbd_create(state, ctx, fail);
}

static int step_set(struct state *state, void *ctx, struct fail *fail)
{
	return model_nbd_set(state, ctx, fail);
}

static void on_pushed(void *ctx, int error, const char *message)
{
	struct nbd_op *op = ctx;
	struct daemon *daemon = op->call->daemon;
	struct fail fail, ignored;

	if (!error || op_error_is_absence(error)) {
		op_reply_nbd(op->call, op->row.name);
		free(op);
		return;
	}
	const char *why = message[0] ? message : strerror(error);
	if (op->created) { /* what the dataplane cannot serve is not kept */
		(void)fail_set(&fail, FAIL_FAILED, "NBD export '%s': the dataplane refused it: %.360s", op->row.name,
			       why);
		if (op_transaction(daemon, step_delete, &op->row, &ignored) == 0)
			plane_push_nbd_export_delete(daemon->plane, op->row.id, NULL, NULL);
	} else {
		(void)fail_set(&fail, FAIL_UNAVAILABLE,
			       "NBD export '%s': changed, but the dataplane did not follow: %.340s", op->row.name, why);
	}
	refuse(op, &fail);
}

static void push(struct nbd_op *op)
{
	if (op_waits_for_store(op->call->daemon, op->row.volume_id))
		on_pushed(op, ENODEV, "");
	else
		plane_push_nbd_export(op->call->daemon->plane, &op->row, on_pushed, op);
}

void op_nbd_create(struct rpc_call *call, const struct nbd_export_row *row)
{
	struct nbd_op *op = begin(call, row);
	struct fail fail;

	if (!op)
		return;
	op->created = true;
	if (op_transaction(call->daemon, step_create, &op->row, &fail) != 0)
		refuse(op, &fail);
	else
		push(op);
}

void op_nbd_set(struct rpc_call *call, const struct nbd_export_row *row)
{
	struct nbd_op *op = begin(call, row);
	struct fail fail;

	if (!op)
		return;
	if (op_transaction(call->daemon, step_set, &op->row, &fail) != 0)
		refuse(op, &fail);
	else
		push(op);
}

void op_nbd_delete(struct rpc_call *call, const char *name)
{
	struct nbd_export_row row;
	struct fail fail;

	if (state_nbd_by_name(call->daemon->state, name, &row, &fail) != 0 ||
	    op_transaction(call->daemon, step_delete, &row, &fail) != 0)
		rpc_refuse(call, &fail);
	else
		plane_push_nbd_export_delete(call->daemon->plane, row.id, op_on_export_deleted, call);
}

void op_reply_nbd(struct rpc_call *call, const char *name)
{
	struct nbd_export_row row;
	struct fail fail;

	if (state_nbd_by_name(call->daemon->state, name, &row, &fail) == 0)
		rpc_reply(call, rpc_nbd_export_json(&row));
	else
		rpc_refuse(call, &fail);
}

void op_nbd_list(struct rpc_call *call)
{
	struct nbd_export_row row;
	struct fail fail;
	json_t *list = json_array();
	int rc;

	for (row.name[0] = '\0'; (rc = state_nbd_next(call->daemon->state, row.name, &row, &fail)) == 1;)
		(void)json_array_append_new(list, rpc_nbd_export_json(&row));
	if (rc == 0) {
		rpc_reply(call, list);
		return;
	}
	json_decref(list);
	rpc_refuse(call, &fail);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/op.h"

#include "daemon/model.h"
#include "daemon/rpc_shapes.h"

static json_t *describe(struct daemon *daemon, const struct volume_row *row)
{
	struct volume_view view = {.lcore = -1, .detail = ""};

	return rpc_volume_json(daemon->state, row, &view);
}

static void finish(struct rpc_call *call, int rc, const struct volume_row *row, const struct fail *fail)
{
	if (rc == 0)
		rpc_reply(call, describe(call->daemon, row));
	else
		rpc_refuse(call, fail);
}

void op_volume_create(struct rpc_call *call, const struct op_volume_create *create)
{
	struct state *state = call->daemon->state;
	struct volume_row row = create->row;
	struct fail fail;

	int rc = model_volume_check(&row, &fail);
	if (rc == 0 && row.backend == WHERRY_BACKEND_FILE)
		rc = fail_set(&fail, FAIL_UNAVAILABLE, "volume '%s': %s cannot be opened: no privileged half runs",
			      row.name, row.path);
	if (rc == 0)
		rc = state_begin(state, &fail);
	if (rc == 0)
		rc = model_end(state, model_volume_create(state, &row, &fail), &fail);
	finish(call, rc, &row, &fail);
}

void op_volume_grow(struct rpc_call *call, const char *name, uint64_t size_bytes)
{
	struct state *state = call->daemon->state;
	struct volume_row row;
	struct fail fail;

	int rc = state_volume_by_name(state, name, &row, &fail);
	if (rc == 0)
		rc = state_begin(state, &fail);
	if (rc == 0)
		rc = model_end(state, model_volume_grow(state, &row, size_bytes, &fail), &fail);
	finish(call, rc, &row, &fail);
}

void op_volume_set(struct rpc_call *call, struct volume_row *row)
{
	struct state *state = call->daemon->state;
	struct fail fail;

	int rc = state_begin(state, &fail);
	if (rc == 0)
		rc = model_end(state, model_volume_set(state, row, &fail), &fail);
	finish(call, rc, row, &fail);
}

void op_volume_delete(struct rpc_call *call, const char *name, bool erase_file)
{
	struct state *state = call->daemon->state;
	struct volume_row row;
	struct fail fail;

	(void)erase_file;
	int rc = state_volume_by_name(state, name, &row, &fail);
	if (rc == 0)
		rc = state_begin(state, &fail);
	if (rc == 0)
		rc = model_end(state, model_volume_delete(state, &row, &fail), &fail);
	if (rc == 0)
		rpc_reply(call, json_object());
	else
		rpc_refuse(call, &fail);
}

void op_volume_list(struct rpc_call *call, const char *name)
{
	struct state *state = call->daemon->state;
	struct volume_row row;
	struct fail fail;
	int rc;

	if (name) {
		rc = state_volume_by_name(state, name, &row, &fail);
		finish(call, rc, &row, &fail);
		return;
	}
	json_t *list = json_array();
	for (row.name[0] = '\0'; (rc = state_volume_next(state, row.name, &row, &fail)) == 1;)
		(void)json_array_append_new(list, describe(call->daemon, &row));
	if (rc == 0) {
		rpc_reply(call, list);
		return;
	}
	json_decref(list);
	rpc_refuse(call, &fail);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.list and volume.show: rows of the state, and what the dataplane says of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/op_priv.h"
#include "daemon/rpc_shapes.h"

struct list_op {
	struct rpc_call *call;
	bool one;
	char name[WHERRY_NAME_BYTES_MAX + 1];
};

static json_t *describe(struct daemon *daemon, const struct volume_row *row)
{
	const struct backing *backing = backing_find(daemon, row->id);
	bool serving = plane_is_serving(daemon->plane);
	char detail[2 * WHERRY_TEXT_BYTES_MAX + 8] = "";
	struct volume_view view = {.lcore = -1, .detail = detail};

	if (backing) {
		view.direct = backing->direct;
		view.online = serving && backing->online;
		view.lcore = serving ? backing->lcore : -1;
		(void)snprintf(detail, sizeof detail, "%s%s%s", backing->detail,
			       backing->detail[0] && backing->plane_detail[0] ? "; " : "", backing->plane_detail);
	}
	if (!detail[0] && !serving)
		(void)snprintf(detail, sizeof detail, "the dataplane does not serve now");
	return rpc_volume_json(daemon->state, row, &view);
}

static void reply_one(struct rpc_call *call, const char *name)
{
	struct volume_row row;
	struct fail fail;

	if (state_volume_by_name(call->daemon->state, name, &row, &fail) == 0)
		rpc_reply(call, describe(call->daemon, &row));
	else
		rpc_refuse(call, &fail);
}

static void reply_all(struct rpc_call *call)
{
	struct volume_row row;
	struct fail fail;
	json_t *list = json_array();
	int rc;

	for (row.name[0] = '\0'; (rc = state_volume_next(call->daemon->state, row.name, &row, &fail)) == 1;)
		(void)json_array_append_new(list, describe(call->daemon, &row));
	if (rc == 0) {
		rpc_reply(call, list);
		return;
	}
	json_decref(list);
	rpc_refuse(call, &fail);
}

static void on_item(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct list_op *op = ctx;
	struct wherry_ctl_volume_item item;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_VOLUME_ITEM || wherry_ctl_get_volume_item(fields, len, &item) != 0)
		return;
	struct backing *backing = backing_find(op->call->daemon, item.id);
	if (!backing)
		return;
	backing->online = item.online;
	backing->lcore = item.lcore;
	memcpy(backing->plane_detail, item.detail, sizeof backing->plane_detail);
}

static void on_done(void *ctx, int error, const char *message)
{
	struct list_op *op = ctx;

	/* Without an answer the list shows what was known last. */
	(void)error;
	(void)message;
	if (op->one)
		reply_one(op->call, op->name);
	else
		reply_all(op->call);
	free(op);
}

void op_volume_list(struct rpc_call *call, const char *name)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct list_op *op = link ? calloc(1, sizeof *op) : NULL;
	const struct wherry_ctl_volume_list request;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	if (!op) {
		if (name)
			reply_one(call, name);
		else
			reply_all(call);
		return;
	}
	op->call = call;
	op->one = name != NULL;
	(void)snprintf(op->name, sizeof op->name, "%s", name ? name : "");
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_volume_list(packet, sizeof packet, id, &request), -1,
			   on_item, on_done, op);
}

void op_reply_volume(struct rpc_call *call, const char *name)
{
	op_volume_list(call, name);
}

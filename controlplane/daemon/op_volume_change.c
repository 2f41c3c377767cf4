/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.set, volume.fault and volume.delete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/op_priv.h"

struct change_op {
	struct rpc_call *call;
	struct volume_row row;
	bool erase_file;
	bool opened; /* the store was closed before: its exports are not with the dataplane */
	uint64_t device, inode;
};

static struct change_op *begin(struct rpc_call *call, const struct volume_row *row)
{
	struct change_op *op = calloc(1, sizeof *op);

	if (!op) {
		const struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
		rpc_refuse(call, &fail);
		return NULL;
	}
	op->call = call;
	op->row = *row;
	return op;
}

static void refuse(struct change_op *op, const struct fail *fail)
{
	rpc_refuse(op->call, fail);
	free(op);
}

/* ------------------------------------------------------------------- set */

static int step_set(struct state *state, void *ctx, struct fail *fail)
{
	return model_volume_set(state, ctx, fail);
}

static void on_set(void *ctx, int error, const char *message)
{
	struct change_op *op = ctx;

	if (error && !op_error_is_absence(error)) {
		struct fail fail;
		(void)fail_set(&fail, FAIL_UNAVAILABLE, "volume '%s': changed, but the dataplane did not follow: %s",
			       op->row.name, message);
		refuse(op, &fail);
		return;
	}
	if (op->opened)
		plane_push_exports_of(op->call->daemon->plane, op->row.id);
	op_reply_volume(op->call, op->row.name);
	free(op);
}

static void set_commit(struct change_op *op)
{
	struct fail fail;

	if (op_transaction(op->call->daemon, step_set, &op->row, &fail) != 0)
		refuse(op, &fail);
	else
		plane_push_volume(op->call->daemon->plane, &op->row, on_set, op);
}

/* The file that was closed for another way of opening it is open again, or is tried again later. */
static void on_reopened(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct change_op *op = ctx;
	struct daemon *daemon = op->call->daemon;
	struct backing *backing = backing_get(daemon, op->row.id);
	struct fail fail;

	if (backing)
		backing->opening = false;
	if (result->kind == FAIL_NONE && backing) {
		backing_take(backing, fd, result);
		op->opened = true;
		set_commit(op);
		return;
	}
	if (fd >= 0)
		close(fd);
	(void)fail_set(&fail, (enum fail_kind)(result->kind ? result->kind : FAIL_FAILED), "volume '%s': %s",
		       op->row.name, result->text);
	struct volume_row before;
	if (state_volume_by_id(daemon->state, op->row.id, &before, NULL) == 0)
		backing_open_file(daemon, &before);
	refuse(op, &fail);
}

static void open_store(struct change_op *op, struct backing *backing)
{
	struct monitor_file request;
	int pin = backing_request(backing, &op->row, &request);

	backing->opening = true;
	monitor_link_file(op->call->daemon->monitor, &request, pin, on_reopened, op);
}

static void on_released(void *ctx, int error, const char *message)
{
	struct change_op *op = ctx;
	struct backing *backing = backing_get(op->call->daemon, op->row.id);
	struct fail fail;

	if ((error && error != ENOENT && error != ENOTCONN) || !backing) {
		(void)fail_set(&fail, FAIL_UNAVAILABLE, "volume '%s': the dataplane did not let go of it: %s",
			       op->row.name, message);
		refuse(op, &fail);
		return;
	}
	if (backing->fd >= 0)
		close(backing->fd);
	backing->fd = -1;
	open_store(op, backing);
}

/* A descriptor opened for reading cannot be made writable: the dataplane has to let go of it. */
static void make_writable(struct change_op *op)
{
	struct daemon *daemon = op->call->daemon;
	struct export_row user;
	struct fail fail;

	int rc = state_export_next_of(daemon->state, op->row.id, -1, &user, &fail);
	if (rc == 1)
		(void)fail_set(
			&fail, FAIL_CONFLICT,
			"volume '%s': its file is open for reading only, and AoE export %u.%u uses it; delete the"
			" export, make the volume writable, export it again",
			op->row.name, user.shelf, user.slot);
	struct nbd_export_row nbd;
	if (rc == 0) {
		rc = state_nbd_next_of(daemon->state, op->row.id, "", &nbd, &fail);
		if (rc == 1)
			(void)fail_set(
				&fail, FAIL_CONFLICT,
				"volume '%s': its file is open for reading only, and NBD export '%s' uses it; delete"
				" the export, make the volume writable, export it again",
				op->row.name, nbd.name);
	}
	if (rc != 0)
		refuse(op, &fail);
	else
		plane_push_volume_delete(daemon->plane, op->row.id, on_released, op);
}

void op_volume_set(struct rpc_call *call, struct volume_row *row)
{
	struct backing *backing = backing_get(call->daemon, row->id);
	struct change_op *op = begin(call, row);

	if (!op)
		return;
	bool is_file = row->backend == WHERRY_BACKEND_FILE && backing;
	if (is_file && backing->fd >= 0 && !row->read_only && (fcntl(backing->fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		make_writable(op);
	else if (is_file && backing->fd < 0 && !backing->opening && row->online)
		open_store(op, backing);
	else
		set_commit(op);
}

/* ---------------------------------------------------------------- delete */

static int step_delete(struct state *state, void *ctx, struct fail *fail)
{
	return model_volume_delete(state, ctx, fail);
}

static void on_erased(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct change_op *op = ctx;
	struct fail fail;

	(void)fd;
	if (result->kind == FAIL_NONE) {
		rpc_reply(op->call, json_object());
		free(op);
		return;
	}
	(void)fail_set(&fail, FAIL_FAILED, "volume '%s' is deleted, but its file stays: %s", op->row.name,
		       result->text);
	refuse(op, &fail);
}

static void on_deleted(void *ctx, int error, const char *message)
{
	struct change_op *op = ctx;
	struct daemon *daemon = op->call->daemon;

	/* Whatever it said: the volume is gone from the state, and the next configuration removes it there too. */
	(void)error;
	(void)message;
	backing_drop(daemon, op->row.id);
	if (!op->erase_file) {
		rpc_reply(op->call, json_object());
		free(op);
		return;
	}
	struct monitor_file request = {.header.op = MONITOR_FILE_ERASE, .device = op->device, .inode = op->inode};
	memcpy(request.path, op->row.path, sizeof request.path);
	monitor_link_file(daemon->monitor, &request, -1, on_erased, op);
}

void op_volume_delete(struct rpc_call *call, const char *name, bool erase_file)
{
	struct daemon *daemon = call->daemon;
	struct volume_row row;
	struct fail fail;

	int rc = state_volume_by_name(daemon->state, name, &row, &fail);
	const struct backing *backing = rc == 0 ? backing_find(daemon, row.id) : NULL;
	if (rc == 0 && erase_file && (row.backend != WHERRY_BACKEND_FILE || (backing && backing->block_device)))
		rc = fail_set(&fail, FAIL_USAGE, "volume '%s' has no regular file to erase; leave out erase_file",
			      name);
	if (rc == 0)
		rc = op_transaction(daemon, step_delete, &row, &fail);
	if (rc != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	struct change_op *op = begin(call, &row);
	if (!op)
		return;
	op->erase_file = erase_file;
	op->device = backing ? backing->device : 0;
	op->inode = backing ? backing->inode : 0;
	plane_push_volume_delete(daemon->plane, row.id, on_deleted, op);
}

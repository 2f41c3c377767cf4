/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.create and volume.grow. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/op_priv.h"

struct volume_op {
	struct rpc_call *call;
	struct volume_row row;
	uint64_t size_bytes; /* grow: the new one */
	bool made_file;
	int fd;
	struct monitor_file_result store;
};

static struct volume_op *begin(struct rpc_call *call, const struct volume_row *row)
{
	struct volume_op *op = calloc(1, sizeof *op);

	if (!op) {
		const struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};
		rpc_refuse(call, &fail);
		return NULL;
	}
	op->call = call;
	op->row = *row;
	op->fd = -1;
	op->store.align_bytes = op->store.memory_align_bytes = 1;
	return op;
}

static void succeed(struct volume_op *op)
{
	op_reply_volume(op->call, op->row.name);
	free(op);
}

/* Nothing is left behind: neither descriptor nor a file made for it. */
static void refuse(struct volume_op *op, const struct fail *fail)
{
	if (op->fd >= 0)
		close(op->fd);
	if (op->made_file)
		op_erase_made(op->call->daemon, op->row.path, op->store.device, op->store.inode);
	rpc_refuse(op->call, fail);
	free(op);
}

/* ---------------------------------------------------------------- create */

static int step_create(struct state *state, void *ctx, struct fail *fail)
{
	return model_volume_create(state, ctx, fail);
}

static int step_delete(struct state *state, void *ctx, struct fail *fail)
{
	return model_volume_delete(state, ctx, fail);
}

/* What the dataplane cannot serve is not kept. */
static void take_back(struct volume_op *op, int error, const char *message)
{
	struct daemon *daemon = op->call->daemon;
	struct fail fail, ignored;

	(void)fail_set(&fail, FAIL_FAILED, "volume '%s': the dataplane refused it: %s", op->row.name,
		       message[0] ? message : strerror(error));
	if (op_transaction(daemon, step_delete, &op->row, &ignored) != 0) {
		op->made_file = false; /* it exists and shows its trouble */
	} else {
		plane_push_volume_delete(daemon->plane, op->row.id, NULL, NULL);
		backing_drop(daemon, op->row.id);
	}
	refuse(op, &fail);
}

static void on_created(void *ctx, int error, const char *message)
{
	struct volume_op *op = ctx;

	if (error && !op_error_is_absence(error))
		take_back(op, error, message);
	else
		succeed(op);
}

/* The store is there: commit, and tell the dataplane. */
static void create_commit(struct volume_op *op)
{
	struct daemon *daemon = op->call->daemon;
	struct fail fail;

	if (op_transaction(daemon, step_create, &op->row, &fail) != 0) {
		refuse(op, &fail);
		return;
	}
	struct backing *backing = backing_get(daemon, op->row.id);
	if (backing) {
		backing_take(backing, op->fd, &op->store);
		op->fd = -1;
	}
	plane_push_volume(daemon->plane, &op->row, on_created, op);
}

static void on_store(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct volume_op *op = ctx;
	struct fail fail;

	if (result->kind != FAIL_NONE) {
		op->made_file = false;
		(void)fail_set(&fail, (enum fail_kind)result->kind, "%s", result->text);
		refuse(op, &fail);
		return;
	}
	op->fd = fd;
	op->store = *result;
	if (op_check_store(&op->row, result, &fail) != 0)
		refuse(op, &fail);
	else
		create_commit(op);
}

void op_volume_create(struct rpc_call *call, const struct op_volume_create *create)
{
	struct daemon *daemon = call->daemon;
	struct volume_op *op = begin(call, &create->row);
	struct fail fail;

	if (!op)
		return;
	int rc = model_volume_check_new(daemon->state, &op->row, &fail);
	if (rc == 0 && create->create_file && (op->row.backend != WHERRY_BACKEND_FILE || op->row.size_bytes == 0))
		rc = fail_set(&fail, FAIL_USAGE, "volume '%s': create_file needs backend 'file' and a size",
			      op->row.name);
	if (rc == 0 && create->sparse && !create->create_file)
		rc = fail_set(&fail, FAIL_USAGE, "volume '%s': sparse goes with create_file", op->row.name);
	if (rc == 0 && op->row.backend == WHERRY_BACKEND_RAM) {
		op->fd = backing_ram_create(daemon, op->row.name, op->row.size_bytes, &fail);
		rc = op->fd < 0 ? -1 : 0;
	}
	if (rc != 0) {
		refuse(op, &fail);
		return;
	}
	if (op->row.backend != WHERRY_BACKEND_FILE) {
		create_commit(op);
		return;
	}
	op->made_file = create->create_file;
	struct monitor_file request = {.header.op = MONITOR_FILE_OPEN, .size_bytes = op->row.size_bytes};
	request.flags = (op->row.read_only ? MONITOR_FILE_READ_ONLY : 0) |
			(create->create_file ? MONITOR_FILE_CREATE : 0) | (create->sparse ? MONITOR_FILE_SPARSE : 0);
	memcpy(request.path, op->row.path, sizeof request.path);
	monitor_link_file(daemon->monitor, &request, -1, on_store, op);
}

/* ------------------------------------------------------------------ grow */

static int step_grow(struct state *state, void *ctx, struct fail *fail)
{
	struct volume_op *op = ctx;

	return model_volume_grow(state, &op->row, op->size_bytes, fail);
}

static void on_grown(void *ctx, int error, const char *message)
{
	struct volume_op *op = ctx;

	if (error && !op_error_is_absence(error)) {
		/* The size is committed and its store has it: the next configuration settles it. */
		struct fail fail;
		(void)fail_set(&fail, FAIL_UNAVAILABLE, "volume '%s': grown, but the dataplane did not follow: %s",
			       op->row.name, message);
		refuse(op, &fail);
		return;
	}
	succeed(op);
}

static void grow_commit(struct volume_op *op)
{
	struct fail fail;

	if (op_transaction(op->call->daemon, step_grow, op, &fail) != 0)
		refuse(op, &fail);
	else
		plane_push_volume(op->call->daemon->plane, &op->row, on_grown, op);
}

static void on_store_grown(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct volume_op *op = ctx;
	struct volume_row grown = op->row;
	struct fail fail;

	(void)fd;
	grown.size_bytes = op->size_bytes;
	if (result->kind != FAIL_NONE) {
		(void)fail_set(&fail, (enum fail_kind)result->kind, "volume '%s': %s", op->row.name, result->text);
		refuse(op, &fail);
	} else if (op_check_store(&grown, result, &fail) != 0) {
		refuse(op, &fail);
	} else {
		grow_commit(op);
	}
}

static int grow_ram(struct volume_op *op, int fd, struct fail *fail)
{
	if (op->size_bytes > op->row.size_bytes &&
	    backing_ram_check(op->call->daemon, op->row.name, op->size_bytes - op->row.size_bytes, fail) != 0)
		return -1;
	if (ftruncate(fd, (off_t)op->size_bytes) == 0)
		return 0;
	return fail_set(fail, FAIL_FAILED, "volume '%s': no memory: %s", op->row.name, strerror(errno));
}

void op_volume_grow(struct rpc_call *call, const char *name, uint64_t size_bytes)
{
	struct daemon *daemon = call->daemon;
	struct volume_row row;
	struct fail fail;

	int rc = state_volume_by_name(daemon->state, name, &row, &fail);
	if (rc == 0)
		rc = model_volume_check_grow(&row, size_bytes, &fail);
	const struct backing *backing = rc == 0 ? backing_find(daemon, row.id) : NULL;
	if (rc == 0 && !backing_is_ready(backing, &row))
		rc = fail_set(&fail, FAIL_UNAVAILABLE, "volume '%s': its store is not open: %s", name,
			      backing ? backing->detail : "");
	if (rc == 0 && row.read_only && row.backend == WHERRY_BACKEND_FILE)
		rc = fail_set(&fail, FAIL_CONFLICT, "volume '%s' is read-only; make it writable first", name);
	if (rc != 0) {
		rpc_refuse(call, &fail);
		return;
	}
	struct volume_op *op = begin(call, &row);
	if (!op)
		return;
	op->size_bytes = size_bytes;
	if (row.backend == WHERRY_BACKEND_FILE) {
		struct monitor_file request = {.header.op = MONITOR_FILE_GROW, .size_bytes = size_bytes};
		memcpy(request.path, row.path, sizeof request.path);
		monitor_link_file(daemon->monitor, &request, backing->fd, on_store_grown, op);
	} else if (row.backend == WHERRY_BACKEND_RAM && grow_ram(op, backing->fd, &fail) != 0) {
		refuse(op, &fail);
	} else {
		grow_commit(op);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.apply: stores first (opened, made, grown), then one transaction, then
 * the dataplane.  What was opened or made for a configuration that is refused is
 * closed and removed again; a file that was grown stays so, which harms nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/op_priv.h"

#define SETTLE_US 20000000u
#define FILE_BYTES_MAX (16u << 20)

struct opened {
	int fd;
	bool made;
	struct monitor_file_result result;
};

struct config_op {
	struct daemon *daemon;
	struct rpc_call *call; /* NULL: from a file at start */
	void (*applied)(struct daemon *daemon, const struct fail *fail);
	struct config *config;
	struct config_diff diff;
	size_t next;           /* store to be seen to */
	struct opened *opened; /* by the index of diff.stores */
	bool was_serving;
};

/* ------------------------------------------------------------------ ends */

static void destroy(struct config_op *op)
{
	config_free(op->config);
	config_diff_free(&op->diff);
	free(op->opened);
	free(op);
}

static void succeed(struct config_op *op, bool applied)
{
	if (op->call)
		rpc_reply(op->call, json_pack("{sO sb}", "changes", op->diff.changes, "applied", applied));
	else
		op->applied(op->daemon, NULL);
	destroy(op);
}

static void refuse(struct config_op *op, const struct fail *fail)
{
	if (op->call)
		rpc_refuse(op->call, fail);
	else
		op->applied(op->daemon, fail);
	destroy(op);
}

/* Before the state has changed. */
static void abandon(struct config_op *op, const struct fail *fail)
{
	for (size_t i = 0; i < op->next; i++) {
		struct opened *opened = &op->opened[i];
		if (opened->fd >= 0)
			close(opened->fd);
		if (opened->made)
			op_erase_made(op->daemon, op->diff.stores[i].volume->row.path, opened->result.device,
				      opened->result.inode);
	}
	refuse(op, fail);
}

/* -------------------------------------------------- after the transaction */

/* Stores of volumes that are gone, once the dataplane has let go of them. */
static void drop_stores(struct daemon *daemon)
{
	struct volume_row row;

	for (size_t i = daemon->backings.count; i-- > 0;) {
		uint64_t id = daemon->backings.list[i]->volume_id;
		struct fail fail;
		if (state_volume_by_id(daemon->state, id, &row, &fail) != 0 && fail.kind == FAIL_NOT_FOUND)
			backing_drop(daemon, id);
	}
}

static void on_told(void *ctx, int error, const char *message)
{
	struct config_op *op = ctx;
	struct fail fail;

	drop_stores(op->daemon);
	if (!error || op_error_is_absence(error)) {
		succeed(op, true);
		return;
	}
	(void)fail_set(&fail, FAIL_UNAVAILABLE, "the configuration is applied, but the dataplane did not follow: %s",
		       message);
	refuse(op, &fail);
}

static void on_settled(void *ctx, enum plane_settled settled)
{
	struct config_op *op = ctx;

	if (settled == PLANE_SETTLED_DIED && op->was_serving) {
		struct fail fail;
		(void)fail_set(&fail, FAIL_UNAVAILABLE,
			       "the configuration is applied, but the dataplane does not start with it: %.380s",
			       plane_trouble(op->daemon->plane));
		drop_stores(op->daemon);
		refuse(op, &fail);
		return;
	}
	on_told(op, 0, "");
}

static int step_write(struct state *state, void *ctx, struct fail *fail)
{
	return config_write(state, ((struct config_op *)ctx)->config, fail);
}

static void take_stores(struct config_op *op)
{
	for (size_t i = 0; i < op->diff.store_count; i++) {
		struct opened *opened = &op->opened[i];
		struct backing *backing =
			opened->fd >= 0 ? backing_get(op->daemon, op->diff.stores[i].volume->row.id) : NULL;
		if (backing)
			backing_take(backing, opened->fd, &opened->result);
		else if (opened->fd >= 0)
			close(opened->fd);
	}
}

static void commit(struct config_op *op)
{
	struct fail fail;

	if (op_transaction(op->daemon, step_write, op, &fail) != 0) {
		abandon(op, &fail);
		return;
	}
	take_stores(op);
	op->was_serving = plane_is_serving(op->daemon->plane);
	if (!op->diff.runtime_changed) {
		plane_resync(op->daemon->plane, on_told, op);
		return;
	}
	plane_restart(op->daemon->plane);
	if (op->was_serving)
		plane_wait_settled(op->daemon->plane, SETTLE_US, on_settled, op);
	else
		on_told(op, 0, "");
}

/* ---------------------------------------------------------------- stores */

static void see_to_next(struct config_op *op);

static void refuse_store(struct config_op *op, const struct config_store *store, enum fail_kind kind, const char *why)
{
	struct fail fail;

	(void)fail_set(&fail, kind, "line %u: volume '%s': %.400s", store->volume->line, store->volume->row.name, why);
	abandon(op, &fail);
}

static void on_opened(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct config_op *op = ctx;
	struct config_store *store = &op->diff.stores[op->next];
	struct opened *opened = &op->opened[op->next];
	struct volume_row *row = (struct volume_row *)(uintptr_t)&store->volume->row; /* part of op->config */
	struct fail fail;

	if (result->kind != FAIL_NONE) {
		refuse_store(op, store, (enum fail_kind)result->kind, result->text);
		return;
	}
	op->next++;
	opened->fd = fd;
	opened->made = store->volume->create_file;
	opened->result = *result;
	if (op_check_store(row, result, &fail) != 0)
		refuse_store(op, store, fail.kind, fail.text);
	else
		see_to_next(op);
}

static void on_grown(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct config_op *op = ctx;
	struct config_store *store = &op->diff.stores[op->next];
	struct volume_row row = store->volume->row;
	struct fail fail;

	(void)fd;
	if (result->kind != FAIL_NONE) {
		refuse_store(op, store, (enum fail_kind)result->kind, result->text);
	} else if (op_check_store(&row, result, &fail) != 0) {
		refuse_store(op, store, fail.kind, fail.text);
	} else {
		op->next++;
		see_to_next(op);
	}
}

static void open_file(struct config_op *op, const struct config_volume *volume)
{
	struct monitor_file request = {.header.op = MONITOR_FILE_OPEN, .size_bytes = volume->row.size_bytes};

	request.flags = (volume->row.read_only ? MONITOR_FILE_READ_ONLY : 0) |
			(volume->create_file ? MONITOR_FILE_CREATE : 0) | (volume->sparse ? MONITOR_FILE_SPARSE : 0);
	memcpy(request.path, volume->row.path, sizeof request.path);
	monitor_link_file(op->daemon->monitor, &request, -1, on_opened, op);
}

/* Memory is at hand at once.  0, or -1 with the reason. */
static int see_to_ram(struct config_op *op, const struct config_store *store, struct opened *opened, struct fail *fail)
{
	const struct volume_row *row = &store->volume->row;
	struct backing *backing;
	struct stat st;

	if (store->kind == CONFIG_STORE_OPEN) {
		opened->fd = backing_ram_create(op->daemon, row->name, row->size_bytes, fail);
		opened->result.align_bytes = opened->result.memory_align_bytes = 1;
		return opened->fd < 0 ? -1 : 0;
	}
	backing = backing_find(op->daemon, store->volume_id);
	if (!backing || backing->fd < 0 || fstat(backing->fd, &st) != 0)
		return fail_set(fail, FAIL_UNAVAILABLE, "its memory is not there");
	if (row->size_bytes <= (uint64_t)st.st_size)
		return 0;
	if (backing_ram_check(op->daemon, row->name, row->size_bytes - (uint64_t)st.st_size, fail) != 0)
		return -1;
	return ftruncate(backing->fd, (off_t)row->size_bytes) == 0
		       ? 0
		       : fail_set(fail, FAIL_FAILED, "no memory: %s", strerror(errno));
}

static void grow_file(struct config_op *op, const struct config_store *store)
{
	const struct backing *backing = backing_find(op->daemon, store->volume_id);
	struct monitor_file request = {.header.op = MONITOR_FILE_GROW, .size_bytes = store->volume->row.size_bytes};

	if (!backing || backing->fd < 0) {
		refuse_store(op, store, FAIL_UNAVAILABLE, "its file is not open, so it cannot grow");
		return;
	}
	memcpy(request.path, store->volume->row.path, sizeof request.path);
	monitor_link_file(op->daemon->monitor, &request, backing->fd, on_grown, op);
}

static void see_to_next(struct config_op *op)
{
	for (; op->next < op->diff.store_count; op->next++) {
		const struct config_store *store = &op->diff.stores[op->next];
		struct fail fail;
		if (store->volume->row.backend == WHERRY_BACKEND_FILE) {
			if (store->kind == CONFIG_STORE_OPEN)
				open_file(op, store->volume);
			else
				grow_file(op, store);
			return;
		}
		if (see_to_ram(op, store, &op->opened[op->next], &fail) != 0) {
			refuse_store(op, store, fail.kind, fail.text);
			return;
		}
	}
	commit(op);
}

/* A file that is open for reading cannot become writable while the dataplane has it. */
static int check_writable(struct config_op *op, struct fail *fail)
{
	struct volume_row have;
	struct fail ignored;

	for (size_t i = 0; i < op->config->volume_count; i++) {
		const struct config_volume *want = &op->config->volumes[i];
		if (want->row.backend != WHERRY_BACKEND_FILE || want->row.read_only ||
		    state_volume_by_name(op->daemon->state, want->row.name, &have, &ignored) != 0 || !have.read_only)
			continue;
		const struct backing *backing = backing_find(op->daemon, have.id);
		if (backing && backing->fd >= 0 && (fcntl(backing->fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
			return fail_set(
				fail, FAIL_CONFLICT,
				"line %u: volume '%s': its file is open for reading only; use volume set to make"
				" it writable, while nothing exports it",
				want->line, have.name);
	}
	return 0;
}

/* ------------------------------------------------------------ beginnings */

static struct config_op *begin(struct daemon *daemon, const char *text, size_t len, struct fail *fail)
{
	struct config_op *op = calloc(1, sizeof *op);

	if (!op) {
		(void)fail_set(fail, FAIL_FAILED, "out of memory");
		return NULL;
	}
	op->daemon = daemon;
	op->config = config_parse(text, len, fail);
	if (!op->config || config_diff(daemon->state, op->config, &op->diff, fail) != 0 ||
	    check_writable(op, fail) != 0) {
		destroy(op);
		return NULL;
	}
	op->opened = calloc(op->diff.store_count + 1, sizeof *op->opened);
	if (!op->opened) {
		(void)fail_set(fail, FAIL_FAILED, "out of memory");
		destroy(op);
		return NULL;
	}
	for (size_t i = 0; i < op->diff.store_count; i++)
		op->opened[i].fd = -1;
	return op;
}

/* What only this machine can tell is asked when it is applied, not when it is compared: as the stores are. */
static void start(struct config_op *op)
{
	struct fail fail;

	if (op->diff.runtime_changed && op->config->lcores_given && op_check_cpus(&op->config->runtime, &fail) != 0)
		abandon(op, &fail);
	else if (json_array_size(op->diff.changes) == 0)
		succeed(op, true);
	else
		see_to_next(op);
}

void op_config_apply(struct rpc_call *call, const char *text, bool apply)
{
	struct fail fail;
	struct config_op *op = begin(call->daemon, text, strlen(text), &fail);

	if (!op) {
		rpc_refuse(call, &fail);
		return;
	}
	op->call = call;
	if (apply)
		start(op);
	else
		succeed(op, false);
}

static char *read_file(const char *path, size_t *len, struct fail *fail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(FILE_BYTES_MAX + 1);
	ssize_t got = 0;

	*len = 0;
	while (text && *len <= FILE_BYTES_MAX && (got = read(fd, text + *len, FILE_BYTES_MAX + 1 - *len)) > 0)
		*len += (size_t)got;
	if (!text || got < 0)
		(void)fail_set(fail, FAIL_FAILED, "%s: cannot be read: %s", path, strerror(errno));
	else if (*len > FILE_BYTES_MAX)
		(void)fail_set(fail, FAIL_FAILED, "%s: larger than 16 MiB", path);
	bool fine = text && got >= 0 && *len <= FILE_BYTES_MAX;
	if (fd >= 0)
		close(fd);
	if (fine)
		return text;
	free(text);
	return NULL;
}

void op_config_apply_file(struct daemon *daemon, const char *path,
			  void (*applied)(struct daemon *daemon, const struct fail *fail))
{
	struct fail fail, named;
	size_t len;
	char *text = read_file(path, &len, &fail);

	if (!text) {
		applied(daemon, &fail);
		return;
	}
	struct config_op *op = begin(daemon, text, len, &fail);
	free(text);
	if (!op) {
		(void)fail_set(&named, fail.kind, "%s: %.400s", path, fail.text);
		applied(daemon, &named);
		return;
	}
	op->applied = applied;
	start(op);
}

void op_config_export(struct rpc_call *call)
{
	struct fail fail;
	char *text = config_emit(call->daemon->state, &fail);

	if (text)
		rpc_reply(call, json_pack("{ss}", "text", text));
	else
		rpc_refuse(call, &fail);
	free(text);
}

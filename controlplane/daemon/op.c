/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/log.h"
#include "daemon/op_priv.h"

int op_transaction(struct daemon *daemon, op_step_fn *step, void *ctx, struct fail *fail)
{
	if (state_begin(daemon->state, fail) != 0)
		return -1;
	int rc = model_end(daemon->state, step(daemon->state, ctx, fail), fail);
	events_notify(daemon);
	return rc;
}

bool op_error_is_absence(int error)
{
	return error == ENOTCONN || error == ETIMEDOUT || error == ENODEV;
}

static int check_present(const char *list, struct fail *fail)
{
	struct text_lcores cpus;
	char path[96];

	if (text_lcores_parse(list, &cpus) != 0)
		return 0;
	for (unsigned i = 0; i < cpus.count; i++) {
		/* What DPDK's EAL looks for.  A processor that was turned off has none. */
		(void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/core_id", cpus.id[i]);
		if (access(path, F_OK) != 0 && errno == ENOENT)
			return fail_set(
				fail, FAIL_USAGE,
				"lcores: this machine has no processor %u, or it is off; lscpu shows which there are",
				cpus.id[i]);
	}
	return 0;
}

int op_check_cpus(const struct runtime_row *row, struct fail *fail)
{
	char list[sizeof row->lcores];
	const char *at = strchr(row->lcores, '@');

	if (!at)
		return check_present(row->lcores, fail);
	/* "lcores@processors,...": what stands behind each '@', with or without brackets, are processors. */
	for (; at; at = strchr(at, '@')) {
		const bool brackets = *++at == '(';
		const size_t len = strcspn(at += brackets, brackets ? ")" : ",");
		memcpy(list, at, len);
		list[len] = '\0';
		if (check_present(list, fail) != 0)
			return -1;
	}
	return 0;
}

static void on_erased(void *ctx, const struct monitor_file_result *result, int fd)
{
	(void)ctx;
	(void)fd;
	if (result->kind != FAIL_NONE)
		log_warning("a file that is of no use any more stays: %s", result->text);
}

void op_erase_made(struct daemon *daemon, const char *path, uint64_t device, uint64_t inode)
{
	struct monitor_file request = {.header.op = MONITOR_FILE_ERASE, .device = device, .inode = inode};

	memcpy(request.path, path, sizeof request.path);
	monitor_link_file(daemon->monitor, &request, -1, on_erased, NULL);
}

int op_check_store(struct volume_row *row, const struct monitor_file_result *result, struct fail *fail)
{
	char want[TEXT_SIZE_BYTES], have[TEXT_SIZE_BYTES];
	uint64_t unit = row->block_bytes > result->align_bytes ? row->block_bytes : result->align_bytes;

	if (row->size_bytes == 0)
		row->size_bytes = result->size_bytes / unit * unit;
	if (row->size_bytes > result->size_bytes)
		return fail_set(fail, FAIL_CONFLICT,
				"volume '%s': %s has %s, less than %s; make it larger, or leave out the size",
				row->name, row->path, text_size_emit(result->size_bytes, have),
				text_size_emit(row->size_bytes, want));
	if (row->size_bytes % unit != 0)
		return fail_set(fail, FAIL_USAGE,
				"volume '%s': %" PRIu64 " bytes are not a multiple of the %" PRIu64
				" that direct I/O on %s needs; use %" PRIu64,
				row->name, row->size_bytes, unit, row->path, row->size_bytes / unit * unit);
	return model_volume_check_size(row, row->size_bytes, fail);
}

bool op_waits_for_store(struct daemon *daemon, uint64_t volume_id)
{
	struct volume_row volume;

	return state_volume_by_id(daemon->state, volume_id, &volume, NULL) == 0 &&
	       !backing_is_ready(backing_find(daemon, volume.id), &volume);
}

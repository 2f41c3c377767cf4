/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "common/text.h"
#include "daemon/model.h"

int model_volume_check_size(const struct volume_row *row, uint64_t size_bytes, struct fail *fail)
{
	char size[TEXT_SIZE_BYTES];

	if (size_bytes < WHERRY_VOLUME_BYTES_MIN)
		return fail_set(fail, FAIL_USAGE, "volume '%s': %s is too small; the least is 4096 bytes", row->name,
				text_size_emit(size_bytes, size));
	if (size_bytes > WHERRY_VOLUME_BYTES_MAX)
		return fail_set(fail, FAIL_USAGE, "volume '%s': %s is too large; the most is 128PiB", row->name,
				text_size_emit(size_bytes, size));
	if (size_bytes % row->block_bytes != 0)
		return fail_set(fail, FAIL_USAGE,
				"volume '%s': %" PRIu64 " bytes are not a multiple of its block of %u; use %" PRIu64,
				row->name, size_bytes, row->block_bytes,
				size_bytes + row->block_bytes - size_bytes % row->block_bytes);
	return 0;
}

static int check_path(const struct volume_row *row, struct fail *fail)
{
	if (row->backend != WHERRY_BACKEND_FILE && row->path[0])
		return fail_set(fail, FAIL_USAGE, "volume '%s': only backend 'file' has a path", row->name);
	if (row->backend != WHERRY_BACKEND_FILE)
		return 0;
	if (row->path[0] != '/')
		return fail_set(fail, FAIL_USAGE, "volume '%s': backend 'file' needs the absolute path of its file",
				row->name);
	if (!text_is_printable((const uint8_t *)row->path, strlen(row->path)))
		return fail_set(fail, FAIL_USAGE, "volume '%s': the path holds control characters or broken UTF-8",
				row->name);
	return 0;
}

int model_volume_check(const struct volume_row *row, struct fail *fail)
{
	const char *why = text_name_check(row->name);
	sd_id128_t uuid;

	if (why)
		return fail_set(fail, FAIL_USAGE, "volume '%s': %s", row->name, why);
	if (row->block_bytes != 512 && row->block_bytes != 4096)
		return fail_set(fail, FAIL_USAGE, "volume '%s': block_bytes is 512 or 4096, not %u", row->name,
				row->block_bytes);
	if (row->uuid[0] && sd_id128_from_string(row->uuid, &uuid) < 0)
		return fail_set(fail, FAIL_USAGE, "volume '%s': '%s' is not a UUID", row->name, row->uuid);
	if (check_path(row, fail) != 0)
		return -1;
	if (row->size_bytes == 0 && row->backend == WHERRY_BACKEND_FILE)
		return 0;
	if (row->size_bytes == 0)
		return fail_set(fail, FAIL_USAGE, "volume '%s': a %s volume needs a size", row->name,
				row->backend == WHERRY_BACKEND_RAM ? "ram" : "null");
	return model_volume_check_size(row, row->size_bytes, fail);
}

/* The serial number that clients see is a part of the UUID: 20 characters are all that ATA has room for. */
static void name_forever(struct volume_row *row)
{
	char digits[SD_ID128_STRING_MAX];
	sd_id128_t id;

	if (!row->uuid[0] || sd_id128_from_string(row->uuid, &id) < 0)
		(void)sd_id128_randomize(&id);
	(void)sd_id128_to_string(id, digits);
	(void)snprintf(row->uuid, sizeof row->uuid, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12,
		       digits + 16, digits + 20);
	(void)snprintf(row->serial, sizeof row->serial, "%.20s", digits);
}

int model_volume_path_is_free(struct state *state, const char *path, uint64_t except_id, struct fail *fail)
{
	struct volume_row other;
	int rc = state_volume_by_path(state, path, &other, fail);

	if (rc == 1 && other.id != except_id)
		return fail_set(fail, FAIL_CONFLICT,
				"%s is already the file of volume '%s'; a file can belong to one volume only", path,
				other.name);
	return rc < 0 ? -1 : 0;
}

int model_volume_check_new(struct state *state, const struct volume_row *row, struct fail *fail)
{
	struct volume_row other;
	struct fail ignored;

	if (model_volume_check(row, fail) != 0)
		return -1;
	if (state_volume_count(state) >= WHERRY_VOLUME_COUNT_MAX)
		return fail_set(fail, FAIL_CONFLICT, "volume '%s': there are already %d volumes, the most possible",
				row->name, WHERRY_VOLUME_COUNT_MAX);
	if (state_volume_by_name(state, row->name, &other, &ignored) == 0)
		return fail_set(fail, FAIL_CONFLICT, "volume '%s' exists already; choose another name", row->name);
	return row->path[0] ? model_volume_path_is_free(state, row->path, 0, fail) : 0;
}

int model_volume_create(struct state *state, struct volume_row *row, struct fail *fail)
{
	if (model_volume_check_new(state, row, fail) != 0)
		return -1;
	name_forever(row);
	row->created_at_us = model_now_us();
	if (state_volume_insert(state, row, fail) != 0)
		return -1;
	char size[TEXT_SIZE_BYTES];
	return model_event(state, fail, WHERRY_INFO, "volume.created", row->name, "created, %s",
			   text_size_emit(row->size_bytes, size));
}

int model_volume_check_grow(const struct volume_row *row, uint64_t size_bytes, struct fail *fail)
{
	char old[TEXT_SIZE_BYTES], new[TEXT_SIZE_BYTES];

	if (model_volume_check_size(row, size_bytes, fail) != 0)
		return -1;
	if (size_bytes >= row->size_bytes)
		return 0;
	return fail_set(fail, FAIL_CONFLICT,
			"volume '%s': %s is less than its size of %s; volumes never shrink, because clients would lose"
			" data",
			row->name, text_size_emit(size_bytes, new), text_size_emit(row->size_bytes, old));
}

int model_volume_grow(struct state *state, struct volume_row *row, uint64_t size_bytes, struct fail *fail)
{
	char old[TEXT_SIZE_BYTES], new[TEXT_SIZE_BYTES];

	if (model_volume_check_grow(row, size_bytes, fail) != 0)
		return -1;
	if (size_bytes == row->size_bytes)
		return 0;
	(void)text_size_emit(row->size_bytes, old);
	row->size_bytes = size_bytes;
	if (state_volume_update(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "volume.grown", row->name, "grown from %s to %s", old,
			   text_size_emit(size_bytes, new));
}

int model_volume_set(struct state *state, struct volume_row *row, struct fail *fail)
{
	static const struct volume_fault none;

	row->has_fault = memcmp(&row->fault, &none, sizeof none) != 0;
	if (state_volume_update(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "volume.changed", row->name, "%s, %s, %s%s",
			   row->online ? "in service" : "out of service", row->read_only ? "read-only" : "writable",
			   row->write_back ? "write-back" : "write-through",
			   row->has_fault ? ", faults are injected" : "");
}

int model_volume_delete(struct state *state, const struct volume_row *row, struct fail *fail)
{
	struct nbd_export_row nbd;
	struct export_row user;
	int rc = state_export_next_of(state, row->id, -1, &user, fail);

	if (rc == 1)
		return fail_set(fail, FAIL_CONFLICT, "volume '%s' is exported as AoE %u.%u; delete the export first",
				row->name, user.shelf, user.slot);
	if (rc == 0)
		rc = state_nbd_next_of(state, row->id, "", &nbd, fail);
	if (rc == 1)
		return fail_set(fail, FAIL_CONFLICT, "volume '%s' is exported by NBD as '%s'; delete the export first",
				row->name, nbd.name);
	if (rc < 0)
		return -1;
	if (state_volume_delete(state, row->id, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "volume.deleted", row->name, "deleted");
}

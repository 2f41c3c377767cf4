/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/daemon.h"

/* Place of an id, or of the first larger one. */
static size_t place_of(const struct backing_table *table, uint64_t volume_id)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (table->list[middle]->volume_id < volume_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct backing *backing_find(struct daemon *daemon, uint64_t volume_id)
{
	struct backing_table *table = &daemon->backings;
	size_t at = place_of(table, volume_id);

	return at < table->count && table->list[at]->volume_id == volume_id ? table->list[at] : NULL;
}

struct backing *backing_get(struct daemon *daemon, uint64_t volume_id)
{
	struct backing_table *table = &daemon->backings;
	size_t at = place_of(table, volume_id);

	if (at < table->count && table->list[at]->volume_id == volume_id)
		return table->list[at];
	if (table->count == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		struct backing **list = realloc(table->list, cap * sizeof(struct backing *));
		if (!list)
			return NULL;
		table->list = list;
		table->cap = cap;
	}
	struct backing *backing = calloc(1, sizeof *backing);
	if (!backing)
		return NULL;
	backing->volume_id = volume_id;
	backing->fd = backing->pin = -1;
	backing->lcore = -1;
	backing->align_bytes = backing->memory_align_bytes = 1;
	memmove(&table->list[at + 1], &table->list[at], (table->count - at) * sizeof(struct backing *));
	table->list[at] = backing;
	table->count++;
	return backing;
}

static void drop_pin(struct backing *backing)
{
	if (backing->pin >= 0)
		close(backing->pin);
	backing->pin = -1;
}

static void destroy(struct backing *backing)
{
	drop_pin(backing);
	if (backing->fd >= 0)
		close(backing->fd);
	free(backing);
}

void backing_drop(struct daemon *daemon, uint64_t volume_id)
{
	struct backing_table *table = &daemon->backings;
	size_t at = place_of(table, volume_id);

	if (at == table->count || table->list[at]->volume_id != volume_id)
		return;
	destroy(table->list[at]);
	table->count--;
	memmove(&table->list[at], &table->list[at + 1], (table->count - at) * sizeof(struct backing *));
	if (at < daemon->wanted_at)
		daemon->wanted_at--;
}

void backing_drop_all(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->backings.count; i++)
		destroy(daemon->backings.list[i]);
	free(daemon->backings.list);
	daemon->backings = (struct backing_table){0};
}

bool backing_is_ready(const struct backing *backing, const struct volume_row *row)
{
	return row->backend == WHERRY_BACKEND_NULL || (backing && backing->fd >= 0);
}

void backing_take(struct backing *backing, int fd, const struct monitor_file_result *result)
{
	if (backing->fd >= 0 && backing->fd != fd)
		close(backing->fd);
	drop_pin(backing);
	backing->fd = fd;
	backing->wanted = backing->locked = backing->told = false;
	backing->direct = result->flags & MONITOR_RESULT_DIRECT;
	backing->block_device = result->flags & MONITOR_RESULT_BLOCK_DEVICE;
	backing->align_bytes = result->align_bytes;
	backing->memory_align_bytes = result->memory_align_bytes;
	backing->device = result->device;
	backing->inode = result->inode;
	memcpy(backing->detail, result->text, sizeof backing->detail);
}

/* A device is opened by its path again: it may come back under another number. */
void backing_let_go(struct backing *backing)
{
	char link[40];

	if (backing->fd < 0 || backing->inode == 0)
		return;
	if (!backing->block_device) {
		drop_pin(backing);
		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", backing->fd);
		backing->pin = open(link, O_PATH | O_CLOEXEC);
	}
	close(backing->fd);
	backing->fd = -1;
	backing->wanted = true;
}

void backing_let_go_all(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->backings.count; i++)
		backing_let_go(daemon->backings.list[i]);
}

int backing_request(const struct backing *backing, const struct volume_row *row, struct monitor_file *request)
{
	*request = (struct monitor_file){.header.op = MONITOR_FILE_OPEN,
					 .flags = (row->read_only ? MONITOR_FILE_READ_ONLY : 0) |
						  (backing->pin >= 0 ? MONITOR_FILE_ANEW : 0)};
	memcpy(request->path, row->path, sizeof request->path);
	return backing->pin;
}

/* MemAvailable, or UINT64_MAX where the kernel does not tell. */
static uint64_t available_bytes(void)
{
	char text[4096];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return UINT64_MAX;
	text[got] = '\0';
	const char *line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : UINT64_MAX;
}

/* What ram volumes were promised and have not taken yet. */
static uint64_t promised_bytes(struct daemon *daemon)
{
	struct volume_row row;
	struct stat st;
	uint64_t sum = 0;

	for (row.name[0] = '\0'; state_volume_next(daemon->state, row.name, &row, NULL) == 1;) {
		const struct backing *backing = row.backend == WHERRY_BACKEND_RAM ? backing_find(daemon, row.id) : NULL;
		if (backing && backing->fd >= 0 && fstat(backing->fd, &st) == 0 &&
		    row.size_bytes > (uint64_t)st.st_blocks * 512)
			sum += row.size_bytes - (uint64_t)st.st_blocks * 512;
	}
	return sum;
}

int backing_ram_check(struct daemon *daemon, const char *name, uint64_t size_bytes, struct fail *fail)
{
	char want[TEXT_SIZE_BYTES], have[TEXT_SIZE_BYTES];
	uint64_t available = available_bytes(), promised = promised_bytes(daemon);
	uint64_t left = available > promised ? available - promised : 0;

	if (size_bytes <= left)
		return 0;
	return fail_set(fail, FAIL_FAILED,
			"volume '%s': %s of memory are not there, %s are left; make it smaller, or use backend 'file'",
			name, text_size_emit(size_bytes, want), text_size_emit_short(left, have));
}

int backing_ram_create(struct daemon *daemon, const char *name, uint64_t size_bytes, struct fail *fail)
{
	char label[WHERRY_NAME_BYTES_MAX + 16];

	if (backing_ram_check(daemon, name, size_bytes, fail) != 0)
		return -1;
	(void)snprintf(label, sizeof label, "wherry-%s", name);
	int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, (off_t)size_bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
		return fd;
	(void)fail_set(fail, FAIL_FAILED, "volume '%s': no memory: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

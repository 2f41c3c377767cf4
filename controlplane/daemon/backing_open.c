/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening every store at start, and again what could not be opened. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/backing.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/monitor_link.h"
#include "daemon/plane.h"

#define SETTLE_US 3000000u
#define RETRY_US 5000000u

struct open_file {
	struct daemon *daemon;
	uint64_t volume_id;
	bool first; /* part of backing_open_all */
};

static void settle(struct daemon *daemon)
{
	void (*settled)(struct daemon *) = daemon->opening_settled;

	daemon->opening_settled = NULL;
	if (settled)
		settled(daemon);
}

static void on_opened(void *ctx, const struct monitor_file_result *result, int fd)
{
	struct open_file *open = ctx;
	struct daemon *daemon = open->daemon;
	struct backing *backing = backing_find(daemon, open->volume_id);
	struct volume_row row;

	bool known = backing && state_volume_by_id(daemon->state, open->volume_id, &row, NULL) == 0;
	if (known) {
		backing->opening = false;
		bool news = strcmp(backing->detail, result->text) != 0;
		if (result->kind == FAIL_NONE && fd >= 0) {
			if (backing->detail[0] && !open->first)
				events_add(daemon, WHERRY_INFO, "volume.opened", row.name, "%s can be opened again",
					   row.path);
			backing_take(backing, fd, result);
			fd = -1;
			plane_push_volume(daemon->plane, &row, NULL, NULL);
			plane_push_exports_of(daemon->plane, row.id);
		} else {
			memcpy(backing->detail, result->text, sizeof backing->detail);
			if (news)
				events_add(daemon, WHERRY_ERROR, "volume.offline", row.name, "%s", result->text);
		}
	}
	if (fd >= 0)
		close(fd);
	if (open->first && --daemon->opening_count == 0)
		settle(daemon);
	free(open);
}

static void ask(struct daemon *daemon, const struct volume_row *row, struct backing *backing, bool first)
{
	struct monitor_file request = {.header.op = MONITOR_FILE_OPEN,
				       .flags = row->read_only ? MONITOR_FILE_READ_ONLY : 0};
	struct open_file *open = calloc(1, sizeof *open);

	if (!open)
		return;
	*open = (struct open_file){daemon, row->id, first};
	memcpy(request.path, row->path, sizeof request.path);
	backing->opening = true;
	if (first)
		daemon->opening_count++;
	monitor_link_file(daemon->monitor, &request, -1, on_opened, open);
}

void backing_open_file(struct daemon *daemon, const struct volume_row *row)
{
	struct backing *backing = backing_get(daemon, row->id);

	if (backing && backing->fd < 0 && !backing->opening)
		ask(daemon, row, backing, false);
}

/* Try again what is not open.  A volume that the operator took out of service is left alone. */
static int on_retry(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *daemon = ctx;
	struct volume_row row;

	for (row.name[0] = '\0'; state_volume_next(daemon->state, row.name, &row, NULL) == 1;)
		if (row.backend == WHERRY_BACKEND_FILE && row.online)
			backing_open_file(daemon, &row);
	(void)sd_event_source_set_time(source, usec + RETRY_US);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_settle_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	settle(ctx);
	return 0;
}

/* Memory that is made anew at a start holds nothing of what was in it. */
static void open_ram(struct daemon *daemon, const struct volume_row *row, struct backing *backing, char *names,
		     size_t cap)
{
	struct fail fail;
	int fd = backing_ram_create(daemon, row->name, row->size_bytes, &fail);
	size_t len = strlen(names);

	if (fd < 0) {
		memcpy(backing->detail, fail.text, sizeof backing->detail);
		events_add(daemon, WHERRY_ERROR, "volume.offline", row->name, "%s", fail.text);
		return;
	}
	backing->fd = fd;
	(void)snprintf(names + len, cap - len, "%s%s", len ? ", " : "", row->name);
}

void backing_open_all(struct daemon *daemon, void (*settled)(struct daemon *daemon))
{
	char names[300] = "";
	struct volume_row row;

	daemon->opening_settled = settled;
	daemon->opening_count++; /* ours, so that nothing settles before the loop has ended */
	for (row.name[0] = '\0'; state_volume_next(daemon->state, row.name, &row, NULL) == 1;) {
		struct backing *backing = backing_get(daemon, row.id);
		if (!backing || backing->fd >= 0 || backing->opening)
			continue;
		if (row.backend == WHERRY_BACKEND_RAM)
			open_ram(daemon, &row, backing, names, sizeof names);
		else if (row.backend == WHERRY_BACKEND_FILE)
			ask(daemon, &row, backing, true);
	}
	if (names[0])
		events_add(daemon, WHERRY_WARNING, "volume.ram_empty", "",
			   "ram volumes start empty, their memory did not outlive the machine or the dataplane: %s",
			   names);
	if (!daemon->retry_source)
		(void)sd_event_add_time_relative(daemon->event, &daemon->retry_source, CLOCK_MONOTONIC, RETRY_US,
						 100000, on_retry, daemon);
	if (--daemon->opening_count == 0) {
		settle(daemon);
		return;
	}
	(void)sd_event_add_time_relative(daemon->event, &daemon->settle_source, CLOCK_MONOTONIC, SETTLE_US, 0,
					 on_settle_time, daemon);
}

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
#define OPENING_COUNT_MAX 16  /* of those opened anew, at a time */
#define LOCKED_RETRY_US 5000u /* what somebody else has, at first; then in growing steps to */
#define LOCKED_RETRY_MAX_US 1000000u
#define LOCKED_LOOK_COUNT_MAX 32
#define LOCKED_TELL_US 300000u /* most of these waits are over before anybody could read of them */

enum open_cause {
	OPEN_FIRST, /* part of backing_open_all */
	OPEN_AGAIN, /* it was open before, or is tried again because it is locked */
	OPEN_OTHER,
};

struct open_file {
	struct daemon *daemon;
	uint64_t volume_id;
	enum open_cause cause;
	bool brief; /* not told who has it */
};

static void pump(struct daemon *daemon);
static void try_locked_later(struct daemon *daemon, bool progress);

static void settle(struct daemon *daemon)
{
	void (*settled)(struct daemon *) = daemon->opening_settled;

	daemon->opening_settled = NULL;
	if (settled)
		settled(daemon);
}

static uint64_t now_us(struct daemon *daemon)
{
	uint64_t now = 0;

	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void want(struct daemon *daemon, struct backing *backing)
{
	backing->wanted = true;
	daemon->wanted_at = 0;
}

/* Open for reading only, while the volume has become writable meanwhile. */
static bool is_outdated(int fd, const struct volume_row *row)
{
	return !row->read_only && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

static void take(struct open_file *open, struct backing *backing, const struct volume_row *row,
		 const struct monitor_file_result *result, int fd)
{
	struct daemon *daemon = open->daemon;
	bool was_locked = backing->locked;

	if (backing->told || (backing->detail[0] && open->cause == OPEN_OTHER))
		events_add(daemon, WHERRY_INFO, "volume.opened", row->name, "%s can be opened again", row->path);
	backing_take(backing, fd, result);
	plane_push_volume(daemon->plane, row, NULL, NULL);
	plane_push_exports_of(daemon->plane, row->id);
	if (was_locked)
		try_locked_later(daemon, true);
}

/* Others go on meanwhile. */
static void wait_for_lock(struct open_file *open, struct backing *backing, const struct volume_row *row,
			  const char *text)
{
	struct daemon *daemon = open->daemon;
	uint64_t now = now_us(daemon);

	if (!backing->locked)
		backing->locked_since_us = now;
	backing->locked = true;
	if (!open->brief || !backing->detail[0])
		(void)snprintf(backing->detail, sizeof backing->detail, "%s", text);
	if (!backing->told && (open->cause == OPEN_OTHER || now - backing->locked_since_us >= LOCKED_TELL_US)) {
		backing->told = true;
		events_add(daemon, WHERRY_WARNING, "volume.waiting", row->name,
			   "it is served when its store is free: %s", text);
	}
	try_locked_later(daemon, false);
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
		if (result->kind == FAIL_NONE && fd >= 0 && is_outdated(fd, &row)) {
			want(daemon, backing);
		} else if (result->kind == FAIL_NONE && fd >= 0) {
			take(open, backing, &row, result, fd);
			fd = -1;
		} else if (result->flags & MONITOR_RESULT_LOCKED) {
			wait_for_lock(open, backing, &row, result->text);
		} else {
			backing->locked = false;
			memcpy(backing->detail, result->text, sizeof backing->detail);
			if (news)
				events_add(daemon, WHERRY_ERROR, "volume.offline", row.name, "%s", result->text);
		}
	}
	if (fd >= 0)
		close(fd);
	if (open->cause == OPEN_AGAIN)
		daemon->opening_again--;
	if (open->cause == OPEN_FIRST && --daemon->opening_count == 0)
		settle(daemon);
	free(open);
	pump(daemon);
}

/* Looking for who has it costs: only when that is going to be told, and not with a whole shelf on a disk that hangs. */
static bool is_brief(struct daemon *daemon, const struct backing *backing, enum open_cause cause)
{
	if (daemon->locked_count > LOCKED_LOOK_COUNT_MAX || backing->told)
		return true;
	if (!backing->locked)
		return cause != OPEN_OTHER;
	return now_us(daemon) - backing->locked_since_us < LOCKED_TELL_US;
}

static bool ask(struct daemon *daemon, const struct volume_row *row, struct backing *backing, enum open_cause cause)
{
	struct monitor_file request;
	struct open_file *open = calloc(1, sizeof *open);

	if (!open)
		return false;
	*open = (struct open_file){daemon, row->id, cause, is_brief(daemon, backing, cause)};
	int pin = backing_request(backing, row, &request);
	if (open->brief)
		request.flags |= MONITOR_FILE_BRIEF;
	backing->opening = true;
	backing->wanted = false;
	if (cause == OPEN_FIRST)
		daemon->opening_count++;
	if (cause == OPEN_AGAIN)
		daemon->opening_again++;
	monitor_link_file(daemon->monitor, &request, pin, on_opened, open);
	return true;
}

static void settle_again(struct daemon *daemon)
{
	void (*settled)(struct daemon *) = daemon->opened_again;

	daemon->opened_again = NULL;
	if (settled)
		settled(daemon);
}

/* Open what is wanted, a window at a time. */
static void pump(struct daemon *daemon)
{
	struct volume_row row;

	for (; daemon->wanted_at < daemon->backings.count && daemon->opening_again < OPENING_COUNT_MAX;
	     daemon->wanted_at++) {
		struct backing *backing = daemon->backings.list[daemon->wanted_at];
		if (!backing->wanted)
			continue;
		backing->wanted = false;
		if (!backing->opening && backing->fd < 0 &&
		    state_volume_by_id(daemon->state, backing->volume_id, &row, NULL) == 0)
			(void)ask(daemon, &row, backing, OPEN_AGAIN);
	}
	if (daemon->opening_again == 0)
		settle_again(daemon);
}

/* (Re)arm a timer of ours. */
static void arm(struct daemon *daemon, sd_event_source **timer, uint64_t delay_us, sd_event_time_handler_t handler)
{
	if (*timer) {
		(void)sd_event_source_set_time(*timer, now_us(daemon) + delay_us);
		(void)sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_add_time(daemon->event, timer, CLOCK_MONOTONIC, now_us(daemon) + delay_us, 1000, handler,
					daemon);
	}
}

/* Some of those that somebody else has, in turn. */
static int on_locked_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *daemon = ctx;
	size_t count = daemon->backings.count, next = daemon->locked_at;
	unsigned chosen = 0, locked = 0;

	(void)source;
	(void)usec;
	daemon->locked_armed = false;
	for (size_t i = 0; i < count; i++) {
		size_t at = (daemon->locked_at + i) % count;
		struct backing *backing = daemon->backings.list[at];
		if (!backing->locked)
			continue;
		locked++;
		if (backing->opening || backing->wanted || chosen == OPENING_COUNT_MAX)
			continue;
		chosen++;
		next = at + 1;
		want(daemon, backing);
	}
	daemon->locked_at = next;
	daemon->locked_count = locked;
	daemon->locked_delay_us *= 2;
	if (daemon->locked_delay_us > LOCKED_RETRY_MAX_US)
		daemon->locked_delay_us = LOCKED_RETRY_MAX_US;
	if (locked)
		try_locked_later(daemon, false);
	else
		daemon->locked_delay_us = 0;
	pump(daemon);
	return 0;
}

/* progress: one got free, so others may be soon. */
static void try_locked_later(struct daemon *daemon, bool progress)
{
	if (progress || daemon->locked_delay_us == 0)
		daemon->locked_delay_us = LOCKED_RETRY_US;
	if (daemon->locked_armed && !progress)
		return;
	daemon->locked_armed = true;
	arm(daemon, &daemon->locked_source, daemon->locked_delay_us, on_locked_time);
}

static int on_again_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	settle_again(ctx);
	return 0;
}

void backing_open_again(struct daemon *daemon, void (*settled)(struct daemon *daemon))
{
	daemon->opened_again = settled;
	daemon->wanted_at = 0;
	arm(daemon, &daemon->again_source, SETTLE_US, on_again_time);
	pump(daemon);
}

void backing_open_file(struct daemon *daemon, const struct volume_row *row)
{
	struct backing *backing = backing_get(daemon, row->id);

	if (backing && backing->fd < 0 && !backing->opening)
		(void)ask(daemon, row, backing, OPEN_OTHER);
}

static bool is_locked(struct daemon *daemon, uint64_t volume_id)
{
	const struct backing *backing = backing_find(daemon, volume_id);

	return backing && backing->locked;
}

/* Try again what is not open, but for what is tried more often anyway.  A volume that the operator took out of service
 * is left alone. */
static int on_retry(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *daemon = ctx;
	struct volume_row row;

	for (row.name[0] = '\0'; state_volume_next(daemon->state, row.name, &row, NULL) == 1;)
		if (row.backend == WHERRY_BACKEND_FILE && row.online && !is_locked(daemon, row.id))
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
			(void)ask(daemon, &row, backing, OPEN_FIRST);
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

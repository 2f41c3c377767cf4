/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stores of a dataplane that is not ours from its beginning, or not any more.
 *
 * Adopting one that outlived its daemon: the descriptors of its volumes come back
 * from it.  The memory of ram volumes exists nowhere else, and a file cannot be
 * opened a second time while the dataplane holds the lock on it.  So whatever
 * fails but for single volumes ends the connection, and all is asked again over
 * the next one.
 *
 * One that ended: its files are opened anew, see backing.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/monitor_link.h"
#include "daemon/plane_priv.h"

#define FETCH_WINDOW 64

struct fetch {
	struct plane *plane;
	uint64_t volume_id;
	uint64_t exit_count;                  /* of the plane: which dataplane it came from */
	char path[WHERRY_PATH_BYTES_MAX + 1]; /* "": ram */
	int fd;
};

static void pump(struct plane *plane);

static void one_less(struct plane *plane)
{
	if (--plane->fetching > 0) {
		pump(plane);
		return;
	}
	/* Without the connection the rest is still there to be fetched, unless the process is gone, too. */
	if (!plane->fetch_failed || !plane->adopted)
		plane_stores_fetched(plane);
	else if (plane->greeted)
		plane_fetch_stores(plane);
}

static void on_described(void *ctx, const struct monitor_file_result *result, int unused)
{
	struct fetch *fetch = ctx;
	struct plane *plane = fetch->plane;
	struct backing *backing = backing_get(plane->daemon, fetch->volume_id);

	(void)unused;
	if (backing && result->kind == FAIL_NONE) {
		backing_take(backing, fetch->fd, result);
		/* Not for the next dataplane. */
		if (fetch->exit_count != plane->exit_count)
			backing_let_go(backing);
	} else {
		close(fetch->fd);
	}
	free(fetch);
	one_less(plane);
}

static void on_descriptor(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct fetch *fetch = ctx;
	struct wherry_ctl_volume_fd message;

	if (type == WHERRY_CTL_VOLUME_FD && wherry_ctl_get_volume_fd(fields, len, &message) == 0 &&
	    message.id == fetch->volume_id && fetch->fd < 0) {
		fetch->fd = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void fail_fetch(struct plane *plane, int error, const char *message)
{
	if (!plane->fetch_failed)
		log_warning("descriptors could not be fetched back from the dataplane: %s", message);
	plane->fetch_failed = true;
	if (error != ENOTCONN && plane->link)
		plane_fail_link(plane, message);
}

static void on_fetched(void *ctx, int error, const char *message)
{
	struct fetch *fetch = ctx;
	struct plane *plane = fetch->plane;
	struct backing *backing = backing_get(plane->daemon, fetch->volume_id);

	/* A volume that it does not have, or that has no store, is no failure. */
	if (error && error != ENOENT && error != ENODEV)
		fail_fetch(plane, error, message);
	else if (!error && fetch->fd < 0)
		fail_fetch(plane, EBADMSG, "the dataplane gave no descriptor back");
	if (fetch->fd >= 0 && fetch->path[0]) {
		/* Size and alignment of a file are looked at where a device that hangs does no harm. */
		struct monitor_file request = {.header.op = MONITOR_FILE_GROW};
		memcpy(request.path, fetch->path, sizeof request.path);
		monitor_link_file(plane->daemon->monitor, &request, fetch->fd, on_described, fetch);
		return;
	}
	if (fetch->fd >= 0 && backing && backing->fd < 0)
		backing->fd = fetch->fd;
	else if (fetch->fd >= 0)
		close(fetch->fd);
	free(fetch);
	one_less(plane);
}

static void fetch_one(struct plane *plane, const struct volume_row *row)
{
	const struct wherry_ctl_volume_fd_get message = {.id = row->id};
	struct fetch *fetch = calloc(1, sizeof *fetch);
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (!fetch)
		abort(); /* a ram volume would be made anew, empty, and its memory lost with the dataplane */
	fetch->plane = plane;
	fetch->volume_id = row->id;
	fetch->exit_count = plane->exit_count;
	fetch->fd = -1;
	memcpy(fetch->path, row->path, sizeof fetch->path);
	plane->fetching++;
	uint32_t id = plane_link_next_id(plane->link);
	plane_link_request(plane->link, id, packet, wherry_ctl_put_volume_fd_get(packet, sizeof packet, id, &message),
			   -1, on_descriptor, on_fetched, fetch);
}

/* Ask for more, as far as the window is open. */
static void pump(struct plane *plane)
{
	struct daemon *daemon = plane->daemon;
	struct volume_row row;
	struct fail fail;

	if (plane->fetch_asked)
		return;
	if (!plane->greeted)
		plane->fetch_failed = true;
	memcpy(row.name, plane->fetch_name, sizeof row.name);
	while (plane->fetching <= FETCH_WINDOW && !plane->fetch_failed) {
		int rc = state_volume_next(daemon->state, row.name, &row, &fail);
		if (rc < 0)
			fail_fetch(plane, EIO, fail.text);
		if (rc != 1)
			break;
		memcpy(plane->fetch_name, row.name, sizeof plane->fetch_name);
		const struct backing *backing = backing_find(daemon, row.id);
		if (row.backend != WHERRY_BACKEND_NULL && (!backing || backing->fd < 0))
			fetch_one(plane, &row);
	}
	if (plane->fetching > FETCH_WINDOW)
		return;
	plane->fetch_asked = true;
	one_less(plane); /* the asking itself */
}

void plane_fetch_stores(struct plane *plane)
{
	plane->fetch_name[0] = '\0';
	plane->fetch_failed = plane->fetch_asked = false;
	plane->fetching++;
	pump(plane);
}

/* ------------------------------------------------------- after its end */

static void opened_again(struct daemon *daemon)
{
	daemon->plane->opening_again = false;
	if (daemon->plane->stores_settled)
		plane_stores_settled(daemon->plane);
}

void plane_renew_stores(struct plane *plane)
{
	plane->exit_count++;
	plane->fetch_failed = true;
	backing_let_go_all(plane->daemon);
	/* Before that they are opened with all the others. */
	if (!plane->stores_asked || plane->stop_for_good)
		return;
	plane->opening_again = true;
	backing_open_again(plane->daemon, opened_again);
}

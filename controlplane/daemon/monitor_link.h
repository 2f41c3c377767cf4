/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's end of the channel to the privileged half: requests with
 * callbacks.  Thread: the daemon's.
 */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/monitor_msg.h"

struct monitor_link;

/* A file operation ended.  fd: after a successful open, the callee's; else -1. */
typedef void monitor_file_fn(void *ctx, const struct monitor_file_result *result, int fd);
typedef void monitor_spawned_fn(void *ctx, const struct monitor_spawned *result);
typedef void monitor_exited_fn(void *ctx, const struct monitor_exited *exited);
typedef void monitor_lost_fn(void *ctx);

struct monitor_callbacks {
	void *ctx;
	monitor_spawned_fn *spawned;
	monitor_exited_fn *exited;
	monitor_lost_fn *lost; /* the monitor is gone: end */
};

/* channel becomes the link's.  NULL without memory. */
struct monitor_link *monitor_link_create(sd_event *event, int channel, const struct monitor_callbacks *callbacks);
void monitor_link_destroy(struct monitor_link *link);

/* Ask for a file operation (request->header.op set); done is called exactly once, later.  fd: with FILE_GROW
 * and FILE_ANEW, borrowed. */
void monitor_link_file(struct monitor_link *link, const struct monitor_file *request, int fd, monitor_file_fn *done,
		       void *ctx);
/* Answered by callbacks.spawned. */
void monitor_link_spawn(struct monitor_link *link, struct monitor_spawn *spawn);
void monitor_link_kill(struct monitor_link *link, int signal);
void monitor_link_notify(struct monitor_link *link, const char *text);

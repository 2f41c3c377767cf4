/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port whose device had gone and is there again: the dataplane has given up the
 * privileges to open it, so it is started anew, in order.  Not more often than
 * every REOPEN_EVERY_US: a device that comes and goes must not keep the other
 * ports from their clients.
 */
#include "daemon/events.h"
#include "daemon/plane_priv.h"

#define REOPEN_AFTER_US 100000u /* whoever makes an interface also sets it up */
#define REOPEN_EVERY_US 10000000u

static void reopen_at(struct plane *plane, uint64_t at_us);

static int on_reopen_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct plane *plane = ctx;

	(void)source;
	if (!plane->greeted || plane->stopping || plane->instance != plane->reopen_instance)
		return 0; /* it ended meanwhile: the next one opens the port anyway */
	if (plane->state != PLANE_SERVING) {
		reopen_at(plane, usec + REOPEN_AFTER_US);
		return 0;
	}
	plane->reopened_us = usec;
	events_add(plane->daemon, WHERRY_INFO, "dataplane.restart", "",
		   "process %d is started anew, because the device of a port is there again", (int)plane->pid);
	plane_restart(plane);
	return 0;
}

static void reopen_at(struct plane *plane, uint64_t at_us)
{
	if (!plane->reopen_timer) {
		(void)sd_event_add_time(plane->daemon->event, &plane->reopen_timer, CLOCK_MONOTONIC, at_us, 1000,
					on_reopen_time, plane);
		return;
	}
	(void)sd_event_source_set_time(plane->reopen_timer, at_us);
	(void)sd_event_source_set_enabled(plane->reopen_timer, SD_EVENT_ONESHOT);
}

void plane_reopen_ports(struct plane *plane)
{
	uint64_t now = 0;

	(void)sd_event_now(plane->daemon->event, CLOCK_MONOTONIC, &now);
	uint64_t at = now + REOPEN_AFTER_US;
	if (plane->reopened_us && at < plane->reopened_us + REOPEN_EVERY_US)
		at = plane->reopened_us + REOPEN_EVERY_US;
	plane->reopen_instance = plane->instance;
	reopen_at(plane, at);
}

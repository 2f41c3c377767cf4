/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/events.h"
#include "daemon/log.h"
#include "daemon/monitor_link.h"
#include "daemon/op.h"
#include "daemon/plane.h"
#include "wherry_build.h"

/* Events that the dataplane may cause: 200 at once, then 10 a second; AoE clients: 20, then one in 10 s. */
#define PLANE_EVENT_BURST 200
#define PLANE_EVENT_REFILL_US 100000
#define CHANGE_EVENT_BURST 20
#define CHANGE_EVENT_REFILL_US 10000000

static void on_monitor_lost(void *ctx)
{
	struct daemon *daemon = ctx;

	log_error("the monitor process is gone; ending, the dataplane goes on serving");
	(void)sd_event_exit(daemon->event, 1);
}

static void on_plane_stopped(struct daemon *daemon)
{
	(void)sd_event_exit(daemon->event, daemon->exit_status);
}

void daemon_stop(struct daemon *daemon, bool with_dataplane)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	monitor_link_notify(daemon->monitor, "STOPPING=1");
	log_info("ending; the dataplane %s", with_dataplane ? "ends too" : "goes on serving");
	if (with_dataplane)
		plane_stop(daemon->plane, on_plane_stopped);
	else
		(void)sd_event_exit(daemon->event, daemon->exit_status);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
	struct daemon *daemon = ctx;

	(void)source;
	(void)info;
	daemon_stop(daemon, daemon->options->stop_dataplane_on_exit);
	return 0;
}

/* The service manager hears from us through the monitor: it accepts the main process only. */
static int on_watchdog(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *daemon = ctx;

	monitor_link_notify(daemon->monitor, "WATCHDOG=1");
	(void)sd_event_source_set_time(source, usec + daemon->options->watchdog_us / 2);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void open_for_changes(struct daemon *daemon, const struct fail *fail)
{
	if (fail) {
		/* One that served before goes on with what it has; one that was only just started has nothing. */
		log_error("%s", fail->text);
		daemon->exit_status = 1;
		daemon_stop(daemon, !plane_is_adopted(daemon->plane));
		return;
	}
	rpc_server_open(daemon->rpc);
	monitor_link_notify(daemon->monitor, "READY=1");
	log_info("serving %s", daemon->options->rpc_path);
}

/* The file is applied before any client can change anything, and after the stores are there to be changed. */
void daemon_started(struct daemon *daemon)
{
	if (daemon->options->config)
		op_config_apply_file(daemon, daemon->options->config, open_for_changes);
	else
		open_for_changes(daemon, NULL);
}

static int open_state(struct daemon *daemon)
{
	struct fail fail;

	daemon->state = state_open(daemon->options->state_path, &fail);
	if (!daemon->state) {
		log_error("%s", fail.text);
		return -1;
	}
	/* A full disk does not keep the appliance from serving what it knows. */
	if (state_epoch_begin(daemon->state, &fail) != 0)
		log_warning("%s", fail.text);
	return 0;
}

static int set_up(struct daemon *daemon, int listen_fd, int channel)
{
	const struct monitor_callbacks callbacks = {daemon, plane_on_spawned, plane_on_exited, on_monitor_lost};

	if (sd_event_new(&daemon->event) < 0)
		return -1;
	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &daemon->started_us);
	limiter_init(&daemon->plane_events, PLANE_EVENT_BURST, PLANE_EVENT_REFILL_US);
	limiter_init(&daemon->change_events, CHANGE_EVENT_BURST, CHANGE_EVENT_REFILL_US);
	daemon->monitor = monitor_link_create(daemon->event, channel, &callbacks);
	daemon->plane = plane_create(daemon);
	daemon->rpc = rpc_server_create(daemon, daemon->event, listen_fd, daemon->options->socket_group);
	if (!daemon->monitor || !daemon->plane || !daemon->rpc ||
	    sd_event_add_signal(daemon->event, NULL, SIGTERM, on_signal, daemon) < 0 ||
	    sd_event_add_signal(daemon->event, NULL, SIGINT, on_signal, daemon) < 0)
		return -1;
	if (daemon->options->watchdog_us)
		(void)sd_event_add_time_relative(daemon->event, NULL, CLOCK_MONOTONIC, 0, 0, on_watchdog, daemon);
	return 0;
}

static void tear_down(struct daemon *daemon)
{
	rpc_server_destroy(daemon->rpc);
	plane_destroy(daemon->plane);
	monitor_link_destroy(daemon->monitor);
	backing_drop_all(daemon);
	(void)sd_event_source_disable_unref(daemon->notify_source);
	(void)sd_event_source_disable_unref(daemon->retry_source);
	(void)sd_event_source_disable_unref(daemon->settle_source);
	(void)sd_event_source_disable_unref(daemon->again_source);
	(void)sd_event_source_disable_unref(daemon->locked_source);
	state_close(daemon->state);
	(void)sd_event_unref(daemon->event);
}

int daemon_run(const struct options *options, int listen_fd, int channel)
{
	struct daemon daemon = {.options = options};
	int rc = 1;

	if (open_state(&daemon) != 0)
		return 1;
	if (set_up(&daemon, listen_fd, channel) == 0) {
		log_info("wherryd %s, state %s", WHERRY_VERSION, options->state_path);
		plane_start(daemon.plane);
		rc = sd_event_loop(daemon.event);
	}
	tear_down(&daemon);
	return rc < 0 ? 1 : rc;
}

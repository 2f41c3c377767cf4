/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The unprivileged half of wherryd and everything it holds.  One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/backing.h"
#include "daemon/limiter.h"
#include "daemon/options.h"
#include "daemon/rpc.h"
#include "daemon/state.h"

struct monitor_link;
struct plane;
struct waiter;

struct daemon {
	sd_event *event;
	struct state *state;
	struct rpc_server *rpc;
	bool stopping;
	int exit_status;     /* at an orderly end */
	uint64_t started_us; /* CLOCK_MONOTONIC */
	const struct options *options;
	struct monitor_link *monitor;
	struct plane *plane;
	struct backing_table backings;
	/* backing_open.c */
	unsigned opening_count; /* answers that backing_open_all waits for */
	void (*opening_settled)(struct daemon *daemon);
	sd_event_source *settle_source, *retry_source;
	void (*opened_again)(struct daemon *daemon); /* who waits for backing_open_again */
	unsigned opening_again;                      /* requests under way for it, and for what was locked */
	size_t wanted_at;                            /* place in backings: none before it is wanted */
	size_t locked_at;                            /* whose turn it is */
	unsigned locked_count;                       /* as of the last turn */
	uint64_t locked_delay_us;                    /* until the next; 0: none was locked */
	bool locked_armed;
	sd_event_source *again_source, *locked_source;
	/* plane_requests.c: how many events the dataplane, and AoE clients through it, may cause */
	struct limiter plane_events, change_events;
	/* events.c */
	struct waiter *waiters;
	sd_event_source *notify_source;
};

/* Run the unprivileged half until it is told to end; exit status.  channel: to the monitor. */
int daemon_run(const struct options *options, int listen_fd, int channel);
/* Every store has been opened for the first time: changes may begin. */
void daemon_started(struct daemon *daemon);
/* End; with_dataplane: it too. */
void daemon_stop(struct daemon *daemon, bool with_dataplane);

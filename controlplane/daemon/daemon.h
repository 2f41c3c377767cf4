/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The unprivileged half of wherryd and everything it holds.  One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/rpc.h"
#include "daemon/state.h"

struct daemon {
	sd_event *event;
	struct state *state;
	struct rpc_server *rpc;
	uint64_t started_us; /* CLOCK_MONOTONIC */
	const char *state_path;
	/* events.c */
	struct waiter *waiters;
	sd_event_source *notify_source;
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the control server share.  Main lcore. */
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "ctl/server.h"

#define CTL_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct ctl_server {
	sd_event *event;
	sd_event_source *listen_source, *tick_source;
	int listen_fd, stop_fd;
	char path[108]; /* what to unlink, "" when not open */
	struct ctl_server_facts facts;
	uint64_t instance; /* random, of this process */
	bool gate_open;
	uint64_t epoch; /* of the last SYNC_END, 0 before */
};
extern struct ctl_server ctl_server;

/* CLOCK_MONOTONIC and CLOCK_REALTIME. */
uint64_t ctl_now_ns(void);
uint64_t ctl_real_us(void);

/* Handle at most one round of events; timeout_us 0 returns at once, UINT64_MAX waits.  As sd_event_run. */
int ctl_server_turn(uint64_t timeout_us);
/* What happens once a second: timeouts, the watchdog.  now_ns is passed so that tests can pretend. */
void ctl_server_tick(uint64_t now_ns);
/* Call fn(ctx) once, delay_us from now.  *source is kept between calls; NULL the first time. */
int ctl_timer_arm(sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *ctx);

/* SHUTDOWN was answered: leave ctl_server_run. */
void ctl_server_exit(void);

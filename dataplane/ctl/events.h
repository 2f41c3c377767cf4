/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events for the controller: kept in order until it has confirmed them, also
 * while none is connected.  Main lcore.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wherry/ctl.h"

#define CTL_EVENT_COUNT_MAX 256 /* kept; when more come, the oldest are counted as lost */

#define CTL_EVENT_ID 0x40000000u /* bit of the request ids of events; those of AOE_PERSIST lack it */

void ctl_event(enum wherry_severity severity, const char *code, uint64_t object_id, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A controller said HELLO: send what is kept. */
void ctl_event_controller_came(void);
/* It went: what it has not confirmed is kept for the next. */
void ctl_event_controller_went(void);
/* An answer came.  False when the id is not an event's. */
bool ctl_event_answered(uint32_t request_id);
/* An event has been waiting for its answer for too long: the controller is dead. */
bool ctl_event_overdue(uint64_t now_ns);
void ctl_event_close(void);

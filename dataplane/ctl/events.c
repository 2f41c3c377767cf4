/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded queue of events.  Main lcore. */
#include "ctl/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/connection.h"
#include "ctl/server_priv.h"

#define IN_FLIGHT_MAX 16 /* sent and not yet confirmed */

struct event {
	struct event *next;
	uint32_t request_id; /* 0: not sent to this controller */
	uint64_t sent_ns;
	struct wherry_ctl_event m;
};

static struct event *first, **last = &first;
static unsigned count, in_flight;
static uint64_t lost;
static uint32_t serial;

static void event_send(struct event *event)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	event->request_id = WHERRY_CTL_FROM_DATAPLANE | CTL_EVENT_ID | (++serial & (CTL_EVENT_ID - 1));
	event->sent_ns = ctl_now_ns();
	in_flight++;
	ctl_connection_send(ctl_connection_controller(), packet,
			    wherry_ctl_put_event(packet, sizeof packet, event->request_id, &event->m), -1);
}

static void send_waiting(void)
{
	for (struct event *e = first; e && in_flight < IN_FLIGHT_MAX && ctl_connection_controller(); e = e->next)
		if (!e->request_id)
			event_send(e);
}

static void event_remove(struct event **at)
{
	struct event *event = *at;
	*at = event->next;
	if (!event->next)
		last = at;
	if (event->request_id)
		in_flight--;
	count--;
	free(event);
}

static void event_keep(enum wherry_severity severity, const char *code, uint64_t object_id, const char *message)
{
	struct event *event = calloc(1, sizeof *event);
	if (!event) {
		lost++;
		return;
	}
	event->m.severity = (uint8_t)severity;
	event->m.object_id = object_id;
	snprintf(event->m.code, sizeof event->m.code, "%s", code);
	snprintf(event->m.message, sizeof event->m.message, "%s", message);
	*last = event;
	last = &event->next;
	count++;
}

void ctl_event(enum wherry_severity severity, const char *code, uint64_t object_id, const char *format, ...)
{
	char message[WHERRY_TEXT_BYTES_MAX + 1];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (count >= CTL_EVENT_COUNT_MAX) {
		/* The oldest that is not on its way to the controller: those are bounded by its answers alone. */
		struct event **at = &first;
		while ((*at)->request_id)
			at = &(*at)->next;
		event_remove(at);
		lost++;
	}
	event_keep(severity, code, object_id, message);
	send_waiting();
}

void ctl_event_controller_came(void)
{
	if (lost) {
		char message[96];
		snprintf(message, sizeof message, "%llu older events were dropped while nobody took them",
			 (unsigned long long)lost);
		lost = 0;
		event_keep(WHERRY_WARNING, "events.lost", 0, message);
	}
	send_waiting();
}

void ctl_event_controller_went(void)
{
	for (struct event *e = first; e; e = e->next)
		e->request_id = 0;
	in_flight = 0;
}

bool ctl_event_answered(uint32_t request_id)
{
	struct event **at = &first;
	while (*at && (*at)->request_id != request_id)
		at = &(*at)->next;
	if (!*at)
		return false;
	event_remove(at);
	send_waiting();
	return true;
}

bool ctl_event_overdue(uint64_t now_ns)
{
	for (const struct event *e = first; e; e = e->next)
		if (e->request_id && now_ns >= e->sent_ns &&
		    now_ns - e->sent_ns >= WHERRY_CTL_ANSWER_SECONDS * 1000000000ull)
			return true;
	return false;
}

void ctl_event_close(void)
{
	while (first)
		event_remove(&first);
	lost = 0;
}

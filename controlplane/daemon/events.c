/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/model.h"

struct waiter {
	struct waiter *prev, *next;
	struct rpc_call *call;
	uint64_t since;
	sd_event_source *timer;
	void (*wake)(struct rpc_call *call);
};

static void wake(struct waiter *waiter)
{
	struct daemon *daemon = waiter->call->daemon;
	struct rpc_call *call = waiter->call;

	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		daemon->waiters = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	(void)sd_event_source_disable_unref(waiter->timer);
	call->gone = NULL;
	call->ctx = NULL;
	void (*answer)(struct rpc_call *) = waiter->wake;
	free(waiter);
	answer(call);
}

static void on_gone(struct rpc_call *call)
{
	wake(call->ctx);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	wake(ctx);
	return 0;
}

void events_wait(struct rpc_call *call, uint64_t since, uint64_t timeout_ms, void (*answer)(struct rpc_call *call))
{
	struct daemon *daemon = call->daemon;
	struct waiter *waiter = calloc(1, sizeof *waiter);

	if (!waiter || sd_event_add_time_relative(daemon->event, &waiter->timer, CLOCK_MONOTONIC, timeout_ms * 1000, 0,
						  on_timeout, waiter) < 0) {
		free(waiter);
		answer(call);
		return;
	}
	waiter->call = call;
	waiter->since = since;
	waiter->wake = answer;
	waiter->next = daemon->waiters;
	if (waiter->next)
		waiter->next->prev = waiter;
	daemon->waiters = waiter;
	call->ctx = waiter;
	call->gone = on_gone;
}

static int on_notify(sd_event_source *source, void *ctx)
{
	struct daemon *daemon = ctx;
	uint64_t last = state_event_last_id(daemon->state);
	struct waiter *next;

	(void)source;
	for (struct waiter *waiter = daemon->waiters; waiter; waiter = next) {
		next = waiter->next;
		if (last > waiter->since)
			wake(waiter);
	}
	return 0;
}

void events_notify(struct daemon *daemon)
{
	if (!daemon->waiters)
		return;
	if (!daemon->notify_source && sd_event_add_defer(daemon->event, &daemon->notify_source, on_notify, daemon) < 0)
		return;
	(void)sd_event_source_set_enabled(daemon->notify_source, SD_EVENT_ONESHOT);
}

void events_add(struct daemon *daemon, enum wherry_severity severity, const char *code, const char *object,
		const char *format, ...)
{
	static const enum log_level levels[] = {LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR};
	char message[WHERRY_TEXT_BYTES_MAX + 1];
	struct fail fail;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof message, format, args);
	va_end(args);
	log_write(levels[severity], "%s: %s%s%s", code, object, object[0] ? ": " : "", message);
	if (!daemon->state || state_begin(daemon->state, &fail) != 0)
		return;
	if (model_end(daemon->state, model_event(daemon->state, &fail, severity, code, object, "%s", message), &fail) !=
	    0)
		log_warning("the event above is not in the state: %s", fail.text);
	events_notify(daemon);
}

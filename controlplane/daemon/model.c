/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

int model_end(struct state *state, int rc, struct fail *fail)
{
	if (rc == 0)
		return state_commit(state, fail);
	state_rollback(state);
	return -1;
}

uint64_t model_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int model_event(struct state *state, struct fail *fail, enum wherry_severity severity, const char *code,
		const char *object, const char *format, ...)
{
	struct event_row row = {.time_us = model_now_us(), .severity = severity};
	va_list args;

	(void)snprintf(row.code, sizeof row.code, "%s", code);
	(void)snprintf(row.object, sizeof row.object, "%s", object);
	va_start(args, format);
	(void)vsnprintf(row.message, sizeof row.message, format, args);
	va_end(args);
	return state_event_insert(state, &row, fail);
}

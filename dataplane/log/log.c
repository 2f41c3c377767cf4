/* SPDX-License-Identifier: BSD-3-Clause */
/* See log.h.  The level is written by the main lcore and read by any thread. */
#include "log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int enabled_level = LOG_LEVEL_INFO;

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{"error", LOG_LEVEL_ERROR},
	{"warn", LOG_LEVEL_WARN},
	{"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},
};

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "log";
}

size_t log_format(char *line, size_t bytes, enum log_level level, const char *prefix, const char *text)
{
	int n = prefix ? snprintf(line, bytes, "%s: %s: %s", prefix, level_name(level), text)
		       : snprintf(line, bytes, "<%d>%s", (int)level, text);
	if (n < 0 || bytes < 2)
		return 0;
	size_t len = (size_t)n < bytes - 1 ? (size_t)n : bytes - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	line[len] = '\0';
	return len;
}

void log_write(enum log_level level, const char *format, ...)
{
	if ((int)level > atomic_load_explicit(&enabled_level, memory_order_relaxed))
		return;
	int saved_errno = errno;
	char text[LOG_LINE_BYTES_MAX], line[LOG_LINE_BYTES_MAX + 64];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t len = log_format(line, sizeof line, level, isatty(STDERR_FILENO) ? program_invocation_short_name : NULL,
				text);
	/* A log that cannot be written must not stop the service: nothing to do about a failure here. */
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written;
	errno = saved_errno;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&enabled_level, (int)level, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcmp(levels[i].name, text) == 0) {
			*level = levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};
static const char journal_priority[] = {'3', '4', '6', '7'};

static enum log_level threshold = LOG_LEVEL_INFO;
static const char *speaker = "wherryd";

int log_level_parse(const char *name)
{
	for (int level = 0; log_level_names[level]; level++)
		if (strcmp(log_level_names[level], name) == 0)
			return level;
	return -1;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_name(const char *name)
{
	speaker = name;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[1536];
	va_list args;
	int at;

	if (level > threshold)
		return;
	if (getenv("JOURNAL_STREAM"))
		at = snprintf(line, sizeof line, "<%c>%s: ", journal_priority[level], speaker);
	else
		at = snprintf(line, sizeof line, "%s: %s: ", speaker, log_level_names[level]);
	va_start(args, format);
	int n = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
	va_end(args);
	size_t len = n < 0 ? (size_t)at : (size_t)(at + n);
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	(void)!write(STDERR_FILENO, line, len);
}

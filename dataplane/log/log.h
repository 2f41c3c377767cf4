/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of the process: whole lines on standard error.
 *
 * On a terminal a line starts with the program's name; otherwise with the
 * priority prefix "<N>" that systemd's journal understands (sd-daemon(3)).
 * Peer-triggered events are counted, never logged; workers never log.
 *
 * Thread: the main lcore.  log_write itself is one write(2) of a line built on
 * the stack, so that the lines of the EAL's own threads stay whole as well.
 */
#pragma once

#include <stddef.h>

/* Priorities of syslog(3), the ones in use. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

#define LOG_LINE_BYTES_MAX 1024 /* longer lines are cut */

#undef LOG_DEBUG
#undef LOG_INFO
#define LOG_ERROR(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARN(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_INFO(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DEBUG(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Write one line, without a newline in it, when the level is enabled. */
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);

/* Enable this level and the graver ones.  LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);

/* "error", "warn", "info" or "debug" into *level.  0, or -EINVAL. */
int log_level_parse(const char *text, enum log_level *level);

/*
 * The line that log_write would write, newline included, into line.  Pure.
 * prefix: NULL for the priority prefix, else the program's name.  Control
 * characters become '?'.  Returns its length, at most bytes - 1.
 */
size_t log_format(char *line, size_t bytes, enum log_level level, const char *prefix, const char *text);

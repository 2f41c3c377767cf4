/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to stderr, with a level prefix that the journal understands when it reads them.  Any thread. */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Names of the levels in order, ended by NULL. */
extern const char *const log_level_names[];
/* -1 for a name that is none. */
int log_level_parse(const char *name);
void log_set_level(enum log_level level);
/* Which process speaks: "wherryd" before this is called. */
void log_set_name(const char *name);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

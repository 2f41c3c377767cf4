/* SPDX-License-Identifier: BSD-3-Clause */
/* See drvlog.h.  A stream in front of DPDK's log; its state is guarded by a lock, because drivers log from threads of
 * their own. */
#include "port/drvlog.h"

#include <dlfcn.h>
#include <errno.h>
#include <rte_log.h>
#include <rte_spinlock.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"

#define LINE_BYTES_MAX 400u

static rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
static FILE *stream;
static bool is_quiet;
static char last_error[LINE_BYTES_MAX];
static char last_library_line[LINE_BYTES_MAX]; /* often the kernel's own words */

static enum log_level level_of(int dpdk_level)
{
	if (dpdk_level <= (int)RTE_LOG_ERR)
		return LOG_LEVEL_ERROR;
	return dpdk_level == (int)RTE_LOG_WARNING ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
}

/* is_fatal: the last words of a process that is about to abort. */
static void take_line(const char *line, enum log_level level, bool is_fatal)
{
	rte_spinlock_lock(&lock);
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof last_error, "%s", line);
	bool quiet = is_quiet;
	rte_spinlock_unlock(&lock);
	log_write(quiet && !is_fatal ? LOG_LEVEL_DEBUG : level, "%s", line);
}

static ssize_t stream_write(void *cookie, const char *text, size_t bytes)
{
	(void)cookie;
	int dpdk_level = rte_log_cur_msg_loglevel();
	char line[LINE_BYTES_MAX];
	size_t len = 0;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] != '\n' && len < sizeof line - 1)
			line[len++] = text[i];
		if ((text[i] == '\n' || i + 1 == bytes) && len) {
			line[len] = '\0';
			take_line(line, level_of(dpdk_level), dpdk_level <= (int)RTE_LOG_CRIT);
			len = 0;
		}
	}
	return (ssize_t)bytes;
}

/* libbpf and libxdp, which AF_XDP's driver brings, print to standard error unless told otherwise. */
static int take_library_line(int level, const char *format, va_list args)
{
	char line[LINE_BYTES_MAX];
	if (level > 0) /* 0 warning, 1 information, 2 everything */
		return 0;
	int n = vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = '\0';
	rte_spinlock_lock(&lock);
	snprintf(last_library_line, sizeof last_library_line, "%s", line);
	rte_spinlock_unlock(&lock);
	log_write(LOG_LEVEL_DEBUG, "%s", line);
	return n;
}

static void redirect_library(const char *soname, const char *setter_name)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_NOLOAD);
	if (!library)
		return;
	void (*setter)(int (*print)(int level, const char *format, va_list args)) = NULL;
	*(void **)&setter = dlsym(library, setter_name);
	if (setter)
		setter(take_library_line);
	dlclose(library);
}

void drvlog_redirect_libraries(void)
{
	redirect_library("libbpf.so.1", "libbpf_set_print");
	redirect_library("libxdp.so.1", "libxdp_set_print");
}

int drvlog_open(void)
{
	stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = stream_write});
	if (!stream)
		return -ENOMEM;
	setvbuf(stream, NULL, _IOLBF, 1024);
	return rte_openlog_stream(stream);
}

void drvlog_close(void)
{
	rte_openlog_stream(stderr);
	if (stream)
		fclose(stream);
	stream = NULL;
}

void drvlog_set_quiet(bool quiet)
{
	rte_spinlock_lock(&lock);
	is_quiet = quiet;
	rte_spinlock_unlock(&lock);
}

void drvlog_clear(void)
{
	rte_spinlock_lock(&lock);
	last_error[0] = last_library_line[0] = '\0';
	rte_spinlock_unlock(&lock);
}

void drvlog_last_error(char *text, size_t text_bytes)
{
	rte_spinlock_lock(&lock);
	snprintf(text, text_bytes, "%s%s%s", last_error, *last_error && *last_library_line ? "; " : "",
		 last_library_line);
	rte_spinlock_unlock(&lock);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What DPDK and its drivers print goes to the log, and the last error
 * among them, which says why a driver refused a port.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Before the EAL starts: its lines go to the log, its errors as errors, its chatter as debug.  0 or -errno. */
int drvlog_open(void);
void drvlog_close(void);
/* After the EAL has loaded its drivers: what their libraries print goes to the log too, as debug. */
void drvlog_redirect_libraries(void);
/* While set, errors are expected: they are passed on as debug. */
void drvlog_set_quiet(bool quiet);
/* Forget, and read, the last error; "" when there was none. */
void drvlog_clear(void);
void drvlog_last_error(char *text, size_t text_bytes);

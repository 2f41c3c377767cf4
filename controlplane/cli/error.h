/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong, for the person at the terminal and for the exit status.  One thread. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "common/fail.h"

#define CLI_ERROR_BYTES 1024

struct cli_error {
	int code;      /* FAIL_EXIT_OK: no error */
	char kind[16]; /* the daemon's word for it; empty: follows from code */
	char text[CLI_ERROR_BYTES];
};

/* Set the error; the text names the object and the remedy.  Returns code.  A longer text is cut. */
__attribute__((format(printf, 3, 4))) static inline int cli_fail(struct cli_error *error, int code, const char *format,
								 ...)
{
	va_list args;
	va_start(args, format);
	error->code = code;
	error->kind[0] = 0;
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Shorthand for the rows of the command table; included by the table_*.c files only. */
#pragma once

#include "cli/command.h"

/* A required positional argument, an optional one, one that takes the rest. */
#define ARG(n, t, k, h, ...)                                                                                           \
	{                                                                                                              \
		.name = (n), .type = CLI_##t, .key = (k), .flags = CLI_POSITIONAL | CLI_REQUIRED, .help = (h),         \
		__VA_ARGS__                                                                                            \
	}
#define ARG_OPTIONAL(n, t, k, h, ...)                                                                                  \
	{                                                                                                              \
		.name = (n), .type = CLI_##t, .key = (k), .flags = CLI_POSITIONAL, .help = (h), __VA_ARGS__            \
	}
#define ARG_MANY(n, t, k, h, ...)                                                                                      \
	{                                                                                                              \
		.name = (n), .type = CLI_##t, .key = (k), .flags = CLI_POSITIONAL | CLI_REQUIRED | CLI_MANY,           \
		.help = (h), __VA_ARGS__                                                                               \
	}
/* An option, a required option. */
#define OPT(n, t, k, h, ...)                                                                                           \
	{                                                                                                              \
		.name = (n), .type = CLI_##t, .key = (k), .help = (h), __VA_ARGS__                                     \
	}
#define OPT_REQUIRED(n, t, k, h, ...)                                                                                  \
	{                                                                                                              \
		.name = (n), .type = CLI_##t, .key = (k), .flags = CLI_REQUIRED, .help = (h), __VA_ARGS__              \
	}
#define END                                                                                                            \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}
#define NO_COLUMN                                                                                                      \
	{                                                                                                              \
		.title = NULL                                                                                          \
	}
#define COL(t, p, f)                                                                                                   \
	{                                                                                                              \
		.title = (t), .path = (p), .format = CLI_AS_##f                                                        \
	}
#define WORDS(...) .words = {__VA_ARGS__, NULL}

/* The options that every command with --watch has; what: "show ...". */
#define CLI_WATCH_OPTIONS(what)                                                                                        \
	OPT("watch", SECONDS, NULL, what " again and again, every SECONDS (default 1)", .letter = 'w',                 \
	    .flags = CLI_OPTIONAL, .min = 0, .max = 86400),                                                            \
		OPT("count", INT, NULL, "with --watch: stop after so many intervals", .min = 1, .max = INT32_MAX)

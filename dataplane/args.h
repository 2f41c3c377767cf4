/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of wherry-dataplane.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "lcore/idle.h"
#include "log/log.h"
#include "port/port.h"
#include "wherry/limits.h"

#define ARGS_EAL_COUNT_MAX 32u
#define ARGS_SOCKET_BYTES_MAX 107u
#define ARGS_LCORES_BYTES_MAX 1023u

struct args {
	char socket[ARGS_SOCKET_BYTES_MAX + 1];
	unsigned port_count;
	struct port_config ports[WHERRY_PORT_COUNT_MAX];
	char lcores[ARGS_LCORES_BYTES_MAX + 1]; /* "": the default */
	int main_lcore;                         /* -1: the default */
	bool no_huge;
	unsigned memory_mb; /* 0: what is needed */
	bool has_user;
	uid_t uid;
	gid_t gid;
	struct idle_policy idle;
	unsigned eal_count;
	const char *eal[ARGS_EAL_COUNT_MAX]; /* point into argv */
	enum log_level log_level;
	bool want_help, want_version;
};

/* 0, or -EINVAL with a sentence in error. */
int args_parse(int argc, char **argv, struct args *args, char *error, size_t error_bytes);

/* One --port value, on its own for tests. */
int args_parse_port(const char *text, struct port_config *port, char *error, size_t error_bytes);

void args_print_help(FILE *to);

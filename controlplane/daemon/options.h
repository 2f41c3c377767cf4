/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of wherryd. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/file_open.h"
#include "daemon/log.h"

#define OPTIONS_EAL_COUNT_MAX 32

struct options {
	const char *state_dir, *run_dir;
	const char *user;      /* NULL: "wherry" when started as root */
	const char *group;     /* whose members may use the socket; NULL: only root and the user */
	const char *dataplane; /* program */
	const char *config;    /* YAML to apply at start, NULL */
	const char *memory_mb; /* for the dataplane, NULL: its own choice */
	bool no_huge;
	bool stop_dataplane_on_exit;
	enum log_level log_level;
	unsigned eal_count;
	const char *eal[OPTIONS_EAL_COUNT_MAX];
	struct file_policy policy;
	bool default_volumes; /* no --allow-path: <state-dir>/volumes */
	/* Derived by options_settle. */
	bool privileged; /* started as root */
	uid_t uid;       /* that the daemon half runs as */
	gid_t gid;
	gid_t socket_group;   /* (gid_t)-1: none */
	uint64_t watchdog_us; /* the service manager wants to hear from us so often; 0: not */
	char state_path[4096], rpc_path[108], plane_path[108], lock_path[4096], plane_lock_path[4096],
		plane_log_path[4096], volumes_path[4096];
};

enum options_outcome { OPTIONS_RUN, OPTIONS_EXIT_OK, OPTIONS_EXIT_USAGE };

/* Fill in from the command line; prints help, version or what is wrong.  Strings point into argv. */
enum options_outcome options_parse(struct options *options, int argc, char **argv);
/* Look up user and group, make paths.  0, or -1 with the reason. */
int options_settle(struct options *options, struct fail *fail);
/* Complete the policy, once the directories exist.  0, or -1 with the reason. */
int options_allow_defaults(struct options *options, struct fail *fail);

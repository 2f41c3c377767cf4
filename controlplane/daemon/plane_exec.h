/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane as a process, seen from the privileged half.
 *
 * A running dataplane holds a lock on <run-dir>/dataplane.lock, which it
 * inherited and knows nothing of; the file tells its pid and settings.  So a
 * restarted wherryd finds it at any moment of its life, and nobody can ever start
 * a second one beside it.  Its output goes to <run-dir>/dataplane.log: a file,
 * because a pipe would break or fill up when wherryd is gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/monitor_msg.h"
#include "daemon/options.h"

struct plane_exec {
	const struct options *options;
	pid_t pid;      /* 0: none runs */
	int pidfd;      /* becomes readable when it ends; -1 */
	bool child;     /* ours, so its exit status can be had */
	char *settings; /* how the running one was started; heap */
	int log_fd;     /* to read from and to truncate; -1 */
	int64_t log_at; /* how much of it was passed on */
};

void plane_exec_init(struct plane_exec *exec, const struct options *options);
/* Find the one that runs already.  0 (with pid 0 when there is none) or -errno. */
int plane_exec_find(struct plane_exec *exec);
/* Start one with these settings unless one runs.  Fills in outcome, pid and text. */
void plane_exec_start(struct plane_exec *exec, const struct monitor_spawn *spawn, struct monitor_spawned *result);
/* 0 or -errno. */
int plane_exec_kill(struct plane_exec *exec, int signal);
/* It ended: last words into text; forget it. */
void plane_exec_ended(struct plane_exec *exec, char text[WHERRY_TEXT_BYTES_MAX + 1]);
/* Pass on what it wrote since the last call to our standard error, and keep the file small. */
void plane_exec_forward(struct plane_exec *exec);

/*
 * The argument vector for settings, as a block of NUL-terminated strings ended by
 * an empty one; heap, NULL without memory.  without_idle leaves out what can be
 * changed while it runs, for comparing.  Pure.
 */
char *plane_exec_arguments(const struct options *options, const struct monitor_spawn *spawn, bool without_idle);

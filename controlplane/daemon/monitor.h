/* SPDX-License-Identifier: BSD-3-Clause */
/* The privileged half: opens files, runs the dataplane, watches over the daemon. */
#pragma once

#include "daemon/options.h"
#include "daemon/plane_exec.h"

/*
 * Serve the daemon process over channel (which becomes the monitor's) until it
 * ends.  Returns the exit status for the whole.  Single-threaded process.
 */
int monitor_run(const struct options *options, struct plane_exec *exec, int channel, pid_t daemon_pid);

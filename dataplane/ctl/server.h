/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control server: wherryd's way into the dataplane.
 *
 * A Unix socket, SOCK_SEQPACKET, that speaks include/wherry/ctl.h, served on the
 * main lcore by an event loop that sleeps when nothing happens.  It owns the
 * registry of volumes and exports, and hands what it builds to the workers as
 * jobs (lcore/worker.h); it never touches a worker's data otherwise.
 *
 * Order of calls in main.c: set_facts, open (as root), drop privileges, start the
 * workers, run, stop the workers, close.  One server per process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What main.c knows.  Without it: no huge pages; root and the process's own user may connect. */
struct ctl_server_facts {
	bool hugepages;
	bool owner_set; /* owner_uid and owner_gid own the socket; that user, or one whose own group it is, may connect
			 */
	uid_t owner_uid;
	gid_t owner_gid;
};

/* Copied.  Main thread, before ctl_server_open. */
void ctl_server_set_facts(const struct ctl_server_facts *facts);

/*
 * Listen at socket_path, mode 0660.  A socket file that nobody listens on is
 * replaced, anything else there is left alone.  Also sets the workers' persist
 * hook and ignores SIGPIPE.  0, or -errno with a sentence that names the path and
 * the remedy in error.  Main thread, workers exist but do not run yet.
 */
int ctl_server_open(const char *socket_path, char *error, size_t error_bytes);

/* Serve until SHUTDOWN, ctl_server_stop or a fault of the event loop.  0 or -errno.  Main thread. */
int ctl_server_run(void);

/* Make ctl_server_run return.  Async-signal-safe, any thread, also before run. */
void ctl_server_stop(void);

/*
 * Close every connection and destroy every export and volume.  Main thread; the
 * workers have stopped with no I/O under way, their aoe and engine still exist.
 */
void ctl_server_close(void);

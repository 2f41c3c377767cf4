/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/sock.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/rpc.h"
#include "wherry_build.h"

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"state-dir", required_argument, NULL, 's'},
		{"run-dir", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	const char *state_dir = "/var/lib/wherry", *run_dir = "/run/wherry";
	char state_path[4096], socket_path[4096];
	struct daemon daemon = {0};
	struct fail fail;
	sigset_t signals;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's')
			state_dir = optarg;
		else if (option == 'r')
			run_dir = optarg;
		else
			return 2;
	}
	(void)snprintf(state_path, sizeof state_path, "%s/state.db", state_dir);
	(void)snprintf(socket_path, sizeof socket_path, "%s/wherryd.sock", run_dir);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	daemon.state_path = state_path;
	daemon.state = state_open(state_path, &fail);
	if (!daemon.state) {
		log_error("%s", fail.text);
		return 1;
	}
	int fd = sock_listen(socket_path, SOCK_STREAM | SOCK_NONBLOCK, 0660);
	if (fd < 0) {
		log_error("socket %s: %s", socket_path, strerror(-fd));
		return 1;
	}
	if (sd_event_new(&daemon.event) < 0)
		return 1;
	(void)sd_event_now(daemon.event, CLOCK_MONOTONIC, &daemon.started_us);
	(void)sd_event_add_signal(daemon.event, NULL, SIGTERM, NULL, NULL);
	(void)sd_event_add_signal(daemon.event, NULL, SIGINT, NULL, NULL);
	daemon.rpc = rpc_server_create(&daemon, daemon.event, fd, (gid_t)-1);
	rpc_server_open(daemon.rpc);
	log_info("wherryd %s serves %s", WHERRY_VERSION, socket_path);
	int rc = sd_event_loop(daemon.event);
	rpc_server_destroy(daemon.rpc);
	state_close(daemon.state);
	sd_event_unref(daemon.event);
	return rc < 0 ? 1 : 0;
}

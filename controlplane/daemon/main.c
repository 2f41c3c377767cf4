/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wherryd: one command, two processes.  The first stays what it was started as
 * and becomes the monitor; the second drops every privilege and does the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "common/sock.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/monitor.h"
#include "daemon/options.h"

#define LOCK_PATIENCE_MS 5000
#define DESCRIPTOR_COUNT 65536 /* one per volume, twice while it is opened anew, and the clients */

static int refuse(const char *what, const char *path)
{
	log_error("%s %s: %s", what, path, strerror(errno));
	return -1;
}

static int make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, 0700) == 0)
		return chown(path, uid, gid) == 0 && chmod(path, mode) == 0 ? 0 : refuse("directory", path);
	return errno == EEXIST ? 0 : refuse("directory", path);
}

/*
 * The default place of volumes lies in a directory that the unprivileged half owns.
 * If that half was taken over, a link left there would turn any directory of the
 * machine into an allowed one at the next start.
 */
static int make_volumes_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return refuse("directory", path);
	if (lstat(path, &st) != 0)
		return refuse("directory", path);
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	log_error("directory %s: must be a directory, no link, that its owner %u alone may change; put that right, or"
		  " name the place of volumes with --allow-path",
		  path, (unsigned)geteuid());
	return -1;
}

/* The state's is the daemon's own; nobody but root can put anything into the one of the sockets. */
static int make_directories(const struct options *options)
{
	if (make_directory(options->state_dir, 0700, options->uid, options->gid) != 0 ||
	    make_directory(options->run_dir, 0755, geteuid(), getegid()) != 0)
		return -1;
	return options->default_volumes ? make_volumes_directory(options->volumes_path) : 0;
}

/* One wherryd a run directory.  A predecessor may still be ending. */
static int take_lock(const char *path)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return refuse("lock", path);
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += 10) {
		if (errno != EWOULDBLOCK || waited_ms >= LOCK_PATIENCE_MS) {
			log_error("lock %s: another wherryd runs here; end it, or name another --run-dir", path);
			close(fd);
			return -1;
		}
		(void)nanosleep(&pause, NULL);
	}
	return fd;
}

static int listen_for_clients(const struct options *options)
{
	int fd = sock_listen(options->rpc_path, SOCK_STREAM | SOCK_NONBLOCK, 0660);

	if (fd < 0) {
		errno = -fd;
		return refuse("socket", options->rpc_path);
	}
	if (options->privileged &&
	    chown(options->rpc_path, options->uid,
		  options->socket_group == (gid_t)-1 ? options->gid : options->socket_group) != 0) {
		close(fd);
		return refuse("socket", options->rpc_path);
	}
	return fd;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTOR_COUNT)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= DESCRIPTOR_COUNT ? DESCRIPTOR_COUNT
											       : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Become the user for good. */
static int drop_privileges(const struct options *options)
{
	if (options->privileged && options->uid != 0) {
		if (setgroups(0, NULL) != 0 || setresgid(options->gid, options->gid, options->gid) != 0 ||
		    setresuid(options->uid, options->uid, options->uid) != 0)
			return refuse("cannot become user", options->user ? options->user : "wherry");
		if (setuid(0) == 0) {
			log_error("privileges could be regained; refusing to go on");
			return -1;
		}
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : refuse("no_new_privs", "");
}

static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int run_daemon(const struct options *options, int listen_fd, int channel, pid_t monitor_pid)
{
	if (drop_privileges(options) != 0)
		return 1;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != monitor_pid)
		return 1;
	return daemon_run(options, listen_fd, channel);
}

/* Split in two.  Returns the exit status of whichever half this process becomes. */
static int run(const struct options *options, int listen_fd)
{
	struct plane_exec exec;
	pid_t monitor_pid = getpid();
	int channel[2];

	plane_exec_init(&exec, options);
	int rc = plane_exec_find(&exec);
	if (rc != 0)
		log_warning("%s: a dataplane seems to run, but cannot be told: %s", options->plane_lock_path,
			    strerror(-rc));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) {
		log_error("socketpair: %s", strerror(errno));
		return 1;
	}
	pid_t pid = fork();
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return 1;
	}
	if (pid == 0) {
		close(channel[0]);
		return run_daemon(options, listen_fd, channel[1], monitor_pid);
	}
	close(channel[1]);
	close(listen_fd);
	log_set_name("wherryd[monitor]");
	return monitor_run(options, &exec, channel[0], pid);
}

int main(int argc, char **argv)
{
	static struct options options;
	struct fail fail;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_EXIT_OK:
		return 0;
	case OPTIONS_EXIT_USAGE:
		return 2;
	case OPTIONS_RUN:
		break;
	}
	log_set_level(options.log_level);
	if (options_settle(&options, &fail) != 0) {
		log_error("%s", fail.text);
		return 1;
	}
	if (!options.privileged)
		log_warning("not started as root: runs as one user without separation, and can open and run only what "
			    "that user can");
	else if (options.uid == 0)
		log_warning("--user is root: no privileges are dropped");
	block_signals();
	umask(0077);
	closefrom(STDERR_FILENO + 1); /* what a careless parent left open is none of the dataplane's business */
	raise_descriptor_limit();
	(void)sd_watchdog_enabled(0, &options.watchdog_us);
	if (make_directories(&options) != 0)
		return 1;
	if (options_allow_defaults(&options, &fail) != 0) {
		log_error("%s", fail.text);
		return 1;
	}
	int lock_fd = take_lock(options.lock_path);
	if (lock_fd < 0)
		return 1;
	int listen_fd = listen_for_clients(&options);
	return listen_fd < 0 ? 1 : run(&options, listen_fd);
}

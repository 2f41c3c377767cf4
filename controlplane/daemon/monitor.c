/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One loop over: the channel to the daemon, signals, the end of the dataplane and
 * what it writes.  Work on files runs in short-lived children that answer by
 * themselves, so that a device that hangs holds up nothing else, least of all
 * the restart of the dataplane.
 */
#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sock.h"

#define END_MS 5000
#define WORKER_COUNT_MAX 64 /* the daemon asks for fewer at a time */

struct worker {
	pid_t pid; /* 0: free */
	uint32_t id;
};

struct monitor {
	const struct options *options;
	struct plane_exec *exec;
	int channel, signal_fd, inotify_fd, log_watch;
	pid_t daemon_pid;
	bool daemon_ended;
	int daemon_status;
	struct worker workers[WORKER_COUNT_MAX];
};

static void send_message(struct monitor *monitor, union monitor_message *message, uint32_t op, uint32_t id, int fd)
{
	message->header = (struct monitor_header){.magic = MONITOR_MAGIC, .op = op, .id = id};
	(void)sock_send(monitor->channel, message, monitor_message_bytes(op), fd);
}

/* ---------------------------------------------------------------- files */

/* In the worker process: do it, answer, end. */
static void work(struct monitor *monitor, const struct monitor_file *request, int passed_fd)
{
	static union monitor_message answer;
	struct monitor_file_result *result = &answer.file_result;
	struct fail fail = {.kind = FAIL_NONE};
	int fd = -1;

	switch (request->header.op) {
	case MONITOR_FILE_OPEN:
		fd = file_open(&monitor->options->policy, request, passed_fd, result, &fail);
		break;
	case MONITOR_FILE_GROW:
		if (passed_fd < 0)
			(void)fail_set(&fail, FAIL_FAILED, "%s: no descriptor came with the request", request->path);
		else
			(void)file_grow(passed_fd, request->path, request->size_bytes, result, &fail);
		break;
	default:
		(void)file_erase(&monitor->options->policy, request, &fail);
	}
	if (fail.kind != FAIL_NONE) {
		memcpy(result->text, fail.text, sizeof result->text);
		result->kind = fail.kind;
	}
	send_message(monitor, &answer, MONITOR_FILE_RESULT, request->header.id, fd);
	_exit(0);
}

static void refuse_work(struct monitor *monitor, uint32_t id, const char *why)
{
	static union monitor_message answer;

	memset(&answer, 0, sizeof answer);
	answer.file_result.kind = FAIL_UNAVAILABLE;
	(void)snprintf(answer.file_result.text, sizeof answer.file_result.text, "%s", why);
	send_message(monitor, &answer, MONITOR_FILE_RESULT, id, -1);
}

static void start_work(struct monitor *monitor, const struct monitor_file *request, int passed_fd)
{
	struct worker *worker = monitor->workers;

	while (worker < monitor->workers + WORKER_COUNT_MAX && worker->pid)
		worker++;
	if (worker == monitor->workers + WORKER_COUNT_MAX) {
		refuse_work(monitor, request->header.id, "too many file operations at once; try again");
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(monitor, request, passed_fd);
	}
	if (pid < 0) {
		refuse_work(monitor, request->header.id, "no process for a file operation; try again");
		return;
	}
	worker->pid = pid;
	worker->id = request->header.id;
}

/* ------------------------------------------------------------ dataplane */

static void watch_log(struct monitor *monitor)
{
	if (monitor->log_watch >= 0)
		(void)inotify_rm_watch(monitor->inotify_fd, monitor->log_watch);
	monitor->log_watch = inotify_add_watch(monitor->inotify_fd, monitor->options->plane_log_path, IN_MODIFY);
}

static void spawn(struct monitor *monitor, const struct monitor_spawn *request)
{
	static union monitor_message answer;

	memset(&answer, 0, sizeof answer);
	plane_exec_start(monitor->exec, request, &answer.spawned);
	if (monitor->exec->pid)
		watch_log(monitor);
	send_message(monitor, &answer, MONITOR_SPAWNED, request->header.id, -1);
}

static void plane_ended(struct monitor *monitor, bool status_known, int status)
{
	static union monitor_message message;

	memset(&message, 0, sizeof message);
	message.exited.pid = (int32_t)monitor->exec->pid;
	message.exited.wait_status = status;
	message.exited.status_known = status_known;
	plane_exec_ended(monitor->exec, message.exited.text);
	send_message(monitor, &message, MONITOR_EXITED, 0, -1);
}

/* ------------------------------------------------------ service manager */

/* As sd_notify, but a manager that does not read cannot hold up the restart of the dataplane. */
static void notify(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len > sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract name space */
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return;
	(void)sendto(sock, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(sock);
}

/* -------------------------------------------------------------- channel */

static void on_message(struct monitor *monitor, const union monitor_message *message, int fd)
{
	switch (message->header.op) {
	case MONITOR_FILE_OPEN:
	case MONITOR_FILE_GROW:
	case MONITOR_FILE_ERASE:
		start_work(monitor, &message->file, fd);
		break;
	case MONITOR_SPAWN:
		spawn(monitor, &message->spawn);
		break;
	case MONITOR_KILL:
		(void)plane_exec_kill(monitor->exec, message->kill.signal);
		break;
	case MONITOR_NOTIFY:
		notify(message->notify.text);
		break;
	default:
		log_error("the daemon process sent what only the monitor sends");
	}
}

/* False when the daemon process is gone or talks nonsense. */
static bool on_channel(struct monitor *monitor)
{
	static union monitor_message message;
	int fd;

	ssize_t got = sock_recv(monitor->channel, &message, sizeof message, &fd);
	if (got == -EAGAIN)
		return true;
	if (got <= 0)
		return false;
	bool sound = monitor_message_check(&message, (size_t)got);
	if (sound)
		on_message(monitor, &message, fd);
	else
		log_error("the daemon process sent a malformed message; not trusting it any further");
	if (fd >= 0)
		close(fd);
	return sound;
}

/* -------------------------------------------------------------- signals */

static void reap(struct monitor *monitor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == monitor->daemon_pid) {
			monitor->daemon_ended = true;
			monitor->daemon_status = status;
		} else if (pid == monitor->exec->pid && monitor->exec->child) {
			plane_ended(monitor, true, status);
		} else {
			for (unsigned i = 0; i < WORKER_COUNT_MAX; i++) {
				if (monitor->workers[i].pid != pid)
					continue;
				monitor->workers[i].pid = 0;
				if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
					refuse_work(monitor, monitor->workers[i].id, "the file operation was killed");
			}
		}
	}
}

static void on_signal(struct monitor *monitor)
{
	struct signalfd_siginfo info;

	while (read(monitor->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(monitor);
		else
			(void)kill(monitor->daemon_pid, info.ssi_signo == SIGINT ? SIGINT : SIGTERM);
	}
}

static void on_log(struct monitor *monitor)
{
	char events[4096];

	while (read(monitor->inotify_fd, events, sizeof events) > 0)
		;
	plane_exec_forward(monitor->exec);
}

static int prepare(struct monitor *monitor)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -errno;
	monitor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	monitor->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (monitor->signal_fd < 0 || monitor->inotify_fd < 0)
		return -errno;
	if (monitor->exec->pid)
		watch_log(monitor);
	return 0;
}

/* The channel is closed: the daemon is about to end.  False when it takes too long over it. */
static bool await_end(struct monitor *monitor)
{
	struct pollfd signals = {.fd = monitor->signal_fd, .events = POLLIN};

	while (!monitor->daemon_ended && poll(&signals, 1, END_MS) > 0)
		on_signal(monitor);
	return monitor->daemon_ended;
}

/* The exit status of the whole: the daemon's, or 1 when it was killed. */
static int conclude(struct monitor *monitor)
{
	int status;

	if (!monitor->daemon_ended && !await_end(monitor)) {
		log_error("the daemon process closed its channel and does not end; it is killed");
		(void)kill(monitor->daemon_pid, SIGKILL);
		if (waitpid(monitor->daemon_pid, &status, 0) != monitor->daemon_pid)
			return 1;
	} else {
		status = monitor->daemon_status;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("the daemon process was killed by signal %d (%s); the dataplane goes on serving", WTERMSIG(status),
		  strsignal(WTERMSIG(status)));
	return 1;
}

int monitor_run(const struct options *options, struct plane_exec *exec, int channel, pid_t daemon_pid)
{
	struct monitor monitor = {
		.options = options, .exec = exec, .channel = channel, .daemon_pid = daemon_pid, .log_watch = -1};
	int rc = prepare(&monitor);
	bool open = rc == 0;

	if (rc != 0)
		log_error("the monitor cannot start: %s", strerror(-rc));
	while (open && !monitor.daemon_ended) {
		bool adopted = exec->pid && !exec->child;
		struct pollfd fds[] = {
			{.fd = channel, .events = POLLIN},
			{.fd = monitor.signal_fd, .events = POLLIN},
			{.fd = monitor.inotify_fd, .events = POLLIN},
			{.fd = adopted ? exec->pidfd : -1, .events = POLLIN},
		};
		if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
			continue;
		if (fds[1].revents)
			on_signal(&monitor);
		if (fds[3].revents && exec->pid && !exec->child)
			plane_ended(&monitor, false, 0);
		if (fds[2].revents)
			on_log(&monitor);
		if (fds[0].revents)
			open = on_channel(&monitor);
	}
	return conclude(&monitor);
}

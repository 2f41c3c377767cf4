/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/plane_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

#define ARGUMENT_COUNT_MAX 256
#define LOG_BYTES_MAX (4 << 20)
#define LAST_WORDS_BYTES 2000 /* of the log that are looked at */
#define LAST_LINES 3
#define LEVEL_WARNING 4
#define CHILD_LOCK_FD 3 /* where the lock lies in the dataplane */

void plane_exec_init(struct plane_exec *exec, const struct options *options)
{
	*exec = (struct plane_exec){.options = options, .pidfd = -1, .log_fd = -1};
}

static void forget(struct plane_exec *exec)
{
	if (exec->pidfd >= 0)
		close(exec->pidfd);
	if (exec->log_fd >= 0)
		close(exec->log_fd);
	free(exec->settings);
	plane_exec_init(exec, exec->options);
}

/* Settings as one line: what the lock file holds after the pid, and what is compared. */
static char *settings_line(const struct options *options, const struct monitor_spawn *spawn)
{
	char *line = plane_exec_arguments(options, spawn, true);

	if (!line)
		return NULL;
	/* The program itself may be another version: that is for HELLO to settle. */
	char *from = line + strlen(line) + 1, *to = line;
	while (*from) {
		size_t len = strlen(from);
		if (to != line)
			*to++ = ' ';
		memmove(to, from, len);
		to += len;
		from += len + 1;
	}
	*to = '\0';
	return line;
}

/* The lock file as it is: "PID SETTINGS". */
static int read_lock_file(int fd, struct plane_exec *exec)
{
	char *text = calloc(1, 65536);
	char *end;

	if (!text)
		return -ENOMEM;
	ssize_t got = pread(fd, text, 65535, 0);
	long pid = got > 0 ? strtol(text, &end, 10) : 0;
	if (pid <= 1 || *end != ' ') {
		free(text);
		return -EBADMSG;
	}
	end[1 + strcspn(end + 1, "\n")] = '\0';
	exec->settings = strdup(end + 1);
	free(text);
	if (!exec->settings)
		return -ENOMEM;
	exec->pid = (pid_t)pid;
	return 0;
}

static void open_log(struct plane_exec *exec, int64_t from)
{
	exec->log_fd = open(exec->options->plane_log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	exec->log_at = from >= 0 ? from : lseek(exec->log_fd, 0, SEEK_END);
}

int plane_exec_find(struct plane_exec *exec)
{
	int fd = open(exec->options->plane_lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		close(fd);
		return 0;
	}
	rc = errno == EWOULDBLOCK ? read_lock_file(fd, exec) : -errno;
	close(fd);
	if (rc == 0) {
		exec->pidfd = pidfd_open(exec->pid, 0);
		rc = exec->pidfd < 0 ? -errno : 0;
	}
	if (rc == 0)
		open_log(exec, -1);
	else
		forget(exec);
	return rc;
}

int plane_exec_kill(struct plane_exec *exec, int signal)
{
	if (exec->pidfd < 0)
		return -ESRCH;
	return pidfd_send_signal(exec->pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

/* In the child: become the dataplane.  Only async-signal-safe calls.  error_fd tells errno when exec fails. */
static void become(char **argv, const char *settings, int lock_fd, int log_fd, int error_fd)
{
	char pid[24];
	int at = 0, null_fd = open("/dev/null", O_RDONLY);
	sigset_t none;

	for (pid_t left = getpid(); left > 0; left /= 10)
		at++;
	pid[at] = ' ';
	for (pid_t left = getpid(), digit = at; left > 0; left /= 10)
		pid[--digit] = (char)('0' + left % 10);
	if (null_fd < 0 || setsid() < 0 || ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, pid, (size_t)at + 1, 0) < 0 ||
	    pwrite(lock_fd, settings, strlen(settings), at + 1) < 0)
		goto fail;
	(void)signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null_fd, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0)
		goto fail;
	/* error_fd closes itself on exec. */
	int keep = fcntl(error_fd, F_DUPFD_CLOEXEC, CHILD_LOCK_FD + 1);
	if (keep < 0 || dup2(lock_fd, CHILD_LOCK_FD) < 0 || fcntl(CHILD_LOCK_FD, F_SETFD, 0) != 0)
		goto fail;
	error_fd = keep;
	for (int fd = CHILD_LOCK_FD + 1; fd < keep; fd++)
		close(fd);
	(void)close_range((unsigned)keep + 1, ~0u, 0);
	execv(argv[0], argv);
fail:
	at = errno;
	(void)!write(error_fd, &at, sizeof at);
	_exit(127);
}

static int split(char *block, char **argv)
{
	int count = 0;

	for (char *at = block; *at; at += strlen(at) + 1) {
		if (count == ARGUMENT_COUNT_MAX)
			return -E2BIG;
		argv[count++] = at;
	}
	argv[count] = NULL;
	return count;
}

/* Fork and wait until exec succeeded or failed.  The pid, or -errno. */
static pid_t launch(char **argv, const char *settings, int lock_fd, int log_fd)
{
	int tell[2], error = 0;

	if (pipe2(tell, O_CLOEXEC) != 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		become(argv, settings, lock_fd, log_fd, tell[1]);
	if (pid < 0)
		error = errno;
	close(tell[1]);
	if (pid > 0 && read(tell[0], &error, sizeof error) != (ssize_t)sizeof error)
		error = 0;
	close(tell[0]);
	return error ? -error : pid;
}

static int start(struct plane_exec *exec, const struct monitor_spawn *spawn, char *settings, char *text, size_t cap)
{
	const struct options *options = exec->options;
	char *argv[ARGUMENT_COUNT_MAX + 1];
	char *block = plane_exec_arguments(options, spawn, false);
	int lock_fd = open(options->plane_lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int log_fd =
		open(options->plane_log_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (!block)
		rc = -ENOMEM;
	else if (lock_fd < 0 || log_fd < 0)
		rc = -errno;
	else if (flock(lock_fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(lock_fd, 0) != 0)
		rc = -errno; /* empty from here on: whoever finds it locked does not take an old pid for the new */
	else
		rc = split(block, argv);
	if (rc > 0) {
		rc = (int)launch(argv, settings, lock_fd, log_fd);
		if (rc < 0)
			(void)snprintf(text, cap, "%s cannot be run: %s", argv[0], strerror(-rc));
	} else if (rc < 0) {
		(void)snprintf(text, cap, "the dataplane cannot be started: %s", strerror(-rc));
	}
	free(block);
	if (lock_fd >= 0)
		close(lock_fd); /* the child holds the lock on */
	if (log_fd >= 0)
		close(log_fd);
	if (rc > 0) {
		exec->pid = rc;
		exec->pidfd = pidfd_open(rc, 0);
		exec->child = true;
		exec->settings = settings;
		open_log(exec, 0);
	}
	return rc < 0 ? rc : 0;
}

void plane_exec_start(struct plane_exec *exec, const struct monitor_spawn *spawn, struct monitor_spawned *result)
{
	char *settings = settings_line(exec->options, spawn);

	result->outcome = MONITOR_NOT_STARTED;
	if (!settings) {
		(void)snprintf(result->text, sizeof result->text, "the dataplane cannot be started: out of memory");
		return;
	}
	if (exec->pid == 0)
		(void)plane_exec_find(exec); /* started by a predecessor that had not come far */
	if (exec->pid != 0) {
		result->outcome = strcmp(settings, exec->settings) == 0 ? MONITOR_RUNNING : MONITOR_RUNNING_DIFFERENT;
		free(settings);
	} else if (start(exec, spawn, settings, result->text, sizeof result->text) == 0) {
		result->outcome = MONITOR_STARTED;
	} else {
		free(settings);
	}
	result->pid = (int32_t)exec->pid;
}

/* "<N>" before a line is its level as the journal understands it.  Its N, or -1; *text moves behind it. */
static int level_of(const char **text)
{
	const char *at = *text;

	if (at[0] != '<' || at[1] < '0' || at[1] > '7' || at[2] != '>')
		return -1;
	*text = at + 3;
	return at[1] - '0';
}

/* The EAL explains its options, indented and under headings, after it has said what is wrong with them. */
static bool is_usage(const char *words)
{
	return words[0] == ' ' || words[0] == '\t' || words[strlen(words) - 1] == ':';
}

/* The last lines that tell of trouble, on one line. */
static void last_words(int fd, char text[WHERRY_TEXT_BYTES_MAX + 1])
{
	char tail[LAST_WORDS_BYTES + 1];
	const char *lines[LAST_LINES] = {NULL};
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = end > LAST_WORDS_BYTES ? end - LAST_WORDS_BYTES : 0;
	ssize_t got = end > 0 ? pread(fd, tail, LAST_WORDS_BYTES, from) : 0;
	size_t out = 0;

	tail[got < 0 ? 0 : got] = '\0';
	char *line = tail, *next;
	if (from > 0 && strchr(tail, '\n'))
		line = strchr(tail, '\n') + 1;
	for (; *line; line = next) {
		const char *words = line;
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (level_of(&words) > LEVEL_WARNING || !*words || is_usage(words))
			continue;
		memmove(&lines[0], &lines[1], sizeof lines - sizeof lines[0]);
		lines[LAST_LINES - 1] = words;
	}
	for (unsigned i = 0; i < LAST_LINES; i++) {
		if (!lines[i])
			continue;
		int n = snprintf(text + out, WHERRY_TEXT_BYTES_MAX + 1 - out, "%s%.160s", out ? "; " : "", lines[i]);
		out += n > 0 ? (size_t)n : 0;
	}
	text[out] = '\0';
	for (; out > 0; out--)
		if ((unsigned char)text[out - 1] < ' ' || text[out - 1] == 0x7f)
			text[out - 1] = ' ';
}

void plane_exec_ended(struct plane_exec *exec, char text[WHERRY_TEXT_BYTES_MAX + 1])
{
	plane_exec_forward(exec);
	last_words(exec->log_fd, text);
	forget(exec);
}

/* One line to our standard error, in the dress of our own lines. */
static void forward_line(const char *line, size_t len)
{
	static const char *const names[] = {"error", "error", "error", "error", "warning", "info", "info", "debug"};
	bool journal = getenv("JOURNAL_STREAM") != NULL;
	const char *words = line;
	int level = level_of(&words);

	if (journal)
		(void)!write(STDERR_FILENO, line, len);
	else if (level < 0)
		(void)dprintf(STDERR_FILENO, "wherry-dataplane: %.*s", (int)len, line);
	else
		(void)dprintf(STDERR_FILENO, "wherry-dataplane: %s: %.*s", names[level],
			      (int)(len - (size_t)(words - line)), words);
}

void plane_exec_forward(struct plane_exec *exec)
{
	char bytes[8192];
	struct stat st;
	ssize_t got;

	if (exec->log_fd < 0 || fstat(exec->log_fd, &st) != 0)
		return;
	if (st.st_size < exec->log_at)
		exec->log_at = 0;
	while ((got = pread(exec->log_fd, bytes, sizeof bytes - 1, exec->log_at)) > 0) {
		char *line = bytes, *end = bytes + got, *newline;
		bytes[got] = '\n';
		while (line < end && (newline = memchr(line, '\n', (size_t)(end - line)))) {
			forward_line(line, (size_t)(newline + 1 - line));
			line = newline + 1;
		}
		if (line == bytes) { /* a line that is not whole yet is left, one that is too long is cut */
			if (got < (ssize_t)sizeof bytes - 1)
				break;
			forward_line(line, (size_t)got + 1);
			line = end;
		}
		exec->log_at += line - bytes;
	}
	/* Written with O_APPEND: the next line lands at the new end. */
	if (exec->log_at > LOG_BYTES_MAX && ftruncate(exec->log_fd, 0) == 0)
		exec->log_at = 0;
}

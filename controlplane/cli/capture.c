/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: the dataplane writes pcapng to a descriptor that goes with the request.
 *
 * A regular file is handed over as it is.  For anything else the dataplane gets
 * our pipe and we copy: it may then set its end non-blocking, and a reader that
 * goes away ends the capture here, where it is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/print.h"
#include "cli/run.h"

#define SHOW_MS 500
#define DRAIN_MS 2000 /* after the end: the dataplane's last bytes are in the pipe or it will never send them */

struct capture {
	struct cli_run *run;
	const char *file;
	int out_fd;   /* where the frames go in the end */
	int pass_fd;  /* what the dataplane writes to */
	int relay_fd; /* our end of the pipe, -1: no relay */
	int signal_fd;
	json_int_t id;
	bool progress; /* a line on the terminal is open */
	bool reader_gone;
	json_t *last; /* latest counts */
};

static int fail_file(struct capture *c, const char *what)
{
	return cli_fail(&c->run->error, FAIL_EXIT_ERROR, "%s: %s", c->file, what);
}

static int open_output(struct capture *c)
{
	if (!c->file)
		c->file = "-";
	bool standard = !strcmp(c->file, "-");
	c->out_fd = standard ? dup(STDOUT_FILENO) : open(c->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (c->out_fd < 0)
		return fail_file(c, strerror(errno));
	if (isatty(c->out_fd))
		return cli_fail(
			&c->run->error, FAIL_EXIT_USAGE,
			"a capture is no text for a terminal; name a file with -w, or pipe: wherryctl capture -w - | "
			"tshark -r -");
	struct stat status;
	if (fstat(c->out_fd, &status))
		return fail_file(c, strerror(errno));
	if (S_ISREG(status.st_mode)) {
		c->pass_fd = c->out_fd;
		return 0;
	}
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return fail_file(c, strerror(errno));
	c->relay_fd = ends[0];
	c->pass_fd = ends[1];
	return 0;
}

static void close_pass_fd(struct capture *c)
{
	if (c->pass_fd >= 0 && c->pass_fd != c->out_fd)
		close(c->pass_fd);
	c->pass_fd = -1;
}

/* Signals become readable, so that an interrupted capture still ends in order. */
static int catch_signals(struct capture *c)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return c->signal_fd < 0 ? fail_file(c, strerror(errno)) : 0;
}

/* Copy what is in the pipe.  1: more may come, 0: end, -1: the reader has gone. */
static int relay(struct capture *c)
{
	char bytes[65536];
	ssize_t n = read(c->relay_fd, bytes, sizeof(bytes));
	if (n < 0)
		return errno == EINTR ? 1 : 0;
	for (ssize_t done = 0; done < n;) {
		ssize_t m = write(c->out_fd, bytes + done, (size_t)(n - done));
		if (m < 0 && errno == EINTR)
			continue;
		if (m < 0)
			return -1;
		done += m;
	}
	return n > 0;
}

static void end_relay(struct capture *c)
{
	close(c->relay_fd);
	c->relay_fd = -1;
}

/* Wait for a signal, for frames to copy, or until it is time to ask for counts.  Whether to go on. */
static bool wait_turn(struct capture *c)
{
	struct pollfd pollers[] = {
		{.fd = c->signal_fd, .events = POLLIN},
		{.fd = c->relay_fd, .events = POLLIN},
		/* Errors only: a pipe whose reader has gone tells so without another frame. */
		{.fd = c->relay_fd < 0 ? -1 : c->out_fd, .events = 0},
	};
	int64_t until_us = cli_now_us() + SHOW_MS * 1000;
	for (;;) {
		int64_t left_us = until_us - cli_now_us();
		if (left_us <= 0 || left_us > SHOW_MS * 1000)
			return true;
		pollers[1].fd = c->relay_fd;
		if (poll(pollers, 3, (int)(left_us / 1000) + 1) < 0) {
			if (errno != EINTR)
				return false;
			continue;
		}
		if (pollers[0].revents)
			return false;
		if (pollers[2].revents & (POLLERR | POLLHUP)) {
			c->reader_gone = true;
			return false;
		}
		if (!pollers[1].revents)
			continue;
		int more = relay(c);
		c->reader_gone = more < 0;
		if (more < 0)
			return false;
		if (more == 0)
			end_relay(c);
	}
}

static void print_counts(struct capture *c, const char *end)
{
	char written[32], dropped[32];
	cli_count_text(cli_json_u64(json_object_get(c->last, "written")), written, sizeof(written));
	cli_count_text(cli_json_u64(json_object_get(c->last, "dropped")), dropped, sizeof(dropped));
	(void)fprintf(c->run->err, "%s%s frames written, %s not captured%s", c->progress ? "\r" : "", written, dropped,
		      end);
	(void)fflush(c->run->err);
	c->progress = true;
}

/* Ask for the counts.  Whether the capture is still running. */
static int ask(struct capture *c, const char *method, bool *running)
{
	json_t *result;
	json_t *params = json_pack("{s:I}", "capture", c->id);
	int rc = cli_call(c->run, method, params, &result);
	json_decref(params);
	if (rc)
		return rc;
	*running = json_is_true(json_object_get(result, "running"));
	json_decref(c->last);
	c->last = result;
	return 0;
}

static int start(struct capture *c)
{
	json_t *result;
	int rc = cli_connect(c->run);
	if (!rc)
		rc = rpc_call(&c->run->rpc, c->run->command->method, c->run->invocation->params, c->pass_fd, &result,
			      &c->run->error);
	if (rc)
		return rc;
	const json_t *id = json_object_get(result, "capture");
	c->id = json_integer_value(id);
	rc = json_is_integer(id) ? 0
				 : cli_fail(&c->run->error, FAIL_EXIT_ERROR,
					    "wherryd's answer names no capture; compare versions with \"wherryctl "
					    "version\"");
	json_decref(result);
	return rc;
}

static void drain(struct capture *c)
{
	struct pollfd poller = {.fd = c->relay_fd, .events = POLLIN};
	while (c->relay_fd >= 0 && !c->reader_gone && poll(&poller, 1, DRAIN_MS) > 0)
		if (relay(c) <= 0)
			end_relay(c);
}

/* From start to end; the capture is stopped whatever happens in between. */
static int run_capture(struct capture *c)
{
	bool terminal = isatty(STDERR_FILENO) && !c->run->invocation->json;
	bool running = true;
	int rc = start(c);
	close_pass_fd(c);
	if (rc)
		return rc;
	while (rc == 0 && running && wait_turn(c)) {
		rc = ask(c, "capture.show", &running);
		if (rc == 0 && terminal)
			print_counts(c, "  ");
	}
	if (rc == 0) {
		bool ignored;
		bool ended = !running;
		char *detail = cli_value_text(json_object_get(c->last, "detail"), CLI_AS_TEXT, 0);
		rc = ask(c, "capture.stop", &ignored);
		if (ended && rc == FAIL_EXIT_NOT_FOUND)
			rc = 0; /* it has ended by itself and is forgotten: the counts shown last are the final ones */
		drain(c);
		if (rc == 0 && !c->run->invocation->json) {
			print_counts(c, *detail ? ": " : "\n");
			if (*detail)
				(void)fprintf(c->run->err, "%s\n", detail);
		}
		free(detail);
	}
	if (rc == 0 && c->run->invocation->json) {
		json_t *summary =
			json_pack("{s:s, s:O?, s:O?}", "file", c->file, "written", json_object_get(c->last, "written"),
				  "dropped", json_object_get(c->last, "dropped"));
		cli_print_json_line(strcmp(c->file, "-") ? c->run->out : c->run->err, summary);
		json_decref(summary);
	}
	return rc;
}

int cli_run_capture(struct cli_run *run)
{
	struct capture c = {
		.run = run,
		.file = json_string_value(json_object_get(run->invocation->locals, "write")),
		.out_fd = -1,
		.pass_fd = -1,
		.relay_fd = -1,
		.signal_fd = -1,
	};
	int rc = open_output(&c);
	if (!rc)
		rc = catch_signals(&c);
	if (!rc)
		rc = run_capture(&c);
	close_pass_fd(&c);
	const int fds[] = {c.out_fd, c.relay_fd, c.signal_fd};
	for (unsigned i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	json_decref(c.last);
	return rc;
}

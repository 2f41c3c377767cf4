/* SPDX-License-Identifier: BSD-3-Clause */
/* Client side of wherryd's socket. */
#include "cli/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/sock.h"

#define DEFAULT_SOCKET "/run/wherry/wherryd.sock"

const char *rpc_socket_path(const char *option)
{
	const char *env = getenv("WHERRY_SOCKET");
	if (option)
		return option;
	return env && *env ? env : DEFAULT_SOCKET;
}

static int explain_connect(const char *path, int err, struct cli_error *error)
{
	switch (err) {
	case ENOENT:
		return cli_fail(error, FAIL_EXIT_NO_DAEMON,
				"%s: no such socket; start wherryd, or name its socket with --socket or WHERRY_SOCKET",
				path);
	case ECONNREFUSED:
		return cli_fail(error, FAIL_EXIT_NO_DAEMON,
				"%s: nobody listens there; wherryd has stopped, start it again", path);
	case EACCES:
	case EPERM:
		return cli_fail(error, FAIL_EXIT_NO_DAEMON,
				"%s: permission denied; become root or a member of the socket's group", path);
	case ENAMETOOLONG:
		return cli_fail(error, FAIL_EXIT_NO_DAEMON, "%s: longer than a socket path may be; use a shorter one",
				path);
	default:
		return cli_fail(error, FAIL_EXIT_NO_DAEMON, "%s: %s; check that wherryd runs", path, strerror(err));
	}
}

int rpc_open(struct rpc_client *client, const char *path, double timeout_s, struct cli_error *error)
{
	*client = (struct rpc_client){.path = path, .timeout_s = timeout_s};
	line_reader_init(&client->reader, RPC_REPLY_BYTES_MAX);
	client->fd = sock_connect(path, SOCK_STREAM);
	if (client->fd >= 0) {
		/* Waiting is poll's business, which knows the deadline. */
		(void)fcntl(client->fd, F_SETFL, O_NONBLOCK);
		return 0;
	}
	int err = -client->fd;
	client->fd = -1;
	return explain_connect(path, err, error);
}

void rpc_close(struct rpc_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	line_reader_fini(&client->reader);
	*client = (struct rpc_client){.fd = -1};
}

static double monotonic_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int lost(struct rpc_client *client, const char *what, struct cli_error *error)
{
	return cli_fail(error, FAIL_EXIT_NO_DAEMON, "%s: %s; see wherryd's log, then try again", client->path, what);
}

/* Wait until the socket is ready for events.  0, or an exit code. */
static int wait_ready(struct rpc_client *client, short events, double deadline_s, struct cli_error *error)
{
	for (;;) {
		double left = deadline_s - monotonic_s();
		struct pollfd poller = {.fd = client->fd, .events = events};
		int n = poll(&poller, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
		if (n > 0)
			return 0;
		if (n == 0)
			return cli_fail(error, FAIL_EXIT_NO_DAEMON,
					"%s: no answer within %g s; see wherryd's log, or wait longer with --timeout",
					client->path, client->timeout_s);
		if (errno != EINTR)
			return lost(client, strerror(errno), error);
	}
}

/* Send all bytes; the descriptor travels with the first of them. */
static int send_all(struct rpc_client *client, const char *bytes, size_t length, int pass_fd, double deadline_s,
		    struct cli_error *error)
{
	size_t sent = 0;
	while (sent < length) {
		int rc = wait_ready(client, POLLOUT, deadline_s, error);
		if (rc)
			return rc;
		ssize_t n = sock_send(client->fd, bytes + sent, length - sent, sent ? -1 : pass_fd);
		if (n > 0)
			sent += (size_t)n;
		else if (n != -EINTR && n != -EAGAIN)
			return lost(client, strerror((int)-n), error);
	}
	return 0;
}

/* Receive until there is a whole line. */
static int receive_line(struct rpc_client *client, char **line, size_t *length, double deadline_s,
			struct cli_error *error)
{
	char bytes[65536];
	for (;;) {
		switch (line_reader_next(&client->reader, line, length)) {
		case LINE_READY:
			return 0;
		case LINE_TOO_LONG:
			return lost(client, "the answer is longer than any answer can be", error);
		case LINE_NONE:
			break;
		}
		int rc = wait_ready(client, POLLIN, deadline_s, error);
		if (rc)
			return rc;
		ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0)
			return lost(client, "wherryd closed the connection without an answer", error);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return lost(client, strerror(errno), error);
		if (n > 0 && line_reader_feed(&client->reader, bytes, (size_t)n))
			return cli_fail(error, FAIL_EXIT_ERROR, "out of memory for the answer of wherryd");
	}
}

static void set_rpc_error(const json_t *object, const char *method, struct cli_error *error)
{
	const char *message = json_string_value(json_object_get(object, "message"));
	const char *kind = json_string_value(json_object_get(json_object_get(object, "data"), "kind"));
	json_int_t code = json_integer_value(json_object_get(object, "code"));
	if (code == -32601) {
		(void)cli_fail(error, FAIL_EXIT_ERROR,
			       "wherryd does not know the method %s; compare versions with \"wherryctl version\"",
			       method);
		return;
	}
	(void)cli_fail(error, code == -32602 ? FAIL_EXIT_USAGE : FAIL_EXIT_ERROR, "%s",
		       message ? message : "wherryd refused the request without a reason");
	if (kind) {
		error->code = fail_kind_exit(fail_kind_from_name(kind));
		(void)snprintf(error->kind, sizeof(error->kind), "%s", kind);
	}
}

json_t *rpc_reply_parse(const char *line, size_t length, int64_t id, const char *method, bool *skip,
			struct cli_error *error)
{
	*skip = false;
	json_error_t why;
	json_t *reply = json_loadb(line, length, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(reply)) {
		json_decref(reply);
		(void)cli_fail(error, FAIL_EXIT_ERROR,
			       "wherryd's answer to %s is not a JSON object; is this the socket of wherryd?", method);
		return NULL;
	}
	const json_t *reply_id = json_object_get(reply, "id");
	json_t *failure = json_object_get(reply, "error");
	json_t *result = json_object_get(reply, "result");
	/* An error without an id answers a request that could not be read: ours, as there is no other. */
	bool ours = json_is_integer(reply_id) ? json_integer_value(reply_id) == id : failure && json_is_null(reply_id);
	if (!ours) {
		*skip = true;
		result = NULL;
	} else if (json_is_object(failure)) {
		set_rpc_error(failure, method, error);
		result = NULL;
	} else if (!result) {
		(void)cli_fail(error, FAIL_EXIT_ERROR,
			       "wherryd's answer to %s has neither result nor error; is this the socket of wherryd?",
			       method);
	}
	json_incref(result);
	json_decref(reply);
	return result;
}

int rpc_call(struct rpc_client *client, const char *method, const json_t *params, int pass_fd, json_t **result,
	     struct cli_error *error)
{
	*result = NULL;
	double deadline_s = monotonic_s() + client->timeout_s;
	int64_t id = ++client->last_id;
	json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", (json_int_t)id, "method", method);
	if (!request)
		return cli_fail(error, FAIL_EXIT_USAGE,
				"the method's name is not UTF-8; \"wherryctl rpc methods\" lists them");
	if (params)
		json_object_set(request, "params", (json_t *)(uintptr_t)params);
	else
		json_object_set_new(request, "params", json_object());
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return cli_fail(error, FAIL_EXIT_ERROR, "out of memory for a request");
	size_t length = strlen(text);
	if (length > LINE_REQUEST_BYTES_MAX) {
		free(text);
		return cli_fail(error, FAIL_EXIT_USAGE,
				"the request has %zu bytes, and wherryd takes at most %u in one; send less at a time",
				length, LINE_REQUEST_BYTES_MAX);
	}
	text[length] = '\n'; /* in place of the terminator: one write, one line */
	int rc = send_all(client, text, length + 1, pass_fd, deadline_s, error);
	free(text);
	while (!rc && !*result) {
		char *line;
		size_t line_bytes;
		bool skip;
		rc = receive_line(client, &line, &line_bytes, deadline_s, error);
		if (rc)
			break;
		*result = rpc_reply_parse(line, line_bytes, id, method, &skip, error);
		if (!*result && !skip)
			rc = error->code;
	}
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Client side of wherryd's socket: JSON-RPC 2.0, one object per line.
 * One request at a time.  Replies are validated: whatever the other end sends,
 * a call ends with a result or an error.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/error.h"
#include "common/line.h"

#define RPC_REPLY_BYTES_MAX LINE_RESPONSE_BYTES_MAX

struct rpc_client {
	const char *path; /* borrowed */
	int fd;           /* -1: not connected */
	double timeout_s; /* for a whole call */
	struct line_reader reader;
	int64_t last_id;
};

/* Path of the socket: the option, else $WHERRY_SOCKET, else the built-in one. */
const char *rpc_socket_path(const char *option);

/* Connect.  0, or FAIL_EXIT_NO_DAEMON with a remedy.  rpc_close must follow either way. */
__attribute__((warn_unused_result)) int rpc_open(struct rpc_client *client, const char *path, double timeout_s,
						 struct cli_error *error);
void rpc_close(struct rpc_client *client);

/*
 * Call a method.  params is borrowed, NULL: {}.  pass_fd: descriptor to send
 * along, -1: none.  On success 0 and result is owned by the caller; otherwise an
 * exit code, and result is NULL.
 */
__attribute__((warn_unused_result)) int rpc_call(struct rpc_client *client, const char *method, const json_t *params,
						 int pass_fd, json_t **result, struct cli_error *error);

/*
 * Judge one reply line: the result (owned by the caller), or NULL with the error
 * set.  skip becomes true for a line that answers something else.  Pure.
 */
json_t *rpc_reply_parse(const char *line, size_t length, int64_t id, const char *method, bool *skip,
			struct cli_error *error);

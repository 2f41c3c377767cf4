/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon that answers what the test wants: a child process on a socket of its
 * own, which ends with the test.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* In an answer, the first "ID" becomes the id of the request. */
#define FAKE_RESULT(json) "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":" json "}\n"
#define FAKE_ERROR(json) "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":" json "}\n"
#define FAKE_SILENCE ""
#define FAKE_HANG_UP NULL

struct fake {
	char dir[64], path[96];
	pid_t pid;
	int listen_fd;
};

/* Make the socket and start answering: the n-th request of a connection gets the n-th answer, later ones the last. */
void fake_start(struct fake *fake, const char *const *answers, size_t count);
/* The same with one answer for everything. */
void fake_start_one(struct fake *fake, const char *answer);
void fake_stop(struct fake *fake);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The diagnostic service: a stream that a tool for segments can make do things.
 *
 * It echoes bytes.  A line that starts with '!' is a command, and is not echoed:
 *
 *     !SEND n    send n bytes of a pattern: 0x80 | ((i * 7 + (i >> 7)) & 0x7f),
 *                i from 0, restarting every 65,536 bytes; n below 2^64
 *     !CLOSE     end the sending side; what is read from then on is dropped, commands
 *                are still obeyed
 *     !QUIT      close both sides at once: a byte that comes afterwards, or has come
 *                already, is answered by a reset; so is a minute in which the peer
 *                does not end its side
 *     !OPEN p    connect to the peer's port p, and serve there in the same way
 *     !PAUSE ms  read nothing for that long: at most an hour
 *
 * A line begins with the stream and behind each line feed, and ends with a line
 * feed; a carriage return before it does not count.  Words stand apart by blanks.
 * Commands are obeyed in order, each when the answer to what came before it is
 * queued.  What cannot be obeyed, or is longer than DIAG_LINE_BYTES_MAX, is
 * answered by a line that begins with "!ERROR ".  What the peer does to a
 * connection that !OPEN made is not reported: the peer knows.  A command that
 * the end of the stream cuts off is dropped.
 *
 * When the peer ends its side, this side ends its own behind everything it owes.
 *
 * Only for tests: compiled into the dataplane by -Ddiag=true alone.  No clock, no
 * allocation after creation, no DPDK.  Everything happens on the owning lcore.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/stream.h"

#define DIAG_PORT 7u /* RFC 862 */
#define DIAG_LINE_BYTES_MAX 64u
#define DIAG_PAUSE_MS_MAX 3600000u
#define DIAG_PATTERN_BYTES 65536u /* after so many the pattern repeats itself */

struct diag_lcore;

struct diag_limits {
	uint32_t session_count;
	uint32_t echo_count;      /* buffers for what is echoed, of DIAG_ECHO_BYTES each */
	uint32_t echo_count_each; /* of one session, not yet acknowledged by its peer */
	uint32_t pattern_count;   /* references to the pattern, of up to DIAG_PATTERN_BYTES each */
};
#define DIAG_ECHO_BYTES 2048u

struct diag_env {
	void *ctx;
	const uint64_t *now_ns; /* the time of the loop turn */
	/* Memory that a port can send from.  At creation only. */
	void *(*alloc)(void *ctx, uint64_t bytes);
	void (*free)(void *ctx, void *memory);
	/* Connect from ends->local to this port of ends->remote.  NULL with errno, as tcp_connect. */
	struct stream *(*connect)(void *ctx, const struct stream_info *ends, uint16_t port,
				  const struct stream_handler *handler, void *handler_ctx);
};

/* Bytes that diag_lcore_create takes by env.alloc. */
uint64_t diag_memory_bytes(const struct diag_limits *limits);
/* Main lcore.  NULL without memory. */
struct diag_lcore *diag_lcore_create(const struct diag_env *env, const struct diag_limits *limits);
/* No stream is left. */
void diag_lcore_destroy(struct diag_lcore *lcore);

/* ---- below: the owning lcore only ---- */

/* A stream has connected (tcp_accept_fn).  False when no session is left. */
bool diag_accept(void *lcore, struct stream *stream);
/* Pauses that are over, and sessions that waited for room.  Every turn.  Returns how many moved. */
unsigned diag_poll(struct diag_lcore *lcore, uint64_t now_ns);
uint32_t diag_session_count(const struct diag_lcore *lcore);

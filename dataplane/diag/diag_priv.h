/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared between the files of this folder.  Owning lcore only.
 *
 * A session is given back when its stream is gone and so is the last reference
 * to a buffer of its.  It reads only while it could answer: what it was given
 * and may not read stays with the stream, whose window closes.
 */
#pragma once

#include <stddef.h>
#include <string.h>
#include <sys/queue.h>

#include "diag/diag.h"

#define DIAG_NS_PER_MS 1000000ull
#define DIAG_QUIT_NS 60000000000ull /* for the peer to end its side after a !QUIT */

struct diag_session;

struct diag_buf {
	struct pkt_buf buf;
	struct diag_session *session; /* NULL: in the pool */
	struct diag_buf *next;        /* of the pool */
	uint8_t *echo;                /* its own DIAG_ECHO_BYTES; NULL: refers to the pattern */
};

struct diag_session {
	TAILQ_ENTRY(diag_session) link;       /* free, or every one */
	TAILQ_ENTRY(diag_session) wait_link;  /* for room */
	TAILQ_ENTRY(diag_session) timer_link; /* until due_ns */
	struct diag_lcore *lcore;
	struct stream *stream; /* NULL: gone, or not there yet */
	uint64_t owed_bytes;   /* of !SEND, not queued yet */
	uint64_t sent_bytes;   /* of the same, queued */
	uint64_t due_ns;       /* a pause is over; after !QUIT: the peer has had its time */
	uint32_t buf_count;    /* of the session, outside the pools */
	uint32_t echo_count;   /* echo buffers among these */
	bool used, connecting;
	bool waiting, timed;
	bool paused;
	bool mid_line;   /* the byte to come does not begin a line */
	bool in_command; /* it belongs to one */
	bool ended;      /* the peer has ended its side */
	bool shut;       /* so have we */
	bool quit;
	uint32_t command_bytes; /* seen; DIAG_LINE_BYTES_MAX of them are kept */
	char command[DIAG_LINE_BYTES_MAX + 1];
};
TAILQ_HEAD(diag_session_list, diag_session);

struct diag_lcore {
	struct diag_env env;
	struct diag_limits limits;
	struct diag_session_list free, used, waiting, timed;
	struct diag_buf *free_echo, *free_pattern;
	bool woken; /* something was given back that sessions may wait for */
	uint32_t session_count;
	struct diag_session *session_memory;
	struct diag_buf *buf_memory;
	uint8_t *byte_memory; /* the pattern, then the echo buffers */
};

/* ---- lcore.c ---- */
struct diag_session *diag_session_take(struct diag_lcore *lcore);
/* If nothing refers to it any more. */
void diag_session_release(struct diag_session *session);
/* NULL: none left. */
struct diag_buf *diag_take_echo(struct diag_session *session);
struct diag_buf *diag_take_pattern(struct diag_session *session);
void diag_wait(struct diag_session *session);
void diag_set_timer(struct diag_session *session, uint64_t due_ns);
void diag_stop_timer(struct diag_session *session);

/* ---- session.c ---- */
extern const struct stream_handler diag_handler;
/* Answer with these bytes; fewer are queued when room or buffers end.  Returns how many. */
uint32_t diag_answer(struct diag_session *session, const uint8_t *data, uint32_t len_bytes);
/* What is owed of the pattern, as far as the stream wants it.  False: not all of it, and the session waits. */
bool diag_send_pattern(struct diag_session *session);
/* The same, and what waits for its end.  Not from a callback. */
void diag_continue(struct diag_session *session);
/* May it read, so that it could answer? */
bool diag_may_read(const struct diag_session *session);
void diag_shutdown(struct diag_session *session);

/* ---- command.c ---- */
/* session->command is whole. */
void diag_obey(struct diag_session *session);

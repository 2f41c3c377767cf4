/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control socket: packets in, packets out, nothing of what they
 * mean.  Main lcore.
 *
 * Bounds: a connection is not read while CTL_REQUEST_COUNT_MAX of its requests
 * are unanswered or CTL_QUEUE_PAUSE_BYTES wait for it to read; lists stop at
 * CTL_QUEUE_STREAM_BYTES and go on when it has read.  What is still queued
 * without having been asked for ends the connection at CTL_QUEUE_DROP_BYTES.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wherry/ctl.h"

#define CTL_CONNECTION_COUNT_MAX 16
#define CTL_REQUEST_COUNT_MAX 256
#define CTL_QUEUE_STREAM_BYTES (64u << 10)
#define CTL_QUEUE_PAUSE_BYTES (512u << 10)
#define CTL_QUEUE_DROP_BYTES (4u << 20)

struct ctl_connection;

/* Who waits for an answer.  A value; when the connection is gone by then, the answer goes nowhere. */
struct ctl_reply {
	uint64_t connection; /* serial, 0: nobody waits */
	uint32_t request_id;
};

/* The final answers.  Exactly one of them for each request. */
void ctl_reply_ok(struct ctl_reply reply);
void ctl_reply_error(struct ctl_reply reply, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A typed one, already encoded with the request's id (len 0: encoding failed, which is answered as an error).
 * fd: goes with it and is taken over, -1: none. */
void ctl_reply_packet(struct ctl_reply reply, const uint8_t *packet, size_t len, int fd);

/*
 * A list on its way.  step sends a few items and is called again while the peer
 * reads them; at the end the stream is answered OK and destroyed.
 */
enum ctl_stream_state {
	CTL_STREAM_MORE, /* call again when there is room */
	CTL_STREAM_WAIT, /* call again after ctl_stream_resume */
	CTL_STREAM_DONE,
};
struct ctl_stream {
	struct ctl_stream *next;
	struct ctl_reply reply;
	enum ctl_stream_state (*step)(struct ctl_stream *stream);
	void (*destroy)(struct ctl_stream *stream); /* done, or the connection closed */
	bool waiting;
};
/* The stream belongs to the connection of stream->reply from now on. */
void ctl_stream_start(struct ctl_stream *stream);
void ctl_stream_resume(struct ctl_stream *stream);
/* From step: send one item, encoded with the request's id. */
void ctl_stream_send(struct ctl_stream *stream, const uint8_t *packet, size_t len);

/* What a connection may do. */
enum ctl_connection_state {
	CTL_CONNECTION_NEW, /* HELLO is awaited */
	CTL_CONNECTION_OBSERVER,
	CTL_CONNECTION_CONTROLLER,
	CTL_CONNECTION_CLOSING, /* reads nothing more, and is closed when its queue is out */
};

/* Take over an accepted socket.  0 or -errno (the socket is closed then). */
int ctl_connection_create(int fd);
/* Every connection now; nobody is told. */
void ctl_connection_destroy_all(void);
/* Close those that have not said HELLO in time. */
void ctl_connection_tick(uint64_t now_ns);
/* Make room for a new one: the oldest without HELLO, else the oldest observer, goes. */
void ctl_connection_make_room(void);

/* The connection that is the controller, NULL when there is none. */
struct ctl_connection *ctl_connection_controller(void);
enum ctl_connection_state ctl_connection_state(const struct ctl_connection *connection);
/* HELLO was accepted. */
void ctl_connection_greet(struct ctl_connection *connection, enum ctl_connection_state state);
/* Send a packet; fd is taken over, -1: none.  A peer that does not read is dropped. */
void ctl_connection_send(struct ctl_connection *connection, const uint8_t *packet, size_t len, int fd);
/* Close once everything queued is out. */
void ctl_connection_close(struct ctl_connection *connection);
/* Close now, at the latest before the next event is handled. */
void ctl_connection_drop(struct ctl_connection *connection);

/*
 * What dispatch.c does with a packet.  fd: what came with it, -1: none; the callee
 * owns it.  fd_error: 0, or why what came with it could not be taken (errno).
 * truncated: the packet was larger than a message may be.
 */
void ctl_dispatch(struct ctl_connection *connection, const uint8_t *packet, size_t len, bool truncated, int fd,
		  int fd_error);
/* The reply handle for a request that dispatch.c has begun; counts it as unanswered. */
struct ctl_reply ctl_connection_request(struct ctl_connection *connection, uint32_t request_id);
/* The controller's connection is gone. */
void ctl_controller_lost(void);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reliable stream of bytes in both directions, as a storage protocol sees it.
 *
 * TCP is one implementation (tcp/tcp.h); a TLS layer can stand between the two
 * by being a handler below and a stream above, and tests have one on host
 * sockets.  Everything happens on the lcore that owns the stream.
 *
 * Sending: the protocol queues buffers, which go out in order.  A buffer is
 * released (its last reference dropped) when the peer has acknowledged its last
 * byte and no packet in flight refers to it.  send never fails and never calls
 * back; the protocol bounds what it queues by watching stream_unsent.
 *
 * Receiving: on_data is given bytes in order, each byte once.  It returns how
 * many it took; when that is fewer than it was given, nothing more comes until
 * stream_resume, and the peer's window closes as the stream's own budget fills.
 *
 * Ending: on_end says that the peer sends no more; the protocol may go on
 * sending.  on_closed is the last call, after which the stream is gone; it comes
 * exactly once, for every reason.
 *
 * Callbacks may call every function of the stream, also stream_abort.  on_closed
 * never comes from inside a function of the stream, but later, at the end of the
 * turn.  Only stream_resume calls back (on_data, on_end), and only when it is not
 * itself called from a callback.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/ip.h"
#include "pkt/pkt.h"

struct stream;

enum stream_close {
	STREAM_CLOSED,      /* both sides ended in order */
	STREAM_RESET,       /* the peer reset it */
	STREAM_TIMED_OUT,   /* the peer was silent for too long (retransmission, keep-alive, user timeout) */
	STREAM_ABORTED,     /* this side reset it */
	STREAM_REFUSED,     /* active open: the peer refused it */
	STREAM_UNREACHABLE, /* active open: no way there */
};

struct stream_handler {
	/* The handshake is over; not called for accepted streams. */
	void (*on_open)(void *ctx);
	/* len > 0.  data is valid during the call only.  Returns bytes taken. */
	uint32_t (*on_data)(void *ctx, const uint8_t *data, uint32_t len);
	void (*on_end)(void *ctx);
	/* Unsent bytes have fallen to half of STREAM_UNSENT_BYTES_GOAL or below, after having reached the goal. */
	void (*on_room)(void *ctx);
	void (*on_closed)(void *ctx, enum stream_close reason);
};

/* A protocol that has so much or more queued and unsent had better wait for on_room. */
#define STREAM_UNSENT_BYTES_GOAL 1048576u

struct stream_info {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
};

struct stream_ops {
	void (*send)(struct stream *stream, struct pkt_buf *buf);
	void (*flush)(struct stream *stream);
	void (*resume)(struct stream *stream);
	void (*shutdown)(struct stream *stream);
	void (*abort)(struct stream *stream);
	void (*info)(const struct stream *stream, struct stream_info *info);
};

/* First member of every implementation. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_handler *handler;
	void *ctx;             /* the handler's */
	uint64_t unsent_bytes; /* queued and never sent; the implementation's to write */
};

/* Queue a buffer of len_bytes > 0 with one reference, which passes to the stream.  Not after shutdown or abort. */
static inline void stream_send(struct stream *stream, struct pkt_buf *buf)
{
	stream->ops->send(stream, buf);
}

/* No more for now: send what is queued although it does not fill a segment.  The end of a handler's callback does the
 * same for what the callback queued; completions from elsewhere call it once per batch. */
static inline void stream_flush(struct stream *stream)
{
	stream->ops->flush(stream);
}

/* Give on_data what it did not take, and go on.  Inside a callback: once that has returned. */
static inline void stream_resume(struct stream *stream)
{
	stream->ops->resume(stream);
}

/* End the sending side after everything queued. */
static inline void stream_shutdown(struct stream *stream)
{
	stream->ops->shutdown(stream);
}

/* Reset; what is queued is dropped. */
static inline void stream_abort(struct stream *stream)
{
	stream->ops->abort(stream);
}

static inline void stream_info(const struct stream *stream, struct stream_info *info)
{
	stream->ops->info(stream, info);
}

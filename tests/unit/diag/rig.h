/* SPDX-License-Identifier: BSD-3-Clause */
/* The diagnostic service over streams that are byte arrays. */
#pragma once

#include "diag/diag_priv.h"

#define RIG_BYTES (4u << 20)

struct rig_stream {
	struct stream stream; /* first */
	uint8_t *out;         /* what the peer has taken */
	size_t out_bytes;
	bool deaf; /* the peer takes nothing: buffers are kept */
	bool dead; /* it has ended, and the service was not told yet */
	struct pkt_buf *kept_first, *kept_last;
	uint8_t *in; /* given and not read */
	size_t in_bytes;
	bool in_callback, resume, end_given, end_told;
	bool shut, aborted;
	bool room_wanted;
	uint16_t port; /* the peer's */
};

struct rig {
	struct diag_lcore *lcore;
	uint64_t now_ns;
	int connect_error; /* of what !OPEN asks for; 0: it gets a stream */
	struct rig_stream *opened;
	struct stream_info opened_from;
};

extern struct rig rig;

void rig_init(const struct diag_limits *limits);
/* Streams are closed before.  Nothing may be left over. */
void rig_fini(void);
/* NULL: refused. */
struct rig_stream *rig_connect(void);
void rig_give(struct rig_stream *stream, const void *bytes, size_t len);
/* The peer ends its side, behind what it was given. */
void rig_give_end(struct rig_stream *stream);
/* The peer takes so many of the kept bytes, by whole buffers. */
void rig_take(struct rig_stream *stream, uint64_t bytes);
void rig_close(struct rig_stream *stream);
void rig_turn(uint64_t later_ns);

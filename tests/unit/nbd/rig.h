/* SPDX-License-Identifier: BSD-3-Clause */
/* An NBD lcore, volumes in memory whose I/O can be held or fail, and streams that are byte arrays. */
#pragma once

#include "../volume/held.h"
#include "nbd/nbd_priv.h"

#define RIG_DISK_BYTES (4u << 20)
#define RIG_OUT_BYTES (48u << 20)

struct rig_stream {
	struct stream stream; /* first */
	struct ip_addr remote;
	uint8_t *out; /* what the server has sent and the test has not read: out + out_at ... out_end */
	size_t out_at, out_end;
	bool keep; /* keep buffers: the peer reads nothing */
	struct pkt_buf *kept_first, *kept_last;
	uint8_t *in; /* given and not taken */
	size_t in_bytes;
	bool in_callback, resume;
	bool shut, aborted, closed;
};

struct rig {
	struct nbd_limits limits;
	struct nbd_lcore *lcore;
	uint64_t now_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	struct held *held;
	struct volume volume;
	struct vol_map *map;
	struct nbd_export *export_; /* "disk", default, of volume */
	struct nbd_export_settings settings;
};

/* held: I/O waits until held_release. */
void rig_init(struct rig *rig, bool held);
/* With these limits; called by rig_init with sensible ones. */
void rig_init_limits(struct rig *rig, bool held, const struct nbd_limits *limits);
/* Everything is idle and given back; streams are closed before. */
void rig_fini(struct rig *rig);

struct rig_stream *rig_connect(struct rig *rig);
/* Give bytes; what is not taken is kept and given again after a resume. */
void rig_give(struct rig *rig, struct rig_stream *stream, const void *bytes, size_t len);
/* The peer ends its side. */
void rig_give_end(struct rig *rig, struct rig_stream *stream);
/* Let go of kept buffers. */
void rig_release(struct rig *rig, struct rig_stream *stream);
/* The stream goes away, for whatever reason. */
void rig_close(struct rig *rig, struct rig_stream *stream);
void rig_turn(struct rig *rig);
/* The next len bytes that the server sent; the test fails when there are fewer. */
const uint8_t *rig_take(struct rig_stream *stream, size_t len);
size_t rig_left(const struct rig_stream *stream);

void rig_option(struct rig *rig, struct rig_stream *stream, uint32_t option, const void *data, uint32_t len);
/* The next option reply is of this type; its data, and their length in *len. */
const uint8_t *rig_expect_reply(struct rig_stream *stream, uint32_t option, uint32_t type, uint32_t *len);
/* Flags, and the greeting is taken. */
void rig_hello(struct rig *rig, struct rig_stream *stream);
void rig_go(struct rig *rig, struct rig_stream *stream, uint32_t option, const char *name);
enum rig_kind { RIG_SIMPLE, RIG_STRUCTURED, RIG_EXTENDED };
/* All of the handshake with the default export, base:allocation too unless simple. */
struct rig_stream *rig_ready(struct rig *rig, enum rig_kind kind);

void rig_request(struct rig *rig, struct rig_stream *stream, uint16_t type, uint16_t flags, uint64_t cookie,
		 uint64_t offset, uint64_t len);
/* The next thing is a simple reply of this cookie; its error. */
uint32_t rig_simple(struct rig_stream *stream, uint64_t cookie);
/* The next thing is a chunk of this cookie; its payload is at *body. */
struct nbd_chunk_header rig_chunk(struct rig_stream *stream, uint64_t cookie, const uint8_t **body);
/* A chunk with DONE that is this error. */
void rig_expect_error(struct rig_stream *stream, uint64_t cookie, enum nbd_error error);
/* A chunk NONE with DONE. */
void rig_expect_done(struct rig_stream *stream, uint64_t cookie);

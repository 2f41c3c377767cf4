/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD server: the fixed newstyle handshake and transmission over a stream.
 *
 * One nbd_lcore per worker owns the sessions whose streams live there, and a
 * table of the exports as that worker sees them.  Any number of sessions, on any
 * workers, may serve one export; its volume lives on one worker and is reached
 * through its vol_port.
 *
 * No clock, no allocation after creation, no DPDK: sessions, requests and I/O
 * buffers come from pools that nbd_limits sizes.  When they are used up a
 * session stops reading its stream, which closes the peer's window; it is never
 * the reason for an error.
 *
 * Source for the rules: the NBD protocol document of NetworkBlockDevice/nbd;
 * README "NBD" lists the policy choices.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/ip.h"
#include "tcp/stream.h"
#include "volume/remote.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

struct nbd_lcore;
struct nbd_export;

struct nbd_prefix {
	struct ip_addr addr;
	uint8_t bits; /* of the 128: an IPv4 /24 is 120 */
};

/* What an export is made from; copied. */
struct nbd_export_settings {
	uint64_t id;
	uint64_t generation;
	char name[WHERRY_NAME_BYTES_MAX + 1];
	char description[WHERRY_TEXT_BYTES_MAX + 1];
	bool read_only;
	bool is_default;      /* also answers to the empty name */
	uint16_t allow_count; /* 0: everybody */
	struct nbd_prefix allow[WHERRY_NBD_ALLOW_COUNT_MAX];
	struct vol_port volume; /* as this worker reaches it */
};

struct nbd_limits {
	uint32_t session_count;
	uint32_t request_count;      /* under way over all sessions */
	uint32_t request_count_each; /* of one session: 16 at least are always served */
	uint32_t buffer_count;       /* I/O buffers of buffer_bytes; a larger request takes several */
	uint32_t buffer_bytes;       /* a power of two, 65,536 or more; aligned to 4096 */
};

struct nbd_env {
	void *ctx;
	const uint64_t *now_ns; /* the time of the loop turn */
	uint64_t *lcore_stats;  /* [WHERRY_LCORE_STAT_COUNT]: nbd_* counters */
	/* Memory for buffers: DMA-able, aligned to 4096.  At creation only. */
	void *(*alloc)(void *ctx, uint64_t bytes);
	void (*free)(void *ctx, void *memory);
};

/* Main lcore.  NULL without memory. */
struct nbd_lcore *nbd_lcore_create(const struct nbd_env *env, const struct nbd_limits *limits);
/* No session is left and no request is under way. */
void nbd_lcore_destroy(struct nbd_lcore *lcore);

/* NULL with errno: ENOMEM, EINVAL. */
struct nbd_export *nbd_export_create(const struct nbd_export_settings *settings);
/* Removed or replaced, and idle. */
void nbd_export_destroy(struct nbd_export *export_);

/* ---- below: the owning lcore only ---- */

/*
 * Serve an export on this worker; replaces (and returns) one of the same id.
 * Sessions on the old one go on with the new one when nothing but the
 * description, the allow list or a larger size changed, and their address is
 * still allowed.  They are closed in order otherwise: what they have not begun to
 * change by then, they do not change any more.
 */
struct nbd_export *nbd_export_add(struct nbd_lcore *lcore, struct nbd_export *export_);
/* No new sessions; those that there are answer ESHUTDOWN and are closed.  Returns it, NULL when unknown. */
struct nbd_export *nbd_export_remove(struct nbd_lcore *lcore, uint64_t id);
/* No session and no request refers to it. */
bool nbd_export_idle(const struct nbd_export *export_);

/* A stream has connected (tcp_accept_fn): fill in its handler, or return false when no session is left. */
bool nbd_accept(void *lcore, struct stream *stream);

/* Deadlines of silent clients in the handshake, sessions that wait for buffers.  Every turn; cheap. */
unsigned nbd_poll(struct nbd_lcore *lcore, uint64_t now_ns);

uint32_t nbd_lcore_under_way(const struct nbd_lcore *lcore); /* requests */
uint32_t nbd_lcore_session_count(const struct nbd_lcore *lcore);
/* Finish what is under way, answer nothing new, close every session (shutdown).  Peers are not heard any more: what
 * waits for one of them is given up.  Again and again until nothing is under way. */
void nbd_lcore_drain(struct nbd_lcore *lcore);
/* The end: every stream is gone, nothing is under way.  Devices that have not said yet that they are done with what was
 * sent keep no export.  They do not give back what they have any more. */
void nbd_lcore_let_go(struct nbd_lcore *lcore);

/* ---- for the operator ---- */

const uint64_t *nbd_export_stats(const struct nbd_export *export_);               /* [WHERRY_EXPORT_STAT_COUNT] */
#define NBD_HIST_COUNT 3                                                          /* read, write, other */
const uint64_t *nbd_export_hist(const struct nbd_export *export_, unsigned kind); /* [WHERRY_HIST_BUCKET_COUNT] */

struct nbd_session_info {
	uint64_t export_id; /* 0: still in the handshake */
	struct stream_info ends;
	uint64_t since_ns;
	bool structured, extended, base_allocation;
	uint32_t under_way;
	uint64_t read_ops, read_bytes, write_ops, write_bytes, other_ops, errors;
};
/* Sessions from *cursor on (0 at first); returns how many were written, 0 at the end. */
unsigned nbd_session_copy(struct nbd_lcore *lcore, uint32_t *cursor, struct nbd_session_info *to, unsigned max);

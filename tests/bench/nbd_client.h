/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NBD client that the benchmarks share: one connection, a window of
 * outstanding reads or writes of one size at random places, matched by cookie.
 *
 * Knows bytes only; a transport (sockets, the dataplane's own TCP) moves them.
 * The first eight bytes of every block say where it lies, so that a reply with
 * the data of another place is an error.  Single-threaded; time is passed in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wherry/stats.h"

#define NBD_CLIENT_DEPTH_MAX 128u
#define NBD_CLIENT_HEAD_BYTES_MAX 64u /* of what nbd_client_next gives */

struct nbd_client_config {
	unsigned depth;       /* outstanding requests, 1 .. NBD_CLIENT_DEPTH_MAX */
	uint32_t block_bytes; /* of a request: a multiple of 512 */
	bool write;
	bool structured;     /* ask for structured replies */
	bool unmarked;       /* the server keeps no data: do not look for the marks */
	uint64_t span_bytes; /* part of the export that is touched */
	uint64_t seed;
	unsigned fill_first, fill_stride; /* first, write every so manyth block from here on; stride 0: no */
};

struct nbd_client_slot {
	bool busy;
	uint16_t generation;
	uint64_t offset_bytes, sent_ns;
	uint32_t left_bytes; /* of a read, to come */
};

struct nbd_client {
	struct nbd_client_config config;
	uint8_t state; /* enum nbd_client_state */
	struct nbd_client_slot slots[NBD_CLIENT_DEPTH_MAX];
	uint8_t free_slots[NBD_CLIENT_DEPTH_MAX];
	unsigned free_count;
	bool filling;           /* every block is written once */
	bool waiting;           /* for nbd_client_go, once that is done */
	bool stopping, stopped; /* no more requests; the last word is said when all are answered */
	unsigned stride;        /* of blocks, while filling */
	uint64_t cursor_bytes, random;

	/* what has come in */
	uint8_t head[32];
	uint32_t head_bytes, head_want_bytes;
	uint64_t skip_bytes;  /* payload behind it */
	uint32_t check_bytes; /* of a block's mark, still to be compared: the first of skip_bytes */
	uint8_t mark[8];
	unsigned reply_slot; /* that it belongs to */
	bool reply_done;     /* and is the last of */
	uint32_t option_type;

	bool hello; /* something of the handshake is to be sent */
	uint64_t completed, errors;
	uint64_t hist[WHERRY_HIST_BUCKET_COUNT];
};

enum nbd_client_state {
	NBD_CLIENT_GREETING,
	NBD_CLIENT_OPTION_STRUCTURED,
	NBD_CLIENT_OPTION_GO,
	NBD_CLIENT_READY,
	NBD_CLIENT_FAILED, /* the server does not do what it should: end it */
};

void nbd_client_init(struct nbd_client *client, const struct nbd_client_config *config);

/* Bytes from the server, all of which are taken. */
void nbd_client_input(struct nbd_client *client, const uint8_t *data, uint32_t len_bytes, uint64_t now_ns);

/*
 * What to send next: its first bytes into head, whose length is returned, 0:
 * nothing for now.  *body_bytes more follow, which may be anything: they do not
 * matter to the client.
 */
uint32_t nbd_client_next(struct nbd_client *client, uint8_t head[NBD_CLIENT_HEAD_BYTES_MAX], uint32_t *body_bytes,
			 uint64_t now_ns);

/* What was to be written first is everywhere: go on.  Several clients of one export wait for each other. */
static inline void nbd_client_go(struct nbd_client *client)
{
	client->waiting = false;
}

/* No more requests: once every one is answered, nbd_client_next says goodbye, and stopped is true. */
static inline void nbd_client_stop(struct nbd_client *client)
{
	client->stopping = true;
}

/* Nothing is under way. */
static inline bool nbd_client_is_idle(const struct nbd_client *client)
{
	return client->state == NBD_CLIENT_READY && client->free_count == client->config.depth;
}

/* Forget what was counted so far (end of warm-up). */
void nbd_client_reset_counters(struct nbd_client *client);
/* Latency below which the given share (0..1) of all replies came, in nanoseconds. */
uint64_t nbd_client_percentile_ns(const struct nbd_client *clients, unsigned count, double share);
/* One JSON object on stdout: iops, bytes_per_s, latencies, errors. */
void nbd_client_print_json(const struct nbd_client *clients, unsigned count, const char *transport, double seconds,
			   double cpu_seconds);

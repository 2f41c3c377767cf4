/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AoE initiator that the benchmarks share: a window of outstanding reads or
 * writes against one export, matched by tag, with latency histogram and
 * retransmission of what stays unanswered.
 *
 * Knows frames only; a transport (packet socket, memif) moves them.  Single
 * threaded; time is passed in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wherry/stats.h"

#define LOAD_WINDOW_MAX 1024u

struct load_config {
	uint8_t source_mac[6];
	uint8_t target_mac[6]; /* broadcast until discovered */
	uint16_t shelf;
	uint8_t slot;
	unsigned window;  /* outstanding requests, 1 .. LOAD_WINDOW_MAX */
	unsigned sectors; /* of 512 bytes per request */
	bool write;
	bool sequential;       /* else uniformly random, aligned to the request's size */
	uint64_t span_sectors; /* part of the export that is touched; 0: all of it */
	uint64_t seed;
	uint64_t timeout_ns; /* unanswered for so long: sent again */
};

struct load_slot {
	uint32_t tag;
	bool busy;
	uint64_t lba;
	uint64_t sent_ns, first_sent_ns;
};

struct load {
	struct load_config config;
	struct load_slot slots[LOAD_WINDOW_MAX];
	uint16_t free_slots[LOAD_WINDOW_MAX];
	unsigned free_count;
	uint64_t capacity_sectors, cursor, random;
	uint32_t sequence;
	uint64_t completed, retransmitted, errors, strays;
	uint64_t hist[WHERRY_HIST_BUCKET_COUNT];
};

void load_init(struct load *load, const struct load_config *config);

/* Frames are written to buf, which must hold load_frame_bytes_max.  Lengths in bytes. */
uint32_t load_frame_bytes_max(const struct load *load);
uint32_t load_build_discover(const struct load *load, uint8_t *buf); /* Config read to the broadcast address */
uint32_t load_build_identify(const struct load *load, uint8_t *buf);
/* The next request, or 0 when the window is full. */
uint32_t load_build_next(struct load *load, uint8_t *buf, uint64_t now_ns);
/* A request that timed out, or 0.  Call now and then. */
uint32_t load_build_retransmit(struct load *load, uint8_t *buf, uint64_t now_ns);

enum load_event { LOAD_IGNORED, LOAD_DISCOVERED, LOAD_IDENTIFIED, LOAD_COMPLETED, LOAD_FAILED };
/* Feed a received frame. */
enum load_event load_on_frame(struct load *load, const uint8_t *frame, uint32_t len_bytes, uint64_t now_ns);

/* Forget what was counted so far (end of warm-up). */
void load_reset_counters(struct load *load);
/* Latency below which the given share (0..1) of answers came, in nanoseconds. */
uint64_t load_percentile_ns(const struct load *load, double share);
/* One JSON object on stdout: iops, bytes_per_s, latencies, losses. */
void load_print_json(const struct load *load, const char *transport, double seconds, double cpu_seconds);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated disk, as a backend.
 *
 * An I/O takes effect at one moment after it was submitted and is completed at a
 * later one; latencies are drawn, with a tail of stalls longer than any client's
 * patience.  Writes without FUA go to a volatile cache that is written back in
 * order, at leisure; a flush and FUA make durable.  When power fails, each sector
 * keeps any one of the versions since its last durable one, independently of all
 * others.  When only the process fails, the cache stays, and each sector of each
 * I/O under way has reached the disk or never will.
 *
 * Completions are collected until the lcore that the volume lives on polls.
 */
#pragma once

#include "backend/backend.h"
#include "core.h"

struct disk_cached; /* one sector in the volatile cache */
struct disk_io;

struct disk_latency {
	uint32_t low_us, high_us;
	uint32_t stall_ppm, stall_high_ms;
};

struct disk {
	struct backend backend; /* first member */
	struct sim *sim;
	unsigned index;
	struct rng rng;
	struct disk_latency latency;
	uint8_t *durable, *current;
	struct disk_cached *cached_first, *cached_last;
	uint32_t cached_count;
	struct disk_io *under_way; /* submitted, not completed */
	struct disk_io *ready_first, *ready_last;
	struct disk_io *unused;
	bool dead; /* what uses it is being torn down: nothing takes effect, everything fails at once */
	void (*on_ready)(struct sim *sim, void *ctx); /* a completion waits */
	void *ready_ctx;
	uint64_t io_count, stall_count;
};

void disk_init(struct disk *disk, struct sim *sim, unsigned index, uint64_t size_bytes, uint32_t align_bytes,
	       uint32_t memory_align_bytes);
/* Run the callbacks of completed I/O.  Returns how many. */
unsigned disk_poll(struct disk *disk);
/* The process that uses it is gone: decide the fate of what is under way, and fail it at the next polls. */
void disk_process_lost(struct disk *disk);
/* The process is gone with the power: the volatile cache too. */
void disk_power_lost(struct disk *disk);
/* A new process uses it. */
void disk_revive(struct disk *disk);

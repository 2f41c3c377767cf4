/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The I/O engine of one worker lcore, and the backends that run on it.
 *
 * One engine per lcore: an io_uring (SINGLE_ISSUER | DEFER_TASKRUN where the
 * kernel has them) and the list of delayed I/O of the fault injector.  Creation
 * happens on the main lcore except for the ring itself, which is set up by the
 * first backend_engine_attach on the owning thread (SINGLE_ISSUER demands it).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

struct backend_engine;

/* ring_entries 0: no io_uring (simulator, unit tests of other backends).  NULL without memory. */
struct backend_engine *backend_engine_create(unsigned ring_entries);
/* On the owning thread, before its first I/O.  0, or -errno with a sentence that names the remedy in error. */
int backend_engine_attach(struct backend_engine *engine, char *error, size_t error_bytes);
/* Submit what was queued (one system call at most) and run completions.  Returns how many I/Os completed. */
unsigned backend_engine_poll(struct backend_engine *engine, uint64_t now_ns);
/* I/Os that the engine holds (ring and delayed). */
uint32_t backend_engine_under_way(const struct backend_engine *engine);
/* Nothing under way. */
void backend_engine_destroy(struct backend_engine *engine);

/* Zeros on read, writes vanish.  Completes at once.  NULL without memory; freed by ops->destroy, like all of them. */
struct backend *backend_null_create(uint64_t size_bytes);

/* Shared mapping of fd (memfd, size at least size_bytes); takes its own reference, fd stays the caller's.
 * NULL with errno. Completes at once. */
struct backend *backend_ram_create(int fd, uint64_t size_bytes);

/* Regular file or block device through the engine's ring.  fd is borrowed and must outlive the backend.
 * Short transfers are continued; a read that meets the end completes with IO_ERR_SHORT.
 * FUA is RWF_DSYNC, flush is fdatasync, discard punches a hole, write zeroes falls back to writing. */
struct backend *backend_file_create(struct backend_engine *engine, int fd, uint64_t size_bytes, uint32_t align_bytes,
				    uint32_t memory_align_bytes);

/* The injector.  Stacks on any backend, which it then owns.  All zero: transparent. */
struct backend_fault_plan {
	uint64_t seed;
	uint32_t read_error_ppm, write_error_ppm, flush_error_ppm, no_space_ppm;
	uint32_t delay_ppm, delay_us;
	uint64_t bad_offset_bytes, bad_length_bytes; /* I/O that touches this range fails with IO_ERR_MEDIA */
};
struct backend *backend_fault_create(struct backend_engine *engine, struct backend *below,
				     const struct backend_fault_plan *plan);
/* Owning lcore. */
void backend_fault_set_plan(struct backend *fault, const struct backend_fault_plan *plan);
/* The backend below, for removing the injector; ownership goes back to the caller, the injector may be destroyed. */
struct backend *backend_fault_detach(struct backend *fault);

/* Backing store grew.  Only ram and null and file know how; 0 or -errno.  Owning lcore, nothing under way needed. */
int backend_resize(struct backend *backend, uint64_t size_bytes);

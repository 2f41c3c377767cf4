/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The I/O engine of one worker lcore, and the backends that run on it.
 *
 * One engine per lcore: an io_uring (SINGLE_ISSUER | DEFER_TASKRUN where the
 * kernel has them) and the list of delayed I/O of the fault injector.  Creation
 * happens on the main lcore except for the ring itself, which is set up by
 * backend_engine_attach on the owning thread (SINGLE_ISSUER demands it).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

struct backend_engine;

/*
 * ring_entries: how many I/Os the kernel may hold at once (more of them wait in
 * the engine); 0: no io_uring, and none is touched (simulator, tests of the
 * other backends).  NULL without memory.  Main lcore.
 */
struct backend_engine *backend_engine_create(unsigned ring_entries);
/* Set up the ring.  On the owning thread, before its first I/O.  0, or -errno with a sentence that names the remedy
 * in error; file I/O then fails with IO_ERR_MEDIA. */
int backend_engine_attach(struct backend_engine *engine, char *error, size_t error_bytes);
/* Start what was queued (one system call at most) and run completions.  Returns how many I/Os moved on. */
unsigned backend_engine_poll(struct backend_engine *engine, uint64_t now_ns);
/* I/Os that the engine holds (ring, waiting for the ring, and delayed). */
uint32_t backend_engine_under_way(const struct backend_engine *engine);
/* When the earliest delayed I/O is due, UINT64_MAX when none: how long a lcore may sleep. */
uint64_t backend_engine_next_due_ns(const struct backend_engine *engine);
/* How the ring was set up, for the operator: "io_uring (deferred task run)"; static storage. */
const char *backend_engine_mode(const struct backend_engine *engine);
/* Nothing under way.  The owning thread, or any one after the owning thread has ended. */
void backend_engine_destroy(struct backend_engine *engine);

/* Zeros on read, writes vanish.  Completes at once.  NULL without memory; freed by ops->destroy, like all of them. */
struct backend *backend_null_create(uint64_t size_bytes);

/*
 * Shared mapping of fd: a memfd made with MFD_ALLOW_SEALING, of at least
 * size_bytes, whose memory its maker has allocated (fallocate), so that neither
 * a shrink nor a lack of memory can raise SIGBUS later: F_SEAL_SHRINK is added
 * here.  Takes its own reference, fd stays the caller's.  Completes at once.  A
 * discard does nothing, because freed memory might be gone when it is written.
 * NULL with errno: EINVAL too small, EPERM cannot be sealed, ENOMEM and others.
 */
struct backend *backend_ram_create(int fd, uint64_t size_bytes);
/* Its memory, for whoever places it.  ram: made by backend_ram_create.  Before use. */
void *backend_ram_memory(const struct backend *ram, size_t *bytes);

/*
 * Regular file or block device through the engine's ring; short transfers of a
 * file in tmpfs complete at once.  fd is borrowed and must outlive the backend.  Short transfers are continued; a read
 * that meets the end completes with IO_ERR_SHORT.  Flush is fdatasync, one at a time.  FUA is RWF_DSYNC while nothing
 * older waits to be made durable, and an fdatasync of its own otherwise, because its failure must tell which was lost.
 * Discard punches a hole where it can be done, write zeroes falls back to
 * writing zeros.  A write past the end of a shrunk regular file makes it grow
 * again, as the kernel does: watching the size is the owner's business.
 * size_bytes: a multiple of align_bytes.  NULL without memory.
 */
struct backend *backend_file_create(struct backend_engine *engine, int fd, uint64_t size_bytes, uint32_t align_bytes,
				    uint32_t memory_align_bytes);
/*
 * A sync of the store has failed.  The kernel says so once and forgets what it
 * could not write, so the next sync would succeed without it: from then on every
 * flush and every FUA operation fails with IO_ERR_MEDIA, until somebody has been
 * told and calls backend_file_forgive.  A store's own failure to take one FUA
 * write is not that, as long as everything before is durable.  file: made by
 * backend_file_create.  Any thread.
 */
bool backend_file_sync_lost(const struct backend *file);
/* Sync again, whatever was lost.  Owning lcore. */
void backend_file_forgive(struct backend *file);
/* Somebody before may have left data behind that is not durable: be as careful as if this backend had.  Before use. */
void backend_file_expect_unsynced(struct backend *file);

/*
 * Tell found of every hole of a regular file or memfd: ranges in ascending order
 * that read as zeros now.  What is not told of may be anything: a block device
 * has no holes that it knows of, and after count_max of them nobody looks on.
 * Moves the descriptor's offset.  Any thread.
 */
void backend_find_holes(int fd, uint64_t size_bytes, unsigned count_max,
			void (*found)(void *ctx, uint64_t offset_bytes, uint64_t len_bytes), void *ctx);

/*
 * The injector.  Stacks on any backend but another injector, which it then owns.
 * All zero: transparent.  Rates are per million I/Os, decided by a generator that
 * is seeded whenever the plan is set.
 *
 * What a failed I/O did: a write (or zeroes, or discard) that fails by
 * write_error_ppm has reached the backend below or has not, by an even draw: a
 * caller may rely on neither, as with a real disk.  One that fails by
 * no_space_ppm or by the bad range has not reached it.  A failed flush made
 * nothing durable.
 */
struct backend_fault_plan {
	uint64_t seed;
	uint32_t read_error_ppm, write_error_ppm, flush_error_ppm, no_space_ppm;
	uint32_t delay_ppm, delay_us; /* a delay comes before the I/O goes below; counted from the engine's last poll */
	uint64_t bad_offset_bytes, bad_length_bytes; /* I/O that touches this range fails with IO_ERR_MEDIA */
};
struct backend *backend_fault_create(struct backend_engine *engine, struct backend *below,
				     const struct backend_fault_plan *plan);
/* Owning lcore, at any time; I/O that was delayed before goes on as was decided. */
void backend_fault_set_plan(struct backend *fault, const struct backend_fault_plan *plan);
/* I/O that the injector holds or listens to.  While it is not 0, it may not be detached or destroyed. */
uint32_t backend_fault_under_way(const struct backend *fault);
/* Take the backend below out; ownership of it goes back to the caller, and the injector may only be destroyed. */
struct backend *backend_fault_detach(struct backend *fault);

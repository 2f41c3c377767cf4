/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine, a backend and a way to run one I/O to its end. */
#pragma once

#include "backend/engine.h"

struct rig_io {
	struct backend_io io;
	struct iovec iov;
	bool done;
	enum io_status status;
};

/* Engine with a ring; the test is skipped where the kernel has no io_uring. */
struct backend_engine *rig_engine(unsigned ring_entries);
void rig_start(struct backend *backend, struct rig_io *io, enum backend_op op, uint32_t flags, uint64_t offset,
	       void *bytes, uint64_t len);
/* Poll until it is done; the test fails after 20 s. */
enum io_status rig_wait(struct backend_engine *engine, struct rig_io *io);
/* Both. engine may be NULL for backends that complete at once. */
enum io_status rig_run(struct backend_engine *engine, struct backend *backend, enum backend_op op, uint32_t flags,
		       uint64_t offset, void *bytes, uint64_t len);
/* An unlinked temporary file of that size in dir (NULL: where temporary files go); -1 when open refuses open_flags. */
int rig_file(const char *dir, uint64_t size_bytes, int open_flags);
/* A file system in memory of that size, seen by this process only and gone with it.  The test is skipped where it may
 * not be mounted.  Returns its path. */
const char *rig_tmpfs(const char *options);

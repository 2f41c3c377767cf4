/* SPDX-License-Identifier: BSD-3-Clause */
#include "rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

struct backend_engine *rig_engine(unsigned ring_entries)
{
	char error[256] = "";
	struct backend_engine *engine = backend_engine_create(ring_entries);
	cr_assert(engine);
	if (backend_engine_attach(engine, error, sizeof error) < 0)
		cr_skip_test("%s", error);
	return engine;
}

static void on_done(struct backend_io *io, enum io_status status)
{
	struct rig_io *rig_io = (struct rig_io *)io;
	cr_assert(!rig_io->done, "completed twice");
	rig_io->done = true;
	rig_io->status = status;
}

void rig_start(struct backend *backend, struct rig_io *io, enum backend_op op, uint32_t flags, uint64_t offset,
	       void *bytes, uint64_t len)
{
	*io = (struct rig_io){.iov = {bytes, len},
			      .io = {.op = op,
				     .flags = flags,
				     .offset_bytes = offset,
				     .len_bytes = len,
				     .iov_count = 1,
				     .done = on_done}};
	io->io.iov = &io->iov;
	backend_submit(backend, &io->io);
}

enum io_status rig_wait(struct backend_engine *engine, struct rig_io *io)
{
	static uint64_t now_ns;
	for (unsigned turn = 0; !io->done && turn < 400000; turn++) {
		now_ns += 1000;
		if (backend_engine_poll(engine, now_ns) == 0 && turn > 100)
			usleep(50);
	}
	cr_assert(io->done, "I/O never completed");
	return io->status;
}

enum io_status rig_run(struct backend_engine *engine, struct backend *backend, enum backend_op op, uint32_t flags,
		       uint64_t offset, void *bytes, uint64_t len)
{
	struct rig_io io;
	rig_start(backend, &io, op, flags, offset, bytes, len);
	return engine ? rig_wait(engine, &io) : io.status;
}

int rig_file(const char *dir, uint64_t size_bytes, int open_flags)
{
	char path[256];
	if (!dir)
		dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	snprintf(path, sizeof path, "%s/wherry-test-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);
	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	cr_assert(ftruncate(fd, (off_t)size_bytes) == 0);
	int again = open(path, O_RDWR | O_CLOEXEC | open_flags);
	unlink(path);
	close(fd);
	return again;
}

const char *rig_tmpfs(const char *options)
{
	/* A mount namespace of this test's process: whatever happens, the kernel cleans up. */
	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no mount namespace: %s", strerror(errno));
	cr_assert(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	if (mount("tmpfs", "/mnt", "tmpfs", 0, options) < 0)
		cr_skip_test("no tmpfs: %s", strerror(errno));
	return "/mnt";
}

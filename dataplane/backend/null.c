/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeros on read, writes vanish: for measuring everything above.  Completes at once. */
#include <stdlib.h>
#include <string.h>

#include "backend/engine.h"

static enum io_status null_run(struct backend *backend, struct backend_io *io)
{
	(void)backend;
	if (io->op == BACKEND_READ) {
		for (uint32_t i = 0; i < io->iov_count; i++)
			memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	}
	return IO_OK;
}

static int null_resize(struct backend *backend, uint64_t size_bytes)
{
	(void)backend;
	(void)size_bytes;
	return 0;
}

static void null_destroy(struct backend *backend)
{
	free(backend);
}

static const struct backend_ops null_ops = {
	.name = "null",
	.run = null_run,
	.resize = null_resize,
	.destroy = null_destroy,
};

struct backend *backend_null_create(uint64_t size_bytes)
{
	struct backend *backend = calloc(1, sizeof *backend);
	if (backend)
		*backend = (struct backend){&null_ops, size_bytes, 1, 1};
	return backend;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory shared with the control plane, so that its content survives this
 * process.  Completes at once.  The memory is sealed against shrinking and
 * never given back: an access cannot fault.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/engine.h"

struct ram {
	struct backend backend;
	int fd;
	uint8_t *bytes;
	size_t mapped_bytes; /* at least size_bytes */
};

static void ram_copy(struct ram *ram, const struct backend_io *io)
{
	uint8_t *at = ram->bytes + io->offset_bytes;
	for (uint32_t i = 0; i < io->iov_count; i++) {
		if (io->op == BACKEND_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
}

static enum io_status ram_run(struct backend *backend, struct backend_io *io)
{
	struct ram *ram = (struct ram *)backend;
	assert(io->offset_bytes <= ram->mapped_bytes && io->len_bytes <= ram->mapped_bytes - io->offset_bytes);
	switch (io->op) {
	case BACKEND_READ:
	case BACKEND_WRITE:
		ram_copy(ram, io);
		break;
	case BACKEND_WRITE_ZEROES:
		memset(ram->bytes + io->offset_bytes, 0, io->len_bytes);
		break;
	case BACKEND_FLUSH:
	case BACKEND_DISCARD:
		break;
	}
	return IO_OK;
}

#define LINE_BYTES 64u
#define LINES_A_STEP 8u             /* one sector */
#define PREFETCH_BYTES_MAX 16384ull /* what the first cache can hold beside the copy under way */

/* Memory of a random block is far away, but many lines of it can be on their way at once. */
static void ram_prefetch(struct backend *backend, uint64_t offset_bytes, uint64_t len_bytes)
{
	const uint8_t *at = ((struct ram *)backend)->bytes + offset_bytes;
	const uint8_t *end = at + (len_bytes < PREFETCH_BYTES_MAX ? len_bytes : PREFETCH_BYTES_MAX);
	for (; at < end; at += LINES_A_STEP * LINE_BYTES) {
		__builtin_prefetch(at + 0 * LINE_BYTES);
		__builtin_prefetch(at + 1 * LINE_BYTES);
		__builtin_prefetch(at + 2 * LINE_BYTES);
		__builtin_prefetch(at + 3 * LINE_BYTES);
		__builtin_prefetch(at + 4 * LINE_BYTES);
		__builtin_prefetch(at + 5 * LINE_BYTES);
		__builtin_prefetch(at + 6 * LINE_BYTES);
		__builtin_prefetch(at + 7 * LINE_BYTES);
	}
}

/* 0 or -errno: the memfd holds that much. */
static int ram_check_size(int fd, uint64_t size_bytes)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	return size_bytes == 0 || size_bytes > (uint64_t)st.st_size ? -EINVAL : 0;
}

static int ram_resize(struct backend *backend, uint64_t size_bytes)
{
	struct ram *ram = (struct ram *)backend;
	int result = ram_check_size(ram->fd, size_bytes);
	if (result < 0 || size_bytes <= ram->mapped_bytes)
		return result;
	/* A second mapping, not mremap: hugetlb memory cannot be remapped to a larger size. */
	void *bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ram->fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	munmap(ram->bytes, ram->mapped_bytes);
	ram->bytes = bytes;
	ram->mapped_bytes = size_bytes;
	return 0;
}

static void ram_destroy(struct backend *backend)
{
	struct ram *ram = (struct ram *)backend;
	munmap(ram->bytes, ram->mapped_bytes);
	close(ram->fd);
	free(ram);
}

static const struct backend_ops ram_ops = {
	.name = "ram",
	.run = ram_run,
	.prefetch = ram_prefetch,
	.resize = ram_resize,
	.destroy = ram_destroy,
};

/* 0 or -errno: nobody can shrink it any more. */
static int ram_seal(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return -EPERM;
	if (!(seals & F_SEAL_SHRINK) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return -errno;
	return 0;
}

struct backend *backend_ram_create(int fd, uint64_t size_bytes)
{
	int result = ram_seal(fd);
	if (result == 0)
		result = ram_check_size(fd, size_bytes);
	if (result < 0) {
		errno = -result;
		return NULL;
	}
	struct ram *ram = calloc(1, sizeof *ram);
	if (!ram)
		return NULL;
	ram->backend = (struct backend){&ram_ops, size_bytes, 1, 1};
	ram->mapped_bytes = size_bytes;
	ram->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (ram->fd < 0)
		goto fail;
	ram->bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ram->fd, 0);
	if (ram->bytes != MAP_FAILED)
		return &ram->backend;
	result = errno;
	close(ram->fd);
	errno = result;
fail:
	result = errno;
	free(ram);
	errno = result;
	return NULL;
}

void *backend_ram_memory(const struct backend *backend, size_t *bytes)
{
	const struct ram *ram = (const struct ram *)backend;
	*bytes = ram->mapped_bytes;
	return ram->bytes;
}

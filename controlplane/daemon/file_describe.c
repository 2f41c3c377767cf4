/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an open descriptor is.  Alignment comes from the kernel where it tells,
 * and is proven by a read in any case: what a file system says and what the
 * device below it takes are not always the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/file_priv.h"

#define ALIGN_BYTES_MAX 4096u

static uint32_t round_align(uint32_t bytes)
{
	return bytes <= 512 ? 512 : ALIGN_BYTES_MAX;
}

/* The granularity to begin with; 0: direct I/O cannot be done. */
static uint32_t told_align(int fd, bool block_device, uint32_t *memory_align)
{
	*memory_align = 512;
#ifdef STATX_DIOALIGN
	struct statx sx;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 && (sx.stx_mask & STATX_DIOALIGN)) {
		if (sx.stx_dio_offset_align == 0 || sx.stx_dio_offset_align > ALIGN_BYTES_MAX ||
		    sx.stx_dio_mem_align > ALIGN_BYTES_MAX)
			return 0;
		*memory_align = round_align(sx.stx_dio_mem_align);
		return round_align(sx.stx_dio_offset_align);
	}
#endif
	int sector = 512;
	if (block_device && ioctl(fd, BLKSSZGET, &sector) == 0 && sector > (int)ALIGN_BYTES_MAX)
		return 0;
	return round_align((uint32_t)sector);
}

/* One read of align bytes at an address aligned to memory_align and no better. */
static int try_read(int fd, uint32_t align, uint32_t memory_align)
{
	char *room = aligned_alloc(ALIGN_BYTES_MAX, 4 * ALIGN_BYTES_MAX);

	if (!room)
		return -ENOMEM;
	char *at = room + (memory_align < ALIGN_BYTES_MAX ? memory_align : 0);
	int rc = pread(fd, at, align, 0) < 0 ? -errno : 0;
	free(room);
	return rc;
}

static int probe_direct(int fd, bool block_device, struct monitor_file_result *result)
{
	uint32_t memory_align;
	uint32_t align = told_align(fd, block_device, &memory_align);

	for (; align != 0; align = align < ALIGN_BYTES_MAX ? ALIGN_BYTES_MAX : 0) {
		for (uint32_t memory = memory_align;; memory = ALIGN_BYTES_MAX) {
			int rc = try_read(fd, align, memory);
			if (rc == 0) {
				result->align_bytes = align;
				result->memory_align_bytes = memory;
				result->flags |= MONITOR_RESULT_DIRECT;
				return 0;
			}
			if (rc != -EINVAL)
				return rc;
			if (memory == ALIGN_BYTES_MAX)
				break;
		}
	}
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT) == 0 ? 0 : -errno;
}

int file_describe(int fd, struct monitor_file_result *result)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) != 0)
		return -errno;
	bool block_device = S_ISBLK(st.st_mode);
	result->flags = block_device ? MONITOR_RESULT_BLOCK_DEVICE : 0;
	result->align_bytes = result->memory_align_bytes = 1;
	result->device = block_device ? st.st_rdev : st.st_dev;
	result->inode = st.st_ino;
	result->size_bytes = (uint64_t)st.st_size;
	if (block_device && ioctl(fd, BLKGETSIZE64, &result->size_bytes) != 0)
		return -errno;
	if (flags & O_NONBLOCK)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return flags & O_DIRECT ? probe_direct(fd, block_device, result) : 0;
}

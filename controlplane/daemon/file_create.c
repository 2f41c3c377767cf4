/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/file_priv.h"

static int refuse_full(const char *path, uint64_t size_bytes, uint64_t free_bytes, struct fail *fail)
{
	char want[TEXT_SIZE_BYTES], have[TEXT_SIZE_BYTES];

	return fail_set(fail, FAIL_FAILED, "%s: %s do not fit, its file system has %s free; free space there", path,
			text_size_emit(size_bytes, want), text_size_emit_short(free_bytes, have));
}

/* UINT64_MAX where the file system does not tell. */
static uint64_t free_bytes(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && fs.f_blocks ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

static int refuse_length(const char *path, uint64_t size_bytes, uint64_t was_free, int error, struct fail *fail)
{
	char want[TEXT_SIZE_BYTES];

	if (error == ENOSPC)
		return refuse_full(path, size_bytes, was_free, fail);
	if (error == EFBIG)
		return fail_set(fail, FAIL_FAILED, "%s: %s are more than its file system allows for a file", path,
				text_size_emit(size_bytes, want));
	if (error == EOPNOTSUPP)
		return fail_set(fail, FAIL_FAILED,
				"%s: its file system cannot allocate beforehand; ask for a sparse"
				" file",
				path);
	return fail_set(fail, FAIL_FAILED, "%s: cannot be made %s long: %s", path, text_size_emit(size_bytes, want),
			strerror(error));
}

/*
 * Length and, unless sparse, blocks; durable.  What cannot fit is not even tried:
 * fallocate would take all that is free before it fails, and whatever else lives
 * there, sparse volumes and the state among them, would find the disk full meanwhile.
 */
static int set_length(int fd, const char *path, uint64_t size_bytes, bool sparse, struct fail *fail)
{
	struct stat st;
	uint64_t was_free = free_bytes(fd);
	int rc;

	if (!sparse && fstat(fd, &st) == 0 && size_bytes > (uint64_t)st.st_size &&
	    size_bytes - (uint64_t)st.st_size > was_free)
		return refuse_full(path, size_bytes, was_free, fail);
	do
		rc = sparse ? ftruncate(fd, (off_t)size_bytes) : fallocate(fd, 0, 0, (off_t)size_bytes);
	while (rc != 0 && errno == EINTR);
	if (rc != 0 || fsync(fd) != 0)
		return refuse_length(path, size_bytes, was_free, errno, fail);
	return 0;
}

static int refuse_make(const char *path, int error, struct fail *fail)
{
	if (error == EEXIST)
		return fail_set(fail, FAIL_CONFLICT, "%s: exists already; leave out create_file to use it as it is",
				path);
	return fail_set(fail, FAIL_FAILED, "%s: cannot be made: %s", path, strerror(error));
}

/* Complete the file without a name first, so that a crash leaves no part of it.  1: not possible here. */
static int make_unnamed(int dir, const char *name, const struct monitor_file *request, struct fail *fail)
{
	char link[64];
	int rc;
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL
			       ? 1
			       : refuse_make(request->path, errno, fail);
	rc = set_length(fd, request->path, request->size_bytes, request->flags & MONITOR_FILE_SPARSE, fail);
	if (rc == 0) {
		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if (linkat(AT_FDCWD, link, dir, name, AT_SYMLINK_FOLLOW) != 0)
			rc = refuse_make(request->path, errno, fail);
	}
	close(fd);
	return rc;
}

static int make_named(int dir, const char *name, const struct monitor_file *request, struct fail *fail)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return refuse_make(request->path, errno, fail);
	int rc = set_length(fd, request->path, request->size_bytes, request->flags & MONITOR_FILE_SPARSE, fail);
	if (rc != 0)
		(void)unlinkat(dir, name, 0);
	close(fd);
	return rc;
}

int file_create(const struct file_policy *policy, const struct monitor_file *request, struct fail *fail)
{
	char copy[2][WHERRY_PATH_BYTES_MAX + 1], dir_path[PATH_MAX], resolved[PATH_MAX + NAME_MAX + 2];

	memcpy(copy[0], request->path, sizeof copy[0]);
	memcpy(copy[1], request->path, sizeof copy[1]);
	const char *name = basename(copy[0]);
	if (strcmp(name, "/") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fail_set(fail, FAIL_USAGE, "%s: not the name of a file", request->path);
	if (!realpath(dirname(copy[1]), dir_path))
		return fail_set(fail, FAIL_FAILED, "%s: its directory: %s", request->path, strerror(errno));
	(void)snprintf(resolved, sizeof resolved, "%s/%s", strcmp(dir_path, "/") == 0 ? "" : dir_path, name);
	if (file_policy_check(policy, resolved, false, fail) != 0)
		return -1;
	int dir = file_open_resolved(dir_path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return fail_set(fail, FAIL_FAILED, "%s: its directory: %s", request->path, strerror(errno));
	/* Known before, so that a long allocation is not in vain. */
	struct stat st;
	int rc = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? refuse_make(request->path, EEXIST, fail) : 0;
	if (rc == 0)
		rc = make_unnamed(dir, name, request, fail);
	if (rc == 1)
		rc = make_named(dir, name, request, fail);
	if (rc == 0 && fsync(dir) != 0) {
		(void)unlinkat(dir, name, 0);
		rc = refuse_make(request->path, errno, fail);
	}
	close(dir);
	return rc;
}

int file_grow(int fd, const char *path, uint64_t size_bytes, struct monitor_file_result *result, struct fail *fail)
{
	struct stat st;
	int rc = file_describe(fd, result);

	if (rc != 0 || fstat(fd, &st) != 0)
		return fail_set(fail, FAIL_FAILED, "%s: cannot be read: %s", path, strerror(rc ? -rc : errno));
	if (result->size_bytes >= size_bytes)
		return 0;
	if (!S_ISREG(st.st_mode)) {
		char have[TEXT_SIZE_BYTES];
		return fail_set(fail, FAIL_FAILED, "%s: the device has only %s; make the device larger first", path,
				text_size_emit(result->size_bytes, have));
	}
	bool sparse = (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size;
	if (set_length(fd, path, size_bytes, sparse, fail) != 0) {
		/* What fallocate got before it failed goes back. */
		(void)!ftruncate(fd, st.st_size);
		return -1;
	}
	return file_describe(fd, result) == 0 ? 0 : fail_set(fail, FAIL_FAILED, "%s: cannot be read", path);
}

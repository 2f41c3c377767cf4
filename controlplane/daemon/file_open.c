/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/file_priv.h"

/* Open a resolved path: a symbolic link anywhere in it means that somebody changed it meanwhile. */
static int open_resolved(const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

	if (fd < 0 && errno == ENOSYS)
		return open(path, (int)how.flags);
	return (int)fd;
}

static int refuse_open(const char *path, int error, struct fail *fail)
{
	if (error == ENOENT)
		return fail_set(fail, FAIL_FAILED, "%s: does not exist; create it, or ask for create_file", path);
	if (error == EBUSY)
		return fail_set(fail, FAIL_CONFLICT, "%s: in use by the system (mounted?); unmount it first", path);
	if (error == ELOOP)
		return fail_set(fail, FAIL_FAILED, "%s: was replaced by a symbolic link while it was opened", path);
	return fail_set(fail, FAIL_FAILED, "%s: cannot be opened: %s", path, strerror(error));
}

/* Only regular files and block devices; anything else may have side effects on opening. */
static int check_kind(const char *path, const struct stat *st, struct fail *fail)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	return fail_set(fail, FAIL_FAILED, "%s: neither a regular file nor a block device", path);
}

int file_resolve(const struct file_policy *policy, const char *path, char resolved[PATH_MAX], struct stat *st,
		 struct fail *fail)
{
	if (!realpath(path, resolved) || stat(resolved, st) != 0)
		return refuse_open(path, errno, fail);
	if (check_kind(path, st, fail) != 0)
		return -1;
	return file_policy_check(policy, resolved, S_ISBLK(st->st_mode), fail);
}

/* A device is claimed with O_EXCL, which mounted ones refuse; a file is locked. */
static int lock_descriptor(int fd, const char *path, struct fail *fail)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail_set(fail, FAIL_CONFLICT,
				"%s: locked by another program, perhaps another volume or another wherryd; end that"
				" use first",
				path);
	return fail_set(fail, FAIL_FAILED, "%s: cannot be locked: %s", path, strerror(errno));
}

/* With O_DIRECT if the file system takes it, else without. */
static int open_direct(const char *path, int flags, struct fail *fail)
{
	int fd = open_resolved(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open_resolved(path, flags);
	return fd < 0 ? refuse_open(path, errno, fail) : fd;
}

static void say_fallback(struct monitor_file_result *result)
{
	if (!(result->flags & MONITOR_RESULT_DIRECT))
		(void)snprintf(result->text, sizeof result->text,
			       "through the page cache: its file system does not support direct I/O");
}

int file_open(const struct file_policy *policy, const struct monitor_file *request, struct monitor_file_result *result,
	      struct fail *fail)
{
	char resolved[PATH_MAX];
	struct stat before, after;

	if ((request->flags & MONITOR_FILE_CREATE) && file_create(policy, request, fail) != 0)
		return -1;
	if (file_resolve(policy, request->path, resolved, &before, fail) != 0)
		return -1;
	int flags = request->flags & MONITOR_FILE_READ_ONLY ? O_RDONLY : O_RDWR;
	if (S_ISBLK(before.st_mode))
		flags |= O_EXCL;
	int fd = open_direct(resolved, flags, fail);
	if (fd < 0)
		return -1;
	if (fstat(fd, &after) != 0 || check_kind(request->path, &after, fail) != 0 ||
	    S_ISBLK(before.st_mode) != S_ISBLK(after.st_mode) || lock_descriptor(fd, request->path, fail) != 0) {
		if (fail->kind == FAIL_NONE)
			(void)fail_set(fail, FAIL_FAILED, "%s: was replaced while it was opened", request->path);
		close(fd);
		return -1;
	}
	int rc = file_describe(fd, result);
	if (rc != 0) {
		close(fd);
		return fail_set(fail, FAIL_FAILED, "%s: cannot be read: %s", request->path, strerror(-rc));
	}
	say_fallback(result);
	return fd;
}

int file_erase(const struct file_policy *policy, const struct monitor_file *request, struct fail *fail)
{
	char resolved[PATH_MAX];
	struct stat st;

	if (file_resolve(policy, request->path, resolved, &st, fail) != 0)
		return -1;
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, FAIL_FAILED, "%s: a device is not erased", request->path);
	if (request->inode && (request->device != st.st_dev || request->inode != st.st_ino))
		return fail_set(fail, FAIL_CONFLICT, "%s: no longer the volume's file; it was left alone",
				request->path);
	if (unlink(resolved) != 0)
		return fail_set(fail, FAIL_FAILED, "%s: cannot be removed: %s", request->path, strerror(errno));
	return 0;
}

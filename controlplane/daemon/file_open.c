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
#include "daemon/file_holder.h"
#include "daemon/file_priv.h"

int file_open_resolved(const char *resolved, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, resolved, &how, sizeof how);

	if (fd < 0 && errno == ENOSYS)
		return open(resolved, (int)how.flags);
	return (int)fd;
}

static int refuse_open(const char *path, int error, struct fail *fail)
{
	if (error == ENOENT)
		return fail_set(fail, FAIL_FAILED, "%s: does not exist; create it, or ask for create_file", path);
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

/* Says who has it, where that can be known; BRIEF: where it costs nothing. */
static int refuse_locked(const struct monitor_file *request, const struct stat *st, struct monitor_file_result *result,
			 struct fail *fail)
{
	char holder[FILE_HOLDER_BYTES] = "";

	result->flags = MONITOR_RESULT_LOCKED;
	if (request->flags & MONITOR_FILE_BRIEF)
		return fail_set(fail, FAIL_CONFLICT, "%s: locked", request->path);
	if (file_holder(st, holder) && strstr(holder, "(wherry-dataplan"))
		return fail_set(fail, FAIL_CONFLICT,
				"%s: in use by %s; a volume that was deleted keeps its file until its I/O has ended:"
				" try again then",
				request->path, holder);
	if (holder[0])
		return fail_set(fail, FAIL_CONFLICT, "%s: in use by %s; end that use first", request->path, holder);
	return fail_set(
		fail, FAIL_CONFLICT,
		"%s: in use, but by no process to be seen: %sI/O of one that was killed is still on its way, and"
		" could overwrite what came later",
		request->path, S_ISBLK(st->st_mode) ? "the system has a part of it, or " : "");
}

/* Against everybody who heeds flock (another wherryd), and everybody who heeds fcntl (QEMU).  A file system that has
 * none of the latter has the former.  0, or -errno. */
static int lock_descriptor(int fd, bool read_only)
{
	struct flock whole = {.l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole) != 0 && (errno == EAGAIN || errno == EACCES))
		return -EWOULDBLOCK;
	return 0;
}

/* The file that pin stands for.  The link leads nowhere else, whatever its text says, but the text is checked: what
 * the unprivileged half may have opened are the files of volumes, and nothing else. */
static int open_pinned(const char *link, int flags)
{
	return open(link, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* With O_DIRECT if the file system takes it, else without.  -1 with errno. */
static int open_direct(const char *path, int flags, int (*opener)(const char *path, int flags))
{
	int fd = opener(path, flags | O_DIRECT);

	return fd < 0 && errno == EINVAL ? opener(path, flags) : fd;
}

static int resolve_pin(const struct file_policy *policy, const struct monitor_file *request, int pin,
		       char link[PATH_MAX], struct stat *st, struct fail *fail)
{
	char path[PATH_MAX];

	(void)snprintf(link, PATH_MAX, "/proc/self/fd/%d", pin);
	ssize_t len = pin < 0 ? -1 : readlink(link, path, sizeof path - 1);
	if (len < 0 || fstat(pin, st) != 0)
		return fail_set(fail, FAIL_FAILED, "%s: the descriptor to open it by is none", request->path);
	path[len] = '\0';
	if (!S_ISREG(st->st_mode))
		return fail_set(fail, FAIL_FAILED, "%s: not a regular file", request->path);
	return file_policy_check(policy, path, false, fail);
}

static void say_fallback(struct monitor_file_result *result)
{
	if (!(result->flags & MONITOR_RESULT_DIRECT))
		(void)snprintf(result->text, sizeof result->text,
			       "through the page cache: its file system does not support direct I/O");
}

/* What a fresh descriptor must pass.  0 or -1. */
static int settle_open(int fd, const struct monitor_file *request, const struct stat *before,
		       struct monitor_file_result *result, struct fail *fail)
{
	struct stat after;

	if (fstat(fd, &after) != 0 || S_ISBLK(before->st_mode) != S_ISBLK(after.st_mode))
		return fail_set(fail, FAIL_FAILED, "%s: was replaced while it was opened", request->path);
	if (check_kind(request->path, &after, fail) != 0)
		return -1;
	int rc = lock_descriptor(fd, request->flags & MONITOR_FILE_READ_ONLY);
	if (rc == -EWOULDBLOCK)
		return refuse_locked(request, &after, result, fail);
	if (rc != 0)
		return fail_set(fail, FAIL_FAILED, "%s: cannot be locked: %s", request->path, strerror(-rc));
	rc = file_describe(fd, result);
	if (rc != 0)
		return fail_set(fail, FAIL_FAILED, "%s: cannot be read: %s", request->path, strerror(-rc));
	say_fallback(result);
	return 0;
}

int file_open(const struct file_policy *policy, const struct monitor_file *request, int pin,
	      struct monitor_file_result *result, struct fail *fail)
{
	char resolved[PATH_MAX];
	struct stat before;
	bool anew = request->flags & MONITOR_FILE_ANEW;

	if ((request->flags & MONITOR_FILE_CREATE) && file_create(policy, request, fail) != 0)
		return -1;
	if (anew ? resolve_pin(policy, request, pin, resolved, &before, fail) != 0
		 : file_resolve(policy, request->path, resolved, &before, fail) != 0)
		return -1;
	int flags = request->flags & MONITOR_FILE_READ_ONLY ? O_RDONLY : O_RDWR;
	if (S_ISBLK(before.st_mode))
		flags |= O_EXCL; /* mounted ones refuse it */
	int fd = open_direct(resolved, flags, anew ? open_pinned : file_open_resolved);
	if (fd < 0)
		return errno == EBUSY ? refuse_locked(request, &before, result, fail)
				      : refuse_open(request->path, errno, fail);
	if (settle_open(fd, request, &before, result, fail) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Remove the last component of a resolved path, if it is still the regular file that was resolved. */
static int unlink_resolved(char resolved[PATH_MAX], const struct stat *expected)
{
	struct stat st;
	char *slash = strrchr(resolved, '/');

	*slash = '\0';
	int dir = file_open_resolved(slash == resolved ? "/" : resolved, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return -errno;
	int rc = fstatat(dir, slash + 1, &st, AT_SYMLINK_NOFOLLOW) != 0 ? -errno : 0;
	if (rc == 0 && (st.st_dev != expected->st_dev || st.st_ino != expected->st_ino))
		rc = -ESTALE;
	if (rc == 0 && unlinkat(dir, slash + 1, 0) != 0)
		rc = -errno;
	close(dir);
	return rc;
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
	int rc = unlink_resolved(resolved, &st);
	if (rc != 0)
		return fail_set(fail, FAIL_FAILED, "%s: cannot be removed: %s", request->path, strerror(-rc));
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of volumes: where they may lie, how they are opened, made, grown, erased. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/file_open.h"
#include "folder.h"

TestSuite(cp_file, .fini = folder_remove);

#define SIZE 65536u

static struct file_policy policy_of(const char *prefix)
{
	struct file_policy policy = {0};

	cr_assert_eq(file_policy_add(&policy, prefix), 0);
	return policy;
}

static struct monitor_file request_of(const char *path, uint32_t flags, uint64_t size_bytes)
{
	struct monitor_file request = {.flags = flags, .size_bytes = size_bytes};

	(void)snprintf(request.path, sizeof request.path, "%s", path);
	return request;
}

static int open_file(const char *path, uint32_t flags, uint64_t size_bytes, struct monitor_file_result *result,
		     struct fail *fail)
{
	const struct file_policy policy = policy_of(folder());
	const struct monitor_file request = request_of(path, flags, size_bytes);

	memset(result, 0, sizeof *result);
	*fail = (struct fail){.kind = FAIL_NONE};
	return file_open(&policy, &request, -1, result, fail);
}

static const char *made_file(const char *name)
{
	const char *path = folder_path(name);
	char *bytes = calloc(1, SIZE);

	folder_write(path, bytes, SIZE);
	free(bytes);
	return path;
}

Test(cp_file, prefixes_allow_what_lies_below_and_not_what_only_starts_alike)
{
	struct file_policy policy = {0};
	static const struct {
		const char *path;
		bool device, allowed;
	} cases[] = {
		{"/srv/images/a", false, true},
		{"/srv/images/sub/a", false, true},
		{"/srv/images", false, false},
		{"/srv/images2/a", false, false},
		{"/srv/a", false, false},
		{"/etc/passwd", false, false},
		{"/dev/sda", true, true},
		{"/dev/shm/a", false, false},
		{"/dev/shm/a", true, true},
		{"/srv/images/b", true, true},
		{"", false, false},
	};

	cr_expect_eq(file_policy_add(&policy, "relative"), -EINVAL);
	cr_assert_eq(file_policy_add(&policy, "/srv/images/"), 0);
	cr_assert_eq(file_policy_add(&policy, "/dev"), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.kind = FAIL_NONE};
		cr_expect_eq(file_policy_check(&policy, cases[i].path, cases[i].device, &fail) == 0, cases[i].allowed,
			     "'%s': %s", cases[i].path, fail.text);
		if (!cases[i].allowed)
			cr_expect_not_null(strstr(fail.text, "--allow-path"), "'%s': %s", cases[i].path, fail.text);
	}
	for (int i = 2; i < FILE_PREFIX_COUNT_MAX; i++)
		cr_expect_eq(file_policy_add(&policy, "/srv"), 0);
	cr_expect_eq(file_policy_add(&policy, "/srv"), -ENOSPC);
}

Test(cp_file, the_daemons_own_directories_are_nobodys_volume_also_inside_a_prefix)
{
	struct file_policy policy = {0};
	static const struct {
		const char *path;
		bool device, allowed;
	} cases[] = {
		{"/srv/w/disk", false, true},
		{"/srv/w/state/state.db", false, false},
		{"/srv/w/state/sub/file", false, false},
		{"/srv/w/state/node", true, false},
		{"/srv/w/state/volumes/disk", false, true},
		{"/srv/w/state/volumes2/disk", false, false},
		{"/srv/w/state2/disk", false, true},
		{"/srv/w/state", false, true},
		{"/srv/run/dataplane.lock", false, false},
	};

	cr_assert_eq(file_policy_add(&policy, "/srv/w"), 0);
	cr_assert_eq(file_policy_add(&policy, "/srv/w/state/volumes"), 0);
	cr_assert_eq(file_policy_add(&policy, "/srv/run"), 0);
	cr_assert_eq(file_policy_keep_out(&policy, "/srv/w/state/"), 0);
	cr_assert_eq(file_policy_keep_out(&policy, "/srv/run"), 0);
	cr_expect_eq(file_policy_keep_out(&policy, "/srv"), -ENOSPC);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.kind = FAIL_NONE};
		cr_expect_eq(file_policy_check(&policy, cases[i].path, cases[i].device, &fail) == 0, cases[i].allowed,
			     "'%s': %s", cases[i].path, fail.text);
		if (!cases[i].allowed)
			cr_expect_not_null(strstr(fail.text, "its own files"), "'%s': %s", cases[i].path, fail.text);
	}
}

/* In a process of its own: a directory and a link to another one change places, as fast as they can. */
static pid_t swap_for_ever(const char *directory, const char *link)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (renameat2(AT_FDCWD, directory, AT_FDCWD, link, RENAME_EXCHANGE) == 0)
		;
	_exit(1);
}

Test(cp_file, a_directory_that_becomes_a_link_meanwhile_leads_nowhere, .timeout = 60)
{
	const char *inside = folder_path("in"), *outside = folder_path("out"), *via = folder_path("in/via"),
		   *made = folder_path("in/via/sub/new"), *escaped = folder_path("out/sub/new");
	struct file_policy policy = policy_of(folder());
	unsigned count = 0;

	cr_assert_eq(mkdir(inside, 0700) | mkdir(outside, 0700) | mkdir(via, 0700), 0);
	cr_assert_eq(mkdir(folder_path("in/via/sub"), 0700) | mkdir(folder_path("out/sub"), 0700), 0);
	policy = policy_of(inside);
	cr_assert_eq(symlink(outside, folder_path("in/link")), 0);
	pid_t swapper = swap_for_ever(via, folder_path("in/link"));
	for (int i = 0; i < 20000; i++) {
		const struct monitor_file create = request_of(made, MONITOR_FILE_CREATE | MONITOR_FILE_SPARSE, 4096);
		struct monitor_file_result result = {.flags = 0};
		struct fail fail = {.kind = FAIL_NONE};
		int fd = file_open(&policy, &create, -1, &result, &fail);
		if (fd >= 0) {
			count++;
			close(fd);
		}
		cr_assert_eq(access(escaped, F_OK), -1, "round %d made a file outside", i);
		(void)file_erase(&policy, &create, &fail);
	}
	cr_assert_eq(kill(swapper, SIGKILL), 0);
	cr_assert_eq(waitpid(swapper, NULL, 0), swapper);
	cr_expect_gt(count, 0u, "the link was never away");
}

Test(cp_file, an_opened_file_is_described_locked_and_close_on_exec)
{
	const char *path = made_file("disk");
	struct monitor_file_result result, second;
	struct fail fail;

	int fd = open_file(path, 0, 0, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(result.size_bytes, SIZE);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	cr_expect_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	bool direct = result.flags & MONITOR_RESULT_DIRECT;
	cr_expect_eq(direct, (fcntl(fd, F_GETFL) & O_DIRECT) != 0);
	cr_expect_eq(direct, result.text[0] == '\0', "a fall-back is told: '%s'", result.text);
	cr_expect(direct ? result.align_bytes == 512 || result.align_bytes == 4096 : result.align_bytes == 1);
	cr_expect_eq(open_file(path, 0, 0, &second, &fail), -1, "it was opened twice");
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	cr_expect_not_null(strstr(fail.text, path), "%s", fail.text);
	close(fd);
	fd = open_file(path, MONITOR_FILE_READ_ONLY, 0, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
}

/* In a process of its own: hold a lock until the returned pipe end is closed. */
static pid_t hold(const char *path, const struct flock *range, int *release)
{
	int ready[2], end[2];
	char byte;

	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(end), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		close(end[1]);
		int rc = range ? fcntl(fd, F_OFD_SETLK, range) : flock(fd, LOCK_EX | LOCK_NB);
		_exit(rc == 0 && write(ready[1], "", 1) == 1 && read(end[0], &byte, 1) == 0 ? 0 : 1);
	}
	cr_assert_gt(pid, 0);
	close(ready[1]);
	close(end[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1, "no lock for the other process");
	close(ready[0]);
	*release = end[1];
	return pid;
}

Test(cp_file, whoever_locks_it_keeps_others_out_and_is_named)
{
	/* Bytes that QEMU locks, for reading, of an image that it writes to; and what a plain fcntl program may do. */
	struct flock qemu = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1};
	struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	const struct flock *const ways[] = {NULL, &qemu, &first};
	const char *path = made_file("disk");

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct monitor_file_result result;
		struct fail fail;
		int release, status;
		char name[32];
		pid_t pid = hold(path, ways[i], &release);
		(void)snprintf(name, sizeof name, "process %d (", (int)pid);
		cr_expect_eq(open_file(path, 0, 0, &result, &fail), -1, "way %zu: opened", i);
		cr_expect_eq(fail.kind, FAIL_CONFLICT);
		cr_expect_eq(result.flags, MONITOR_RESULT_LOCKED);
		cr_expect(strstr(fail.text, path) && strstr(fail.text, name), "way %zu: %s", i, fail.text);
		cr_expect_eq(open_file(path, MONITOR_FILE_BRIEF, 0, &result, &fail), -1);
		cr_expect(strstr(fail.text, path) && !strstr(fail.text, name), "way %zu: %s", i, fail.text);
		close(release);
		cr_expect(waitpid(pid, &status, 0) == pid && status == 0);
		int fd = open_file(path, 0, 0, &result, &fail);
		cr_expect_geq(fd, 0, "way %zu: free again: %s", i, fail.text);
		cr_expect_eq(fcntl(fd, F_OFD_GETLK, &first), 0,
			     "the lock is the description's: it does not see its own");
		cr_expect_eq(first.l_type, F_UNLCK);
		first.l_type = F_WRLCK;
		close(fd);
	}
}

Test(cp_file, a_lock_lives_as_long_as_any_reference_to_the_description)
{
	const char *path = made_file("disk");
	struct monitor_file_result result;
	struct fail fail;

	int fd = open_file(path, 0, 0, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	int other = dup(fd);
	close(fd);
	cr_expect_eq(open_file(path, 0, 0, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "still on its way"), "nobody else has it: %s", fail.text);
	close(other);
	fd = open_file(path, 0, 0, &result, &fail);
	cr_expect_geq(fd, 0, "%s", fail.text);
	close(fd);
}

static int open_anew(const char *path, int pin, uint32_t flags, struct monitor_file_result *result, struct fail *fail)
{
	const struct file_policy policy = policy_of(folder());
	const struct monitor_file request = request_of(path, flags | MONITOR_FILE_ANEW, 0);

	memset(result, 0, sizeof *result);
	*fail = (struct fail){.kind = FAIL_NONE};
	return file_open(&policy, &request, pin, result, fail);
}

Test(cp_file, a_file_is_opened_anew_by_its_pin_wherever_it_is_now)
{
	const char *path = made_file("disk");
	struct monitor_file_result first, again;
	struct fail fail;
	char link[40];

	int fd = open_file(path, 0, 0, &first, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int pin = open(link, O_PATH | O_CLOEXEC);
	cr_assert_geq(pin, 0);
	cr_expect_eq(open_anew(path, pin, 0, &again, &fail), -1, "while the first description lives");
	cr_expect_eq(again.flags, MONITOR_RESULT_LOCKED);
	close(fd);
	fd = open_anew(path, pin, 0, &again, &fail);
	cr_assert_geq(fd, 0, "a pin holds no lock: %s", fail.text);
	cr_expect(again.inode == first.inode && again.size_bytes == SIZE && again.align_bytes == first.align_bytes);
	cr_expect_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	/* Another file takes its name: the volume's is the one that had it. */
	cr_assert_eq(unlink(path), 0);
	made_file("disk");
	fd = open_anew(path, pin, MONITOR_FILE_READ_ONLY, &again, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(again.inode, first.inode);
	cr_expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	close(pin);
}

Test(cp_file, a_pin_opens_nothing_that_a_path_would_not)
{
	struct monitor_file_result result;
	struct fail fail;

	int outside = open("/etc/passwd", O_PATH | O_CLOEXEC), device = open("/dev/null", O_PATH | O_CLOEXEC),
	    dir = open(folder(), O_PATH | O_CLOEXEC);
	cr_expect_eq(open_anew("/etc/passwd", outside, MONITOR_FILE_READ_ONLY, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "--allow-path"), "%s", fail.text);
	cr_expect_eq(open_anew(made_file("disk"), outside, MONITOR_FILE_READ_ONLY, &result, &fail), -1,
		     "the path of the request says nothing");
	cr_expect_eq(open_anew("/dev/null", device, 0, &result, &fail), -1);
	cr_expect_eq(open_anew(folder(), dir, 0, &result, &fail), -1);
	cr_expect_eq(open_anew(folder_path("disk"), -1, 0, &result, &fail), -1, "without a pin");
	close(outside);
	close(device);
	close(dir);
}

Test(cp_file, links_are_followed_before_the_prefix_is_checked)
{
	const char *inside = made_file("disk"), *good = folder_path("good"), *bad = folder_path("bad"),
		   *broken = folder_path("broken"), *through = folder_path("dir/passwd");
	struct monitor_file_result result;
	struct fail fail;

	cr_assert_eq(symlink(inside, good), 0);
	cr_assert_eq(symlink("/etc/passwd", bad), 0);
	cr_assert_eq(symlink("/nowhere", broken), 0);
	cr_assert_eq(symlink("/etc", folder_path("dir")), 0);
	int fd = open_file(good, 0, 0, &result, &fail);
	cr_expect_geq(fd, 0, "%s", fail.text);
	close(fd);
	cr_expect_eq(open_file(bad, MONITOR_FILE_READ_ONLY, 0, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "--allow-path"), "%s", fail.text);
	cr_expect_eq(open_file(broken, 0, 0, &result, &fail), -1);
	cr_expect_eq(open_file(through, MONITOR_FILE_READ_ONLY, 0, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "--allow-path"), "%s", fail.text);
	char *up = folder_path("../../etc/passwd");
	cr_expect_eq(open_file(up, MONITOR_FILE_READ_ONLY, 0, &result, &fail), -1, "out by ..");
}

Test(cp_file, only_regular_files_and_block_devices_are_opened, .timeout = 20)
{
	const char *fifo = folder_path("fifo");
	struct monitor_file_result result;
	struct fail fail;

	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_expect_eq(open_file(fifo, 0, 0, &result, &fail), -1, "a pipe");
	cr_expect_not_null(strstr(fail.text, "neither"), "%s", fail.text);
	cr_expect_eq(open_file(folder(), 0, 0, &result, &fail), -1, "a folder");
	cr_expect_eq(open_file("/dev/null", 0, 0, &result, &fail), -1, "a character device");
	cr_expect_eq(open_file(folder_path("missing"), 0, 0, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "create_file"), "%s", fail.text);
}

Test(cp_file, a_file_is_made_whole_with_its_blocks_or_sparse_and_never_over_another)
{
	const char *path = folder_path("new"), *sparse = folder_path("sparse");
	struct monitor_file_result result;
	struct fail fail;
	struct stat st;

	int fd = open_file(path, MONITOR_FILE_CREATE, SIZE, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(result.size_bytes, SIZE);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_geq((uint64_t)st.st_blocks * 512, SIZE, "its blocks are there");
	cr_expect_eq(st.st_mode & 07777, 0600u);
	close(fd);
	fd = open_file(sparse, MONITOR_FILE_CREATE | MONITOR_FILE_SPARSE, 1ull << 40, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(result.size_bytes, 1ull << 40);
	cr_expect_lt(st.st_blocks, 1024);
	close(fd);
	folder_write(path, "precious", 8);
	cr_expect_eq(open_file(path, MONITOR_FILE_CREATE, SIZE, &result, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	unsigned long len;
	char *bytes = folder_read(path, &len);
	cr_expect(len == 8 && memcmp(bytes, "precious", 8) == 0, "the file that was there changed");
	cr_assert_eq(symlink("/tmp/elsewhere", folder_path("link")), 0);
	cr_expect_eq(open_file(folder_path("link"), MONITOR_FILE_CREATE, SIZE, &result, &fail), -1, "over a link");
	cr_expect_eq(open_file("/etc/wherry-new", MONITOR_FILE_CREATE, SIZE, &result, &fail), -1, "outside");
	cr_expect_eq(access("/etc/wherry-new", F_OK), -1);
	static const char *const odd[] = {"/..", "/.", "/"};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		char name[300];
		(void)snprintf(name, sizeof name, "%s%s", folder(), odd[i]);
		cr_expect_eq(open_file(name, MONITOR_FILE_CREATE, SIZE, &result, &fail), -1, "%s", name);
	}
}

Test(cp_file, a_file_that_does_not_fit_leaves_nothing_behind)
{
	const char *mount_point = folder_path("tiny");
	struct monitor_file_result result;
	struct fail fail;
	struct statvfs before, after;
	char path[600];

	cr_assert_eq(mkdir(mount_point, 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", mount_point, "tmpfs", 0, "size=1m") != 0)
		cr_skip_test("mounting a small file system needs root");
	(void)snprintf(path, sizeof path, "%s/disk", mount_point);
	cr_assert_eq(statvfs(mount_point, &before), 0);
	cr_expect_eq(open_file(path, MONITOR_FILE_CREATE, 4u << 20, &result, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_FAILED);
	cr_expect_not_null(strstr(fail.text, "do not fit"), "%s", fail.text);
	cr_expect_eq(access(path, F_OK), -1, "a part of it is left");
	cr_assert_eq(statvfs(mount_point, &after), 0);
	cr_expect_eq(after.f_bfree, before.f_bfree, "its blocks are still taken");
	int fd = open_file(path, MONITOR_FILE_CREATE, 256u << 10, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(file_grow(fd, path, 4u << 20, &result, &fail), -1);
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_size, 256 << 10, "a growth that failed is taken back");
	close(fd);
	cr_expect_eq(umount(mount_point), 0);
}

Test(cp_file, what_cannot_fit_takes_no_block_from_others_on_the_way)
{
	struct monitor_file_result result;
	struct statvfs fs;
	struct fail fail;

	cr_assert_eq(statvfs(folder(), &fs), 0);
	const uint64_t all = (uint64_t)fs.f_blocks * fs.f_frsize;
	cr_expect_eq(open_file(folder_path("disk"), MONITOR_FILE_CREATE, all * 2, &result, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "do not fit"), "%s", fail.text);
	/* Told after everything had been taken, it would be none. */
	cr_expect_null(strstr(fail.text, " 0B free"), "%s", fail.text);
	int fd = open_file(folder_path("small"), MONITOR_FILE_CREATE, SIZE, &result, &fail);
	cr_assert_geq(fd, 0, "%s", fail.text);
	cr_expect_eq(file_grow(fd, "small", all * 2, &result, &fail), -1);
	cr_expect_null(strstr(fail.text, " 0B free"), "%s", fail.text);
	close(fd);
}

Test(cp_file, growing_keeps_sparse_files_sparse_and_never_shrinks)
{
	struct monitor_file_result result;
	struct fail fail;
	struct stat st;

	int fd = open_file(folder_path("a"), MONITOR_FILE_CREATE, SIZE, &result, &fail);
	cr_assert_geq(fd, 0);
	cr_expect_eq(file_grow(fd, "a", 4 * SIZE, &result, &fail), 0, "%s", fail.text);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect(st.st_size == 4 * SIZE && (uint64_t)st.st_blocks * 512 >= 4 * SIZE);
	cr_expect_eq(result.size_bytes, 4 * SIZE);
	cr_expect_eq(file_grow(fd, "a", SIZE, &result, &fail), 0);
	cr_expect_eq(result.size_bytes, 4 * SIZE, "it is large enough already");
	close(fd);
	fd = open_file(folder_path("b"), MONITOR_FILE_CREATE | MONITOR_FILE_SPARSE, SIZE, &result, &fail);
	cr_assert_geq(fd, 0);
	cr_expect_eq(file_grow(fd, "b", 1ull << 40, &result, &fail), 0, "%s", fail.text);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect(st.st_size == 1ll << 40 && st.st_blocks < 1024);
	close(fd);
}

Test(cp_file, only_the_file_that_was_the_volume_is_erased)
{
	const struct file_policy policy = policy_of(folder());
	const char *path = made_file("disk");
	struct monitor_file request = request_of(path, 0, 0);
	struct fail fail;
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	request.device = st.st_dev;
	request.inode = st.st_ino + 1;
	cr_expect_eq(file_erase(&policy, &request, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	cr_expect_eq(access(path, F_OK), 0);
	request.inode = st.st_ino;
	cr_expect_eq(file_erase(&policy, &request, &fail), 0, "%s", fail.text);
	cr_expect_eq(access(path, F_OK), -1);
	cr_expect_eq(file_erase(&policy, &request, &fail), -1, "gone already");
	const struct monitor_file outside = request_of("/etc/hostname", 0, 0);
	cr_expect_eq(file_erase(&policy, &outside, &fail), -1);
	cr_expect_eq(access("/etc/hostname", F_OK), 0);
}

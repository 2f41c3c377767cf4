/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/file_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_BYTES 1024

static bool is_same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode))
		return S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The kernel tells a description's locks with each descriptor of it. */
static bool has_lock(int process, const char *number)
{
	char name[64], line[LINE_BYTES];
	bool found = false;

	(void)snprintf(name, sizeof name, "fdinfo/%.20s", number);
	int fd = openat(process, name, O_RDONLY | O_CLOEXEC);
	FILE *info = fd < 0 ? NULL : fdopen(fd, "r");
	if (!info) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && fgets(line, sizeof line, info))
		found = strncmp(line, "lock:", 5) == 0;
	(void)fclose(info);
	return found;
}

/* Does one of the process's descriptors hold it?  A claim on a device shows nowhere: there, having it open is enough.
 */
static bool process_holds(int process, const struct stat *st)
{
	bool found = false;
	struct dirent *entry;
	struct stat other;

	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *descriptors = fd < 0 ? NULL : fdopendir(fd);
	if (!descriptors) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (entry = readdir(descriptors)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && fstatat(fd, entry->d_name, &other, 0) == 0 &&
			is_same(st, &other) && (S_ISBLK(st->st_mode) || has_lock(process, entry->d_name));
	(void)closedir(descriptors);
	return found;
}

static void name_process(int process, const char *pid, char text[FILE_HOLDER_BYTES])
{
	char name[32] = "";
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, name, sizeof name - 1);

	if (fd >= 0)
		close(fd);
	name[len > 0 ? len : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	(void)snprintf(text, FILE_HOLDER_BYTES, "process %.20s (%s)", pid, name);
}

static bool find_process(const struct stat *st, char text[FILE_HOLDER_BYTES])
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (processes && !found && (entry = readdir(processes)) != NULL) {
		/* Our own descriptor is the one that did not get the lock. */
		if (!isdigit((unsigned char)entry->d_name[0]) || strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		int process = openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		found = process_holds(process, st);
		if (found)
			name_process(process, entry->d_name, text);
		close(process);
	}
	if (processes)
		(void)closedir(processes);
	return found;
}

static bool find_mount(const struct stat *st, char text[FILE_HOLDER_BYTES])
{
	char line[LINE_BYTES], where[64];
	unsigned major_number, minor_number;
	bool found = false;
	FILE *mounts = fopen("/proc/self/mountinfo", "re");

	while (mounts && !found && fgets(line, sizeof line, mounts)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %63s", &major_number, &minor_number, where) != 3)
			continue;
		found = makedev(major_number, minor_number) == st->st_rdev;
	}
	if (mounts)
		(void)fclose(mounts);
	if (found)
		(void)snprintf(text, FILE_HOLDER_BYTES, "the file system mounted at %s", where);
	return found;
}

/* Device mapper and RAID tell what they are made of. */
static bool find_stacked(const struct stat *st, char text[FILE_HOLDER_BYTES])
{
	char name[64];
	struct dirent *entry = NULL;

	(void)snprintf(name, sizeof name, "/sys/dev/block/%u:%u/holders", major(st->st_rdev), minor(st->st_rdev));
	DIR *holders = opendir(name);
	while (holders && (entry = readdir(holders)) != NULL && entry->d_name[0] == '.')
		;
	if (entry)
		(void)snprintf(text, FILE_HOLDER_BYTES, "the device %.60s made of it", entry->d_name);
	if (holders)
		(void)closedir(holders);
	return entry != NULL;
}

bool file_holder(const struct stat *st, char text[FILE_HOLDER_BYTES])
{
	if (S_ISBLK(st->st_mode) && (find_mount(st, text) || find_stacked(st, text)))
		return true;
	return find_process(st, text);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[256];
static pid_t owner;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(name);
}

void folder_remove(void)
{
	if (path[0] && getpid() == owner)
		(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	path[0] = '\0';
}

const char *folder(void)
{
	if (!path[0]) {
		(void)snprintf(path, sizeof path, "%s/wherry-unit.XXXXXX",
			       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
		if (!mkdtemp(path))
			abort();
		owner = getpid();
	}
	return path;
}

/* What is handed out lives as long as the test. */
static void *keep(void *memory)
{
	static void *kept[1024];
	static unsigned count;

	if (!memory || count == sizeof kept / sizeof kept[0])
		abort();
	kept[count++] = memory;
	return memory;
}

char *folder_path(const char *name)
{
	char *full = NULL;

	if (asprintf(&full, "%s/%s", folder(), name) < 0)
		abort();
	return keep(full);
}

char *folder_read(const char *name, unsigned long *len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return NULL;
	char *bytes = keep(malloc((size_t)st.st_size + 1));
	*len = (unsigned long)read(fd, bytes, (size_t)st.st_size);
	close(fd);
	return bytes;
}

void folder_write(const char *name, const void *bytes, unsigned long len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes that never wait.  Main lcore. */
#include "ctl/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct capture_file *capture_file_create(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) < 0)
		return NULL;
	if ((flags & O_ACCMODE) == O_RDONLY || flags & O_PATH) {
		errno = EBADF;
		return NULL;
	}
	struct capture_file *file = malloc(sizeof *file);
	if (!file)
		return NULL;
	file->fd = fd;
	file->is_regular = S_ISREG(st.st_mode);
	file->is_socket = S_ISSOCK(st.st_mode);
	file->start = file->end = 0;
	return file;
}

void capture_file_destroy(struct capture_file *file)
{
	close(file->fd);
	free(file);
}

uint8_t *capture_file_room(struct capture_file *file, size_t bytes)
{
	if (file->start > 0 && CAPTURE_FILE_BYTES - file->end < bytes) {
		memmove(file->bytes, file->bytes + file->start, file->end - file->start);
		file->end -= file->start;
		file->start = 0;
	}
	return CAPTURE_FILE_BYTES - file->end < bytes ? NULL : file->bytes + file->end;
}

void capture_file_used(struct capture_file *file, size_t bytes)
{
	file->end += bytes;
}

/* Bytes written, or -1 with errno. */
static ssize_t write_some(const struct capture_file *file, const uint8_t *bytes, size_t len)
{
	if (file->is_regular)
		return write(file->fd, bytes, len);
	if (file->is_socket)
		return send(file->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	struct pollfd ready = {.fd = file->fd, .events = POLLOUT};
	if (poll(&ready, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(file->fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

int capture_file_flush(struct capture_file *file)
{
	while (file->start < file->end) {
		ssize_t written = write_some(file, file->bytes + file->start, file->end - file->start);
		if (written < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
		file->start += (size_t)written;
	}
	file->start = file->end = 0;
	return 0;
}

bool capture_file_empty(const struct capture_file *file)
{
	return file->start == file->end;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/sock.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *path, struct sockaddr_un *address)
{
	size_t len = strlen(path);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len == 0 || len >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

int sock_connect(const char *path, int type)
{
	struct sockaddr_un address;
	int rc = address_of(path, &address);

	if (rc)
		return rc;
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (const struct sockaddr *)&address, sizeof address) != 0) {
		rc = -errno;
		close(sock);
		return rc;
	}
	return sock;
}

int sock_listen(const char *path, int type, mode_t mode)
{
	struct sockaddr_un address;
	int rc = address_of(path, &address);

	if (rc)
		return rc;
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (unlink(path) != 0 && errno != ENOENT)
		goto fail;
	mode_t old = umask(0777);
	rc = bind(sock, (const struct sockaddr *)&address, sizeof address);
	umask(old);
	if (rc != 0 || chmod(path, mode) != 0 || listen(sock, SOMAXCONN) != 0)
		goto fail;
	return sock;
fail:
	rc = -errno;
	close(sock);
	return rc;
}

ssize_t sock_send(int sock, const void *bytes, size_t len, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (fd >= 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	do
		sent = sendmsg(sock, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* The first descriptor of the message; the others are closed. */
static int take_descriptor(struct msghdr *message)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

ssize_t sock_recv(int sock, void *bytes, size_t len, int *fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = bytes, .iov_len = len};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t got;

	*fd = -1;
	do
		got = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*fd = take_descriptor(&message);
	if (message.msg_flags & MSG_TRUNC) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return -EMSGSIZE;
	}
	return got;
}

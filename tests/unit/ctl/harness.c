/* SPDX-License-Identifier: BSD-3-Clause */
/* A control server with fakes under it, and clients that speak to it over its socket, in one thread. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/server_priv.h"
#include "fake.h"

#define SILENCE_NS 2000000000ull

char server_path[108];
static char directory[64];

void server_init(void)
{
	char error[256] = "";
	snprintf(directory, sizeof directory, "/tmp/wherry-ctl-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(server_path, sizeof server_path, "%s/dp.sock", directory);
	fake_init();
	cr_assert_eq(ctl_server_open(server_path, error, sizeof error), 0, "%s", error);
}

void server_fini(void)
{
	fake.stalled = false;
	fake_run_workers();
	ctl_server_close();
	fake_fini();
	cr_expect_neq(access(server_path, F_OK), 0, "the socket file was left behind");
	rmdir(directory);
}

/* Time with nothing to do adds up, in stretches: what asks again by a timer (a drain) never leaves a long one. */
void settle(void)
{
	uint64_t idle_ns = 0;
	uint64_t then = ctl_now_ns();
	while (idle_ns < 16000000) { /* several drain intervals */
		fake_run_workers();
		bool idle = ctl_server_turn(0) == 0;
		uint64_t now = ctl_now_ns();
		if (idle)
			idle_ns += now - then;
		then = now;
	}
}

void client_connect(struct client *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memset(c, 0, sizeof *c);
	c->got_fd = -1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", server_path);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(c->fd, 0);
	cr_assert_eq(connect(c->fd, (struct sockaddr *)&address, sizeof address), 0, "%s", strerror(errno));
}

void client_close(struct client *c)
{
	if (c->got_fd >= 0)
		close(c->got_fd);
	c->got_fd = -1;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void client_send(struct client *c, const uint8_t *packet, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)packet, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	cr_assert_gt(len, 0, "the message could not be encoded");
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
	}
	while (sendmsg(c->fd, &msg, MSG_NOSIGNAL) < 0) {
		cr_assert(errno == EAGAIN, "sending failed: %s", strerror(errno));
		fake_run_workers();
		(void)ctl_server_turn(1000);
	}
}

/* 1: a message, 0: the end, -1: nothing yet. */
static int try_receive(struct client *c)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = c->packet, .iov_len = sizeof c->packet};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	ssize_t len = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return errno == EAGAIN ? -1 : 0;
	if (len == 0)
		return 0;
	if (c->got_fd >= 0)
		close(c->got_fd);
	c->got_fd = -1;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&c->got_fd, CMSG_DATA(cmsg), sizeof(int));
	c->len = (size_t)len;
	cr_assert_eq(wherry_ctl_get_header(c->packet, c->len, &c->header), 0, "the server sent a malformed header");
	return 1;
}

bool client_receive(struct client *c)
{
	uint64_t start = ctl_now_ns();
	for (;;) {
		int result = try_receive(c);
		if (result >= 0)
			return result > 0;
		if (ctl_now_ns() - start > SILENCE_NS)
			return false;
		fake_run_workers();
		(void)ctl_server_turn(1000);
	}
}

bool client_closed(struct client *c)
{
	settle();
	int result;
	while ((result = try_receive(c)) > 0)
		;
	return result == 0;
}

void client_expect(struct client *c, uint16_t type, uint32_t request_id)
{
	cr_assert(client_receive(c), "no %s came for request %u", wherry_ctl_type_name(type), request_id);
	if (c->header.type == WHERRY_CTL_ERROR && type != WHERRY_CTL_ERROR) {
		struct wherry_ctl_error error;
		CLIENT_GET(c, error, &error);
		cr_assert_fail("request %u: ERROR %u instead of %s: %s", c->header.request_id, error.error,
			       wherry_ctl_type_name(type), error.message);
	}
	cr_assert_eq(c->header.type, type, "request %u: %s instead of %s", request_id,
		     wherry_ctl_type_name(c->header.type), wherry_ctl_type_name(type));
	cr_assert_eq(c->header.request_id, request_id, "answer to %u instead of %u", c->header.request_id, request_id);
}

void client_expect_ok(struct client *c, uint32_t request_id)
{
	client_expect(c, WHERRY_CTL_OK, request_id);
}

const char *client_expect_error(struct client *c, uint32_t request_id, int error)
{
	static struct wherry_ctl_error m;
	client_expect(c, WHERRY_CTL_ERROR, request_id);
	CLIENT_GET(c, error, &m);
	cr_assert_eq(m.error, (uint32_t)error, "error %u (%s) instead of %d", m.error, m.message, error);
	cr_assert_gt(strlen(m.message), 0);
	return m.message;
}

void client_hello(struct client *c, unsigned role)
{
	client_connect(c);
	CLIENT_SEND(c, hello, 1, .version = WHERRY_CTL_VERSION, .software = "test", .role = (uint8_t)role);
	client_expect(c, WHERRY_CTL_HELLO_REPLY, 1);
}

int make_memfd(uint64_t size_bytes)
{
	int fd = memfd_create("wherry-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size_bytes), 0);
	return fd;
}

int make_file(uint64_t size_bytes, char *path)
{
	snprintf(path, 128, "%s/file-XXXXXX", directory);
	int fd = mkostemp(path, O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size_bytes), 0);
	return fd;
}

unsigned count_fds(void)
{
	unsigned count = 0;
	DIR *dir = opendir("/proc/self/fd");
	cr_assert_not_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

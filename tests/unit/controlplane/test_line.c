/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/line.h"
#include "common/sock.h"

static void expect_line(struct line_reader *reader, const char *wanted)
{
	char *line = NULL;
	size_t len = 0;

	cr_assert_eq(line_reader_next(reader, &line, &len), LINE_READY, "no line '%s'", wanted);
	cr_expect_eq(len, strlen(wanted), "'%s'", wanted);
	cr_expect_str_eq(line, wanted);
}

static void expect_none(struct line_reader *reader)
{
	char *line;
	size_t len;

	cr_expect_eq(line_reader_next(reader, &line, &len), LINE_NONE);
}

Test(cp_line, lines_are_cut_however_the_bytes_arrive)
{
	static const char stream[] = "one\ntwo\r\n\nfour and more\n";

	for (size_t step = 1; step < sizeof stream; step++) {
		struct line_reader reader;
		char *line;
		size_t len, count = 0;
		static const char *const wanted[] = {"one", "two", "", "four and more"};
		line_reader_init(&reader, 64);
		for (size_t at = 0; at < sizeof stream - 1; at += step) {
			size_t n = sizeof stream - 1 - at < step ? sizeof stream - 1 - at : step;
			cr_assert_eq(line_reader_feed(&reader, stream + at, n), 0);
			while (line_reader_next(&reader, &line, &len) == LINE_READY)
				cr_expect_str_eq(line, wanted[count++], "step %zu", step);
		}
		cr_expect_eq(count, 4, "step %zu: %zu lines", step, count);
		line_reader_fini(&reader);
	}
}

Test(cp_line, a_line_that_is_too_long_is_reported_once_and_skipped)
{
	struct line_reader reader;
	char *line;
	size_t len;

	line_reader_init(&reader, 8);
	cr_assert_eq(line_reader_feed(&reader, "12345678\n", 9), 0);
	expect_line(&reader, "12345678");
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(line_reader_feed(&reader, "0123456789", 10), 0);
		enum line_status status = line_reader_next(&reader, &line, &len);
		cr_expect_eq(status, i == 0 ? LINE_TOO_LONG : LINE_NONE, "piece %d: %d", i, status);
		cr_expect_leq(reader.len, 8, "what is skipped is not kept");
	}
	cr_assert_eq(line_reader_feed(&reader, "end\nnext\n", 9), 0);
	expect_line(&reader, "next");
	expect_none(&reader);
	cr_assert_eq(line_reader_feed(&reader, "123456789\nok\n", 13), 0);
	cr_expect_eq(line_reader_next(&reader, &line, &len), LINE_TOO_LONG, "whole at once");
	expect_line(&reader, "ok");
	line_reader_fini(&reader);
}

Test(cp_line, a_writer_refuses_more_than_its_bound_and_keeps_what_it_has)
{
	struct line_writer writer;
	int pair[2];
	char got[64] = "";

	line_writer_init(&writer, 16);
	cr_expect_eq(line_writer_put(&writer, "0123456789", 10), 0);
	cr_expect_eq(line_writer_put(&writer, "01234", 5), -ENOBUFS);
	cr_expect_eq(line_writer_put(&writer, "0123", 4), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_expect_eq(line_writer_flush(&writer, pair[0]), 0);
	cr_expect_eq(read(pair[1], got, sizeof got), 16);
	cr_expect_arr_eq(got, "0123456789\n0123\n", 16);
	close(pair[1]);
	cr_expect_eq(line_writer_put(&writer, "x", 1), 0);
	cr_expect_eq(line_writer_flush(&writer, pair[0]), -EPIPE, "a peer that left is no signal");
	close(pair[0]);
	line_writer_fini(&writer);
}

Test(cp_line, a_writer_waits_for_a_slow_reader_and_loses_nothing)
{
	struct line_writer writer;
	size_t bytes = 3u << 20, received = 0;
	char *text = malloc(bytes), *got = malloc(bytes + 1);
	int pair[2];

	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)('a' + i % 23);
	line_writer_init(&writer, 8u << 20);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(line_writer_put(&writer, text, bytes), 0);
	int rc = line_writer_flush(&writer, pair[0]);
	cr_expect_eq(rc, -EAGAIN);
	while (received < bytes + 1) {
		ssize_t n = recv(pair[1], got + received, bytes + 1 - received, MSG_DONTWAIT);
		if (n > 0)
			received += (size_t)n;
		rc = line_writer_flush(&writer, pair[0]);
		cr_assert(rc == 0 || rc == -EAGAIN, "%d", rc);
	}
	cr_expect_eq(memcmp(got, text, bytes), 0);
	cr_expect_eq(got[bytes], '\n');
	close(pair[0]);
	close(pair[1]);
	line_writer_fini(&writer);
	free(text);
	free(got);
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

Test(cp_sock, a_descriptor_travels_with_its_bytes_and_is_close_on_exec)
{
	int pair[2], passed = -1;
	char got[8];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = open_fds();
	cr_expect_eq(sock_send(pair[0], "hi", 2, pair[0]), 2);
	cr_expect_eq(sock_recv(pair[1], got, sizeof got, &passed), 2);
	cr_assert_geq(passed, 0);
	cr_expect(fcntl(passed, F_GETFD) & FD_CLOEXEC);
	close(passed);
	cr_expect_eq(sock_send(pair[0], "no", 2, -1), 2);
	cr_expect_eq(sock_recv(pair[1], got, sizeof got, &passed), 2);
	cr_expect_eq(passed, -1);
	cr_expect_eq(open_fds(), before);
}

Test(cp_sock, a_packet_that_is_too_long_is_refused_and_its_descriptor_closed)
{
	int pair[2], passed = -1;
	char got[4];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = open_fds();
	cr_expect_eq(sock_send(pair[0], "too long", 8, pair[0]), 8);
	cr_expect_eq(sock_recv(pair[1], got, sizeof got, &passed), -EMSGSIZE);
	cr_expect_eq(passed, -1);
	cr_expect_eq(open_fds(), before);
}

Test(cp_sock, several_descriptors_leave_one_and_no_leak)
{
	int pair[2], passed = -1;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	char got[4];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = open_fds(), fds[3] = {0, 1, 2};
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
	cr_assert_eq(sendmsg(pair[0], &message, 0), 1);
	cr_expect_eq(sock_recv(pair[1], got, sizeof got, &passed), 1);
	cr_expect_eq(open_fds(), before + 1);
}

Test(cp_sock, paths_that_do_not_fit_an_address_are_refused)
{
	char path[200];

	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	cr_expect_eq(sock_connect(path, SOCK_STREAM), -ENAMETOOLONG);
	cr_expect_eq(sock_listen(path, SOCK_STREAM, 0600), -ENAMETOOLONG);
	cr_expect_eq(sock_connect("/nonexistent/socket", SOCK_STREAM), -ENOENT);
}

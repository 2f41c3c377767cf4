/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures: from the workers' tap to bytes in a file or a pipe. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/capture.h"
#include "ctl/server_priv.h"
#include "fake.h"

static struct client c;
static unsigned fds_before;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	fds_before = count_fds();
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_capture, .init = init, .fini = fini);

#define START(id, fd, ...) CLIENT_SEND_FD(&c, capture_start, id, fd, .port = 0xffff, __VA_ARGS__)

static uint32_t expect_started(uint32_t request_id)
{
	struct wherry_ctl_capture_started m;
	client_expect(&c, WHERRY_CTL_CAPTURE_STARTED, request_id);
	CLIENT_GET(&c, capture_started, &m);
	return m.capture;
}

static struct wherry_ctl_capture_item expect_item(uint32_t request_id)
{
	struct wherry_ctl_capture_item m;
	client_expect(&c, WHERRY_CTL_CAPTURE_ITEM, request_id);
	CLIENT_GET(&c, capture_item, &m);
	return m;
}

static struct wherry_ctl_capture_item get(uint32_t capture)
{
	CLIENT_SEND(&c, capture_get, 900, .capture = capture);
	return expect_item(900);
}

/* A frame from a client with this last byte of its address, through worker w. */
static void frame(unsigned w, uint16_t port, bool outgoing, uint8_t mac, uint32_t len_bytes)
{
	static uint8_t bytes[9300];
	memset(bytes, 0, sizeof bytes);
	bytes[outgoing ? 5 : 11] = mac;
	bytes[outgoing ? 0 : 6] = 2;
	worker_at(w)->now_ns += 1000;
	if (fake.workers[w].tap)
		fake.workers[w].tap(worker_at(w), fake.workers[w].tap_ctx, port, outgoing, bytes, len_bytes);
}

static uint32_t u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Walk the blocks of a file; returns how many packets, the last one's fields in out. */
static unsigned count_packets(int fd, uint32_t *interface, uint32_t *captured, uint32_t *frame_bytes)
{
	static uint8_t bytes[8 << 20];
	ssize_t len = pread(fd, bytes, sizeof bytes, 0);
	unsigned packets = 0, interfaces = 0;
	size_t at = 0;
	while (at + 12 <= (size_t)len) {
		uint32_t type = u32(bytes + at), total = u32(bytes + at + 4);
		cr_assert(total >= 12 && total % 4 == 0 && at + total <= (size_t)len, "block at %zu", at);
		cr_assert_eq(u32(bytes + at + total - 4), total);
		cr_assert(at > 0 || type == 0x0a0d0d0a);
		interfaces += type == 1;
		if (type == 6) {
			packets++;
			*interface = u32(bytes + at + 8);
			*captured = u32(bytes + at + 20);
			*frame_bytes = u32(bytes + at + 24);
		}
		at += total;
	}
	cr_expect_eq(at, (size_t)len, "the last block is cut");
	cr_expect_eq(interfaces, FAKE_PORT_COUNT);
	return packets;
}

Test(ctl_capture, frames_of_all_workers_arrive_in_the_file_and_stop_tells_how_many)
{
	char path[128];
	uint32_t interface, captured, frame_bytes;
	int fd = make_file(0, path);
	START(5, fd, .snap_bytes = 60);
	uint32_t id = expect_started(5);
	for (unsigned i = 0; i < 100; i++)
		frame(i % 2, (uint16_t)(i % 2), i % 3 == 0, 1, 1000);
	CLIENT_SEND(&c, capture_stop, 6, .capture = id);
	struct wherry_ctl_capture_item item = expect_item(6);
	cr_expect(item.written == 100 && item.dropped == 0 && !item.running, "%s", item.detail);
	cr_expect_eq(count_packets(fd, &interface, &captured, &frame_bytes), 100);
	cr_expect(captured == 60 && frame_bytes == 1000);
	cr_expect_null(fake.workers[0].tap, "the tap stays on");
	cr_expect_eq(get(id).written, 100, "an ended capture is forgotten");
	CLIENT_SEND(&c, capture_stop, 7, .capture = id);
	cr_expect_eq(expect_item(7).written, 100);
	CLIENT_SEND(&c, capture_stop, 8, .capture = id + 1);
	client_expect_error(&c, 8, ENOENT);
	CLIENT_SEND(&c, capture_get, 9, .capture = id + 1);
	client_expect_error(&c, 9, ENOENT);
	unlink(path);
	close(fd);
	cr_expect_eq(count_fds(), fds_before);
}

Test(ctl_capture, a_capture_takes_one_port_or_one_client)
{
	char path[2][128];
	uint32_t interface, captured, frame_bytes, id[2];
	int fd[2];
	for (unsigned i = 0; i < 2; i++)
		fd[i] = make_file(0, path[i]);
	CLIENT_SEND_FD(&c, capture_start, 1, fd[0], .port = 1);
	id[0] = expect_started(1);
	START(2, fd[1], .mac = {.count = 1, .mac = {{{2, 0, 0, 0, 0, 7}}}});
	id[1] = expect_started(2);
	frame(0, 0, false, 7, 60);
	frame(0, 1, true, 7, 60);
	frame(1, 1, true, 8, 60);
	frame(1, 1, false, 8, 9);
	for (unsigned i = 0; i < 2; i++) {
		CLIENT_SEND(&c, capture_stop, 10 + i, .capture = id[i]);
		struct wherry_ctl_capture_item item = expect_item(10 + i);
		cr_expect_eq(item.written, i == 0 ? 3 : 2);
		cr_expect_eq(count_packets(fd[i], &interface, &captured, &frame_bytes), item.written);
		cr_expect_eq(interface, 1);
		unlink(path[i]);
		close(fd[i]);
	}
	CLIENT_SEND_FD(&c, capture_start, 20, c.fd, .port = FAKE_PORT_COUNT);
	client_expect_error(&c, 20, ENOENT);
}

Test(ctl_capture, it_ends_by_count_or_by_time)
{
	char path[2][128];
	int fd[2];
	uint32_t interface, captured, frame_bytes;
	for (unsigned i = 0; i < 2; i++)
		fd[i] = make_file(0, path[i]);
	START(1, fd[0], .count = 5);
	uint32_t by_count = expect_started(1);
	START(2, fd[1], .seconds = 1);
	uint32_t by_time = expect_started(2);
	for (unsigned i = 0; i < 9; i++)
		frame(i % 2, 0, false, 1, 64);
	struct wherry_ctl_capture_item item;
	while ((item = get(by_count)).running)
		settle();
	cr_expect(item.written == 5 && strstr(item.detail, "count"), "%s", item.detail);
	cr_expect_eq(count_packets(fd[0], &interface, &captured, &frame_bytes), 5);
	while ((item = get(by_time)).running)
		settle();
	cr_expect(item.written == 9 && strstr(item.detail, "time"), "%s", item.detail);
	for (unsigned i = 0; i < 2; i++) {
		unlink(path[i]);
		close(fd[i]);
	}
}

Test(ctl_capture, a_reader_that_closes_or_is_slow_never_holds_anything_up)
{
	int gone[2], slow[2];
	cr_assert_eq(pipe2(gone, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(slow, O_CLOEXEC), 0);
	int flags = fcntl(slow[1], F_GETFL);
	START(1, gone[1], );
	uint32_t gone_id = expect_started(1);
	START(2, slow[1], );
	uint32_t slow_id = expect_started(2);
	close(gone[0]);
	close(gone[1]);
	struct wherry_ctl_capture_item item;
	frame(0, 0, false, 1, 64);
	while ((item = get(gone_id)).running)
		settle();
	cr_expect_not_null(strstr(item.detail, "writing failed"), "%s", item.detail);

	for (unsigned i = 0; i < 20000; i++)
		frame(0, 0, false, 1, 1500);
	settle();
	item = get(slow_id);
	cr_expect(item.running && item.dropped > 0, "dropped %llu", (unsigned long long)item.dropped);
	cr_expect_eq(fcntl(slow[1], F_GETFL), flags, "the flags of somebody else's file were changed");
	CLIENT_SEND(&c, capture_stop, 3, .capture = slow_id);
	bool ended = client_receive(&c);
	for (unsigned i = 0; i < 2 && !ended; i++)
		ended = client_receive(&c);
	cr_assert(ended, "a slow reader holds the end up");
	cr_assert_eq(wherry_ctl_get_capture_item(c.packet + 16, c.header.length, &item), 0);
	cr_expect_not_null(strstr(item.detail, "cut short"), "%s", item.detail);
	close(slow[0]);
	close(slow[1]);
	cr_expect_eq(count_fds(), fds_before);
}

Test(ctl_capture, a_socket_gets_it_too)
{
	int pair[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	START(1, pair[1], .count = 2);
	expect_started(1);
	close(pair[1]);
	frame(0, 0, false, 1, 64);
	frame(0, 0, false, 1, 64);
	settle();
	settle();
	settle();
	uint8_t bytes[4096];
	ssize_t len = 0, got;
	while ((got = recv(pair[0], bytes + len, sizeof bytes - (size_t)len, MSG_DONTWAIT)) > 0)
		len += got;
	cr_expect_eq(got, 0, "its end was not closed");
	cr_expect(len > 200 && bytes[0] == 0x0a);
	close(pair[0]);
}

Test(ctl_capture, bad_descriptors_and_too_many_captures_are_refused)
{
	char path[128];
	int fd = make_file(0, path), read_only = open(path, O_RDONLY | O_CLOEXEC);
	START(1, -1, );
	client_expect_error(&c, 1, EBADF);
	START(2, read_only, );
	client_expect_error(&c, 2, EBADF);
	for (uint32_t i = 0; i < CTL_CAPTURE_COUNT_MAX; i++) {
		START(10 + i, fd, );
		expect_started(10 + i);
	}
	START(20, fd, );
	client_expect_error(&c, 20, EBUSY);
	client_close(&c); /* and with the controller they all end */
	settle();
	settle();
	settle();
	cr_expect_null(fake.workers[0].tap);
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (uint32_t i = 0; i < 3 * CTL_CAPTURE_KEPT_COUNT_MAX; i++) {
		START(100 + i, fd, .count = 1);
		uint32_t id = expect_started(100 + i);
		CLIENT_SEND(&c, capture_stop, 200 + i, .capture = id);
		expect_item(200 + i);
	}
	unlink(path);
	close(fd);
	close(read_only);
	cr_expect_eq(count_fds(), fds_before);
}

Test(ctl_capture, a_capture_that_ends_before_it_has_begun_is_answered_all_the_same)
{
	char path[128];
	int fd = make_file(0, path);
	fake.stalled = true;
	START(1, fd, );
	START(2, fd, );
	settle();
	client_close(&c);
	settle();
	fake.stalled = false;
	settle();
	settle();
	settle();
	cr_expect_null(fake.workers[0].tap);
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	unlink(path);
	close(fd);
	cr_expect_eq(count_fds(), fds_before);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket: who may connect, HELLO, malformed packets, descriptors, bounds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/connection.h"
#include "ctl/server_priv.h"
#include "fake.h"

TestSuite(ctl_server, .init = server_init, .fini = server_fini);

static uint8_t buf[WHERRY_CTL_MESSAGE_BYTES_MAX + 64];

static size_t put_list(uint32_t id)
{
	const struct wherry_ctl_volume_list m = {};
	return wherry_ctl_put_volume_list(buf, sizeof buf, id, &m);
}

Test(ctl_server, hello_is_answered_with_what_the_process_is)
{
	struct client c;
	struct wherry_ctl_hello_reply reply;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	CLIENT_GET(&c, hello_reply, &reply);
	cr_expect_eq(reply.version, WHERRY_CTL_VERSION);
	cr_expect_eq(reply.pid, (uint32_t)getpid());
	cr_expect_neq(reply.instance, 0);
	cr_expect_not(reply.gate_open);
	cr_expect_eq(reply.epoch, 0);
	CLIENT_SEND(&c, hello, 2, .version = WHERRY_CTL_VERSION, .software = "x", .role = WHERRY_ROLE_CONTROLLER);
	client_expect_error(&c, 2, EALREADY);
	client_close(&c);
}

Test(ctl_server, nothing_but_a_good_hello_is_taken_first)
{
	static const struct wherry_ctl_hello good = {1, "t", WHERRY_ROLE_OBSERVER};
	struct {
		const char *name;
		int error;
		size_t len, at;
		uint8_t value;
	} cases[] = {
		{"other version in the header", EPROTONOSUPPORT, 0, 4, 2},
		{"other version in the fields", EPROTONOSUPPORT, 0, WHERRY_CTL_HEADER_BYTES, 2},
		{"unknown role", EINVAL, 0, WHERRY_CTL_HEADER_BYTES + 5, 3},
		{"wrong magic", EBADMSG, 0, 0, 'X'},
		{"an answer", EPROTO, 0, 6, WHERRY_CTL_OK},
		{"another request", EPROTO, 0, 6, WHERRY_CTL_VOLUME_LIST},
		{"unknown type", EPROTO, 0, 7, 0xff},
		{"wrong length", EBADMSG, 0, 12, 1},
		{"shorter than a header", EBADMSG, 7, 0, 'W'},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;
		client_connect(&c);
		size_t len = wherry_ctl_put_hello(buf, sizeof buf, 9, &good);
		buf[cases[i].at] = cases[i].value;
		client_send(&c, buf, cases[i].len ? cases[i].len : len, -1);
		cr_assert(client_receive(&c), "%s: no answer", cases[i].name);
		struct wherry_ctl_error error;
		CLIENT_GET(&c, error, &error);
		cr_expect_eq(error.error, (uint32_t)cases[i].error, "%s: %s", cases[i].name, error.message);
		cr_expect(client_closed(&c), "%s: not closed", cases[i].name);
		client_close(&c);
	}
}

Test(ctl_server, a_connection_that_says_nothing_is_closed_in_time)
{
	struct client silent, speaking;
	client_connect(&silent);
	client_hello(&speaking, WHERRY_ROLE_OBSERVER);
	ctl_server_tick(ctl_now_ns() + (WHERRY_CTL_HELLO_SECONDS - 1) * 1000000000ull);
	cr_expect_not(client_closed(&silent));
	ctl_server_tick(ctl_now_ns() + WHERRY_CTL_HELLO_SECONDS * 1000000000ull);
	cr_expect(client_closed(&silent));
	cr_expect_not(client_closed(&speaking));
	client_close(&silent);
	client_close(&speaking);
}

Test(ctl_server, the_newest_controller_replaces_an_older_one_and_observers_stay)
{
	struct client old, observer, new;
	client_hello(&old, WHERRY_ROLE_CONTROLLER);
	client_hello(&observer, WHERRY_ROLE_OBSERVER);
	client_hello(&new, WHERRY_ROLE_CONTROLLER);
	cr_expect(client_closed(&old));
	cr_expect_not(client_closed(&observer));
	CLIENT_SEND(&new, sync_begin, 2, .epoch = 1);
	client_expect_ok(&new, 2);
	client_close(&old);
	client_close(&observer);
	client_close(&new);
}

Test(ctl_server, an_observer_may_look_but_not_change)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_OBSERVER);
	client_send(&c, buf, put_list(2), -1);
	client_expect_ok(&c, 2);
	CLIENT_SEND(&c, sync_begin, 3, .epoch = 1);
	client_expect_error(&c, 3, EPERM);
	CLIENT_SEND(&c, shutdown, 4, );
	client_expect_error(&c, 4, EPERM);
	CLIENT_SEND(&c, volume_fd_get, 5, .id = 1);
	client_expect_error(&c, 5, EPERM);
	client_close(&c);
}

Test(ctl_server, a_malformed_request_is_an_error_and_the_connection_goes_on)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	struct {
		const char *name;
		int error;
		uint16_t type;
		uint32_t id;
		size_t fields;
	} cases[] = {
		{"unknown type", EOPNOTSUPP, 999, 2, 0},
		{"type of an answer's item", EOPNOTSUPP, WHERRY_CTL_VOLUME_ITEM, 3, 0},
		{"trailing byte", EBADMSG, WHERRY_CTL_VOLUME_LIST, 4, 1},
		{"short field", EBADMSG, WHERRY_CTL_SYNC_BEGIN, 5, 7},
		{"id of the dataplane", EINVAL, WHERRY_CTL_VOLUME_LIST, 6 | WHERRY_CTL_FROM_DATAPLANE, 0},
		{"largest packet", EBADMSG, WHERRY_CTL_VOLUME_LIST, 7, WHERRY_CTL_MESSAGE_BYTES_MAX - 16},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(buf, 0, sizeof buf);
		put_list(cases[i].id);
		buf[6] = (uint8_t)cases[i].type;
		buf[7] = (uint8_t)(cases[i].type >> 8);
		buf[12] = (uint8_t)cases[i].fields;
		buf[13] = (uint8_t)(cases[i].fields >> 8);
		client_send(&c, buf, WHERRY_CTL_HEADER_BYTES + cases[i].fields, -1);
		client_expect_error(&c, cases[i].id, cases[i].error);
	}
	client_send(&c, buf, WHERRY_CTL_MESSAGE_BYTES_MAX + 1, -1);
	client_expect_error(&c, 7 | 0, EMSGSIZE);
	client_send(&c, buf, put_list(8), -1);
	client_expect_ok(&c, 8);
	client_close(&c);
}

Test(ctl_server, answers_that_nobody_waits_for_are_not_answered)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	CLIENT_SEND(&c, ok, 5, );
	CLIENT_SEND(&c, ok, 5 | WHERRY_CTL_FROM_DATAPLANE, );
	CLIENT_SEND(&c, error, 0xffffffffu, .error = 5);
	CLIENT_SEND(&c, aoe_persisted, 0x80000000u, .export_id = 1);
	CLIENT_SEND(&c, aoe_persisted, 0xbfffffffu, .export_id = 1);
	client_send(&c, buf, put_list(6), -1);
	client_expect_ok(&c, 6);
	client_close(&c);
}

static void send_fds(struct client *c, size_t len, unsigned count)
{
	union {
		char bytes[CMSG_SPACE(200 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (unsigned i = 0; i < count; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &c->fd, sizeof(int));
	cr_assert_geq(sendmsg(c->fd, &msg, 0), 0);
}

Test(ctl_server, unwanted_descriptors_are_refused_and_closed)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	unsigned before = count_fds();
	static const unsigned counts[] = {1, 2, 4, 5, 200};
	for (unsigned i = 0; i < 5 * sizeof counts / sizeof counts[0]; i++) {
		uint32_t id = i + 10;
		send_fds(&c, put_list(id), counts[i % 5]);
		client_expect_error(&c, id, EINVAL);
	}
	send_fds(&c, 3, 2); /* not even a header */
	client_expect_error(&c, 0, EBADMSG);
	cr_expect(client_closed(&c));
	cr_expect_eq(count_fds(), before - 1, "descriptors leak");
	client_close(&c);
}

Test(ctl_server, a_descriptor_with_hello_or_an_answer_is_closed)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	unsigned before = count_fds();
	const struct wherry_ctl_ok ok = {};
	size_t len = wherry_ctl_put_ok(buf, sizeof buf, 0xf0000000u, &ok);
	send_fds(&c, len, 1);
	settle();
	cr_expect_eq(count_fds(), before);
	client_close(&c);
}

Test(ctl_server, many_connections_never_lock_the_controller_out)
{
	struct client flood[3 * CTL_CONNECTION_COUNT_MAX], controller, later;
	client_hello(&controller, WHERRY_ROLE_CONTROLLER);
	for (size_t i = 0; i < sizeof flood / sizeof flood[0]; i++) {
		if (i % 3 == 0)
			client_hello(&flood[i], WHERRY_ROLE_OBSERVER);
		else
			client_connect(&flood[i]);
		settle();
	}
	cr_expect_not(client_closed(&controller), "the flood pushed the controller out");
	client_hello(&later, WHERRY_ROLE_CONTROLLER);
	cr_expect(client_closed(&controller));
	unsigned open = 0;
	for (size_t i = 0; i < sizeof flood / sizeof flood[0]; i++) {
		open += !client_closed(&flood[i]);
		client_close(&flood[i]);
	}
	cr_expect_leq(open, CTL_CONNECTION_COUNT_MAX);
	client_close(&controller);
	client_close(&later);
}

Test(ctl_server, a_client_that_does_not_read_stops_being_read_and_loses_nothing)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	unsigned sent = 0;
	for (; sent < 20000; sent++) {
		size_t len = put_list(100 + sent);
		if (send(c.fd, buf, len, MSG_DONTWAIT) < 0) {
			cr_assert_eq(errno, EAGAIN);
			settle();
			if (send(c.fd, buf, len, MSG_DONTWAIT) < 0)
				break; /* the server does not read any more */
		}
	}
	cr_assert_lt(sent, 20000, "the server read without bound");
	for (unsigned i = 0; i < sent; i++)
		client_expect_ok(&c, 100 + i);
	client_close(&c);
}

Test(ctl_server, events_for_a_controller_that_never_reads_are_bounded)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (unsigned i = 0; i < 2000; i++) {
		fake.port_handler(i % 2, PORT_LINK_DOWN, "port: link is down", NULL);
		(void)ctl_server_turn(0);
	}
	unsigned got = 0;
	while (client_receive(&c) && c.header.type == WHERRY_CTL_EVENT)
		got++;
	cr_expect_leq(got, 64, "%u events were sent without one answer", got);
	cr_expect_gt(got, 0);
	client_close(&c);
}

Test(ctl_server, without_free_descriptors_nothing_spins_and_accepting_goes_on_later)
{
	struct rlimit before, few;
	struct client c;
	client_connect(&c);
	settle();
	client_close(&c);
	settle();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	int next = dup(0);
	close(next);
	few = before;
	few.rlim_cur = (rlim_t)next + 1; /* the client's end, and none for the server's */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	client_connect(&c);
	cr_assert_eq(c.fd, next);
	(void)ctl_server_turn(0);
	for (unsigned i = 0; i < 10; i++)
		cr_expect_eq(ctl_server_turn(0), 0, "the listening socket is asked again and again");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ctl_server_tick(ctl_now_ns());
	CLIENT_SEND(&c, hello, 1, .version = WHERRY_CTL_VERSION, .software = "late", .role = WHERRY_ROLE_OBSERVER);
	client_expect(&c, WHERRY_CTL_HELLO_REPLY, 1);
	client_close(&c);
}

Test(ctl_server, garbage_of_every_length_is_survived)
{
	unsigned seed = 12345;
	for (size_t len = 1; len < 400; len++) {
		struct client c;
		if (len % 2)
			client_hello(&c, WHERRY_ROLE_CONTROLLER);
		else
			client_connect(&c);
		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)(rand_r(&seed) >> 8);
		if (len % 3 == 0 && len >= WHERRY_CTL_HEADER_BYTES) { /* a believable header */
			put_list(7);
			buf[6] = (uint8_t)(rand_r(&seed) % 52);
			buf[12] = (uint8_t)(len - WHERRY_CTL_HEADER_BYTES);
			buf[13] = (uint8_t)((len - WHERRY_CTL_HEADER_BYTES) >> 8);
		}
		client_send(&c, buf, len, -1);
		settle();
		client_close(&c);
	}
	struct client c;
	client_hello(&c, WHERRY_ROLE_OBSERVER);
	client_close(&c);
}

Test(ctl_server, shutdown_is_answered_before_the_loop_ends)
{
	struct client c;
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	CLIENT_SEND(&c, shutdown, 2, );
	cr_expect_eq(ctl_server_run(), 0);
	client_expect_ok(&c, 2);
	client_close(&c);
}

Test(ctl_server, stop_ends_the_loop)
{
	ctl_server_stop();
	cr_expect_eq(ctl_server_run(), 0);
}

Test(ctl_server, the_socket_is_not_for_everybody)
{
	struct stat st;
	cr_assert_eq(stat(server_path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
}

/* Without a server of its own. */
static void expect_open(const char *path, int result, const char *words)
{
	char error[512] = "";
	cr_expect_eq(ctl_server_open(path, error, sizeof error), result, "%s", error);
	if (words)
		cr_expect_not_null(strstr(error, words), "%s", error);
	ctl_server_close();
}

Test(ctl_socket, a_stale_socket_is_replaced_and_anything_else_is_left_alone)
{
	char directory[] = "/tmp/wherry-sock-XXXXXX", path[64], too_long[200];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/s", directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	fake_init();

	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(listen(fd, 1), 0);
	expect_open(path, -EADDRINUSE, "another process");
	cr_expect_eq(access(path, F_OK), 0, "the socket of a living server was removed");
	close(fd);
	expect_open(path, 0, NULL);
	cr_expect_neq(access(path, F_OK), 0);

	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fclose(file);
	expect_open(path, -EEXIST, "not a socket");
	cr_expect_eq(unlink(path), 0, "a file was removed");

	memset(too_long, 'a', sizeof too_long);
	too_long[sizeof too_long - 1] = '\0';
	expect_open(too_long, -ENAMETOOLONG, "107");
	snprintf(path, sizeof path, "%s/no/s", directory);
	expect_open(path, -ENOENT, "no/s");
	rmdir(directory);
	fake_fini();
}

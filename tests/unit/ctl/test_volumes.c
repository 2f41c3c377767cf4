/* SPDX-License-Identifier: BSD-3-Clause */
/* VOLUME_*, FAULT_PUT and the watchdog, on real volumes and backends. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/server_priv.h"
#include "ctl/volumes.h"
#include "fake.h"

#define MIB (1ull << 20)

static struct client c;
static uint32_t next_id;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	next_id = 100;
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_volumes, .init = init, .fini = fini);

static struct wherry_ctl_volume_put ram(uint64_t id, uint64_t generation, uint64_t size_bytes)
{
	return (struct wherry_ctl_volume_put){
		.id = id,
		.generation = generation,
		.name = "vol",
		.backend = WHERRY_BACKEND_RAM,
		.size_bytes = size_bytes,
		.block_bytes = 512,
		.align_bytes = 1,
		.memory_align_bytes = 1,
	};
}

/* Send without waiting; returns the request's id.  fd is closed. */
static uint32_t send_put(const struct wherry_ctl_volume_put *m, int fd)
{
	static uint8_t packet[1024];
	client_send(&c, packet, wherry_ctl_put_volume_put(packet, sizeof packet, ++next_id, m), fd);
	if (fd >= 0)
		close(fd);
	return next_id;
}

static void put_ok(const struct wherry_ctl_volume_put *m, int fd)
{
	client_expect_ok(&c, send_put(m, fd));
}

static void expect_event(const char *code, const char *words)
{
	struct wherry_ctl_event event;
	cr_assert(client_receive(&c), "no event %s", code);
	cr_assert_eq(c.header.type, WHERRY_CTL_EVENT, "%s instead of %s", wherry_ctl_type_name(c.header.type), code);
	CLIENT_GET(&c, event, &event);
	cr_expect_str_eq(event.code, code);
	cr_expect_not_null(strstr(event.message, words), "%s: %s", code, event.message);
	CLIENT_SEND(&c, ok, c.header.request_id, );
}

static enum io_status io_status;

static void io_done(struct vol_request *request, enum io_status status)
{
	(void)request;
	io_status = status;
}

/* One sector through the volume, as an export would. */
static enum io_status do_io(struct ctl_volume *v, enum vol_op op, uint64_t offset_bytes, uint8_t *sector)
{
	static struct vol_request request;
	memset(&request, 0, sizeof request);
	request.op = op;
	request.offset_bytes = offset_bytes;
	request.len_bytes = 512;
	request.iov_one = (struct iovec){sector, 512};
	request.iov = &request.iov_one;
	request.iov_count = 1;
	request.done = io_done;
	io_status = IO_STATUS_COUNT;
	vol_submit(&v->volume, &request);
	return io_status;
}

Test(ctl_volumes, a_volume_is_created_once_and_an_equal_or_older_put_is_ignored)
{
	struct wherry_ctl_volume_put m = ram(1, 5, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	cr_assert_not_null(v);
	unsigned fds = count_fds();
	for (uint64_t generation = 4; generation <= 5; generation++) {
		m.generation = generation;
		m.size_bytes = 2 * MIB;
		put_ok(&m, make_memfd(2 * MIB));
	}
	cr_expect_eq(ctl_volume_find(1), v);
	cr_expect_eq(v->size_bytes, MIB);
	cr_expect_eq(count_fds(), fds, "the ignored descriptor was kept");
}

Test(ctl_volumes, a_bad_put_is_refused_with_a_sentence_and_leaves_nothing)
{
	const struct wherry_ctl_volume_put good = ram(1, 1, MIB);
	struct {
		const char *name;
		int error;
		bool no_fd;
		struct wherry_ctl_volume_put m;
	} cases[12];
	unsigned n = 0;
	for (unsigned i = 0; i < 12; i++) {
		cases[i].m = good;
		cases[i].error = EINVAL;
		cases[i].no_fd = false;
	}
	cases[n].name = "no descriptor", cases[n++].no_fd = true;
	cases[n].name = "backend 0", cases[n++].m.backend = 0;
	cases[n].name = "backend 4", cases[n++].m.backend = 4;
	cases[n].name = "unknown flag", cases[n++].m.flags = 0x10;
	cases[n].name = "alignment 3", cases[n++].m.align_bytes = 3;
	cases[n].name = "alignment 8192", cases[n++].m.memory_align_bytes = 8192;
	cases[n].name = "alignment 0", cases[n++].m.align_bytes = 0;
	cases[n].name = "size 0", cases[n++].m.size_bytes = 0;
	cases[n].name = "no name", cases[n++].m.name[0] = '\0';
	cases[n].name = "block size", cases[n++].m.block_bytes = 1024;
	cases[n].name = "memfd too small", cases[n++].m.size_bytes = 2 * MIB;
	cases[n].name = "null with descriptor", cases[n++].m.backend = WHERRY_BACKEND_NULL;
	unsigned fds = count_fds();
	for (unsigned i = 0; i < n; i++) {
		uint32_t id = send_put(&cases[i].m, cases[i].no_fd ? -1 : make_memfd(MIB));
		client_expect(&c, WHERRY_CTL_ERROR, id);
		struct wherry_ctl_error error;
		CLIENT_GET(&c, error, &error);
		cr_expect_eq(error.error, (uint32_t)cases[i].error, "%s: %s", cases[i].name, error.message);
		cr_expect_not_null(strstr(error.message, "volume"), "%s: %s", cases[i].name, error.message);
		cr_expect_null(ctl_volume_find(1), "%s", cases[i].name);
	}
	int pipe_fd[2];
	cr_assert_eq(pipe(pipe_fd), 0);
	client_expect_error(&c, send_put(&good, pipe_fd[1]), EINVAL);
	close(pipe_fd[0]);
	cr_expect_eq(count_fds(), fds, "descriptors leak");
}

Test(ctl_volumes, a_descriptor_that_cannot_do_what_the_volume_promises_is_refused)
{
	char path[128];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	m.backend = WHERRY_BACKEND_FILE;
	close(make_file(MIB, path));
	struct {
		const char *name;
		int open_flags;
		uint32_t flags;
		bool good;
	} cases[] = {
		{"read-only file, writable volume", O_RDONLY, 0, false},
		{"write-only file", O_WRONLY, 0, false},
		{"appending file", O_RDWR | O_APPEND, 0, false},
		{"path only", O_PATH, WHERRY_VOLUME_READ_ONLY, false},
		{"read-only file, read-only volume", O_RDONLY, WHERRY_VOLUME_READ_ONLY, true},
		{"read-write file", O_RDWR, 0, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fd = open(path, cases[i].open_flags | O_CLOEXEC);
		cr_assert_geq(fd, 0);
		m.id = i + 1;
		m.flags = cases[i].flags;
		uint32_t id = send_put(&m, fd);
		cr_assert(client_receive(&c));
		cr_expect_eq(c.header.request_id, id);
		cr_expect_eq(c.header.type, cases[i].good ? WHERRY_CTL_OK : WHERRY_CTL_ERROR, "%s", cases[i].name);
	}
	unlink(path);
}

Test(ctl_volumes, volumes_spread_over_the_workers)
{
	for (uint64_t id = 1; id <= 6; id++) {
		struct wherry_ctl_volume_put m = ram(id, 1, MIB);
		m.backend = WHERRY_BACKEND_NULL;
		put_ok(&m, -1);
	}
	cr_expect_eq(ctl_volume_count_on(worker_at(0)), 3);
	cr_expect_eq(ctl_volume_count_on(worker_at(1)), 3);
}

Test(ctl_volumes, a_larger_put_grows_in_place_and_flags_change_in_the_same_job)
{
	uint8_t sector[512] = {42};
	int fd = make_memfd(MIB), again = dup(fd);
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, fd);
	struct ctl_volume *v = ctl_volume_find(1);
	cr_expect_eq(do_io(v, VOL_WRITE, 0, sector), IO_OK);
	cr_expect_eq(do_io(v, VOL_READ, MIB, sector), IO_ERR_RANGE);
	m.generation = 2;
	m.size_bytes = 4 * MIB;
	m.flags = WHERRY_VOLUME_READ_ONLY | WHERRY_VOLUME_WRITE_BACK;
	cr_expect_not_null(strstr(client_expect_error(&c, send_put(&m, dup(again)), EINVAL), "grow it first"));
	cr_expect_eq(v->size_bytes, MIB);

	cr_assert_eq(ftruncate(again, 4 * MIB), 0);
	fake.stalled = true;
	uint32_t id = send_put(&m, dup(again));
	settle();
	cr_expect_eq(v->volume.size_bytes, MIB, "the main lcore changed what is the worker's");
	fake.stalled = false;
	client_expect_ok(&c, id);
	cr_expect_eq(v->volume.size_bytes, 4 * MIB);
	cr_expect(v->volume.read_only && v->volume.write_back);
	sector[0] = 0;
	cr_expect_eq(do_io(v, VOL_READ, 4 * MIB - 512, sector), IO_OK);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_OK);
	cr_expect_eq(sector[0], 42, "the content is gone");

	m.generation = 3;
	m.size_bytes = MIB;
	cr_expect_not_null(strstr(client_expect_error(&c, send_put(&m, again), EINVAL), "shrink"));
}

Test(ctl_volumes, another_backing_store_takes_over_when_nothing_is_under_way)
{
	uint8_t sector[512] = {1};
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	do_io(v, VOL_WRITE, 0, sector);
	unsigned fds = count_fds();
	m.generation = 2;
	v->volume.under_way_count = 1; /* a request that takes its time */
	uint32_t id = send_put(&m, make_memfd(MIB));
	settle();
	cr_expect(v->volume.offline, "requests go on to a store that is being replaced");
	struct wherry_ctl_volume_put other = m;
	other.generation = 3;
	client_expect_error(&c, send_put(&other, make_memfd(MIB)), EBUSY);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_error(&c, next_id, EBUSY);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .read_error_ppm = 1);
	client_expect_error(&c, next_id, EBUSY);
	v->volume.under_way_count = 0;
	client_expect_ok(&c, id);
	cr_expect_not(v->volume.offline);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_OK);
	cr_expect_eq(sector[0], 0, "still the old store");
	cr_expect_eq(count_fds(), fds, "descriptors leak");
}

Test(ctl_volumes, a_volume_that_becomes_writable_gets_a_descriptor_that_can_write)
{
	char path[128];
	uint8_t sector[512];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	m.backend = WHERRY_BACKEND_FILE;
	m.flags = WHERRY_VOLUME_READ_ONLY;
	close(make_file(MIB, path));
	put_ok(&m, open(path, O_RDONLY | O_CLOEXEC));
	struct ctl_volume *v = ctl_volume_find(1);
	unsigned fds = count_fds();
	m.generation = 2;
	m.flags = 0;
	put_ok(&m, open(path, O_RDWR | O_CLOEXEC));
	cr_expect_eq(fcntl(v->fd, F_GETFL) & O_ACCMODE, O_RDWR, "every write would fail");
	cr_expect_not(v->volume.read_only || v->volume.offline);
	cr_expect_neq(do_io(v, VOL_WRITE, 0, sector), IO_ERR_READ_ONLY);
	m.generation = 3;
	m.flags = WHERRY_VOLUME_READ_ONLY;
	put_ok(&m, open(path, O_RDONLY | O_CLOEXEC));
	cr_expect_eq(do_io(v, VOL_WRITE, 0, sector), IO_ERR_READ_ONLY);
	cr_expect_eq(count_fds(), fds, "descriptors leak");
	unlink(path);
}

Test(ctl_volumes, a_put_that_comes_while_the_volume_grows_cannot_shrink_it)
{
	int fd = make_memfd(4 * MIB), again = dup(fd);
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, fd);
	struct ctl_volume *v = ctl_volume_find(1);
	fake.stalled = true;
	m.generation = 2;
	m.size_bytes = 4 * MIB;
	uint32_t grow = send_put(&m, dup(again));
	settle();
	m.generation = 3;
	m.size_bytes = 2 * MIB;
	cr_expect_not_null(strstr(client_expect_error(&c, send_put(&m, dup(again)), EINVAL), "shrink"));
	m.size_bytes = MIB; /* nor another store, which would be put in its place */
	cr_expect_not_null(strstr(client_expect_error(&c, send_put(&m, make_memfd(MIB)), EINVAL), "shrink"));
	fake.stalled = false;
	client_expect_ok(&c, grow);
	cr_expect_eq(v->volume.size_bytes, 4 * MIB);
	cr_expect_eq(v->size_bytes, 4 * MIB);
	close(again);
}

Test(ctl_volumes, a_word_about_service_during_the_exchange_of_the_store_does_not_outlast_it)
{
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	fake.stalled = true;
	m.generation = 2;
	uint32_t id = send_put(&m, make_memfd(MIB));
	settle();
	fake.stalled = false;
	fake_run_workers(); /* the worker has the new store, main does not know yet */
	cr_assert(v->replacing && !v->volume.offline);
	cr_assert(ctl_volume_set_offline(v, (struct ctl_reply){0}));
	client_expect_ok(&c, id);
	settle();
	cr_expect_not(v->replacing || v->volume.offline, "out of service for ever");
}

Test(ctl_volumes, a_replacement_that_cannot_serve_changes_nothing)
{
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	unsigned fds = count_fds();
	m.generation = 2;
	client_expect_error(&c, send_put(&m, make_memfd(4096)), EINVAL);
	m.block_bytes = 4096;
	client_expect_error(&c, send_put(&m, make_memfd(MIB)), EINVAL);
	cr_expect_eq(ctl_volume_find(1)->generation, 1, "the same message could not be sent again");
	cr_expect_eq(count_fds(), fds, "descriptors leak");
}

Test(ctl_volumes, the_descriptor_can_be_had_back)
{
	struct stat put, got;
	int fd = make_memfd(MIB);
	cr_assert_eq(fstat(fd, &put), 0);
	struct wherry_ctl_volume_put m = ram(7, 1, MIB);
	put_ok(&m, fd);
	CLIENT_SEND(&c, volume_fd_get, ++next_id, .id = 7);
	client_expect(&c, WHERRY_CTL_VOLUME_FD, next_id);
	cr_assert_geq(c.got_fd, 0);
	cr_assert_eq(fstat(c.got_fd, &got), 0);
	cr_expect(got.st_dev == put.st_dev && got.st_ino == put.st_ino);
	CLIENT_SEND(&c, volume_fd_get, ++next_id, .id = 8);
	client_expect_error(&c, next_id, ENOENT);
	m.id = 8;
	m.backend = WHERRY_BACKEND_NULL;
	put_ok(&m, -1);
	CLIENT_SEND(&c, volume_fd_get, ++next_id, .id = 8);
	client_expect_error(&c, next_id, ENODEV);
}

Test(ctl_volumes, a_deleted_volume_is_destroyed_when_its_io_has_ended)
{
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	unsigned fds = count_fds();
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	v->volume.under_way_count = 1;
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	settle();
	cr_expect_null(ctl_volume_find(1));
	cr_expect_gt(count_fds(), fds, "destroyed with a request under way");
	v->volume.under_way_count = 0;
	client_expect_ok(&c, next_id);
	cr_expect_eq(count_fds(), fds, "descriptors leak");
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_error(&c, next_id, ENOENT);
}

Test(ctl_volumes, the_operator_takes_a_volume_out_of_service_and_back)
{
	uint8_t sector[512];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = false);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_ERR_OFFLINE);
	cr_expect_neq(v->detail[0], '\0');
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_OK);
	cr_expect_eq(v->detail[0], '\0');
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 2, .online = true);
	client_expect_error(&c, next_id, ENOENT);
}

/* ------------------------------------------------------------------ fault */

Test(ctl_volumes, faults_come_and_go_on_a_live_volume)
{
	uint8_t sector[512];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1);
	client_expect_ok(&c, next_id);
	cr_expect_null(v->fault.backend, "nothing to inject, yet an injector");
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .bad_offset_bytes = 512, .bad_length_bytes = 512);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_OK);
	cr_expect_eq(do_io(v, VOL_READ, 512, sector), IO_ERR_MEDIA);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .bad_offset_bytes = 0, .bad_length_bytes = 512);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_ERR_MEDIA);
	cr_expect_eq(do_io(v, VOL_READ, 512, sector), IO_OK);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1);
	client_expect_ok(&c, next_id);
	settle();
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_OK);
	cr_expect_null(v->fault.backend, "the injector stays");
	cr_expect_eq(v->volume.backend, v->base);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 9, .read_error_ppm = 1);
	client_expect_error(&c, next_id, ENOENT);
}

Test(ctl_volumes, an_injector_that_holds_delayed_io_is_removed_later)
{
	uint8_t sector[512];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .delay_ppm = 1000000, .delay_us = 1000000);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_STATUS_COUNT, "not delayed");
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1);
	client_expect_ok(&c, next_id);
	settle();
	cr_expect_not_null(v->fault.backend, "removed under a delayed request");
	ctl_server_tick(ctl_now_ns());
	settle();
	cr_expect_not_null(v->fault.backend);
	v->worker->now_ns += 2000000000; /* its time has come */
	settle();
	cr_expect_eq(io_status, IO_OK);
	ctl_server_tick(ctl_now_ns());
	settle();
	cr_expect_null(v->fault.backend);
}

Test(ctl_volumes, a_plan_that_comes_while_the_injector_is_being_removed_is_not_lost)
{
	uint8_t sector[512];
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .read_error_ppm = 1000000);
	client_expect_ok(&c, next_id);
	fake.stalled = true;
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .write_error_ppm = 1);
	CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1, .bad_length_bytes = 512);
	settle();
	fake.stalled = false;
	client_expect_ok(&c, next_id - 1); /* overtaken */
	client_expect_ok(&c, next_id - 2);
	client_expect_ok(&c, next_id);
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_ERR_MEDIA);
	cr_expect_eq(do_io(v, VOL_READ, 512, sector), IO_OK);
}

Test(ctl_volumes, a_volume_with_an_injector_is_deleted_or_replaced_whole)
{
	for (unsigned replace = 0; replace < 2; replace++) {
		struct wherry_ctl_volume_put m = ram(1 + replace, 1, MIB);
		put_ok(&m, make_memfd(MIB));
		CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1 + replace, .read_error_ppm = 5);
		client_expect_ok(&c, next_id);
		if (replace) {
			m.generation = 2;
			put_ok(&m, make_memfd(MIB));
			cr_expect_null(ctl_volume_find(2)->fault.backend);
		}
		fake.stalled = true;
		CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1 + replace);
		CLIENT_SEND(&c, fault_put, ++next_id, .volume_id = 1 + replace, .read_error_ppm = 7);
		CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1 + replace);
		settle();
		fake.stalled = false;
		settle();
		cr_expect_null(ctl_volume_find(1 + replace));
		for (unsigned answers = 0; answers < 3; answers++)
			cr_assert(client_receive(&c), "a request was not answered");
	}
}

/* --------------------------------------------------------------- watchdog */

Test(ctl_volumes, a_store_that_shrinks_takes_its_volume_out_of_service_once)
{
	char path[128];
	uint8_t sector[512];
	int fd = make_file(MIB, path), keep = dup(fd);
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	m.backend = WHERRY_BACKEND_FILE;
	put_ok(&m, fd);
	struct ctl_volume *v = ctl_volume_find(1);
	ctl_server_tick(ctl_now_ns());
	settle();
	cr_expect_not(v->volume.offline);
	cr_assert_eq(ftruncate(keep, MIB - 1), 0);
	ctl_server_tick(ctl_now_ns());
	expect_event("volume.shrunk", "1048575 bytes instead of 1048576");
	settle();
	cr_expect_eq(do_io(v, VOL_READ, 0, sector), IO_ERR_OFFLINE);
	ctl_server_tick(ctl_now_ns());
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_error(&c, next_id, ENXIO); /* and no second event before */
	cr_assert_eq(ftruncate(keep, MIB), 0);
	ctl_server_tick(ctl_now_ns());
	settle();
	cr_expect(v->volume.offline, "back in service before anybody has looked");
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id);
	cr_expect_not(v->volume.offline);

	cr_assert_eq(unlink(path), 0);
	ctl_server_tick(ctl_now_ns());
	expect_event("volume.unlinked", "still served");
	cr_expect_not(v->volume.offline);
	ctl_server_tick(ctl_now_ns());
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_ok(&c, next_id); /* and no second event before */
	close(keep);
}

Test(ctl_volumes, a_store_that_is_too_short_at_creation_waits_for_the_operator)
{
	char path[128];
	int fd = make_file(MIB / 2, path), keep = dup(fd);
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	m.backend = WHERRY_BACKEND_FILE;
	uint32_t id = send_put(&m, fd);
	expect_event("volume.shrunk", "out of service");
	client_expect_ok(&c, id);
	cr_expect(ctl_volume_find(1)->volume.offline);
	cr_assert_eq(ftruncate(keep, MIB), 0);
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id);
	cr_expect_not(ctl_volume_find(1)->volume.offline);
	unlink(path);
	close(keep);
}

Test(ctl_volumes, failed_io_is_reported_at_most_once_a_minute)
{
	struct wherry_ctl_volume_put m = ram(1, 1, MIB);
	put_ok(&m, make_memfd(MIB));
	struct ctl_volume *v = ctl_volume_find(1);
	uint64_t now_ns = ctl_now_ns();
	v->volume.stats[WHERRY_VOLUME_err_io] = 3;
	ctl_server_tick(now_ns);
	expect_event("volume.io_error", "store: 3, past");
	v->volume.stats[WHERRY_VOLUME_err_io] = 10;
	v->volume.stats[WHERRY_VOLUME_err_no_space] = 2;
	ctl_server_tick(now_ns + 1000000000);
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id); /* no event before */
	ctl_server_tick(now_ns + 61000000000);
	expect_event("volume.no_space", "full: 2.");
}

/* --------------------------------------------------------------- requests */

Test(ctl_volumes, every_request_is_answered_once_also_when_the_asker_has_gone)
{
	fake.stalled = true;
	for (uint64_t id = 1; id <= 20; id++) {
		struct wherry_ctl_volume_put m = ram(id, 1, MIB);
		m.backend = WHERRY_BACKEND_NULL;
		send_put(&m, -1);
		CLIENT_SEND(&c, volume_online, ++next_id, .id = id, .online = false);
		m.generation = 2;
		m.size_bytes = 2 * MIB;
		send_put(&m, -1);
		CLIENT_SEND(&c, volume_delete, ++next_id, .id = id);
	}
	settle();
	client_close(&c);
	settle();
	fake.stalled = false;
	settle();
	cr_expect_null(ctl_volume_find(1));
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	CLIENT_SEND(&c, volume_list, 5, );
	client_expect_ok(&c, 5); /* an answer to the old connection would have come first */
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The file backend on a block device: a loop device, whole and over a truncated file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rig.h"

#define SIZE (1u << 20)

static uint8_t a[65536] __attribute__((aligned(4096)));
static uint8_t b[65536] __attribute__((aligned(4096)));

/* A loop device over the file, that vanishes with its last descriptor. */
static int loop_open(int file, int open_flags)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		cr_skip_test("no loop devices: %s", strerror(errno));
	for (unsigned attempt = 0; attempt < 20; attempt++) {
		char path[32];
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			break;
		snprintf(path, sizeof path, "/dev/loop%d", number);
		int fd = open(path, O_RDWR | O_CLOEXEC | open_flags);
		struct loop_config config = {.fd = (unsigned)file, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
			close(control);
			return fd;
		}
		close(fd); /* somebody else was faster */
	}
	close(control);
	cr_skip_test("no loop device: %s", strerror(errno));
	return -1;
}

Test(backend_loop, block_devices_read_write_flush_and_zero)
{
	struct backend_engine *engine = rig_engine(8);
	int file = rig_file(NULL, SIZE, 0);
	int fd = loop_open(file, O_DIRECT);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 512, 512);
	memset(a, 'L', sizeof a);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, BACKEND_FUA, 512, a, 8192) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_OK);
	cr_expect(pread(file, b, 8192, 512) == 8192 && memcmp(a, b, 8192) == 0, "durable means in the file");
	cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, BACKEND_FUA, 1024, NULL, 4096) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 512, b, 8192) == IO_OK);
	cr_expect(b[511] == 'L' && b[512] == 0 && b[4607] == 0 && b[4608] == 'L');
	cr_expect(rig_run(engine, backend, BACKEND_DISCARD, 0, 0, NULL, 65536) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, SIZE - 512, b, 512) == IO_OK);
	backend_destroy(backend);
	close(fd);
	close(file);
	backend_engine_destroy(engine);
}

/* /dev is a file system in memory. */
Test(backend_loop, the_ring_waits_for_a_device_wherever_its_node_lies)
{
	struct backend_engine *engine = rig_engine(8);
	int file = rig_file(NULL, SIZE, 0);
	int fd = loop_open(file, O_DIRECT);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 512, 512);
	struct rig_io io;
	rig_start(backend, &io, BACKEND_READ, 0, 0, b, 4096);
	cr_expect_not(io.done, "the worker waited for the device");
	cr_expect_eq(rig_wait(engine, &io), IO_OK);
	backend_destroy(backend);
	backend_engine_destroy(engine);
	close(fd);
	close(file);
}

Test(backend_loop, a_device_that_fails_is_a_media_error)
{
	struct backend_engine *engine = rig_engine(8);
	int file = rig_file(NULL, SIZE, 0);
	int fd = loop_open(file, O_DIRECT);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 512, 512);
	cr_assert(ftruncate(file, SIZE / 2) == 0);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, b, 4096) == IO_OK);
	enum io_status status = rig_run(engine, backend, BACKEND_READ, 0, SIZE / 2 + 4096, b, 4096);
	cr_expect(status == IO_ERR_MEDIA, "status %d", (int)status);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, b, 4096) == IO_OK, "the rest still works");
	backend_destroy(backend);
	close(fd);
	close(file);
	backend_engine_destroy(engine);
}

/*
 * A device of 1 MiB that has room for a part of it: what is written to the page
 * cache beyond that is lost, and the kernel says so once.
 */
Test(backend_loop, data_that_the_device_lost_is_never_called_durable)
{
	static const struct {
		const char *name;
		enum backend_op op;
		uint32_t flags;
	} cases[] = {
		{"flush", BACKEND_FLUSH, 0},
		{"durable write", BACKEND_WRITE, BACKEND_FUA},
		{"durable zeroes", BACKEND_WRITE_ZEROES, BACKEND_FUA},
	};
	const char *folder = rig_tmpfs("size=128k");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct backend_engine *engine = rig_engine(8);
		int file = rig_file(folder, SIZE, 0);
		cr_assert(pwrite(file, a, 4096, 0) == 4096);
		int fd = loop_open(file, 0);
		struct backend *backend = backend_file_create(engine, fd, SIZE, 512, 1);
		for (unsigned at = 0; at < SIZE; at += sizeof a)
			cr_assert(rig_run(engine, backend, BACKEND_WRITE, 0, at, a, sizeof a) == IO_OK, "cached");
		const uint64_t len = cases[i].op == BACKEND_FLUSH ? 0 : 512;
		cr_expect(rig_run(engine, backend, cases[i].op, cases[i].flags, 0, a, len) != IO_OK, "%s",
			  cases[i].name);
		cr_expect(backend_file_sync_lost(backend), "%s", cases[i].name);
		for (unsigned again = 0; again < 3; again++)
			cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_ERR_MEDIA, "%s",
				  cases[i].name);
		backend_destroy(backend);
		close(fd);
		close(file);
		backend_engine_destroy(engine);
	}
}

Test(backend_loop, a_device_smaller_than_the_volume_is_an_error_not_a_success)
{
	struct backend_engine *engine = rig_engine(8);
	int file = rig_file(NULL, SIZE, 0);
	int fd = loop_open(file, O_DIRECT);
	struct backend *backend = backend_file_create(engine, fd, 2 * SIZE, 512, 512);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, SIZE - 512, b, 1024) == IO_ERR_SHORT);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, SIZE, b, 512) == IO_ERR_SHORT);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, SIZE - 512, a, 1024) != IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, SIZE, a, 512) != IO_OK);
	backend_destroy(backend);
	close(fd);
	close(file);
	backend_engine_destroy(engine);
}

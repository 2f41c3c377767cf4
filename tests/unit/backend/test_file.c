/* SPDX-License-Identifier: BSD-3-Clause */
/* The file backend on real files: data, ends, holes, full file systems, queueing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/engine_priv.h"
#include "rig.h"

#define SIZE (1u << 20)

static uint8_t a[65536] __attribute__((aligned(4096)));
static uint8_t b[65536] __attribute__((aligned(4096)));

static uint64_t random_state = 7;

static uint64_t pick(uint64_t count)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % count;
}

static void fill(uint8_t *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)pick(256);
}

/* Random I/O, one at a time, against a shadow in memory. */
static void shadow_test(struct backend_engine *engine, int fd, uint32_t align, unsigned op_count)
{
	struct backend *backend = backend_file_create(engine, fd, SIZE, align, align);
	uint8_t *shadow = calloc(1, SIZE), *large = aligned_alloc(4096, SIZE);
	for (unsigned i = 0; i < op_count; i++) {
		uint64_t offset = pick(SIZE / align) * align;
		uint64_t len = (1 + pick(sizeof a / align)) * align;
		if (len > SIZE - offset)
			len = SIZE - offset;
		uint32_t flags = pick(8) == 0 ? BACKEND_FUA : 0;
		enum io_status status;
		switch (pick(6)) {
		case 0:
			status = rig_run(engine, backend, BACKEND_WRITE_ZEROES, flags, offset, NULL, len);
			memset(shadow + offset, 0, len);
			break;
		case 1:
			status = rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0);
			break;
		case 2:
		case 3:
			fill(a, len);
			status = rig_run(engine, backend, BACKEND_WRITE, flags, offset, a, len);
			memcpy(shadow + offset, a, len);
			break;
		default:
			status = rig_run(engine, backend, BACKEND_READ, 0, offset, b, len);
			cr_assert(memcmp(b, shadow + offset, len) == 0, "read %u of %lu at %lu", i, (unsigned long)len,
				  (unsigned long)offset);
		}
		cr_assert(status == IO_OK, "I/O %u: status %d", i, (int)status);
	}
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, large, SIZE) == IO_OK);
	cr_expect(memcmp(large, shadow, SIZE) == 0);
	free(shadow);
	free(large);
	backend_destroy(backend);
}

Test(backend_file, reads_back_what_was_written_in_every_ring_mode)
{
	for (unsigned first = 0; first < 3; first++) {
		char error[256];
		struct backend_engine *engine = backend_engine_create(8);
		engine->setup_first = first;
		if (backend_engine_attach(engine, error, sizeof error) < 0)
			cr_skip_test("%s", error);
		static const char *const modes[] = {"io_uring (deferred task run)", "io_uring (cooperative task run)",
						    "io_uring"};
		if (first == 2)
			cr_expect(strcmp(backend_engine_mode(engine), modes[first]) == 0);
		int fd = rig_file(NULL, SIZE, 0);
		cr_assert(fd >= 0);
		shadow_test(engine, fd, 1, 200);
		close(fd);
		backend_engine_destroy(engine);
	}
}

Test(backend_file, works_with_direct_io)
{
	struct backend_engine *engine = rig_engine(8);
	int fd = rig_file(NULL, SIZE, O_DIRECT);
	if (fd < 0)
		cr_skip_test("no O_DIRECT here: %s", strerror(errno));
	shadow_test(engine, fd, 4096, 200);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, more_io_than_the_ring_holds_waits_its_turn)
{
	struct backend_engine *engine = rig_engine(2);
	int fd = rig_file(NULL, SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	enum { COUNT = 200 };
	static struct rig_io io[COUNT];
	static uint8_t data[COUNT][512];
	for (unsigned i = 0; i < COUNT; i++) {
		memset(data[i], (int)i, 512);
		rig_start(backend, &io[i], BACKEND_WRITE, i % 3 ? 0 : BACKEND_FUA, i * 512, data[i], 512);
		cr_expect(!io[i].done);
	}
	cr_expect(backend_engine_under_way(engine) == COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		cr_expect(rig_wait(engine, &io[i]) == IO_OK);
	cr_expect(backend_engine_under_way(engine) == 0);
	for (unsigned i = 0; i < COUNT; i++)
		rig_start(backend, &io[i], BACKEND_READ, 0, i * 512, data[i], 512);
	memset(data, 0xff, sizeof data);
	for (unsigned i = 0; i < COUNT; i++) {
		cr_expect(rig_wait(engine, &io[i]) == IO_OK);
		cr_expect(data[i][0] == (uint8_t)i && data[i][511] == (uint8_t)i);
	}
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, vectors_beyond_the_kernels_limit_are_continued)
{
	enum { COUNT = 2500, PART = 100 };
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(NULL, SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	uint8_t *data = malloc(COUNT * PART), *back = malloc(COUNT * PART);
	struct iovec *iov = calloc(COUNT + 1, sizeof *iov);
	fill(data, COUNT * PART);
	for (unsigned round = 0; round < 2; round++) {
		struct rig_io io = {0};
		for (unsigned i = 0; i < COUNT; i++) /* with an empty one in the middle */
			iov[i + (i >= 1024)] = (struct iovec){(round ? back : data) + i * PART, PART};
		iov[1024] = (struct iovec){NULL, 0};
		rig_start(backend, &io, BACKEND_FLUSH, 0, 0, NULL, 0);
		cr_expect(rig_wait(engine, &io) == IO_OK);
		io.done = false;
		io.io.op = round ? BACKEND_READ : BACKEND_WRITE;
		io.io.offset_bytes = 12345;
		io.io.len_bytes = COUNT * PART;
		io.io.iov = iov;
		io.io.iov_count = COUNT + 1;
		backend_submit(backend, &io.io);
		cr_expect(rig_wait(engine, &io) == IO_OK);
	}
	cr_expect(memcmp(data, back, COUNT * PART) == 0);
	free(data);
	free(back);
	free(iov);
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, a_file_shrunk_under_us_is_short_not_silent)
{
	static const struct {
		int open_flags;
		uint32_t align;
		uint64_t new_size;
	} cases[] = {{0, 1, 8192}, {0, 1, 8192 + 100}, {0, 1, 0}, {O_DIRECT, 4096, 8192}, {O_DIRECT, 4096, 8192 + 512}};
	struct backend_engine *engine = rig_engine(4);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fd = rig_file(NULL, SIZE, cases[i].open_flags);
		if (fd < 0)
			continue; /* no O_DIRECT here */
		struct backend *backend = backend_file_create(engine, fd, SIZE, cases[i].align, cases[i].align);
		cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, a, 65536) == IO_OK);
		cr_assert(ftruncate(fd, (off_t)cases[i].new_size) == 0);
		cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, a, 65536) == IO_ERR_SHORT, "case %zu: across",
			  i);
		cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 65536, a, 4096) == IO_ERR_SHORT, "case %zu: beyond",
			  i);
		struct stat st;
		cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, 0, 65536, NULL, 4096) == IO_OK);
		cr_expect(rig_run(engine, backend, BACKEND_DISCARD, 0, 65536, NULL, 4096) == IO_OK);
		cr_assert(fstat(fd, &st) == 0);
		cr_expect((uint64_t)st.st_size == cases[i].new_size, "case %zu: zeroes or discard made the file grow",
			  i);
		backend_destroy(backend);
		close(fd);
	}
	backend_engine_destroy(engine);
}

Test(backend_file, discard_frees_blocks)
{
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(rig_tmpfs("size=4m"), SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	struct stat full, punched;
	memset(a, 'd', sizeof a);
	for (unsigned i = 0; i < SIZE; i += sizeof a)
		cr_assert(rig_run(engine, backend, BACKEND_WRITE, 0, i, a, sizeof a) == IO_OK);
	cr_assert(fstat(fd, &full) == 0);
	cr_expect(rig_run(engine, backend, BACKEND_DISCARD, BACKEND_FUA, 4096, NULL, SIZE / 2) == IO_OK);
	cr_assert(fstat(fd, &punched) == 0);
	cr_expect(punched.st_size == SIZE);
	cr_expect((full.st_blocks - punched.st_blocks) * 512 == SIZE / 2);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, b, 8192) == IO_OK && b[4095] == 'd' && b[4096] == 0);
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, write_zeroes_falls_back_to_writing)
{
	/* tmpfs cannot zero a range. */
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(rig_tmpfs("size=4m"), SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	memset(a, 'z', sizeof a);
	for (unsigned i = 0; i < SIZE; i += sizeof a)
		cr_assert(rig_run(engine, backend, BACKEND_WRITE, 0, i, a, sizeof a) == IO_OK);
	for (unsigned round = 0; round < 2; round++) { /* the second one knows */
		uint64_t from = 1000 + round * 400000, to = from + 300001;
		cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, round ? BACKEND_FUA : 0, from, NULL,
				  to - from) == IO_OK);
		uint8_t *back = malloc(SIZE);
		cr_assert(pread(fd, back, SIZE, 0) == SIZE);
		for (unsigned i = round * 400000; i < (round + 1) * 400000; i++)
			cr_assert(back[i] == (i >= from && i < to ? 0 : 'z'), "byte %u", i);
		free(back);
	}
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, a_full_file_system_is_no_space)
{
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(rig_tmpfs("size=256k"), SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	unsigned failed_count = 0;
	memset(a, 'f', sizeof a);
	for (unsigned i = 0; i < SIZE; i += sizeof a) {
		enum io_status status = rig_run(engine, backend, BACKEND_WRITE, 0, i, a, sizeof a);
		cr_expect(status == IO_OK || status == IO_ERR_NO_SPACE, "status %d", (int)status);
		failed_count += status == IO_ERR_NO_SPACE;
		if (status == IO_OK)
			cr_expect(rig_run(engine, backend, BACKEND_READ, 0, i, b, sizeof b) == IO_OK && b[0] == 'f');
	}
	cr_expect(failed_count > 0 && failed_count < SIZE / sizeof a);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, 0, SIZE - 4096, NULL, 4096) == IO_ERR_NO_SPACE);
	cr_expect(rig_run(engine, backend, BACKEND_DISCARD, 0, 0, NULL, 65536) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, 0, a, 4096) == IO_OK, "room was made");
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, a_descriptor_that_cannot_do_it_is_a_media_error)
{
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(NULL, SIZE, 0);
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);
	struct backend *backend = backend_file_create(engine, read_only, SIZE, 1, 1);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, a, 512) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, 0, a, 512) == IO_ERR_MEDIA);
	cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, 0, 0, NULL, 512) == IO_ERR_MEDIA);
	cr_expect(rig_run(engine, backend, BACKEND_DISCARD, 0, 0, NULL, 512) == IO_ERR_MEDIA);
	backend_destroy(backend);
	close(read_only);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, without_a_ring_io_fails_at_once)
{
	struct backend_engine *engine = backend_engine_create(0);
	int fd = rig_file(NULL, SIZE, 0);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	struct rig_io io;
	rig_start(backend, &io, BACKEND_READ, 0, 0, a, 512);
	cr_expect(io.done && io.status == IO_ERR_MEDIA);
	cr_expect(strcmp(backend_engine_mode(engine), "no io_uring") == 0);
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, faults_stack_on_it)
{
	struct backend_engine *engine = rig_engine(4);
	int fd = rig_file(NULL, SIZE, 0);
	const struct backend_fault_plan plan = {
		.seed = 3, .write_error_ppm = 500000, .delay_ppm = 500000, .delay_us = 20};
	struct backend *fault = backend_fault_create(engine, backend_file_create(engine, fd, SIZE, 1, 1), &plan);
	unsigned failed_count = 0;
	for (unsigned i = 0; i < 100; i++) {
		memset(a, (int)i, 512);
		enum io_status status = rig_run(engine, fault, BACKEND_WRITE, 0, i * 512, a, 512);
		failed_count += status != IO_OK;
		cr_expect(rig_run(engine, fault, BACKEND_READ, 0, i * 512, b, 512) == IO_OK);
		if (status == IO_OK)
			cr_expect(memcmp(a, b, 512) == 0);
	}
	cr_expect(failed_count > 20 && failed_count < 80);
	cr_expect(backend_fault_under_way(fault) == 0 && backend_engine_under_way(engine) == 0);
	backend_destroy(fault);
	close(fd);
	backend_engine_destroy(engine);
}

Test(backend_file, a_file_in_memory_is_read_and_written_at_once)
{
	struct backend_engine *engine = rig_engine(8);
	int fd = rig_file(rig_tmpfs("size=8m"), SIZE, 0);
	shadow_test(engine, fd, 1, 200);
	struct backend *backend = backend_file_create(engine, fd, SIZE, 1, 1);
	struct rig_io io;
	fill(a, sizeof a);
	rig_start(backend, &io, BACKEND_WRITE, BACKEND_FUA, 512, a, sizeof a);
	cr_expect(io.done && io.status == IO_OK, "the ring was asked");
	rig_start(backend, &io, BACKEND_READ, 0, 512, b, sizeof b);
	cr_expect(io.done && io.status == IO_OK, "the ring was asked");
	cr_expect(memcmp(a, b, sizeof a) == 0);
	cr_assert(ftruncate(fd, 1000) == 0);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 512, b, 1024) == IO_ERR_SHORT);
	cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, b, 1000) == IO_OK);
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The injector, and the engine's list of delayed I/O. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

#define SIZE (64u * 1024)

static int fd;
static struct backend_engine *engine;
static struct backend *fault;
static uint8_t bytes[4096];

static void setup(void)
{
	const struct backend_fault_plan none = {0};
	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
	engine = backend_engine_create(0);
	cr_assert(backend_engine_attach(engine, NULL, 0) == 0, "no ring, nothing that can fail");
	fault = backend_fault_create(engine, backend_ram_create(fd, SIZE), &none);
}

static void teardown(void)
{
	cr_expect(backend_fault_under_way(fault) == 0);
	backend_destroy(fault);
	backend_engine_destroy(engine);
	close(fd);
}

static enum io_status run(enum backend_op op, uint64_t offset, uint64_t len)
{
	return rig_run(engine, fault, op, 0, offset, bytes, len);
}

Test(backend_fault, all_zero_is_transparent, .init = setup, .fini = teardown)
{
	struct rig_io io;
	memset(bytes, 't', sizeof bytes);
	rig_start(fault, &io, BACKEND_WRITE, 0, 512, bytes, 512);
	cr_expect(io.done && io.status == IO_OK, "completes as the backend below does");
	cr_expect(run(BACKEND_READ, 0, 1024) == IO_OK && bytes[511] == 0 && bytes[512] == 't');
	cr_expect(fault->size_bytes == SIZE && fault->align_bytes == 1 && fault->memory_align_bytes == 1);
}

Test(backend_fault, rates_are_per_kind, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		struct backend_fault_plan plan;
		unsigned want_percent[5]; /* read, write, flush, discard, zeroes */
		enum io_status status;
	} cases[] = {
		{"reads", {.read_error_ppm = 1000000}, {100, 0, 0, 0, 0}, IO_ERR_MEDIA},
		{"writes", {.write_error_ppm = 1000000}, {0, 100, 0, 100, 100}, IO_ERR_MEDIA},
		{"flushes", {.flush_error_ppm = 1000000}, {0, 0, 100, 0, 0}, IO_ERR_MEDIA},
		{"space", {.no_space_ppm = 1000000}, {0, 100, 0, 0, 100}, IO_ERR_NO_SPACE},
		{"some reads", {.seed = 5, .read_error_ppm = 250000}, {25, 0, 0, 0, 0}, IO_ERR_MEDIA},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		backend_fault_set_plan(fault, &cases[i].plan);
		for (enum backend_op op = BACKEND_READ; op <= BACKEND_WRITE_ZEROES; op++) {
			unsigned failed_count = 0;
			for (unsigned n = 0; n < 2000; n++) {
				enum io_status status = run(op, 0, op == BACKEND_FLUSH ? 0 : 512);
				cr_expect(status == IO_OK || status == cases[i].status);
				failed_count += status != IO_OK;
			}
			unsigned want = cases[i].want_percent[op] * 20;
			unsigned slack = want == 0 || want == 2000 ? 0 : 80;
			cr_expect(failed_count + slack >= want && failed_count <= want + slack, "%s, op %d: %u of 2000",
				  cases[i].name, (int)op, failed_count);
		}
	}
}

Test(backend_fault, a_failed_write_has_reached_the_backend_or_has_not, .init = setup, .fini = teardown)
{
	const struct backend_fault_plan plan = {.seed = 1, .write_error_ppm = 1000000};
	const struct backend_fault_plan full = {.seed = 1, .no_space_ppm = 1000000};
	unsigned reached_count = 0;
	backend_fault_set_plan(fault, &plan);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t byte = (uint8_t)(i + 1), now;
		memset(bytes, byte, 512);
		cr_expect(run(BACKEND_WRITE, 0, 512) == IO_ERR_MEDIA);
		cr_assert(pread(fd, &now, 1, 0) == 1);
		reached_count += now == byte;
	}
	cr_expect(reached_count > 20 && reached_count < 80, "%u of 100", reached_count);

	memset(bytes, 0xee, 512);
	backend_fault_set_plan(fault, &full);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t now;
		cr_expect(run(BACKEND_WRITE, 0, 512) == IO_ERR_NO_SPACE);
		cr_assert(pread(fd, &now, 1, 0) == 1 && now != 0xee, "no space, yet it is there");
	}
}

Test(backend_fault, same_seed_gives_the_same_faults, .init = setup, .fini = teardown)
{
	bool first[500];
	const struct backend_fault_plan plan = {
		.seed = 42, .read_error_ppm = 300000, .delay_ppm = 500000, .delay_us = 5};
	for (unsigned round = 0; round < 2; round++) {
		backend_fault_set_plan(fault, &plan);
		for (unsigned i = 0; i < 500; i++) {
			bool failed = run(BACKEND_READ, 0, 512) != IO_OK;
			if (round == 0)
				first[i] = failed;
			else
				cr_assert(failed == first[i], "I/O %u differs", i);
		}
	}
}

Test(backend_fault, bad_range_fails_what_touches_it, .init = setup, .fini = teardown)
{
	const struct backend_fault_plan plan = {.bad_offset_bytes = 4096, .bad_length_bytes = 1024};
	static const struct {
		uint64_t offset, len;
		bool fails;
	} cases[] = {
		{0, 4096, false}, {0, 4097, true},   {4096, 1, true},  {5119, 1, true}, {5120, 512, false},
		{0, SIZE, true},  {4608, 512, true}, {4095, 1, false}, {0, 0, false},   {4096, 0, false},
	};
	backend_fault_set_plan(fault, &plan);
	static uint8_t large[SIZE];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum io_status status = rig_run(engine, fault, BACKEND_READ, 0, cases[i].offset, large, cases[i].len);
		cr_expect(status == (cases[i].fails ? IO_ERR_MEDIA : IO_OK), "case %zu", i);
	}
	cr_expect(run(BACKEND_FLUSH, 0, 0) == IO_OK);
	memset(bytes, 'b', sizeof bytes);
	cr_expect(run(BACKEND_WRITE, 4096 - 512, 1024) == IO_ERR_MEDIA);
	uint8_t now;
	cr_expect(pread(fd, &now, 1, 4096 - 512) == 1 && now == 0, "nothing of it reached the backend");
}

Test(backend_fault, delays_end_in_order_of_due_time, .init = setup, .fini = teardown)
{
	struct backend_fault_plan plan = {.delay_ppm = 1000000, .delay_us = 300};
	struct rig_io io[4];
	backend_engine_poll(engine, 1000000);
	cr_expect(backend_engine_next_due_ns(engine) == UINT64_MAX);
	static const uint32_t delays_us[4] = {300, 100, 200, 100};
	for (unsigned i = 0; i < 4; i++) {
		plan.delay_us = delays_us[i];
		backend_fault_set_plan(fault, &plan);
		rig_start(fault, &io[i], BACKEND_WRITE, 0, i * 512, bytes, 512);
		cr_expect(!io[i].done);
	}
	cr_expect(backend_engine_under_way(engine) == 4 && backend_fault_under_way(fault) == 4);
	cr_expect(backend_engine_next_due_ns(engine) == 1100000);
	cr_expect(backend_engine_poll(engine, 1099999) == 0);
	cr_expect(backend_engine_poll(engine, 1100000) == 2 && io[1].done && io[3].done && !io[2].done);
	cr_expect(backend_engine_poll(engine, 1250000) == 1 && io[2].done && !io[0].done);
	cr_expect(backend_engine_next_due_ns(engine) == 1300000);
	cr_expect(backend_engine_poll(engine, 9000000) == 1 && io[0].done);
	cr_expect(backend_engine_under_way(engine) == 0);
}

Test(backend_fault, a_delayed_failure_fails_late, .init = setup, .fini = teardown)
{
	const struct backend_fault_plan plan = {.read_error_ppm = 1000000, .delay_ppm = 1000000, .delay_us = 10};
	const struct backend_fault_plan none = {0};
	struct rig_io io, other;
	backend_fault_set_plan(fault, &plan);
	rig_start(fault, &io, BACKEND_READ, 0, 0, bytes, 512);
	cr_expect(!io.done);
	backend_fault_set_plan(fault, &none);
	rig_start(fault, &other, BACKEND_READ, 0, 0, bytes, 512);
	cr_expect(other.done && other.status == IO_OK);
	cr_expect(rig_wait(engine, &io) == IO_ERR_MEDIA, "what was decided stays decided");
}

Test(backend_fault, gives_back_the_backend_below)
{
	struct backend_engine *own = backend_engine_create(0);
	struct backend *null = backend_null_create(SIZE);
	const struct backend_fault_plan plan = {.seed = 1, .read_error_ppm = 1000000};
	struct backend *injector = backend_fault_create(own, null, &plan);
	cr_expect(backend_resize(injector, 2 * SIZE) == 0 && null->size_bytes == 2 * SIZE);
	cr_expect(rig_run(own, injector, BACKEND_READ, 0, 0, bytes, 512) == IO_ERR_MEDIA);
	cr_expect(backend_fault_detach(injector) == null);
	backend_destroy(injector);
	cr_expect(rig_run(own, null, BACKEND_READ, 0, 0, bytes, 512) == IO_OK);
	backend_destroy(null);
	backend_engine_destroy(own);
}

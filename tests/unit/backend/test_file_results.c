/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel is asked, and what becomes of answers that a test cannot make
 * it give: short transfers, EINTR, EAGAIN, odd errors.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/engine_priv.h"
#include "rig.h"

#define SIZE 65536u

static struct backend_engine *engine;
static struct backend *backend;
static int fd;
static uint8_t bytes[SIZE], back[SIZE];

static void setup(void)
{
	engine = rig_engine(8);
	fd = rig_file(NULL, SIZE, 0);
	backend = backend_file_create(engine, fd, SIZE, 512, 1);
	for (unsigned i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i >> 8 ^ i);
}

static void teardown(void)
{
	cr_expect(backend_engine_under_way(engine) == 0);
	backend_destroy(backend);
	close(fd);
	backend_engine_destroy(engine);
}

/* Let an I/O end, then pretend that the kernel's answer was another. */
static void start_with_result(struct rig_io *io, enum backend_op op, uint64_t len, int result)
{
	rig_start(backend, io, op, 0, 0, bytes, len);
	rig_wait(engine, io);
	io->done = false;
	io->io.done_bytes = 0;
	io->io.stage = 0;
	io->io.retrying = false;
	file_on_result(&io->io, result);
}

Test(backend_file_results, asks_for_what_the_operation_means, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		enum backend_op op;
		uint32_t flags;
		uint8_t stage, opcode;
		unsigned want_flags, len;
	} cases[] = {
		{"read", BACKEND_READ, 0, 0, IORING_OP_READ, 0, 0},
		{"read never syncs", BACKEND_READ, BACKEND_FUA, 0, IORING_OP_READ, 0, 0},
		{"write", BACKEND_WRITE, 0, 0, IORING_OP_WRITE, 0, 0},
		{"write through", BACKEND_WRITE, BACKEND_FUA, 0, IORING_OP_WRITE, RWF_DSYNC, 0},
		{"punch", BACKEND_DISCARD, 0, 4, IORING_OP_FALLOCATE, 0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
		{"zero", BACKEND_WRITE_ZEROES, 0, 1, IORING_OP_FALLOCATE, 0,
		 FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE},
		{"zeros by hand", BACKEND_WRITE_ZEROES, 0, 2, IORING_OP_WRITE, 0, 0},
		{"durable zeros by hand", BACKEND_WRITE_ZEROES, BACKEND_FUA, 2, IORING_OP_WRITE, RWF_DSYNC, 0},
		{"flush", BACKEND_FLUSH, 0, 3, IORING_OP_FSYNC, IORING_FSYNC_DATASYNC, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct iovec iov = {bytes, 4096};
		struct backend_io io = {.op = cases[i].op,
					.flags = cases[i].flags,
					.offset_bytes = 512,
					.len_bytes = 4096,
					.iov = &iov,
					.iov_count = 1,
					.file = backend,
					.stage = cases[i].stage};
		struct io_uring_sqe sqe = {0};
		file_prepare(&io, &sqe);
		cr_expect(sqe.opcode == cases[i].opcode && sqe.fd == fd, "%s: opcode %u", cases[i].name, sqe.opcode);
		cr_expect((unsigned)sqe.rw_flags == cases[i].want_flags, "%s: flags %x", cases[i].name, sqe.rw_flags);
		if (sqe.opcode == IORING_OP_FALLOCATE)
			cr_expect(sqe.len == cases[i].len && sqe.off == 512 && sqe.addr == 4096, "%s", cases[i].name);
		else if (sqe.opcode != IORING_OP_FSYNC)
			cr_expect(sqe.len == 4096 && sqe.off == 512, "%s", cases[i].name);
	}
}

Test(backend_file_results, durable_zeroes_and_discards_end_with_a_sync, .init = setup, .fini = teardown)
{
	static const enum backend_op ops[] = {BACKEND_WRITE_ZEROES, BACKEND_DISCARD};
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned fua = 0; fua < 2; fua++) {
			struct rig_io io;
			rig_start(backend, &io, ops[i], fua ? BACKEND_FUA : 0, 0, NULL, 4096);
			cr_expect(rig_wait(engine, &io) == IO_OK);
			cr_expect((io.io.stage == 3) == (fua == 1), "op %d ended in stage %u", (int)ops[i],
				  io.io.stage);
		}
	}
}

/* What the kernel says to a punch, and where that leads. */
Test(backend_file_results, zeroes_that_may_punch_fall_back_to_zeroing_and_then_to_writing, .init = setup,
     .fini = teardown)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_WRITE_ZEROES, BACKEND_MAY_PUNCH, 0, NULL, 4096);
	cr_expect(io.io.stage == 4, "punches first");
	cr_expect(rig_wait(engine, &io) == IO_OK);
	io.done = false;
	io.io.stage = 4;
	file_on_result(&io.io, -EOPNOTSUPP);
	cr_expect(!io.done && io.io.stage == 1, "then zeroes the range");
	cr_expect(rig_wait(engine, &io) == IO_OK);
	rig_start(backend, &io, BACKEND_WRITE_ZEROES, BACKEND_MAY_PUNCH, 0, NULL, 4096);
	cr_expect(io.io.stage == 1, "never punches again");
	cr_expect(rig_wait(engine, &io) == IO_OK);
	io.done = false;
	io.io.stage = 1;
	file_on_result(&io.io, -EOPNOTSUPP);
	cr_expect(!io.done && io.io.stage == 2, "then writes zeros");
	cr_expect(rig_wait(engine, &io) == IO_OK);
	rig_start(backend, &io, BACKEND_DISCARD, 0, 0, NULL, 4096);
	cr_expect(rig_wait(engine, &io) == IO_OK && !io.io.zeroed, "a discard that does nothing says so");
}

Test(backend_file_results, fast_zeroes_are_refused_rather_than_written, .init = setup, .fini = teardown)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_WRITE_ZEROES, BACKEND_FAST, 0, NULL, 4096);
	cr_expect(rig_wait(engine, &io) == IO_OK);
	io.done = false;
	io.io.stage = 1;
	file_on_result(&io.io, -EOPNOTSUPP);
	cr_expect(io.done && io.status == IO_ERR_UNSUPPORTED);
	rig_start(backend, &io, BACKEND_WRITE_ZEROES, BACKEND_FAST, 0, NULL, 4096);
	cr_expect(rig_wait(engine, &io) == IO_ERR_UNSUPPORTED, "known by then");
}

Test(backend_file_results, a_punched_discard_reads_as_zeros, .init = setup, .fini = teardown)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_WRITE, 0, 0, bytes, 4096);
	cr_expect(rig_wait(engine, &io) == IO_OK);
	rig_start(backend, &io, BACKEND_DISCARD, 0, 0, NULL, 4096);
	cr_expect(rig_wait(engine, &io) == IO_OK && io.io.zeroed);
	static const uint8_t zeros[4096];
	cr_expect(pread(fd, back, 4096, 0) == 4096 && memcmp(back, zeros, 4096) == 0);
}

Test(backend_file_results, short_writes_are_continued_from_a_whole_block, .init = setup, .fini = teardown)
{
	static const struct {
		int result;
		uint64_t resumes_at;
	} cases[] = {{512, 512}, {1024, 1024}, {700, 512}, {4095, 3584}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig_io io;
		start_with_result(&io, BACKEND_WRITE, 4096, cases[i].result);
		cr_expect(!io.done && io.io.done_bytes == cases[i].resumes_at, "case %zu", i);
		cr_expect(rig_wait(engine, &io) == IO_OK && io.io.done_bytes == 4096);
	}
	cr_expect(pread(fd, back, 4096, 0) == 4096 && memcmp(back, bytes, 4096) == 0);
}

Test(backend_file_results, a_cut_vector_is_continued_inside, .init = setup, .fini = teardown)
{
	/* Three vectors; the transfer stops within the second. */
	struct iovec iov[3] = {{bytes, 1024}, {bytes + 1024, 2048}, {bytes + 3072, 1024}};
	struct backend_io io = {.op = BACKEND_WRITE, .len_bytes = 4096, .iov = iov, .iov_count = 3, .file = backend};
	struct io_uring_sqe sqe = {0};
	file_prepare(&io, &sqe);
	cr_expect(sqe.opcode == IORING_OP_WRITEV && sqe.len == 3 && sqe.off == 0);
	io.done_bytes = 1536;
	file_prepare(&io, &sqe);
	cr_expect(sqe.opcode == IORING_OP_WRITE && sqe.len == 1536 && sqe.off == 1536);
	cr_expect(sqe.addr == (uintptr_t)(bytes + 1536), "the rest of the vector alone");
	io.done_bytes = 1024;
	file_prepare(&io, &sqe);
	cr_expect(sqe.opcode == IORING_OP_WRITEV && sqe.len == 2 && sqe.addr == (uintptr_t)&iov[1]);
	io.done_bytes = 3072;
	file_prepare(&io, &sqe);
	cr_expect(sqe.opcode == IORING_OP_WRITE && sqe.len == 1024 && sqe.addr == (uintptr_t)(bytes + 3072));
	cr_expect(iov[1].iov_len == 2048 && iov[1].iov_base == bytes + 1024, "the caller's vectors are not touched");
}

Test(backend_file_results, every_answer_has_its_status, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		enum backend_op op;
		int result;
		enum io_status want;
	} cases[] = {
		{"EIO", BACKEND_READ, -EIO, IO_ERR_MEDIA},
		{"ENOSPC", BACKEND_WRITE, -ENOSPC, IO_ERR_NO_SPACE},
		{"EDQUOT", BACKEND_WRITE, -EDQUOT, IO_ERR_NO_SPACE},
		{"EFBIG", BACKEND_WRITE, -EFBIG, IO_ERR_MEDIA},
		{"ECANCELED", BACKEND_WRITE, -ECANCELED, IO_ERR_MEDIA},
		{"nothing read", BACKEND_READ, 0, IO_ERR_SHORT},
		{"half a block read", BACKEND_READ, 100, IO_ERR_SHORT},
		{"nothing written", BACKEND_WRITE, 0, IO_ERR_MEDIA},
		{"half a block written", BACKEND_WRITE, 100, IO_ERR_MEDIA},
		{"all", BACKEND_WRITE, 4096, IO_OK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig_io io;
		start_with_result(&io, cases[i].op, 4096, cases[i].result);
		cr_expect(io.done && io.status == cases[i].want, "%s: status %d", cases[i].name, (int)io.status);
	}
}

Test(backend_file_results, again_is_tried_again_but_not_for_ever, .init = setup, .fini = teardown)
{
	static const int again[] = {-EINTR, -EAGAIN};
	for (unsigned i = 0; i < 2; i++) {
		struct rig_io io;
		start_with_result(&io, BACKEND_WRITE, 4096, again[i]);
		cr_expect(!io.done);
		cr_expect(rig_wait(engine, &io) == IO_OK);
		io.done = false;
		/* Time counts, not how often it was asked. */
		io.io.retrying = false;
		io.io.done_bytes = 0;
		for (unsigned turn = 0; turn < 20000 && !io.done; turn++) {
			file_on_result(&io.io, again[i]);
			io_uring_prep_nop(&engine->ring.sq.sqes[0]);
			engine->ring.sq.sqe_tail = engine->ring.sq.sqe_head;
			engine->in_ring_count = engine->waiting_count = 0;
			engine->waiting = (struct io_queue){0};
			engine->now_ns += 1000;
		}
		cr_expect(!io.done, "20 ms are not long");
		engine->now_ns += 5000000000;
		file_on_result(&io.io, again[i]);
		cr_expect(io.done && io.status == IO_ERR_MEDIA);
	}
}

/* A sync by the engine that ended in an error, as far as the backend can tell. */
static void fail_sync(int error)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_FLUSH, 0, 0, NULL, 0);
	cr_assert(rig_wait(engine, &io) == IO_OK);
	io.done = false;
	file_on_result(&io.io, -error);
	cr_expect(io.done && io.status != IO_OK);
}

Test(backend_file_results, what_a_failed_sync_lost_is_not_forgotten, .init = setup, .fini = teardown)
{
	static const int errors[] = {EIO, ENOSPC, EDQUOT};
	for (unsigned i = 0; i < 3; i++) {
		fail_sync(errors[i]);
		cr_expect(backend_file_sync_lost(backend), "%s", strerror(errors[i]));
		cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_ERR_MEDIA);
		cr_expect(rig_run(engine, backend, BACKEND_WRITE, BACKEND_FUA, 0, bytes, 512) == IO_ERR_MEDIA);
		cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, BACKEND_FUA, 0, NULL, 512) == IO_ERR_MEDIA);
		cr_expect(rig_run(engine, backend, BACKEND_DISCARD, BACKEND_FUA, 0, NULL, 512) == IO_ERR_MEDIA);
		cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, 0, bytes, 512) == IO_OK, "promises nothing");
		cr_expect(rig_run(engine, backend, BACKEND_READ, 0, 0, back, 512) == IO_OK);
		backend_file_forgive(backend);
		cr_expect(!backend_file_sync_lost(backend));
		cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_OK);
		cr_expect(rig_run(engine, backend, BACKEND_WRITE, BACKEND_FUA, 0, bytes, 512) == IO_OK);
	}
}

Test(backend_file_results, syncs_that_wait_hear_what_the_one_before_them_lost, .init = setup, .fini = teardown)
{
	struct rig_io io[4];
	for (unsigned i = 0; i < 4; i++)
		rig_start(backend, &io[i], BACKEND_FLUSH, 0, 0, NULL, 0);
	cr_expect(backend_engine_under_way(engine) == 1, "one at a time");
	rig_wait(engine, &io[0]);
	cr_expect(io[0].status == IO_OK && !io[1].done && !io[2].done && !io[3].done,
		  "what began before a sync is not covered by it");
	cr_expect(backend_engine_under_way(engine) == 1, "one for all that waited");
	for (unsigned i = 1; i < 4; i++) {
		rig_wait(engine, &io[i]);
		cr_expect(io[i].status == IO_OK);
	}
	fail_sync(EIO);
	for (unsigned i = 0; i < 4; i++)
		cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_ERR_MEDIA);
}

/* The flags of the write that a durable one becomes, and the stage that it ends in. */
static unsigned durable_write_ends_in(void)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_WRITE, BACKEND_FUA, 4096, bytes, 512);
	struct io_uring_sqe sqe = {0};
	file_prepare(&io.io, &sqe);
	cr_expect((sqe.rw_flags == RWF_DSYNC) != io.io.sync_after);
	cr_expect(rig_wait(engine, &io) == IO_OK);
	return io.io.stage;
}

Test(backend_file_results, a_durable_write_syncs_apart_while_older_data_is_not_durable, .init = setup, .fini = teardown)
{
	cr_expect(durable_write_ends_in() == 0, "nothing is older: with the write");
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, 0, bytes, 512) == IO_OK);
	cr_expect(durable_write_ends_in() == 3);
	cr_expect(durable_write_ends_in() == 0, "that sync covered all");
	cr_expect(rig_run(engine, backend, BACKEND_WRITE_ZEROES, 0, 0, NULL, 512) == IO_OK);
	cr_expect(rig_run(engine, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_OK);
	cr_expect(durable_write_ends_in() == 0);
	/* A write that was under way when the sync began is not covered. */
	struct rig_io write, flush;
	rig_start(backend, &write, BACKEND_WRITE, 0, 0, bytes, 512);
	rig_start(backend, &flush, BACKEND_FLUSH, 0, 0, NULL, 0);
	rig_wait(engine, &flush);
	rig_wait(engine, &write);
	cr_expect(durable_write_ends_in() == 3);
	backend_file_expect_unsynced(backend);
	cr_expect(durable_write_ends_in() == 3, "nor is what a dataplane before left behind");
}

Test(backend_file_results, a_durable_write_that_fails_alone_stops_nobody, .init = setup, .fini = teardown)
{
	struct rig_io io;
	rig_start(backend, &io, BACKEND_WRITE, BACKEND_FUA, 0, bytes, 512);
	rig_wait(engine, &io);
	io.done = false;
	file_on_result(&io.io, -EIO);
	cr_expect(io.status == IO_ERR_MEDIA && !backend_file_sync_lost(backend));
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, BACKEND_FUA, 0, bytes, 512) == IO_OK);
	/* A write began since: the error may be its. */
	cr_expect(rig_run(engine, backend, BACKEND_WRITE, 0, 0, bytes, 512) == IO_OK);
	io.done = false;
	file_on_result(&io.io, -EIO);
	cr_expect(backend_file_sync_lost(backend));
}

/* From now on this process' io_uring_setup fails with that. */
static void forbid_io_uring(unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};
	cr_assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		cr_skip_test("no seccomp: %s", strerror(errno));
}

static void expect_refusal(unsigned error, const char *remedy)
{
	char text[256] = "";
	struct backend_engine *own = backend_engine_create(8);
	forbid_io_uring(error);
	cr_expect(backend_engine_attach(own, text, sizeof text) == -(int)error);
	cr_expect(strstr(text, remedy), "%s", text);
	backend_engine_destroy(own);
}

Test(backend_engine, names_the_remedy_when_io_uring_is_forbidden)
{
	expect_refusal(EPERM, "kernel.io_uring_disabled=0");
}

Test(backend_engine, names_the_remedy_when_the_kernel_is_too_old)
{
	expect_refusal(ENOSYS, "Linux 5.11");
}

Test(backend_engine, names_the_remedy_when_memory_is_locked_out)
{
	expect_refusal(ENOMEM, "LimitMEMLOCK");
}

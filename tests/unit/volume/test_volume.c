/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks, durability flags, statistics, draining, stack depth. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/engine.h"
#include "held.h"
#include "volume/volume.h"

#define SIZE (1u << 20)

struct result {
	unsigned done_count;
	enum io_status status;
};

static void on_done(struct vol_request *request, enum io_status status)
{
	struct result *result = request->ctx;
	result->done_count++;
	result->status = status;
}

static uint8_t buffer[65536] __attribute__((aligned(4096)));

static struct vol_request request_of(enum vol_op op, uint64_t offset, uint64_t len, struct result *result)
{
	*result = (struct result){0};
	return (struct vol_request){.op = op,
				    .offset_bytes = offset,
				    .len_bytes = len,
				    .done = on_done,
				    .ctx = result,
				    .iov_one = {buffer, len},
				    .iov_count = 1};
}

static enum io_status run(struct volume *volume, enum vol_op op, uint32_t flags, uint64_t offset, uint64_t len)
{
	struct result result;
	struct vol_request request = request_of(op, offset, len, &result);
	request.flags = flags;
	request.iov = &request.iov_one;
	vol_submit(volume, &request);
	cr_assert(result.done_count == 1);
	return result.status;
}

Test(volume, range_check_survives_every_overflow)
{
	static const struct {
		uint64_t size, offset, len;
		enum io_status want;
	} cases[] = {
		{SIZE, 0, 512, IO_OK},
		{SIZE, SIZE - 512, 512, IO_OK},
		{SIZE, SIZE - 512, 1024, IO_ERR_RANGE},
		{SIZE, SIZE, 512, IO_ERR_RANGE},
		{SIZE, SIZE, 0, IO_OK},
		{SIZE, SIZE + 512, 0, IO_ERR_RANGE},
		{SIZE, SIZE + 512, 512, IO_ERR_RANGE},
		{SIZE, UINT64_MAX - 511, 512, IO_ERR_RANGE},
		{SIZE, UINT64_MAX - 511, 1024, IO_ERR_RANGE},
		{SIZE, 512, UINT64_MAX, IO_ERR_RANGE},
		{SIZE, 512, UINT64_MAX - 511, IO_ERR_RANGE},
		{WHERRY_VOLUME_BYTES_MAX, WHERRY_VOLUME_BYTES_MAX - 512, 512, IO_OK},
		{WHERRY_VOLUME_BYTES_MAX, WHERRY_VOLUME_BYTES_MAX - 512, 1024, IO_ERR_RANGE},
		{WHERRY_VOLUME_BYTES_MAX, 1ull << 41, 512, IO_OK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct backend *backend = backend_null_create(cases[i].size);
		struct volume volume;
		vol_init(&volume, 1, backend, NULL, cases[i].size, 512);
		for (enum vol_op op = VOL_READ; op <= VOL_WRITE_ZEROES; op++) {
			if (op == VOL_FLUSH)
				continue;
			enum io_status got = run(&volume, op, 0, cases[i].offset, cases[i].len);
			cr_expect(got == cases[i].want, "case %zu, op %d: status %d", i, (int)op, (int)got);
		}
		cr_expect(volume.stats[WHERRY_VOLUME_err_range] == (cases[i].want == IO_ERR_RANGE ? 4 : 0));
		backend_destroy(backend);
	}
}

Test(volume, read_only_refuses_changes_only)
{
	struct backend *backend = backend_null_create(SIZE);
	struct vol_bounce_pool *pool = vol_bounce_pool_create(1, 4096);
	struct volume volume;
	vol_init(&volume, 1, backend, pool, SIZE, 512);
	volume.read_only = true;
	cr_expect(run(&volume, VOL_READ, 0, 0, 512) == IO_OK);
	cr_expect(run(&volume, VOL_VERIFY, 0, 0, 512) == IO_OK);
	cr_expect(run(&volume, VOL_FLUSH, 0, 0, 0) == IO_OK);
	cr_expect(run(&volume, VOL_WRITE, 0, 0, 512) == IO_ERR_READ_ONLY);
	cr_expect(run(&volume, VOL_DISCARD, 0, 0, 512) == IO_ERR_READ_ONLY);
	cr_expect(run(&volume, VOL_WRITE_ZEROES, 0, 0, 512) == IO_ERR_READ_ONLY);
	cr_expect(volume.stats[WHERRY_VOLUME_err_read_only] == 3);
	backend_destroy(backend);
	vol_bounce_pool_destroy(pool);
}

Test(volume, offline_refuses_new_and_waiting_requests)
{
	struct held *held = held_create(SIZE, 1, 1);
	struct volume volume;
	struct result first_result, second_result;
	vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
	struct vol_request first = request_of(VOL_WRITE, 0, 512, &first_result);
	struct vol_request second = request_of(VOL_WRITE, 0, 512, &second_result);
	first.iov = &first.iov_one;
	second.iov = &second.iov_one;
	vol_submit(&volume, &first);
	vol_submit(&volume, &second);
	volume.offline = true;
	for (enum vol_op op = VOL_READ; op < VOL_OP_COUNT; op++)
		cr_expect(run(&volume, op, 0, 0, 512) == IO_ERR_OFFLINE, "op %d", (int)op);
	held_release_all(held);
	cr_expect(first_result.status == IO_OK && first_result.done_count == 1);
	cr_expect(second_result.status == IO_ERR_OFFLINE && second_result.done_count == 1);
	cr_expect(volume.stats[WHERRY_VOLUME_err_offline] == VOL_OP_COUNT + 1);
	cr_expect(volume.under_way_count == 0);
	held_destroy(held);
}

Test(volume, writes_through_unless_write_back)
{
	static const struct {
		enum vol_op op;
		bool write_back;
		uint32_t flags;
		bool want_fua;
	} cases[] = {
		{VOL_WRITE, false, 0, true},
		{VOL_WRITE, true, 0, false},
		{VOL_WRITE, true, VOL_FUA, true},
		{VOL_DISCARD, false, 0, true},
		{VOL_DISCARD, true, 0, false},
		{VOL_DISCARD, true, VOL_FUA, true},
		{VOL_WRITE_ZEROES, false, 0, true},
		{VOL_WRITE_ZEROES, true, 0, false},
		{VOL_WRITE_ZEROES, true, VOL_FUA, true},
		{VOL_READ, false, VOL_FUA, false},
		{VOL_FLUSH, false, 0, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct held *held = held_create(SIZE, 1, 1);
		struct volume volume;
		struct result result;
		vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
		volume.write_back = cases[i].write_back;
		struct vol_request request = request_of(cases[i].op, 0, 512, &result);
		request.iov = &request.iov_one;
		request.flags = cases[i].flags;
		vol_submit(&volume, &request);
		cr_expect(!!(held_at(held, 0)->flags & BACKEND_FUA) == cases[i].want_fua, "case %zu", i);
		held_release_all(held);
		cr_expect(result.status == IO_OK);
		held_destroy(held);
	}
}

Test(volume, counts_every_outcome_once)
{
	struct held *held = held_create(SIZE, 1, 1);
	struct volume volume;
	struct vol_bounce_pool *pool = vol_bounce_pool_create(2, 4096);
	vol_init(&volume, 1, &held->backend, pool, SIZE, 512);
	static const struct {
		enum io_status status;
		enum wherry_volume_stat stat;
	} failures[] = {
		{IO_ERR_MEDIA, WHERRY_VOLUME_err_io},
		{IO_ERR_UNSUPPORTED, WHERRY_VOLUME_err_io},
		{IO_ERR_NO_SPACE, WHERRY_VOLUME_err_no_space},
		{IO_ERR_SHORT, WHERRY_VOLUME_err_short},
	};
	const unsigned op_count = VOL_EXTENTS; /* which asks no backend, and comes last */
	for (enum vol_op op = VOL_READ; op < VOL_EXTENTS; op++) {
		for (size_t i = 0; i <= sizeof failures / sizeof failures[0]; i++) {
			struct result result;
			struct vol_request request = request_of(op, 0, 1024, &result);
			request.iov = &request.iov_one;
			vol_submit(&volume, &request);
			enum io_status status = i ? failures[i - 1].status : IO_OK;
			held_release(held, 0, status);
			cr_expect(result.done_count == 1 && result.status == status);
		}
	}
	cr_expect(volume.stats[WHERRY_VOLUME_read_ops] == 1 && volume.stats[WHERRY_VOLUME_read_bytes] == 1024);
	cr_expect(volume.stats[WHERRY_VOLUME_write_ops] == 1 && volume.stats[WHERRY_VOLUME_write_bytes] == 1024);
	cr_expect(volume.stats[WHERRY_VOLUME_flush_ops] == 1 && volume.stats[WHERRY_VOLUME_discard_ops] == 1);
	cr_expect(volume.stats[WHERRY_VOLUME_write_zeroes_ops] == 1 && volume.stats[WHERRY_VOLUME_verify_ops] == 1);
	cr_expect(volume.stats[WHERRY_VOLUME_err_io] == 2 * op_count);
	cr_expect(volume.stats[WHERRY_VOLUME_err_no_space] == op_count);
	cr_expect(volume.stats[WHERRY_VOLUME_err_short] == op_count);
	cr_expect(volume.stats[WHERRY_VOLUME_queue_depth] == 0 && volume.stats[WHERRY_VOLUME_queue_depth_max] == 1);
	cr_expect(vol_bounce_pool_used(pool) == 0);
	vol_bounce_pool_destroy(pool);
	held_destroy(held);
}

static unsigned drained_count;

static void on_drained(struct volume *volume)
{
	cr_expect(volume->under_way_count == 0);
	drained_count++;
}

Test(volume, tells_when_the_last_request_is_done)
{
	struct held *held = held_create(SIZE, 1, 1);
	struct volume volume;
	struct result result[3];
	struct vol_request request[3];
	vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
	volume.on_drained = on_drained;
	for (unsigned i = 0; i < 3; i++) {
		request[i] = request_of(VOL_WRITE, 0, 512, &result[i]);
		request[i].iov = &request[i].iov_one;
		vol_submit(&volume, &request[i]);
	}
	cr_expect(volume.stats[WHERRY_VOLUME_queue_depth] == 3);
	held_release(held, 0, IO_OK);
	held_release(held, 0, IO_ERR_MEDIA);
	cr_expect(drained_count == 0);
	held_release(held, 0, IO_OK);
	cr_expect(drained_count == 1);
	cr_expect(volume.stats[WHERRY_VOLUME_queue_depth] == 0 && volume.stats[WHERRY_VOLUME_queue_depth_max] == 3);
	held_destroy(held);
}

/* Each done submits the next one. */
struct chain {
	struct volume *volume;
	uintptr_t stack_low, stack_high;
	unsigned left;
};

static void on_chain_done(struct vol_request *request, enum io_status status)
{
	struct chain *chain = request->ctx;
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	(void)status;
	if (here < chain->stack_low)
		chain->stack_low = here;
	if (here > chain->stack_high)
		chain->stack_high = here;
	if (chain->left && --chain->left)
		vol_submit(chain->volume, request);
}

Test(volume, stack_is_flat_when_backends_complete_at_once)
{
	struct held *held = held_create(SIZE, 4096, 1);
	held->at_once = true;
	struct backend *null = backend_null_create(SIZE);
	struct vol_bounce_pool *pool = vol_bounce_pool_create(1, 4096);
	static const struct {
		const char *name;
		bool null;
		enum vol_op op;
		uint64_t offset, len;
	} cases[] = {
		{"run", true, VOL_WRITE, 0, 512},
		{"submit", false, VOL_WRITE, 0, 4096},
		{"read-modify-write", false, VOL_WRITE, 512, 512},
		{"verify of many chunks", false, VOL_VERIFY, 0, SIZE},
		{"refused", true, VOL_WRITE, SIZE, 512},
		{"nothing to do", true, VOL_DISCARD, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct volume volume;
		struct chain chain = {&volume, UINTPTR_MAX, 0, 1000};
		vol_init(&volume, 1, cases[i].null ? null : &held->backend, pool, SIZE, 512);
		struct vol_request request = {.op = cases[i].op,
					      .offset_bytes = cases[i].offset,
					      .len_bytes = cases[i].len,
					      .done = on_chain_done,
					      .ctx = &chain,
					      .iov_one = {buffer, cases[i].len},
					      .iov_count = 1};
		request.iov = &request.iov_one;
		vol_submit(&volume, &request);
		cr_expect(chain.left == 0, "%s: %u left", cases[i].name, chain.left);
		cr_expect(chain.stack_high - chain.stack_low < 1024, "%s: stack differs by %zu", cases[i].name,
			  (size_t)(chain.stack_high - chain.stack_low));
	}
	vol_bounce_pool_destroy(pool);
	backend_destroy(null);
	held_destroy(held);
}

Test(volume, says_why_a_shape_is_bad)
{
	struct held *held = held_create(65536, 4096, 1);
	static const struct {
		uint64_t size;
		uint32_t block;
		bool good;
	} cases[] = {
		{65536, 512, true},   {65536, 4096, true},
		{65536, 1024, false}, {65536, 0, false},
		{4096, 4096, true},   {2048, 512, false},
		{0, 512, false},      {61440 + 512, 512, false},
		{69632, 512, false},  {WHERRY_VOLUME_BYTES_MAX + 4096, 512, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *error = vol_shape_error(&held->backend, cases[i].size, cases[i].block);
		cr_expect((error == NULL) == cases[i].good, "case %zu: %s", i, error ? error : "accepted");
	}
	held_destroy(held);
}

Test(volume, grows_but_never_shrinks)
{
	struct backend *backend = backend_null_create(SIZE);
	struct volume volume;
	vol_init(&volume, 1, backend, NULL, SIZE, 4096);
	cr_expect(run(&volume, VOL_READ, 0, SIZE, 512) == IO_ERR_RANGE);
	cr_expect(vol_grow(&volume, SIZE - 4096) == -EINVAL);
	cr_expect(vol_grow(&volume, SIZE + 512) == -EINVAL);
	cr_expect(volume.size_bytes == SIZE);
	cr_expect(vol_grow(&volume, 2 * SIZE) == 0);
	cr_expect(run(&volume, VOL_READ, 0, SIZE, 512) == IO_OK);
	backend_destroy(backend);

	struct held *held = held_create(SIZE, 1, 1);
	vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
	cr_expect(vol_grow(&volume, 4 * SIZE) == -EINVAL, "the backing store did not grow");
	cr_expect(volume.size_bytes == SIZE);
	held_destroy(held);
}

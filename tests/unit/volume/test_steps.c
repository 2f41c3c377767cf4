/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that do not fit the backend's granularity. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backend/engine.h"
#include "held.h"
#include "volume/volume.h"

#define SIZE (1u << 20)
#define BOUNCE 8192u

struct op {
	struct vol_request request;
	bool done;
	enum io_status status;
};

static struct held *held;
static struct vol_bounce_pool *pool;
static struct volume volume;
static uint8_t memory[16][65536] __attribute__((aligned(4096)));

static void setup(void)
{
	held = held_create(SIZE, 4096, 4096);
	pool = vol_bounce_pool_create(3, BOUNCE); /* of which a volume may have two */
	vol_init(&volume, 1, &held->backend, pool, SIZE, 512);
	for (unsigned i = 0; i < SIZE; i++)
		held->bytes[i] = (uint8_t)(i >> 9);
}

static void teardown(void)
{
	cr_expect(volume.under_way_count == 0);
	cr_expect(vol_bounce_pool_used(pool) == 0, "%u bounce buffers leaked", vol_bounce_pool_used(pool));
	vol_bounce_pool_destroy(pool);
	held_destroy(held);
}

static void on_done(struct vol_request *request, enum io_status status)
{
	struct op *op = request->ctx;
	cr_assert(!op->done);
	op->done = true;
	op->status = status;
}

static void submit(struct op *op, enum vol_op vol_op, uint64_t offset, uint64_t len, uint8_t *bytes)
{
	*op = (struct op){.request = {.op = vol_op,
				      .offset_bytes = offset,
				      .len_bytes = len,
				      .done = on_done,
				      .ctx = op,
				      .iov_one = {bytes, len},
				      .iov_count = 1}};
	op->request.iov = &op->request.iov_one;
	vol_submit(&volume, &op->request);
}

/* Every byte outside [from, to) is as setup left it. */
static void expect_rest_untouched(unsigned from, unsigned to)
{
	for (unsigned i = 0; i < SIZE; i++) {
		if ((i < from || i >= to) && held->bytes[i] != (uint8_t)(i >> 9)) {
			cr_expect(false, "byte %u changed", i);
			return;
		}
	}
}

Test(vol_steps, aligned_requests_go_straight_to_the_callers_memory, .init = setup, .fini = teardown)
{
	struct op op;
	submit(&op, VOL_WRITE, 4096, 8192, memory[0]);
	cr_expect(held_at(held, 0)->iov[0].iov_base == memory[0]);
	cr_expect(vol_bounce_pool_used(pool) == 0);
	held_release_all(held);
	cr_expect(op.done && volume.stats[WHERRY_VOLUME_rmw_ops] == 0);
}

Test(vol_steps, unaligned_write_reads_modifies_and_writes_through, .init = setup, .fini = teardown)
{
	struct op op;
	memset(memory[0], 'x', 512);
	submit(&op, VOL_WRITE, 512, 512, memory[0]);
	cr_expect(held_at(held, 0)->op == BACKEND_READ && held_at(held, 0)->offset_bytes == 0);
	cr_expect(held_at(held, 0)->len_bytes == 4096);
	held_release(held, 0, IO_OK);
	cr_expect(!op.done && held_at(held, 0)->op == BACKEND_WRITE && held_at(held, 0)->len_bytes == 4096);
	cr_expect(held_at(held, 0)->flags & BACKEND_FUA);
	held_release(held, 0, IO_OK);
	cr_expect(op.done && op.status == IO_OK);
	cr_expect(volume.stats[WHERRY_VOLUME_rmw_ops] == 1);
	for (unsigned i = 512; i < 1024; i++)
		cr_assert(held->bytes[i] == 'x');
	expect_rest_untouched(512, 1024);
}

Test(vol_steps, neighbours_in_one_block_wait_for_each_other, .init = setup, .fini = teardown)
{
	struct op ops[3];
	for (unsigned i = 0; i < 3; i++)
		memset(memory[i], 'a' + (int)i, 512);
	submit(&ops[0], VOL_WRITE, 0, 512, memory[0]);
	submit(&ops[1], VOL_WRITE, 512, 512, memory[1]);
	submit(&ops[2], VOL_WRITE, 1024, 512, memory[2]);
	cr_expect(held->count == 1, "a read-modify-write would bring back the neighbour's old data");
	held_release_all(held);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(ops[i].status == IO_OK && held->bytes[i * 512] == 'a' + (int)i);
	expect_rest_untouched(0, 1536);
}

Test(vol_steps, with_every_buffer_in_use_requests_wait_in_order, .init = setup, .fini = teardown)
{
	struct op ops[6];
	submit(&ops[0], VOL_WRITE, 0, 512, memory[0]);
	submit(&ops[1], VOL_READ, 8192 + 512, 512, memory[1]);
	submit(&ops[2], VOL_WRITE, 16384, 512, memory[2]);
	submit(&ops[3], VOL_VERIFY, 65536, 512, NULL);
	submit(&ops[4], VOL_WRITE, 32768, 4096, memory[3]);
	cr_expect(held->count == 3, "aligned requests need no buffer");
	cr_expect(!ops[2].done && !ops[3].done && volume.stats[WHERRY_VOLUME_buffer_waits] == 2);
	submit(&ops[5], VOL_WRITE, 16384 + 512, 512, memory[4]);
	cr_expect(held->count == 3, "and who overlaps one that waits, waits too");
	held_release(held, 1, IO_OK); /* the read's */
	cr_expect(ops[1].done && held->count == 3 && held_at(held, 2)->offset_bytes == 16384);
	held_release(held, 2, IO_ERR_MEDIA); /* a failure gives the buffer on as well */
	cr_expect(ops[2].done && ops[2].status == IO_ERR_MEDIA && held_at(held, 2)->offset_bytes == 65536);
	held_release_all(held);
	for (unsigned i = 0; i < 6; i++)
		cr_expect(ops[i].done && (ops[i].status == IO_OK || i == 2), "request %u: status %d", i,
			  (int)ops[i].status);
	cr_expect(volume.stats[WHERRY_VOLUME_err_no_memory] == 0);
}

Test(vol_steps, a_volume_taken_offline_gives_back_the_buffer_that_was_waited_for, .init = setup, .fini = teardown)
{
	struct op ops[4];
	for (unsigned i = 0; i < 4; i++)
		submit(&ops[i], VOL_WRITE, i * 4096, 512, memory[i]);
	volume.offline = true;
	held_release_all(held);
	cr_expect(ops[0].status == IO_OK && ops[1].status == IO_OK, "what was under way goes on");
	cr_expect(ops[2].done && ops[2].status == IO_ERR_OFFLINE && ops[3].done && ops[3].status == IO_ERR_OFFLINE);
}

static void use_pool_of_two(void)
{
	vol_bounce_pool_destroy(pool);
	pool = vol_bounce_pool_create(2, BOUNCE);
	vol_init(&volume, 1, &held->backend, pool, SIZE, 512);
}

Test(vol_steps, a_store_that_hangs_leaves_buffers_to_its_neighbours, .init = setup, .fini = teardown)
{
	enum { BUFFERS = 64, HANGING = 3, OPS = 200 };
	static struct op ops[HANGING][OPS], served;
	struct volume hanging[HANGING], neighbour;
	struct held *good = held_create(SIZE, 4096, 4096);
	struct vol_bounce_pool *shared = vol_bounce_pool_create(BUFFERS, BOUNCE);
	good->at_once = true;
	vol_init(&neighbour, 9, &good->backend, shared, SIZE, 512);
	for (unsigned v = 0; v < HANGING; v++) {
		vol_init(&hanging[v], v, &held->backend, shared, SIZE, 512);
		for (unsigned i = 0; i < OPS; i++) {
			ops[v][i] = (struct op){
				.request = {.op = VOL_VERIFY, .len_bytes = 512, .done = on_done, .ctx = &ops[v][i]}};
			vol_submit(&hanging[v], &ops[v][i].request);
		}
		cr_expect(vol_bounce_pool_used(shared) < BUFFERS, "%u hang and have all", v + 1);
		served = (struct op){.request = {.op = VOL_VERIFY, .len_bytes = 512, .done = on_done, .ctx = &served}};
		vol_submit(&neighbour, &served.request);
		cr_expect(served.done && served.status == IO_OK, "with %u that hang", v + 1);
	}
	cr_expect(vol_bounce_pool_used(shared) >= BUFFERS / 2, "what is there is used");
	held_release_all(held);
	for (unsigned v = 0; v < HANGING; v++)
		for (unsigned i = 0; i < OPS; i++)
			cr_expect(ops[v][i].done && ops[v][i].status == IO_OK);
	cr_expect(vol_bounce_pool_used(shared) == 0);
	vol_bounce_pool_destroy(shared);
	held_destroy(good);
}

Test(vol_steps, volumes_that_share_a_pool_wake_each_other, .init = setup, .fini = teardown)
{
	enum { OPS = 40 };
	use_pool_of_two();
	struct held *other_held = held_create(SIZE, 4096, 4096);
	struct backend *null = backend_null_create(SIZE);
	struct volume own, other, at_once;
	struct op ops[OPS];
	vol_init(&other, 2, &other_held->backend, pool, SIZE, 512);
	vol_init(&at_once, 3, null, pool, SIZE, 512);
	struct volume *const targets[] = {&own, &other, &at_once};
	vol_init(&own, 1, &held->backend, pool, SIZE, 512);
	for (unsigned i = 0; i < OPS; i++) {
		ops[i] = (struct op){.request = {.op = VOL_VERIFY,
						 .offset_bytes = i * 4096,
						 .len_bytes = 512,
						 .done = on_done,
						 .ctx = &ops[i]}};
		vol_submit(targets[i % 3], &ops[i].request);
	}
	while (held->count || other_held->count)
		held_release(held->count ? held : other_held, 0, IO_OK);
	for (unsigned i = 0; i < OPS; i++)
		cr_expect(ops[i].done && ops[i].status == IO_OK, "request %u", i);
	cr_expect(own.under_way_count == 0 && other.under_way_count == 0 && at_once.under_way_count == 0);
	cr_expect(at_once.stats[WHERRY_VOLUME_buffer_waits] == OPS / 3);
	backend_destroy(null);
	held_destroy(other_held);
}

/* ---- a volume that goes away while it is kicked */

static struct volume leaving, staying;
static struct held *slow;
static struct op into_leaving;

static void on_leaving_drained(struct volume *gone)
{
	memset(gone, 0xa5, sizeof *gone);
}

/* Frees the second buffer from inside: now two volumes are kicked. */
static void on_first_done(struct vol_request *request, enum io_status status)
{
	on_done(request, status);
	held_release(held, 0, IO_OK);
}

static void on_staying_done(struct vol_request *request, enum io_status status)
{
	on_done(request, status);
	vol_submit(&leaving, &into_leaving.request);
}

Test(vol_steps, a_volume_that_was_run_and_freed_is_kicked_no_more, .init = setup, .fini = teardown)
{
	struct op first, second, waits_leaving, waits_staying;
	struct volume beside;
	use_pool_of_two();
	slow = held_create(SIZE, 4096, 4096);
	slow->at_once = true;
	vol_init(&beside, 4, &held->backend, pool, SIZE, 512);
	vol_init(&leaving, 2, &slow->backend, pool, SIZE, 512);
	vol_init(&staying, 3, &slow->backend, pool, SIZE, 512);
	leaving.on_drained = on_leaving_drained;
	submit(&first, VOL_VERIFY, 0, 512, NULL);
	second = (struct op){
		.request = {.op = VOL_VERIFY, .offset_bytes = 8192, .len_bytes = 512, .done = on_done, .ctx = &second}};
	vol_submit(&beside, &second.request);
	first.request.done = on_first_done;
	waits_leaving = waits_staying = into_leaving =
		(struct op){.request = {.op = VOL_VERIFY, .len_bytes = 512, .done = on_done}};
	waits_leaving.request.ctx = &waits_leaving;
	waits_staying.request.ctx = &waits_staying;
	waits_staying.request.done = on_staying_done;
	into_leaving.request.ctx = &into_leaving;
	vol_submit(&leaving, &waits_leaving.request);
	vol_submit(&staying, &waits_staying.request);
	held_release(held, 0, IO_OK);
	cr_expect(first.done && second.done && waits_leaving.done && waits_staying.done && into_leaving.done);
	cr_expect(vol_bounce_pool_used(pool) == 0);
	held_destroy(slow);
}

Test(vol_steps, without_buffers_it_is_no_memory_and_nothing_is_written, .init = setup, .fini = teardown)
{
	struct op op;
	struct vol_bounce_pool *none = vol_bounce_pool_create(0, BOUNCE);
	struct vol_bounce_pool *const pools[] = {NULL, none};
	for (unsigned i = 0; i < 2; i++) {
		volume.bounce_pool = pools[i];
		submit(&op, VOL_WRITE, 16384, 512, memory[2]);
		cr_expect(op.done && op.status == IO_ERR_NO_MEMORY && held->count == 0);
		cr_expect(volume.stats[WHERRY_VOLUME_err_no_memory] == i + 1);
		submit(&op, VOL_WRITE, 16384, 4096, memory[2]);
		held_release_all(held);
		cr_expect(op.done && op.status == IO_OK, "aligned requests need none");
	}
	vol_bounce_pool_destroy(none);
	for (unsigned i = 0; i < SIZE; i++)
		held->bytes[i] = (uint8_t)(i >> 9);
}

Test(vol_steps, failure_of_any_step_ends_the_request, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		enum vol_op op;
		uint64_t offset, len;
		unsigned step_count;
	} cases[] = {
		{"write within a block", VOL_WRITE, 512, 512, 2},
		{"write over three chunks", VOL_WRITE, 512, 2 * BOUNCE, 5},
		{"read over two chunks", VOL_READ, 512, BOUNCE, 2},
		{"verify over three chunks", VOL_VERIFY, 512, 2 * BOUNCE, 3},
		{"zeroes with two edges", VOL_WRITE_ZEROES, 512, 3 * 4096, 5},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (unsigned fail_at = 0; fail_at <= cases[i].step_count; fail_at++) {
			struct op op;
			unsigned step = 0;
			submit(&op, cases[i].op, cases[i].offset, cases[i].len, memory[0]);
			for (; !op.done && held->count == 1; step++)
				held_release(held, 0, step == fail_at ? IO_ERR_MEDIA : IO_OK);
			const bool fails = fail_at < cases[i].step_count;
			cr_expect(op.done && step == (fails ? fail_at + 1 : cases[i].step_count), "%s: %u steps",
				  cases[i].name, step);
			cr_expect(op.status == (fails ? IO_ERR_MEDIA : IO_OK), "%s", cases[i].name);
			cr_expect(vol_bounce_pool_used(pool) == 0, "%s: buffer leaked", cases[i].name);
		}
	}
}

Test(vol_steps, a_failed_modify_read_writes_nothing, .init = setup, .fini = teardown)
{
	struct op op;
	submit(&op, VOL_WRITE, 512, 512, memory[0]);
	held_release(held, 0, IO_ERR_SHORT);
	cr_expect(op.done && op.status == IO_ERR_SHORT && held->count == 0);
	expect_rest_untouched(0, 0);
}

Test(vol_steps, zeroes_touch_exactly_their_range, .init = setup, .fini = teardown)
{
	static const struct {
		unsigned offset, len;
	} cases[] = {
		{0, 4096}, {0, 512}, {3584, 512}, {512, 3072}, {3584, 1024}, {512, 4 * 4096}, {4096, 4096 + 512},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct op op;
		submit(&op, VOL_WRITE_ZEROES, cases[i].offset, cases[i].len, NULL);
		held_release_all(held);
		cr_expect(op.done && op.status == IO_OK);
		for (unsigned b = cases[i].offset; b < cases[i].offset + cases[i].len; b++)
			cr_assert(held->bytes[b] == 0, "case %zu byte %u", i, b);
		expect_rest_untouched(cases[i].offset, cases[i].offset + cases[i].len);
		for (unsigned b = 0; b < SIZE; b++)
			held->bytes[b] = (uint8_t)(b >> 9);
	}
}

Test(vol_steps, discard_shrinks_to_whole_blocks, .init = setup, .fini = teardown)
{
	struct op op;
	submit(&op, VOL_DISCARD, 512, 2 * 4096, NULL);
	cr_expect(held_at(held, 0)->offset_bytes == 4096 && held_at(held, 0)->len_bytes == 4096);
	held_release_all(held);
	cr_expect(op.status == IO_OK);
	submit(&op, VOL_DISCARD, 512, 4096, NULL);
	cr_expect(op.done && op.status == IO_OK && held->count == 0, "no whole block inside");
}

Test(vol_steps, misaligned_memory_is_bounced_without_a_modify_read, .init = setup, .fini = teardown)
{
	struct op op;
	memset(memory[0], 'm', sizeof memory[0]);
	submit(&op, VOL_WRITE, 4096, 3 * 4096, memory[0] + 36);
	cr_expect(held_at(held, 0)->op == BACKEND_WRITE && held_at(held, 0)->len_bytes == BOUNCE);
	held_release_all(held);
	cr_expect(op.status == IO_OK && held->bytes[4096] == 'm' && held->bytes[4 * 4096 - 1] == 'm');
	expect_rest_untouched(4096, 4 * 4096);
	cr_expect(volume.stats[WHERRY_VOLUME_rmw_ops] == 0);
	submit(&op, VOL_READ, 4096, 3 * 4096, memory[1] + 36);
	held_release_all(held);
	cr_expect(memcmp(memory[1] + 36, held->bytes + 4096, 3 * 4096) == 0);
	cr_expect(memory[1][35] == 0 && memory[1][36 + 3 * 4096] == 0, "wrote beside the buffer");
}

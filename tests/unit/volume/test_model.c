/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random requests over a backend that finishes in random order: every read
 * returns what the order of arrival says, whatever the granularity.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "volume/volume.h"

#define SIZE (256u * 1024)
#define OP_COUNT_MAX 64
#define IOV_COUNT_MAX 5
#define LEN_MAX (5 * 16384u)

struct op {
	struct vol_request request;
	struct iovec iov[IOV_COUNT_MAX];
	uint8_t *memory; /* LEN_MAX + 8192, aligned to 4096 */
	uint8_t *want;   /* READ: what must come back */
	bool under_way;
};

struct shape {
	uint32_t align_bytes, memory_align_bytes, unit_bytes;
};

struct model {
	uint64_t random;
	struct held *held;
	struct vol_bounce_pool *pool;
	struct volume volume;
	struct shape shape;
	uint8_t *bytes; /* what a reader that comes now must see */
	struct op ops[OP_COUNT_MAX];
	unsigned under_way_count, read_count;
};

static struct model model;

static uint64_t pick(uint64_t count)
{
	return test_random(&model.random) % count;
}

static void on_done(struct vol_request *request, enum io_status status)
{
	struct op *op = request->ctx;
	cr_assert(status == IO_OK);
	cr_assert(op->under_way);
	op->under_way = false;
	model.under_way_count--;
	if (request->op != VOL_READ)
		return;
	model.read_count++;
	uint64_t at = 0;
	for (uint32_t i = 0; i < request->iov_count; i++) {
		cr_assert(memcmp(request->iov[i].iov_base, op->want + at, request->iov[i].iov_len) == 0,
			  "read of %lu at %lu is not what arrival order says", (unsigned long)request->len_bytes,
			  (unsigned long)request->offset_bytes);
		at += request->iov[i].iov_len;
	}
	cr_assert(at == request->len_bytes);
}

/* Cut the op's memory into 1 to IOV_COUNT_MAX pieces, now and then misaligned. */
static void cut(struct op *op)
{
	struct vol_request *request = &op->request;
	uint8_t *at = op->memory + (pick(2) ? pick(8) * 512 : pick(4096));
	uint64_t left = request->len_bytes;
	request->iov = op->iov;
	request->iov_count = 0;
	while (left) {
		uint64_t part = request->iov_count == IOV_COUNT_MAX - 1 || pick(3) ? left : 1 + pick(left);
		op->iov[request->iov_count++] = (struct iovec){at, part};
		at += part;
		left -= part;
	}
}

static void fill(struct op *op)
{
	const struct vol_request *request = &op->request;
	uint8_t *to = model.bytes + request->offset_bytes;
	for (uint32_t i = 0; i < request->iov_count; i++) {
		uint8_t *from = request->iov[i].iov_base;
		memset(from, (int)pick(256), request->iov[i].iov_len);
		memcpy(to, from, request->iov[i].iov_len);
		to += request->iov[i].iov_len;
	}
}

static void set_range(struct vol_request *request)
{
	const uint64_t unit = model.shape.unit_bytes;
	const uint64_t unit_count = SIZE / unit;
	/* Mostly short and in one corner, so that they meet; sometimes wide. */
	uint64_t count_max = (pick(8) ? 12288 : LEN_MAX) / unit;
	uint64_t first = pick(pick(2) ? unit_count : unit_count / 8);
	uint64_t count = 1 + pick(count_max ? count_max : 1);
	if (count > unit_count - first)
		count = unit_count - first;
	request->offset_bytes = first * unit;
	request->len_bytes = count * unit;
}

static void apply_zeroes(const struct vol_request *request)
{
	uint64_t from = request->offset_bytes, to = from + request->len_bytes;
	if (request->op == VOL_DISCARD) { /* the backend zeroes what it discards: whole blocks */
		from = (from + model.shape.align_bytes - 1) / model.shape.align_bytes * model.shape.align_bytes;
		to = to / model.shape.align_bytes * model.shape.align_bytes;
	}
	if (from < to)
		memset(model.bytes + from, 0, to - from);
}

static void submit_one(void)
{
	static const enum vol_op mix[] = {VOL_READ,  VOL_READ,  VOL_READ,   VOL_WRITE,        VOL_WRITE,
					  VOL_WRITE, VOL_FLUSH, VOL_VERIFY, VOL_WRITE_ZEROES, VOL_DISCARD};
	struct op *op = model.ops;
	while (op->under_way)
		op++;
	struct vol_request *request = &op->request;
	memset(request, 0xa5, sizeof *request); /* the volume relies on nothing it has not set */
	request->op = mix[pick(sizeof mix / sizeof mix[0])];
	request->flags = 0;
	request->done = on_done;
	request->ctx = op;
	set_range(request);
	cut(op);
	if (request->op == VOL_READ)
		memcpy(op->want, model.bytes + request->offset_bytes, request->len_bytes);
	else if (request->op == VOL_WRITE)
		fill(op);
	else if (request->op == VOL_DISCARD || request->op == VOL_WRITE_ZEROES)
		apply_zeroes(request);
	op->under_way = true;
	model.under_way_count++;
	vol_submit(&model.volume, request);
}

static void run(const struct shape *shape, uint64_t seed)
{
	model.random = seed;
	model.shape = *shape;
	model.read_count = 0;
	model.held = held_create(SIZE, shape->align_bytes, shape->memory_align_bytes);
	model.held->random = seed;
	model.pool = vol_bounce_pool_create(seed % 2 ? OP_COUNT_MAX : 3, 8192); /* plenty, and so few that they wait */
	vol_init(&model.volume, 1, &model.held->backend, model.pool, SIZE, 512);
	memset(model.bytes, 0, SIZE);
	for (unsigned step = 0; step < 4000; step++) {
		if (model.under_way_count < OP_COUNT_MAX && pick(100) < 52)
			submit_one();
		else if (model.held->count)
			held_release(model.held, (unsigned)pick(model.held->count), IO_OK);
		cr_assert(model.volume.under_way_count == model.under_way_count);
	}
	held_release_all(model.held);
	cr_assert(model.under_way_count == 0, "%u requests never ended", model.under_way_count);
	cr_assert(memcmp(model.held->bytes, model.bytes, SIZE) == 0);
	cr_expect(model.read_count > 300 && model.volume.stats[WHERRY_VOLUME_overlap_waits] > 300);
	cr_expect(vol_bounce_pool_used(model.pool) == 0);
	cr_expect(model.volume.changer_count == 0 && model.volume.blocked_count == 0);
	held_destroy(model.held);
	vol_bounce_pool_destroy(model.pool);
}

Test(vol_model, reads_return_what_arrival_order_says)
{
	static const struct shape shapes[] = {
		{1, 1, 1},      {1, 1, 512},       {512, 512, 512},   {512, 1, 100},
		{4096, 1, 512}, {4096, 4096, 512}, {4096, 512, 4096}, {4096, 4096, 1},
	};
	model.bytes = malloc(SIZE);
	for (unsigned i = 0; i < OP_COUNT_MAX; i++) {
		model.ops[i].memory = aligned_alloc(4096, LEN_MAX + 8192);
		model.ops[i].want = malloc(LEN_MAX);
	}
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		for (uint64_t seed = 1; seed <= 8; seed++)
			run(&shapes[i], seed * 1000 + i);
	}
	for (unsigned i = 0; i < OP_COUNT_MAX; i++) {
		free(model.ops[i].memory);
		free(model.ops[i].want);
	}
	free(model.bytes);
}

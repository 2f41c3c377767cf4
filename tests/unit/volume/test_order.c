/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrival order of overlapping requests. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "volume/volume.h"

#define SIZE (8u << 20)
#define GRAIN 16384u

struct op {
	struct vol_request request;
	bool done;
	enum io_status status;
	uint8_t *bytes;
};

static struct held *held;
static struct volume volume;

static void setup(void)
{
	held = held_create(SIZE, 1, 1);
	vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
}

static void teardown(void)
{
	cr_expect(volume.under_way_count == 0 && volume.blocked_count == 0 && volume.changer_count == 0);
	held_destroy(held);
}

static void on_done(struct vol_request *request, enum io_status status)
{
	struct op *op = request->ctx;
	cr_assert(!op->done);
	op->done = true;
	op->status = status;
}

static struct op *submit(enum vol_op vol_op, uint64_t offset, uint64_t len, int fill)
{
	struct op *op = calloc(1, sizeof *op);
	op->bytes = malloc(len + 1);
	memset(op->bytes, fill, len + 1);
	op->request = (struct vol_request){.op = vol_op,
					   .offset_bytes = offset,
					   .len_bytes = len,
					   .done = on_done,
					   .ctx = op,
					   .iov_one = {op->bytes, len},
					   .iov_count = 1};
	op->request.iov = &op->request.iov_one;
	vol_submit(&volume, &op->request);
	return op;
}

static void op_free(struct op *op)
{
	free(op->bytes);
	free(op);
}

Test(vol_order, stale_write_never_lands_after_a_newer_one, .init = setup, .fini = teardown)
{
	/* A stalls; its retransmission A' arrives, is answered; then B.  Let the backend finish in the worst order. */
	struct op *a = submit(VOL_WRITE, 4096, 1024, 'A');
	struct op *a2 = submit(VOL_WRITE, 4096, 1024, 'A');
	struct op *b = submit(VOL_WRITE, 4096, 1024, 'B');
	cr_expect(held->count == 1, "A' and B must wait for A");
	cr_expect(volume.stats[WHERRY_VOLUME_overlap_waits] == 2);
	while (held->count)
		held_release(held, held->count - 1, IO_OK);
	cr_expect(a->done && a2->done && b->done);
	cr_expect(held->bytes[4096] == 'B' && held->bytes[4096 + 1023] == 'B');
	op_free(a);
	op_free(a2);
	op_free(b);
}

Test(vol_order, conflict_is_overlap_with_a_change, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		enum vol_op first, second;
		uint64_t first_offset, first_len, second_offset, second_len;
		bool waits;
	} cases[] = {
		{"read read", VOL_READ, VOL_READ, 0, 1024, 0, 1024, false},
		{"read write", VOL_READ, VOL_WRITE, 0, 1024, 0, 1024, true},
		{"write read", VOL_WRITE, VOL_READ, 0, 1024, 0, 1024, true},
		{"write write", VOL_WRITE, VOL_WRITE, 0, 1024, 0, 1024, true},
		{"discard read", VOL_DISCARD, VOL_READ, 0, 1024, 0, 1024, true},
		{"zeroes write", VOL_WRITE_ZEROES, VOL_WRITE, 0, 1024, 0, 1024, true},
		{"adjacent", VOL_WRITE, VOL_WRITE, 0, 1024, 1024, 1024, false},
		{"adjacent before", VOL_WRITE, VOL_WRITE, 1024, 1024, 0, 1024, false},
		{"one byte in common", VOL_WRITE, VOL_WRITE, 0, 1024, 1023, 512, true},
		{"inside", VOL_WRITE, VOL_READ, 0, 8192, 2048, 512, true},
		{"around", VOL_WRITE, VOL_READ, 2048, 512, 0, 8192, true},
		{"flush does not wait for a write", VOL_WRITE, VOL_FLUSH, 0, 1024, 0, 0, false},
		{"write does not wait for a flush", VOL_FLUSH, VOL_WRITE, 0, 0, 0, 1024, false},
		{"across a grain", VOL_WRITE, VOL_WRITE, GRAIN - 512, 1024, GRAIN, 512, true},
		{"both across a grain", VOL_WRITE, VOL_WRITE, GRAIN - 512, 1024, GRAIN - 512, 1024, true},
		{"ends at a grain", VOL_WRITE, VOL_WRITE, 0, GRAIN, GRAIN, GRAIN, false},
		{"wide then narrow", VOL_WRITE, VOL_WRITE, 0, 8 * GRAIN, 5 * GRAIN, 512, true},
		{"narrow then wide", VOL_WRITE, VOL_WRITE, 5 * GRAIN, 512, 0, 8 * GRAIN, true},
		{"wide then wide", VOL_WRITE, VOL_WRITE, 0, 8 * GRAIN, 7 * GRAIN, 8 * GRAIN, true},
		{"wide beside wide", VOL_WRITE, VOL_WRITE, 0, 8 * GRAIN, 8 * GRAIN, 8 * GRAIN, false},
		{"narrow beside wide", VOL_WRITE, VOL_WRITE, 8 * GRAIN, 512, 0, 8 * GRAIN, false},
		{"wide reads", VOL_READ, VOL_READ, 0, 8 * GRAIN, 0, 8 * GRAIN, false},
		{"whole volume then last byte", VOL_DISCARD, VOL_READ, 0, SIZE, SIZE - 1, 1, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct op *first = submit(cases[i].first, cases[i].first_offset, cases[i].first_len, 1);
		struct op *second = submit(cases[i].second, cases[i].second_offset, cases[i].second_len, 2);
		cr_expect(held->count == (cases[i].waits ? 1 : 2), "%s: %u I/Os run", cases[i].name, held->count);
		held_release(held, 0, IO_OK);
		cr_expect(first->done && !second->done && held->count == 1, "%s: second not started", cases[i].name);
		held_release_all(held);
		cr_expect(second->done, "%s", cases[i].name);
		op_free(first);
		op_free(second);
	}
}

Test(vol_order, reads_wait_together_and_start_together, .init = setup, .fini = teardown)
{
	struct op *write = submit(VOL_WRITE, 0, 4096, 'w');
	struct op *reads[8];
	for (unsigned i = 0; i < 8; i++)
		reads[i] = submit(VOL_READ, i * 512, 512, 0);
	struct op *after = submit(VOL_WRITE, 0, 4096, 'x');
	cr_expect(held->count == 1);
	held_release(held, 0, IO_OK);
	cr_expect(held->count == 8, "the write after them waits for all of them");
	for (unsigned i = 0; i < 8; i++) {
		cr_expect(!after->done && held->count == 8 - i);
		held_release(held, held->count - 1, IO_OK);
	}
	cr_expect(held->count == 1);
	held_release_all(held);
	for (unsigned i = 0; i < 8; i++) {
		cr_expect(reads[i]->bytes[0] == 'w' && reads[i]->bytes[511] == 'w');
		op_free(reads[i]);
	}
	cr_expect(after->done);
	op_free(write);
	op_free(after);
}

Test(vol_order, a_failed_request_lets_the_next_go, .init = setup, .fini = teardown)
{
	struct op *first = submit(VOL_WRITE, 0, 512, 1);
	struct op *second = submit(VOL_WRITE, 0, 512, 2);
	held_release(held, 0, IO_ERR_MEDIA);
	cr_expect(first->done && first->status == IO_ERR_MEDIA);
	held_release_all(held);
	cr_expect(second->done && second->status == IO_OK && held->bytes[0] == 2);
	op_free(first);
	op_free(second);
}

Test(vol_order, waiting_is_transitive_across_partial_overlaps, .init = setup, .fini = teardown)
{
	/* 0-2, 1-3, 2-4: the third overlaps only the second, and must still come last of the two. */
	struct op *a = submit(VOL_WRITE, 0, 2048, 'a');
	struct op *b = submit(VOL_WRITE, 1024, 2048, 'b');
	struct op *c = submit(VOL_WRITE, 2048, 2048, 'c');
	cr_expect(held->count == 1);
	held_release(held, 0, IO_OK);
	cr_expect(a->done && held->count == 1 && held_at(held, 0)->offset_bytes == 1024);
	held_release(held, 0, IO_OK);
	held_release(held, 0, IO_OK);
	cr_expect(b->done && c->done);
	cr_expect(held->bytes[0] == 'a' && held->bytes[1024] == 'b' && held->bytes[2048] == 'c');
	op_free(a);
	op_free(b);
	op_free(c);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap's packets. */
#include <criterion/criterion.h>
#include <string.h>

#include "pkt/pkt_heap.h"

Test(pkt_heap, makes_a_packet_with_exactly_the_room_asked_for)
{
	struct pkt_heap heap;
	pkt_heap_init(&heap);
	struct pkt *pkt = pkt_heap_make(&heap, "frame", 5, 7, 3);
	cr_expect_eq(pkt->data - pkt->head, 7);
	cr_expect_eq(pkt->room_bytes, 15);
	cr_expect_eq(pkt_tailroom_bytes(pkt), 3);
	cr_expect_eq(memcmp(pkt->data, "frame", 5), 0);
	cr_expect_eq(heap.out_count, 1);
	cr_expect_eq(heap.allocated_count, 0, "only the pool's own are counted as allocated");
	pkt_heap_free(pkt);
	cr_expect_eq(heap.out_count, 0);
}

Test(pkt_heap, pool_runs_dry_at_its_limit_and_recovers)
{
	struct pkt_heap heap;
	pkt_heap_init(&heap);
	heap.count_max = 2;
	struct pkt_pool pool = pkt_heap_pool(&heap);
	struct pkt *a = pool.alloc(pool.ctx, 3), *b = pool.alloc(pool.ctx, 4);
	cr_assert(a && b);
	cr_expect_eq(a->port_index, 3);
	cr_expect_eq(a->len_bytes, 0);
	cr_expect_eq(a->data, a->head);
	cr_expect_null(pool.alloc(pool.ctx, 0));
	pool.free(pool.ctx, a);
	a = pool.alloc(pool.ctx, 0);
	cr_expect_not_null(a);
	pool.free(pool.ctx, a);
	pool.free(pool.ctx, b);
	cr_expect_eq(heap.out_count, 0);
	cr_expect_eq(heap.allocated_count, 3);
}

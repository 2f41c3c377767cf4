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

static void nothing(struct pkt_buf *buf)
{
	(void)buf;
}

/* Bytes summed one by one, as RFC 1071 1 says. */
static uint32_t sum_of(uint32_t sum, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

Test(pkt_checksum, finishes_what_was_left_to_the_port_over_pieces_of_any_length)
{
	uint8_t payload[64], whole[20 + 3 * 64];
	for (unsigned i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 37 + 200);
	for (uint32_t a = 0; a < 20; a++)
		for (uint32_t b = 0; b < 20; b++) {
			struct pkt_heap heap;
			pkt_heap_init(&heap);
			struct pkt_pool pool = pkt_heap_pool(&heap);
			struct pkt *pkt = pool.alloc(pool.ctx, 0);
			struct pkt_buf buf = {.data = payload, .len_bytes = 64, .refs = 3, .release = nothing};
			memset(pkt->data, 0xaa, 14 + 20);
			pkt->transport_offset = 14;
			pkt->len_bytes = 14 + 20;
			pkt->frags[0] = (struct pkt_frag){&buf, payload, a};
			pkt->frags[1] = (struct pkt_frag){&buf, payload + 5, b};
			pkt->frag_count = 2;
			pkt->checksum = PKT_CHECKSUM_PARTIAL;
			const uint32_t pseudo = 0x1234 + 20 + a + b;
			pkt->data[14 + 16] = (uint8_t)(pseudo >> 8);
			pkt->data[14 + 17] = (uint8_t)pseudo;
			pkt_finish_checksum(pkt);
			cr_expect_eq(pkt->checksum, PKT_CHECKSUM_UNKNOWN);
			memcpy(whole, pkt->data + 14, 20);
			memcpy(whole + 20, payload, a);
			memcpy(whole + 20 + a, payload + 5, b);
			uint32_t sum = sum_of(pseudo, whole, 20 + a + b);
			sum = (sum & 0xffff) + (sum >> 16);
			sum = (sum & 0xffff) + (sum >> 16);
			cr_expect_eq(sum, 0xffff, "pieces of %u and %u: %04x", a, b, sum);
			/* Once is enough. */
			const uint8_t before = pkt->data[14 + 16];
			pkt_finish_checksum(pkt);
			cr_expect_eq(pkt->data[14 + 16], before);
			pkt_heap_free(pkt);
		}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* pcapng blocks, byte by byte. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/pcapng.h"
#include "util/frame_ring.h"

static void expect_bytes(const char *name, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len)
{
	cr_expect_eq(got_len, want_len, "%s: %zu bytes instead of %zu", name, got_len, want_len);
	for (size_t i = 0; i < want_len && i < got_len; i++)
		cr_expect_eq(got[i], want[i], "%s: byte %zu is %02x instead of %02x", name, i, got[i], want[i]);
}

static const uint8_t section[] = {
	0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 4,  0, 3, 0, 'a',  'p',  'p',  0,    0, 0, 0, 0, 40,   0,    0,    0,
};
static const uint8_t interface[] = {
	1, 0, 0, 0, 40,  0,   0, 0, 1, 0, 0, 0, 96, 0, 0, 0, /* Ethernet, snap 96 */
	2, 0, 2, 0, 'p', '0', 0, 0, 9, 0, 1, 0, 9,  0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
};
static const uint8_t packet[] = {
	6, 0, 0, 0, 48, 0, 0, 0, 1,   0,   0,   0, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* interface, time */
	3, 0, 0, 0, 60, 0, 0, 0, 'a', 'b', 'c', 0, 2,    0,    4,    0,    2,    0,    0,    0,
	0, 0, 0, 0, 48, 0, 0, 0,
};

static size_t put(unsigned which, uint8_t *buf, size_t cap)
{
	const struct pcapng_packet p = {
		.interface = 1,
		.time_ns = 0x1516171811121314,
		.outgoing = true,
		.bytes = (const uint8_t *)"abc",
		.captured_bytes = 3,
		.frame_bytes = 60,
	};
	switch (which) {
	case 0:
		return pcapng_put_section(buf, cap, "app");
	case 1:
		return pcapng_put_interface(buf, cap, "p0", 96);
	default:
		return pcapng_put_packet(buf, cap, &p);
	}
}

Test(ctl_pcapng, golden_blocks)
{
	uint8_t buf[128];
	expect_bytes("section", buf, put(0, buf, sizeof buf), section, sizeof section);
	expect_bytes("interface", buf, put(1, buf, sizeof buf), interface, sizeof interface);
	expect_bytes("packet", buf, put(2, buf, sizeof buf), packet, sizeof packet);
}

Test(ctl_pcapng, a_block_is_whole_or_not_there)
{
	static const size_t lengths[] = {sizeof section, sizeof interface, sizeof packet};
	for (unsigned which = 0; which < 3; which++) {
		for (size_t cap = 0; cap <= lengths[which]; cap++) {
			uint8_t *buf = malloc(cap ? cap : 1);
			cr_assert_not_null(buf);
			size_t want = cap == lengths[which] ? cap : 0;
			cr_expect_eq(put(which, buf, cap), want, "block %u into %zu bytes", which, cap);
			free(buf);
		}
	}
}

Test(ctl_frame_ring, gives_back_what_was_put_across_the_end_and_counts_what_does_not_fit)
{
	struct frame_ring *ring = frame_ring_create(4u << 20);
	static uint8_t frame[9000], out[9000];
	unsigned put_count = 0, taken = 0;
	struct frame_record record;
	cr_assert_not_null(ring);
	cr_expect_not(frame_ring_peek(ring, &record));
	for (unsigned round = 0; round < 40; round++) {
		for (;;) {
			uint64_t dropped = ring->dropped;
			struct frame_record r = {.time_ns = put_count, .captured_bytes = (put_count * 37) % 9000};
			memset(frame, (int)(put_count % 251), sizeof frame);
			bool there = frame_ring_put(ring, &r, frame);
			cr_assert_eq(there, ring->dropped == dropped);
			if (!there)
				break;
			put_count++;
		}
		for (unsigned half = 0; half < 300 && frame_ring_peek(ring, &record); half++, taken++) {
			cr_assert_eq(record.time_ns, taken);
			cr_assert_eq(record.captured_bytes, (taken * 37) % 9000);
			frame_ring_take(ring, &record, out);
			for (unsigned i = 0; i < record.captured_bytes; i++)
				cr_assert_eq(out[i], taken % 251, "frame %u byte %u", taken, i);
		}
	}
	cr_expect_eq(ring->dropped, 40);
	while (frame_ring_peek(ring, &record)) {
		frame_ring_take(ring, &record, NULL);
		taken++;
	}
	cr_expect_eq(taken, put_count);
	cr_expect_eq(ring->head, ring->tail);
	frame_ring_destroy(ring);
}

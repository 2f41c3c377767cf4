/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP segments: golden bytes, every truncation, options of every length. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tcp.h"

/* A SYN of a Linux client: MSS 1460, SACK, timestamps, window scale 7. */
static const uint8_t golden_syn[] = {
	0xd4, 0x31, 0x2a, 0x39, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0,
	2,    4,    5,    0xb4, 4,    2,    8,    10,   1, 2, 3, 4, 0,    0,    0,    0,    1, 3, 3, 7,
};
/* An acknowledgement with two SACK blocks. */
static const uint8_t golden_sack[] = {
	0, 80, 1, 0, 0, 0, 0, 1, 0, 0,  0, 2, 0xd0, 0x10, 0, 9, 0, 0,  0,    0,    1, 1, 8, 10, 0, 0,
	0, 3,  0, 0, 0, 4, 1, 1, 5, 18, 0, 0, 0,    10,   0, 0, 0, 20, 0xff, 0xff, 0, 0, 0, 0,  0, 30,
};

static struct wire_status parse_exact(const uint8_t *bytes, uint32_t len, struct tcp_segment *segment)
{
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, bytes, len);
	const struct wire_status status = tcp_segment_parse(exact, len, segment);
	free(exact);
	return status;
}

Test(wire_tcp, parses_a_syn_of_linux)
{
	struct tcp_segment s;
	cr_assert_eq(parse_exact(golden_syn, sizeof golden_syn, &s).result, WIRE_OK);
	cr_expect(s.source_port == 54321 && s.destination_port == 10809 && s.seq == 0x12345678 && s.flags == TCP_SYN);
	cr_expect(s.window == 64240 && s.header_bytes == 40 && s.payload_bytes == 0);
	cr_expect(s.options.has_mss && s.options.mss_bytes == 1460 && s.options.sack_permitted);
	cr_expect(s.options.has_wscale && s.options.wscale == 7);
	cr_expect(s.options.has_timestamps && s.options.ts_val == 0x01020304 && s.options.ts_ecr == 0);
	cr_expect_eq(tcp_segment_length(&s), 1);
}

Test(wire_tcp, emits_what_it_parses)
{
	const struct {
		const uint8_t *bytes;
		uint32_t len;
	} all[] = {{golden_syn, sizeof golden_syn}, {golden_sack, sizeof golden_sack}};
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_segment s;
		uint8_t out[TCP_HEADER_BYTES_MAX];
		cr_assert_eq(parse_exact(all[i].bytes, all[i].len, &s).result, WIRE_OK);
		cr_expect_eq(tcp_segment_emit(out, &s), all[i].len);
		cr_expect_eq(tcp_options_bytes(&s.options), all[i].len - TCP_HEADER_BYTES);
		cr_expect_arr_eq(out, all[i].bytes, all[i].len);
	}
}

Test(wire_tcp, parses_sack_blocks)
{
	struct tcp_segment s;
	cr_assert_eq(parse_exact(golden_sack, sizeof golden_sack, &s).result, WIRE_OK);
	cr_expect_eq(s.options.sack_count, 2);
	cr_expect(s.options.sack[0].start == 10 && s.options.sack[0].end == 20);
	cr_expect(s.options.sack[1].start == 0xffff0000 && s.options.sack[1].end == 30);
}

Test(wire_tcp, refuses_every_truncation_and_bad_offset)
{
	struct tcp_segment s;
	for (uint32_t len = 0; len < sizeof golden_syn; len++)
		cr_expect_neq(parse_exact(golden_syn, len, &s).result, WIRE_OK, "%u bytes", len);
	uint8_t bytes[sizeof golden_syn];
	memcpy(bytes, golden_syn, sizeof bytes);
	for (unsigned offset = 0; offset < 16; offset++) {
		bytes[12] = (uint8_t)(offset << 4);
		const struct wire_status status = parse_exact(bytes, sizeof bytes, &s);
		if (offset < 5 || offset > 10)
			cr_expect_eq(status.reason, WIRE_WHY_TCP_OFFSET, "offset %u", offset);
	}
}

/* Every kind with every length at every place: refused or passed over, never past the end (ASan sees that). */
Test(wire_tcp, survives_options_of_every_length)
{
	for (unsigned kind = 0; kind < 256; kind++)
		for (unsigned len = 0; len < 256; len++)
			for (uint32_t room = 1; room <= 40; room += 3) {
				uint8_t *exact = malloc(room);
				memset(exact, 1, room);
				const uint32_t at = room > 4 ? 3 : 0;
				exact[at] = (uint8_t)kind;
				if (at + 1 < room)
					exact[at + 1] = (uint8_t)len;
				struct tcp_options o;
				const bool ok = tcp_options_parse(exact, room, &o).result == WIRE_OK;
				const bool single = kind < 2;
				const bool fits = at + 1 < room && len >= 2 && at + len <= room;
				cr_assert_eq(ok || single, single || fits, "kind %u length %u room %u", kind, len,
					     room);
				cr_assert(o.sack_count <= TCP_SACK_COUNT_MAX && o.wscale <= TCP_WSCALE_MAX);
				free(exact);
			}
}

Test(wire_tcp, leaves_sack_blocks_out_that_do_not_fit)
{
	struct tcp_options o = {.has_timestamps = true, .sack_count = 4};
	uint8_t out[TCP_OPTION_BYTES_MAX];
	cr_expect_eq(tcp_options_emit(out, &o), 12 + 4 + 3 * 8);
	o.has_timestamps = false;
	cr_expect_eq(tcp_options_emit(out, &o), 4 + 4 * 8);
}

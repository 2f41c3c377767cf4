/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum against its definition, at every length, alignment and cut. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"

/* RFC 1071 as it is written: big-endian words, an odd byte padded behind. */
static uint16_t by_definition(const uint8_t *data, uint32_t len)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static void fill(uint8_t *data, uint32_t len, unsigned kind)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = kind == 0 ? 0xff : kind == 1 ? 0 : (uint8_t)((i * 2654435761u + kind) >> 13);
}

Test(checksum, is_the_definition_at_every_length_and_alignment)
{
	for (uint32_t len = 0; len < 700; len++)
		for (unsigned kind = 0; kind < 4; kind++) {
			const uint32_t shift = (len / 8 + kind) % 8;
			uint8_t *exact = malloc(shift + len + (len == 0)),
				*data = exact + shift; /* ends with the bytes */
			fill(data, len, kind);
			cr_expect_eq(be16_get(checksum_finish(checksum_add(0, data, len))), by_definition(data, len),
				     "%u bytes of kind %u", len, kind);
			free(exact);
		}
}

Test(checksum, of_a_jumbo_frame_of_ones_does_not_overflow)
{
	static uint8_t data[65536];
	memset(data, 0xff, sizeof data);
	cr_expect_eq(be16_get(checksum_finish(checksum_add(UINT64_MAX, data, sizeof data))), 0);
	cr_expect_eq(be16_get(checksum_finish(checksum_add(0, data, 65535))), by_definition(data, 65535));
}

Test(checksum, of_pieces_is_that_of_the_whole)
{
	uint8_t data[300];
	fill(data, sizeof data, 7);
	const uint16_t whole = by_definition(data, sizeof data);
	for (uint32_t a = 0; a <= sizeof data; a++)
		for (uint32_t b = a; b <= sizeof data; b += 7) {
			uint64_t sum = checksum_add(0, data, a);
			sum = a % 2 ? checksum_add_odd(sum, data + a, b - a) : checksum_add(sum, data + a, b - a);
			sum = b % 2 ? checksum_add_odd(sum, data + b, (uint32_t)sizeof data - b)
				    : checksum_add(sum, data + b, (uint32_t)sizeof data - b);
			cr_assert_eq(be16_get(checksum_finish(sum)), whole, "cut at %u and %u", a, b);
		}
}

Test(checksum, of_bytes_with_their_checksum_is_right_and_of_any_flipped_bit_is_not)
{
	uint8_t data[64];
	fill(data, sizeof data, 9);
	data[10] = data[11] = 0;
	const be16 field = checksum_finish(checksum_add(0, data, sizeof data));
	memcpy(data + 10, field.b, 2);
	cr_expect(checksum_is_right(checksum_add(0, data, sizeof data)));
	for (unsigned bit = 0; bit < sizeof data * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_not(checksum_is_right(checksum_add(0, data, sizeof data)), "bit %u", bit);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

Test(checksum, pseudo_headers_are_those_of_the_standards)
{
	const uint8_t src4[4] = {192, 0, 2, 1}, dst4[4] = {198, 51, 100, 255};
	const uint8_t as_bytes4[12] = {192, 0, 2, 1, 198, 51, 100, 255, 0, 6, 0x12, 0x34};
	uint8_t as_bytes6[40] = {0};
	fill(as_bytes6, 32, 3);
	as_bytes6[34] = 0x12;
	as_bytes6[35] = 0x34;
	as_bytes6[33] = 1;
	as_bytes6[39] = 58;
	cr_expect_eq(checksum_fold(checksum_pseudo_v4(src4, dst4, 6, 0x1234)),
		     checksum_fold(checksum_add(0, as_bytes4, 12)));
	cr_expect_eq(checksum_fold(checksum_pseudo_v6(as_bytes6, as_bytes6 + 16, 58, 0x11234)),
		     checksum_fold(checksum_add(0, as_bytes6, 40)));
}

Test(checksum, replacing_a_word_is_summing_again)
{
	uint8_t data[20];
	for (unsigned kind = 0; kind < 4; kind++)
		for (uint32_t to = 0; to < 65536; to += 257) {
			fill(data, sizeof data, kind);
			const uint16_t from = (uint16_t)(data[4] << 8 | data[5]);
			const be16 field = checksum_finish(checksum_add(0, data, sizeof data));
			const be16 changed = be16_of((uint16_t)to);
			memcpy(data + 4, changed.b, 2);
			const uint16_t patched = be16_get(checksum_replace(field, from, (uint16_t)to));
			const uint16_t summed = be16_get(checksum_finish(checksum_add(0, data, sizeof data)));
			cr_expect(patched == summed || (patched | summed) == 0xffff, "kind %u to %x: %x is not %x",
				  kind, to, patched, summed);
		}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet header: golden bytes, identity, truncation. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "wire/ethernet.h"

static const uint8_t tagged[18] = {GOLDEN_TARGET, GOLDEN_CLIENT, 0x81, 0x00, 0xb0, 0x64, 0x88, 0xa2};

static struct wire_status parse_exact(const uint8_t *bytes, uint32_t len, struct eth_header *header)
{
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, bytes, len);
	struct wire_status status = eth_header_parse(exact, len, header);
	free(exact);
	return status;
}

Test(ethernet, reads_an_untagged_header)
{
	struct eth_header header;
	const uint8_t dst[] = {GOLDEN_TARGET}, src[] = {GOLDEN_CLIENT};
	cr_assert_eq(parse_exact(golden_linux_identify, 14, &header).result, WIRE_OK);
	cr_expect_arr_eq(header.dst, dst, 6);
	cr_expect_arr_eq(header.src, src, 6);
	cr_expect_eq(header.type, 0x88a2);
	cr_expect_not(header.tagged);
	cr_expect_eq(eth_header_vlan(&header), 0);
	cr_expect_eq(eth_header_bytes(&header), 14);
}

Test(ethernet, reads_a_tagged_header)
{
	struct eth_header header;
	cr_assert_eq(parse_exact(tagged, 18, &header).result, WIRE_OK);
	cr_expect(header.tagged);
	cr_expect_eq(header.type, 0x88a2);
	cr_expect_eq(header.tci, 0xb064);
	cr_expect_eq(eth_header_vlan(&header), 100);
	cr_expect_eq(eth_header_bytes(&header), 18);
}

Test(ethernet, emit_gives_back_what_was_parsed)
{
	const uint8_t *const frames[] = {golden_linux_identify, tagged};
	const uint32_t lens[] = {14, 18};
	for (int i = 0; i < 2; i++) {
		struct eth_header header;
		uint8_t *out = malloc(lens[i]);
		cr_assert_eq(parse_exact(frames[i], lens[i], &header).result, WIRE_OK);
		cr_assert_eq(eth_header_emit(out, lens[i], &header), lens[i]);
		cr_expect_arr_eq(out, frames[i], lens[i]);
		for (uint32_t room = 0; room < lens[i]; room++)
			cr_expect_eq(eth_header_emit(out, room, &header), 0, "frame %d room %u", i, room);
		free(out);
	}
}

Test(ethernet, every_truncation_is_short_with_its_reason)
{
	struct eth_header header;
	for (uint32_t len = 0; len < 18; len++) {
		struct wire_status status = parse_exact(tagged, len, &header);
		cr_expect_eq(status.result, WIRE_SHORT, "%u bytes", len);
		cr_expect_eq(status.reason, len < 14 ? WIRE_WHY_ETH_HEADER : WIRE_WHY_ETH_VLAN, "%u bytes", len);
	}
}

Test(ethernet, padding_leaves_sixty_bytes_without_the_tag)
{
	cr_expect_eq(eth_padded_bytes(36, false), 60);
	cr_expect_eq(eth_padded_bytes(40, true), 64);
	cr_expect_eq(eth_padded_bytes(60, false), 60);
	cr_expect_eq(eth_padded_bytes(61, false), 61);
	cr_expect_eq(eth_padded_bytes(63, true), 64);
	cr_expect_eq(eth_padded_bytes(65, true), 65);
}

Test(ethernet, knows_group_and_zero_addresses)
{
	const uint8_t zero[6] = {0}, one[6] = {0, 0, 0, 0, 0, 1}, multicast[6] = {1, 0, 0x5e, 0, 0, 1};
	cr_expect(eth_addr_is_zero(zero));
	cr_expect_not(eth_addr_is_zero(one));
	cr_expect(eth_addr_is_group(multicast));
	cr_expect_not(eth_addr_is_group(one));
	cr_expect(eth_addr_equal(one, one));
	cr_expect_not(eth_addr_equal(one, zero));
}

Test(ethernet, every_reason_has_words)
{
	for (int i = 0; i < WIRE_REASON_COUNT; i++)
		cr_expect_gt(strlen(wire_reason_text((enum wire_reason)i)), 0, "reason %d", i);
	cr_expect_str_eq(wire_reason_text(WIRE_REASON_COUNT), "unknown reason");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames a port takes in. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "net/eth.h"

static const uint8_t mine[6] = {0x02, 0, 0, 0, 0, 1};

static enum wherry_lcore_stat parse(const uint8_t *bytes, uint32_t len, struct eth_view *view)
{
	struct eth_filter filter = {{0}, {0}};
	memcpy(filter.mac, mine, 6);
	eth_filter_add_vlan(&filter, 100);
	eth_filter_add_vlan(&filter, 4094);
	uint8_t *exact = malloc(len ? len : 1); /* so that a byte too far is seen */
	memcpy(exact, bytes, len);
	enum wherry_lcore_stat verdict = eth_parse(exact, len, &filter, view);
	free(exact);
	return verdict;
}

/* What becomes of one header. */
static const struct {
	const char *name;
	uint8_t bytes[18];
	enum wherry_lcore_stat verdict;
	uint16_t type, vlan;
	uint8_t header_bytes;
	bool group;
} cases[] = {
	{"unicast to us", {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xa2}, ETH_ACCEPT, 0x88a2, 0, 14, false},
	{"unicast to another", {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0x88, 0xa2}, WHERRY_LCORE_drop_eth_dst, 0, 0, 0, 0},
	{"broadcast", {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xa2}, ETH_ACCEPT, 0x88a2, 0, 14, true},
	{"multicast", {1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0x00}, ETH_ACCEPT, 0x0800, 0, 14, true},
	{"from a group address",
	 {2, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 9, 0x88, 0xa2},
	 WHERRY_LCORE_drop_eth_src,
	 0,
	 0,
	 0,
	 0},
	{"from broadcast",
	 {2, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 0x88, 0xa2},
	 WHERRY_LCORE_drop_eth_src,
	 0,
	 0,
	 0,
	 0},
	{"from zero", {2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x88, 0xa2}, WHERRY_LCORE_drop_eth_src, 0, 0, 0, 0},
	{"configured VLAN",
	 {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0xe0, 100, 0x88, 0xa2},
	 ETH_ACCEPT,
	 0x88a2,
	 100,
	 18,
	 false},
	{"highest VLAN",
	 {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0x0f, 0xfe, 0x88, 0xa2},
	 ETH_ACCEPT,
	 0x88a2,
	 4094,
	 18,
	 false},
	{"priority tag",
	 {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0xe0, 0, 0x88, 0xa2},
	 ETH_ACCEPT,
	 0x88a2,
	 0,
	 18,
	 false},
	{"VLAN not configured",
	 {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0, 101, 0x88, 0xa2},
	 WHERRY_LCORE_drop_eth_vlan,
	 0,
	 0,
	 0,
	 0},
	{"two tags",
	 {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0, 100, 0x81, 0x00},
	 ETH_ACCEPT,
	 ETH_TYPE_VLAN,
	 100,
	 18,
	 false},
};

Test(net_eth, judges_addresses_and_vlans)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eth_view view = {0};
		cr_expect_eq(parse(cases[i].bytes, 18, &view), cases[i].verdict, "%s", cases[i].name);
		if (cases[i].verdict != ETH_ACCEPT)
			continue;
		cr_expect_eq(view.type, cases[i].type, "%s", cases[i].name);
		cr_expect_eq(view.vlan, cases[i].vlan, "%s", cases[i].name);
		cr_expect_eq(view.header_bytes, cases[i].header_bytes, "%s", cases[i].name);
		cr_expect_eq(view.group, cases[i].group, "%s", cases[i].name);
	}
}

Test(net_eth, every_truncation_of_the_header_is_short)
{
	const uint8_t tagged[18] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0, 100, 0x88, 0xa2};
	const uint8_t plain[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xa2};
	struct eth_view view;
	for (uint32_t len = 0; len < sizeof tagged; len++)
		cr_expect_eq(parse(tagged, len, &view), WHERRY_LCORE_drop_eth_short, "tagged, %u bytes", len);
	for (uint32_t len = 0; len < sizeof plain; len++)
		cr_expect_eq(parse(plain, len, &view), WHERRY_LCORE_drop_eth_short, "plain, %u bytes", len);
	cr_expect_eq(parse(tagged, sizeof tagged, &view), ETH_ACCEPT);
	cr_expect_eq(parse(plain, sizeof plain, &view), ETH_ACCEPT);
}

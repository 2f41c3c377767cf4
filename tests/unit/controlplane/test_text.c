/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/text.h"

Test(cp_text, sizes_are_read_with_binary_units_and_exact_fractions)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} cases[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"512B", 0, 512},
		{"1K", 0, 1024},
		{"1k", 0, 1024},
		{"1KiB", 0, 1024},
		{"1kib", 0, 1024},
		{"10 GiB", 0, 10ull << 30},
		{"1.5G", 0, 3ull << 29},
		{"0.5K", 0, 512},
		{"8P", 0, 8ull << 50},
		{"8191P", 0, 8191ull << 50},
		{"9223372036854775807", 0, INT64_MAX},
		{"8192P", -ERANGE, 0},
		{"9223372036854775808", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"0.3K", -ERANGE, 0},
		{"1.1234567890123456K", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"1X", -EINVAL, 0},
		{"1.K", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"1  G", -EINVAL, 0},
		{"1GiBB", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t bytes = 0;
		int rc = text_size_parse(cases[i].text, &bytes);
		cr_expect_eq(rc, cases[i].rc, "'%s': rc %d", cases[i].text, rc);
		if (cases[i].rc == 0)
			cr_expect_eq(bytes, cases[i].bytes, "'%s': %llu", cases[i].text, (unsigned long long)bytes);
	}
}

Test(cp_text, emitted_sizes_are_read_back_to_the_same_number)
{
	static const uint64_t sizes[] = {0,
					 1,
					 511,
					 512,
					 1023,
					 1024,
					 1025,
					 1536 << 10,
					 10ull << 30,
					 3ull << 29,
					 1ull << 57,
					 INT64_MAX,
					 (1ull << 40) + 1};
	char text[TEXT_SIZE_BYTES];

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint64_t back = 1;
		cr_expect_eq(text_size_parse(text_size_emit(sizes[i], text), &back), 0, "%s", text);
		cr_expect_eq(back, sizes[i], "%s", text);
	}
	cr_expect_str_eq(text_size_emit(10ull << 30, text), "10GiB");
	cr_expect_str_eq(text_size_emit_short(10000000000ull, text), "9.313GiB");
}

Test(cp_text, mac_addresses_are_read_strictly)
{
	static const char *const bad[] = {"",
					  "00:11:22:33:44",
					  "00:11:22:33:44:5",
					  "00:11:22:33:44:55:66",
					  "00:11:22:33:44:5g",
					  "00:11-22:33:44:55",
					  "001122334455",
					  "00:11:22:33:44:55 ",
					  "0:11:22:33:44:55"};
	struct wherry_mac mac;
	char text[TEXT_MAC_BYTES];

	cr_expect_eq(text_mac_parse("00:1A:2b:33:44:fF", &mac), 0);
	cr_expect_str_eq(text_mac_emit(&mac, text), "00:1a:2b:33:44:ff");
	cr_expect_eq(text_mac_parse("00-1A-2b-33-44-fF", &mac), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_eq(text_mac_parse(bad[i], &mac), -EINVAL, "'%s'", bad[i]);
	cr_expect(text_mac_is_host(&(struct wherry_mac){{2, 0, 0, 0, 0, 1}}));
	cr_expect_not(text_mac_is_host(&(struct wherry_mac){{0}}), "all zero");
	cr_expect_not(text_mac_is_host(&(struct wherry_mac){{1, 0, 0, 0, 0, 1}}), "group");
	cr_expect_not(text_mac_is_host(&(struct wherry_mac){{255, 255, 255, 255, 255, 255}}), "broadcast");
}

Test(cp_text, aoe_addresses_have_a_shelf_and_a_slot)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {{"0.0", 0},        {"65535.255", 0},  {"e1.2", 0},     {"65536.0", -ERANGE}, {"0.256", -ERANGE},
		     {"1", -EINVAL},    {"1.", -EINVAL},   {".1", -EINVAL}, {"1.2.3", -EINVAL},   {"ee1.2", -EINVAL},
		     {"1.2x", -EINVAL}, {"-1.2", -EINVAL}, {"", -EINVAL}};
	uint16_t shelf;
	uint8_t slot;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(text_aoe_parse(cases[i].text, &shelf, &slot), cases[i].rc, "'%s'", cases[i].text);
	cr_expect_eq(text_aoe_parse("e258.7", &shelf, &slot), 0);
	cr_expect_eq(shelf, 258);
	cr_expect_eq(slot, 7);
}

Test(cp_text, addresses_that_linux_or_the_wildcard_take_are_refused)
{
	static const struct {
		uint64_t shelf, slot;
		bool fine;
	} cases[] = {{0, 0, true},       {65534, 254, true},    {0x0ffe, 0, true}, {0x1000, 0, true},
		     {0x0fff, 0, false}, {0xffff, 0, false},    {0, 255, false},   {0x10000, 0, false},
		     {0, 256, false},    {UINT64_MAX, 0, false}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(text_aoe_check(cases[i].shelf, cases[i].slot) == NULL, cases[i].fine, "%llu.%llu",
			     (unsigned long long)cases[i].shelf, (unsigned long long)cases[i].slot);
}

Test(cp_text, names_are_short_and_plain)
{
	static const struct {
		const char *name;
		bool fine;
	} cases[] = {{"a", true},
		     {"disk-0_1.img", true},
		     {"9", true},
		     {"", false},
		     {"-a", false},
		     {".a", false},
		     {"a b", false},
		     {"a/b", false},
		     {"\xc3\xa4", false},
		     {"a\n", false},
		     {"0123456789012345678901234567890123456789012345678901234567890123", false},
		     {"012345678901234567890123456789012345678901234567890123456789012", true}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(text_name_check(cases[i].name) == NULL, cases[i].fine, "'%s'", cases[i].name);
}

Test(cp_text, hex_goes_both_ways_and_is_bounded)
{
	uint8_t bytes[4] = {0x00, 0xff, 0x1a, 0x90}, back[4];
	char text[9];
	size_t len = 9;

	text_hex_emit(bytes, sizeof bytes, text);
	cr_expect_str_eq(text, "00ff1a90");
	cr_expect_eq(text_hex_parse("00FF1a90", back, sizeof back, &len), 0);
	cr_expect_eq(len, 4);
	cr_expect_arr_eq(back, bytes, 4);
	cr_expect_eq(text_hex_parse("", back, sizeof back, &len), 0);
	cr_expect_eq(len, 0);
	cr_expect_eq(text_hex_parse("0", back, sizeof back, &len), -EINVAL);
	cr_expect_eq(text_hex_parse("0g", back, sizeof back, &len), -EINVAL);
	cr_expect_eq(text_hex_parse("0011223344", back, sizeof back, &len), -ERANGE);
}

Test(cp_text, only_whole_utf8_without_controls_is_printable)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool fine;
	} cases[] = {
		{"", 0, true},
		{"boot: ok", 8, true},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, true},
		{"a\0b", 3, false},
		{"a\tb", 3, false},
		{"\x7f", 1, false},
		{"\xc2\x80", 2, false},         /* C1 control */
		{"\xc3", 1, false},             /* cut */
		{"\xe2\x82", 2, false},         /* cut */
		{"\xc0\xaf", 2, false},         /* overlong */
		{"\xe0\x80\xaf", 3, false},     /* overlong */
		{"\xed\xa0\x80", 3, false},     /* surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
		{"\xff", 1, false},
		{"\x80", 1, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(text_is_printable((const uint8_t *)cases[i].bytes, cases[i].len), cases[i].fine,
			     "case %zu", i);
}

Test(cp_text, lcore_lists_become_ascending_sets)
{
	static const struct {
		const char *text;
		int rc;
		uint16_t count;
	} cases[] = {{"0", 0, 1},          {"0-3", 0, 4},        {"3,0-1,1", 0, 3},  {"1023", 0, 1},
		     {"1024", -ERANGE, 0}, {"0-64", -ERANGE, 0}, {"0-63", 0, 64},    {"3-1", -EINVAL, 0},
		     {"", -EINVAL, 0},     {",", -EINVAL, 0},    {"1,", -EINVAL, 0}, {"1-", -EINVAL, 0},
		     {"a", -EINVAL, 0},    {"1 2", -EINVAL, 0},  {"-1", -EINVAL, 0}};
	struct text_lcores lcores;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int rc = text_lcores_parse(cases[i].text, &lcores);
		cr_expect_eq(rc, cases[i].rc, "'%s': %d", cases[i].text, rc);
		if (rc != 0)
			continue;
		cr_expect_eq(lcores.count, cases[i].count, "'%s': %u", cases[i].text, lcores.count);
		for (unsigned j = 1; j < lcores.count; j++)
			cr_expect_lt(lcores.id[j - 1], lcores.id[j], "'%s'", cases[i].text);
	}
}

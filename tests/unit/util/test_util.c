/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet integers, checked arithmetic, hash table. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/checked.h"
#include "util/table.h"

Test(bytes, big_endian_puts_the_high_byte_first)
{
	const uint8_t two[] = {0x12, 0x34}, four[] = {0x89, 0xab, 0xcd, 0xef};
	be16 a = be16_of(0x1234);
	be32 b = be32_of(0x89abcdef);
	cr_expect_arr_eq(a.b, two, 2);
	cr_expect_arr_eq(b.b, four, 4);
	cr_expect_eq(be16_get(a), 0x1234);
	cr_expect_eq(be32_get(b), 0x89abcdef);
}

Test(bytes, little_endian_puts_the_low_byte_first)
{
	const uint8_t two[] = {0x34, 0x12}, four[] = {0xef, 0xcd, 0xab, 0x89};
	const uint8_t eight[] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0xf1};
	le16 a = le16_of(0x1234);
	le32 b = le32_of(0x89abcdef);
	le64 c = le64_of(0xf123456789abcdefull);
	cr_expect_arr_eq(a.b, two, 2);
	cr_expect_arr_eq(b.b, four, 4);
	cr_expect_arr_eq(c.b, eight, 8);
	cr_expect_eq(le16_get(a), 0x1234);
	cr_expect_eq(le32_get(b), 0x89abcdef);
	cr_expect_eq(le64_get(c), 0xf123456789abcdefull);
}

Test(checked, sums_and_products_say_when_they_do_not_fit)
{
	uint64_t x = 0;
	cr_expect(checked_add_u64(UINT64_MAX - 1, 1, &x));
	cr_expect_eq(x, UINT64_MAX);
	cr_expect_not(checked_add_u64(UINT64_MAX, 1, &x));
	cr_expect(checked_mul_u64(1ull << 32, (1ull << 32) - 1, &x));
	cr_expect_eq(x, 0xffffffff00000000ull);
	cr_expect_not(checked_mul_u64(1ull << 32, 1ull << 32, &x));
}

Test(checked, a_range_is_inside_only_when_all_of_it_is)
{
	static const struct {
		uint64_t offset, len, size;
		bool inside;
	} cases[] = {
		{0, 0, 0, true},
		{0, 10, 10, true},
		{10, 0, 10, true},
		{9, 1, 10, true},
		{9, 2, 10, false},
		{10, 1, 10, false},
		{11, 0, 10, false},
		{UINT64_MAX, 2, UINT64_MAX, false},
		{2, UINT64_MAX, UINT64_MAX, false},
		{1, UINT64_MAX - 1, UINT64_MAX, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(range_inside_u64(cases[i].offset, cases[i].len, cases[i].size), cases[i].inside,
			     "case %zu", i);
}

Test(checked, alignment_rounds_to_multiples)
{
	cr_expect_eq(align_up_u64(0, 512), 0);
	cr_expect_eq(align_up_u64(1, 512), 512);
	cr_expect_eq(align_up_u64(512, 512), 512);
	cr_expect_eq(align_down_u64(511, 512), 0);
	cr_expect_eq(align_down_u64(513, 512), 512);
	cr_expect(is_power_of_two_u64(1));
	cr_expect(is_power_of_two_u64(1ull << 63));
	cr_expect_not(is_power_of_two_u64(0));
	cr_expect_not(is_power_of_two_u64(3));
}

Test(table, replaces_a_value_and_returns_the_old_one)
{
	struct table table;
	int a, b;
	cr_assert_eq(table_init(&table, 4), 0);
	cr_expect_null(table_get(&table, 7));
	cr_expect_null(table_put(&table, 7, &a));
	cr_expect_eq(table_put(&table, 7, &b), &a);
	cr_expect_eq(table_get(&table, 7), &b);
	cr_expect_eq(table.count, 1);
	cr_expect_eq(table_remove(&table, 7), &b);
	cr_expect_null(table_remove(&table, 7));
	cr_expect_null(table_get(&table, 7));
	table_fini(&table);
}

Test(table, agrees_with_an_array_over_many_random_changes)
{
	enum { KEYS = 300, ROOM = 200 };
	static int values[KEYS];
	bool present[KEYS] = {false};
	struct table table;
	unsigned seed = 12345, count = 0;
	cr_assert_eq(table_init(&table, ROOM), 0);
	for (int step = 0; step < 50000; step++) {
		seed = seed * 1103515245 + 12345;
		unsigned key = seed >> 16 & 0x1ff;
		if (key >= KEYS)
			continue;
		if (present[key]) {
			cr_assert_eq(table_remove(&table, key), &values[key], "step %d", step);
			present[key] = false;
			count--;
		} else if (count < ROOM) {
			cr_assert_null(table_put(&table, key, &values[key]), "step %d", step);
			present[key] = true;
			count++;
		}
		cr_assert_eq(table.count, count);
		if (step % 100 == 0)
			for (unsigned k = 0; k < KEYS; k++)
				cr_assert_eq(table_get(&table, k), present[k] ? &values[k] : NULL, "step %d key %u",
					     step, k);
	}
	table_fini(&table);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lcore/worker.h"

Test(lcore_route, no_table_and_an_empty_one_serve_nobody)
{
	cr_expect_eq(route_table_lookup(NULL, 1, 0), -1);
	struct route_table *table = route_table_create(NULL, 0);
	cr_expect_eq(route_table_lookup(table, 0, 0), -1);
	cr_expect_eq(route_table_lookup(table, 0xffff, 0xff), -1);
	route_table_destroy(table);
}

Test(lcore_route, every_entry_of_a_full_table_is_found_and_no_other)
{
	struct route_entry *entries = calloc(WHERRY_EXPORT_COUNT_MAX, sizeof *entries);
	for (unsigned i = 0; i < WHERRY_EXPORT_COUNT_MAX; i++)
		entries[i] = (struct route_entry){(uint16_t)(i / 255), (uint8_t)(i % 255), (uint8_t)(i % 63)};
	struct route_table *table = route_table_create(entries, WHERRY_EXPORT_COUNT_MAX);
	cr_assert_not_null(table);
	for (unsigned i = 0; i < WHERRY_EXPORT_COUNT_MAX; i++)
		cr_assert_eq(route_table_lookup(table, entries[i].shelf, entries[i].slot), (int)(i % 63), "entry %u",
			     i);
	for (unsigned shelf = 0; shelf < 100; shelf++)
		cr_assert_eq(route_table_lookup(table, (uint16_t)shelf, 0xff), -1, "shelf %u", shelf);
	cr_expect_eq(route_table_lookup(table, 0xfffe, 0), -1);
	route_table_destroy(table);
	free(entries);
}

Test(lcore_route, a_shelf_and_a_slot_are_not_mixed_up)
{
	const struct route_entry entries[] = {{0x0102, 0x03, 1}, {0x0203, 0x01, 2}, {0x0001, 0x02, 3}};
	struct route_table *table = route_table_create(entries, 3);
	cr_expect_eq(route_table_lookup(table, 0x0102, 0x03), 1);
	cr_expect_eq(route_table_lookup(table, 0x0203, 0x01), 2);
	cr_expect_eq(route_table_lookup(table, 0x0001, 0x02), 3);
	cr_expect_eq(route_table_lookup(table, 0x0301, 0x02), -1);
	route_table_destroy(table);
}

Test(lcore_route, the_last_of_two_entries_for_one_address_counts)
{
	const struct route_entry entries[] = {{1, 0, 4}, {1, 0, 5}};
	struct route_table *table = route_table_create(entries, 2);
	cr_expect_eq(route_table_lookup(table, 1, 0), 5);
	route_table_destroy(table);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The map of ids against a plain array. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ctl/idmap.h"

static struct idmap map;

Test(ctl_idmap, agrees_with_an_array_over_many_random_changes)
{
	enum { IDS = 600 };
	static char values[IDS], *model[IDS];
	unsigned seed = 7, count = 0;
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)rand_r(&seed) % IDS;
		uint64_t id = i % 2 ? i : (uint64_t)i << 40; /* runs, and ids that differ in their high bits only */
		if (rand_r(&seed) % 2) {
			count += !model[i];
			model[i] = &values[i];
			cr_assert(idmap_set(&map, id, model[i]));
		} else {
			count -= model[i] != NULL;
			model[i] = NULL;
			idmap_remove(&map, id);
		}
		cr_assert_eq(map.count, count);
		unsigned probe = (unsigned)rand_r(&seed) % IDS;
		cr_assert_eq(idmap_get(&map, probe % 2 ? probe : (uint64_t)probe << 40), model[probe], "step %u", step);
	}
	unsigned found = 0;
	for (unsigned place = 0; place < map.place_count; place++)
		found += idmap_at(&map, place) != NULL;
	cr_expect_eq(found, count);
	cr_expect_leq(map.place_count, IDS, "places are used again");
	cr_expect_null(idmap_at(&map, map.place_count));
}

Test(ctl_idmap, is_full_at_its_capacity_and_then_still_replaces)
{
	static char value, other;
	for (uint64_t id = 0; id < IDMAP_COUNT_MAX; id++)
		cr_assert(idmap_set(&map, id * 0x10001, &value), "%llu", (unsigned long long)id);
	cr_expect_not(idmap_set(&map, 3, &value));
	cr_expect(idmap_set(&map, 0x10001, &other));
	cr_expect_eq(idmap_get(&map, 0x10001), &other);
	for (uint64_t id = 0; id < IDMAP_COUNT_MAX; id++)
		idmap_remove(&map, id * 0x10001);
	cr_expect_eq(map.count, 0);
	cr_expect(idmap_set(&map, 3, &value));
}

Test(ctl_idmap, a_place_does_not_move_while_others_come_and_go)
{
	static char value[3];
	for (uint64_t id = 1; id <= 3; id++)
		idmap_set(&map, id, &value[id - 1]);
	cr_expect_eq(idmap_at(&map, 2), &value[2]);
	idmap_remove(&map, 1);
	cr_expect_eq(idmap_at(&map, 2), &value[2]);
	cr_expect_null(idmap_at(&map, 0));
}

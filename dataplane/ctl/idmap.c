/* SPDX-License-Identifier: BSD-3-Clause */
/* Linear probing.  Invariant: no free slot lies between an entry's home and its slot. */
#include "ctl/idmap.h"

#include <stddef.h>

#include "wherry/limits.h"

_Static_assert(IDMAP_COUNT_MAX >= WHERRY_VOLUME_COUNT_MAX, "volumes fit");
_Static_assert(IDMAP_COUNT_MAX >= WHERRY_EXPORT_COUNT_MAX, "exports fit");
_Static_assert(IDMAP_COUNT_MAX < UINT16_MAX, "places fit");

static unsigned idmap_home(uint64_t id)
{
	return (unsigned)((id * 0x9e3779b97f4a7c15ull) >> (64 - IDMAP_SLOT_BITS));
}

static uint64_t idmap_id(const struct idmap *map, unsigned slot)
{
	return map->items[map->slots[slot] - 1].id;
}

/* The id's slot, or the free one where it would go. */
static unsigned idmap_find(const struct idmap *map, uint64_t id)
{
	unsigned slot = idmap_home(id);
	while (map->slots[slot] && idmap_id(map, slot) != id)
		slot = (slot + 1) % IDMAP_SLOT_COUNT;
	return slot;
}

void *idmap_get(const struct idmap *map, uint64_t id)
{
	unsigned slot = idmap_find(map, id);
	return map->slots[slot] ? map->items[map->slots[slot] - 1].value : NULL;
}

bool idmap_set(struct idmap *map, uint64_t id, void *value)
{
	unsigned slot = idmap_find(map, id);
	if (!map->slots[slot]) {
		if (map->count == IDMAP_COUNT_MAX)
			return false;
		unsigned place = map->free_count ? map->free[--map->free_count] : map->place_count++;
		map->slots[slot] = (uint16_t)(place + 1);
		map->count++;
	}
	map->items[map->slots[slot] - 1] = (struct idmap_item){id, value};
	return true;
}

void idmap_remove(struct idmap *map, uint64_t id)
{
	unsigned hole = idmap_find(map, id);
	if (!map->slots[hole])
		return;
	unsigned place = map->slots[hole] - 1u;
	for (unsigned slot = (hole + 1) % IDMAP_SLOT_COUNT; map->slots[slot]; slot = (slot + 1) % IDMAP_SLOT_COUNT) {
		/* Move back what may stand in the hole: its home is not between the hole and its slot. */
		unsigned from_home = (slot - idmap_home(idmap_id(map, slot))) % IDMAP_SLOT_COUNT;
		unsigned from_hole = (slot - hole) % IDMAP_SLOT_COUNT;
		if (from_home >= from_hole) {
			map->slots[hole] = map->slots[slot];
			hole = slot;
		}
	}
	map->slots[hole] = 0;
	map->items[place].value = NULL;
	map->free[map->free_count++] = (uint16_t)place;
	map->count--;
}

void *idmap_at(const struct idmap *map, unsigned place)
{
	return place < map->place_count ? map->items[place].value : NULL;
}

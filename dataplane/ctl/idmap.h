/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects by 64-bit id, of fixed capacity, without allocation.  Each has a place
 * that does not move while it is in the map, so that a list that is sent bit by
 * bit can go through the places.  Zeroed memory is an empty map.  Main lcore.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IDMAP_COUNT_MAX 16384u
#define IDMAP_SLOT_BITS 15 /* at most half full */
#define IDMAP_SLOT_COUNT (1u << IDMAP_SLOT_BITS)

struct idmap {
	unsigned count;
	unsigned place_count; /* places used at some time */
	unsigned free_count;
	uint16_t slots[IDMAP_SLOT_COUNT]; /* place + 1, 0: free */
	uint16_t free[IDMAP_COUNT_MAX];   /* places to be used again */
	struct idmap_item {
		uint64_t id;
		void *value; /* NULL: nobody's place */
	} items[IDMAP_COUNT_MAX];
};

/* NULL when there is none. */
void *idmap_get(const struct idmap *map, uint64_t id);
/* Insert or replace; value is not NULL.  False when full. */
bool idmap_set(struct idmap *map, uint64_t id, void *value);
/* Nothing happens when there is none. */
void idmap_remove(struct idmap *map, uint64_t id);
/* What is at a place, NULL when nobody is or place >= place_count. */
void *idmap_at(const struct idmap *map, unsigned place);

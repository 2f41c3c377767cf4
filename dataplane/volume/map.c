/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocation map: bits, in words. */
#include "volume/map.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

static uint64_t word_count(const struct vol_map *map)
{
	return (map->chunk_count + WORD_BITS - 1) / WORD_BITS;
}

struct vol_map *vol_map_create(uint64_t size_bytes)
{
	unsigned chunk_bits = VOL_MAP_CHUNK_BITS_MIN;
	while (((size_bytes - 1) >> chunk_bits) >= VOL_MAP_BYTES_MAX * 8ull)
		chunk_bits++;
	const uint64_t chunk_count = ((size_bytes - 1) >> chunk_bits) + 1;
	const uint64_t words = (chunk_count + WORD_BITS - 1) / WORD_BITS;
	struct vol_map *map = malloc(sizeof *map + words * sizeof map->bits[0]);
	if (!map)
		return NULL;
	map->size_bytes = size_bytes;
	map->chunk_count = chunk_count;
	map->chunk_bits = chunk_bits;
	vol_map_forget(map);
	return map;
}

void vol_map_destroy(struct vol_map *map)
{
	free(map);
}

void vol_map_forget(struct vol_map *map)
{
	if (map)
		memset(map->bits, 0xff, word_count(map) * sizeof map->bits[0]);
}

/* Bits [first, last] of the word that first is in, or up to its end. */
static uint64_t word_mask(uint64_t first, uint64_t last)
{
	const uint64_t mask = ~0ull << (first % WORD_BITS);
	if (last / WORD_BITS != first / WORD_BITS)
		return mask;
	return mask & (~0ull >> (WORD_BITS - 1 - last % WORD_BITS));
}

static void change(struct vol_map *map, uint64_t first, uint64_t end, bool set)
{
	while (first < end) {
		const uint64_t mask = word_mask(first, end - 1);
		uint64_t *word = &map->bits[first / WORD_BITS];
		*word = set ? *word | mask : *word & ~mask;
		first = (first / WORD_BITS + 1) * WORD_BITS;
	}
}

void vol_map_clear(struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes)
{
	const uint64_t end_bytes = offset_bytes + len_bytes;
	if (!map || offset_bytes >= map->size_bytes)
		return;
	const uint64_t first = (offset_bytes + (1ull << map->chunk_bits) - 1) >> map->chunk_bits;
	/* The last chunk may be a part only: the end of the map is the end of it. */
	change(map, first, end_bytes >= map->size_bytes ? map->chunk_count : end_bytes >> map->chunk_bits, false);
}

void vol_map_set(struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes)
{
	if (!map || len_bytes == 0 || offset_bytes >= map->size_bytes)
		return;
	const uint64_t end = ((offset_bytes + len_bytes - 1) >> map->chunk_bits) + 1;
	change(map, offset_bytes >> map->chunk_bits, end < map->chunk_count ? end : map->chunk_count, true);
}

/* First chunk from first on, before end, whose bit is not like the first one's; end when there is none. */
static uint64_t run_end(const struct vol_map *map, uint64_t first, uint64_t end, bool set)
{
	while (first < end) {
		const uint64_t word = map->bits[first / WORD_BITS];
		const uint64_t differ = (set ? ~word : word) & word_mask(first, end - 1);
		if (differ)
			return first / WORD_BITS * WORD_BITS + (uint64_t)__builtin_ctzll(differ);
		first = (first / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

uint64_t vol_map_run(const struct vol_map *map, uint64_t offset_bytes, uint64_t end_bytes, bool *hole)
{
	*hole = false;
	if (!map || offset_bytes >= map->size_bytes)
		return end_bytes;
	const uint64_t covered_bytes = end_bytes < map->size_bytes ? end_bytes : map->size_bytes;
	const uint64_t first = offset_bytes >> map->chunk_bits;
	const uint64_t last = (covered_bytes - 1) >> map->chunk_bits;
	const bool set = map->bits[first / WORD_BITS] >> (first % WORD_BITS) & 1;
	*hole = !set;
	const uint64_t end = run_end(map, first, last + 1, set);
	if (end <= last)
		return end << map->chunk_bits;
	return set ? end_bytes : covered_bytes;
}

bool vol_map_is_hole(const struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes)
{
	bool hole;
	return map && len_bytes &&
	       vol_map_run(map, offset_bytes, offset_bytes + len_bytes, &hole) == offset_bytes + len_bytes && hole;
}

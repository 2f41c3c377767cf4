/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which parts of a volume are holes: known to read as zeros, without asking the
 * store.
 *
 * One bit for a chunk of 64 KiB, or of more on large volumes, so that a map
 * never takes more than VOL_MAP_BYTES_MAX.  A clear bit is a promise; a set bit
 * means "allocated, or who knows".
 *
 * Made and filled on the main lcore before the volume is used, or while it is
 * out of service; after that the volume's lcore alone reads and writes it:
 *  - a write sets its chunks before its I/O starts, and whatever becomes of it
 *    they stay set;
 *  - a discard or write-zeroes clears the chunks that it covers whole when it
 *    has succeeded, and while it still keeps overlapping requests waiting; a
 *    discard only where the store says that zeros are read now;
 *  - a failure changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VOL_MAP_CHUNK_BITS_MIN 16
#define VOL_MAP_BYTES_MAX (2u << 20)

struct vol_map {
	uint64_t size_bytes; /* what it covers; beyond all is allocated */
	uint64_t chunk_count;
	unsigned chunk_bits;
	uint64_t bits[];
};

/* All allocated.  NULL without memory. */
struct vol_map *vol_map_create(uint64_t size_bytes);
void vol_map_destroy(struct vol_map *map);

/* All allocated again: somebody else may have written to the store. */
void vol_map_forget(struct vol_map *map);
/* The range reads as zeros: clears the chunks that are whole inside.  NULL: nothing to do, here and below. */
void vol_map_clear(struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes);
/* The range will be written. */
void vol_map_set(struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes);
/* All of the range is holes. */
bool vol_map_is_hole(const struct vol_map *map, uint64_t offset_bytes, uint64_t len_bytes);
/* From offset_bytes on, up to end_bytes > offset_bytes at most, all is as *hole says; returns where that ends. */
uint64_t vol_map_run(const struct vol_map *map, uint64_t offset_bytes, uint64_t end_bytes, bool *hole);

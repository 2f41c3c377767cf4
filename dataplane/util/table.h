/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hash table of fixed size from a 64-bit key to a pointer.
 *
 * Open addressing with linear probing at a load of at most one half; deleting
 * moves later entries back, so that there are no tombstones and a look-up stays
 * short however long the table lives.  Memory is taken at creation only.
 * Thread: one owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_entry {
	uint64_t key;
	void *value; /* NULL: empty */
};

struct table {
	struct table_entry *entries;
	uint32_t index_mask; /* entry count - 1, a power of two */
	uint32_t count;
	uint32_t count_max;
};

/* Room for count_max entries.  0 or -ENOMEM. */
__attribute__((warn_unused_result)) int table_init(struct table *table, uint32_t count_max);
void table_fini(struct table *table);

/* Adds or replaces; value is not NULL.  Returns the value replaced, or NULL.  A new key needs count < count_max. */
void *table_put(struct table *table, uint64_t key, void *value);
/* Returns the value removed, or NULL. */
void *table_remove(struct table *table, uint64_t key);

/* Spreads every bit of the key over the result. */
static inline uint64_t table_hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return key ^ (key >> 32);
}

/* The value, or NULL. */
static inline void *table_get(const struct table *table, uint64_t key)
{
	for (uint32_t i = (uint32_t)table_hash(key) & table->index_mask;; i = (i + 1) & table->index_mask) {
		const struct table_entry *entry = &table->entries[i];
		if (!entry->value || entry->key == key)
			return entry->value;
	}
}

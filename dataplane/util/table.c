/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open-addressing table.  Invariant: at least half of the entries are empty, so
 * that every probe ends; no empty entry lies between an entry's home and itself.
 */
#include "util/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int table_init(struct table *table, uint32_t count_max)
{
	uint32_t size = 2;
	while (size < 2 * (uint64_t)count_max)
		size *= 2;
	*table = (struct table){calloc(size, sizeof *table->entries), size - 1, 0, count_max};
	return table->entries ? 0 : -ENOMEM;
}

void table_fini(struct table *table)
{
	free(table->entries);
	*table = (struct table){0};
}

/* Where the key is, or the empty entry where it would go. */
static uint32_t find(const struct table *table, uint64_t key)
{
	uint32_t i = (uint32_t)table_hash(key) & table->index_mask;
	while (table->entries[i].value && table->entries[i].key != key)
		i = (i + 1) & table->index_mask;
	return i;
}

void *table_put(struct table *table, uint64_t key, void *value)
{
	assert(value);
	struct table_entry *entry = &table->entries[find(table, key)];
	void *old = entry->value;
	if (!old) {
		assert(table->count < table->count_max);
		table->count++;
	}
	*entry = (struct table_entry){key, value};
	return old;
}

void *table_remove(struct table *table, uint64_t key)
{
	uint32_t hole = find(table, key);
	void *old = table->entries[hole].value;
	if (!old)
		return NULL;
	table->count--;
	for (uint32_t i = (hole + 1) & table->index_mask; table->entries[i].value; i = (i + 1) & table->index_mask) {
		uint32_t home = (uint32_t)table_hash(table->entries[i].key) & table->index_mask;
		/* The entry may move back when its home is not between the hole and itself. */
		if (((i - home) & table->index_mask) >= ((i - hole) & table->index_mask)) {
			table->entries[hole] = table->entries[i];
			hole = i;
		}
	}
	table->entries[hole].value = NULL;
	return old;
}

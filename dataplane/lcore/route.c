/* SPDX-License-Identifier: BSD-3-Clause */
/* The table from (shelf, slot) to the worker that serves it; see worker.h.  Immutable after creation. */
#include "lcore/worker.h"

#include <stdlib.h>
#include <string.h>

/* A slot of the table: shelf << 8 | slot, then the worker; a key above 24 bits is an empty slot. */
struct route_slot {
	uint32_t key;
	uint32_t worker_index;
};
#define KEY_EMPTY UINT32_MAX

struct route_table {
	uint32_t mask;
	struct route_slot slots[];
};

static uint32_t route_key(uint16_t shelf, uint8_t slot)
{
	return (uint32_t)shelf << 8 | slot;
}

/* Shelves and slots are given out in runs by the operator, never by a peer: a multiplicative hash spreads them. */
static uint32_t home(const struct route_table *table, uint32_t key)
{
	return (uint32_t)(((uint64_t)key * 0x9e3779b97f4a7c15ull) >> 32) & table->mask;
}

static void insert(struct route_table *table, const struct route_entry *entry)
{
	uint32_t key = route_key(entry->shelf, entry->slot);
	uint32_t at = home(table, key);
	while (table->slots[at].key != KEY_EMPTY && table->slots[at].key != key)
		at = (at + 1) & table->mask;
	table->slots[at] = (struct route_slot){key, entry->worker_index};
}

struct route_table *route_table_create(const struct route_entry *entries, unsigned count)
{
	uint32_t slot_count = 4;
	while (slot_count < 2 * count)
		slot_count *= 2;
	struct route_table *table = malloc(sizeof *table + slot_count * sizeof table->slots[0]);
	if (!table)
		return NULL;
	table->mask = slot_count - 1;
	memset(table->slots, 0xff, slot_count * sizeof table->slots[0]);
	for (unsigned i = 0; i < count; i++)
		insert(table, &entries[i]);
	return table;
}

void route_table_destroy(struct route_table *table)
{
	free(table);
}

int route_table_lookup(const struct route_table *table, uint16_t shelf, uint8_t slot)
{
	if (!table)
		return -1;
	uint32_t key = route_key(shelf, slot);
	for (uint32_t at = home(table, key); table->slots[at].key != KEY_EMPTY; at = (at + 1) & table->mask)
		if (table->slots[at].key == key)
			return (int)table->slots[at].worker_index;
	return -1;
}

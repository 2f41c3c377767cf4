/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See clients.h.  Records in an array, found through an open-addressing index of
 * twice as many slots (linear probing, deletion by shifting back), and linked in
 * the order in which they were heard.
 */
#include "lcore/clients.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT16_MAX

struct entry {
	struct client_record record;
	uint64_t key;
	uint16_t newer, older; /* entry indices */
	uint32_t slot;         /* where the index points back at it from */
};

struct client_table {
	uint64_t seed[2];
	unsigned entry_count, used_count;
	uint16_t newest, oldest;
	uint32_t slot_mask;
	uint16_t *slots; /* entry index or NONE */
	struct entry entries[];
};

struct client_table *client_table_create(unsigned count, const uint64_t seed[2])
{
	if (count == 0 || count > 32768)
		return NULL;
	uint32_t slot_count = 2;
	while (slot_count < 2 * count)
		slot_count *= 2;
	struct client_table *table = calloc(1, sizeof *table + count * sizeof table->entries[0]);
	uint16_t *slots = malloc(slot_count * sizeof *slots);
	if (!table || !slots) {
		free(table);
		free(slots);
		return NULL;
	}
	memset(slots, 0xff, slot_count * sizeof *slots);
	table->seed[0] = seed[0];
	table->seed[1] = seed[1];
	table->entry_count = count;
	table->newest = table->oldest = NONE;
	table->slot_mask = slot_count - 1;
	table->slots = slots;
	return table;
}

void client_table_destroy(struct client_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

/* MAC in the upper 48 bits, port and VLAN below: 4 + 12 bits. */
static uint64_t client_key(const uint8_t mac[6], uint16_t port_index, uint16_t vlan)
{
	uint64_t key = 0;
	for (unsigned i = 0; i < 6; i++)
		key = key << 8 | mac[i];
	return key << 16 | (uint64_t)(port_index & 0xf) << 12 | (vlan & 0xfff);
}

static uint32_t home_slot(const struct client_table *table, uint64_t key)
{
	__uint128_t product = (__uint128_t)(key ^ table->seed[0]) * (table->seed[1] | 1);
	return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64)) & table->slot_mask;
}

static void unlink_entry(struct client_table *table, struct entry *entry)
{
	if (entry->newer == NONE)
		table->newest = entry->older;
	else
		table->entries[entry->newer].older = entry->older;
	if (entry->older == NONE)
		table->oldest = entry->newer;
	else
		table->entries[entry->older].newer = entry->newer;
}

static void link_newest(struct client_table *table, struct entry *entry)
{
	uint16_t index = (uint16_t)(entry - table->entries);
	entry->newer = NONE;
	entry->older = table->newest;
	if (table->newest == NONE)
		table->oldest = index;
	else
		table->entries[table->newest].newer = index;
	table->newest = index;
}

/* Empty a slot; entries behind it that would not be found any more move up. */
static void clear_slot(struct client_table *table, uint32_t hole)
{
	for (uint32_t next = (hole + 1) & table->slot_mask; table->slots[next] != NONE;
	     next = (next + 1) & table->slot_mask) {
		struct entry *entry = &table->entries[table->slots[next]];
		uint32_t home = home_slot(table, entry->key);
		/* It may stay where it is when its home lies behind the hole. */
		if (((next - home) & table->slot_mask) < ((next - hole) & table->slot_mask))
			continue;
		table->slots[hole] = table->slots[next];
		entry->slot = hole;
		hole = next;
	}
	table->slots[hole] = NONE;
}

static struct entry *take_entry(struct client_table *table, uint64_t *evicted)
{
	if (table->used_count < table->entry_count)
		return &table->entries[table->used_count++];
	struct entry *oldest = &table->entries[table->oldest];
	unlink_entry(table, oldest);
	clear_slot(table, oldest->slot);
	++*evicted;
	return oldest;
}

static struct entry *add_entry(struct client_table *table, uint64_t key, uint64_t *evicted)
{
	struct entry *entry = take_entry(table, evicted);
	uint32_t slot = home_slot(table, key);
	while (table->slots[slot] != NONE)
		slot = (slot + 1) & table->slot_mask;
	memset(&entry->record, 0, sizeof entry->record);
	entry->key = key;
	entry->slot = slot;
	table->slots[slot] = (uint16_t)(entry - table->entries);
	link_newest(table, entry);
	return entry;
}

static struct entry *find_entry(struct client_table *table, uint64_t key)
{
	for (uint32_t slot = home_slot(table, key); table->slots[slot] != NONE; slot = (slot + 1) & table->slot_mask) {
		struct entry *entry = &table->entries[table->slots[slot]];
		if (entry->key == key)
			return entry;
	}
	return NULL;
}

struct client_record *client_table_touch(struct client_table *table, const uint8_t mac[6], uint16_t port_index,
					 uint16_t vlan, uint64_t now_us, uint64_t *evicted)
{
	uint64_t key = client_key(mac, port_index, vlan);
	/* Frames come in trains: mostly it is the client of the frame before. */
	struct entry *entry = table->newest == NONE ? NULL : &table->entries[table->newest];
	if (!entry || entry->key != key) {
		entry = find_entry(table, key);
		if (entry) {
			unlink_entry(table, entry);
			link_newest(table, entry);
		} else {
			entry = add_entry(table, key, evicted);
			memcpy(entry->record.mac, mac, 6);
			entry->record.port_index = port_index;
			entry->record.vlan = vlan;
			entry->record.first_seen_us = now_us;
		}
	}
	entry->record.last_seen_us = now_us;
	return &entry->record;
}

unsigned client_table_copy(const struct client_table *table, struct client_record *to, unsigned max)
{
	unsigned count = 0;
	for (uint16_t i = table->newest; i != NONE && count < max; i = table->entries[i].older)
		to[count++] = table->entries[i].record;
	return count;
}

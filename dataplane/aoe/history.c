/* SPDX-License-Identifier: BSD-3-Clause */
/* A set-associative table of sectors, the oldest of a set replaced first. */
#include "aoe/history.h"

#include <stdlib.h>

#define SETS 4096u
#define WAYS 4u
#define VOLUME_BITS                                                                                                    \
	6 /* volumes whose hashes have the same so many bits count as one where all of a volume is meant               \
	   */

struct entry {
	uint64_t key; /* volume and sector */
	uint64_t written_ns;
};

struct aoe_history {
	struct volume_times {
		uint64_t last_ns; /* of any record */
		uint64_t all_ns;  /* of record_all */
	} volumes[1u << VOLUME_BITS];
	struct entry sets[SETS][WAYS];
};

/* Volumes and sectors mixed so that no two neighbours share a set; invertible for one volume. */
static uint64_t key_of(uint64_t volume_id, uint64_t lba)
{
	uint64_t key = lba ^ volume_id << 48 ^ volume_id >> 16;
	key *= 0x9e3779b97f4a7c15ull;
	return key ^ key >> 32;
}

static unsigned volume_index(uint64_t volume_id)
{
	return (unsigned)((volume_id * 0x9e3779b97f4a7c15ull) >> (64 - VOLUME_BITS));
}

struct aoe_history *aoe_history_create(void)
{
	return calloc(1, sizeof(struct aoe_history));
}

void aoe_history_destroy(struct aoe_history *history)
{
	free(history);
}

static void record_one(struct entry *set, uint64_t key, uint64_t now_ns)
{
	struct entry *oldest = set;
	for (unsigned way = 0; way < WAYS; way++) {
		if (set[way].key == key) {
			set[way].written_ns = now_ns;
			return;
		}
		if (set[way].written_ns < oldest->written_ns)
			oldest = &set[way];
	}
	*oldest = (struct entry){key, now_ns};
}

void aoe_history_record(struct aoe_history *history, uint64_t volume_id, uint64_t lba, uint32_t count, uint64_t now_ns)
{
	history->volumes[volume_index(volume_id)].last_ns = now_ns;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t key = key_of(volume_id, lba + i);
		record_one(history->sets[key % SETS], key, now_ns);
	}
}

void aoe_history_record_all(struct aoe_history *history, uint64_t volume_id, uint64_t now_ns)
{
	history->volumes[volume_index(volume_id)] = (struct volume_times){now_ns, now_ns};
}

/* The entry was written since, or it may have been and was pushed out by four that are younger. */
static bool overtaken_one(const struct entry *set, uint64_t key, uint64_t arrived_ns)
{
	unsigned younger = 0;
	for (unsigned way = 0; way < WAYS; way++) {
		if (set[way].written_ns <= arrived_ns)
			continue;
		if (set[way].key == key)
			return true;
		younger++;
	}
	return younger == WAYS;
}

bool aoe_history_overtaken(const struct aoe_history *history, uint64_t volume_id, uint64_t lba, uint32_t count,
			   uint64_t arrived_ns)
{
	const struct volume_times *times = &history->volumes[volume_index(volume_id)];
	if (times->last_ns <= arrived_ns)
		return false;
	if (times->all_ns > arrived_ns)
		return true;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t key = key_of(volume_id, lba + i);
		if (overtaken_one(history->sets[key % SETS], key, arrived_ns))
			return true;
	}
	return false;
}

bool aoe_history_any_since(const struct aoe_history *history, uint64_t volume_id, uint64_t arrived_ns)
{
	return history->volumes[volume_index(volume_id)].last_ns > arrived_ns;
}

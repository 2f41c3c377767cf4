/* SPDX-License-Identifier: BSD-3-Clause */
#include "oracle.h"

#include <string.h>

#include "net.h"

#define WORDS (SECTOR_BYTES / 8)

void oracle_init(struct volume_oracle *oracle, struct sim *sim, unsigned index, uint32_t sector_count, bool write_back)
{
	*oracle = (struct volume_oracle){
		.sim = sim, .index = index, .sector_count = sector_count, .write_back = write_back};
	oracle->sectors = sim_alloc(sim, sector_count * sizeof *oracle->sectors);
	oracle->last_sent_ns = sim_alloc(sim, sector_count * sizeof *oracle->last_sent_ns);
	for (uint32_t i = 0; i < sector_count; i++)
		history_issue(sim, &oracle->sectors[i], &oracle->initial);
}

bool oracle_may_write(const struct volume_oracle *oracle, uint32_t lba, uint32_t count)
{
	for (uint32_t i = lba; i < lba + count; i++) {
		if (oracle->last_sent_ns[i] && oracle->sim->now_ns < oracle->last_sent_ns[i] + NET_FRAME_LIFE_NS)
			return false;
	}
	return true;
}

static void remember(struct volume_oracle *oracle, struct version *version)
{
	if (oracle->write_count == oracle->write_capacity) {
		uint64_t capacity = oracle->write_capacity ? oracle->write_capacity * 2 : 256;
		struct version **writes = sim_alloc(oracle->sim, capacity * sizeof(struct version *));
		if (oracle->write_count)
			memcpy(writes, oracle->writes, oracle->write_count * sizeof(struct version *));
		oracle->writes = writes;
		oracle->write_capacity = capacity;
	}
	oracle->writes[oracle->write_count++] = version;
	version->id = oracle->write_count;
}

struct write *oracle_issue(struct volume_oracle *oracle, uint32_t lba, uint32_t count, bool trim)
{
	struct write *write = sim_alloc(oracle->sim, sizeof *write);
	write->version = (struct version){.issue_ns = oracle->sim->now_ns, .end_ns = NEVER, .lingers = trim};
	write->lba = lba;
	write->count = count;
	write->trim = trim;
	remember(oracle, &write->version);
	for (uint32_t i = lba; i < lba + count; i++)
		history_issue(oracle->sim, &oracle->sectors[i], &write->version);
	return write;
}

void oracle_sent(struct volume_oracle *oracle, struct write *write, bool copies_left)
{
	if (copies_left)
		write->version.lingers = true;
	for (uint32_t i = write->lba; i < write->lba + write->count; i++)
		oracle->last_sent_ns[i] = oracle->sim->now_ns;
}

static void sector_fill(const struct volume_oracle *oracle, uint64_t id, uint32_t lba, uint64_t words[WORDS])
{
	words[0] = id;
	words[1] = (uint64_t)oracle->index << 32 | lba;
	uint64_t word = (id * 0x9e3779b97f4a7c15ull) ^ words[1];
	for (unsigned i = 2; i < WORDS; i++)
		words[i] = word += 0xd1342543de82ef95ull;
}

void oracle_fill(const struct volume_oracle *oracle, const struct write *write, uint8_t *data)
{
	uint64_t words[WORDS];
	for (uint32_t i = 0; i < write->count; i++) {
		sector_fill(oracle, write->version.id, write->lba + i, words);
		memcpy(data + i * SECTOR_BYTES, words, SECTOR_BYTES);
	}
}

/* Was it said of the state that there is now, or of one that went with the power? */
static bool is_of_now(const struct volume_oracle *oracle, uint64_t sent_ns)
{
	return sent_ns >= oracle->power_loss_ns;
}

void oracle_acknowledged(struct volume_oracle *oracle, struct write *write, uint64_t sent_ns)
{
	write->version.end_ns = oracle->sim->now_ns;
	/* A trim that is done proves nothing: the old content may stay. */
	if (write->trim || !is_of_now(oracle, sent_ns))
		return;
	for (uint32_t i = write->lba; i < write->lba + write->count; i++)
		history_acknowledge(oracle->sim, &oracle->sectors[i], &write->version);
}

void oracle_durable(struct volume_oracle *oracle, const struct write *write, uint64_t sent_ns)
{
	if (write->trim || !is_of_now(oracle, sent_ns))
		return;
	for (uint32_t i = write->lba; i < write->lba + write->count; i++)
		history_durable(&oracle->sectors[i], &write->version);
}

void oracle_failed(struct volume_oracle *oracle, struct write *write)
{
	write->version.end_ns = oracle->sim->now_ns;
}

/* Which write a sector's content came from; NULL: all zero. */
static struct version *identify(struct volume_oracle *oracle, uint32_t lba, const uint8_t *data, const char *where)
{
	uint64_t words[WORDS], want[WORDS] = {0};
	memcpy(words, data, SECTOR_BYTES);
	if (memcmp(words, want, SECTOR_BYTES) == 0)
		return NULL;
	if (words[0] == 0 || words[0] > oracle->write_count)
		sim_fail(oracle->sim, "%s: volume %u sector %u holds what was never written", where, oracle->index,
			 lba);
	sector_fill(oracle, words[0], lba, want);
	if (memcmp(words, want, SECTOR_BYTES) != 0)
		sim_fail(oracle->sim, "%s: volume %u sector %u holds a mangled write %lu (of sector %lu)", where,
			 oracle->index, lba, (unsigned long)words[0], (unsigned long)(words[1] & UINT32_MAX));
	return oracle->writes[words[0] - 1];
}

static bool is_zero_version(const struct volume_oracle *oracle, const struct version *version)
{
	const struct write *write = (const struct write *)version;
	return version == &oracle->initial || write->trim || write->zero;
}

/* Zeros are the beginning or a trim: observe the last of them that fits, which proves least. */
static struct version *find_zero(const struct volume_oracle *oracle, const struct history *history, uint64_t since_ns)
{
	for (uint32_t i = history->count; i-- > 0;) {
		struct version *version = history->entries[i].version;
		if (is_zero_version(oracle, version) && history_possible_since(history, version, since_ns))
			return version;
	}
	return NULL;
}

static void check_sector(struct volume_oracle *oracle, uint32_t lba, const uint8_t *data, uint64_t issue_ns, bool learn,
			 const char *where)
{
	struct history *history = &oracle->sectors[lba];
	struct version *version = identify(oracle, lba, data, where);
	if (!version) {
		version = find_zero(oracle, history, issue_ns);
		if (!version)
			sim_fail(oracle->sim, "%s: volume %u sector %u is zero, but was written", where, oracle->index,
				 lba);
	} else if (!history_possible_since(history, version, issue_ns)) {
		sim_fail(oracle->sim, "%s: volume %u sector %u holds write %lu, which a later one had replaced", where,
			 oracle->index, lba, (unsigned long)version->id);
	}
	if (!learn)
		return;
	/* Several writes of zeros cannot be told apart: nothing is learned then but what is not zero. */
	if (is_zero_version(oracle, version)) {
		for (uint32_t i = 0; i < history->count; i++) {
			struct history_entry *entry = &history->entries[i];
			if (entry->removed_ns == NEVER && !is_zero_version(oracle, entry->version) &&
			    entry->version->end_ns < issue_ns)
				entry->removed_ns = oracle->sim->now_ns;
		}
		return;
	}
	history_observe(oracle->sim, history, version, issue_ns);
}

void oracle_read(struct volume_oracle *oracle, uint32_t lba, uint32_t count, const uint8_t *data, uint64_t issue_ns,
		 uint64_t sent_ns)
{
	for (uint32_t i = 0; i < count; i++)
		check_sector(oracle, lba + i, data + i * SECTOR_BYTES, issue_ns, is_of_now(oracle, sent_ns), "read");
}

void oracle_flushed(struct volume_oracle *oracle, uint64_t issue_ns)
{
	if (!oracle->write_back)
		return;
	for (uint32_t i = 0; i < oracle->sector_count; i++)
		history_flushed(&oracle->sectors[i], issue_ns);
}

void oracle_power_loss(struct volume_oracle *oracle)
{
	if (!oracle->write_back)
		return;
	oracle->power_loss_ns = oracle->sim->now_ns;
	for (uint32_t i = 0; i < oracle->sector_count; i++)
		history_power_loss(&oracle->sectors[i]);
}

void oracle_check_disk(struct volume_oracle *oracle, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < oracle->sector_count; i++)
		check_sector(oracle, i, bytes + (size_t)i * SECTOR_BYTES, oracle->sim->now_ns, true, "disk at the end");
}

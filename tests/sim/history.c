/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

#include <string.h>

void history_issue(struct sim *sim, struct history *history, struct version *version)
{
	if (history->count == history->capacity) {
		uint32_t capacity = history->capacity ? history->capacity * 2 : 4;
		struct history_entry *entries = sim_alloc(sim, capacity * sizeof *entries);
		if (history->count)
			memcpy(entries, history->entries, history->count * sizeof *entries);
		history->entries = entries;
		history->capacity = capacity;
	}
	history->entries[history->count++] = (struct history_entry){version, NEVER, true};
}

static void drop_ended_before(const struct sim *sim, struct history *history, const struct version *keep,
			      uint64_t then_ns, bool keep_lingering)
{
	for (uint32_t i = 0; i < history->count; i++) {
		struct history_entry *entry = &history->entries[i];
		if (entry->version == keep || (keep_lingering && entry->version->lingers))
			continue;
		if (entry->removed_ns == NEVER && entry->version->end_ns < then_ns)
			entry->removed_ns = sim->now_ns;
	}
}

void history_acknowledge(const struct sim *sim, struct history *history, const struct version *version)
{
	drop_ended_before(sim, history, version, version->issue_ns, false);
}

bool history_possible_since(const struct history *history, const struct version *version, uint64_t since_ns)
{
	for (uint32_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];
		if (entry->version == version)
			return entry->removed_ns == NEVER || entry->removed_ns >= since_ns;
	}
	return false;
}

void history_observe(const struct sim *sim, struct history *history, const struct version *version, uint64_t issue_ns)
{
	drop_ended_before(sim, history, version, issue_ns, true);
}

void history_flushed(struct history *history, uint64_t issue_ns)
{
	for (uint32_t i = 0; i < history->count; i++) {
		if (history->entries[i].removed_ns < issue_ns)
			history->entries[i].recoverable = false;
	}
}

void history_durable(struct history *history, const struct version *version)
{
	for (uint32_t i = 0; i < history->count; i++) {
		struct history_entry *entry = &history->entries[i];
		if (entry->version != version && entry->version->end_ns < version->issue_ns)
			entry->recoverable = false;
	}
}

void history_power_loss(struct history *history)
{
	for (uint32_t i = 0; i < history->count; i++) {
		if (history->entries[i].recoverable)
			history->entries[i].removed_ns = NEVER;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "state.h"

#include <string.h>

static const char *const kind_names[STATE_KIND_COUNT] = {"config string", "mask", "reservation"};

static const struct state_value *value_of(const struct version *version)
{
	return &((const struct state_change *)version)->value;
}

bool state_list_has(const struct state_value *value, const uint8_t mac[6])
{
	for (unsigned i = 0; i < value->count; i++) {
		if (memcmp(value->macs[i].b, mac, 6) == 0)
			return true;
	}
	return false;
}

void state_list_add(struct state_value *value, const uint8_t mac[6])
{
	if (!state_list_has(value, mac) && value->count < 16)
		memcpy(value->macs[value->count++].b, mac, 6);
}

void state_list_remove(struct state_value *value, const uint8_t mac[6])
{
	for (unsigned i = 0; i < value->count; i++) {
		if (memcmp(value->macs[i].b, mac, 6) == 0) {
			memmove(&value->macs[i], &value->macs[i + 1],
				(size_t)(value->count - i - 1) * sizeof value->macs[0]);
			value->count--;
			return;
		}
	}
}

static bool same(enum state_kind kind, const struct state_value *a, const struct state_value *b)
{
	if (a->count != b->count)
		return false;
	if (kind == STATE_CONFIG)
		return memcmp(a->config, b->config, a->count) == 0;
	for (unsigned i = 0; i < a->count; i++) {
		if (!state_list_has(b, a->macs[i].b))
			return false;
	}
	return true;
}

static struct state_change *add(struct state_oracle *oracle, enum state_kind kind, const struct state_value *value)
{
	struct state_change *change = sim_alloc(oracle->sim, sizeof *change);
	change->version = (struct version){.issue_ns = oracle->sim->now_ns, .end_ns = NEVER};
	change->kind = kind;
	change->value = *value;
	history_issue(oracle->sim, &oracle->places[kind], &change->version);
	return change;
}

void state_init(struct state_oracle *oracle, struct sim *sim, unsigned index)
{
	const struct state_value empty = {0};
	*oracle = (struct state_oracle){.sim = sim, .index = index};
	for (unsigned kind = 0; kind < STATE_KIND_COUNT; kind++)
		add(oracle, kind, &empty)->version.end_ns = 0;
}

struct state_change *state_issue(struct state_oracle *oracle, enum state_kind kind, const struct state_value *value)
{
	return add(oracle, kind, value);
}

void state_acknowledged(struct state_oracle *oracle, struct state_change *change)
{
	change->version.end_ns = oracle->sim->now_ns;
	history_acknowledge(oracle->sim, &oracle->places[change->kind], &change->version);
}

void state_failed(struct state_oracle *oracle, struct state_change *change)
{
	change->version.end_ns = oracle->sim->now_ns;
}

void state_told(struct state_oracle *oracle, enum state_kind kind, const struct state_value *value, uint64_t issue_ns)
{
	const struct history *history = &oracle->places[kind];
	const struct version *found = NULL;
	/* Of several with this content, one that is possible now proves least. */
	for (uint32_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];
		if (!same(kind, value_of(entry->version), value))
			continue;
		if (entry->removed_ns == NEVER || (!found && entry->removed_ns >= issue_ns))
			found = entry->version;
	}
	if (!found)
		sim_fail(oracle->sim, "export %u tells a %s (%u) that it cannot have", oracle->index, kind_names[kind],
			 value->count);
	history_observe(oracle->sim, &oracle->places[kind], found, issue_ns);
}

bool state_may_set(const struct state_oracle *oracle, const struct state_change *change, const uint8_t mac[6])
{
	const struct history *history = &oracle->places[change->kind];
	for (uint32_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];
		const struct state_value *value = value_of(entry->version);
		if (entry->version == &change->version ||
		    (entry->removed_ns != NEVER && entry->removed_ns < change->version.issue_ns))
			continue;
		if (value->count == 0 || same(change->kind, value, &change->value) ||
		    (change->kind == STATE_RESERVE && state_list_has(value, mac)))
			return true;
	}
	return false;
}

/* Is it so for every list that was possible at some moment since then? */
static bool always(const struct state_oracle *oracle, enum state_kind kind, uint64_t since_ns, const uint8_t mac[6],
		   bool want_in)
{
	const struct history *history = &oracle->places[kind];
	for (uint32_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];
		if (entry->removed_ns != NEVER && entry->removed_ns < since_ns)
			continue;
		const struct state_value *value = value_of(entry->version);
		const bool in = value->count == 0 || state_list_has(value, mac);
		if (in != want_in)
			return false;
	}
	return true;
}

bool state_masked_out(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns)
{
	return always(oracle, STATE_MASK, since_ns, mac, false);
}

bool state_masked_in(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns)
{
	return always(oracle, STATE_MASK, since_ns, mac, true);
}

bool state_reserved_out(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns)
{
	return always(oracle, STATE_RESERVE, since_ns, mac, false);
}

bool state_reserved_in(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns)
{
	return always(oracle, STATE_RESERVE, since_ns, mac, true);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The oracle of what an export keeps beside its blocks: config string, MAC mask,
 * reservation.  Each is one place with a history; an answered change survives
 * every crash.  Lists are compared as sets.
 */
#pragma once

#include "history.h"
#include "wherry/ctl.h"

enum state_kind { STATE_CONFIG, STATE_MASK, STATE_RESERVE, STATE_KIND_COUNT };

struct state_value {
	uint16_t count; /* bytes of a string, addresses of a list */
	uint8_t config[64];
	struct wherry_mac macs[16];
};

struct state_change {
	struct version version; /* first member */
	enum state_kind kind;
	struct state_value value;
};

struct state_oracle {
	struct sim *sim;
	unsigned index; /* of the export */
	struct history places[STATE_KIND_COUNT];
};

void state_init(struct state_oracle *oracle, struct sim *sim, unsigned index);
struct state_change *state_issue(struct state_oracle *oracle, enum state_kind kind, const struct state_value *value);
void state_acknowledged(struct state_oracle *oracle, struct state_change *change);
void state_failed(struct state_oracle *oracle, struct state_change *change);
/* An answer to what was asked then told this. */
void state_told(struct state_oracle *oracle, enum state_kind kind, const struct state_value *value, uint64_t issue_ns);

/* Was there, since the change was issued, another value on which a plain set (not a forced one) by that address may
 * succeed: none at all, the same as the new one, or a reservation that it belongs to? */
bool state_may_set(const struct state_oracle *oracle, const struct state_change *change, const uint8_t mac[6]);
/* Whatever the list was since then, it shut the address out, or let it in. */
bool state_masked_out(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns);
bool state_masked_in(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns);
bool state_reserved_out(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns);
bool state_reserved_in(const struct state_oracle *oracle, const uint8_t mac[6], uint64_t since_ns);

bool state_list_has(const struct state_value *value, const uint8_t mac[6]);
void state_list_add(struct state_value *value, const uint8_t mac[6]);
void state_list_remove(struct state_value *value, const uint8_t mac[6]);

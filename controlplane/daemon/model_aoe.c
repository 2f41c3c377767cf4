/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/model_aoe.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define SECTORS_MAX 255
#define LABEL_BYTES 24

static const char *label(const struct export_row *row, char out[LABEL_BYTES])
{
	(void)snprintf(out, LABEL_BYTES, "%u.%u", row->shelf, row->slot);
	return out;
}

int model_export_check(const struct export_row *row, struct fail *fail)
{
	const char *why = text_aoe_check(row->shelf, row->slot);
	char what[LABEL_BYTES + 16], name[LABEL_BYTES];

	(void)snprintf(what, sizeof what, "AoE export %s", label(row, name));
	if (why)
		return fail_set(fail, FAIL_USAGE, "%s: %s", what, why);
	if (row->buffer_count < 2)
		return fail_set(fail, FAIL_USAGE,
				"%s: a buffer count of %u stops Linux clients for good; use at least 2", what,
				row->buffer_count);
	if (row->sectors_max > SECTORS_MAX)
		return fail_set(fail, FAIL_USAGE, "%s: at most %d sectors fit a frame's count, not %u", what,
				SECTORS_MAX, row->sectors_max);
	return model_vlans_check(what, row->vlans, row->vlan_count, 0, fail);
}

int model_export_create(struct state *state, struct export_row *row, struct fail *fail)
{
	struct export_row other;
	struct fail ignored;
	char name[LABEL_BYTES];

	if (model_export_check(row, fail) != 0)
		return -1;
	if (state_export_by_address(state, row->shelf, row->slot, &other, &ignored) == 0)
		return fail_set(fail, FAIL_CONFLICT,
				"AoE export %s exists already, it serves volume '%s'; choose another shelf or slot",
				label(row, name), other.volume_name);
	if (state_export_count(state) >= WHERRY_EXPORT_COUNT_MAX)
		return fail_set(fail, FAIL_CONFLICT, "AoE export %s: there are already %d exports, the most possible",
				label(row, name), WHERRY_EXPORT_COUNT_MAX);
	if (state_export_insert(state, row, fail) != 0 ||
	    state_export_by_address(state, row->shelf, row->slot, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "export.created", label(row, name), "created, volume %s",
			   row->volume_name);
}

int model_export_set(struct state *state, struct export_row *row, struct fail *fail)
{
	char name[LABEL_BYTES];

	if (model_export_check(row, fail) != 0 || state_export_update(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "export.changed", label(row, name), "%s, %u buffers, %u sectors",
			   row->read_only ? "read-only" : "writable", row->buffer_count, row->sectors_max);
}

int model_export_delete(struct state *state, const struct export_row *row, struct fail *fail)
{
	char name[LABEL_BYTES];

	if (state_export_delete(state, row->id, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "export.deleted", label(row, name), "deleted");
}

/* ------------------------------------------------------- durable state */

static bool holds(const struct wherry_mac *list, unsigned count, const struct wherry_mac *mac)
{
	for (unsigned i = 0; i < count; i++)
		if (memcmp(&list[i], mac, sizeof *mac) == 0)
			return true;
	return false;
}

static int check_macs(const struct export_row *row, const struct wherry_mac *macs, unsigned count, struct fail *fail)
{
	char name[LABEL_BYTES], text[TEXT_MAC_BYTES];

	for (unsigned i = 0; i < count; i++)
		if (!text_mac_is_host(&macs[i]))
			return fail_set(fail, FAIL_USAGE,
					"AoE export %s: %s is not the address of one host; no client can have it",
					label(row, name), text_mac_emit(&macs[i], text));
	return 0;
}

static int store(struct state *state, struct export_row *row, const char *code, const char *what, unsigned count,
		 struct fail *fail)
{
	char name[LABEL_BYTES];

	if (state_export_put_state(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, code, label(row, name), "%s has %u entries now", what, count);
}

static int mask_full(const struct export_row *row, struct fail *fail)
{
	char name[LABEL_BYTES];

	return fail_set(fail, FAIL_CONFLICT, "AoE export %s: a MAC mask has at most %d entries", label(row, name),
			WHERRY_AOE_MASK_COUNT_MAX);
}

int model_mask_add(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		   struct fail *fail)
{
	unsigned before = row->mask_count;

	if (check_macs(row, macs, count, fail) != 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		if (holds(row->mask, row->mask_count, &macs[i]))
			continue;
		if (row->mask_count == WHERRY_AOE_MASK_COUNT_MAX)
			return mask_full(row, fail);
		row->mask[row->mask_count++] = macs[i];
	}
	return row->mask_count == before ? 0 : store(state, row, "aoe.mask", "the MAC mask", row->mask_count, fail);
}

int model_mask_remove(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		      struct fail *fail)
{
	uint16_t kept = 0;

	for (unsigned i = 0; i < row->mask_count; i++)
		if (!holds(macs, count, &row->mask[i]))
			row->mask[kept++] = row->mask[i];
	if (kept == row->mask_count)
		return 0;
	row->mask_count = kept;
	return store(state, row, "aoe.mask", "the MAC mask", row->mask_count, fail);
}

int model_mask_put(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		   struct fail *fail)
{
	uint16_t kept = 0;
	struct wherry_mac list[WHERRY_AOE_MASK_COUNT_MAX];

	if (check_macs(row, macs, count, fail) != 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		if (holds(list, kept, &macs[i]))
			continue;
		if (kept == WHERRY_AOE_MASK_COUNT_MAX)
			return mask_full(row, fail);
		list[kept++] = macs[i];
	}
	if (kept == row->mask_count && memcmp(list, row->mask, kept * sizeof list[0]) == 0)
		return 0;
	row->mask_count = kept;
	memcpy(row->mask, list, kept * sizeof list[0]);
	return store(state, row, "aoe.mask", "the MAC mask", row->mask_count, fail);
}

int model_reserve_put(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		      struct fail *fail)
{
	uint16_t kept = 0;
	struct wherry_mac list[WHERRY_AOE_RESERVE_COUNT_MAX];

	if (check_macs(row, macs, count, fail) != 0)
		return -1;
	for (unsigned i = 0; i < count && kept < WHERRY_AOE_RESERVE_COUNT_MAX; i++)
		if (!holds(list, kept, &macs[i]))
			list[kept++] = macs[i];
	if (kept == row->reserve_count && memcmp(list, row->reserve, kept * sizeof list[0]) == 0)
		return 0;
	row->reserve_count = kept;
	memcpy(row->reserve, list, kept * sizeof list[0]);
	return store(state, row, "aoe.reserve", "the reservation", row->reserve_count, fail);
}

int model_config_put(struct state *state, struct export_row *row, const uint8_t *config, size_t len, struct fail *fail)
{
	char name[LABEL_BYTES];

	if (len > WHERRY_AOE_CONFIG_BYTES_MAX)
		return fail_set(fail, FAIL_USAGE, "AoE export %s: a config string has at most %d bytes, not %zu",
				label(row, name), WHERRY_AOE_CONFIG_BYTES_MAX, len);
	if (len == row->config_bytes && memcmp(config, row->config, len) == 0)
		return 0;
	if (len)
		memcpy(row->config, config, len);
	row->config_bytes = (uint16_t)len;
	if (state_export_put_state(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "aoe.config_string", label(row, name),
			   "the config string has %zu bytes now", len);
}

/* ----------------------------------------------------------- by clients */

static enum model_persist refuse(struct fail *fail, const struct export_row *row, const char *why)
{
	char name[LABEL_BYTES];

	(void)fail_set(fail, FAIL_CONFLICT, "AoE export %s: %s", label(row, name), why);
	return MODEL_PERSIST_REFUSED;
}

static bool same_macs(const struct wherry_mac *a, unsigned a_count, const struct wherry_mac *b, unsigned b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

/* The change is what the row says already. */
static bool is_there(const struct wherry_ctl_aoe_persist *change, const struct export_row *row)
{
	if (change->change == WHERRY_AOE_CHANGE_CONFIG)
		return change->config.len == row->config_bytes &&
		       memcmp(change->config.b, row->config, row->config_bytes) == 0;
	if (change->change == WHERRY_AOE_CHANGE_MASK)
		return same_macs(change->list.mac, change->list.count, row->mask, row->mask_count);
	return same_macs(change->list.mac, change->list.count, row->reserve, row->reserve_count);
}

static void apply(const struct wherry_ctl_aoe_persist *change, struct export_row *row)
{
	if (change->change == WHERRY_AOE_CHANGE_CONFIG) {
		row->config_bytes = change->config.len;
		memcpy(row->config, change->config.b, change->config.len);
	} else if (change->change == WHERRY_AOE_CHANGE_MASK) {
		row->mask_count = change->list.count;
		memcpy(row->mask, change->list.mac, change->list.count * sizeof row->mask[0]);
	} else {
		row->reserve_count = change->list.count;
		memcpy(row->reserve, change->list.mac, change->list.count * sizeof row->reserve[0]);
	}
}

enum model_persist model_persist_decide(const struct wherry_ctl_aoe_persist *change, struct export_row *row,
					bool *changed, struct fail *fail)
{
	*changed = false;
	if (change->change < WHERRY_AOE_CHANGE_CONFIG || change->change > WHERRY_AOE_CHANGE_RESERVE)
		return refuse(fail, row, "a change of this kind is not known");
	/* The operator may have locked clients out while the change was on its way. */
	if (change->change == WHERRY_AOE_CHANGE_CONFIG && !row->remote_config)
		return refuse(fail, row, "clients may not set the config string");
	if (change->change == WHERRY_AOE_CHANGE_MASK && !row->remote_mask)
		return refuse(fail, row, "clients may not edit the MAC mask");
	if (change->change == WHERRY_AOE_CHANGE_MASK && change->list.count > WHERRY_AOE_MASK_COUNT_MAX)
		return refuse(fail, row, "the MAC mask is full");
	if (is_there(change, row))
		return MODEL_PERSIST_DONE;
	if (change->base_generation != row->state_generation)
		return MODEL_PERSIST_STALE;
	apply(change, row);
	*changed = true;
	return MODEL_PERSIST_DONE;
}

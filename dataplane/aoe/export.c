/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An export: made on the main lcore with all the memory it will ever need, then
 * the owning lcore's.
 */
#include <errno.h>
#include <stdlib.h>

#include "aoe/aoe_priv.h"

static bool address_is_good(const struct wherry_ctl_aoe_export_put *put)
{
	if (put->shelf == AOE_SHELF_ANY || put->shelf == WHERRY_AOE_SHELF_RESERVED || put->slot == AOE_SLOT_ANY)
		return false;
	for (unsigned i = 0; i < put->ports.count; i++)
		if (put->ports.v[i] >= WHERRY_PORT_COUNT_MAX)
			return false;
	for (unsigned i = 0; i < put->vlans.count; i++)
		if (put->vlans.v[i] > 4094)
			return false;
	return true;
}

static void set_places(struct aoe_export *export_, const struct wherry_ctl_aoe_export_put *put)
{
	if (put->ports.count == 0)
		export_->ports = UINT16_MAX;
	for (unsigned i = 0; i < put->ports.count; i++)
		export_->ports |= (uint16_t)(1u << put->ports.v[i]);
	if (put->vlans.count == 0)
		export_->vlans[0] = 1; /* untagged */
	for (unsigned i = 0; i < put->vlans.count; i++)
		export_->vlans[put->vlans.v[i] / 64] |= 1ull << (put->vlans.v[i] % 64);
}

static void set_policy(struct aoe_export *export_, const struct wherry_ctl_aoe_export_put *put)
{
	export_->read_only = put->flags & WHERRY_AOE_READ_ONLY;
	export_->remote_mask = put->flags & WHERRY_AOE_REMOTE_MASK;
	export_->remote_config = put->flags & WHERRY_AOE_REMOTE_CONFIG;
	export_->remote_force = put->flags & WHERRY_AOE_REMOTE_FORCE_RESERVE;
	export_->buffer_count = put->buffer_count < AOE_BUFFER_COUNT_MIN ? AOE_BUFFER_COUNT_MIN : put->buffer_count;
	export_->sectors_max =
		put->sectors_max == 0 || put->sectors_max > AOE_SECTORS_MAX ? AOE_SECTORS_MAX : put->sectors_max;
}

static void set_state(struct aoe_state *state, uint64_t generation, const uint8_t *config, uint16_t config_bytes,
		      const struct wherry_mac *mask, uint16_t mask_count, const struct wherry_mac *reserve,
		      uint16_t reserve_count)
{
	state->generation = generation;
	state->config_bytes = config_bytes;
	memcpy(state->config, config, config_bytes);
	aoe_mac_list_set(&state->mask, mask, mask_count);
	aoe_mac_list_set(&state->reserve, reserve, reserve_count);
}

struct aoe_export *aoe_export_create(const struct wherry_ctl_aoe_export_put *put, struct volume *volume)
{
	if (!address_is_good(put)) {
		errno = EINVAL;
		return NULL;
	}
	struct aoe_export *export_ = calloc(1, sizeof *export_);
	struct aoe_change *change = calloc(1, sizeof *change);
	if (!export_ || !change) {
		free(export_);
		free(change);
		errno = ENOMEM;
		return NULL;
	}
	export_->change = change;
	export_->id = put->id;
	export_->shelf = put->shelf;
	export_->slot = put->slot;
	export_->key = aoe_key(put->shelf, put->slot);
	export_->volume = volume;
	export_->place = AOE_NO_PLACE;
	set_places(export_, put);
	set_policy(export_, put);
	memcpy(export_->serial, put->serial, sizeof export_->serial);
	memcpy(export_->model, put->model, sizeof export_->model);
	set_state(&export_->state, put->state_generation, put->config.b, put->config.len, put->mask.mac,
		  put->mask.count, put->reserve.mac, put->reserve.count);
	return export_;
}

void aoe_export_destroy(struct aoe_export *export_)
{
	assert(aoe_export_idle(export_) && export_->place == AOE_NO_PLACE);
	free(export_->change);
	free(export_);
}

bool aoe_export_idle(const struct aoe_export *export_)
{
	return export_->io_count == 0 && !export_->change->cookie && export_->change->waiting_count == 0;
}

void aoe_export_state_put(struct aoe_export *export_, const struct wherry_ctl_aoe_state_put *put)
{
	if (put->state_generation <= export_->state.generation)
		return;
	export_->change->changed_ns = AOE_CHANGED_LATELY;
	set_state(&export_->state, put->state_generation, put->config.b, put->config.len, put->mask.mac,
		  put->mask.count, put->reserve.mac, put->reserve.count);
}

uint64_t aoe_export_id(const struct aoe_export *export_)
{
	return export_->id;
}

const uint64_t *aoe_export_stats(const struct aoe_export *export_)
{
	return export_->stats;
}

const uint64_t *aoe_export_hist(const struct aoe_export *export_, unsigned kind)
{
	assert(kind < AOE_HIST_COUNT);
	return export_->hist[kind];
}

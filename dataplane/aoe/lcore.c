/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One lcore's exports and where to find them.
 *
 * Every export has a place, a stable index: wildcard requests walk the places,
 * and cookies of durable changes name them.  by_key is what frames use.  Two
 * exports may claim one address while the operator swaps them: the later one has
 * it, the other is shadowed until the address is free again.
 */
#include <stdlib.h>

#include "aoe/aoe_priv.h"

static int requests_init(struct aoe_lcore *lcore, uint32_t count)
{
	lcore->requests = calloc(count ? count : 1, sizeof *lcore->requests);
	if (!lcore->requests)
		return -1;
	lcore->request_count = count;
	for (uint32_t i = count; i-- > 0;) {
		lcore->requests[i].lcore = lcore;
		lcore->requests[i].next = lcore->free_requests;
		lcore->free_requests = &lcore->requests[i];
	}
	return 0;
}

static void lcore_fini(struct aoe_lcore *lcore)
{
	table_fini(&lcore->by_key);
	table_fini(&lcore->by_id);
	aoe_history_destroy(lcore->history);
	free(lcore->places);
	free(lcore->requests);
	free(lcore);
}

struct aoe_lcore *aoe_lcore_create(const struct aoe_env *env, uint32_t request_count)
{
	struct aoe_lcore *lcore = calloc(1, sizeof *lcore);
	if (!lcore)
		return NULL;
	lcore->env = *env;
	if (!lcore->env.now_ns)
		lcore->env.now_ns = &lcore->now_ns;
	TAILQ_INIT(&lcore->ads);
	TAILQ_INIT(&lcore->shadowed);
	lcore->places = calloc(WHERRY_EXPORT_COUNT_MAX, sizeof *lcore->places);
	lcore->history = aoe_history_create();
	if (!lcore->places || !lcore->history || table_init(&lcore->by_key, WHERRY_EXPORT_COUNT_MAX) < 0 ||
	    table_init(&lcore->by_id, WHERRY_EXPORT_COUNT_MAX) < 0 || requests_init(lcore, request_count) < 0) {
		lcore_fini(lcore);
		return NULL;
	}
	return lcore;
}

void aoe_lcore_destroy(struct aoe_lcore *lcore)
{
	assert(lcore->under_way == 0);
	aoe_wild_fini(lcore);
	for (uint32_t i = 0; i < lcore->place_end; i++)
		if (lcore->places[i])
			lcore->places[i]->place = AOE_NO_PLACE;
	lcore_fini(lcore);
}

uint32_t aoe_lcore_under_way(const struct aoe_lcore *lcore)
{
	return lcore->under_way;
}

struct aoe_export *aoe_export_find(struct aoe_lcore *lcore, uint64_t export_id)
{
	return table_get(&lcore->by_id, export_id);
}

static void key_take(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	struct aoe_export *before = table_put(&lcore->by_key, export_->key, export_);
	if (before)
		TAILQ_INSERT_TAIL(&lcore->shadowed, before, shadow_link);
}

static void key_leave(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	struct aoe_export *other;
	if (!aoe_has_address(lcore, export_)) {
		TAILQ_REMOVE(&lcore->shadowed, export_, shadow_link);
		return;
	}
	table_remove(&lcore->by_key, export_->key);
	TAILQ_FOREACH(other, &lcore->shadowed, shadow_link)
	{
		if (other->key != export_->key)
			continue;
		TAILQ_REMOVE(&lcore->shadowed, other, shadow_link);
		table_put(&lcore->by_key, other->key, other);
		aoe_advertise(lcore, other);
		return;
	}
}

static uint32_t place_find(const struct aoe_lcore *lcore)
{
	uint32_t place = lcore->place_hint;
	while (place < lcore->place_end && lcore->places[place])
		place++;
	return place;
}

static void place_take(struct aoe_lcore *lcore, struct aoe_export *export_, uint32_t place)
{
	assert(place < WHERRY_EXPORT_COUNT_MAX);
	lcore->places[place] = export_;
	export_->place = place;
	if (place == lcore->place_hint)
		lcore->place_hint++;
	if (place == lcore->place_end) {
		lcore->place_end++;
		aoe_wild_on_place_added(lcore);
	}
}

static void place_leave(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	lcore->places[export_->place] = NULL;
	if (export_->place < lcore->place_hint)
		lcore->place_hint = export_->place;
	export_->place = AOE_NO_PLACE;
	while (lcore->place_end && !lcore->places[lcore->place_end - 1])
		lcore->place_end--;
}

/* What the new object of the same export goes on with. */
static void inherit(struct aoe_export *export_, struct aoe_export *old)
{
	struct aoe_change *fresh = export_->change;
	export_->change = old->change;
	old->change = fresh;
	if (old->state.generation > export_->state.generation)
		export_->state = old->state;
	else if (old->state.generation < export_->state.generation)
		export_->change->changed_ns = AOE_CHANGED_LATELY;
	export_->smart_off = old->smart_off;
	memcpy(export_->hist, old->hist, sizeof export_->hist);
	memcpy(export_->stats, old->stats, sizeof export_->stats);
	export_->stats[WHERRY_EXPORT_queue_depth] = 0; /* those under way are the old object's */
}

struct aoe_export *aoe_export_add(struct aoe_lcore *lcore, struct aoe_export *export_, bool advertise, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	struct aoe_export *old = aoe_export_find(lcore, export_->id);
	assert(old != export_);
	uint32_t place;
	if (old) {
		advertise |= old->advertising;
		aoe_advertise_stop(lcore, old);
		place = old->place;
		key_leave(lcore, old);
		old->place = AOE_NO_PLACE;
		inherit(export_, old);
	} else {
		place = place_find(lcore);
	}
	place_take(lcore, export_, place);
	table_put(&lcore->by_id, export_->id, export_);
	key_take(lcore, export_);
	if (advertise)
		aoe_advertise(lcore, export_);
	return old;
}

struct aoe_export *aoe_export_remove(struct aoe_lcore *lcore, uint64_t export_id)
{
	struct aoe_export *export_ = table_remove(&lcore->by_id, export_id);
	if (!export_)
		return NULL;
	aoe_advertise_stop(lcore, export_);
	aoe_change_abandon(lcore, export_);
	key_leave(lcore, export_);
	place_leave(lcore, export_);
	return export_;
}

void aoe_advertise_all(struct aoe_lcore *lcore)
{
	for (uint32_t i = 0; i < lcore->place_end; i++)
		if (lcore->places[i])
			aoe_advertise(lcore, lcore->places[i]);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Durable changes: config string, mask, reservation.
 *
 * One change per export is with the control plane at a time; its answer goes out
 * when the control plane has said that it is durable.  Requests that may change
 * something wait meanwhile, bounded, and are executed in order afterwards: a
 * retransmission then finds its wish fulfilled and succeeds.  Cookies name a
 * place and a sequence number, so that a late word finds nothing to harm.
 */
#include <errno.h>

#include "aoe/aoe_priv.h"

#define COOKIE_PLACE_BITS 16
_Static_assert(WHERRY_EXPORT_COUNT_MAX <= 1 << COOKIE_PLACE_BITS, "a place fits a cookie");

static bool is_busy(const struct aoe_export *export_)
{
	return export_->change->cookie != 0;
}

static enum aoe_verdict wait(struct aoe_call *call)
{
	struct aoe_change *change = call->export_->change;
	if (change->waiting_count == AOE_CHANGE_WAIT_MAX)
		return aoe_error(call, AOE_ERROR_UNAVAILABLE);
	unsigned at = (change->waiting_first + change->waiting_count++) % AOE_CHANGE_WAIT_MAX;
	call->pkt->arrived_ns = 0; /* its place is settled: nothing passes it by any more */
	change->waiting[at].pkt = call->pkt;
	change->waiting[at].arrival_ns = call->arrival_ns;
	change->waiting[at].wildcard = call->wildcard;
	call->lcore->under_way++;
	return AOE_PENDING;
}

/* As with blocks: its own retransmission and a later change may have come by another queue, and been answered. */
static bool is_overtaken(const struct aoe_call *call)
{
	struct aoe_change *change = call->export_->change;
	if (!call->pkt->arrived_ns)
		return false;
	if (change->changed_ns == AOE_CHANGED_LATELY)
		change->changed_ns = call->lcore->now_ns;
	return change->changed_ns > call->pkt->arrived_ns;
}

bool aoe_change_is_barred(struct aoe_call *call, enum aoe_verdict *verdict)
{
	if (is_overtaken(call))
		*verdict = aoe_silence(call, WHERRY_EXPORT_drop_overtaken);
	else if (is_busy(call->export_))
		*verdict = wait(call);
	else
		return false;
	return true;
}

enum aoe_verdict aoe_change_start(struct aoe_call *call)
{
	struct aoe_lcore *lcore = call->lcore;
	struct aoe_export *export_ = call->export_;
	struct aoe_change *change = export_->change;

	struct aoe_persist persist = {
		.export_id = export_->id,
		.base_generation = export_->state.generation,
		.change = change->what,
		.config = change->config,
		.config_bytes = change->what == WHERRY_AOE_CHANGE_CONFIG ? change->config_bytes : 0,
		.list = change->list.mac,
		.list_count = change->what == WHERRY_AOE_CHANGE_CONFIG ? 0 : change->list.count,
		.cookie = ++lcore->change_sequence << COOKIE_PLACE_BITS | export_->place,
	};
	memcpy(persist.requester.b, eth_src(call->pkt->data), sizeof persist.requester.b);
	call->pkt->arrived_ns = 0;
	change->changed_ns = lcore->now_ns;
	change->cookie = persist.cookie;
	change->pkt = call->pkt;
	change->arrival_ns = call->arrival_ns;
	change->base_generation = persist.base_generation;
	change->tries = call->tries;
	change->wildcard = call->wildcard;
	lcore->under_way++;
	if (lcore->env.persist(lcore->env.ctx, &persist) == 0)
		return AOE_PENDING;
	change->cookie = 0;
	lcore->under_way--;
	return aoe_error(call, AOE_ERROR_UNAVAILABLE);
}

/* The change is durable.  A newer state of the operator's already holds it, or has overruled it. */
static void apply(struct aoe_export *export_, uint64_t state_generation)
{
	const struct aoe_change *change = export_->change;
	struct aoe_state *state = &export_->state;
	if (state_generation <= state->generation)
		return;
	state->generation = state_generation;
	switch (change->what) {
	case WHERRY_AOE_CHANGE_CONFIG:
		state->config_bytes = change->config_bytes;
		memcpy(state->config, change->config, change->config_bytes);
		break;
	case WHERRY_AOE_CHANGE_MASK:
		state->mask = change->list;
		break;
	case WHERRY_AOE_CHANGE_RESERVE:
		state->reserve = change->list;
		break;
	}
}

static enum aoe_verdict answer(struct aoe_call *call)
{
	const struct aoe_change *change = call->export_->change;
	switch (change->what) {
	case WHERRY_AOE_CHANGE_CONFIG:
		return aoe_config_answer(call, change->command);
	case WHERRY_AOE_CHANGE_MASK:
		return aoe_mask_answer(call, change->command, change->mask_error, change->mask_index);
	case WHERRY_AOE_CHANGE_RESERVE:
		return aoe_reserve_answer(call, change->command);
	}
	assert(false && "no such change");
	return AOE_DROP;
}

/* The mask may have changed since the frame was let in. */
static enum aoe_verdict execute_again(struct aoe_call *call)
{
	/* Another object may have taken the export over since the frame came in, with other ports, VLANs and masks. */
	if (!aoe_export_serves(call->export_, call->pkt->port_index, call->vlan)) {
		call->lcore->env.lcore_stats[WHERRY_LCORE_aoe_drop_target]++;
		return AOE_DROP;
	}
	return aoe_is_masked(call) ? aoe_silence(call, WHERRY_EXPORT_drop_masked) : aoe_execute(call);
}

static enum aoe_verdict conclude(struct aoe_call *call, int status, uint64_t state_generation, uint8_t tries)
{
	struct aoe_export *export_ = call->export_;
	if (status == 0) {
		apply(export_, state_generation);
		return answer(call);
	}
	/* The operator changed the state while the change was on its way: compute it anew. */
	if (status == -EAGAIN && export_->state.generation != export_->change->base_generation &&
	    tries + 1 < AOE_CHANGE_TRIES_MAX) {
		call->tries = (uint8_t)(tries + 1);
		return execute_again(call);
	}
	return aoe_error(call, AOE_ERROR_UNAVAILABLE);
}

static struct aoe_call waiting_pop(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	struct aoe_change *change = export_->change;
	const unsigned at = change->waiting_first;
	change->waiting_first = (uint16_t)((at + 1) % AOE_CHANGE_WAIT_MAX);
	change->waiting_count--;
	lcore->under_way--;
	return aoe_call_resume(lcore, export_, change->waiting[at].pkt, change->waiting[at].arrival_ns,
			       change->waiting[at].wildcard);
}

/* The request whose change was pending; nothing is pending any more. */
static struct aoe_call pending_end(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	struct aoe_change *change = export_->change;
	change->cookie = 0;
	lcore->under_way--;
	return aoe_call_resume(lcore, export_, change->pkt, change->arrival_ns, change->wildcard);
}

static void run_waiting(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	while (!is_busy(export_) && export_->change->waiting_count) {
		struct aoe_call call = waiting_pop(lcore, export_);
		enum aoe_verdict verdict = execute_again(&call);
		aoe_settle(lcore, call.pkt, verdict);
	}
}

static struct aoe_export *find_pending(struct aoe_lcore *lcore, uint64_t cookie)
{
	const uint64_t place = cookie & ((1u << COOKIE_PLACE_BITS) - 1);
	struct aoe_export *export_ = place < lcore->place_end ? lcore->places[place] : NULL;
	return export_ && cookie && export_->change->cookie == cookie ? export_ : NULL;
}

void aoe_on_persisted(struct aoe_lcore *lcore, uint64_t cookie, int status, uint64_t state_generation, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	struct aoe_export *export_ = find_pending(lcore, cookie);
	if (!export_)
		return; /* the export was removed, and everybody told */
	struct aoe_call call = pending_end(lcore, export_);
	enum aoe_verdict verdict = conclude(&call, status, state_generation, export_->change->tries);
	aoe_settle(lcore, call.pkt, verdict);
	run_waiting(lcore, export_);
}

void aoe_change_abandon(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	while (is_busy(export_) || export_->change->waiting_count) {
		struct aoe_call call = is_busy(export_) ? pending_end(lcore, export_) : waiting_pop(lcore, export_);
		enum aoe_verdict verdict = aoe_error(&call, AOE_ERROR_UNAVAILABLE);
		aoe_settle(lcore, call.pkt, verdict);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

void control_init(struct control *control, struct world *world)
{
	control->world = world;
	control->sim = &world->sim;
	control->rng = sim_rng(&world->sim, "control", 0);
	control->up = true;
	control->export_generation = 1;
	for (unsigned i = 0; i < EXPORT_MAX; i++)
		control->durable[i].generation = control->held[i].generation = 1;
}

static uint64_t draw_latency_ns(struct control *control)
{
	return rng_between(&control->rng, 50 * US, control->world->scenario.control_latency_ns_max);
}

static void ticket_leave(struct persist_ticket *ticket)
{
	if (!ticket->at)
		return;
	*ticket->at = ticket->next;
	if (ticket->next)
		ticket->next->at = ticket->at;
	ticket->at = NULL;
}

/* On the worker: the reply, or what the end of the connection means. */
static void job_answer(struct appliance *appliance, unsigned worker, void *ctx)
{
	struct persist_ticket *ticket = ctx;
	if (!ticket->at)
		return;
	ticket_leave(ticket);
	aoe_on_persisted(appliance->workers[worker].aoe, ticket->cookie, ticket->status, ticket->generation,
			 appliance->workers[worker].now_ns);
}

static bool is_current(const struct persist_ticket *ticket)
{
	const struct world *world = ticket->world;
	return ticket->epoch == world->control.epoch && ticket->instance == world->appliance.instance &&
	       world->appliance.running;
}

static void on_reply(struct sim *sim, void *ctx, uint64_t arg)
{
	struct persist_ticket *ticket = ctx;
	(void)sim;
	(void)arg;
	/* A reply of a process that is gone, or to one that is, goes nowhere. */
	if (is_current(ticket))
		appliance_post(&ticket->world->appliance, ticket->worker, job_answer, ticket);
}

static void store(struct control *control, unsigned export_, enum state_kind kind, const struct state_value *value)
{
	struct stored_export *held = &control->held[export_];
	held->state[kind] = *value;
	held->generation++;
	if (control->sim->plant != PLANT_LOST_PERSIST)
		control->durable[export_] = *held;
	control->committed_count++;
}

static void push_state(struct control *control, unsigned index);

static void on_commit(struct sim *sim, void *ctx, uint64_t arg)
{
	struct persist_ticket *ticket = ctx;
	struct control *control = &ticket->world->control;
	(void)arg;
	/* The request was in this process' memory only. */
	if (ticket->epoch != control->epoch)
		return;
	/* What a dataplane asked for is done before the next one is configured, or not at all: else that one would not
	 * have the last state, and nobody would tell it. */
	if (ticket->instance != ticket->world->appliance.instance)
		return;
	if (ticket->base_generation != control->held[ticket->export_].generation) {
		if (is_current(ticket))
			push_state(control, ticket->export_); /* then it may compute the change anew */
		ticket->status = -EAGAIN;
		control->refused_count++;
	} else {
		store(control, ticket->export_, ticket->kind, &ticket->value);
		ticket->generation = control->held[ticket->export_].generation;
		sim_trace(sim, "control: export %u kind %d committed, generation %lu", ticket->export_,
			  (int)ticket->kind, (unsigned long)ticket->generation);
	}
	sim_in(sim, draw_latency_ns(control), on_reply, ticket, 0);
}

static bool copy_change(struct persist_ticket *ticket, const struct aoe_persist *change)
{
	switch (change->change) {
	case WHERRY_AOE_CHANGE_CONFIG:
		ticket->kind = STATE_CONFIG;
		if (change->config_bytes > sizeof ticket->value.config)
			return false;
		ticket->value.count = change->config_bytes;
		if (change->config_bytes)
			memcpy(ticket->value.config, change->config, change->config_bytes);
		return true;
	case WHERRY_AOE_CHANGE_MASK:
	case WHERRY_AOE_CHANGE_RESERVE:
		ticket->kind = change->change == WHERRY_AOE_CHANGE_MASK ? STATE_MASK : STATE_RESERVE;
		if (change->list_count > sizeof ticket->value.macs / sizeof ticket->value.macs[0])
			return false;
		ticket->value.count = change->list_count;
		if (change->list_count)
			memcpy(ticket->value.macs, change->list, change->list_count * sizeof change->list[0]);
		return true;
	}
	return false;
}

int control_persist(struct control *control, unsigned worker, const struct aoe_persist *change)
{
	struct world *world = control->world;
	if (!control->up)
		return -EAGAIN;
	struct persist_ticket *ticket = sim_alloc(control->sim, sizeof *ticket);
	*ticket = (struct persist_ticket){.world = world,
					  .worker = worker,
					  .export_ = (unsigned)(change->export_id - 1),
					  .cookie = change->cookie,
					  .instance = world->appliance.instance,
					  .epoch = control->epoch,
					  .base_generation = change->base_generation};
	/* Noise and damage can ask for more than the model holds. */
	if (!copy_change(ticket, change))
		return -EAGAIN;
	ticket->next = world->appliance.tickets;
	ticket->at = &world->appliance.tickets;
	if (ticket->next)
		ticket->next->at = &ticket->next;
	world->appliance.tickets = ticket;
	sim_in(control->sim, draw_latency_ns(control), on_commit, ticket, 0);
	return 0;
}

/* The dataplane sees the connection end: what it waits for will not come. */
void control_crash(struct control *control)
{
	struct appliance *appliance = &control->world->appliance;
	if (!control->up)
		return;
	sim_trace(control->sim, "control: KILLED");
	control->up = false;
	control->epoch++;
	memcpy(control->held, control->durable, sizeof control->held);
	if (!appliance->running)
		return;
	for (struct persist_ticket *ticket = appliance->tickets; ticket; ticket = ticket->next) {
		ticket->status = -ECONNRESET;
		appliance_post(appliance, ticket->worker, job_answer, ticket);
	}
}

void control_start(struct control *control)
{
	if (control->up)
		return;
	sim_trace(control->sim, "control: starts");
	control->up = true;
	control_sync(control);
}

struct push {
	struct world *world;
	unsigned export_;
	bool advertise;
	struct wherry_ctl_aoe_export_put put;
	struct wherry_ctl_aoe_state_put state;
	struct state_change *change; /* the operator's last, which is in force once this is done */
};

static void push_lists(const struct stored_export *stored, struct push *push)
{
	const struct state_value *mask = &stored->state[STATE_MASK], *reserve = &stored->state[STATE_RESERVE];
	push->put.config.len = push->state.config.len = stored->state[STATE_CONFIG].count;
	memcpy(push->put.config.b, stored->state[STATE_CONFIG].config, stored->state[STATE_CONFIG].count);
	memcpy(push->state.config.b, stored->state[STATE_CONFIG].config, stored->state[STATE_CONFIG].count);
	push->put.mask.count = push->state.mask.count = mask->count;
	memcpy(push->put.mask.mac, mask->macs, mask->count * sizeof mask->macs[0]);
	memcpy(push->state.mask.mac, mask->macs, mask->count * sizeof mask->macs[0]);
	push->put.reserve.count = push->state.reserve.count = reserve->count;
	memcpy(push->put.reserve.mac, reserve->macs, reserve->count * sizeof reserve->macs[0]);
	memcpy(push->state.reserve.mac, reserve->macs, reserve->count * sizeof reserve->macs[0]);
}

static struct push *push_make(struct control *control, unsigned index)
{
	const struct export_scenario *scenario = &control->world->scenario.exports[index];
	const struct stored_export *stored = &control->held[index];
	struct push *push = sim_alloc(control->sim, sizeof *push);
	push->world = control->world;
	push->export_ = index;
	push->put.id = push->state.export_id = index + 1;
	push->put.generation = control->export_generation;
	push->put.volume_id = scenario->volume + 1;
	push->put.shelf = scenario->shelf;
	push->put.slot = scenario->slot;
	push->put.flags = scenario->flags;
	push->put.buffer_count = scenario->buffer_count;
	push->put.sectors_max = scenario->sectors_max;
	snprintf(push->put.serial, sizeof push->put.serial, "SIM%u", index);
	snprintf(push->put.model, sizeof push->put.model, "wherry simulator");
	push->put.state_generation = push->state.state_generation = stored->generation;
	push_lists(stored, push);
	push->change = control->operated[index];
	return push;
}

static void push_in_force(struct push *push)
{
	if (push->change && push->change->version.end_ns == NEVER)
		state_acknowledged(&push->world->states[push->export_], push->change);
}

static void job_export(struct appliance *appliance, unsigned worker, void *ctx)
{
	struct push *push = ctx;
	(void)worker;
	appliance_export_put(appliance, push->export_, &push->put, push->advertise);
	push_in_force(push);
}

static void job_state(struct appliance *appliance, unsigned worker, void *ctx)
{
	struct push *push = ctx;
	struct aoe_export *export_ = aoe_export_find(appliance->workers[worker].aoe, push->export_ + 1);
	if (export_)
		aoe_export_state_put(export_, &push->state);
	else
		appliance_export_put(appliance, push->export_, &push->put, true);
	push_in_force(push);
}

static void push_state(struct control *control, unsigned index)
{
	struct appliance *appliance = &control->world->appliance;
	appliance_post(appliance, appliance_export_home(appliance, index), job_state, push_make(control, index));
}

static void job_gate(struct appliance *appliance, unsigned worker, void *ctx)
{
	(void)ctx;
	appliance_open_gate(appliance, worker);
}

static void on_gate(struct sim *sim, void *ctx, uint64_t instance)
{
	struct control *control = ctx;
	struct appliance *appliance = &control->world->appliance;
	(void)sim;
	if (!control->up || !appliance->running || appliance->instance != instance)
		return;
	for (unsigned i = 0; i < control->world->scenario.worker_count; i++)
		appliance_post(appliance, i, job_gate, NULL);
}

void control_sync(struct control *control)
{
	struct appliance *appliance = &control->world->appliance;
	if (!control->up || !appliance->running)
		return;
	for (unsigned i = 0; i < control->world->scenario.export_count; i++)
		push_state(control, i);
	/* The gate opens when every export is there: jobs of a worker run in order, a stalled worker's later. */
	sim_in(control->sim, control->world->scenario.stall_ns_max + MS, on_gate, control, appliance->instance);
}

void control_replace_export(struct control *control, unsigned index)
{
	struct appliance *appliance = &control->world->appliance;
	if (!control->up || !appliance->running)
		return;
	control->export_generation++;
	struct push *push = push_make(control, index);
	push->advertise = rng_chance(&control->rng, 500000);
	sim_trace(control->sim, "control: export %u replaced", index);
	appliance_post(appliance, appliance_export_home(appliance, index), job_export, push);
}

void control_operate(struct control *control, unsigned index, enum state_kind kind, const struct state_value *value)
{
	struct appliance *appliance = &control->world->appliance;
	/* One at a time: a second one could hide that the first was lost. */
	if (!control->up || !appliance->running ||
	    (control->operated[index] && control->operated[index]->version.end_ns == NEVER))
		return;
	control->operated[index] = state_issue(&control->world->states[index], kind, value);
	store(control, index, kind, value);
	sim_trace(control->sim, "control: operator changes kind %d of export %u", (int)kind, index);
	push_state(control, index);
}

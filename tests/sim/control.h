/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control plane, as a model: a durable store, changes that commit after a
 * while, a process that may crash at any moment between, and the push of the
 * whole configuration to a dataplane that has none.
 */
#pragma once

#include "aoe/aoe.h"
#include "core.h"
#include "scenario.h"
#include "state.h"

struct world;

struct stored_export {
	uint64_t generation; /* of the state */
	struct state_value state[STATE_KIND_COUNT];
};

/* A persist request that the dataplane waits for. */
struct persist_ticket {
	struct persist_ticket *next, **at;
	struct world *world;
	unsigned worker, export_;
	uint64_t cookie, instance, epoch;
	uint64_t base_generation;
	enum state_kind kind;
	struct state_value value;
	int status; /* the reply */
	uint64_t generation;
};

struct control {
	struct world *world;
	struct sim *sim;
	struct rng rng;
	bool up;
	uint64_t epoch; /* counts crashes */
	struct stored_export durable[EXPORT_MAX];
	struct stored_export held[EXPORT_MAX];     /* what the process believes; the same unless the bug is planted */
	struct state_change *operated[EXPORT_MAX]; /* the operator's last change */
	uint64_t export_generation;
	uint64_t committed_count, refused_count;
};

void control_init(struct control *control, struct world *world);
/* aoe_env.persist of a worker. */
int control_persist(struct control *control, unsigned worker, const struct aoe_persist *change);
void control_crash(struct control *control);
void control_start(struct control *control);
/* A dataplane without configuration has connected, or one with it has been adopted. */
void control_sync(struct control *control);
/* Serve an export anew with other settings, as after an operator's edit. */
void control_replace_export(struct control *control, unsigned export_);
/* The operator changes durable state; the oracle hears of it. */
void control_operate(struct control *control, unsigned export_, enum state_kind kind, const struct state_value *value);

/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that one seed makes, and the plot: accidents, the calm after them, the reckoning. */
#pragma once

#include "appliance.h"
#include "client.h"
#include "control.h"
#include "net.h"
#include "oracle.h"
#include "runner.h"
#include "scenario.h"
#include "state.h"

struct world {
	struct sim sim; /* first member */
	struct scenario scenario;
	struct net net;
	struct appliance appliance;
	struct control control;
	struct volume_oracle volumes[VOLUME_MAX];
	struct state_oracle states[EXPORT_MAX];
	struct client *clients[CLIENT_MAX];
	bool calm; /* the trouble is over, and everything is up, since calm_ns */
	uint64_t calm_ns;
	uint64_t read_count, write_count, retry_count;
};

static inline struct world *world_of(struct sim *sim)
{
	return (struct world *)sim;
}

void world_run(const struct run_options *options, struct run_result *result);

/* Kick a worker of the present dataplane at that time. */
void world_kick_at(struct world *world, unsigned worker, uint64_t at_ns);

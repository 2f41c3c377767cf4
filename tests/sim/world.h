/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that one seed makes, and the plot: accidents, the calm after them, the reckoning. */
#pragma once

#include "appliance.h"
#include "client.h"
#include "control.h"
#include "net.h"
#include "oracle.h"
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

struct world_options {
	uint64_t seed;
	unsigned op_count;
	bool verbose;
	enum plant plant;
};

struct world_result {
	bool failed;
	char failure[512];
	uint64_t trace_hash, virtual_ns, event_count;
	uint64_t read_count, write_count, retry_count;
	uint64_t lcore_stats[WHERRY_LCORE_STAT_COUNT], volume_stats[WHERRY_VOLUME_STAT_COUNT];
};

void world_run(const struct world_options *options, struct world_result *result);

/* Kick a worker of the present dataplane at that time. */
void world_kick_at(struct world *world, unsigned worker, uint64_t at_ns);

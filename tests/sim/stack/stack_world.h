/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that one seed makes, and the plot: accidents, the calm after them, the reckoning. */
#pragma once

#include "../runner.h"
#include "fabric.h"
#include "flows.h"
#include "host.h"
#include "initiator.h"
#include "plot.h"
#include "router.h"
#include "target.h"
#include "wire/nbd.h"

struct stack_world {
	struct sim sim; /* first member */
	struct stack_plot plot;
	struct flows flows;
	struct fabric fabric;
	struct router router;
	struct target target;
	struct host *hosts[HOST_MAX];
	struct initiator initiators[HOST_MAX];
	struct volume_oracle volumes[VOLUME_MAX];
	bool calm;
	uint64_t calm_ns;
	uint64_t read_count, write_count, error_count, connect_count;
};

static inline struct stack_world *stack_world_of(struct sim *sim)
{
	return (struct stack_world *)sim;
}

void stack_world_run(const struct run_options *options, struct run_result *result);

/* Whatever a killed target had accepted has happened or never will. */
void stack_world_writes_ended(struct stack_world *world);
/* A host is switched off, soon. */
void stack_world_lose_host(struct stack_world *world, unsigned host);
/* The frame's bytes, checked as everything that a stack of ours sends; returns how many. */
uint32_t stack_frame_flatten(struct sim *sim, const struct pkt *pkt, uint8_t *bytes, uint32_t room_bytes);
/* Is a connection of this stack overdue?  host HOST_MAX: the target's. */
struct tcp_lcore;
void stack_world_check_tcp(struct stack_world *world, const struct tcp_lcore *tcp, uint64_t clock_base_ns,
			   const char *who, unsigned host);

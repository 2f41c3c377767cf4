/* SPDX-License-Identifier: BSD-3-Clause */
/* What hosts have in common, and the one that runs our own stack. */
#pragma once

#include "fabric.h"
#include "pipe.h"
#include "plot.h"

struct stack_world;

/* First member of every implementation. */
struct host {
	const struct host_ops *ops;
	struct stack_world *world;
	struct sim *sim;
	const struct host_plot *plot;
	unsigned index;
	unsigned moves;
	struct rng rng;
	struct fabric_end end;
	uint8_t addr[16], target[16]; /* 4 bytes for IPv4 */
};

void host_init(struct host *host, struct stack_world *world, unsigned index, const struct host_ops *ops,
	       void (*deliver)(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes));
/* A new MAC address, in the fabric and the router. */
void host_set_mac(struct host *host);

struct host *own_host_create(struct stack_world *world, unsigned index);
struct host *odd_host_create(struct stack_world *world, unsigned index);

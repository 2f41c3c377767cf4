/* SPDX-License-Identifier: BSD-3-Clause */
#include "host.h"

#include "stack_world.h"

void host_set_mac(struct host *host)
{
	station_mac(host->end.mac, 'H', host_number(host->index), host->moves++);
	router_learn(&host->world->router, (enum fabric_segment)host->end.segment, host_number(host->index),
		     host->end.mac);
}

void host_init(struct host *host, struct stack_world *world, unsigned index, const struct host_ops *ops,
	       void (*deliver)(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes))
{
	host->ops = ops;
	host->world = world;
	host->sim = &world->sim;
	host->plot = &world->plot.hosts[index];
	host->index = index;
	host->rng = sim_rng(&world->sim, "host", index);
	host->end.segment = host->plot->far ? FABRIC_FAR : FABRIC_NEAR;
	host->end.mtu = host->plot->mtu;
	host->end.delay_ns = host->plot->delay_ns;
	host->end.ctx = host;
	host->end.deliver = deliver;
	router_addr(host->addr, !host->plot->v6, (enum fabric_segment)host->end.segment, host_number(index));
	router_addr(host->target, !host->plot->v6, FABRIC_NEAR, 1);
	host_set_mac(host);
	fabric_attach(&world->fabric, &host->end);
}

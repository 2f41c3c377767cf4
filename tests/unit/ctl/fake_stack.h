/* SPDX-License-Identifier: BSD-3-Clause */
/* The stack and NBD for tests of the control server; see fake.h. */
#pragma once

#include "nbd/nbd.h"
#include "net/net.h"
#include "tcp/tcp.h"

#define FAKE_LISTEN_MAX 4

struct nbd_export {
	struct nbd_export *next;
	struct nbd_export_settings settings;
	struct nbd_lcore *lcore; /* where it is served, NULL: nowhere */
	unsigned under_way;      /* set by tests: not idle until 0 */
	uint64_t stats[WHERRY_EXPORT_STAT_COUNT];
	uint64_t hist[NBD_HIST_COUNT][WHERRY_HIST_BUCKET_COUNT];
};

struct nbd_lcore {
	struct nbd_export *first;
	unsigned session_count; /* listed as 1.2.3.4:port i */
};

struct net_config {
	struct net_settings settings;
	struct net_address addresses[WHERRY_ADDRESS_COUNT_MAX];
	struct net_route routes[WHERRY_ROUTE_COUNT_MAX];
};

struct net_lcore {
	const struct net_config *config;
	unsigned set_count, announced;
	unsigned neighbour_count;
};

struct tcp_lcore {
	struct tcp_settings settings;
	uint16_t listening[FAKE_LISTEN_MAX]; /* 0: free */
	unsigned connection_count;
	unsigned aborted_count;
	struct ip_addr aborted; /* the last */
};

extern struct fake_stack {
	struct nbd_lcore nbd[WHERRY_LCORE_COUNT_MAX];
	struct net_lcore net[WHERRY_LCORE_COUNT_MAX];
	struct tcp_lcore tcp[WHERRY_LCORE_COUNT_MAX];
	unsigned live_exports, live_configs; /* created and not destroyed */
	int fail_export_create;              /* the creation after so many more fails; -1: none */
} fake_stack;

void fake_stack_init(void);
/* Complains about what was not destroyed. */
void fake_stack_fini(void);
/* What a worker serves, NULL: nothing. */
struct nbd_export *fake_nbd_served(unsigned worker, uint64_t id);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet pools: one for each NUMA node and buffer size, shared by the ports that
 * fit; an AF_XDP port has one of its own, because the kernel maps the whole.
 *
 * struct pkt lies in the private area of each mbuf; what never changes in it is
 * written once, here.  Main lcore, unless stated.
 */
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "pkt/pkt.h"

struct pool {
	struct rte_mempool *mempool;
	char name[RTE_MEMPOOL_NAMESIZE];
	int numa_node;
	bool is_far; /* the memory is on another node after all */
	uint16_t data_room_bytes;
	uint32_t packet_count;
	bool is_own;           /* of one port */
	bool is_dma;           /* a device reads and writes the packets by itself: they need I/O addresses */
	bool driver_keeps;     /* the driver does not give back what it holds when it closes */
	uint32_t need_packets; /* while planning: ring packets of the ports that share it */
};

static inline struct pkt *pool_pkt(struct rte_mbuf *mbuf)
{
	return (struct pkt *)(mbuf + 1);
}

static inline struct rte_mbuf *pool_mbuf(struct pkt *pkt)
{
	return (struct rte_mbuf *)pkt - 1;
}

/* Create the mempool of packet_count packets.  0 or -errno. */
int pool_create(struct pool *pool);
void pool_destroy(struct pool *pool);
/* The packets lie at equal distances in one piece of memory, as AF_XDP's driver takes for granted. */
bool pool_is_dense(const struct pool *pool);
/* Packets that are not in the pool.  No lcore uses it any more. */
uint32_t pool_missing(const struct pool *pool);

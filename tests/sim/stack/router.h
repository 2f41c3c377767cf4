/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The router between the two segments.
 *
 * Its path MTU changes while flows run through it; what is too long is dropped,
 * and told to the sender with the MTU, or without it (RFC 1191 5), or not at all
 * (a black hole).  Who is told again and again, seconds apart, does not listen:
 * that ends the run.  It answers ARP and neighbour solicitations for itself and
 * knows everybody else's addresses.  When it fails over it is another station
 * with the same addresses.
 */
#pragma once

#include "fabric.h"
#include "flows.h"

#define ROUTER_NUMBER 254u

enum router_manner { ROUTER_TELLS, ROUTER_TELLS_NO_MTU, ROUTER_SILENT };

struct router {
	struct sim *sim;
	struct fabric *fabric;
	struct fabric_end ends[FABRIC_SEGMENT_COUNT];
	uint8_t macs[FABRIC_SEGMENT_COUNT][256]; /* last byte of the MAC, by that of the address */
	uint8_t kinds[FABRIC_SEGMENT_COUNT][256];
	uint32_t path_mtu;
	enum router_manner manner;
	unsigned takeovers;
	uint64_t told_count;
	bool is_calm;
	struct router_told {
		uint64_t when_ns;
		uint32_t seq; /* the segment's */
		unsigned rounds;
	} told[FLOW_SLOTS]; /* by the sender's number and port */
};

void router_init(struct router *router, struct sim *sim, struct fabric *fabric, uint32_t mtu);
/* Where a station is. */
void router_learn(struct router *router, enum fabric_segment segment, uint8_t number, const uint8_t mac[6]);
/* Nothing is lost any more: who is told hears it. */
void router_calm(struct router *router);
/* Another router takes its place, and says so. */
void router_fail_over(struct router *router);
/* 10.SEGMENT.0.NUMBER or fd00:0:0:SEGMENT::NUMBER */
void router_addr(uint8_t addr[16], bool v4, enum fabric_segment segment, uint8_t number);
/* A station's MAC address: kind and number say who, version is what changes. */
void station_mac(uint8_t mac[6], char kind, unsigned number, unsigned version);

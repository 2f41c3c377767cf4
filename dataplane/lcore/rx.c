/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from the ports: checked, routed to the worker that owns the export or
 * the flow, and given to AoE or to the stack there.
 */
#include <string.h>

#include "lcore/priv.h"
#include "net/eth.h"

#define RX_TYPE_AOE 0x88a2u

/* Written by main before the workers run, then read by all. */
static struct eth_filter filters[WHERRY_PORT_COUNT_MAX];

void rx_set_filter(unsigned port_index)
{
	struct eth_filter *filter = &filters[port_index];
	memset(filter, 0, sizeof *filter);
	memcpy(filter->mac, port_mac(port_index), ETH_ADDR_BYTES);
	const uint16_t *vlans;
	unsigned count = port_vlans(port_index, &vlans);
	for (unsigned i = 0; i < count; i++)
		eth_filter_add_vlan(filter, vlans[i]);
}

static void drop(struct worker *worker, struct pkt *pkt, enum wherry_lcore_stat reason)
{
	worker->stats[reason]++;
	port_pkt_free(pkt);
}

/* A frame of AoE, for this port.  True: this worker serves it. */
static bool route(struct worker *worker, struct pkt *pkt)
{
	uint16_t shelf;
	uint8_t slot;
	bool wildcard;
	if (!aoe_peek(pkt->data, pkt->len_bytes, &shelf, &slot, &wildcard))
		return true; /* aoe_input counts why not */
	if (wildcard) {
		handoff_copies(worker, HANDOFF_AOE, pkt); /* every export may be meant */
		return true;
	}
	int owner = route_table_lookup(worker->priv->routes, shelf, slot);
	if (owner < 0) {
		drop(worker, pkt, WHERRY_LCORE_aoe_drop_target);
		return false;
	}
	if ((unsigned)owner != worker->index) {
		handoff_frame(worker, (unsigned)owner, HANDOFF_AOE, pkt);
		return false;
	}
	return true;
}

/* True: AoE that this worker serves; else the frame went its way. */
static bool sort_frame(struct worker *worker, struct pkt *pkt)
{
	struct eth_view view = {0};
	enum wherry_lcore_stat verdict = eth_parse(pkt->data, pkt->len_bytes, &filters[pkt->port_index], &view);
	const bool accepted = verdict == ETH_ACCEPT, is_open = worker->priv->gate_open;
	if (accepted && view.type == RX_TYPE_AOE && is_open)
		return route(worker, pkt);
	if (accepted && is_open && stack_serves(view.type))
		stack_route(worker, pkt, &view);
	else if (view.type == RX_TYPE_AOE || (!accepted && verdict != WHERRY_LCORE_drop_eth_vlan))
		drop(worker, pkt, accepted ? WHERRY_LCORE_drop_gate_closed : verdict);
	else if (!accepted)
		punt_frame(worker, pkt, verdict);
	else
		punt_frame(worker, pkt,
			   stack_serves(view.type) ? WHERRY_LCORE_drop_gate_closed : WHERRY_LCORE_drop_eth_type);
	return false;
}

static void note_arrival(const struct worker *worker, unsigned port_index, struct arrival *arrival, struct pkt **pkts,
			 unsigned count)
{
	/* Without packets to put frames into, a driver leaves them where they are. */
	bool is_starved = count < RX_BURST && port_starved(port_index);
	uint32_t left = is_starved ? arrival->capacity : arrival_left(arrival, count, RX_BURST);
	uint64_t arrived_ns = arrival_poll(arrival, worker->now_ns, count, left);
	for (unsigned i = 0; i < count; i++)
		pkts[i]->arrived_ns = arrived_ns;
}

unsigned rx_poll(struct worker *worker)
{
	struct worker_private *priv = worker->priv;
	struct pkt *pkts[RX_BURST];
	unsigned total = 0;
	for (unsigned q = 0; q < priv->rx_count; q++) {
		unsigned count = port_rx(priv->rx[q].port_index, priv->rx[q].queue, pkts, RX_BURST);
		if (priv->several_queues)
			note_arrival(worker, priv->rx[q].port_index, &priv->rx[q].arrival, pkts, count);
		if (priv->tap)
			for (unsigned i = 0; i < count; i++)
				priv->tap(worker, priv->tap_ctx, pkts[i]->port_index, false, pkts[i]->data,
					  pkts[i]->len_bytes);
		unsigned own = 0;
		for (unsigned i = 0; i < count; i++) {
			pkts[own] = pkts[i];
			own += sort_frame(worker, pkts[i]);
		}
		aoe_input_burst(worker->aoe, pkts, own, worker->now_ns);
		total += count;
	}
	return total;
}

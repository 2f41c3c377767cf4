/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers on their way to the ports.
 *
 * A worker gathers the answers of a turn by port and offers them to its own
 * transmit queue; what the driver does not take waits in the lane and is offered
 * again in later turns.  A full lane drops what comes, and a lane that has not
 * moved for TX_STALL_NS is emptied: a client asks again, and an answer that old
 * helps nobody.
 *
 * A device may hold what it has sent until more is sent, and with it buffers of
 * exports.  A lane at rest has them given back: soon, and again later in case the
 * device was not done.
 */
#include <string.h>

#include "lcore/priv.h"

static void drop_lane(struct tx_lane *lane, unsigned port_index)
{
	for (unsigned i = 0; i < lane->count; i++)
		port_pkt_free(lane->pkts[i]);
	if (lane->count)
		port_count_tx_dropped(port_index, lane->queue, lane->count);
	lane->count = 0;
	lane->stalled_ns = 0;
}

static unsigned flush_lane(struct worker *worker, unsigned port_index)
{
	struct tx_lane *lane = &worker->priv->tx[port_index];
	unsigned taken = port_tx(port_index, lane->queue, lane->pkts, lane->count);
	if (taken) {
		lane->sent_ns = worker->now_ns;
		lane->reclaims = TX_RECLAIMS;
	}
	if (taken == lane->count) {
		lane->count = 0;
		lane->stalled_ns = 0;
		return taken;
	}
	lane->count = (uint16_t)(lane->count - taken);
	memmove(lane->pkts, lane->pkts + taken, lane->count * sizeof lane->pkts[0]);
	if (taken)
		lane->stalled_ns = 0;
	else if (lane->stalled_ns == 0)
		lane->stalled_ns = worker->now_ns;
	else if (worker->now_ns - lane->stalled_ns > TX_STALL_NS)
		drop_lane(lane, port_index);
	return taken;
}

void tx_output_own(struct worker *worker, struct pkt *pkt)
{
	struct tx_lane *lane = &worker->priv->tx[pkt->port_index];
	if (lane->count == TX_LANE_PACKETS) {
		port_count_tx_dropped(pkt->port_index, lane->queue, 1);
		port_pkt_free(pkt);
		return;
	}
	lane->pkts[lane->count++] = pkt;
	/* Within a turn a full batch goes out at once: it keeps the driver's ring and the caches busy.  A lane that is
	 * stalled is left for the end of the turn. */
	if (lane->count % TX_BATCH == 0 && lane->stalled_ns == 0)
		flush_lane(worker, pkt->port_index);
}

/* A capture is given the frame as the wire will have it: in one piece, with its checksum. */
static void show_tap(struct worker *worker, struct pkt *pkt)
{
	const struct worker_private *priv = worker->priv;
	pkt_finish_checksum(pkt);
	if (pkt->frag_count)
		pkt_linearise(pkt);
	priv->tap(worker, priv->tap_ctx, pkt->port_index, true, pkt->data, pkt->len_bytes);
}

void tx_output(struct worker *worker, struct pkt *pkt)
{
	struct worker_private *priv = worker->priv;
	if (priv->tap)
		show_tap(worker, pkt);
	unsigned owner = priv->tx[pkt->port_index].owner;
	if (owner == worker->index)
		tx_output_own(worker, pkt);
	else
		handoff_frame(worker, owner, HANDOFF_ANSWER, pkt);
}

/* 1, 8, 64 and 512 ms after the last frame. */
static void reclaim(const struct worker *worker, struct tx_lane *lane, unsigned port_index)
{
	if (worker->now_ns - lane->sent_ns < TX_REST_NS << (3 * (TX_RECLAIMS - lane->reclaims)))
		return;
	lane->reclaims--;
	port_tx_reclaim(port_index, lane->queue);
}

unsigned tx_flush(struct worker *worker)
{
	unsigned taken = 0;
	for (unsigned i = 0, count = port_count(); i < count; i++) {
		struct tx_lane *lane = &worker->priv->tx[i];
		if (lane->count)
			taken += flush_lane(worker, i);
		else if (lane->reclaims)
			reclaim(worker, lane, i);
	}
	return taken;
}

unsigned tx_waiting(const struct worker *worker)
{
	unsigned count = 0;
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++)
		count += worker->priv->tx[i].count;
	return count;
}

void tx_drop_all(struct worker *worker)
{
	for (unsigned i = 0; i < port_count(); i++)
		drop_lane(&worker->priv->tx[i], i);
}

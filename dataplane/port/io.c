/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between the drivers and the workers.  Thread: the worker that owns the
 * queue; allocation and freeing on any lcore.
 */
#include <rte_ethdev.h>

#include "port/gather.h"
#include "port/plan.h"
#include "port/priv.h"

#define BURST_MAX 64u

bool port_removed(unsigned index)
{
	return atomic_load_explicit(&ports[index].removed, memory_order_relaxed);
}

/* A driver that strips the VLAN tag whatever we ask: put it back, there is always headroom. */
static void restore_tag(struct rte_mbuf *mbuf)
{
	uint8_t *at = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint8_t *to = at - 4;
	memmove(to, at, 12);
	to[12] = 0x81;
	to[13] = 0x00;
	to[14] = (uint8_t)(mbuf->vlan_tci >> 8);
	to[15] = (uint8_t)mbuf->vlan_tci;
	mbuf->data_off = (uint16_t)(mbuf->data_off - 4);
	mbuf->data_len = (uint16_t)(mbuf->data_len + 4);
	mbuf->pkt_len += 4;
}

/* The rare cases.  A frame that is given up is emptied: the caller drops it, and still learns how many there were. */
static void make_plain(struct port_queue_stats *stats, struct rte_mbuf *mbuf)
{
	if (mbuf->nb_segs > 1) {
		stats->rx_linearised++;
		if (rte_pktmbuf_linearize(mbuf)) {
			stats->rx_errors++;
			mbuf->data_len = 0;
			return;
		}
	}
	if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		restore_tag(mbuf);
}

/*
 * The device has verified IP and transport.  "Unknown" is to be verified here;
 * "none" says that the sum is not in place but the bytes are known to be whole,
 * as from a guest on the same machine.  Only IPv4 has a sum of its own.
 */
static inline bool is_verified(const struct rte_mbuf *mbuf)
{
	const uint64_t l4 = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK,
		       ip = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	return (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD || l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE) &&
	       (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || ip == RTE_MBUF_F_RX_IP_CKSUM_NONE);
}

unsigned port_rx(unsigned index, unsigned queue, struct pkt **pkts, unsigned max)
{
	struct port *port = &ports[index];
	struct rte_mbuf *mbufs[BURST_MAX];
	if (atomic_load_explicit(&port->removed, memory_order_relaxed))
		return 0;
	uint16_t want = (uint16_t)(max < BURST_MAX ? max : BURST_MAX);
	unsigned got = rte_eth_rx_burst(port->ethdev_id, (uint16_t)queue, mbufs, want);
	for (unsigned i = 0; i < got; i++) {
		struct rte_mbuf *mbuf = mbufs[i];
		if (i + 1 < got) {
			rte_prefetch0(mbufs[i + 1]);
			rte_prefetch0(pool_pkt(mbufs[i + 1]));
		}
		bool is_plain = mbuf->nb_segs == 1 && !(mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
		if (unlikely(!is_plain))
			make_plain(&port->queue_stats[queue], mbuf);
		struct pkt *pkt = pool_pkt(mbuf);
		pkt->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
		pkt->len_bytes = mbuf->data_len;
		pkt->port_index = (uint16_t)index;
		pkt->frag_count = 0;
		pkt->checksum = is_verified(mbuf) ? PKT_CHECKSUM_GOOD : PKT_CHECKSUM_UNKNOWN;
		rte_prefetch0(pkt->data);
		pkts[i] = pkt;
	}
	return got;
}

/*
 * Drivers take packets one by one or by the burst.  A cache that still holds a
 * burst has refused none.  One that holds less is filled up here, so that an idle
 * port is not taken for a starved one again and again; whether the driver found
 * it empty cannot be told any more.
 */
bool port_starved(unsigned index)
{
	struct rte_mempool *mempool = ports[index].mempool;
	struct rte_mempool_cache *cache = mempool ? rte_mempool_default_cache(mempool, rte_lcore_id()) : NULL;
	if (!cache || likely(cache->len >= BURST_MAX))
		return false;
	void *objects[BURST_MAX];
	if (rte_mempool_get_bulk(mempool, objects, BURST_MAX) == 0)
		rte_mempool_put_bulk(mempool, objects, BURST_MAX);
	return true;
}

#define TCP_OFFSET_BYTE 12u /* of a TCP header: its length in words of four bytes, in the upper half */
#define IP_VERSION_4 4u

/* The device sums up the segment: where, and what it is. */
static void leave_checksum(const struct pkt *pkt, struct rte_mbuf *mbuf)
{
	const uint8_t *ip = pkt->data + pkt->ip_offset, *tcp = pkt->data + pkt->transport_offset;
	mbuf->tx_offload = rte_mbuf_tx_offload(pkt->ip_offset, (uint64_t)(pkt->transport_offset - pkt->ip_offset),
					       (uint64_t)(tcp[TCP_OFFSET_BYTE] >> 4) * 4, 0, 0, 0, 0);
	mbuf->ol_flags =
		RTE_MBUF_F_TX_TCP_CKSUM | (ip[0] >> 4 == IP_VERSION_4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
}

/* Its pieces, but for the last, are of even lengths. */
static bool is_even(const struct pkt *pkt)
{
	uint32_t odd = 0;
	for (unsigned i = 0; i < pkt->frag_count; i++)
		odd |= i ? pkt->frags[i - 1].len_bytes : pkt->len_bytes;
	return !(odd & 1);
}

/* Write the packet's frame into its mbuf, and into more for pieces where the device gathers them.  May be called again
 * for a packet that the device did not take. */
static struct rte_mbuf *to_mbuf(const struct port_abilities *able, struct pkt *pkt)
{
	struct rte_mbuf *mbuf = pool_mbuf(pkt);
	if (mbuf->nb_segs > 1)
		return mbuf;
	const bool by_device =
		pkt->checksum == PKT_CHECKSUM_PARTIAL && able->tx_checksum && (!able->even_pieces || is_even(pkt));
	mbuf->ol_flags = 0;
	if (by_device)
		leave_checksum(pkt, mbuf);
	else if (pkt->checksum == PKT_CHECKSUM_PARTIAL)
		pkt_finish_checksum(pkt);
	mbuf->data_off = (uint16_t)(pkt->data - (uint8_t *)mbuf->buf_addr);
	if (pkt->frag_count) {
		const bool fits = able->tx_gather && 1u + pkt->frag_count <= able->piece_count_max;
		if (!fits || !gather_chain(pkt, mbuf, able->by_dma))
			pkt_linearise(pkt);
	}
	mbuf->data_len = (uint16_t)pkt->len_bytes;
	if (mbuf->nb_segs == 1)
		mbuf->pkt_len = pkt->len_bytes;
	return mbuf;
}

/* Of the packets that were taken. */
static void count_hidden(struct port_queue_stats *stats, uint32_t packet_len_max, const uint32_t *lens, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (lens[i] > packet_len_max)
			stats->tx_hidden_bytes += lens[i] - packet_len_max;
}

unsigned port_tx(unsigned index, unsigned queue, struct pkt **pkts, unsigned count)
{
	struct port *port = &ports[index];
	struct rte_mbuf *mbufs[BURST_MAX];
	uint32_t lens[BURST_MAX];
	if (unlikely(atomic_load_explicit(&port->removed, memory_order_relaxed))) {
		for (unsigned i = 0; i < count; i++)
			port_pkt_free(pkts[i]);
		port->queue_stats[queue].tx_dropped += count;
		return count;
	}
	unsigned total = 0;
	while (total < count) {
		unsigned chunk = RTE_MIN(count - total, BURST_MAX);
		for (unsigned i = 0; i < chunk; i++) {
			mbufs[i] = to_mbuf(&port->able, pkts[total + i]);
			lens[i] = mbufs[i]->pkt_len;
			mbufs[i]->pkt_len = RTE_MIN(lens[i], port->packet_len_max);
		}
		unsigned sent = rte_eth_tx_burst(port->ethdev_id, (uint16_t)queue, mbufs, (uint16_t)chunk);
		if (unlikely(port->packet_len_max != UINT32_MAX))
			count_hidden(&port->queue_stats[queue], port->packet_len_max, lens, sent);
		total += sent;
		if (sent < chunk)
			break;
	}
	return total;
}

void port_tx_reclaim(unsigned index, unsigned queue)
{
	const struct port *port = &ports[index];
	/* Without gathering there are but packets in the ring, which nobody waits for. */
	if (port->able.tx_gather && !atomic_load_explicit(&port->removed, memory_order_relaxed))
		(void)rte_eth_tx_done_cleanup(port->ethdev_id, (uint16_t)queue, 0);
}

void port_count_tx_dropped(unsigned index, unsigned queue, unsigned count)
{
	ports[index].queue_stats[queue].tx_dropped += count;
}

struct pkt *port_pkt_alloc(unsigned index)
{
	struct rte_mempool *mempool = ports[index].mempool;
	struct rte_mbuf *mbuf = mempool ? rte_pktmbuf_alloc(mempool) : NULL; /* none: the port never opened */
	if (unlikely(!mbuf))
		return NULL;
	struct pkt *pkt = pool_pkt(mbuf);
	pkt->data = pkt->head;
	pkt->len_bytes = 0;
	pkt->port_index = (uint16_t)index;
	pkt->frag_count = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	return pkt;
}

/* The list of pieces lies in front of the headroom: received packets, which are far more, need no room for it. */
#define GATHER_DATA_OFFSET 192u
static_assert(GATHER_DATA_OFFSET >= PKT_FRAG_COUNT_MAX * sizeof(struct pkt_frag) + PORT_GATHER_HEADROOM_BYTES,
	      "pieces and lower headers do not meet");
static_assert(GATHER_DATA_OFFSET <= PLAN_HEADROOM_BYTES + PKT_SLACK_BYTES, "a whole frame fits behind");

struct pkt *port_pkt_alloc_gather(unsigned index)
{
	struct pkt *pkt = port_pkt_alloc(index);
	if (!pkt)
		return NULL;
	pkt->frags = (struct pkt_frag *)pkt->head;
	pkt->data = pkt->head + GATHER_DATA_OFFSET;
	return pkt;
}

void port_pkt_free(struct pkt *pkt)
{
	pkt_drop_frags(pkt);
	rte_pktmbuf_free(pool_mbuf(pkt));
}

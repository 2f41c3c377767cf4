/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that this worker makes itself. */
#include "net/priv.h"

void net_frame_pad(struct pkt *pkt, bool tagged)
{
	const uint32_t padded = eth_padded_bytes(pkt->len_bytes, tagged);
	const uint32_t missing = padded - pkt->len_bytes;
	/* Pieces behind the linear bytes, or no room: the device pads, as all but the oldest do. */
	if (missing == 0 || pkt->frag_count || pkt_tailroom_bytes(pkt) < missing)
		return;
	memset(pkt->data + pkt->len_bytes, 0, missing);
	pkt->len_bytes = padded;
}

struct pkt *net_frame_alloc(struct net_lcore *lcore, uint8_t interface)
{
	const uint16_t port_index = lcore->config->interfaces[interface].port_index;
	struct pkt *pkt = lcore->env.pool.alloc(lcore->env.pool.ctx, port_index);
	if (!pkt) {
		net_count(lcore, WHERRY_LCORE_net_drop_no_buffer);
		return NULL;
	}
	assert(pkt_headroom_bytes(pkt) >= NET_HEADROOM_BYTES);
	pkt->port_index = port_index;
	return pkt;
}

void net_frame_send(struct net_lcore *lcore, uint8_t interface, struct pkt *pkt, const uint8_t dst[6], uint16_t type)
{
	const struct net_interface *from = &lcore->config->interfaces[interface];
	struct eth_header eth = {.type = type, .tagged = from->vlan != 0, .tci = from->vlan};
	memcpy(eth.dst, dst, 6);
	memcpy(eth.src, from->mac, 6);
	const uint32_t bytes = eth_header_bytes(&eth);
	pkt->data -= bytes;
	pkt->len_bytes += bytes;
	eth_header_emit(pkt->data, bytes, &eth);
	net_frame_pad(pkt, eth.tagged);
	pkt->port_index = from->port_index;
	lcore->sent++;
	lcore->env.output(lcore->env.ctx, pkt);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksum of a transport over linear bytes and pieces. */
#include "net/sum.h"

#include "wire/checksum.h"

uint64_t net_transport_sum(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
			   const struct pkt *pkt)
{
	uint64_t sum = checksum_add(0, pkt->data, pkt->len_bytes);
	uint32_t at = pkt->len_bytes;
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		const struct pkt_frag *frag = &pkt->frags[i];
		sum = at % 2 ? checksum_add_odd(sum, frag->data, frag->len_bytes)
			     : checksum_add64(sum, checksum_add(0, frag->data, frag->len_bytes));
		at += frag->len_bytes;
	}
	const uint64_t pseudo = ip_addr_is_v4(dst)
					? checksum_pseudo_v4(src->b + IP_ADDR_V4_OFFSET, dst->b + IP_ADDR_V4_OFFSET,
							     protocol, (uint16_t)at)
					: checksum_pseudo_v6(src->b, dst->b, protocol, at);
	return checksum_add64(sum, pseudo);
}

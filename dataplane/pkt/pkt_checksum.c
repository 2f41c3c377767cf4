/* SPDX-License-Identifier: BSD-3-Clause */
/* The checksum of TCP over a packet, for devices that cannot. */
#include "pkt/pkt.h"
#include "util/checksum.h"

#define TCP_CHECKSUM_OFFSET 16u /* RFC 9293 3.1 */

void pkt_finish_checksum(struct pkt *pkt)
{
	if (pkt->checksum != PKT_CHECKSUM_PARTIAL)
		return;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	uint8_t *transport = pkt->data + pkt->transport_offset;
	uint32_t at = pkt->len_bytes - pkt->transport_offset;
	/* The sum of the pseudo header stands in the field, and so is added with it. */
	uint64_t sum = checksum_add(0, transport, at);
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		const uint64_t piece = checksum_add(0, pkt->frags[i].data, pkt->frags[i].len_bytes);
		sum = checksum_add64(sum, at % 2 ? checksum_swap(piece) : piece);
		at += pkt->frags[i].len_bytes;
	}
	const uint16_t field = (uint16_t)~checksum_fold(sum);
	memcpy(transport + TCP_CHECKSUM_OFFSET, &field, sizeof field);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksum of a transport over its packet.  Pure, any thread. */
#pragma once

#include <stdint.h>

#include "net/ip.h"
#include "pkt/pkt.h"

/*
 * Sum of the pseudo header and of the whole packet, pieces included, whose data
 * is the transport header.  To verify: checksum_is_right().  To emit: with the
 * field 0, checksum_finish().
 */
uint64_t net_transport_sum(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
			   const struct pkt *pkt);

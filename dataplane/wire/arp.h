/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP for IPv4 over Ethernet (RFC 826, RFC 5227).  Pure, any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define ARP_ETHERTYPE 0x0806
#define ARP_PACKET_BYTES 28u

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_wire {
	be16 hardware, protocol;
	uint8_t hardware_bytes, protocol_bytes;
	be16 operation;
	uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
};

_Static_assert(sizeof(struct arp_wire) == ARP_PACKET_BYTES, "RFC 826");
_Static_assert(offsetof(struct arp_wire, sender_mac) == 8 && offsetof(struct arp_wire, target_ip) == 24, "RFC 826");

struct arp_packet {
	uint16_t operation; /* enum arp_operation */
	uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
};

/* Anything but a request or reply for IPv4 over Ethernet is UNSUPPORTED.  Addresses are the caller's to judge. */
__attribute__((warn_unused_result)) struct wire_status arp_parse(const uint8_t *data, uint32_t len_bytes,
								 struct arp_packet *arp);
/* Returns the bytes written, 0 when room does not suffice. */
uint32_t arp_emit(uint8_t *data, uint32_t room_bytes, const struct arp_packet *arp);

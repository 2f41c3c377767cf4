/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every decoder in wire/ returns.
 *
 * Two levels: a parser checks bytes and yields a host-order value; nothing is
 * kept of the bytes except where a value says that it points into them.  Pure,
 * any thread; a parser reads nothing beyond the length it is given.
 */
#pragma once

#include <stdint.h>

enum wire_result {
	WIRE_OK,
	WIRE_SHORT,       /* the bytes end before what they announce */
	WIRE_BAD,         /* a field has a value that it may not have */
	WIRE_UNSUPPORTED, /* well-formed, but of a kind that is not served */
};

/* Every way a decoder refuses, with the words for a human. */
#define WIRE_REASONS(REASON)                                                                                           \
	REASON(NONE, "accepted")                                                                                       \
	REASON(ETH_HEADER, "Ethernet header not whole")                                                                \
	REASON(ETH_VLAN, "VLAN tag not whole")                                                                         \
	REASON(ETH_TYPE, "EtherType is not the one expected")                                                          \
	REASON(AOE_HEADER, "AoE header not whole")                                                                     \
	REASON(AOE_VERSION, "AoE version is not 1")                                                                    \
	REASON(AOE_COMMAND, "AoE command unknown")                                                                     \
	REASON(AOE_ATA_ARGUMENT, "ATA argument not whole")                                                             \
	REASON(AOE_CONFIG_ARGUMENT, "Query Config argument not whole")                                                 \
	REASON(AOE_CONFIG_STRING, "config string longer than the frame")                                               \
	REASON(AOE_CONFIG_LENGTH, "config string longer than 1024 bytes")                                              \
	REASON(AOE_CONFIG_COMMAND, "Query Config sub-command unknown")                                                 \
	REASON(AOE_MASK_ARGUMENT, "MAC mask argument not whole")                                                       \
	REASON(AOE_MASK_DIRECTIVES, "more directives announced than the frame holds")                                  \
	REASON(AOE_MASK_COMMAND, "MAC mask sub-command unknown")                                                       \
	REASON(AOE_RESERVE_ARGUMENT, "reserve argument not whole")                                                     \
	REASON(AOE_RESERVE_LIST, "more addresses announced than the frame holds")                                      \
	REASON(AOE_RESERVE_COMMAND, "reserve sub-command unknown")                                                     \
	REASON(ATA_IDENTIFY_SIGNATURE, "IDENTIFY data without signature")                                              \
	REASON(ATA_IDENTIFY_CHECKSUM, "IDENTIFY data with a wrong checksum")                                           \
	REASON(TCP_HEADER, "TCP header not whole")                                                                     \
	REASON(TCP_OFFSET, "TCP data offset inside the header or behind the segment")                                  \
	REASON(TCP_OPTION, "TCP option whose length leads nowhere")                                                    \
	REASON(ARP_PACKET, "ARP packet not whole")                                                                     \
	REASON(ARP_KIND, "ARP of another hardware or protocol than Ethernet and IPv4")                                 \
	REASON(ARP_OPERATION, "ARP operation unknown")                                                                 \
	REASON(IPV4_HEADER, "IPv4 header not whole")                                                                   \
	REASON(IPV4_VERSION, "IPv4 version is not 4")                                                                  \
	REASON(IPV4_HEADER_LENGTH, "IPv4 header length below 20")                                                      \
	REASON(IPV4_LENGTH, "IPv4 total length below the header or beyond the frame")                                  \
	REASON(IPV4_OPTION, "IPv4 option length not sane")                                                             \
	REASON(IPV4_CHECKSUM, "IPv4 header checksum wrong")                                                            \
	REASON(IPV6_HEADER, "IPv6 header not whole")                                                                   \
	REASON(IPV6_VERSION, "IPv6 version is not 6")                                                                  \
	REASON(IPV6_LENGTH, "IPv6 payload length beyond the frame")                                                    \
	REASON(IPV6_EXTENSION, "IPv6 extension header not whole or misplaced")                                         \
	REASON(IPV6_OPTION, "IPv6 option unknown, and to be refused")                                                  \
	REASON(IPV6_EXTENSION_COUNT, "too many IPv6 extension headers")                                                \
	REASON(IPV6_ROUTING, "IPv6 routing header with segments left")                                                 \
	REASON(ICMP_HEADER, "ICMP header not whole")                                                                   \
	REASON(ICMP_QUOTE, "ICMP error quotes too little")                                                             \
	REASON(ND_MESSAGE, "neighbour discovery message not whole")                                                    \
	REASON(ND_OPTION, "neighbour discovery option length not sane")                                                \
	REASON(ND_TARGET, "neighbour discovery target is multicast")                                                   \
	REASON(ND_CODE, "neighbour discovery code is not 0")                                                           \
	REASON(NBD_CLIENT_FLAGS, "NBD client flags not whole, or not offered")                                         \
	REASON(NBD_MAGIC, "NBD magic number wrong")                                                                    \
	REASON(NBD_OPTION, "NBD option header not whole")                                                              \
	REASON(NBD_STRING, "NBD string longer than what holds it, or than 4096 bytes")                                 \
	REASON(NBD_INFOS, "NBD information requests do not fill the option")                                           \
	REASON(NBD_QUERIES, "NBD queries do not fill the option")                                                      \
	REASON(NBD_REQUEST, "NBD request header not whole")                                                            \
	REASON(NBD_REPLY, "NBD reply header not whole")

enum wire_reason {
#define WIRE_REASON_ENUM_(name, text) WIRE_WHY_##name,
	WIRE_REASONS(WIRE_REASON_ENUM_)
#undef WIRE_REASON_ENUM_
		WIRE_REASON_COUNT
};

struct wire_status {
	enum wire_result result;
	enum wire_reason reason;
};

static inline struct wire_status wire_ok(void)
{
	return (struct wire_status){WIRE_OK, WIRE_WHY_NONE};
}

static inline struct wire_status wire_no(enum wire_result result, enum wire_reason reason)
{
	return (struct wire_status){result, reason};
}

/* A phrase for the reason.  Static storage. */
const char *wire_reason_text(enum wire_reason reason);

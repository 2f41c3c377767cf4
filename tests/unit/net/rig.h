/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One stack on a heap pool with a clock that stands still: frames in, frames out.
 *
 * Port 0 is 02:00:00:00:00:01 with 192.0.2.1/24 and 2001:db8::1/64, the peer .9
 * with 02:00:00:00:00:09; VLAN 7 has 198.51.100.1/24.  A gateway is 192.0.2.254.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"
#include "pkt/pkt_heap.h"

#define RIG_FRAME_COUNT_MAX 64
#define RIG_FRAME_BYTES_MAX 1600
#define RIG_S 1000000000ull

struct rig_frame {
	uint32_t len;
	uint16_t port_index;
	bool was_partial; /* its checksum was left to the port, and has been finished */
	uint8_t ip_offset;
	uint8_t bytes[RIG_FRAME_BYTES_MAX];
};

struct rig {
	struct pkt_heap heap;
	struct net_lcore *net;
	struct net_config *config;
	uint64_t now_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	unsigned out_count;
	struct rig_frame out[RIG_FRAME_COUNT_MAX];
	unsigned tcp_count, icmp_count;
	uint8_t tcp[RIG_FRAME_BYTES_MAX];
	uint32_t tcp_len;
	struct ip_view tcp_view;
	struct net_icmp_view icmp;
};

extern const uint8_t rig_mac[6], rig_peer[6];

/* settings NULL: those above, optimistic; what is announced has been sent and forgotten. */
void rig_init(struct rig *rig, const struct net_settings *settings);
/* Fails the test when a packet leaked. */
void rig_fini(struct rig *rig);
struct net_settings rig_settings(void);

/* A frame from the wire, in a buffer that ends where it ends; false: for the kernel (freed). */
bool rig_in(struct rig *rig, const uint8_t *frame, uint32_t len);
void rig_forget(struct rig *rig); /* what was sent */
void rig_run(struct rig *rig, uint64_t ns);

struct ip_addr rig_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct ip_addr rig_v6(uint16_t first, uint16_t second, uint16_t last); /* first:second::last */

/* Frames.  Each returns its length. */
uint32_t rig_eth(uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t vlan, uint16_t type);
uint32_t rig_arp(uint8_t *frame, uint16_t operation, const uint8_t *mac, const struct ip_addr *sender,
		 const struct ip_addr *target);
/* From the peer to us, whatever the addresses; checksums of IPv4 and ICMP filled in. */
uint32_t rig_ip(uint8_t *frame, const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
		const uint8_t *payload, uint32_t len);
/* Let the cache know the peer. */
void rig_meet(struct rig *rig, const struct ip_addr *peer, const struct ip_addr *us);
/* Send len bytes as a transport would. */
void rig_send(struct rig *rig, struct net_path *path, uint32_t len);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offloads ("features") of kernel interfaces by the names that ethtool -k shows
 * in the kernel's spelling, and what an interface is made of.
 *
 * Main lcore.  Looking needs no privilege, switching CAP_NET_ADMIN.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define FEATURE_RX_VLAN "rx-vlan-hw-parse"
#define FEATURE_RX_STAG "rx-vlan-stag-hw-parse"
#define FEATURE_RX_VLAN_FILTER "rx-vlan-filter"
#define FEATURE_TX_VLAN "tx-vlan-hw-insert"
#define FEATURE_TX_STAG "tx-vlan-stag-hw-insert"

/* 1 when it is in effect, 0 when not or when there is no such feature, or -errno. */
int iface_feature(const char *iface, const char *feature);
/* Switch it off; nothing to do when it is.  Returns what iface_feature says afterwards. */
int iface_feature_off(const char *iface, const char *feature);

/* What an interface is made of. */
struct iface_link {
	char kind[IFNAMSIZ];  /* "veth", "tun", "bridge", ...; "" for a device */
	int other_index;      /* of the other end of a veth pair, or the interface below; 0: none */
	bool other_elsewhere; /* it is in another network namespace */
	uint64_t rx_frames;   /* that the kernel counted */
};
/* 0 or -errno. */
int iface_link(int ifindex, struct iface_link *link);
/* The other end of a veth pair when it can be reached, its name into peer.  False: no pair, or elsewhere. */
bool iface_veth_peer(int ifindex, char peer[IFNAMSIZ]);

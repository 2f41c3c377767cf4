/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel interfaces under a port: what the drivers do not tell or cannot set.
 *
 * Functions that return int give 0 or -errno.  Main lcore; needs CAP_NET_ADMIN
 * to change anything, nothing to look.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct iface_info {
	int index;
	uint16_t mtu;
	uint8_t mac[6];
	bool up, running; /* administratively; with a carrier */
};

int iface_get(const char *name, struct iface_info *info);
int iface_set_mtu(const char *name, uint16_t mtu);
int iface_set_up(const char *name);
int iface_set_mac(const char *name, const uint8_t mac[6]);
/* Receive queues that frames may come in on ("combined" channels); 1 when the driver does not say. */
unsigned iface_channel_count(const char *name);
/* Have it take in frames to every group address, which a NIC filters otherwise, for as long as the descriptor that this
 * gives is open; or -errno.  Needs CAP_NET_RAW. */
int iface_open_groups(int index);
/* Mbit/s, 0 when unknown. */
uint32_t iface_speed_mbps(const char *name);
/* NUMA node of the device under it, -1 when unknown. */
int iface_numa_node(const char *name);

/*
 * Changes of links in this network namespace.  iface_watch_open gives a
 * descriptor to poll, or -errno; iface_watch_next calls fn for each waiting
 * change: gone (deleted, or moved to another namespace), or up and running.
 * fn with index -1: changes were lost, look at every interface.
 */
typedef void iface_watch_fn(int index, bool gone, bool running, void *ctx);
int iface_watch_open(void);
void iface_watch_next(int fd, iface_watch_fn *fn, void *ctx);

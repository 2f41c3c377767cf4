/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports: the only user of rte_ethdev.
 *
 * A port is opened from its device string by the main lcore before the workers
 * start and closed by it after they have stopped; ports never come or go in
 * between, except that one can become "removed" (its device vanished), which is
 * for ever: opening it takes privileges that the process has given up, so that
 * the return of the device is told, for whoever starts dataplanes.  A queue is
 * used by one worker only.
 *
 * Frames come and go as struct pkt, which lives in the private area of the mbuf
 * that holds the frame: always one contiguous segment, with the VLAN tag, if
 * any, in the frame.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkt/pkt.h"
#include "wherry/ctl.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

/* What the operator asked for; see port_device_parse for the device string. */
struct port_config {
	char name[WHERRY_NAME_BYTES_MAX + 1];
	char device[WHERRY_TEXT_BYTES_MAX + 1];
	uint16_t mtu;
	uint16_t vlan_count;
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX]; /* tagged VLANs served beside untagged frames */
	uint32_t punt_rate; /* frames a second that the kernel gets of what is not for the appliance, 0: none */
};

/* The workers as ports see them. */
struct port_workers {
	unsigned count;
	unsigned numa_node[WHERRY_LCORE_COUNT_MAX];
	uint32_t packets_each; /* packets a worker may hold at once beside the rings (requests, hand-off) */
};

/* ---- main lcore ---- */

/*
 * Open and start all ports; port i has index i.  One that cannot be opened stays
 * in the list as removed, with the reason and the remedy in its detail, so that
 * the others serve.  0, or -errno with a sentence in error; nothing stays open
 * then.
 */
int port_open_all(const struct port_config *configs, unsigned count, const struct port_workers *workers, char *error,
		  size_t error_bytes);

/*
 * Stop and close all ports; the workers have stopped.  Returns how many buffers
 * are missing from the pools (0: none leaked), with the pools named in leaks
 * (may be NULL).
 */
unsigned port_close_all(char *leaks, size_t leaks_bytes);
/* The buffers that frames under way may refer to are about to go.  Before port_close_all, after the workers have
 * stopped. */
void port_let_go(void);

/* port_close_all leaves something behind unless CAP_NET_ADMIN is effective then. */
bool port_close_needs_net_admin(void);

unsigned port_count(void);
/* Index of the port with this name, -1 when there is none. */
int port_index_by_name(const char *name);
/* Description for PORT_LIST. */
void port_item(unsigned index, struct wherry_ctl_port_item *item);
/* Counters and gauges of a port, indexed by enum wherry_port_stat. */
void port_stats(unsigned index, uint64_t values[WHERRY_PORT_STAT_COUNT]);

/*
 * Events: links, removals and what is wrong.  port_poll_fd() is readable when port_poll() has
 * something to do; port_poll() calls every handler for each event.  At most
 * PORT_HANDLER_COUNT_MAX handlers.
 */
enum port_event {
	PORT_LINK_UP,
	PORT_LINK_DOWN,
	PORT_REMOVED,
	PORT_RETURNED,  /* the device of a removed port is there again: only a new dataplane can open it */
	PORT_TROUBLE,   /* the port serves badly; the message and its detail say why */
	PORT_RECOVERED, /* no longer */
};
#define PORT_HANDLER_COUNT_MAX 4
typedef void port_event_fn(unsigned index, enum port_event event, const char *message, void *ctx);
void port_add_handler(port_event_fn *handler, void *ctx);
int port_poll_fd(void);
void port_poll(void);

/* ---- any thread, constant after port_open_all ---- */

const uint8_t *port_mac(unsigned index); /* 6 bytes */
uint16_t port_mtu(unsigned index);
/* The VLANs that it serves beside untagged frames.  Returns how many. */
unsigned port_vlans(unsigned index, const uint16_t **vlans);
/*
 * The kernel's interface beside the port (ktap.h): a descriptor to read and write frames, non-blocking, the port's;
 * -1 when what is not for the appliance is dropped.  Its rate, either way.
 */
int port_punt_fd(unsigned index);
uint32_t port_punt_rate(unsigned index);
/* Main lcore: the interface is gone, somebody deleted it; its descriptor is closed. */
void port_punt_lost(unsigned index);
/* What is sent may be left PKT_CHECKSUM_PARTIAL: the device finishes it. */
bool port_checksum_offload(unsigned index);
unsigned port_rx_queue_count(unsigned index);
unsigned port_tx_queue_count(unsigned index);

/* ---- any thread, relaxed ---- */

/* The device has vanished, or never opened: its queues yield nothing, and what is sent is dropped. */
bool port_removed(unsigned index);

/* ---- the worker that owns the queue ---- */

/* Receive up to max packets; the caller owns them.  Returns how many. */
unsigned port_rx(unsigned index, unsigned queue, struct pkt **pkts, unsigned max);
/* The last port_rx may have left frames waiting because there were no packets to put them into.  Directly after it. */
bool port_starved(unsigned index);
/* Send; returns how many were taken, from the front.  The rest stay the caller's. */
unsigned port_tx(unsigned index, unsigned queue, struct pkt **pkts, unsigned count);
/* The queue rests: buffers that the device has sent from are given back now, where its driver can, and not only when
 * the next frames go out. */
void port_tx_reclaim(unsigned index, unsigned queue);
/* Count packets that the caller gave up sending. */
void port_count_tx_dropped(unsigned index, unsigned queue, unsigned count);

/* ---- any worker or the main lcore ---- */

/* A packet that any frame of the port fits into, empty, data == head.  NULL when the pool is empty. */
struct pkt *port_pkt_alloc(unsigned index);
/* The same with room for pieces, and PORT_GATHER_HEADROOM_BYTES in front of data. */
#define PORT_GATHER_HEADROOM_BYTES 64u
struct pkt *port_pkt_alloc_gather(unsigned index);
void port_pkt_free(struct pkt *pkt);

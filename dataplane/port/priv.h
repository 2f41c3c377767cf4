/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port's state, for the files of port/ only.
 *
 * Written by the main lcore, unless a field says otherwise; constant while the
 * workers run, unless it is atomic.
 */
#pragma once

#include <rte_common.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "port/device.h"
#include "port/ktap.h"
#include "port/plan.h"
#include "port/pool.h"
#include "port/port.h"

#define PORT_QUEUE_COUNT_MAX 64u
#define PORT_ETH_TYPE_AOE 0x88a2u

/* Written by the worker that owns the queue, read by main. */
struct port_queue_stats {
	uint64_t rx_linearised, rx_errors, tx_dropped;
	uint64_t tx_hidden_bytes; /* sent, but not in the driver's count: see packet_len_max */
} __rte_cache_aligned;

/* What the audit of a port remembers.  Main lcore. */
struct port_audit {
	bool begun;
	uint64_t port_frames;                     /* seen by the driver; while they stay the same: */
	uint64_t iface_frames, last_iface_frames; /* the kernel's count when the window began, and last */
	unsigned rounds, active_rounds;          /* audits in this window, and those in which the kernel's count grew */
	char deaf[256], tags[320];               /* what is wrong, or "" */
	char trouble[WHERRY_TEXT_BYTES_MAX + 1]; /* all of it */
	bool is_absent, has_returned;            /* the device is gone; is there again */
	char pci_driver[WHERRY_NAME_BYTES_MAX + 1]; /* of an absent device, when last looked at */
};

/* What the device does, of what software does otherwise. */
struct port_abilities {
	bool tx_gather;   /* frames in several pieces, up to piece_count_max */
	bool tx_checksum; /* of TCP */
	bool even_pieces; /* with tx_checksum: every piece but the last has to be of an even length */
	bool by_dma;      /* it reads memory by itself */
	uint16_t piece_count_max;
};

struct port {
	/* ---- read for every burst ---- */
	uint16_t ethdev_id;
	_Atomic bool removed;
	struct rte_mempool *mempool;
	struct port_abilities able;
	/* What a frame's length may seem to the driver: tap's refuses more than an MTU of 1,500, which cannot be raised
	 * through ethdev, but sends the segment as long as it is. */
	uint32_t packet_len_max;

	/* ---- set up ---- */
	bool has_ethdev, started;
	struct port_config config;
	struct port_device device; /* in use: a fall-back changes its kind */
	struct port_plan plan;
	struct pool *pool;
	unsigned rx_queue_count, tx_queue_count;
	int numa_node;  /* -1: unknown */
	int ifindex;    /* of the kernel interface, 0 without one */
	bool tags_kept; /* AF_XDP saw every VLAN tag when it was started */
	uint8_t mac[6];
	char driver[WHERRY_NAME_BYTES_MAX + 1];
	char detail[WHERRY_TEXT_BYTES_MAX + 1];
	int punt_fd; /* the kernel's interface beside it, -1: none */
	char punt_name[KTAP_NAME_BYTES];
	int groups_fd; /* keeps the kernel's interface under it open to every group, -1: none */

	/* ---- the link, main only ---- */
	bool link_up;
	uint32_t link_mbps;
	uint64_t link_changes;
	uint64_t last_stats[WHERRY_PORT_STAT_COUNT]; /* the last that the driver gave */

	struct port_audit audit;
	struct port_queue_stats queue_stats[PORT_QUEUE_COUNT_MAX];
};

extern struct port ports[WHERRY_PORT_COUNT_MAX];
extern unsigned ports_open_count;

/* Add a note to the port's detail. */
__attribute__((format(printf, 2, 3))) void port_note(struct port *port, const char *format, ...);

/* Take over what the driver counts into last_stats. */
void port_refresh_stats(struct port *port);

/* ---- ethdev.c: one device, from its creation to its start.  0, or -errno with a sentence in error. ---- */
int ethdev_create(struct port *port, unsigned worker_count, char *error, size_t error_bytes);
int ethdev_start(struct port *port, char *error, size_t error_bytes);
void ethdev_close(struct port *port);

/* ---- probe.c: false, with a reason in why, when a frame that was sent to the port does not arrive.  True also when
 * none could be sent. ---- */
bool port_probe(const struct port *port, char *why, size_t why_bytes);

/* ---- audit.c ---- */
/* Look at a port that serves; true: audit.trouble has changed. */
bool audit_port(struct port *port);
/* The device of a port has gone, or was not there when the port was to be opened: it is watched for. */
void audit_note_absent(struct port *port);
/* True, once: it is there again. */
bool audit_has_returned(struct port *port);

/* ---- monitor.c: links and removals ---- */
int monitor_open(char *error, size_t error_bytes);
void monitor_close(void);
/* From the driver's thread: the device of this ethdev has gone. */
void monitor_ethdev_removed(uint16_t ethdev_id);

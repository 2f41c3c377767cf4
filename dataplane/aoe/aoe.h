/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AoE target.
 *
 * One aoe_lcore per worker owns the exports that live there.  A frame goes in by
 * aoe_input; its answer comes back in the same packet where it can be given at
 * once (AOE_REPLY), or later by output().  No clock, no allocation, no DPDK: the
 * caller passes time, packets, requests and persistence in.
 *
 * The routing from (shelf, slot) to the owning lcore is lcore/'s business, by an
 * immutable table; aoe_input is only called with frames for its own exports,
 * and with wildcard frames.
 *
 * Source for the rules: tests/unit/aoe name each one; README "AoE" lists the
 * policy choices.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkt/pkt.h"
#include "volume/volume.h"
#include "wherry/ctl.h"
#include "wherry/limits.h"
#include "wherry/stats.h"

#define AOE_WILD_COUNT_MAX 256 /* wildcard requests under way on an lcore */
#define AOE_CHANGE_WAIT_MAX 16 /* requests that wait for the control plane, per export, beside the one it works on */
/* Packets that an lcore keeps beside those of its requests, when it has so many durable changes under way at most. */
#define AOE_KEPT_PACKETS(change_count) (AOE_WILD_COUNT_MAX + (change_count) * (1u + AOE_CHANGE_WAIT_MAX))

struct aoe_lcore;
struct aoe_export;

/* What aoe_input did with the packet. */
enum aoe_verdict {
	AOE_REPLY,   /* the packet is the answer now: caller transmits it on pkt->port_index */
	AOE_DROP,    /* counted; caller frees it */
	AOE_PENDING, /* taken; output() or the pool's free will be called with it later */
};

/* A durable change that a client asked for; all pointers are valid during the call only. */
struct aoe_persist {
	uint64_t export_id;
	uint64_t base_generation;
	enum wherry_aoe_change change;
	struct wherry_mac requester;
	const uint8_t *config; /* CONFIG */
	uint16_t config_bytes;
	const struct wherry_mac *list; /* MASK, RESERVE: the whole new list */
	uint16_t list_count;
	uint64_t cookie; /* given back to aoe_on_persisted */
};

/* What a port looks like to AoE.  Changed between two calls only. */
struct aoe_port {
	uint8_t mac[6];
	uint16_t mtu;
	bool present;
	uint8_t vlan_count;                    /* VLANs configured on it, beside untagged frames: */
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX]; /* advertisements go out only on these */
};

/* The surroundings.  Set once, before the first frame. */
struct aoe_env {
	void *ctx;
	struct pkt_pool pool;
	void (*output)(void *ctx, struct pkt *pkt); /* transmit on pkt->port_index; takes ownership */
	/* Ask the control plane.  0: accepted, aoe_on_persisted(cookie) follows exactly once.  -EAGAIN: not now. */
	int (*persist)(void *ctx, const struct aoe_persist *change);
	/* A client was heard or answered; statistics only.  May be NULL.
	 * stat: which wherry_client_stat grew, by how much. */
	uint64_t *(*client_stats)(void *ctx, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns);
	const struct aoe_port *ports; /* [WHERRY_PORT_COUNT_MAX] */
	uint64_t *lcore_stats;        /* [WHERRY_LCORE_STAT_COUNT] */
	/* The time of the loop turn, kept by the loop; read when an I/O completes, for its latency.
	 * NULL: the now_ns of the last call counts. */
	const uint64_t *now_ns;
};

/* Create with room for request_count requests under way over all exports.  NULL without memory.  Main lcore. */
struct aoe_lcore *aoe_lcore_create(const struct aoe_env *env, uint32_t request_count);
/* No request may be under way. */
void aoe_lcore_destroy(struct aoe_lcore *lcore);

/*
 * Build an export from its message, with all memory it will ever need.  The
 * volume is borrowed.  NULL with errno: ENOMEM, or EINVAL for an address that no
 * export may have (shelf 0xffff or 0x0fff, slot 0xff), a port index or a VLAN id
 * out of range.  Main lcore; not yet served.
 */
struct aoe_export *aoe_export_create(const struct wherry_ctl_aoe_export_put *put, struct volume *volume);
/* Idle, and not served: removed, replaced, never added, or its lcore destroyed. */
void aoe_export_destroy(struct aoe_export *export_);

/* ---- below: the owning lcore only ---- */

/*
 * Start serving; replaces (and returns) an export with the same id, whose I/O under way goes on until
 * aoe_export_idle.  What was pending durably, statistics and newer state move to the new object.  Advertises on every
 * matching port and VLAN when advertise is set.  An lcore serves at most WHERRY_EXPORT_COUNT_MAX (asserted).  When
 * another export has the same address, the later one has it until it goes.
 */
struct aoe_export *aoe_export_add(struct aoe_lcore *lcore, struct aoe_export *export_, bool advertise, uint64_t now_ns);
/* Stop serving new frames for it; clients that wait for the control plane get AoE error 3.  Returns it, NULL when
 * unknown; destroy it when it is idle. */
struct aoe_export *aoe_export_remove(struct aoe_lcore *lcore, uint64_t export_id);
/* No request of it is under way: it may be destroyed. */
bool aoe_export_idle(const struct aoe_export *export_);
/* The operator replaced the durable state.  Ignored when not newer. */
void aoe_export_state_put(struct aoe_export *export_, const struct wherry_ctl_aoe_state_put *put);
struct aoe_export *aoe_export_find(struct aoe_lcore *lcore, uint64_t export_id);

/*
 * A whole frame that starts with its Ethernet header and has EtherType 0x88A2, perhaps behind one VLAN tag; net/'s
 * eth_parse has accepted it.  Frames that aoe_peek refuses may go to any lcore's: they are counted here.
 */
enum aoe_verdict aoe_input(struct aoe_lcore *lcore, struct pkt *pkt, uint64_t now_ns);

/*
 * The same for count frames, in their order.  Takes the packets: answers go to output(), what is dropped to the pool's
 * free.  While one frame is served, the blocks that the next one asks for are on their way into the cache.
 */
void aoe_input_burst(struct aoe_lcore *lcore, struct pkt *const *pkts, unsigned count, uint64_t now_ns);

/* The control plane answered.  status 0 and the new state_generation, or -errno. */
void aoe_on_persisted(struct aoe_lcore *lcore, uint64_t cookie, int status, uint64_t state_generation, uint64_t now_ns);

/* Work left over from wildcard requests and advertisements: bounded per call, so call it every turn.  Returns how many
 * frames went out; 0 does not mean that nothing is left. */
unsigned aoe_poll(struct aoe_lcore *lcore, uint64_t now_ns);
/* Queue an advertisement of every export (gate opened, link came up).  Goes out through aoe_poll. */
void aoe_advertise_all(struct aoe_lcore *lcore);

/* Requests under way over all exports; 0 means a clean stop is possible. */
uint32_t aoe_lcore_under_way(const struct aoe_lcore *lcore);

/* ---- read-only views for statistics, any thread (relaxed reads) ---- */
const uint64_t *aoe_export_stats(const struct aoe_export *export_);               /* [WHERRY_EXPORT_STAT_COUNT] */
#define AOE_HIST_COUNT 3                                                          /* read, write, other */
const uint64_t *aoe_export_hist(const struct aoe_export *export_, unsigned kind); /* [WHERRY_HIST_BUCKET_COUNT] */
uint64_t aoe_export_id(const struct aoe_export *export_);

/*
 * Peek at a frame for routing.  True when it is AoE with a whole header; *wildcard when shelf or slot is one.
 * Pure.
 */
bool aoe_peek(const uint8_t *frame, uint32_t len_bytes, uint16_t *shelf, uint8_t *slot, bool *wildcard);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two Ethernet segments, and all that goes wrong on them.
 *
 * The target and the near hosts hang on segment NEAR, the far hosts on FAR; a
 * router (router.h) has a foot in each.  Frames are lost (one by one, in bursts,
 * while a link is down), doubled, overtaken, held back for seconds, cut short and
 * damaged.  Damage is what the Internet checksum sees for certain: one burst of
 * up to 15 bits, behind the Ethernet header; damaged frames are delivered.  ARP,
 * which has no checksum, is left to Ethernet's own.
 *
 * Whatever is done to a frame that may hold its flow up is told to flows.h.
 */
#pragma once

#include "../core.h"

#define FABRIC_FRAME_BYTES_MAX (9216u + 18)
enum fabric_segment { FABRIC_NEAR, FABRIC_FAR, FABRIC_SEGMENT_COUNT };

struct fabric_weather {
	uint32_t loss_ppm, double_ppm, reorder_ppm, damage_ppm, mark_ppm; /* mark: ECN, where the sender can */
	uint32_t burst_ppm;                                               /* a frame begins a burst of losses ... */
	uint64_t burst_ns;                                                /* ... which lasts so long */
	uint64_t reorder_ns;
	uint32_t stale_ppm;          /* a copy arrives much later ... */
	uint64_t stale_ns;           /* ... within this */
	uint32_t neighbour_loss_ppm; /* of ARP and neighbour discovery */
};

struct fabric_end {
	uint8_t mac[6];
	uint8_t segment; /* enum fabric_segment */
	bool down;
	uint32_t mtu;
	uint64_t delay_ns; /* from and to it */
	void *ctx;
	void (*deliver)(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes);
	struct fabric_end *next;
	uint64_t last_arrival_ns;
};

struct fabric_frame;
struct flows;

struct fabric {
	struct sim *sim;
	struct flows *flows;
	struct rng rng;
	struct fabric_weather weather;
	uint64_t burst_until_ns;
	struct fabric_end *ends;
	struct fabric_frame *unused[2];
	uint64_t sent_count, lost_count, damaged_count;
};

void fabric_init(struct fabric *fabric, struct sim *sim, struct flows *flows);
void fabric_attach(struct fabric *fabric, struct fabric_end *end);
/* Put a frame on the wire; the bytes are copied. */
void fabric_send(struct fabric *fabric, struct fabric_end *from, const uint8_t *bytes, uint32_t len_bytes);

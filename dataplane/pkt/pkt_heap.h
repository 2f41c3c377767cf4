/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets on the heap, for tests, fuzzing and the simulator.
 *
 * Each buffer is its own allocation of exactly its room, so that ASan sees a
 * byte too far on either side; its head is aligned to 4096 bytes.  The pool
 * counts what is out and can be told to run dry.  Thread: one owner.
 */
#pragma once

#include <stdint.h>

#include "pkt/pkt.h"

struct pkt_heap {
	uint32_t room_bytes;      /* of packets from the pool's alloc */
	uint32_t headroom_bytes;  /* their data - head */
	uint32_t count_max;       /* alloc returns NULL when so many are out */
	uint32_t out_count;       /* packets not freed yet, however made */
	uint64_t allocated_count; /* by the pool's alloc, since the beginning */
};

/* A pool over caller's storage, which must outlive its packets.  Sensible start: jumbo room, no limit. */
void pkt_heap_init(struct pkt_heap *heap);
/* The pool as protocol code sees it; its free takes packets of pkt_heap_make too. */
struct pkt_pool pkt_heap_pool(struct pkt_heap *heap);

/* A packet that holds a copy of the frame, with exactly this much room before and behind it.  Aborts without memory. */
struct pkt *pkt_heap_make(struct pkt_heap *heap, const void *frame, uint32_t len_bytes, uint32_t headroom_bytes,
			  uint32_t tailroom_bytes);
void pkt_heap_free(struct pkt *pkt);

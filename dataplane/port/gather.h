/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in pieces: an mbuf for each piece of a packet, which refers to the
 * buffer where it lies.  For devices that can gather; the piece's reference to
 * its buffer is dropped when the driver frees the mbuf, on the lcore that owns
 * the transmit queue, which is the one that owns the buffer, because frames for
 * another lcore's queue travel in one piece.
 *
 * For the files of port/ only.
 */
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pkt/pkt.h"

/* Shorter pieces are cheaper to copy than to describe. */
#define GATHER_PIECE_BYTES_MIN 256u

/* mbufs for so many pieces, over all ports.  0 or -errno.  Main lcore. */
int gather_open(uint32_t piece_count, unsigned worker_count);
/* Returns how many are missing.  Main lcore. */
uint32_t gather_close(void);
/* From now on the buffers are not touched any more: they are about to go.  Main lcore, after the workers. */
void gather_let_go(void);

/*
 * Put mbufs for the pieces of a packet behind its own.  They take the references
 * over, the packet has no pieces any more.  False, and nothing has happened: a
 * piece is short, or where devices cannot read it, or there are no mbufs.
 */
bool gather_chain(struct pkt *pkt, struct rte_mbuf *head, bool by_dma);

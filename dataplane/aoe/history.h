/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes of the recent past, to know one that was overtaken.
 *
 * AoE has no sequence numbers.  Where an export can be reached by several
 * receive queues, a write A can wait in the queue of a stalled worker while its
 * own retransmission A', come by another queue, and then a later write B to the
 * same blocks are served.  Executed after B, A would undo an acknowledged write,
 * and the volume's order cannot see it: A was not there yet.
 *
 * So A is executed only when nothing that overlaps it was executed since the
 * earliest moment at which A can have arrived (pkt.h, arrived_ns).  Otherwise it
 * is dropped: its client has its answer by the retransmission already, or sends
 * one.  Nothing is assumed about anybody's timers.  A false alarm costs a
 * retransmission, a miss cannot happen: when a set of the table is full of
 * younger entries, what is not found counts as overtaken.
 *
 * One lcore, which owns all exports of the volumes it records.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct aoe_history;

/* NULL without memory.  About 256 KiB. */
struct aoe_history *aoe_history_create(void);
void aoe_history_destroy(struct aoe_history *history);

/* Sectors [lba, lba + count) of the volume are written at now_ns (never earlier than the last record's). */
void aoe_history_record(struct aoe_history *history, uint64_t volume_id, uint64_t lba, uint32_t count, uint64_t now_ns);
/* The same for ranges too large to list: everything for the volume that arrived before counts as overtaken. */
void aoe_history_record_all(struct aoe_history *history, uint64_t volume_id, uint64_t now_ns);

/* Something that overlaps may have been written after arrived_ns. */
bool aoe_history_overtaken(const struct aoe_history *history, uint64_t volume_id, uint64_t lba, uint32_t count,
			   uint64_t arrived_ns);
/* Something on the volume may have been written after arrived_ns. */
bool aoe_history_any_since(const struct aoe_history *history, uint64_t volume_id, uint64_t arrived_ns);

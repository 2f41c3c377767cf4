/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hierarchical timing wheel: any number of timers, O(1) to set and to cancel.
 *
 * A timer fires at its time or up to one tick (65,536 ns) later, never before.
 * A timer that is moved often is cheaper left where it is: its owner keeps the
 * true deadline and sets it again when it fires too early.  Nothing is
 * allocated; the node lies in the owner.  Thread: one owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_TICK_SHIFT 16
#define WHEEL_SLOT_BITS 6
#define WHEEL_SLOT_COUNT (1u << WHEEL_SLOT_BITS)
#define WHEEL_LEVEL_COUNT 6 /* 52 days; what is further away is looked at again then */

struct wheel_node {
	struct wheel_node *next, *prev; /* NULL: not set */
	uint64_t due_tick;
	uint8_t level, slot;
};

struct wheel {
	uint64_t now_tick; /* every timer due at or before this tick has fired */
	uint32_t count;
	uint64_t used[WHEEL_LEVEL_COUNT]; /* bit: the slot is not empty */
	struct wheel_node slots[WHEEL_LEVEL_COUNT][WHEEL_SLOT_COUNT];
	struct wheel_node due; /* fired, not taken yet */
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);

static inline bool wheel_is_set(const struct wheel_node *node)
{
	return node->next != NULL;
}

/* When the node fires at the earliest, ns.  The node is set. */
static inline uint64_t wheel_due_ns(const struct wheel_node *node)
{
	return node->due_tick << WHEEL_TICK_SHIFT;
}

/* Set, or move.  What is past fires in the next wheel_expire. */
void wheel_set(struct wheel *wheel, struct wheel_node *node, uint64_t due_ns);
void wheel_cancel(struct wheel *wheel, struct wheel_node *node);

/* The next node that is due, taken out of the wheel; NULL: none.  The caller may set and cancel any node in between. */
struct wheel_node *wheel_expire(struct wheel *wheel, uint64_t now_ns);

/* When wheel_expire may have something to do (it may be early, never late); UINT64_MAX: no timer is set. */
uint64_t wheel_next_ns(const struct wheel *wheel);

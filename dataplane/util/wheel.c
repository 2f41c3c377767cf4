/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hierarchical timing wheel.
 *
 * Invariant: a node of level l is due less than 64^(l+1) ticks after now_tick
 * (the topmost level takes everything), in the slot that the digits of its due
 * tick name.  When now_tick enters a slot of a higher level, its nodes are put
 * where they belong by then.
 */
#include "util/wheel.h"

#define SLOT_MASK (WHEEL_SLOT_COUNT - 1)
#define LEVEL_DUE WHEEL_LEVEL_COUNT

static void list_init(struct wheel_node *head)
{
	head->next = head->prev = head;
}

static void list_add(struct wheel_node *head, struct wheel_node *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	wheel->now_tick = now_ns >> WHEEL_TICK_SHIFT;
	wheel->count = 0;
	for (unsigned level = 0; level < WHEEL_LEVEL_COUNT; level++) {
		wheel->used[level] = 0;
		for (unsigned slot = 0; slot < WHEEL_SLOT_COUNT; slot++)
			list_init(&wheel->slots[level][slot]);
	}
	list_init(&wheel->due);
}

static void place(struct wheel *wheel, struct wheel_node *node)
{
	if (node->due_tick <= wheel->now_tick) {
		node->level = LEVEL_DUE;
		list_add(&wheel->due, node);
		return;
	}
	/* The highest digit in which the two times differ names the level: the slot is entered before the node is due.
	 */
	const uint64_t differ = node->due_tick ^ wheel->now_tick;
	unsigned level = (63u - (unsigned)__builtin_clzll(differ)) / WHEEL_SLOT_BITS;
	uint64_t tick = node->due_tick;
	if (level >= WHEEL_LEVEL_COUNT) {
		/* Its digit of the topmost level comes round once before it is due; if even later, look again after a
		 * turn. */
		level = WHEEL_LEVEL_COUNT - 1;
		if (tick - wheel->now_tick >= 1ull << (WHEEL_LEVEL_COUNT * WHEEL_SLOT_BITS))
			tick = wheel->now_tick;
	}
	const unsigned slot = (unsigned)(tick >> (level * WHEEL_SLOT_BITS)) & SLOT_MASK;
	node->level = (uint8_t)level;
	node->slot = (uint8_t)slot;
	list_add(&wheel->slots[level][slot], node);
	wheel->used[level] |= 1ull << slot;
}

static void unlink_node(struct wheel *wheel, struct wheel_node *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	if (node->level < WHEEL_LEVEL_COUNT) {
		struct wheel_node *head = &wheel->slots[node->level][node->slot];
		if (head->next == head)
			wheel->used[node->level] &= ~(1ull << node->slot);
	}
	node->next = node->prev = NULL;
}

void wheel_set(struct wheel *wheel, struct wheel_node *node, uint64_t due_ns)
{
	if (wheel_is_set(node))
		unlink_node(wheel, node);
	else
		wheel->count++;
	node->due_tick = (due_ns >> WHEEL_TICK_SHIFT) + ((due_ns & ((1u << WHEEL_TICK_SHIFT) - 1)) != 0);
	place(wheel, node);
}

void wheel_cancel(struct wheel *wheel, struct wheel_node *node)
{
	if (!wheel_is_set(node))
		return;
	unlink_node(wheel, node);
	wheel->count--;
}

/* Ticks from now_tick to the next slot that is entered with something in it; UINT64_MAX: none. */
static uint64_t next_event_tick(const struct wheel *wheel)
{
	uint64_t best = UINT64_MAX;
	for (unsigned level = 0; level < WHEEL_LEVEL_COUNT; level++) {
		if (!wheel->used[level])
			continue;
		const unsigned shift = level * WHEEL_SLOT_BITS;
		const uint64_t here = wheel->now_tick >> shift;
		const unsigned digit = (unsigned)here & SLOT_MASK;
		/* Turn the bits so that the slot after this one is bit 0. */
		const unsigned turn = (digit + 1) & SLOT_MASK;
		const uint64_t bits =
			turn ? wheel->used[level] >> turn | wheel->used[level] << (64 - turn) : wheel->used[level];
		const uint64_t tick = (here + 1 + (unsigned)__builtin_ctzll(bits)) << shift;
		if (tick < best)
			best = tick;
	}
	return best;
}

/* The slots that begin at now_tick: their nodes go down, or are due. */
static void enter(struct wheel *wheel)
{
	for (unsigned level = WHEEL_LEVEL_COUNT; level-- > 0;) {
		const unsigned shift = level * WHEEL_SLOT_BITS;
		if (wheel->now_tick & ((1ull << shift) - 1))
			continue;
		const unsigned slot = (unsigned)(wheel->now_tick >> shift) & SLOT_MASK;
		struct wheel_node *head = &wheel->slots[level][slot];
		wheel->used[level] &= ~(1ull << slot);
		struct wheel_node *node = head->next;
		list_init(head);
		while (node != head) {
			struct wheel_node *next = node->next;
			place(wheel, node);
			node = next;
		}
	}
}

struct wheel_node *wheel_expire(struct wheel *wheel, uint64_t now_ns)
{
	const uint64_t now_tick = now_ns >> WHEEL_TICK_SHIFT;
	while (wheel->due.next == &wheel->due) {
		if (wheel->now_tick >= now_tick)
			return NULL;
		const uint64_t tick = next_event_tick(wheel);
		if (tick > now_tick) {
			wheel->now_tick = now_tick;
			return NULL;
		}
		wheel->now_tick = tick;
		enter(wheel);
	}
	struct wheel_node *node = wheel->due.next;
	unlink_node(wheel, node);
	wheel->count--;
	return node;
}

uint64_t wheel_next_ns(const struct wheel *wheel)
{
	if (wheel->due.next != &wheel->due)
		return 0;
	const uint64_t tick = next_event_tick(wheel);
	return tick > UINT64_MAX >> WHEEL_TICK_SHIFT ? UINT64_MAX : tick << WHEEL_TICK_SHIFT;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots of durable changes.  A slot belongs to its worker while it is free or being
 * filled, to main from worker_post_main until worker_post, and to the worker
 * again until aoe_on_persisted has returned.
 */
#include "ctl/persist.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "ctl/connection.h"
#include "ctl/exports.h"
#include "ctl/server_priv.h"
#include "log/log.h"

/* Request ids: from the dataplane | serial | worker | slot. */
#define WORKER_BITS 6
#define SERIAL_SHIFT (WORKER_BITS + CTL_PERSIST_SLOT_BITS)
#define SERIAL_MASK 0x3ffffu

_Static_assert(CTL_PERSIST_SLOT_COUNT == WORKER_CHANGE_COUNT, "packets are there for as many");
_Static_assert(WHERRY_LCORE_COUNT_MAX <= 1u << WORKER_BITS, "a worker fits");
_Static_assert((SERIAL_MASK << SERIAL_SHIFT) < 0x40000000u, "an id differs from those of events");

struct slot {
	struct job ask,
		answer; /* worker to main, main to worker: one may still be on its way back when the other goes */
	struct slot *next_free; /* worker's */
	struct worker *worker;
	uint32_t request_id; /* main's; 0: nobody was asked */
	uint64_t sent_ns;
	struct slot *prev, *next; /* main's list of those under way, oldest first */
	uint64_t cookie;
	struct wherry_ctl_aoe_persist m;
	int status;
	uint64_t state_generation;
};

struct worker_slots {
	struct slot *free; /* worker's */
	struct slot slots[CTL_PERSIST_SLOT_COUNT];
};

static struct worker_slots *by_worker[WHERRY_LCORE_COUNT_MAX];
static atomic_bool controller_present; /* main writes, workers read: a quick "not now" */
static struct slot under_way = {.prev = &under_way, .next = &under_way};
static uint32_t serial;

/* ------------------------------------------------------------ on a worker */

static void answer_run(struct worker *worker, struct job *job)
{
	struct slot *slot = CTL_CONTAINER_OF(job, struct slot, answer);
	struct worker_slots *slots = by_worker[worker->index];
	aoe_on_persisted(worker->aoe, slot->cookie, slot->status, slot->state_generation, worker->now_ns);
	slot->next_free = slots->free;
	slots->free = slot;
}

static void slot_fill(struct slot *slot, const struct aoe_persist *change)
{
	struct wherry_ctl_aoe_persist *m = &slot->m;
	slot->cookie = change->cookie;
	m->export_id = change->export_id;
	m->base_generation = change->base_generation;
	m->change = (uint8_t)change->change;
	m->requester.count = 1;
	m->requester.mac[0] = change->requester;
	m->config.len = change->config_bytes;
	m->list.count = change->list_count;
	if (change->config_bytes)
		memcpy(m->config.b, change->config, change->config_bytes);
	if (change->list_count)
		memcpy(m->list.mac, change->list, change->list_count * sizeof m->list.mac[0]);
}

static void ask_finished(struct job *job);

/* The hook.  0: accepted; -EAGAIN: not now. */
static int persist(struct worker *worker, const struct aoe_persist *change)
{
	struct worker_slots *slots = by_worker[worker->index];
	struct slot *slot = slots->free;
	if (!slot || !atomic_load_explicit(&controller_present, memory_order_relaxed))
		return -EAGAIN;
	if (change->config_bytes > WHERRY_AOE_CONFIG_BYTES_MAX || change->list_count > WHERRY_AOE_RESERVE_COUNT_MAX)
		return -EAGAIN;
	slots->free = slot->next_free;
	slot_fill(slot, change);
	slot->ask = (struct job){.finished = ask_finished};
	worker_post_main(worker, &slot->ask);
	return 0;
}

/* ---------------------------------------------------------------- on main */

static void slot_answer(struct slot *slot, int status, uint64_t state_generation)
{
	if (slot->request_id) {
		slot->prev->next = slot->next;
		slot->next->prev = slot->prev;
		slot->request_id = 0;
	}
	slot->status = status;
	slot->state_generation = state_generation;
	slot->answer = (struct job){.run = answer_run};
	worker_post(slot->worker, &slot->answer);
}

static void ask_finished(struct job *job)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct slot *slot = CTL_CONTAINER_OF(job, struct slot, ask);
	struct ctl_connection *controller = ctl_connection_controller();
	if (!controller) {
		slot_answer(slot, -EAGAIN, 0);
		return;
	}
	unsigned index = (unsigned)(slot - by_worker[slot->worker->index]->slots);
	slot->request_id = WHERRY_CTL_FROM_DATAPLANE | (++serial & SERIAL_MASK) << SERIAL_SHIFT |
			   slot->worker->index << CTL_PERSIST_SLOT_BITS | index;
	slot->sent_ns = ctl_now_ns();
	slot->next = &under_way;
	slot->prev = under_way.prev;
	under_way.prev->next = slot;
	under_way.prev = slot;
	/* When the controller is dropped by this, the slot is answered with the others. */
	ctl_connection_send(controller, packet,
			    wherry_ctl_put_aoe_persist(packet, sizeof packet, slot->request_id, &slot->m), -1);
}

static struct slot *slot_find(uint32_t request_id)
{
	unsigned worker = request_id >> CTL_PERSIST_SLOT_BITS & ((1u << WORKER_BITS) - 1);
	unsigned index = request_id & (CTL_PERSIST_SLOT_COUNT - 1);
	if (!by_worker[worker])
		return NULL;
	struct slot *slot = &by_worker[worker]->slots[index];
	return slot->request_id == request_id ? slot : NULL;
}

void ctl_on_aoe_persisted(uint32_t request_id, const struct wherry_ctl_aoe_persisted *m)
{
	struct slot *slot = slot_find(request_id);
	if (!slot)
		return;
	struct ctl_export *e = ctl_export_find(slot->m.export_id);
	if (e && e->live && e->live->worker != slot->worker) {
		/* The export moved meanwhile, and its new worker does not know the change, nor do we the whole state.
		 * The control plane does: it sends everything when it connects again. */
		LOG_WARN("AoE export %u.%u changed and moved at once: asking for the whole configuration", e->shelf,
			 e->slot);
		ctl_connection_drop(ctl_connection_controller());
		return;
	}
	if (e && m->state_generation > e->state_generation)
		e->state_generation = m->state_generation;
	slot_answer(slot, 0, m->state_generation);
}

void ctl_on_persist_error(uint32_t request_id, uint32_t error)
{
	struct slot *slot = slot_find(request_id);
	if (slot)
		slot_answer(slot, error > 0 && error < 4096 ? -(int)error : -EPROTO, 0);
}

void ctl_persist_controller_came(void)
{
	atomic_store_explicit(&controller_present, true, memory_order_relaxed);
}

void ctl_persist_controller_went(void)
{
	atomic_store_explicit(&controller_present, false, memory_order_relaxed);
	while (under_way.next != &under_way)
		slot_answer(under_way.next, -EAGAIN, 0);
}

bool ctl_persist_overdue(uint64_t now_ns)
{
	const struct slot *oldest = under_way.next;
	return oldest != &under_way && now_ns >= oldest->sent_ns &&
	       now_ns - oldest->sent_ns >= WHERRY_CTL_ANSWER_SECONDS * 1000000000ull;
}

bool ctl_persist_open(void)
{
	for (unsigned i = 0; i < worker_count(); i++) {
		struct worker_slots *slots = calloc(1, sizeof *slots);
		if (!slots)
			return false;
		for (unsigned k = 0; k < CTL_PERSIST_SLOT_COUNT; k++) {
			slots->slots[k].worker = worker_at(i);
			slots->slots[k].next_free = slots->free;
			slots->free = &slots->slots[k];
		}
		by_worker[i] = slots;
	}
	worker_set_persist(persist);
	return true;
}

void ctl_persist_close(void)
{
	worker_set_persist(NULL);
	for (unsigned i = 0; i < WHERRY_LCORE_COUNT_MAX; i++) {
		free(by_worker[i]);
		by_worker[i] = NULL;
	}
	under_way.prev = under_way.next = &under_way;
}

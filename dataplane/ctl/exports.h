/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exports of this process.  Main lcore, unless a function is said to run on a
 * worker.
 *
 * Each put of an export builds an instance (struct aoe_export) on the home worker
 * of its volume.  It is handed over after the routes lead there, and replaces the
 * instance before it, which is destroyed when it is idle.  Between SYNC_BEGIN and
 * SYNC_END instances wait in `pending` and are handed over together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "aoe/aoe.h"
#include "ctl/connection.h"
#include "ctl/job.h"
#include "ctl/routes.h"
#include "ctl/volumes.h"
#include "wherry/ctl.h"

struct ctl_export;

/* One aoe_export: waiting for SYNC_END, on its way to its worker, there, or on its way out. */
struct ctl_instance {
	struct ctl_instance *next; /* of the export's instances, newest first */
	struct ctl_export *export_;
	struct aoe_export *aoe;
	struct ctl_volume *volume;
	struct worker *worker;
	uint16_t shelf;
	uint8_t slot;
	bool advertise;
	struct ctl_instance *previous; /* to be retired once this one is in place */
	struct aoe_export *replaced;   /* what the worker found in its place, NULL: nothing */
	bool inherited;                /* the one that replaced it has taken its counts over */
	struct ctl_reply reply;        /* who waits for that */
	/* Adding may still be on its way when removing begins: each has its own. */
	struct ctl_waiter add_waiter, remove_waiter;
	struct job add_job, remove_job;
	struct ctl_drain drain;
};

struct ctl_export {
	uint64_t id, generation, state_generation;
	uint16_t shelf;
	uint8_t slot;
	struct ctl_volume *volume;          /* as put last */
	struct ctl_instance *live;          /* newest that was handed over or is about to be; NULL: none */
	struct ctl_instance *pending;       /* waits for the end of SYNC; NULL: none */
	struct ctl_instance *instances;     /* live, and older ones on their way out */
	struct ctl_export_history *history; /* what instances that are gone have counted; NULL: nothing */
	bool seen;                          /* put since SYNC_BEGIN */
	bool addressed;                     /* shelf.slot is its own: another export may take it during SYNC */
	bool removed;                       /* out of the registry */
	struct ctl_reply delete_reply;
	uint64_t delete_late_ns; /* answered then, destroyed or not */
	LIST_ENTRY(ctl_export) removed_link;
};

struct ctl_export_history {
	uint64_t stats[WHERRY_EXPORT_STAT_COUNT];
	uint64_t hist[AOE_HIST_COUNT][WHERRY_HIST_BUCKET_COUNT];
};

void ctl_on_aoe_export_put(struct ctl_request *request, const struct wherry_ctl_aoe_export_put *m);
void ctl_on_aoe_export_delete(struct ctl_request *request, const struct wherry_ctl_aoe_export_delete *m);
void ctl_on_aoe_state_put(struct ctl_request *request, const struct wherry_ctl_aoe_state_put *m);

/* NULL when there is none. */
struct ctl_export *ctl_export_find(uint64_t id);
/* As ctl_volume_at. */
struct ctl_export *ctl_export_at(unsigned place);
unsigned ctl_export_place_count(void);
/* Exports whose live instance is on the worker. */
unsigned ctl_export_count_on(const struct worker *worker);

/* What the export has counted over all its instances. */
void ctl_export_stats(const struct ctl_export *export_, uint64_t values[WHERRY_EXPORT_STAT_COUNT]);
void ctl_export_hist(const struct ctl_export *export_, unsigned kind, uint64_t buckets[WHERRY_HIST_BUCKET_COUNT]);

/* Once a second: as ctl_volume_tick. */
void ctl_export_tick(uint64_t now_ns);

/* SYNC: nothing is seen, and puts wait. */
void ctl_export_sync_begin(void);
/* Remove what has not been put since (sweep), hand over what was put.  Between ctl_routes_batch and _flush. */
void ctl_export_sync_end(bool sweep, bool advertise);

/* ---- between exports.c and instance.c ---- */

/* Build the instance that a message asks for.  NULL without memory. */
struct ctl_instance *ctl_instance_create(struct ctl_export *export_, struct ctl_volume *volume,
					 const struct wherry_ctl_aoe_export_put *m);
/* Make it the live one: routes, then the worker, then the one before it goes.  reply: answered OK when in place. */
void ctl_instance_go_live(struct ctl_instance *instance, bool advertise, struct ctl_reply reply);
/* Take the live instance out of service: routes, then the worker, then it is destroyed when idle. */
void ctl_instance_go_away(struct ctl_instance *instance);
/* One that no worker has. */
void ctl_instance_destroy(struct ctl_instance *instance);
/* The export is out of the registry: destroy it when its last instance is gone. */
void ctl_export_destroy_when_unused(struct ctl_export *export_);

/* The workers have stopped. */
void ctl_export_close(void);

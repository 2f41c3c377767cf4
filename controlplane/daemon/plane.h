/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane as the daemon sees it: started or adopted, configured, watched
 * over, started again.
 *
 *   DOWN -> STARTING -> SYNCING -> SERVING
 *     ^________|___________|__________|      (it died: at once, or after a delay)
 *
 * STARTING ends when HELLO was answered and every store is open.  A dataplane
 * that runs already is adopted: descriptors are fetched back, then it is
 * configured without interruption.  Thread: the daemon's.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/monitor_msg.h"
#include "daemon/plane_link.h"
#include "daemon/state.h"

struct daemon;
struct plane;

enum plane_state { PLANE_DOWN, PLANE_STARTING, PLANE_SYNCING, PLANE_SERVING, PLANE_STATE_COUNT };
/* "down", "starting", "serving", "adopted", ... for daemon.status, ended by NULL. */
extern const char *const plane_state_names[];

/* NULL without memory. */
struct plane *plane_create(struct daemon *daemon);
void plane_destroy(struct plane *plane);

/* Adopt the one that runs, or start one. */
void plane_start(struct plane *plane);
/* Stop it and start it anew, because its settings changed.  It ends its I/O first. */
void plane_restart(struct plane *plane);
/* Stop it for good, then call stopped (also when it does not want to: it is killed after a few seconds). */
void plane_stop(struct plane *plane, void (*stopped)(struct daemon *daemon));
/* Configure it once more from the state; objects that are gone from there are removed.  done: when it has all of it;
 * from inside with ENOTCONN when it cannot be reached now.  One at a time. */
void plane_resync(struct plane *plane, plane_done_fn *done, void *ctx);
/* Every store has been opened, or given up for now. */
void plane_stores_settled(struct plane *plane);

/* Call fn once: as soon as it serves (at once when it does), when it ends or cannot be started before, or when the
 * time is over. */
enum plane_settled { PLANE_SETTLED_SERVING, PLANE_SETTLED_DIED, PLANE_SETTLED_LATE };
typedef void plane_settled_fn(void *ctx, enum plane_settled settled);
void plane_wait_settled(struct plane *plane, uint64_t timeout_us, plane_settled_fn *fn, void *ctx);

/* The link, when objects may be put and lists asked for; else NULL. */
struct plane_link *plane_usable_link(struct plane *plane);
bool plane_is_serving(const struct plane *plane);
/* It ran before this daemon, or before its last connection. */
bool plane_is_adopted(const struct plane *plane);
/* Why it does not serve, "" when it does. */
const char *plane_trouble(const struct plane *plane);
/* For daemon.status; new reference. */
json_t *plane_status_json(const struct plane *plane);

/* ---- pushing single objects; done may be NULL.  Without a usable link they end with ENOTCONN from inside the call:
 * whatever is pushed is also part of the next whole configuration. */
void plane_push_volume(struct plane *plane, const struct volume_row *row, plane_done_fn *done, void *ctx);
void plane_push_volume_delete(struct plane *plane, uint64_t volume_id, plane_done_fn *done, void *ctx);
void plane_push_export(struct plane *plane, const struct export_row *row, plane_done_fn *done, void *ctx);
/* All exports of a volume whose store has just been opened: without it the dataplane could not have them. */
void plane_push_exports_of(struct plane *plane, uint64_t volume_id);
void plane_push_export_delete(struct plane *plane, uint64_t export_id, plane_done_fn *done, void *ctx);
void plane_push_export_state(struct plane *plane, const struct export_row *row, plane_done_fn *done, void *ctx);
void plane_push_idle(struct plane *plane, const struct runtime_row *row, plane_done_fn *done, void *ctx);
/* Addresses, routes, TCP and the listening port of NBD, as the state has them now. */
void plane_push_network(struct plane *plane, plane_done_fn *done, void *ctx);
void plane_push_nbd_export(struct plane *plane, const struct nbd_export_row *row, plane_done_fn *done, void *ctx);
void plane_push_nbd_export_delete(struct plane *plane, uint64_t export_id, plane_done_fn *done, void *ctx);

/* ---- callbacks of the monitor link */
void plane_on_spawned(void *ctx, const struct monitor_spawned *spawned);
void plane_on_exited(void *ctx, const struct monitor_exited *exited);

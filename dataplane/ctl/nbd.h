/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NBD exports of this process.  Main lcore.
 *
 * An export is on every worker: each put builds a set of one struct nbd_export a
 * worker, whose volume port says how that worker reaches the volume.  A set that
 * was replaced or removed is destroyed when it is idle on every worker.
 */
#pragma once

#include "ctl/volumes.h"
#include "wherry/ctl.h"

void ctl_on_nbd_put(struct ctl_request *request, const struct wherry_ctl_nbd_put *m);
void ctl_on_nbd_export_put(struct ctl_request *request, const struct wherry_ctl_nbd_export_put *m);
void ctl_on_nbd_export_delete(struct ctl_request *request, const struct wherry_ctl_nbd_export_delete *m);
void ctl_on_nbd_session_list(struct ctl_request *request, const struct wherry_ctl_nbd_session_list *m);

struct ctl_nbd_export;
/* NULL when there is none. */
struct ctl_nbd_export *ctl_nbd_export_find(uint64_t id);
/* As ctl_volume_at. */
struct ctl_nbd_export *ctl_nbd_export_at(unsigned place);
unsigned ctl_nbd_export_place_count(void);
uint64_t ctl_nbd_export_id(const struct ctl_nbd_export *export_);
/* What the export has counted, over all workers. */
void ctl_nbd_export_stats(const struct ctl_nbd_export *export_, uint64_t values[WHERRY_EXPORT_STAT_COUNT]);
void ctl_nbd_export_hist(const struct ctl_nbd_export *export_, unsigned kind,
			 uint64_t buckets[WHERRY_HIST_BUCKET_COUNT]);

/* SYNC: forget what was put; remove what has not been put since. */
void ctl_nbd_sync_begin(void);
void ctl_nbd_sync_sweep(void);
/* Now and then: answers that are late. */
void ctl_nbd_tick(uint64_t now_ns);
/* The workers have stopped. */
void ctl_nbd_close(void);

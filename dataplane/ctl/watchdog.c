/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backing-store watchdog.  Main lcore.
 *
 * A store that ends before its volume does would turn reads into errors and, for
 * a regular file, writes into holes: the volume is taken out of service, so that
 * clients wait and retry instead.
 */
#include "ctl/watchdog.h"

#include <stdio.h>
#include <sys/stat.h>

#include "ctl/events.h"
#include "stats/snapshot.h"

#define QUIET_NS 60000000000ull /* at most one report of errors per volume and minute */

void ctl_watch_store_short(struct ctl_volume *v, uint64_t have_bytes)
{
	v->offline_store = true;
	snprintf(v->detail, sizeof v->detail,
		 "backing store has %llu bytes instead of %llu: restore it, then set the volume online",
		 (unsigned long long)have_bytes, (unsigned long long)v->size_bytes);
	ctl_event(WHERRY_ERROR, "volume.shrunk", v->id,
		  "volume %s is out of service: its backing store has %llu bytes instead of %llu. Restore it, then set "
		  "the "
		  "volume online.",
		  v->name, (unsigned long long)have_bytes, (unsigned long long)v->size_bytes);
}

static void watch_store(struct ctl_volume *v)
{
	struct stat st;
	uint64_t have;
	if (v->kind != WHERRY_BACKEND_FILE || v->replacing)
		return;
	if (ctl_store_size(v->fd, &have) < 0)
		have = 0; /* a device that is gone */
	if (have < v->size_bytes && !v->offline_store) {
		ctl_watch_store_short(v, have);
		if (!ctl_volume_set_offline(v, (struct ctl_reply){0}))
			v->offline_store = false; /* again in a second */
	}
	bool unlinked = fstat(v->fd, &st) == 0 && st.st_nlink == 0;
	if (unlinked && !v->watch.unlinked)
		ctl_event(WHERRY_WARNING, "volume.unlinked", v->id,
			  "volume %s: its backing file was removed from its directory. It is still served, and is lost "
			  "when "
			  "the volume is closed: copy it out.",
			  v->name);
	v->watch.unlinked = unlinked;
}

static void watch_sync(struct ctl_volume *v)
{
	if (v->kind != WHERRY_BACKEND_FILE || v->replacing)
		return;
	const bool lost = backend_file_sync_lost(v->base);
	if (lost && !v->watch.sync_lost) {
		ctl_event(WHERRY_ERROR, "volume.sync_failed", v->id,
			  "volume %s: its backing store failed to make data durable, and what was written since the "
			  "last flush may be lost. Flushes and durable writes fail until the volume has been set "
			  "offline and online again: check the store and the data first.",
			  v->name);
		if (!v->offline_operator && !v->offline_store)
			snprintf(
				v->detail, sizeof v->detail,
				"a flush failed: check the store and the data, then set the volume offline and online");
	}
	v->watch.sync_lost = lost;
}

static void watch_errors(struct ctl_volume *v, uint64_t now_ns)
{
	const uint64_t io = stats_read(v->volume.stats, WHERRY_VOLUME_err_io);
	const uint64_t no_space = stats_read(v->volume.stats, WHERRY_VOLUME_err_no_space);
	const uint64_t too_short = stats_read(v->volume.stats, WHERRY_VOLUME_err_short);
	struct ctl_watch *w = &v->watch;
	if (now_ns < w->quiet_until_ns ||
	    (io == w->reported_io && no_space == w->reported_no_space && too_short == w->reported_short))
		return;
	const uint64_t new_no_space = no_space - w->reported_no_space, new_short = too_short - w->reported_short;
	const uint64_t failed = io - w->reported_io + new_short;
	if (new_no_space)
		ctl_event(WHERRY_ERROR, "volume.no_space", v->id,
			  "volume %s: requests that failed because its backing store is full: %llu. Make room there.",
			  v->name, (unsigned long long)new_no_space);
	else
		ctl_event(
			WHERRY_ERROR, "volume.io_error", v->id,
			"volume %s: requests that failed in its backing store: %llu, past its end: %llu. The kernel's "
			"log tells more about the device.",
			v->name, (unsigned long long)failed, (unsigned long long)new_short);
	w->reported_io = io;
	w->reported_no_space = no_space;
	w->reported_short = too_short;
	w->quiet_until_ns = now_ns + QUIET_NS;
}

void ctl_watch_tick(uint64_t now_ns)
{
	for (unsigned i = 0; i < ctl_volume_place_count(); i++) {
		struct ctl_volume *v = ctl_volume_at(i);
		if (!v)
			continue;
		watch_store(v);
		watch_sync(v);
		watch_errors(v, now_ns);
		ctl_fault_tick(v);
	}
}

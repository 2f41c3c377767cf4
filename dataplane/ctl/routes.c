/* SPDX-License-Identifier: BSD-3-Clause */
/* Publication of the routing table.  Main lcore; routes_run is the workers'. */
#include "ctl/routes.h"

#include <stdlib.h>

#include "ctl/exports.h"
#include "ctl/job.h"
#include "ctl/server_priv.h"
#include "log/log.h"

#define RETRY_US 100000

static uint64_t wanted, started, published; /* numbers of publications */
static bool held, changed_while_held, batched;
static struct route_table *current, *next;
static struct ctl_waiter *first, **last = &first;
static struct ctl_broadcast broadcast;
static sd_event_source *retry_timer;

static void routes_run(struct worker *worker, struct ctl_broadcast *b)
{
	(void)b;
	worker_set_routes(worker, next);
}

static struct route_table *routes_build(void)
{
	static struct route_entry entries[WHERRY_EXPORT_COUNT_MAX];
	unsigned count = 0;
	for (unsigned i = 0; i < ctl_export_place_count(); i++) {
		const struct ctl_export *e = ctl_export_at(i);
		if (e && e->live)
			entries[count++] =
				(struct route_entry){e->live->shelf, e->live->slot, (uint8_t)e->live->worker->index};
	}
	return route_table_create(entries, count);
}

static void routes_published(struct ctl_broadcast *b);

static int on_retry(sd_event_source *source, uint64_t usec, void *ctx);

static void routes_start(void)
{
	if (batched || started != published || started == wanted)
		return;
	next = routes_build();
	if (!next) {
		LOG_ERROR("no memory for the routing table: new exports are not reachable yet, trying again");
		(void)ctl_timer_arm(&retry_timer, RETRY_US, on_retry, NULL);
		return;
	}
	started = wanted;
	broadcast.run = routes_run;
	broadcast.done = routes_published;
	ctl_broadcast_start(&broadcast);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	(void)ctx;
	routes_start();
	return 0;
}

static void routes_published(struct ctl_broadcast *b)
{
	(void)b;
	if (current)
		route_table_destroy(current);
	current = next;
	next = NULL;
	published = started;
	while (first && first->number <= published) {
		struct ctl_waiter *waiter = first;
		first = waiter->next;
		if (!first)
			last = &first;
		waiter->ready(waiter);
	}
	routes_start();
}

void ctl_routes_changed(void)
{
	if (held) {
		changed_while_held = true;
		return;
	}
	/* One that has not started yet will take this change along. */
	if (wanted == started)
		wanted++;
	routes_start();
}

void ctl_routes_then(struct ctl_waiter *waiter)
{
	waiter->number = wanted;
	waiter->next = NULL;
	if (wanted == published && !first) {
		waiter->ready(waiter);
		return;
	}
	*last = waiter;
	last = &waiter->next;
}

void ctl_routes_hold(void)
{
	held = true;
}

void ctl_routes_batch(void)
{
	held = false;
	batched = true;
	if (changed_while_held)
		ctl_routes_changed();
	changed_while_held = false;
}

void ctl_routes_flush(void)
{
	batched = false;
	routes_start();
}

void ctl_routes_close(void)
{
	if (current)
		route_table_destroy(current);
	if (next)
		route_table_destroy(next);
	current = next = NULL;
	first = NULL;
	last = &first;
	wanted = started = published = 0;
	held = changed_while_held = batched = false;
	retry_timer = sd_event_source_disable_unref(retry_timer);
}

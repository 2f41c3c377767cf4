/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole configuration.  Main lcore; gate_run is the workers'. */
#include "ctl/sync.h"

#include <stdlib.h>

#include "ctl/exports.h"
#include "ctl/nbd.h"
#include "ctl/net.h"
#include "ctl/routes.h"
#include "ctl/server_priv.h"
#include "log/log.h"

static bool active;
static uint64_t active_epoch;

/* What follows SYNC_END, step by step. */
struct commit {
	struct ctl_task task;
	struct ctl_waiter waiter;
	struct ctl_broadcast broadcast;
	struct ctl_reply reply;
};

static void commit_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct commit, task));
}

static void gate_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	(void)broadcast;
	worker_set_gate(worker, true);
	aoe_advertise_all(worker->aoe);
}

static void commit_done(struct ctl_broadcast *broadcast)
{
	struct commit *c = CTL_CONTAINER_OF(broadcast, struct commit, broadcast);
	ctl_reply_ok(c->reply);
	ctl_task_forget(&c->task);
	commit_free(&c->task);
}

/* Every worker has its exports. */
static void exports_in_place(struct ctl_broadcast *broadcast)
{
	if (ctl_server.gate_open) {
		commit_done(broadcast);
		return;
	}
	ctl_server.gate_open = true;
	LOG_INFO("configuration complete: serving");
	broadcast->run = gate_run;
	broadcast->done = commit_done;
	ctl_broadcast_start(broadcast);
	ctl_net_announce();
}

/* The waiters before this one have posted the exports' jobs. */
static void routes_in_place(struct ctl_waiter *waiter)
{
	struct commit *c = CTL_CONTAINER_OF(waiter, struct commit, waiter);
	c->broadcast.run = NULL;
	c->broadcast.done = exports_in_place;
	ctl_broadcast_start(&c->broadcast);
}

bool ctl_sync_active(void)
{
	return active;
}

void ctl_on_sync_begin(struct ctl_request *request, const struct wherry_ctl_sync_begin *m)
{
	if (active) {
		ctl_reply_error(request->reply, EALREADY, "SYNC_BEGIN came twice: SYNC_END is missing");
		return;
	}
	active = true;
	active_epoch = m->epoch;
	ctl_volume_sync_begin();
	ctl_export_sync_begin();
	ctl_nbd_sync_begin();
	ctl_routes_hold();
	ctl_reply_ok(request->reply);
}

static void commit_exports(bool sweep)
{
	active = false;
	ctl_routes_batch();
	ctl_export_sync_end(sweep, ctl_server.gate_open);
	if (sweep) {
		ctl_nbd_sync_sweep();
		ctl_volume_sync_sweep();
	}
}

void ctl_on_sync_end(struct ctl_request *request, const struct wherry_ctl_sync_end *m)
{
	if (!active || m->epoch != active_epoch) {
		ctl_reply_error(request->reply, EINVAL, "SYNC_END without a SYNC_BEGIN of the same epoch");
		return;
	}
	struct commit *c = calloc(1, sizeof *c);
	if (!c) {
		ctl_reply_error(request->reply, ENOMEM,
				"no memory to take the configuration over: send SYNC_END again");
		return;
	}
	ctl_task_register(&c->task, commit_free);
	c->reply = request->reply;
	c->waiter.ready = routes_in_place;
	ctl_server.epoch = m->epoch;
	commit_exports(true);
	ctl_routes_then(&c->waiter);
	ctl_routes_flush();
}

void ctl_sync_abort(void)
{
	if (!active)
		return;
	LOG_WARN("the control plane left in the middle of a configuration: nothing is removed");
	commit_exports(false);
	ctl_routes_flush();
}

void ctl_sync_close(void)
{
	active = false;
}

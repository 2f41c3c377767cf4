/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.status: what wherryd knows, and how many clients the dataplane has.
 * A dataplane that hangs must not keep the status from whoever wants to know why:
 * after ANSWER_US it is told without.
 */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/op_priv.h"
#include "wherry_build.h"

#define ANSWER_US 500000u

struct status_op {
	struct rpc_call *call; /* NULL: answered without the dataplane */
	sd_event_source *timer;
	uint64_t sessions, connections;
};

/* counts NULL: the dataplane has not said. */
static void reply(struct rpc_call *call, const struct status_op *counts)
{
	struct daemon *daemon = call->daemon;
	uint64_t now_us;
	json_int_t aoe = state_export_count(daemon->state), nbd = state_nbd_count(daemon->state);

	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now_us);
	json_t *out =
		json_pack("{ss si sI so so sI sI sI sI}", "version", WHERRY_VERSION, "pid", (int)getpid(), "uptime_s",
			  (json_int_t)((now_us - daemon->started_us) / 1000000), "state_file",
			  rpc_text_lenient(daemon->options->state_path), "dataplane", plane_status_json(daemon->plane),
			  "volumes", (json_int_t)state_volume_count(daemon->state), "exports", aoe + nbd, "aoe_exports",
			  aoe, "nbd_exports", nbd);
	(void)json_object_set_new(out, "nbd_sessions",
				  counts ? json_integer((json_int_t)counts->sessions) : json_null());
	(void)json_object_set_new(out, "connections",
				  counts ? json_integer((json_int_t)counts->connections) : json_null());
	rpc_reply(call, out);
}

static void on_worker(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct status_op *op = ctx;
	struct wherry_ctl_stats_item item;

	(void)fd; /* none comes with it */
	if (type != WHERRY_CTL_STATS_ITEM || wherry_ctl_get_stats_item(fields, len, &item) != 0 ||
	    item.values.count != WHERRY_LCORE_STAT_COUNT)
		return;
	op->sessions += item.values.v[WHERRY_LCORE_nbd_sessions];
	op->connections += item.values.v[WHERRY_LCORE_tcp_connections];
}

static void on_done(void *ctx, int error, const char *message)
{
	struct status_op *op = ctx;

	(void)message; /* dataplane.detail tells */
	if (op->call)
		reply(op->call, error ? NULL : op);
	(void)sd_event_source_disable_unref(op->timer);
	free(op);
}

static int on_late(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct status_op *op = ctx;

	(void)source;
	(void)usec;
	reply(op->call, NULL);
	op->call = NULL;
	return 0;
}

void op_daemon_status(struct rpc_call *call)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	const struct wherry_ctl_stats_get request = {.scope = WHERRY_SCOPE_LCORE};
	struct status_op *op = link ? calloc(1, sizeof *op) : NULL;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof request];
	uint64_t now_us;

	if (!op) {
		reply(call, NULL);
		return;
	}
	op->call = call;
	(void)sd_event_now(call->daemon->event, CLOCK_MONOTONIC, &now_us);
	if (sd_event_add_time(call->daemon->event, &op->timer, CLOCK_MONOTONIC, now_us + ANSWER_US, 1000, on_late, op) <
	    0) {
		free(op);
		reply(call, NULL);
		return;
	}
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_stats_get(packet, sizeof packet, id, &request), -1,
			   on_worker, on_done, op);
}

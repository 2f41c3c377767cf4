/* SPDX-License-Identifier: BSD-3-Clause */
/* event.*: the log, and waiting for news in it. */
#include <stdlib.h>

#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"

#define EVENT_LIMIT_FALLBACK 100
#define EVENT_LIMIT_MAX 10000
#define EVENT_WAIT_MS_MAX 60000

static const struct rpc_schema limit = {.type = RPC_INT, .min = 1, .max = EVENT_LIMIT_MAX};
static const struct rpc_schema timeout = {.type = RPC_INT, .min = 0, .max = EVENT_WAIT_MS_MAX};

static const struct rpc_field list_fields[] = {
	RPC_OPTIONAL("since_id", &rpc_u64, "the last events", "events after this one, oldest first"),
	RPC_OPTIONAL("limit", &limit, "100", NULL),
	RPC_END,
};
static const struct rpc_schema list_params = {.type = RPC_OBJECT, .fields = list_fields};

static const struct rpc_field wait_fields[] = {
	RPC_REQUIRED("since_id", &rpc_u64, "the last event that the client has seen"),
	RPC_REQUIRED("timeout_ms", &timeout, "answer an empty list then"),
	RPC_END,
};
static const struct rpc_schema wait_params = {.type = RPC_OBJECT, .fields = wait_fields};

static void reply_since(struct rpc_call *call, uint64_t since_id, uint64_t count)
{
	struct event_row row;
	struct fail fail;
	json_t *list = json_array();
	int rc = 1;

	while (count-- > 0 && (rc = state_event_next(call->daemon->state, since_id, &row, &fail)) == 1) {
		(void)json_array_append_new(list, rpc_event_json(&row));
		since_id = row.id;
	}
	if (rc >= 0) {
		rpc_reply(call, list);
		return;
	}
	json_decref(list);
	rpc_refuse(call, &fail);
}

static void run_list(struct rpc_call *call)
{
	uint64_t count = rpc_param_u64(call->params, "limit", EVENT_LIMIT_FALLBACK);
	uint64_t since = rpc_param_given(call->params, "since_id")
				 ? rpc_param_u64(call->params, "since_id", 0)
				 : state_event_tail(call->daemon->state, (uint32_t)count);

	reply_since(call, since, count);
}

static void on_news(struct rpc_call *call)
{
	reply_since(call, rpc_param_u64(call->params, "since_id", 0), EVENT_LIMIT_FALLBACK);
}

static void run_wait(struct rpc_call *call)
{
	uint64_t since = rpc_param_u64(call->params, "since_id", 0);
	uint64_t timeout_ms = rpc_param_u64(call->params, "timeout_ms", 0);

	if (timeout_ms == 0 || state_event_last_id(call->daemon->state) > since)
		on_news(call);
	else
		events_wait(call, since, timeout_ms, on_news);
}

const struct rpc_method rpc_table_event[] = {
	{"event.list", "What happened: the last events, or those after since_id.", &list_params, &rpc_event_list, 0,
	 run_list},
	{"event.wait", "Answer as soon as there is an event after since_id.", &wait_params, &rpc_event_list, 0,
	 run_wait},
	{0},
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events of the daemon itself and of the dataplane, and the clients that wait
 * for them.  Thread: the daemon's.
 */
#pragma once

#include <stdint.h>

#include "daemon/daemon.h"
#include "daemon/rpc.h"
#include "daemon/state.h"

/*
 * Record what happened outside an operation, in a transaction of its own, and
 * write it to the log.  A state that cannot take it leaves it in the log alone.
 */
void events_add(struct daemon *daemon, enum wherry_severity severity, const char *code, const char *object,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Keep the call until an event with an id above since exists or the time is
 * over, then call wake, which answers it.
 */
void events_wait(struct rpc_call *call, uint64_t since, uint64_t timeout_ms, void (*wake)(struct rpc_call *call));

/* Look for news once the loop is idle; call after any transaction that may have written an event. */
void events_notify(struct daemon *daemon);

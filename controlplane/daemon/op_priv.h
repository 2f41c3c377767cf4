/* SPDX-License-Identifier: BSD-3-Clause */
/* What the op_*.c share. */
#pragma once

#include "daemon/events.h"
#include "daemon/model.h"
#include "daemon/monitor_link.h"
#include "daemon/op.h"
#include "daemon/plane.h"

/* Run the body between begin and end of a transaction, and tell those who wait for events. */
typedef int op_step_fn(struct state *state, void *ctx, struct fail *fail);
int op_transaction(struct daemon *daemon, op_step_fn *step, void *ctx, struct fail *fail);

/* Answer with the object as it is now, after asking the dataplane about it. */
void op_reply_volume(struct rpc_call *call, const char *name);
void op_reply_port(struct rpc_call *call, const char *name);

/* The dataplane is not there: it gets the change with its next configuration, and the operation has succeeded. */
bool op_error_is_absence(int error);

/* An export of a volume whose store is not open yet is not with the dataplane. */
bool op_waits_for_store(struct daemon *daemon, uint64_t volume_id);

/* The dataplane's answer to the removal of an export, of any protocol: ends the call, which is ctx. */
void op_on_export_deleted(void *ctx, int error, const char *message);

/* Refuse what only the dataplane can answer; message may be NULL. */
void op_refuse_absent(struct rpc_call *call, const char *message);

/* Has the machine every processor of a plain list?  Asked before a restart of the dataplane, which would fail and cost
 * clients a pause.  The EAL's own notation is left to the EAL.  0 or -1. */
int op_check_cpus(const struct runtime_row *row, struct fail *fail);

/* Remove a file that was made for an operation that failed. */
void op_erase_made(struct daemon *daemon, const char *path, uint64_t device, uint64_t inode);

/* Does the opened store suit the volume?  Settles the size when the row has none.  0 or -1. */
int op_check_store(struct volume_row *row, const struct monitor_file_result *result, struct fail *fail);

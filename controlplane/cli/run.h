/* SPDX-License-Identifier: BSD-3-Clause */
/* Carrying out a command.  One thread; out and err are the program's streams. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "cli/error.h"
#include "cli/parse.h"
#include "cli/rpc.h"

struct cli_run {
	const struct cli_invocation *invocation;
	const struct cli_command *command;
	struct rpc_client rpc;
	FILE *out, *err;
	struct cli_error error;
};

/* Carry out the command of an invocation.  Returns the exit code; with one above 0 and a text in run->error, nothing
 * about it has been printed yet. */
__attribute__((warn_unused_result)) int cli_run(struct cli_run *run);

/* Connect unless that is done.  0 or an exit code. */
__attribute__((warn_unused_result)) int cli_connect(struct cli_run *run);
/* Connect if necessary and call.  0 and an owned result, or an exit code. */
__attribute__((warn_unused_result)) int cli_call(struct cli_run *run, const char *method, const json_t *params,
						 json_t **result);
/* Microseconds since the epoch. */
int64_t cli_now_us(void);

/* The actions that have files of their own; exit codes as cli_run. */
int cli_run_stats(struct cli_run *run);
int cli_run_live_list(struct cli_run *run);
int cli_run_config_export(struct cli_run *run);
int cli_run_config_diff(struct cli_run *run);
int cli_run_config_apply(struct cli_run *run);
int cli_run_doctor(struct cli_run *run);
int cli_run_capture(struct cli_run *run);
int cli_run_events(struct cli_run *run);

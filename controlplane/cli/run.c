/* SPDX-License-Identifier: BSD-3-Clause */
/* Carrying out a command: dispatch, and the actions that are one call. */
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/complete.h"
#include "cli/format.h"
#include "cli/print.h"
#include "cli/value.h"
#include "wherry_build.h"

int64_t cli_now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int cli_connect(struct cli_run *run)
{
	if (run->rpc.fd >= 0)
		return 0;
	return rpc_open(&run->rpc, rpc_socket_path(run->invocation->socket), run->invocation->timeout_s, &run->error);
}

int cli_call(struct cli_run *run, const char *method, const json_t *params, json_t **result)
{
	*result = NULL;
	int rc = cli_connect(run);
	return rc ? rc : rpc_call(&run->rpc, method, params, -1, result, &run->error);
}

/* What --json prints of a result: the part that the command is about. */
static const json_t *json_part(const struct cli_command *command, const json_t *result)
{
	const json_t *part = command->value_key ? json_object_get(result, command->value_key) : NULL;
	return part ? part : result;
}

static void print_outcome(struct cli_run *run, const json_t *result)
{
	if (run->invocation->json)
		cli_print_json(run->out, json_part(run->command, result));
	else
		cli_print_result(run->out, run->command, result, run->invocation->params, cli_now_us());
}

static int run_call(struct cli_run *run)
{
	json_t *result;
	int rc = cli_call(run, run->command->method, run->invocation->params, &result);
	if (rc == 0)
		print_outcome(run, result);
	json_decref(result);
	return rc;
}

static int run_export_list(struct cli_run *run)
{
	static const struct {
		const char *protocol, *method;
		struct cli_column target;
	} sources[] = {{"aoe", "aoe.export.list", {"", "shelf|slot", CLI_AS_TEXT}},
		       {"nbd", "nbd.export.list", {"", "name", CLI_AS_TEXT}}};
	json_t *all = json_array();
	int rc = 0;
	for (unsigned s = 0; rc == 0 && s < sizeof(sources) / sizeof(sources[0]); s++) {
		json_t *result;
		rc = cli_call(run, sources[s].method, run->invocation->params, &result);
		for (size_t i = 0; i < json_array_size(result); i++) {
			json_t *export_ = json_array_get(result, i);
			char *target = cli_cell(&sources[s].target, export_, 0);
			json_object_set_new(export_, "protocol", json_string(sources[s].protocol));
			json_object_set_new(export_, "target", json_string(target));
			free(target);
			json_array_append(all, export_);
		}
		json_decref(result);
	}
	if (rc == 0)
		print_outcome(run, all);
	json_decref(all);
	return rc;
}

static int run_port_show(struct cli_run *run)
{
	const char *name = json_string_value(json_object_get(run->invocation->locals, "NAME"));
	json_t *result;
	int rc = cli_call(run, run->command->method, NULL, &result);
	if (rc)
		return rc;
	const json_t *found = NULL;
	for (size_t i = 0; i < json_array_size(result) && !found; i++) {
		const json_t *port = json_array_get(result, i);
		const char *other = json_string_value(json_object_get(port, "name"));
		if (name && other && !strcmp(name, other))
			found = port;
	}
	if (found)
		print_outcome(run, found);
	else
		rc = cli_fail(&run->error, FAIL_EXIT_NOT_FOUND,
			      "port %s: no such port; \"wherryctl port list\" names them", name);
	json_decref(result);
	return rc;
}

static int run_rpc_call(struct cli_run *run)
{
	const char *method = json_string_value(json_object_get(run->invocation->locals, "METHOD"));
	json_t *result;
	int rc = cli_call(run, method, json_object_get(run->invocation->locals, "PARAMS"), &result);
	if (rc == 0)
		cli_print_json(run->out, result);
	json_decref(result);
	return rc;
}

static int run_rpc_methods(struct cli_run *run)
{
	static const struct cli_column columns[] = {
		{"METHOD", "name", CLI_AS_TEXT},
		{"SUMMARY", "summary", CLI_AS_TEXT},
		{NULL, NULL, 0},
	};
	const char *wanted = json_string_value(json_object_get(run->invocation->locals, "METHOD"));
	json_t *result;
	int rc = cli_call(run, run->command->method, NULL, &result);
	if (rc)
		return rc;
	const json_t *found = NULL;
	for (size_t i = 0; wanted && i < json_array_size(result) && !found; i++) {
		const json_t *method = json_array_get(result, i);
		const char *name = json_string_value(json_object_get(method, "name"));
		if (name && !strcmp(name, wanted))
			found = method;
	}
	if (wanted && !found)
		rc = cli_fail(&run->error, FAIL_EXIT_NOT_FOUND,
			      "method %s: no such method; \"wherryctl rpc methods\" lists them", wanted);
	else if (found || run->invocation->json)
		cli_print_json(run->out, found ? found : result);
	else
		cli_print_table(run->out, columns, result, true, cli_now_us());
	json_decref(result);
	return rc;
}

static int run_completion(struct cli_run *run)
{
	/* bash is the only choice that the table allows. */
	cli_completion_bash(run->out);
	return 0;
}

static int run_version(struct cli_run *run)
{
	json_t *status = NULL;
	int rc = cli_call(run, "daemon.status", NULL, &status);
	/* Without a daemon the own version is the whole answer. */
	const char *daemon = rc ? NULL : json_string_value(json_object_get(status, "version"));
	if (run->invocation->json) {
		json_t *object = json_pack("{s:s, s:s?}", "wherryctl", WHERRY_VERSION, "wherryd", daemon);
		cli_print_json(run->out, object);
		json_decref(object);
	} else {
		(void)fprintf(run->out, "wherryctl %s\n", WHERRY_VERSION);
		(void)fprintf(run->out, "wherryd %s\n", daemon ? daemon : "not reachable");
	}
	json_decref(status);
	return 0;
}

int cli_run(struct cli_run *run)
{
	static int (*const actions[CLI_ACTION_COUNT])(struct cli_run * run) = {
		[CLI_RUN_CALL] = run_call,
		[CLI_RUN_EXPORT_LIST] = run_export_list,
		[CLI_RUN_PORT_SHOW] = run_port_show,
		[CLI_RUN_STATS] = cli_run_stats,
		[CLI_RUN_LIVE_LIST] = cli_run_live_list,
		[CLI_RUN_CONFIG_EXPORT] = cli_run_config_export,
		[CLI_RUN_CONFIG_DIFF] = cli_run_config_diff,
		[CLI_RUN_CONFIG_APPLY] = cli_run_config_apply,
		[CLI_RUN_DOCTOR] = cli_run_doctor,
		[CLI_RUN_CAPTURE] = cli_run_capture,
		[CLI_RUN_EVENTS] = cli_run_events,
		[CLI_RUN_RPC_CALL] = run_rpc_call,
		[CLI_RUN_RPC_METHODS] = run_rpc_methods,
		[CLI_RUN_VERSION] = run_version,
		[CLI_RUN_COMPLETION] = run_completion,
	};
	return actions[run->command->action](run);
}

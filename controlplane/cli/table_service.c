/* SPDX-License-Identifier: BSD-3-Clause */
/* Command table: configuration, the daemon itself, diagnosis and wherryctl's own commands.  Static data. */
#include "cli/command.h"
#include "cli/table_macros.h"

static const struct cli_column status_fields[] = {
	COL("version", "version", TEXT),
	COL("pid", "pid", TEXT),
	COL("up", "uptime_s", DURATION),
	COL("state file", "state_file", TEXT),
	COL("volumes", "volumes", TEXT),
	COL("exports", "exports", TEXT),
	COL("AoE exports", "aoe_exports", TEXT),
	COL("NBD exports", "nbd_exports", TEXT),
	COL("NBD sessions", "nbd_sessions", TEXT),
	COL("TCP connections", "connections", TEXT),
	COL("dataplane", "dataplane.state", TEXT),
	COL("dataplane version", "dataplane.software", TEXT),
	COL("dataplane detail", "dataplane.detail", TEXT),
	COL("dataplane pid", "dataplane.pid", TEXT),
	COL("dataplane restarts", "dataplane.restarts", TEXT),
	COL("dataplane last exit", "dataplane.last_exit", TEXT),
	COL("huge pages", "dataplane.hugepages", YES_NO),
	NO_COLUMN,
};

static const struct cli_param no_params[] = {END};
static const struct cli_param shutdown_params[] = {
	OPT("dataplane", FLAG, "dataplane", "stop the dataplane too: clients are no longer served"),
	END,
};
static const struct cli_param log_level_params[] = {
	ARG("LEVEL", ENUM, "level", "least severity that is logged", .choices = "error|warning|info|debug"),
	END,
};
static const struct cli_param config_export_params[] = {
	OPT("file", FILE, NULL, "file to write (default -: standard output)", .letter = 'f'),
	END,
};
static const struct cli_param config_diff_params[] = {
	OPT("file", FILE, NULL, "file to compare with (default -: standard input)", .letter = 'f'),
	END,
};
static const struct cli_param config_apply_params[] = {
	OPT("file", FILE, NULL, "file to apply (default -: standard input)", .letter = 'f'),
	OPT("dry-run", FLAG, NULL, "show what would change and change nothing", .letter = 'n'),
	END,
};
static const struct cli_param doctor_params[] = {
	OPT("root", FILE, NULL, "look at the proc, sys and dev trees below this directory (default /)"),
	OPT("state-dir", FILE, NULL, "state directory of wherryd (default /var/lib/wherry)"),
	END,
};
static const struct cli_param rpc_call_params[] = {
	ARG("METHOD", TEXT, NULL, "name of the method", .names = CLI_NAMES_METHOD),
	ARG_OPTIONAL("PARAMS", JSON, NULL, "its parameters as a JSON object (default {})"),
	END,
};
static const struct cli_param rpc_methods_params[] = {
	ARG_OPTIONAL("METHOD", TEXT, NULL, "show only this method, with its schemas", .names = CLI_NAMES_METHOD),
	END,
};
static const struct cli_param completion_params[] = {
	ARG("SHELL", ENUM, NULL, "the shell", .choices = "bash"),
	END,
};

const struct cli_command cli_service_commands[] = {
	{WORDS("config", "export"), .method = "config.export", .params = config_export_params,
	 .action = CLI_RUN_CONFIG_EXPORT, .summary = "Write the whole configuration as YAML",
	 .details = "Applying the output again changes nothing.",
	 .examples = "config export\nconfig export -f fleet.yaml"},
	{WORDS("config", "diff"), .method = "config.diff", .params = config_diff_params, .action = CLI_RUN_CONFIG_DIFF,
	 .summary = "Show what applying a configuration would change",
	 .details = "A line starts with + (create), ~ (change) or - (delete). What a section of the file "
		    "does not name would be deleted; a section that is absent is left as it is. Exit "
		    "status 0 whether or not there are differences; with --json the array changes says.",
	 .examples = "config diff -f fleet.yaml"},
	{WORDS("config", "apply"), .method = "config.apply", .params = config_apply_params,
	 .action = CLI_RUN_CONFIG_APPLY, .summary = "Make the configuration equal to a YAML file, all of it or nothing",
	 .details = "In a section that the file has, what it does not name is deleted; a section that is "
		    "absent is left as it is. Backing files are never erased. Look at config diff first.",
	 .examples = "config apply -f fleet.yaml --dry-run\nconfig apply -f fleet.yaml"},

	{WORDS("daemon", "status"), .method = "daemon.status", .params = no_params, .columns = status_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show how wherryd and the dataplane are",
	 .examples = "daemon status\n--json daemon status"},
	{WORDS("daemon", "shutdown"), .method = "daemon.shutdown", .params = shutdown_params,
	 .done = "wherryd: stopping",
	 .summary = "Stop wherryd; the dataplane goes on serving unless --dataplane is given",
	 .examples = "daemon shutdown\ndaemon shutdown --dataplane"},
	{WORDS("daemon", "log-level"), .method = "daemon.log_level", .params = log_level_params,
	 .done = "wherryd: log level is {level}", .summary = "Choose how much wherryd logs",
	 .examples = "daemon log-level debug"},

	{WORDS("doctor"), .params = doctor_params, .action = CLI_RUN_DOCTOR,
	 .summary = "Check the machine and the appliance, and say how to mend what is wrong",
	 .details = "Works without wherryd too, and then checks the machine only. Each line is ok, warning "
		    "or error, with the object and a remedy. Exit status 0 when there is no error, 1 "
		    "otherwise.",
	 .examples = "doctor\n--json doctor"},

	{WORDS("rpc", "call"), .params = rpc_call_params, .action = CLI_RUN_RPC_CALL,
	 .summary = "Call a method of wherryd and print its result as JSON",
	 .examples = "rpc call daemon.status\nrpc call volume.show '{\"name\": \"disk0\"}'"},
	{WORDS("rpc", "methods"), .method = "rpc.methods", .params = rpc_methods_params, .action = CLI_RUN_RPC_METHODS,
	 .summary = "List the methods of wherryd", .examples = "rpc methods\nrpc methods volume.create"},

	{WORDS("version"), .params = no_params, .action = CLI_RUN_VERSION,
	 .summary = "Show the version of wherryctl, and of wherryd when it runs", .examples = "version"},
	{WORDS("completion"), .params = completion_params, .action = CLI_RUN_COMPLETION,
	 .summary = "Print a completion script for the shell",
	 .details = "Names of volumes, exports and ports are asked from wherryd while you type.",
	 .examples = "completion bash > /etc/bash_completion.d/wherryctl"},
	{.words = {NULL}},
};

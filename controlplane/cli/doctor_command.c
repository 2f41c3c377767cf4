/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor: collects what wherryd knows, runs the checks, shows the findings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/print.h"
#include "cli/run.h"

#define STATE_DIR_DEFAULT "/var/lib/wherry"
#define TIMEOUT_S 5.0 /* a daemon that hangs is a finding, not a reason to hang too */
#define STATE_FREE_MIN_BYTES (32ull << 20)

struct facts {
	json_t *status, *ports, *lcores, *volumes, *exports;
};

/* What one method tells; NULL when it cannot be had, which is no reason to check less of the rest. */
static json_t *ask(struct cli_run *run, const char *method)
{
	json_t *result;
	return cli_call(run, method, NULL, &result) ? NULL : result;
}

static void collect(struct cli_run *run, struct facts *facts)
{
	if (cli_connect(run))
		return;
	if (run->rpc.timeout_s > TIMEOUT_S)
		run->rpc.timeout_s = TIMEOUT_S;
	facts->status = ask(run, "daemon.status");
	if (!facts->status)
		return;
	facts->ports = ask(run, "port.list");
	facts->lcores = ask(run, "lcore.list");
	facts->volumes = ask(run, "volume.list");
	facts->exports = ask(run, "aoe.export.list");
}

/* The directory that wherryd names, unless the operator does. */
static void choose_state_dir(const json_t *status, const char *option, char to[DOCTOR_PATH_BYTES])
{
	const char *file = doctor_text(status, "state_file");
	const char *slash = strrchr(file, '/');
	if (option || !slash || slash == file)
		(void)snprintf(to, DOCTOR_PATH_BYTES, "%s", option ? option : STATE_DIR_DEFAULT);
	else
		(void)snprintf(to, DOCTOR_PATH_BYTES, "%.*s", (int)(slash - file), file);
}

int cli_run_doctor(struct cli_run *run)
{
	const json_t *locals = run->invocation->locals;
	const char *root = json_string_value(json_object_get(locals, "root"));
	if (root && access(root, R_OK | X_OK))
		return cli_fail(&run->error, FAIL_EXIT_USAGE,
				"--root: %s: %s; name a directory that holds proc and sys", root, strerror(errno));
	struct facts facts = {NULL, NULL, NULL, NULL, NULL};
	char state_dir[DOCTOR_PATH_BYTES], no_daemon[CLI_ERROR_BYTES] = "";
	collect(run, &facts);
	(void)snprintf(no_daemon, sizeof(no_daemon), "%s", run->error.text);
	choose_state_dir(facts.status, json_string_value(json_object_get(locals, "state-dir")), state_dir);
	bool here = !root || !strcmp(root, "/");
	struct doctor doctor = {
		.root = here ? "" : root,
		.status = facts.status,
		.ports = facts.ports,
		.lcores = facts.lcores,
		.volumes = facts.volumes,
		.exports = facts.exports,
		.no_daemon = no_daemon,
		/* The session of this shell says nothing about another machine's tree. */
		.ssh_connection = here ? getenv("SSH_CONNECTION") : NULL,
		.state_dir = state_dir,
		.state_free_min_bytes = STATE_FREE_MIN_BYTES,
		.findings = json_array(),
	};
	doctor_run(&doctor);
	unsigned errors = doctor_count(&doctor, DOCTOR_ERROR);
	if (run->invocation->json) {
		json_t *report = json_pack("{s:O, s:i, s:i, s:i}", "findings", doctor.findings, "ok",
					   doctor_count(&doctor, DOCTOR_OK), "warnings",
					   doctor_count(&doctor, DOCTOR_WARNING), "errors", errors);
		cli_print_json(run->out, report);
		json_decref(report);
	} else {
		doctor_print(run->out, &doctor);
	}
	json_decref(doctor.findings);
	json_decref(facts.status);
	json_decref(facts.ports);
	json_decref(facts.lcores);
	json_decref(facts.volumes);
	json_decref(facts.exports);
	/* The findings are the message. */
	run->error.text[0] = 0;
	return errors ? FAIL_EXIT_ERROR : FAIL_EXIT_OK;
}

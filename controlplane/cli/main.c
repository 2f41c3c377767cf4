/* SPDX-License-Identifier: BSD-3-Clause */
/* wherryctl: command line in, one request or a few to wherryd, text or JSON out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/print.h"
#include "cli/run.h"
#include "cli/table_json.h"
#include "wherry_build.h"

static int finish(struct cli_run *run, int rc)
{
	/* A full disk or a closed pipe must not look like success. */
	if (rc == 0 && (fflush(stdout) || ferror(stdout)))
		rc = cli_fail(&run->error, FAIL_EXIT_ERROR, "standard output: %s; make room or check the pipe",
			      strerror(errno));
	if (rc && run->error.text[0])
		cli_print_error(stderr, &run->error, run->invocation->json);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], CLI_COMPLETE_WORD)) {
		cli_complete((const char *const *)argv + 2, (unsigned)argc - 2, cli_names_ask, NULL, stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], CLI_TABLE_WORD)) {
		json_t *table = cli_table_json();
		cli_print_json(stdout, table);
		json_decref(table);
		return 0;
	}
	struct cli_invocation invocation;
	struct cli_run run = {.invocation = &invocation, .rpc = {.fd = -1}, .out = stdout, .err = stderr};
	int rc = cli_parse(argc, (const char *const *)argv, &invocation, &run.error);
	run.command = invocation.command;
	if (rc) {
		rc = finish(&run, rc);
	} else if (invocation.version) {
		(void)printf("wherryctl %s\n", WHERRY_VERSION);
		rc = finish(&run, 0);
	} else if (invocation.help) {
		if (invocation.command)
			cli_help_command(stdout, invocation.command);
		else
			cli_help_group(stdout, invocation.words);
		rc = finish(&run, 0);
	} else {
		rc = finish(&run, cli_run(&run));
	}
	rpc_close(&run.rpc);
	cli_invocation_fini(&invocation);
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wherry_build.h"

#define DEFAULT_STATE_DIR "/var/lib/wherry"
#define DEFAULT_RUN_DIR "/run/wherry"
#define DEFAULT_USER "wherry"

static const char help[] =
	"Usage: wherryd [OPTION]...\n"
	"The control plane of wherry: owns configuration and durable state, runs wherry-dataplane,\n"
	"serves wherryctl.  Stays in the foreground and logs to standard error.\n"
	"\n"
	"  --state-dir DIR     where state.db lives (" DEFAULT_STATE_DIR ")\n"
	"  --run-dir DIR       where the sockets are made (" DEFAULT_RUN_DIR ")\n"
	"  --user NAME         whom to run as after start, when started as root (" DEFAULT_USER ")\n"
	"  --group NAME        members may use the socket, beside root and the user\n"
	"  --dataplane PATH    the program to run (" WHERRY_LIBEXEC "/wherry-dataplane)\n"
	"  --allow-path PREFIX files of volumes may lie below; may be given several times\n"
	"                      (the state's volumes directory; block devices in /dev always)\n"
	"  --config FILE       YAML to apply once at start, before anything is served\n"
	"  --eal-args STR      arguments for DPDK's EAL, separated by blanks\n"
	"  --no-huge           run the dataplane without huge pages\n"
	"  --memory-mb N       memory of the dataplane\n"
	"  --stop-dataplane-on-exit\n"
	"                      end the dataplane with wherryd; it goes on serving otherwise\n"
	"  --log-level LEVEL   error, warning, info or debug (info)\n"
	"  --version           print the version\n"
	"  --help              print this text\n"
	"\n"
	"Examples:\n"
	"  wherryd --group storage\n"
	"  wherryd --state-dir ./state --run-dir ./run --allow-path ./images --no-huge\n"
	"  wherryd --config /etc/wherry/wherry.yaml --allow-path /srv/images\n"
	"\n"
	"Exit status: 0 after SIGTERM or daemon.shutdown, 1 on failure, 2 for a wrong command line.\n";

enum {
	OPT_STATE_DIR = 256,
	OPT_RUN_DIR,
	OPT_USER,
	OPT_GROUP,
	OPT_DATAPLANE,
	OPT_ALLOW_PATH,
	OPT_CONFIG,
	OPT_EAL_ARGS,
	OPT_NO_HUGE,
	OPT_MEMORY_MB,
	OPT_STOP,
	OPT_LOG_LEVEL,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"user", required_argument, NULL, OPT_USER},
	{"group", required_argument, NULL, OPT_GROUP},
	{"dataplane", required_argument, NULL, OPT_DATAPLANE},
	{"allow-path", required_argument, NULL, OPT_ALLOW_PATH},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"eal-args", required_argument, NULL, OPT_EAL_ARGS},
	{"no-huge", no_argument, NULL, OPT_NO_HUGE},
	{"memory-mb", required_argument, NULL, OPT_MEMORY_MB},
	{"stop-dataplane-on-exit", no_argument, NULL, OPT_STOP},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int refuse(const char *format, const char *value)
{
	(void)fputs("wherryd: ", stderr);
	(void)fprintf(stderr, format, value);
	(void)fputs("; see wherryd --help\n", stderr);
	return -1;
}

static int take_eal(struct options *options, char *text)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (options->eal_count == OPTIONS_EAL_COUNT_MAX)
			return refuse("--eal-args: more arguments than it takes, at '%s'", word);
		options->eal[options->eal_count++] = word;
	}
	return 0;
}

static int take_prefix(struct options *options, const char *prefix)
{
	char *absolute = NULL;

	if (prefix[0] != '/')
		absolute = realpath(prefix, NULL);
	int rc = file_policy_add(&options->policy, absolute ? absolute : prefix);
	free(absolute);
	if (rc == -ENOSPC)
		return refuse("--allow-path: more prefixes than it takes, at '%s'", prefix);
	return rc == 0 ? 0 : refuse("--allow-path: '%s' is neither absolute nor an existing directory", prefix);
}

static int take_memory(struct options *options, const char *text)
{
	char *end;
	unsigned long mb = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || mb < 1 || mb > 16777216)
		return refuse("--memory-mb: '%s' is not a number of megabytes", text);
	options->memory_mb = text;
	return 0;
}

static int take_level(struct options *options, const char *text)
{
	int level = log_level_parse(text);

	if (level < 0)
		return refuse("--log-level: '%s' is not error, warning, info or debug", text);
	options->log_level = (enum log_level)level;
	return 0;
}

static int take(struct options *options, int option, char *value)
{
	switch (option) {
	case OPT_STATE_DIR:
		options->state_dir = value;
		return 0;
	case OPT_RUN_DIR:
		options->run_dir = value;
		return 0;
	case OPT_USER:
		options->user = value;
		return 0;
	case OPT_GROUP:
		options->group = value;
		return 0;
	case OPT_DATAPLANE:
		options->dataplane = value;
		return 0;
	case OPT_ALLOW_PATH:
		return take_prefix(options, value);
	case OPT_CONFIG:
		options->config = value;
		return 0;
	case OPT_EAL_ARGS:
		return take_eal(options, value);
	case OPT_NO_HUGE:
		options->no_huge = true;
		return 0;
	case OPT_MEMORY_MB:
		return take_memory(options, value);
	case OPT_STOP:
		options->stop_dataplane_on_exit = true;
		return 0;
	case OPT_LOG_LEVEL:
		return take_level(options, value);
	default:
		return -1;
	}
}

enum options_outcome options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){
		.state_dir = DEFAULT_STATE_DIR,
		.run_dir = DEFAULT_RUN_DIR,
		.dataplane = WHERRY_LIBEXEC "/wherry-dataplane",
		.log_level = LOG_LEVEL_INFO,
	};
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			(void)fputs(help, stdout);
			return OPTIONS_EXIT_OK;
		}
		if (option == OPT_VERSION) {
			(void)puts("wherryd " WHERRY_VERSION);
			return OPTIONS_EXIT_OK;
		}
		if (take(options, option, optarg) != 0)
			return OPTIONS_EXIT_USAGE;
	}
	if (optind < argc) {
		(void)refuse("'%s' is not an option", argv[optind]);
		return OPTIONS_EXIT_USAGE;
	}
	return OPTIONS_RUN;
}

static int look_up_user(struct options *options, struct fail *fail)
{
	const char *name = options->user ? options->user : DEFAULT_USER;
	struct passwd entry, *user = NULL;
	char room[4096];

	if (getpwnam_r(name, &entry, room, sizeof room, &user) != 0 || !user)
		return fail_set(fail, FAIL_FAILED,
				"user '%s' does not exist; make it (adduser --system --group %s) or name another with"
				" --user",
				name, name);
	options->uid = user->pw_uid;
	options->gid = user->pw_gid;
	return 0;
}

static int look_up_group(struct options *options, struct fail *fail)
{
	struct group entry, *group = NULL;
	char room[65536];

	if (getgrnam_r(options->group, &entry, room, sizeof room, &group) != 0 || !group)
		return fail_set(fail, FAIL_FAILED, "group '%s' does not exist; make it (addgroup --system %s)",
				options->group, options->group);
	options->socket_group = group->gr_gid;
	return 0;
}

static int look_up(struct options *options, struct fail *fail)
{
	options->privileged = geteuid() == 0;
	options->uid = geteuid();
	options->gid = getegid();
	options->socket_group = (gid_t)-1;
	if (options->privileged && look_up_user(options, fail) != 0)
		return -1;
	return options->group ? look_up_group(options, fail) : 0;
}

static bool join(char *to, size_t cap, const char *dir, const char *name)
{
	int n = snprintf(to, cap, "%s/%s", dir, name);

	return n > 0 && (size_t)n < cap;
}

int options_settle(struct options *options, struct fail *fail)
{
	if (look_up(options, fail) != 0)
		return -1;
	if (options->policy.prefix_count == 0)
		options->default_volumes = true;
	if (!join(options->state_path, sizeof options->state_path, options->state_dir, "state.db") ||
	    !join(options->rpc_path, sizeof options->rpc_path, options->run_dir, "wherryd.sock") ||
	    !join(options->plane_path, sizeof options->plane_path, options->run_dir, "dataplane.sock") ||
	    !join(options->lock_path, sizeof options->lock_path, options->run_dir, "wherryd.lock") ||
	    !join(options->plane_lock_path, sizeof options->plane_lock_path, options->run_dir, "dataplane.lock") ||
	    !join(options->plane_log_path, sizeof options->plane_log_path, options->run_dir, "dataplane.log") ||
	    !join(options->volumes_path, sizeof options->volumes_path, options->state_dir, "volumes"))
		return fail_set(fail, FAIL_FAILED, "%s: too long a path for a socket; name a shorter --run-dir",
				options->run_dir);
	return 0;
}

int options_allow_defaults(struct options *options, struct fail *fail)
{
	char resolved[PATH_MAX];

	if (options->default_volumes &&
	    (!realpath(options->volumes_path, resolved) || file_policy_add(&options->policy, resolved) != 0))
		return fail_set(fail, FAIL_FAILED, "%s: %s", options->volumes_path, strerror(errno));
	if (!realpath(options->state_dir, resolved) || file_policy_keep_out(&options->policy, resolved) != 0)
		return fail_set(fail, FAIL_FAILED, "%s: %s", options->state_dir, strerror(errno));
	if (!realpath(options->run_dir, resolved) || file_policy_keep_out(&options->policy, resolved) != 0)
		return fail_set(fail, FAIL_FAILED, "%s: %s", options->run_dir, strerror(errno));
	if (file_policy_add(&options->policy, "/dev") != 0)
		return fail_set(fail, FAIL_FAILED, "--allow-path: at most %d prefixes", FILE_PREFIX_COUNT_MAX - 1);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of the dataplane.  Pure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plane_exec.h"

#define ARGUMENTS_BYTES 32768

struct arguments {
	char *block;
	size_t len;
	bool full;
};

static void add(struct arguments *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct arguments *args, const char *format, ...)
{
	size_t room = ARGUMENTS_BYTES - args->len - 1; /* the empty one at the end always fits */
	va_list list;

	va_start(list, format);
	int n = vsnprintf(args->block + args->len, room, format, list);
	va_end(list);
	if (n < 0 || (size_t)n >= room) {
		args->full = true;
		return;
	}
	args->len += (size_t)n + 1;
}

static void add_port(struct arguments *args, const struct monitor_port *port)
{
	char vlans[WHERRY_VLAN_COUNT_MAX * 6 + 8] = "", punt[24] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < port->vlan_count; i++)
		at += (size_t)snprintf(vlans + at, sizeof vlans - at, "%s%u", i ? ";" : ",vlans=", port->vlans[i]);
	if (port->punt_rate)
		(void)snprintf(punt, sizeof punt, ",punt=%u", port->punt_rate);
	add(args, "--port");
	add(args, "name=%s,device=%s,mtu=%u%s%s", port->name, port->device, port->mtu, vlans, punt);
}

char *plane_exec_arguments(const struct options *options, const struct monitor_spawn *spawn, bool without_idle)
{
	const struct runtime_row *runtime = &spawn->runtime;
	struct arguments args = {.block = calloc(1, ARGUMENTS_BYTES)};

	if (!args.block)
		return NULL;
	add(&args, "%s", options->dataplane);
	add(&args, "--socket");
	add(&args, "%s", options->plane_path);
	for (uint32_t i = 0; i < spawn->port_count; i++)
		add_port(&args, &spawn->ports[i]);
	if (runtime->lcores[0]) {
		add(&args, "--lcores");
		add(&args, "%s", runtime->lcores);
	}
	if (runtime->main_lcore >= 0) {
		add(&args, "--main-lcore");
		add(&args, "%d", (int)runtime->main_lcore);
	}
	if (options->no_huge)
		add(&args, "--no-huge");
	if (options->memory_mb) {
		add(&args, "--memory-mb");
		add(&args, "%s", options->memory_mb);
	}
	if (options->privileged && options->uid != 0) {
		add(&args, "--user");
		add(&args, "%u:%u", (unsigned)options->uid, (unsigned)options->gid);
	}
	if (!without_idle) {
		add(&args, "--idle");
		add(&args, "spin=%u,pause=%u,sleep_us=%u", runtime->idle_spin_turns, runtime->idle_pause_turns,
		    runtime->idle_sleep_us);
	}
	for (unsigned i = 0; i < options->eal_count; i++) {
		add(&args, "--eal");
		add(&args, "%s", options->eal[i]);
	}
	if (args.full) {
		free(args.block);
		return NULL;
	}
	return args.block;
}

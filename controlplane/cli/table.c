/* SPDX-License-Identifier: BSD-3-Clause */
/* Command table: what spans all subjects, and access by index. */
#include "cli/command.h"
#include "cli/table_macros.h"

const struct cli_group cli_groups[] = {
	{"volume", "Volumes: the blocks that clients read and write"},
	{"export", "Exports: which volume is served, by which protocol, to whom"},
	{"export aoe", "AoE exports, addressed as SHELF.SLOT"},
	{"export nbd", "NBD exports, addressed by their names"},
	{"mask", "MAC mask of an AoE export: who may talk to it"},
	{"reserve", "Reservation of an AoE export: who may read and write it"},
	{"config-string", "Query Config string of an AoE export"},
	{"port", "Ports: the network devices to serve on"},
	{"address", "IP addresses of the appliance"},
	{"route", "Routes to networks behind gateways"},
	{"neighbour", "Who is known on the networks of the addresses"},
	{"nbd", "What holds for all NBD exports"},
	{"session", "NBD clients that are connected"},
	{"tcp", "Settings of TCP"},
	{"connection", "TCP connections"},
	{"lcore", "Lcores: the CPUs of the dataplane"},
	{"client", "Watching the appliance"},
	{"stats", "Watching the appliance"},
	{"capture", "Watching the appliance"},
	{"events", "Watching the appliance"},
	{"config", "The whole configuration as one YAML text"},
	{"daemon", "The daemon wherryd"},
	{"doctor", "Diagnosis"},
	{"rpc", "The JSON-RPC interface of wherryd"},
	{"version", "The program itself"},
	{"completion", "The program itself"},
	{NULL, NULL},
};

const struct cli_param cli_globals[] = {
	OPT("socket", FILE, NULL, "socket of wherryd (default $WHERRY_SOCKET, else /run/wherry/wherryd.sock)",
	    .letter = 's'),
	OPT("json", FLAG, NULL, "print JSON instead of text; errors too", .letter = 'j'),
	OPT("timeout", SECONDS, NULL, "how long to wait for an answer of wherryd (default 60)", .min = 0, .max = 86400),
	OPT("help", FLAG, NULL, "show help for a command or a group of commands", .letter = 'h'),
	OPT("version", FLAG, NULL, "show the version of wherryctl", .letter = 'V'),
	END,
};

const struct cli_command *cli_command_at(unsigned index)
{
	static const struct cli_command *const tables[] = {
		cli_storage_commands,
		cli_network_commands,
		cli_appliance_commands,
		cli_service_commands,
	};
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct cli_command *command = tables[t]; command->words[0]; command++)
			if (index-- == 0)
				return command;
	}
	return NULL;
}

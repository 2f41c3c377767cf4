/* SPDX-License-Identifier: BSD-3-Clause */
/* Command table: ports, lcores, clients, statistics, capture and events.  Static data. */
#include "cli/command.h"
#include "cli/table_macros.h"
#include "wherry/limits.h"

/* ---------------------------------------------------------------- columns */
static const struct cli_column port_columns[] = {
	COL("NAME", "name", TEXT),
	COL("DEVICE", "device", TEXT),
	COL("DRIVER", "driver", TEXT),
	COL("MAC", "mac", TEXT),
	COL("MTU", "mtu", TEXT),
	COL("LINK", "link_up", UP_DOWN),
	COL("SPEED", "link_mbps", MBPS),
	COL("NUMA", "numa_node", TEXT),
	COL("VLANS", "vlans", NONE),
	COL("DETAIL", "detail", TEXT),
	NO_COLUMN,
};
static const struct cli_column port_fields[] = {
	COL("name", "name", TEXT),
	COL("device", "device", TEXT),
	COL("driver", "driver", TEXT),
	COL("MAC", "mac", TEXT),
	COL("MTU", "mtu", TEXT),
	COL("link", "link_up", UP_DOWN),
	COL("speed", "link_mbps", MBPS),
	COL("receive queues", "rx_queues", TEXT),
	COL("transmit queues", "tx_queues", TEXT),
	COL("NUMA node", "numa_node", TEXT),
	COL("vlans", "vlans", NONE),
	COL("shared with the kernel", "punt", YES_NO),
	COL("its interface", "punt_interface", TEXT),
	COL("frames a second", "punt_rate", COUNT),
	COL("to the kernel", "punt_frames", COUNT),
	COL("not passed", "punt_dropped", COUNT),
	COL("from the kernel", "punt_sent", COUNT),
	COL("SLAAC", "slaac", YES_NO),
	COL("detail", "detail", TEXT),
	NO_COLUMN,
};
static const struct cli_column lcore_columns[] = {
	COL("INDEX", "index", TEXT),     COL("LCORE", "lcore_id", TEXT),  COL("MAIN", "main", YES_NO),
	COL("CPUS", "cpus", TEXT),       COL("NUMA", "numa_node", TEXT),  COL("BUSY", "", BUSY),
	COL("EXPORTS", "exports", TEXT), COL("VOLUMES", "volumes", TEXT), NO_COLUMN,
};
static const struct cli_column client_columns[] = {
	COL("MAC", "mac", TEXT),
	COL("PORT", "port", TEXT),
	COL("VLAN", "vlan", TEXT),
	COL("FIRST SEEN", "first_seen_us", TIME_US),
	COL("LAST SEEN", "last_seen_us", AGO_US),
	COL("FRAMES IN", "frames_in", COUNT),
	COL("FRAMES OUT", "frames_out", COUNT),
	COL("IN", "bytes_in", SIZE),
	COL("OUT", "bytes_out", SIZE),
	COL("READS", "read_ops", COUNT),
	COL("WRITES", "write_ops", COUNT),
	COL("ERRORS", "errors", COUNT),
	COL("DROPS", "drops", COUNT),
	NO_COLUMN,
};
/* ------------------------------------------------------------- parameters */
#define PUNT(or_else)                                                                                                  \
	OPT("punt", BOOL, "punt", "pass to the kernel what is not for the appliance: ssh, DHCP, TFTP, LLDP" or_else)
#define PUNT_RATE(or_else)                                                                                             \
	OPT("punt-rate", INT, "punt_rate", "how many frames a second, each way" or_else, .min = 1,                     \
	    .max = WHERRY_PUNT_RATE_MAX)
#define SLAAC(or_else)                                                                                                 \
	OPT("slaac", BOOL, "slaac", "take IPv6 addresses and routers from router advertisements, untagged" or_else)
#define PORT_NAME ARG("NAME", NAME, "name", "name of the port", .names = CLI_NAMES_PORT)

static const struct cli_param no_params[] = {END};
static const struct cli_param port_name_only[] = {PORT_NAME, END};
static const struct cli_param port_show_params[] = {
	ARG("NAME", NAME, NULL, "name of the port", .names = CLI_NAMES_PORT),
	END,
};
static const struct cli_param port_add_params[] = {
	ARG("NAME", NAME, "name", "name of the new port"),
	ARG("DEVICE", DEVICE, "device",
	    "pci:ADDRESS, af_xdp:INTERFACE, af_packet:INTERFACE, tap:INTERFACE or "
	    "memif:SOCKET[,role=server|client][,id=N][,queues=N]"),
	OPT("mtu", INT, "mtu", "largest payload of a frame in bytes, 9000 for jumbo frames (default 1500)",
	    .min = WHERRY_MTU_MIN, .max = WHERRY_MTU_MAX),
	OPT("vlans", VLANS, "vlans", "VLAN ids to accept beside untagged frames, comma-separated"),
	PUNT(" (default no)"),
	PUNT_RATE(" (default 10000)"),
	SLAAC(" (default no)"),
	END,
};
static const struct cli_param port_set_params[] = {
	PORT_NAME,
	OPT("mtu", INT, "mtu", "largest payload of a frame in bytes", .min = WHERRY_MTU_MIN, .max = WHERRY_MTU_MAX),
	OPT("vlans", VLANS, "vlans", "VLAN ids to accept beside untagged frames, comma-separated; none: no VLAN"),
	PUNT(""),
	PUNT_RATE(""),
	SLAAC(""),
	END,
};
static const struct cli_param lcore_set_params[] = {
	ARG("LCORES", LCORES, "lcores", "CPUs of the lcores, e.g. 2-5 or 2,4,6; auto: the dataplane chooses"),
	OPT("main", INT, "main",
	    "the one of them that runs the control socket and serves no client (default: the lowest)", .max = 1023),
	END,
};
static const struct cli_param lcore_idle_params[] = {
	OPT_REQUIRED("spin-turns", INT, "spin_turns", "empty turns before the first pause", .max = UINT32_MAX),
	OPT_REQUIRED("pause-turns", INT, "pause_turns", "turns with a pause before the first sleep", .max = UINT32_MAX),
	OPT_REQUIRED("sleep-us", INT, "sleep_us", "length of a sleep in microseconds, 0: never sleep", .max = 1000000),
	END,
};
static const struct cli_param stats_params[] = {
	ARG_OPTIONAL("SCOPE", ENUM, NULL, "kind of object; left out: all but client",
		     .choices = "port|lcore|export|nbd_export|volume|client"),
	ARG_OPTIONAL("OBJECT", TEXT, NULL,
		     "one object of the scope: a name, an lcore index, SHELF.SLOT or a MAC address",
		     .names = CLI_NAMES_OF_SCOPE),
	CLI_WATCH_OPTIONS("show rates per second"),
	OPT("histogram", FLAG, NULL, "exports: latency percentiles and the histogram behind them"),
	OPT("all", FLAG, NULL, "show counters that are zero, too", .letter = 'a'),
	END,
};
static const struct cli_param capture_params[] = {
	OPT("port", NAME, "port", "only frames of this port; left out: all ports", .names = CLI_NAMES_PORT),
	OPT("client", MAC, "mac", "only frames from or to this client", .names = CLI_NAMES_CLIENT),
	OPT("write", FILE, NULL, "pcapng file to write; -: standard output", .letter = 'w'),
	OPT("count", INT, "count", "stop after so many frames", .min = 1, .max = INT64_MAX),
	OPT("seconds", INT, "seconds", "stop after so many seconds", .min = 1, .max = UINT32_MAX),
	OPT("snap", INT, "snap_bytes", "keep only so many bytes of each frame", .min = 14, .max = UINT16_MAX),
	END,
};
static const struct cli_param events_params[] = {
	OPT("follow", FLAG, NULL, "wait for new events and show them, until interrupted", .letter = 'f'),
	OPT("since", SINCE, NULL, "events after this id, or younger than an age such as 90s, 15m, 2h or 3d"),
	OPT("limit", INT, NULL, "without --since: how many of the latest to show (default 50)", .min = 0,
	    .max = 1000000),
	END,
};

/* --------------------------------------------------------------- commands */
const struct cli_command cli_appliance_commands[] = {
	{WORDS("port", "add"), .method = "port.add", .params = port_add_params, .done = "port {name}: added, {device}",
	 .summary = "Serve on a network device",
	 .details = "The dataplane restarts with the new set of ports; clients see a pause of under a "
		    "second. Run doctor first for a pci device.",
	 .examples = "port add east pci:0000:01:00.0 --mtu 9000\nport add lab af_xdp:eth1\n"
		     "port add san af_packet:eth2 --vlans 20,30"},
	{WORDS("port", "remove"), .method = "port.remove", .params = port_name_only, .done = "port {name}: removed",
	 .summary = "Stop serving on a network device",
	 .details = "The dataplane restarts without the port; clients on other ports see a pause of under a second.",
	 .examples = "port remove lab"},
	{WORDS("port", "set"), .method = "port.set", .params = port_set_params, .some_option = true,
	 .done = "port {name}: changed", .summary = "Change what a port serves, and whether the kernel shares it",
	 .details =
		 "The dataplane restarts, unless --slaac alone is changed; clients see a pause of under a second. "
		 "With --punt yes the kernel has an interface wherry-NAME beside the port (port show tells its name), "
		 "which an operator gives addresses other than the appliance's. It goes away with the dataplane: have "
		 "what configures interfaces match its name, or make it persistent before (ip tuntap add wherry-NAME "
		 "mode tap). The kernel has the interface of an af_packet port anyway.",
	 .examples = "port set east --mtu 9000\nport set san --vlans none\nport set east --punt yes"},
	{WORDS("port", "list"), .method = "port.list", .params = no_params, .columns = port_columns,
	 .output = CLI_OUT_LIST, .summary = "List the ports with link and speed", .examples = "port list"},
	{WORDS("port", "show"), .method = "port.list", .params = port_show_params, .columns = port_fields,
	 .action = CLI_RUN_PORT_SHOW, .output = CLI_OUT_RECORD, .summary = "Show one port",
	 .examples = "port show east"},

	{WORDS("lcore", "list"), .method = "lcore.list", .params = no_params, .columns = lcore_columns,
	 .output = CLI_OUT_LIST, .summary = "List the lcores and how busy they have been since their start",
	 .examples = "lcore list"},
	{WORDS("lcore", "set"), .method = "lcore.set", .params = lcore_set_params, .done = "lcores: set",
	 .summary = "Choose the CPUs of the dataplane",
	 .details = "config export shows what is set. The dataplane restarts; clients see a pause of under a second.",
	 .examples = "lcore set 2-5\nlcore set 2-5 --main 5\nlcore set auto"},
	{WORDS("lcore", "idle"), .method = "lcore.idle", .params = lcore_idle_params, .done = "idle policy: set",
	 .summary = "Choose what an lcore does when there is no work",
	 .details = "First it spins, then it pauses the CPU between turns, then it sleeps. Sleeping saves "
		    "power and costs the first request after a quiet time its length.",
	 .examples = "lcore idle --spin-turns 10000 --pause-turns 10000 --sleep-us 0\n"
		     "lcore idle --spin-turns 100 --pause-turns 1000 --sleep-us 50"},

	{WORDS("client", "list"), .method = "client.list", .params = no_params, .columns = client_columns,
	 .output = CLI_OUT_LIST, .summary = "List the clients that have been seen, with what they did",
	 .details = "For their rates per second see stats client --watch.", .examples = "client list"},

	{WORDS("stats"), .method = "stats.get", .params = stats_params, .action = CLI_RUN_STATS,
	 .summary = "Show counters, rates and latencies",
	 .details = "Without --watch: totals since the dataplane started. With it: rates per second, how "
		    "busy each lcore was, and latency percentiles of the interval. On a terminal the "
		    "screen is redrawn; otherwise each interval is a block of its own. JSON: an array with "
		    "one object per scope, with --watch one line per interval and scope.",
	 .examples =
		 "stats export 1.0 --histogram\nstats --watch\nstats lcore --watch 5 --count 12\nstats client --watch"},

	{WORDS("capture"), .method = "capture.start", .params = capture_params, .action = CLI_RUN_CAPTURE,
	 .summary = "Write frames of a port or a client to a pcapng file",
	 .details = "Progress goes to standard error. Ctrl-C ends the capture, and the file is whole. The "
		    "frames hold what clients read and write: keep the file safe (it is created with mode "
		    "0600).",
	 .examples = "capture --port east --seconds 10 -w east.pcapng\n"
		     "capture --client 52:54:00:12:34:56 -w - | tshark -r -"},

	{WORDS("events"), .method = "event.list", .params = events_params, .action = CLI_RUN_EVENTS,
	 .summary = "Show what happened: restarts, volumes that failed, links that went down",
	 .details = "JSON: an array, with --follow one object per line.",
	 .examples = "events --since 2h\nevents --follow"},
	{.words = {NULL}},
};

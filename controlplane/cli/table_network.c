/* SPDX-License-Identifier: BSD-3-Clause */
/* Command table: addresses, routes, TCP, and what holds for all of NBD.  Static data. */
#include "cli/command.h"
#include "cli/table_macros.h"
#include "wherry/limits.h"

/* ---------------------------------------------------------------- columns */
static const struct cli_column address_columns[] = {
	COL("PORT", "port", TEXT),
	COL("VLAN", "vlan", TEXT),
	COL("ADDRESS", "address", TEXT),
	NO_COLUMN,
};
static const struct cli_column route_columns[] = {
	COL("PREFIX", "prefix", TEXT),
	COL("GATEWAY", "gateway", TEXT),
	NO_COLUMN,
};
static const struct cli_column neighbour_columns[] = {
	COL("ADDRESS", "address", TEXT), COL("MAC", "mac", TEXT),
	COL("PORT", "port", TEXT),       COL("VLAN", "vlan", TEXT),
	COL("LCORE", "lcore", TEXT),     COL("STATE", "state", TEXT),
	COL("AGE", "age_us", AGE_US),    NO_COLUMN,
};
static const struct cli_column listen_fields[] = {COL("TCP port", "port", TEXT), NO_COLUMN};
static const struct cli_column tcp_fields[] = {
	COL("congestion control", "congestion", TEXT),
	COL("ECN", "ecn", YES_NO),
	COL("keep-alive after", "keepalive_idle_ms", TEXT),
	COL("keep-alive interval", "keepalive_interval_ms", TEXT),
	COL("keep-alive probes", "keepalive_count", TEXT),
	COL("user timeout", "user_timeout_ms", TEXT),
	NO_COLUMN,
};
static const struct cli_column session_columns[] = {
	COL("EXPORT", "export", TEXT),
	COL("CLIENT", "remote", TEXT),
	COL("LCORE", "lcore", TEXT),
	COL("AGE", "age_us", AGE_US),
	COL("STRUCTURED", "structured", YES_NO),
	COL("UNDER WAY", "under_way", COUNT),
	COL("READS", "read_ops", COUNT),
	COL("READ", "read_bytes", SIZE),
	COL("WRITES", "write_ops", COUNT),
	COL("WRITTEN", "write_bytes", SIZE),
	COL("OTHERS", "other_ops", COUNT),
	COL("ERRORS", "errors", COUNT),
	NO_COLUMN,
};
static const struct cli_column connection_columns[] = {
	COL("LOCAL", "local", TEXT),
	COL("REMOTE", "remote", TEXT),
	COL("LCORE", "lcore", TEXT),
	COL("STATE", "state", TEXT),
	COL("RTT", "rtt_us", US),
	COL("CWND", "cwnd_bytes", SIZE),
	COL("RETRANSMITS", "retransmits", COUNT),
	COL("ZERO WINDOWS", "zero_windows", COUNT),
	COL("IN", "bytes_in", SIZE),
	COL("OUT", "bytes_out", SIZE),
	NO_COLUMN,
};

/* ------------------------------------------------------------- parameters */
#define PORT ARG("PORT", NAME, "port", "name of the port", .names = CLI_NAMES_PORT)
#define VLAN OPT("vlan", INT, "vlan", "VLAN of the port; left out: untagged", .min = 0, .max = 4094)
static const struct cli_param no_params[] = {END};
static const struct cli_param live_params[] = {
	CLI_WATCH_OPTIONS("show what each did in the interval"),
	END,
};
static const struct cli_param address_add_params[] = {
	PORT,
	ARG("ADDRESS/BITS", PREFIX, "address", "the address and the length of its network, e.g. 10.0.0.1/24"),
	VLAN,
	END,
};
static const struct cli_param address_delete_params[] = {
	PORT,
	ARG("ADDRESS", PREFIX, "address", "the address, with or without the length of its network"),
	VLAN,
	END,
};
static const struct cli_param route_add_params[] = {
	ARG("PREFIX", PREFIX, "prefix", "the network to reach, e.g. 10.1.0.0/16; default: everything else",
	    .choices = "default"),
	ARG_OPTIONAL("via", WORD, NULL, "may be left out"),
	ARG("GATEWAY", PREFIX, "gateway", "address of the router, on the network of one of the appliance's addresses"),
	END,
};
static const struct cli_param route_delete_params[] = {
	ARG("PREFIX", PREFIX, "prefix", "as route list shows it; default: when there is only one",
	    .choices = "default"),
	END,
};
static const struct cli_param listen_params[] = {
	OPT_REQUIRED("port", INT, "port", "TCP port to listen on, usually 10809; 0: serve no NBD", .max = UINT16_MAX),
	END,
};
#define TIME_MS_MAX 86400000
static const struct cli_param tcp_set_params[] = {
	OPT("congestion", ENUM, "congestion", "how a connection reacts to loss and marks",
	    .choices = "cubic|dctcp|reno"),
	OPT("ecn", BOOL, "ecn", "let routers mark instead of drop"),
	OPT("keepalive-idle-ms", INT, "keepalive_idle_ms", "silence before the first probe; 0: no keep-alive",
	    .max = TIME_MS_MAX),
	OPT("keepalive-interval-ms", INT, "keepalive_interval_ms", "time between probes", .min = 1, .max = TIME_MS_MAX),
	OPT("keepalive-count", INT, "keepalive_count", "probes without an answer before the connection is given up",
	    .min = 1, .max = 100),
	OPT("user-timeout-ms", INT, "user_timeout_ms",
	    "how long data may stay unacknowledged before the connection is given up; 0: as long as it takes",
	    .max = TIME_MS_MAX),
	END,
};

/* --------------------------------------------------------------- commands */
const struct cli_command cli_network_commands[] = {
	{WORDS("nbd", "set"), .method = "nbd.set", .params = listen_params, .done = "nbd: on TCP port {port}",
	 .summary = "Choose the TCP port of NBD, or switch it off",
	 .details = "Clients that are connected stay connected.", .examples = "nbd set --port 10809\nnbd set --port 0"},
	{WORDS("nbd", "show"), .method = "nbd.show", .params = no_params, .columns = listen_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show where NBD listens", .examples = "nbd show"},
	{WORDS("session", "list"), .method = "nbd.session.list", .params = live_params, .columns = session_columns,
	 .action = CLI_RUN_LIVE_LIST, .output = CLI_OUT_LIST,
	 .summary = "List the NBD clients that are connected, with what they did",
	 .details =
		 "With --watch: what each did in the interval, per second. JSON: with --watch one line per interval.",
	 .examples = "session list\nsession list --watch\nsession list --json"},

	{WORDS("address", "add"), .method = "net.address.add", .params = address_add_params,
	 .done = "address {address}: added to port {port}, VLAN {vlan}", .summary = "Give the appliance an IP address",
	 .details = "IPv4 and IPv6, several for each port and VLAN. The address must be the appliance's alone: the "
		    "kernel of this machine must not have it. AoE needs none.",
	 .examples = "address add east 10.0.0.1/24\naddress add east 2001:db8::1/64\n"
		     "address add san 10.0.20.1/24 --vlan 20"},
	{WORDS("address", "delete"), .method = "net.address.delete", .params = address_delete_params,
	 .done = "address {address}: deleted from port {port}", .summary = "Take an IP address away",
	 .details = "Connections to it end.", .examples = "address delete east 10.0.0.1"},
	{WORDS("address", "list"), .method = "net.address.list", .params = no_params, .columns = address_columns,
	 .output = CLI_OUT_LIST, .summary = "List the IP addresses of the appliance", .examples = "address list"},
	{WORDS("route", "add"), .method = "net.route.add", .params = route_add_params,
	 .done = "route {prefix}: added, via {gateway}", .summary = "Reach a network through a gateway",
	 .examples = "route add default 10.0.0.254\nroute add 10.1.0.0/16 via 10.0.0.253\n"
		     "route add default 2001:db8::ffff"},
	{WORDS("route", "delete"), .method = "net.route.delete", .params = route_delete_params,
	 .done = "route {prefix}: deleted", .summary = "Forget a route",
	 .examples = "route delete default\nroute delete 10.1.0.0/16"},
	{WORDS("route", "list"), .method = "net.route.list", .params = no_params, .columns = route_columns,
	 .output = CLI_OUT_LIST, .summary = "List the routes", .examples = "route list"},
	{WORDS("neighbour", "list"), .method = "net.neighbour.list", .params = no_params, .columns = neighbour_columns,
	 .output = CLI_OUT_LIST, .summary = "List who is known on the networks of the addresses",
	 .details = "Each lcore has a cache of its own, so one neighbour may be listed several times.",
	 .examples = "neighbour list"},

	{WORDS("tcp", "set"), .method = "tcp.set", .params = tcp_set_params, .some_option = true,
	 .done = "tcp: {congestion}", .summary = "Change TCP, for connections from now on",
	 .examples = "tcp set --congestion dctcp\ntcp set --keepalive-idle-ms 10000 --user-timeout-ms 30000"},
	{WORDS("tcp", "show"), .method = "tcp.show", .params = no_params, .columns = tcp_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show the settings of TCP; times in milliseconds",
	 .examples = "tcp show"},
	{WORDS("connection", "list"), .method = "tcp.connection.list", .params = live_params,
	 .columns = connection_columns, .action = CLI_RUN_LIVE_LIST, .output = CLI_OUT_LIST,
	 .summary = "List the TCP connections: state, round trip, window, loss",
	 .details =
		 "With --watch: bytes and segments per second, and what was sent again, timed out and found a closed "
		 "window in the interval. JSON tells more of each: tail loss probes, segments out of order, what was "
		 "agreed on; with --watch one line per interval, rates in rate, the rest in grown.",
	 .examples = "connection list\nconnection list --watch 5\nconnection list --watch --count 10 --json"},
	{.words = {NULL}},
};

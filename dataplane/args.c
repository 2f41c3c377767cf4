/* SPDX-License-Identifier: BSD-3-Clause */
/* See args.h. */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/device.h"

#define MTU_DEFAULT 1500
#define VLAN_MAX 4094u

static const char help[] =
	"Usage: wherry-dataplane --socket PATH [OPTION]...\n"
	"Serves AoE from the ports it is given; wherryd starts it and configures it through the socket.\n"
	"\n"
	"  --socket PATH         control socket to listen on\n"
	"  --port name=NAME,device=DEVICE[,mtu=N][,vlans=10;20][,punt=N]\n"
	"                        a port; may be given 16 times.  DEVICE is one of\n"
	"                          pci:0000:01:00.0    PCI function bound to vfio-pci\n"
	"                          af_xdp:IFACE        kernel interface, AF_XDP: the kernel itself gets no frames\n"
	"                                              from it any more; af_packet where that fails\n"
	"                          af_packet:IFACE     kernel interface, shared with the kernel\n"
	"                          tap:IFACE           tap interface, created unless it exists\n"
	"                          memif:/PATH[,role=server|client][,id=N][,queues=N]\n"
	"                        MTU 1500 unless given; untagged frames are always served, VLANs when listed.\n"
	"                        With punt, what is not for the appliance goes to the kernel's interface\n"
	"                        wherry-NAME, and what that sends leaves by the port: N frames/s each way.\n"
	"  --lcores LIST         lcores in the EAL's syntax, e.g. \"0-3\" or \"0@(0-1),1@(0-1)\"; one is the main\n"
	"                        lcore, the others are workers.  Default: with one or two CPUs the main lcore and\n"
	"                        one worker, both free to run on either; with more, the main lcore on the first\n"
	"                        CPU and a worker on each of the next, at most 4.\n"
	"  --main-lcore N        the main lcore; the lowest unless given\n"
	"  --no-huge             do without hugepages; this is also done when not enough of them are free\n"
	"  --memory-mb N         memory for packets; what the ports need unless given\n"
	"  --user UID:GID        run as this user once the ports are open\n"
	"  --idle spin=N,pause=N,sleep_us=N\n"
	"                        empty loop turns before a worker relaxes, then before it sleeps, and the longest\n"
	"                        sleep (0: it never sleeps).  Default spin=200,pause=50,sleep_us=100\n"
	"  --eal ARG             one more argument for DPDK's EAL; may be repeated\n"
	"  --log-level LEVEL     error, warn, info or debug; info unless given\n"
	"  --version, --help\n"
	"\n"
	"Exit status: 0 stopped as asked, 1 could not start or failed, 2 wrong command line,\n"
	"3 stopped, but packet buffers were lost.\n";

void args_print_help(FILE *to)
{
	fputs(help, to);
}

static bool parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > WHERRY_NAME_BYTES_MAX || name[0] == '-' || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

/* ------------------------------------------------------------------ --port */
static int parse_vlans(char *text, struct port_config *port, char *error, size_t error_bytes)
{
	for (char *item; (item = strsep(&text, ";"));) {
		unsigned long vlan = 0;
		if (!parse_number(item, 1, VLAN_MAX, &vlan) || port->vlan_count == WHERRY_VLAN_COUNT_MAX) {
			snprintf(error, error_bytes,
				 "vlans \"%s\" is not valid: at most %u numbers from 1 to %u with \";\" between them",
				 item, WHERRY_VLAN_COUNT_MAX, VLAN_MAX);
			return -EINVAL;
		}
		port->vlans[port->vlan_count++] = (uint16_t)vlan;
	}
	return 0;
}

/* What is no key of ours belongs to the device, whose options have commas too. */
static int parse_port_item(char *item, struct port_config *port, char *error, size_t error_bytes)
{
	char *equals = strchr(item, '=');
	size_t key_len = equals ? (size_t)(equals - item) : strlen(item);
	char *text = equals ? equals + 1 : item + key_len;
	unsigned long number = 0;
	if (equals && key_len == 4 && strncmp(item, "name", 4) == 0) {
		if (!name_is_valid(text)) {
			snprintf(error, error_bytes, "port name \"%s\" is not valid: 1 to %d of A-Z a-z 0-9 . _ -",
				 text, WHERRY_NAME_BYTES_MAX);
			return -EINVAL;
		}
		snprintf(port->name, sizeof port->name, "%s", text);
		return 0;
	}
	if (equals && key_len == 3 && strncmp(item, "mtu", 3) == 0) {
		if (!parse_number(text, WHERRY_MTU_MIN, WHERRY_MTU_MAX, &number)) {
			snprintf(error, error_bytes, "mtu \"%s\" is not valid: a number from %d to %d", text,
				 WHERRY_MTU_MIN, WHERRY_MTU_MAX);
			return -EINVAL;
		}
		port->mtu = (uint16_t)number;
		return 0;
	}
	if (equals && key_len == 5 && strncmp(item, "vlans", 5) == 0)
		return parse_vlans(text, port, error, error_bytes);
	if (equals && key_len == 4 && strncmp(item, "punt", 4) == 0) {
		if (!parse_number(text, 0, WHERRY_PUNT_RATE_MAX, &number)) {
			snprintf(error, error_bytes, "punt \"%s\" is not valid: a number of frames up to %d", text,
				 WHERRY_PUNT_RATE_MAX);
			return -EINVAL;
		}
		port->punt_rate = (uint32_t)number;
		return 0;
	}
	bool is_device = equals && key_len == 6 && strncmp(item, "device", 6) == 0;
	size_t have = strlen(port->device);
	if (is_device == (have != 0)) {
		snprintf(error, error_bytes, is_device ? "device is given twice" : "\"%s\" is no key of a port", item);
		return -EINVAL;
	}
	if (is_device)
		snprintf(port->device, sizeof port->device, "%s", text);
	else
		snprintf(port->device + have, sizeof port->device - have, ",%s", item);
	return 0;
}

int args_parse_port(const char *text, struct port_config *port, char *error, size_t error_bytes)
{
	char reason[WHERRY_TEXT_BYTES_MAX + 1] = "";
	struct port_device device;
	memset(port, 0, sizeof *port);
	port->mtu = MTU_DEFAULT;
	char *copy = strlen(text) <= sizeof port->device ? strdup(text) : NULL;
	int rc = copy ? 0 : -EINVAL;
	char *rest = copy;
	for (char *item; rc == 0 && (item = strsep(&rest, ","));)
		rc = parse_port_item(item, port, reason, sizeof reason);
	free(copy);
	if (rc == 0 && (!port->name[0] || !port->device[0])) {
		snprintf(reason, sizeof reason, "name and device are needed");
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = port_device_parse(port->device, &device, reason, sizeof reason);
	if (rc)
		snprintf(error, error_bytes, "--port %s: %s", text, *reason ? reason : "too long");
	return rc;
}

static int add_port(const char *text, struct args *args, char *error, size_t error_bytes)
{
	if (args->port_count == WHERRY_PORT_COUNT_MAX) {
		snprintf(error, error_bytes, "--port is given more than %u times", WHERRY_PORT_COUNT_MAX);
		return -EINVAL;
	}
	struct port_config *port = &args->ports[args->port_count];
	int rc = args_parse_port(text, port, error, error_bytes);
	for (unsigned i = 0; rc == 0 && i < args->port_count; i++) {
		if (strcmp(args->ports[i].name, port->name) == 0 || strcmp(args->ports[i].device, port->device) == 0) {
			snprintf(error, error_bytes, "--port %s: the name or the device is that of port %s already",
				 text, args->ports[i].name);
			rc = -EINVAL;
		}
	}
	args->port_count += rc == 0;
	return rc;
}

/* ------------------------------------------------------------- other values */
static int parse_idle(const char *text, struct idle_policy *idle, char *error, size_t error_bytes)
{
	const struct {
		const char *key;
		uint32_t *value;
		unsigned long max;
	} keys[] = {
		{"spin=", &idle->spin_turns, UINT32_MAX},
		{"pause=", &idle->pause_turns, UINT32_MAX},
		{"sleep_us=", &idle->sleep_us, IDLE_SLEEP_US_MAX},
	};
	char copy[128];
	char *rest = copy;
	snprintf(copy, sizeof copy, "%s", text);
	for (char *item; (item = strsep(&rest, ","));) {
		bool known = false;
		for (unsigned i = 0; i < 3; i++) {
			size_t len = strlen(keys[i].key);
			unsigned long number = 0;
			if (strncmp(item, keys[i].key, len) == 0 && parse_number(item + len, 0, keys[i].max, &number)) {
				*keys[i].value = (uint32_t)number;
				known = true;
			}
		}
		if (!known) {
			snprintf(error, error_bytes,
				 "--idle \"%s\" is not valid: spin=N, pause=N and sleep_us=0..%u are, with commas "
				 "between",
				 item, IDLE_SLEEP_US_MAX);
			return -EINVAL;
		}
	}
	return 0;
}

static int parse_user(const char *text, struct args *args, char *error, size_t error_bytes)
{
	char copy[64];
	unsigned long uid = 0, gid = 0;
	snprintf(copy, sizeof copy, "%s", text);
	char *colon = strchr(copy, ':');
	if (colon)
		*colon = '\0';
	if (!colon || !parse_number(copy, 1, UINT32_MAX - 1, &uid) ||
	    !parse_number(colon + 1, 1, UINT32_MAX - 1, &gid)) {
		snprintf(error, error_bytes, "--user \"%s\" is not valid: numbers UID:GID, neither of them 0", text);
		return -EINVAL;
	}
	args->uid = (uid_t)uid;
	args->gid = (gid_t)gid;
	args->has_user = true;
	return 0;
}

static int copy_text(const char *option, const char *text, char *to, size_t to_bytes, char *error, size_t error_bytes)
{
	if (*text && strlen(text) < to_bytes) {
		memcpy(to, text, strlen(text) + 1);
		return 0;
	}
	snprintf(error, error_bytes, "--%s needs 1 to %zu bytes", option, to_bytes - 1);
	return -EINVAL;
}

static int parse_count(const char *option, const char *text, unsigned long min, unsigned long max, unsigned long *value,
		       char *error, size_t error_bytes)
{
	if (parse_number(text, min, max, value))
		return 0;
	snprintf(error, error_bytes, "--%s \"%s\" is not valid: a number from %lu to %lu", option, text, min, max);
	return -EINVAL;
}

static int parse_option(int option, const char *text, struct args *args, char *error, size_t error_bytes)
{
	unsigned long number = 0;
	int rc = 0;
	switch (option) {
	case 's':
		return copy_text("socket", text, args->socket, sizeof args->socket, error, error_bytes);
	case 'p':
		return add_port(text, args, error, error_bytes);
	case 'l':
		return copy_text("lcores", text, args->lcores, sizeof args->lcores, error, error_bytes);
	case 'm':
		rc = parse_count("main-lcore", text, 0, 127, &number, error, error_bytes);
		args->main_lcore = (int)number;
		return rc;
	case 'n':
		args->no_huge = true;
		return 0;
	case 'M':
		rc = parse_count("memory-mb", text, 16, 1u << 20, &number, error, error_bytes);
		args->memory_mb = (unsigned)number;
		return rc;
	case 'u':
		return parse_user(text, args, error, error_bytes);
	case 'i':
		return parse_idle(text, &args->idle, error, error_bytes);
	case 'e':
		if (args->eal_count == ARGS_EAL_COUNT_MAX) {
			snprintf(error, error_bytes, "--eal is given more than %u times", ARGS_EAL_COUNT_MAX);
			return -EINVAL;
		}
		args->eal[args->eal_count++] = text;
		return 0;
	case 'L':
		rc = log_level_parse(text, &args->log_level);
		if (rc)
			snprintf(error, error_bytes, "--log-level \"%s\" is not error, warn, info or debug", text);
		return rc;
	case 'V':
		args->want_version = true;
		return 0;
	case 'h':
		args->want_help = true;
		return 0;
	default:
		snprintf(error, error_bytes, "unknown option, or a value is missing; see --help");
		return -EINVAL;
	}
}

int args_parse(int argc, char **argv, struct args *args, char *error, size_t error_bytes)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"port", required_argument, NULL, 'p'},
		{"lcores", required_argument, NULL, 'l'},
		{"main-lcore", required_argument, NULL, 'm'},
		{"no-huge", no_argument, NULL, 'n'},
		{"memory-mb", required_argument, NULL, 'M'},
		{"user", required_argument, NULL, 'u'},
		{"idle", required_argument, NULL, 'i'},
		{"eal", required_argument, NULL, 'e'},
		{"log-level", required_argument, NULL, 'L'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	memset(args, 0, sizeof *args);
	args->main_lcore = -1;
	args->idle = (struct idle_policy){IDLE_SPIN_TURNS, IDLE_PAUSE_TURNS, IDLE_SLEEP_US};
	args->log_level = LOG_LEVEL_INFO;
	optind = 0; /* starts over, for tests that parse more than once */
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		int rc = parse_option(option, optarg, args, error, error_bytes);
		if (rc)
			return rc;
	}
	if (args->want_help || args->want_version)
		return 0;
	if (optind < argc) {
		snprintf(error, error_bytes, "\"%s\" is no option; see --help", argv[optind]);
		return -EINVAL;
	}
	if (!args->socket[0]) {
		snprintf(error, error_bytes, "--socket is needed; see --help");
		return -EINVAL;
	}
	return 0;
}

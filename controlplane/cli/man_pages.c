/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual pages of the daemons and the overview. */
#include "cli/man.h"

const struct man_option man_wherryd_options[] = {
	{"state-dir", "DIR", "Where the state lives. The default is /var/lib/wherry."},
	{"run-dir", "DIR", "Where the sockets are made. The default is /run/wherry."},
	{"user", "NAME",
	 "The user that the daemon and the dataplane run as once they hold what needs root. The default is wherry."},
	{"group", "NAME", "Members of this group may use the socket, beside root and the user."},
	{"dataplane", "PATH", "The program wherry-dataplane."},
	{"allow-path", "PREFIX",
	 "A directory below which the files of volumes may lie. May be given more than once. "
	 "The default is the directory volumes in the state directory. Block devices in /dev "
	 "are always allowed; anything else is refused."},
	{"config", "FILE",
	 "Apply this YAML configuration once at the start, before anything is served, as wherryctl config apply does."},
	{"eal-args", "STRING", "More arguments for DPDK's environment layer, separated by blanks."},
	{"no-huge", NULL, "Let the dataplane run without huge pages: slower, but nothing has to be reserved."},
	{"memory-mb", "N", "Memory of the dataplane in MiB. The default is what its ports need."},
	{"stop-dataplane-on-exit", NULL,
	 "Stop the dataplane when the daemon is told to end. Otherwise the dataplane goes on "
	 "serving, and the next wherryd adopts it."},
	{"log-level", "LEVEL", "Least severity that is logged: error, warning, info (the default) or debug."},
	{"version", NULL, "Print the version."},
	{"help", NULL, "Print a summary of the options."},
	{NULL, NULL, NULL},
};

const struct man_option man_dataplane_options[] = {
	{"socket", "PATH", "Control socket to listen on; wherryd connects to it."},
	{"port", "name=NAME,device=DEVICE[,mtu=N][,vlans=ID;ID...]",
	 "A network device to serve on. May be given more than once. The devices are "
	 "pci:ADDRESS, a function bound to vfio-pci; af_xdp:INTERFACE and af_packet:INTERFACE, "
	 "an interface of the kernel; tap:INTERFACE; and "
	 "memif:SOCKET[,role=server|client][,id=N][,queues=N]. The MTU is 1500 unless given. "
	 "Untagged frames are always served, VLANs when they are listed."},
	{"lcores", "LIST",
	 "CPUs to run on in the syntax of DPDK's environment layer, for example 2-5. One is the "
	 "main lcore, the others are workers. The default is the first CPU and up to four more."},
	{"main-lcore", "N",
	 "The main lcore, which runs the control socket and serves no client. The default is the lowest."},
	{"no-huge", NULL, "Run without huge pages. This is also done when not enough of them are free."},
	{"memory-mb", "N", "Memory for packets in MiB. The default is what the ports need."},
	{"user", "UID:GID", "Become this user once the ports are open."},
	{"idle", "spin=N,pause=N,sleep_us=N",
	 "Empty turns before a worker pauses between turns, then before it sleeps, and how long "
	 "it sleeps, 0 for never."},
	{"eal", "ARGUMENT", "One more argument for DPDK's environment layer. May be given more than once."},
	{"log-level", "LEVEL", "Least severity that is logged."},
	{"version", NULL, "Print the version."},
	{"help", NULL, "Print a summary of the options."},
	{NULL, NULL, NULL},
};

/* Keys of the configuration file; the example below them is applied by a test. */
static const struct man_option configuration_keys[] = {
	{"ports", NULL, "A list of ports: name, device, and if need be mtu and vlans."},
	{"lcores", NULL, "The CPUs of the dataplane: list, empty for its own choice, and main, -1 for its own choice."},
	{"idle", NULL, "What a worker does without work: spin_turns, pause_turns and sleep_us."},
	{"volumes", NULL,
	 "A list of volumes: name, backend (ram, file or null), and if need be path, size, "
	 "block_bytes, read_only, write_back, online and uuid. With create_file a missing file "
	 "is made, with sparse without allocating it."},
	{"exports", NULL,
	 "Lists by protocol; there is aoe. An AoE export has shelf, slot, volume, and if need "
	 "be read_only, buffer_count, sectors_max, ports, vlans, remote (mask, config, "
	 "force_reserve), mask, and config_string or config_string_hex. Without mask or config "
	 "string these are left as they are."},
	{NULL, NULL, NULL},
};

static const char configuration_example[] =
	"ports:\n- name: east\n  device: af_xdp:eth1\n  mtu: 9000\n  vlans: [20, 30]\nlcores:\n"
	"  list: 2-5\n  main: 2\nvolumes:\n- name: disk0\n  backend: file\n"
	"  path: /srv/wherry/disk0.img\n  size: 100GiB\n  create_file: true\nexports:\n  aoe:\n"
	"  - shelf: 1\n    slot: 0\n    volume: disk0\n    ports: [east]\n"
	"    mask: [\"52:54:00:12:34:56\"]";

static void man_configuration(FILE *out)
{
	(void)fputs(".Sh CONFIGURATION FILE\n", out);
	man_text(out, "The whole configuration can be written as one YAML text, exported, compared and "
		      "applied with the commands wherryctl config export, diff and apply. Applying is all or "
		      "nothing, and applying twice changes nothing. A section that is absent is left as it "
		      "is; in one that is there, what is not named is deleted, but the file of a deleted "
		      "volume stays. A key that is not known is refused with its line. The sections are:");
	(void)fputs(".Bl -tag -width Ds\n", out);
	for (const struct man_option *key = configuration_keys; key->name; key++) {
		(void)fprintf(out, ".It Cm %s\n", key->name);
		man_text(out, key->help);
	}
	(void)fputs(".El\n.Pp\nFor example:\n.Pp\n", out);
	man_display(out, "", configuration_example);
}

void man_wherryd(FILE *out)
{
	man_head(out, "WHERRYD", "8", "wherryd", "control plane of the wherry block-storage appliance");
	(void)fputs(".Sh SYNOPSIS\n.Nm\n", out);
	man_options_synopsis(out, man_wherryd_options);
	(void)fputs(".Sh DESCRIPTION\n.Nm\n", out);
	man_text(out, "owns the configuration and the durable state of the appliance, starts and supervises "
		      "the dataplane, and answers wherryctl over JSON-RPC 2.0. It runs in the foreground and "
		      "logs to standard error. It starts as root, opens what needs root, and goes on as an "
		      "ordinary user; a small process stays root and opens backing files inside the allowed "
		      "paths.");
	(void)fputs(".Pp\n", out);
	man_text(out, "The dataplane may end at any time: it is started again, gets its whole configuration, "
		      "and only then answers clients. The daemon may end at any time: the dataplane goes on "
		      "serving, and the next daemon adopts it. Meanwhile requests that must be durable "
		      "first, such as a client's reservation, fail and are to be retried.");
	(void)fputs(".Pp\nThe options are:\n", out);
	man_options(out, man_wherryd_options);
	man_configuration(out);
	(void)fputs(".Sh RPC\n", out);
	man_text(out, "The socket takes one JSON-RPC 2.0 object per line and answers with one per line. The "
		      "peer's credentials are checked: root, the daemon's user and members of its group may "
		      "call. The method rpc.methods describes all methods with the schemas of their "
		      "parameters and results. Unknown parameters are refused. Errors carry a message that "
		      "names the object and the remedy, and data.kind: usage, not_found, conflict, failed or "
		      "unavailable.");
	(void)fputs(".Sh SIGNALS\n.Bl -tag -width Ds -compact\n.It Dv SIGTERM , Dv SIGINT\nEnd in order.\n"
		    ".El\n.Sh FILES\n.Bl -tag -width Ds\n",
		    out);
	(void)fputs(".It Pa /var/lib/wherry/state.db\nThe state, an SQLite database.\n"
		    "A damaged one, or one of a newer version, is refused and left as it is.\n"
		    ".It Pa /run/wherry/wherryd.sock\nThe RPC socket, mode 0660.\n"
		    ".It Pa /etc/wherry/wherry.yaml\nThe usual place of a configuration for\n"
		    ".Fl -config .\n.El\n",
		    out);
	(void)fputs(
		".Sh EXIT STATUS\n.Ex -std\n.Sh SEE ALSO\n.Xr wherryctl 1 ,\n.Xr wherry 7 ,\n.Xr wherry-dataplane 8\n",
		out);
}

void man_dataplane(FILE *out)
{
	man_head(out, "WHERRY-DATAPLANE", "8", "wherry-dataplane", "serve block storage from network devices");
	(void)fputs(".Sh SYNOPSIS\n.Nm\n", out);
	man_options_synopsis(out, man_dataplane_options);
	(void)fputs(".Sh DESCRIPTION\n.Nm\n", out);
	man_text(out, "polls network devices with DPDK and answers AoE clients. It is started by wherryd and "
		      "holds no state of its own: until wherryd has sent the whole configuration, it answers "
		      "no frame. It goes on serving while wherryd is away.");
	(void)fputs(".Pp\n", out);
	man_text(out, "Each worker lcore runs to completion: it receives, works and sends without ever "
		      "blocking. An export and its volume live on one worker. The main lcore waits for "
		      "wherryd and serves no client.");
	(void)fputs(".Pp\nThe options are:\n", out);
	man_options(out, man_dataplane_options);
	(void)fputs(".Sh SIGNALS\n.Bl -tag -width Ds -compact\n.It Dv SIGTERM , Dv SIGINT\n"
		    "Finish the requests under way, stop the ports and end.\n.El\n.Sh EXIT STATUS\n"
		    ".Bl -tag -width Ds -compact\n.It 0\nEnded as it was told to.\n.It 1\n"
		    "Could not start, or failed.\n.It 2\nThe command line is wrong.\n.It 3\n"
		    "Ended, but packet buffers were lost.\n.El\n.Sh SEE ALSO\n.Xr wherryctl 1 ,\n"
		    ".Xr wherry 7 ,\n.Xr wherryd 8\n",
		    out);
}

void man_overview(FILE *out)
{
	man_head(out, "WHERRY", "7", "wherry", "a block-storage appliance");
	(void)fputs(".Sh DESCRIPTION\n.Nm\n", out);
	man_text(out, "serves volumes as disks to clients on the local Ethernet. A client may boot from one "
		      "without a disk of its own. Two processes do the work: wherry-dataplane moves the data "
		      "and wherryd decides; wherryctl is how a person or a script talks to wherryd.");
	(void)fputs(".Ss Words\n.Bl -tag -width Ds\n", out);
	static const struct man_option words[] = {
		{"volume", NULL,
		 "Blocks to read and write. The backend says where they are: ram, a file or block "
		 "device, or null for tests. A volume can be grown in service and never shrinks."},
		{"export", NULL, "A volume served by a protocol under an address; for AoE the address is SHELF.SLOT."},
		{"port", NULL, "A network device that the dataplane receives from and sends to."},
		{"lcore", NULL,
		 "A CPU that the dataplane has for itself. One is the main lcore, the others are workers."},
		{"client", NULL, "Whoever sends requests, known by MAC address, port and VLAN."},
		{"mask", NULL, "The clients that may talk to an AoE export. Empty: all of them."},
		{"reservation", NULL, "The clients that may read and write an AoE export while it is reserved."},
		{"config string", NULL, "A text that AoE clients can find an export by."},
		{NULL, NULL, NULL},
	};
	for (const struct man_option *word = words; word->name; word++) {
		(void)fputs(".It Sy ", out);
		man_argument(out, word->name);
		(void)fputc('\n', out);
		man_text(out, word->help);
	}
	(void)fputs(".El\n.Ss What is promised\n", out);
	man_text(out, "An acknowledged write is durable, unless the volume is set to write-back or is a ram "
		      "volume. AoE clients never flush, so their writes are written through. Overlapping "
		      "requests are carried out in the order of their arrival. Masks, reservations and "
		      "config strings are durable before a client hears of them.");
	(void)fputs(".Ss First steps\nLook at the machine, choose a port, make a volume and serve it:\n.Pp\n", out);
	man_display(out, "",
		    "wherryctl doctor\n"
		    "wherryctl port add east af_xdp:eth1\n"
		    "wherryctl volume create disk0 --backend file --path /srv/wherry/disk0.img --size 100G "
		    "--create-file\n"
		    "wherryctl export aoe create 1.0 disk0\n"
		    "wherryctl stats --watch");
	(void)fputs(".Pp\nOn a Linux client:\n.Pp\n", out);
	man_display(out, "", "modprobe aoe\naoe-discover\nls /dev/etherd/e1.0");
	(void)fputs(".Pp\nA whole configuration can be kept as a file: see\n.Ic config\nin\n"
		    ".Xr wherryctl 1 .\n.Sh SEE ALSO\n.Xr wherryctl 1 ,\n.Xr wherry-dataplane 8 ,\n"
		    ".Xr wherryd 8\n",
		    out);
}

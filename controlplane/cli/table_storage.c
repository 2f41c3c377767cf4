/* SPDX-License-Identifier: BSD-3-Clause */
/* Command table: volumes, exports and what belongs to an AoE export.  Static data. */
#include "cli/command.h"
#include "cli/table_macros.h"
#include "wherry/limits.h"

/* ---------------------------------------------------------------- columns */
static const struct cli_column volume_columns[] = {
	COL("NAME", "name", TEXT),          COL("BACKEND", "backend", TEXT),
	COL("SIZE", "size_bytes", SIZE),    COL("BLOCK", "block_bytes", TEXT),
	COL("ACCESS", "read_only", ACCESS), COL("ONLINE", "online", YES_NO),
	COL("LCORE", "lcore", TEXT),        COL("EXPORTS", "exports", NONE),
	COL("PATH", "path", TEXT),          NO_COLUMN,
};
static const struct cli_column volume_fields[] = {
	COL("name", "name", TEXT),
	COL("backend", "backend", TEXT),
	COL("path", "path", TEXT),
	COL("size", "size_bytes", SIZE),
	COL("block bytes", "block_bytes", TEXT),
	COL("read-only", "read_only", YES_NO),
	COL("write-back", "write_back", YES_NO),
	COL("direct I/O", "direct", YES_NO),
	COL("online", "online", YES_NO),
	COL("wanted online", "wanted_online", YES_NO),
	COL("lcore", "lcore", TEXT),
	COL("exports", "exports", NONE),
	COL("serial", "serial", TEXT),
	COL("uuid", "uuid", TEXT),
	COL("created", "created_at_us", TIME_US),
	COL("detail", "detail", TEXT),
	NO_COLUMN,
};
static const struct cli_column export_columns[] = {
	COL("TARGET", "shelf|slot", TEXT), COL("VOLUME", "volume", TEXT),       COL("ACCESS", "read_only", ACCESS),
	COL("PORTS", "ports", ALL),        COL("VLANS", "vlans", NONE),         COL("BUFFERS", "buffer_count", TEXT),
	COL("MASK", "mask", ALL),          COL("RESERVED BY", "reserve", NONE), NO_COLUMN,
};
static const struct cli_column all_exports_columns[] = {
	COL("PROTOCOL", "protocol", TEXT),  COL("TARGET", "target", TEXT), COL("VOLUME", "volume", TEXT),
	COL("ACCESS", "read_only", ACCESS), COL("PORTS", "ports", ALL),    NO_COLUMN,
};
static const struct cli_column export_fields[] = {
	COL("target", "shelf|slot", TEXT),
	COL("volume", "volume", TEXT),
	COL("read-only", "read_only", YES_NO),
	COL("ports", "ports", ALL),
	COL("vlans", "vlans", NONE),
	COL("buffer count", "buffer_count", TEXT),
	COL("sectors per frame", "sectors_max", TEXT),
	COL("clients may edit mask", "remote.mask", YES_NO),
	COL("clients may set config", "remote.config", YES_NO),
	COL("clients may force reserve", "remote.force_reserve", YES_NO),
	COL("serial", "serial", TEXT),
	COL("config string", "config_string", TEXT),
	COL("its encoding", "config_string_encoding", TEXT),
	COL("mask", "mask", ALL),
	COL("reserved by", "reserve", NONE),
	COL("state generation", "state_generation", TEXT),
	NO_COLUMN,
};

static const struct cli_column nbd_columns[] = {
	COL("NAME", "name", TEXT),
	COL("VOLUME", "volume", TEXT),
	COL("ACCESS", "read_only", ACCESS),
	COL("DEFAULT", "default", YES_NO),
	COL("OPEN TO", "allow", ALL),
	COL("DESCRIPTION", "description", TEXT),
	NO_COLUMN,
};
static const struct cli_column nbd_fields[] = {
	COL("name", "name", TEXT),
	COL("volume", "volume", TEXT),
	COL("description", "description", TEXT),
	COL("read-only", "read_only", YES_NO),
	COL("default", "default", YES_NO),
	COL("open to", "allow", ALL),
	NO_COLUMN,
};

/* ------------------------------------------------------------- parameters */
#define VOLUME_NAME ARG("NAME", NAME, "name", "name of the volume", .names = CLI_NAMES_VOLUME)
#define TARGET ARG("TARGET", TARGET, NULL, "SHELF.SLOT of the export, e.g. 1.0", .names = CLI_NAMES_AOE_EXPORT)

#define NBD_NAME ARG("NAME", NAME, "name", "name of the export", .names = CLI_NAMES_NBD_EXPORT)
#define NBD_OPTIONS(switch_type)                                                                                       \
	OPT("description", TEXT, "description", "what clients are told of it"),                                        \
		OPT("read-only", switch_type, "read_only", "refuse writes"),                                           \
		OPT("default", switch_type, "default", "answer to clients that name no export, too"),                  \
		OPT("allow", PREFIXES, "allow",                                                                        \
		    "addresses or prefixes that may use it, comma-separated; all: everybody")

static const struct cli_param no_params[] = {END};
static const struct cli_param volume_name_only[] = {VOLUME_NAME, END};
static const struct cli_param target_only[] = {TARGET, END};

static const struct cli_param volume_create_params[] = {
	ARG("NAME", NAME, "name", "name of the new volume"),
	OPT_REQUIRED(
		"backend", ENUM, "backend",
		"where the data lives: ram (lost at power-off), file (a regular file or block device), null (nowhere)",
		.choices = "ram|file|null"),
	OPT("size", SIZE, "size_bytes", "size, e.g. 512M, 10G, 1TiB; left out: the size of the existing file or device",
	    .min = (int64_t)WHERRY_VOLUME_BYTES_MIN, .max = (int64_t)WHERRY_VOLUME_BYTES_MAX),
	OPT("path", PATH, "path", "backing file or block device, for the file backend"),
	OPT("block-size", CHOICE, "block_bytes", "logical block told to clients, in bytes (default 512)",
	    .choices = "512|4096"),
	OPT("read-only", FLAG, "read_only", "refuse writes"),
	OPT("write-back", FLAG, "write_back",
	    "acknowledge writes before they are durable; a power failure may lose them"),
	OPT("create-file", FLAG, "create_file", "create the backing file, which must not exist"),
	OPT("sparse", FLAG, "sparse", "with --create-file: allocate no space beforehand"),
	END,
};
static const struct cli_param volume_grow_params[] = {
	VOLUME_NAME,
	ARG("SIZE", SIZE, "size_bytes", "new size, larger than the present one",
	    .min = (int64_t)WHERRY_VOLUME_BYTES_MIN, .max = (int64_t)WHERRY_VOLUME_BYTES_MAX),
	END,
};
static const struct cli_param volume_delete_params[] = {
	VOLUME_NAME,
	OPT("erase-file", FLAG, "erase_file", "remove the backing file too; it cannot be brought back"),
	END,
};
static const struct cli_param volume_set_params[] = {
	VOLUME_NAME,
	OPT("read-only", BOOL, "read_only", "refuse writes"),
	OPT("write-back", BOOL, "write_back", "acknowledge writes before they are durable"),
	OPT("online", BOOL, "online", "take the volume out of service (no) or back in (yes)"),
	END,
};
#define PPM(name, key, what) OPT(name, INT, key, "how many of a million " what, .max = 1000000)
static const struct cli_param volume_fault_params[] = {
	VOLUME_NAME,
	PPM("read-error-ppm", "read_error_ppm", "reads fail"),
	PPM("write-error-ppm", "write_error_ppm", "writes fail"),
	PPM("flush-error-ppm", "flush_error_ppm", "flushes fail"),
	PPM("no-space-ppm", "no_space_ppm", "writes fail for want of space"),
	PPM("delay-ppm", "delay_ppm", "requests are delayed"),
	OPT("delay-us", INT, "delay_us", "how long, in microseconds", .max = UINT32_MAX),
	OPT("bad-offset", SIZE, "bad_offset_bytes", "start of a region that always fails"),
	OPT("bad-length", SIZE, "bad_length_bytes", "its length"),
	OPT("seed", INT, "seed", "makes the choice of failing requests repeatable", .max = INT64_MAX),
	OPT("off", FLAG, NULL, "inject nothing any more", .flags = CLI_ALONE),
	END,
};

#define EXPORT_OPTIONS(switch_type)                                                                                    \
	OPT("read-only", switch_type, "read_only", "refuse writes"),                                                   \
		OPT("ports", NAMES, "ports", "ports to serve on, comma-separated; all: every port",                    \
		    .names = CLI_NAMES_PORT),                                                                          \
		OPT("vlans", VLANS, "vlans", "VLAN ids to serve, comma-separated, 0: untagged; none: untagged only"),  \
		OPT("buffer-count", INT, "buffer_count", "requests that a client may have under way (default 64)",     \
		    .min = 2, .max = UINT16_MAX),                                                                      \
		OPT("sectors-max", INT, "sectors_max",                                                                 \
		    "largest transfer per frame, in 512-byte sectors; 0: what the MTU allows", .max = 255),            \
		OPT("remote-mask", BOOL, "remote.mask", "clients may edit the MAC mask (default no)"),                 \
		OPT("remote-config", BOOL, "remote.config", "clients may set the config string (default no)"),         \
		OPT("remote-force-reserve", BOOL, "remote.force_reserve",                                              \
		    "clients may take a reservation from another (default no)")

static const struct cli_param export_create_params[] = {
	ARG("TARGET", TARGET, NULL, "SHELF.SLOT of the new export, e.g. 1.0"),
	ARG("VOLUME", NAME, "volume", "volume to serve", .names = CLI_NAMES_VOLUME),
	EXPORT_OPTIONS(FLAG),
	END,
};
static const struct cli_param export_set_params[] = {
	TARGET,
	EXPORT_OPTIONS(BOOL),
	END,
};
static const struct cli_param macs_params[] = {
	TARGET,
	ARG_MANY("MAC", MAC, "macs", "MAC addresses of clients, e.g. 52:54:00:12:34:56", .names = CLI_NAMES_CLIENT),
	END,
};
static const struct cli_param config_string_set_params[] = {
	TARGET,
	ARG("VALUE", TEXT, "value", "the string, at most 1024 bytes"),
	OPT("encoding", ENUM, "encoding", "how VALUE is written (default utf-8)", .choices = "utf-8|hex"),
	END,
};

static const struct cli_param nbd_create_params[] = {
	ARG("NAME", NAME, "name", "name of the new export, which clients ask for"),
	ARG("VOLUME", NAME, "volume", "volume to serve", .names = CLI_NAMES_VOLUME),
	NBD_OPTIONS(FLAG),
	END,
};
static const struct cli_param nbd_set_params[] = {NBD_NAME, NBD_OPTIONS(BOOL), END};
static const struct cli_param nbd_name_only[] = {NBD_NAME, END};

/* --------------------------------------------------------------- commands */
const struct cli_command cli_storage_commands[] = {
	{WORDS("volume", "create"), .method = "volume.create", .params = volume_create_params,
	 .done = "volume {name}: created, {size_bytes:size} {backend}", .summary = "Create a volume",
	 .details = "A ram volume keeps its content while the dataplane restarts, not over a power "
		    "failure. A file volume opens an existing file or block device, or makes the file with "
		    "--create-file.",
	 .examples = "volume create scratch --backend ram --size 4G\n"
		     "volume create disk0 --backend file --path /srv/wherry/disk0.img --size 100G "
		     "--create-file\n"
		     "volume create fast --backend file --path /dev/nvme0n1"},
	{WORDS("volume", "grow"), .method = "volume.grow", .params = volume_grow_params,
	 .done = "volume {name}: now {size_bytes:size}", .summary = "Make a volume larger, in service",
	 .details = "Clients see the new size when they read it again: a Linux AoE client does so when the "
		    "device is not open and aoe-revalidate runs.",
	 .examples = "volume grow disk0 200G"},
	{WORDS("volume", "delete"), .method = "volume.delete", .params = volume_delete_params,
	 .done = "volume {name}: deleted", .summary = "Delete a volume that has no export",
	 .details = "The backing file stays unless --erase-file is given. The content of a ram volume is gone.",
	 .examples = "volume delete scratch"},
	{WORDS("volume", "list"), .method = "volume.list", .params = no_params, .columns = volume_columns,
	 .output = CLI_OUT_LIST, .summary = "List all volumes", .examples = "volume list\n--json volume list"},
	{WORDS("volume", "show"), .method = "volume.show", .params = volume_name_only, .columns = volume_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show one volume", .examples = "volume show disk0"},
	{WORDS("volume", "set"), .method = "volume.set", .params = volume_set_params, .some_option = true,
	 .done = "volume {name}: changed", .summary = "Change a volume in service",
	 .examples = "volume set disk0 --read-only yes\nvolume set disk0 --online no"},
	{WORDS("volume", "fault"), .method = "volume.fault", .params = volume_fault_params, .some_option = true,
	 .done = "volume {name}: faults set", .summary = "Make a volume fail on purpose, for tests of clients",
	 .details = "Each call replaces all faults of the volume; rates that are not named become zero. "
		    "The same seed fails the same requests again.",
	 .examples = "volume fault disk0 --read-error-ppm 1000 --seed 7\n"
		     "volume fault disk0 --bad-offset 1G --bad-length 64K\nvolume fault disk0 --off"},

	{WORDS("export", "list"), .method = "aoe.export.list", .params = no_params, .columns = all_exports_columns,
	 .action = CLI_RUN_EXPORT_LIST, .output = CLI_OUT_LIST, .summary = "List the exports of all protocols",
	 .details = "JSON: the objects of the protocols' own lists, each with the keys protocol and target added.",
	 .examples = "export list"},
	{WORDS("export", "aoe", "create"), .method = "aoe.export.create", .params = export_create_params,
	 .done = "export aoe {shelf}.{slot}: created, serves volume {volume}", .summary = "Serve a volume over AoE",
	 .details = "Clients are told at once by a broadcast. Shelves 4095 and 65535 and slot 255 cannot "
		    "be used: clients take them for wildcards. Any client may reserve and release; the other "
		    "changes that AoE knows, which aoecfg and others make from the network, are the operator's alone "
		    "unless a --remote option allows them, because MAC addresses are easily forged.",
	 .examples = "export aoe create 1.0 disk0\n"
		     "export aoe create 1.1 golden --read-only --ports east,west --vlans 0,20\n"
		     "export aoe create 1.2 shared --remote-config yes --remote-force-reserve yes"},
	{WORDS("export", "aoe", "set"), .method = "aoe.export.set", .params = export_set_params, .some_option = true,
	 .done = "export aoe {shelf}.{slot}: changed", .summary = "Change an AoE export in service",
	 .examples = "export aoe set 1.0 --ports all --buffer-count 128\nexport aoe set 1.0 --remote-mask no"},
	{WORDS("export", "aoe", "delete"), .method = "aoe.export.delete", .params = target_only,
	 .done = "export aoe {shelf}.{slot}: deleted", .summary = "Stop serving a volume over AoE",
	 .details = "The volume and its data stay. Clients that still use the export get no answers and "
		    "fail after their own time limit.",
	 .examples = "export aoe delete 1.1"},
	{WORDS("export", "aoe", "list"), .method = "aoe.export.list", .params = no_params, .columns = export_columns,
	 .output = CLI_OUT_LIST, .summary = "List the AoE exports", .examples = "export aoe list"},
	{WORDS("export", "aoe", "show"), .method = "aoe.export.show", .params = target_only, .columns = export_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show one AoE export with its policy, mask and reservation",
	 .examples = "export aoe show 1.0"},

	{WORDS("export", "nbd", "create"), .method = "nbd.export.create", .params = nbd_create_params,
	 .done = "export nbd {name}: created, serves volume {volume}", .summary = "Serve a volume over NBD",
	 .details = "Clients reach it at every address of the appliance, on the TCP port that nbd show tells. A volume "
		    "may be exported several times, and by AoE as well.",
	 .examples = "export nbd create disk0 disk0\n"
		     "export nbd create golden golden --read-only --default --description Debian\n"
		     "export nbd create db db --allow 10.0.0.0/8,2001:db8::/32"},
	{WORDS("export", "nbd", "set"), .method = "nbd.export.set", .params = nbd_set_params, .some_option = true,
	 .done = "export nbd {name}: changed", .summary = "Change an NBD export in service",
	 .details = "Clients that are connected keep what they were told until they connect again.",
	 .examples = "export nbd set db --allow all\nexport nbd set golden --default no"},
	{WORDS("export", "nbd", "delete"), .method = "nbd.export.delete", .params = nbd_name_only,
	 .done = "export nbd {name}: deleted", .summary = "Stop serving a volume over NBD",
	 .details = "The volume and its data stay. Clients that are connected are disconnected.",
	 .examples = "export nbd delete db"},
	{WORDS("export", "nbd", "list"), .method = "nbd.export.list", .params = no_params, .columns = nbd_columns,
	 .output = CLI_OUT_LIST, .summary = "List the NBD exports", .examples = "export nbd list"},
	{WORDS("export", "nbd", "show"), .method = "nbd.export.show", .params = nbd_name_only, .columns = nbd_fields,
	 .output = CLI_OUT_RECORD, .summary = "Show one NBD export", .examples = "export nbd show db"},

	{WORDS("mask", "add"), .method = "aoe.mask.add", .params = macs_params,
	 .done = "export aoe {shelf}.{slot}: mask is {mask}", .summary = "Add clients to the MAC mask of an AoE export",
	 .details = "While the mask is empty everyone may talk to the export. From the first entry on all "
		    "others are ignored in silence.",
	 .examples = "mask add 1.0 52:54:00:12:34:56"},
	{WORDS("mask", "remove"), .method = "aoe.mask.remove", .params = macs_params,
	 .done = "export aoe {shelf}.{slot}: mask is {mask}",
	 .summary = "Remove clients from the MAC mask of an AoE export",
	 .details = "Removing the last entry opens the export to everyone.",
	 .examples = "mask remove 1.0 52:54:00:12:34:56"},
	{WORDS("mask", "clear"), .method = "aoe.mask.clear", .params = target_only,
	 .done = "export aoe {shelf}.{slot}: mask is empty, everyone may talk to it",
	 .summary = "Empty the MAC mask of an AoE export", .examples = "mask clear 1.0"},
	{WORDS("mask", "list"), .method = "aoe.export.show", .params = target_only, .output = CLI_OUT_VALUES,
	 .value_key = "mask", .summary = "List the MAC mask of an AoE export, one address per line",
	 .examples = "mask list 1.0"},

	{WORDS("reserve", "show"), .method = "aoe.export.show", .params = target_only, .output = CLI_OUT_VALUES,
	 .value_key = "reserve", .summary = "Show who holds an AoE export reserved, one address per line",
	 .examples = "reserve show 1.0"},
	{WORDS("reserve", "set"), .method = "aoe.reserve.set", .params = macs_params,
	 .done = "export aoe {shelf}.{slot}: reserved by {reserve}",
	 .summary = "Reserve an AoE export for these clients, whoever held it before",
	 .details = "Others can still discover the export and read its configuration; their reads and "
		    "writes are refused.",
	 .examples = "reserve set 1.0 52:54:00:12:34:56"},
	{WORDS("reserve", "clear"), .method = "aoe.reserve.clear", .params = target_only,
	 .done = "export aoe {shelf}.{slot}: not reserved", .summary = "Lift the reservation of an AoE export",
	 .examples = "reserve clear 1.0"},

	{WORDS("config-string", "show"), .method = "aoe.export.show", .params = target_only, .output = CLI_OUT_TEXT,
	 .value_key = "config_string", .summary = "Show the Query Config string of an AoE export",
	 .examples = "config-string show 1.0"},
	{WORDS("config-string", "set"), .method = "aoe.config_string.set", .params = config_string_set_params,
	 .done = "export aoe {shelf}.{slot}: config string set",
	 .summary = "Set the Query Config string of an AoE export",
	 .details = "Clients can find exports by this string.",
	 .examples = "config-string set 1.0 rack7-boot\nconfig-string set 1.0 --encoding hex 00ff10"},
	{WORDS("config-string", "clear"), .method = "aoe.config_string.clear", .params = target_only,
	 .done = "export aoe {shelf}.{slot}: config string cleared",
	 .summary = "Clear the Query Config string of an AoE export", .examples = "config-string clear 1.0"},
	{.words = {NULL}},
};

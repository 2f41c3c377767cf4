/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table of wherryctl: the single description of every command.
 * Parsing, help, completion, manual pages and the check against the daemon's
 * method table all read it.  Pure static data, no function pointers, so that the
 * manual generator links it without the rest of the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_WORD_COUNT_MAX 3 /* words of a command, e.g. "export aoe create" */

enum cli_type {
	CLI_FLAG,     /* option without value: true */
	CLI_BOOL,     /* yes|no */
	CLI_INT,      /* decimal or 0x, within min..max */
	CLI_SIZE,     /* 512, 10G, 1.5TiB -> bytes */
	CLI_NAME,     /* object name */
	CLI_TEXT,     /* any text */
	CLI_PATH,     /* path, made absolute */
	CLI_FILE,     /* path read or written by wherryctl itself, "-" for standard input or output */
	CLI_ENUM,     /* one of choices */
	CLI_CHOICE,   /* one of choices, which are integers -> int */
	CLI_MAC,      /* MAC address */
	CLI_TARGET,   /* SHELF.SLOT, becomes two keys */
	CLI_NAMES,    /* comma-separated names; "all": empty list */
	CLI_VLANS,    /* comma-separated VLAN ids; "none": empty list */
	CLI_DEVICE,   /* KIND:REST of a port */
	CLI_LCORES,   /* CPU list, auto: empty text */
	CLI_PREFIX,   /* IP address with or without a length, or one of choices */
	CLI_PREFIXES, /* comma-separated ones; "all": empty list */
	CLI_WORD,     /* positional that is the word of its name, and may be left out: "via" */
	CLI_JSON,     /* a JSON object */
	CLI_SECONDS,  /* seconds, fractions allowed -> real */
	CLI_SINCE,    /* event id, or an age such as 15m */
	CLI_TYPE_COUNT,
};

/* What completion offers for a value, beside the choices of an enum. */
enum cli_names {
	CLI_NAMES_NONE,
	CLI_NAMES_VOLUME,
	CLI_NAMES_AOE_EXPORT,
	CLI_NAMES_NBD_EXPORT,
	CLI_NAMES_PORT,
	CLI_NAMES_METHOD,
	CLI_NAMES_CLIENT,
	CLI_NAMES_OF_SCOPE, /* objects of the scope that the positional before names */
};

#define CLI_POSITIONAL 0x1u
#define CLI_REQUIRED 0x2u
#define CLI_MANY 0x4u     /* positional that takes all that is left; the key becomes an array */
#define CLI_OPTIONAL 0x8u /* an option whose value, a number, may be left out (--watch, --watch 5) */

#define CLI_ALONE 0x10u /* an option that makes no sense beside another */

struct cli_param {
	const char *name;    /* option name without dashes, or metavariable of a positional in capitals */
	char letter;         /* short option, 0: none */
	uint8_t type;        /* enum cli_type */
	uint8_t names;       /* enum cli_names */
	unsigned flags;      /* CLI_POSITIONAL... */
	const char *key;     /* key of the RPC parameters, dots nest; NULL: wherryctl uses the value itself */
	const char *choices; /* CLI_ENUM: "ram|file|null"; CLI_PREFIX: words that stand for one, or NULL */
	int64_t min, max;    /* CLI_INT, CLI_SIZE, CLI_SECONDS; both 0: not below 0 */
	const char *help;    /* a phrase without full stop */
};

/* How a value from a reply is shown to people. */
enum cli_format {
	CLI_AS_TEXT,  /* strings as they are, numbers in full, lists with commas */
	CLI_AS_SIZE,  /* bytes -> 10.0 GiB */
	CLI_AS_COUNT, /* thousands separated */
	CLI_AS_YES_NO,
	CLI_AS_ACCESS, /* read_only -> ro, rw */
	CLI_AS_UP_DOWN,
	CLI_AS_TIME_US,  /* microseconds since the epoch -> local time */
	CLI_AS_AGO_US,   /* microseconds since the epoch -> 12s ago */
	CLI_AS_DURATION, /* seconds -> 3d 4h */
	CLI_AS_AGE_US,   /* microseconds -> 3d 4h */
	CLI_AS_US,       /* microseconds -> 1.25 ms */
	CLI_AS_MBPS,
	CLI_AS_ALL,  /* a list, empty: all */
	CLI_AS_NONE, /* a list, empty: none */
	CLI_AS_BUSY, /* of an lcore object: busy_cycles of both, in percent */
	CLI_FORMAT_COUNT,
};

struct cli_column {
	const char *title;
	const char *path; /* key of the object, dots descend; "shelf|slot" joins two with a dot */
	uint8_t format;   /* enum cli_format */
};

enum cli_output {
	CLI_OUT_DONE,   /* the done template */
	CLI_OUT_LIST,   /* a table of columns */
	CLI_OUT_RECORD, /* one object, a field per line */
	CLI_OUT_VALUES, /* one value of the object, an array a line each */
	CLI_OUT_TEXT,   /* one string of the object, as it is */
};

/* Which function carries the command out. */
enum cli_action {
	CLI_RUN_CALL, /* call the method, print its result */
	CLI_RUN_EXPORT_LIST,
	CLI_RUN_PORT_SHOW,
	CLI_RUN_STATS,
	CLI_RUN_LIVE_LIST,
	CLI_RUN_CONFIG_EXPORT,
	CLI_RUN_CONFIG_DIFF,
	CLI_RUN_CONFIG_APPLY,
	CLI_RUN_DOCTOR,
	CLI_RUN_CAPTURE,
	CLI_RUN_EVENTS,
	CLI_RUN_RPC_CALL,
	CLI_RUN_RPC_METHODS,
	CLI_RUN_VERSION,
	CLI_RUN_COMPLETION,
	CLI_ACTION_COUNT,
};

struct cli_command {
	const char *words[CLI_WORD_COUNT_MAX + 1]; /* NULL-terminated */
	const char *method;                        /* RPC method, NULL: none of its own */
	const struct cli_param *params;            /* ends with a NULL name */
	const struct cli_column *columns;          /* ends with a NULL title; NULL: none */
	uint8_t action;                            /* enum cli_action */
	uint8_t output;                            /* enum cli_output */
	bool some_option;                          /* at least one option must be given */
	const char *value_key;                     /* CLI_OUT_VALUES, CLI_OUT_TEXT */
	const char *done;                          /* CLI_OUT_DONE: "volume {name}: created" */
	const char *summary;                       /* one sentence without full stop */
	const char *details;                       /* more sentences for help and manual; NULL: none */
	const char *examples;                      /* one per line, without the program's name; NULL-free */
};

/* What a leading word, or two, stand for: "volume" -> "Volumes: what clients read and write" */
struct cli_group {
	const char *words;
	const char *summary;
};

/* The table is spread over one file per subject; index runs over all of it. */
extern const struct cli_command cli_storage_commands[]; /* each ends with a NULL words[0] */
extern const struct cli_command cli_appliance_commands[];
extern const struct cli_command cli_network_commands[];
extern const struct cli_command cli_service_commands[];
const struct cli_command *cli_command_at(unsigned index); /* NULL past the end */

extern const struct cli_group cli_groups[];  /* ends with a NULL words */
extern const struct cli_param cli_globals[]; /* options that every command takes; ends with a NULL name */

/* Number of words of a command. */
static inline unsigned cli_word_count(const struct cli_command *command)
{
	unsigned n = 0;
	while (n < CLI_WORD_COUNT_MAX && command->words[n])
		n++;
	return n;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two halves of wherryd say to each other: fixed-size structs over a
 * SOCK_SEQPACKET pair, descriptors beside them.  The privileged half trusts
 * nothing in them: every message is checked before it is used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fail.h"
#include "daemon/state.h"
#include "wherry/limits.h"

#define MONITOR_MAGIC 0x4e4f4d57u /* "WMON" */

enum monitor_op {
	/* daemon -> monitor */
	MONITOR_FILE_OPEN = 1, /* struct monitor_file, + descriptor with FILE_ANEW */
	MONITOR_FILE_GROW,     /* struct monitor_file + the open descriptor */
	MONITOR_FILE_ERASE,    /* struct monitor_file */
	MONITOR_SPAWN,         /* struct monitor_spawn */
	MONITOR_KILL,          /* struct monitor_kill; not answered */
	MONITOR_NOTIFY,        /* struct monitor_notify; not answered */
	/* monitor -> daemon */
	MONITOR_FILE_RESULT = 64, /* struct monitor_file_result, + descriptor after FILE_OPEN */
	MONITOR_SPAWNED,          /* struct monitor_spawned */
	MONITOR_EXITED,           /* struct monitor_exited; unasked, id 0 */
};

struct monitor_header {
	uint32_t magic;
	uint32_t op; /* enum monitor_op */
	uint32_t id; /* of the request; echoed */
	uint32_t reserved;
};

#define MONITOR_FILE_READ_ONLY 0x1u
#define MONITOR_FILE_CREATE 0x2u /* it must not exist */
#define MONITOR_FILE_SPARSE 0x4u /* with CREATE: allocate nothing */
#define MONITOR_FILE_ANEW 0x8u   /* with OPEN: the file of the descriptor beside it (O_PATH), wherever it is now */
#define MONITOR_FILE_BRIEF 0x10u /* with OPEN: if it is locked, do not look who has it */

struct monitor_file {
	struct monitor_header header;
	uint32_t flags, reserved;
	uint64_t size_bytes;    /* CREATE, GROW: wanted */
	uint64_t device, inode; /* ERASE: only this file; both 0: whatever regular file is there */
	char path[WHERRY_PATH_BYTES_MAX + 1];
};

#define MONITOR_RESULT_DIRECT 0x1u
#define MONITOR_RESULT_BLOCK_DEVICE 0x2u
#define MONITOR_RESULT_LOCKED 0x4u /* refused, because somebody else has it: may be tried again */

struct monitor_file_result {
	struct monitor_header header;
	uint32_t kind; /* enum fail_kind; FAIL_NONE: done */
	uint32_t flags;
	uint64_t size_bytes; /* of file or device */
	uint64_t device, inode;
	uint32_t align_bytes, memory_align_bytes; /* 1, 512 or 4096 */
	char text[WHERRY_TEXT_BYTES_MAX + 1];     /* why refused; or a fall-back taken, "" when none */
};

struct monitor_port {
	char name[WHERRY_NAME_BYTES_MAX + 1];
	char device[WHERRY_TEXT_BYTES_MAX + 1];
	uint32_t mtu, vlan_count;
	uint32_t punt_rate; /* 0: it does not punt */
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX];
};

/* How the dataplane is to run.  Program, socket, user and EAL arguments are the monitor's own knowledge. */
struct monitor_spawn {
	struct monitor_header header;
	struct runtime_row runtime;
	uint32_t port_count, reserved;
	struct monitor_port ports[WHERRY_PORT_COUNT_MAX];
};

enum monitor_spawn_outcome {
	MONITOR_STARTED,           /* a new one runs */
	MONITOR_RUNNING,           /* one runs already, with these settings */
	MONITOR_RUNNING_DIFFERENT, /* one runs already, with other settings */
	MONITOR_NOT_STARTED,       /* text says why */
};
struct monitor_spawned {
	struct monitor_header header;
	uint32_t outcome; /* enum monitor_spawn_outcome */
	int32_t pid;
	char text[WHERRY_TEXT_BYTES_MAX + 1];
};

struct monitor_kill {
	struct monitor_header header;
	int32_t signal; /* SIGTERM or SIGKILL */
	uint32_t reserved;
};

struct monitor_notify {
	struct monitor_header header;
	char text[128]; /* for the service manager: "READY=1", "WATCHDOG=1", ... */
};

struct monitor_exited {
	struct monitor_header header;
	int32_t pid;
	int32_t wait_status; /* as of waitpid; meaningful when status_known */
	uint32_t status_known;
	uint32_t reserved;
	char text[WHERRY_TEXT_BYTES_MAX + 1]; /* its last words, "" when none */
};

/* Largest of them, for receive buffers. */
union monitor_message {
	struct monitor_header header;
	struct monitor_file file;
	struct monitor_file_result file_result;
	struct monitor_spawn spawn;
	struct monitor_spawned spawned;
	struct monitor_kill kill;
	struct monitor_notify notify;
	struct monitor_exited exited;
};

/* Is it a whole, sound message of its op?  Texts end, numbers are in range.  Pure. */
bool monitor_message_check(const union monitor_message *message, size_t len);
/* Bytes of a message of this op, 0 for an unknown one. */
size_t monitor_message_bytes(uint32_t op);

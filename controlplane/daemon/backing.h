/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stores behind the volumes: open descriptors, and what is known of them.
 *
 * The daemon keeps every descriptor for as long as the volume exists, so a
 * dataplane that died gets them back, and memory of ram volumes survives it.
 * Thread: the daemon's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/monitor_msg.h"
#include "daemon/state.h"

struct daemon;

struct backing {
	uint64_t volume_id;
	int fd; /* -1: not open; always so for null volumes */
	bool direct, block_device;
	bool opening; /* a request for it is with the monitor */
	uint32_t align_bytes, memory_align_bytes;
	uint64_t device, inode;
	char detail[WHERRY_TEXT_BYTES_MAX + 1]; /* fall-back taken, or why it is not open */
	/* What the dataplane says, as of the last list or put. */
	bool online;
	int lcore; /* -1 unknown */
	char plane_detail[WHERRY_TEXT_BYTES_MAX + 1];
};

struct backing_table {
	struct backing **list; /* ascending by volume_id */
	size_t count, cap;
};

/* NULL when unknown. */
struct backing *backing_find(struct daemon *daemon, uint64_t volume_id);
/* Made when unknown; NULL without memory. */
struct backing *backing_get(struct daemon *daemon, uint64_t volume_id);
/* Close and forget. */
void backing_drop(struct daemon *daemon, uint64_t volume_id);
void backing_drop_all(struct daemon *daemon);
/* Can the dataplane be given the volume? */
bool backing_is_ready(const struct backing *backing, const struct volume_row *row);

/* Take over an opened descriptor and its description. */
void backing_take(struct backing *backing, int fd, const struct monitor_file_result *result);
/* A memfd of the size, or -1 with the reason. */
int backing_ram_create(struct daemon *daemon, const char *name, uint64_t size_bytes, struct fail *fail);
/* Would so many more bytes of ram volumes fit into memory? */
int backing_ram_check(struct daemon *daemon, const char *name, uint64_t size_bytes, struct fail *fail);

/*
 * Open what is not open: memory is made, files are asked for.  settled is called
 * once, from inside or later: when everything was answered, or after a time that
 * keeps a device that hangs from holding up the others; a late answer is pushed
 * when it comes.  Files that could not be opened are tried again now and then.
 */
void backing_open_all(struct daemon *daemon, void (*settled)(struct daemon *daemon));
/* Open the file of one volume; afterwards it is pushed.  Does nothing while one is under way. */
void backing_open_file(struct daemon *daemon, const struct volume_row *row);

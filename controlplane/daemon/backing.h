/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stores behind the volumes: open descriptors, and what is known of them.
 *
 * The daemon keeps a descriptor of every store for as long as the volume exists:
 * memory of ram volumes survives the dataplane, and so does a file that was
 * unlinked.  But no two dataplanes get the same open file description of a file or
 * device.  Requests of one that was killed may still be on their way to the disk,
 * and would overwrite what the next one acknowledged.  They hold a reference to
 * their description, and that holds a lock (file_open.h): the store is opened anew
 * for the next dataplane, and who gets the lock knows that they have ended.
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
	int fd;  /* -1: not open; always so for null volumes */
	int pin; /* O_PATH: keeps the file of a volume, but no lock on it, until it is opened anew; -1 */
	bool direct, block_device;
	bool opening; /* a request for it is with the monitor */
	bool wanted;  /* to be opened as soon as the monitor has time */
	bool locked;  /* somebody else has it: to be tried again soon */
	bool told;    /* and an event has told so */
	uint64_t locked_since_us;
	uint32_t align_bytes, memory_align_bytes;
	uint64_t device, inode;                 /* of a file or device; 0: none, or memory */
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
/* The dataplane is gone: give up the descriptors that it had, but for memory. */
void backing_let_go(struct backing *backing);
void backing_let_go_all(struct daemon *daemon);
/* Open anew what was given up, and push it.  settled as above; what somebody else has (file_open.h) counts as answered,
 * and is tried again and again.  One at a time: what is under way is left out, and only the last settled is called. */
void backing_open_again(struct daemon *daemon, void (*settled)(struct daemon *daemon));
/* What opening the store takes.  Returns the descriptor to send along, -1: none. */
int backing_request(const struct backing *backing, const struct volume_row *row, struct monitor_file *request);
/* Open the file of one volume; afterwards it is pushed.  Does nothing while one is under way. */
void backing_open_file(struct daemon *daemon, const struct volume_row *row);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files and devices behind volumes: where they may lie, how they are opened,
 * made, grown and erased.  Runs in short-lived processes of the privileged half,
 * so it may block.
 *
 * A path is resolved once, the result must lie inside an allowed prefix, and what
 * is then opened, made or removed may not follow any symbolic link.  The prefix /dev
 * grants block devices only: /dev/shm is everybody's.  What wherryd keeps for itself
 * is nobody's volume, also when a prefix encloses it.
 */
#pragma once

#include <stdbool.h>

#include "daemon/monitor_msg.h"

#define FILE_PREFIX_COUNT_MAX 16
#define FILE_OWN_COUNT_MAX 2 /* directories of the state and of the sockets */

struct file_policy {
	unsigned prefix_count, own_count;
	char prefixes[FILE_PREFIX_COUNT_MAX][WHERRY_PATH_BYTES_MAX + 1]; /* resolved, no '/' at the end */
	char own[FILE_OWN_COUNT_MAX][WHERRY_PATH_BYTES_MAX + 1];         /* likewise */
};

/* Add an allowed prefix, resolving it.  One that does not exist yet is taken as written.  0, -EINVAL, -ENOSPC. */
int file_policy_add(struct file_policy *policy, const char *prefix);
/* Keep a directory of wherryd's own out, except what a longer allowed prefix inside it grants.  As file_policy_add. */
int file_policy_keep_out(struct file_policy *policy, const char *directory);
/* A resolved path: 0 when allowed, else -1 with the reason. */
int file_policy_check(const struct file_policy *policy, const char *resolved, bool block_device, struct fail *fail);

/*
 * Open (with FILE_CREATE: make, then open) the file of a request; with FILE_ANEW
 * the one that pin (O_PATH, borrowed; else unused) stands for, which may have been
 * moved or unlinked meanwhile.  The descriptor is locked against every other
 * opener that locks, direct where possible, and has passed a read at the
 * alignment reported.  Returns it with *result filled in, or -1 with the reason
 * in fail; MONITOR_RESULT_LOCKED in result->flags when somebody else has it.  A
 * file made by a request that fails is removed again.
 *
 * The locks (flock, and F_OFD_SETLK over all of it, which QEMU heeds) and the
 * claim on a device (O_EXCL) belong to the open file description.  Every request
 * in the kernel holds a reference to that, also after the process was killed: who
 * gets the lock knows that no write of an earlier holder is still on its way.
 */
int file_open(const struct file_policy *policy, const struct monitor_file *request, int pin,
	      struct monitor_file_result *result, struct fail *fail);
/* Make a regular file at least size_bytes long, sparse where it is sparse already; a device must have the size.
 * fd is writable, or its size suffices.  0 or -1. */
int file_grow(int fd, const char *path, uint64_t size_bytes, struct monitor_file_result *result, struct fail *fail);
/* Remove a regular file.  0 or -1. */
int file_erase(const struct file_policy *policy, const struct monitor_file *request, struct fail *fail);

/* What an open descriptor is: size, identity, alignment, direct or not.  0 or -errno.  Needs no privilege. */
int file_describe(int fd, struct monitor_file_result *result);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up what only the start needed.  Main thread; the C library carries the
 * change of user to every thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * While still root, before the EAL: no limit on locked memory, which packets and
 * registered I/O buffers need afterwards, and one descriptor limit for all the
 * volumes to come.  0 or -errno.
 */
int privileges_prepare(void);

/*
 * Become uid:gid for good, without supplementary groups or capabilities, unable
 * to gain any by exec.  keep_net_admin: the main thread keeps CAP_NET_ADMIN
 * permitted, but not effective, so that AF_XDP ports can take their program off
 * the interface at the end.  0, or -errno with a sentence in error.
 */
int privileges_drop(uid_t uid, gid_t gid, bool keep_net_admin, char *error, size_t error_bytes);

/* Make the kept CAP_NET_ADMIN effective; nothing when there is none. */
void privileges_raise_net_admin(void);

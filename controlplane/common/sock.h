/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets with descriptors beside the bytes.  Every descriptor made or
 * received here is close-on-exec.  Any thread.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Connect to a path.  type: SOCK_STREAM or SOCK_SEQPACKET, flags such as SOCK_NONBLOCK allowed.
 * The descriptor, or -errno (-ENAMETOOLONG for a path that does not fit a socket address). */
int sock_connect(const char *path, int type);
/* Bind and listen, replacing whatever lies at the path; mode is set before anybody can connect.
 * The descriptor, or -errno. */
int sock_listen(const char *path, int type, mode_t mode);

/* One sendmsg; fd < 0: no descriptor.  Never raises SIGPIPE.  Bytes sent, or -errno. */
ssize_t sock_send(int sock, const void *bytes, size_t len, int fd);
/* One recvmsg; *fd becomes the descriptor that came, or -1; more than one are closed.  The caller owns *fd.
 * Bytes received, 0 at the end, -errno; -EMSGSIZE when a packet was longer than len (nothing is kept of it). */
ssize_t sock_recv(int sock, void *bytes, size_t len, int *fd);

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams over the kernel's TCP, for real clients against the real server code.
 * One thread, one epoll.  A buffer is released when the kernel has copied it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/stream.h"

struct host_loop;

/* accept as tcp_accept_fn: fill in handler and ctx, or return false.  NULL with errno. */
struct host_loop *host_loop_create(bool (*accept)(void *ctx, struct stream *stream), void *ctx);
/* Listen on all addresses, IPv4 and IPv6; port 0: any.  The port, or -errno. */
int host_loop_listen(struct host_loop *loop, uint16_t port);
/* Events, callbacks, deferred ends.  Returns how many things happened. */
unsigned host_loop_poll(struct host_loop *loop, int timeout_ms);

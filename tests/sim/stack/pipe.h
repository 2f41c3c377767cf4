/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection as an initiator sees it, whichever TCP is below.
 *
 * closed is the last call.  After abort or forget nothing is called any more.
 */
#pragma once

#include "../core.h"

struct pipe_handler {
	void (*open)(void *ctx);
	void (*data)(void *ctx, const uint8_t *bytes, uint32_t len_bytes);
	void (*end)(void *ctx); /* the peer sends no more */
	void (*closed)(void *ctx);
};

struct pipe;
struct pipe_ops {
	void (*send)(struct pipe *pipe, const uint8_t *bytes, uint32_t len_bytes); /* copies */
	void (*shutdown)(struct pipe *pipe);
	void (*abort)(struct pipe *pipe);
};

/* First member of every implementation. */
struct pipe {
	const struct pipe_ops *ops;
	const struct pipe_handler *handler; /* NULL: nobody cares any more */
	void *ctx;
};

/* A machine with initiators on it. */
struct host;
struct host_ops {
	/* NULL: not now. */
	struct pipe *(*connect)(struct host *host, const struct pipe_handler *handler, void *ctx);
	/* It is switched off, without a word, and on again. */
	void (*reboot)(struct host *host);
	/* It has another MAC address. */
	void (*move)(struct host *host);
	/* Is anything overdue, or wrong?  Ends the run then. */
	void (*check)(struct host *host);
	/* NULL: nothing is left of any connection. */
	const char *(*leak)(struct host *host);
	void (*fini)(struct host *host);
};

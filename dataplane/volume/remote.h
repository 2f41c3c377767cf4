/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a protocol on any lcore reaches a volume, which lives on one.
 *
 * vol_port_submit() submits at once where the volume is at home; elsewhere it
 * passes the request, by pointer, to the volume's lcore and lets done run on the
 * lcore that submitted.  The volume's ordering of overlapping requests holds in
 * the order in which they reach its home.  Buffers are reachable from every
 * lcore; the request and what it points at stay untouched until done.
 */
#pragma once

#include <stdint.h>

#include "volume/volume.h"

/* Carries requests of one lcore away and their completions back; lcore/'s in production. */
struct vol_carrier {
	void *ctx;
	/* Pass to the home of the request's volume.  Never fails: requests are linked, not copied. */
	void (*carry)(void *ctx, unsigned home, struct vol_request *request);
};

/* One protocol object's handle of a volume, on one lcore.  Immutable while requests are under way. */
struct vol_port {
	struct volume *volume;
	unsigned home;                     /* worker index of the volume */
	const struct vol_carrier *carrier; /* NULL: this lcore is its home */
};

static inline void vol_port_submit(const struct vol_port *port, struct vol_request *request)
{
	if (!port->carrier) {
		vol_submit(port->volume, request);
		return;
	}
	request->volume = port->volume;
	port->carrier->carry(port->carrier->ctx, port->home, request);
}

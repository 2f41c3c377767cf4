/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who was hindered, and when: the referee's book.
 *
 * TCP may be slow only for a reason.  The simulation knows every reason: each
 * frame that was lost, damaged or had nowhere to go harms its flow; a window that
 * is closed, a stalled thread or an empty pool harms those that it stops.  When
 * nothing has harmed a flow since H and it last got on at P, its next
 * transmission is due by P + 2 (H - P) + R: each timeout doubles the time before
 * the next one (RFC 6298 5.5), so a gap is never longer than all the time before
 * it and the first timeout; and a gap is never longer than 60 s and R.
 */
#pragma once

#include "../core.h"

#define HOST_MAX 5
#define FLOW_SLOTS 256u

struct flows {
	struct sim *sim;
	uint64_t by_port[HOST_MAX][FLOW_SLOTS]; /* last harm */
	uint64_t by_host[HOST_MAX];
	uint64_t all_ns;
	uint64_t slack_ns; /* R */
};

void flows_init(struct flows *flows, struct sim *sim);
/* This frame did not, or may not, arrive. */
void flows_harm(struct flows *flows, const uint8_t *frame, uint32_t len_bytes, const char *how);
void flows_harm_port(struct flows *flows, unsigned host, uint16_t port);
void flows_harm_host(struct flows *flows, unsigned host);
void flows_harm_all(struct flows *flows);
/* How many nanoseconds ago should a flow that last got on then have got on again?  0: it may wait. */
uint64_t flows_overdue_ns(const struct flows *flows, unsigned host, uint16_t port, uint64_t progress_ns);

/* The last byte of a host's addresses. */
static inline uint8_t host_number(unsigned host)
{
	return (uint8_t)(10 + host);
}

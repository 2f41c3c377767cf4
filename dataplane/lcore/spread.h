/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker polls which queue of a port.  Pure.
 *
 * AoE comes in on the first queue of a NIC, because receive-side scaling knows no
 * frames without IP.  So each port begins with another worker: else the first
 * worker would receive for all ports.
 */
#pragma once

/* The worker that polls receive queue `queue`, and that alone sends on transmit queue `queue`, of a port. */
static inline unsigned spread_owner(unsigned port, unsigned queue, unsigned worker_count)
{
	return (port + queue) % worker_count;
}

/* The transmit queue of a port that carries a worker's answers; spread_owner tells whose it is. */
static inline unsigned spread_tx_queue(unsigned port, unsigned worker, unsigned queue_count, unsigned worker_count)
{
	return (worker + worker_count - port % worker_count) % worker_count % queue_count;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clients that one worker has heard, by (MAC, port, VLAN).
 *
 * All memory is there from the start; when it is full the client that was
 * silent longest is forgotten.  The hash is keyed with a secret seed, so that
 * invented MAC addresses cannot pile up in one place.
 *
 * Thread: the worker that owns the table; creation on the main lcore.
 */
#pragma once

#include <stdint.h>

#include "lcore/worker.h"

struct client_table;

/* Room for count clients (at most 32768).  seed: random and secret.  NULL without memory. */
struct client_table *client_table_create(unsigned count, const uint64_t seed[2]);
void client_table_destroy(struct client_table *table);

/*
 * The record of a client, new when it was not known; never NULL.  Sets
 * last_seen_us, adds to *evicted when another one had to be forgotten.  Valid
 * until the next call.
 */
struct client_record *client_table_touch(struct client_table *table, const uint8_t mac[6], uint16_t port_index,
					 uint16_t vlan, uint64_t now_us, uint64_t *evicted);

/* Copy up to max records, the one heard last first.  Returns how many. */
unsigned client_table_copy(const struct client_table *table, struct client_record *to, unsigned max);

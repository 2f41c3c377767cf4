/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, routes, TCP and the listening port of NBD, checked against limits
 * and against each other.  As in model.h: inside a transaction of the caller, 0 or
 * -1 with a reason that names the object and the remedy.  Thread: the daemon's.
 */
#pragma once

#include "daemon/model.h"

extern const char *const model_congestion_names[]; /* indexed by enum wherry_tcp_congestion, ended by NULL */

/*
 * The whole of addresses and routes: each is sound, on a port that exists and a
 * VLAN of it, none comes twice, every gateway is on the network of an address.
 * Objects are looked at in order, so the reason names the newest one that does not
 * fit.  Pure.  bad: index of the address, or address_count plus that of the route; may be NULL.
 */
int model_net_check(const struct net_rows *rows, const struct port_row *ports, int port_count, unsigned *bad,
		    struct fail *fail);
/* What can be said about one by itself.  Pure. */
int model_address_check(const struct address_row *row, struct fail *fail);
int model_route_check(const struct route_row *row, struct fail *fail);

int model_address_add(struct state *state, const struct address_row *row, struct fail *fail);
/* Refused while the gateway of a route is reached by it.  bits of the row: of no meaning. */
int model_address_delete(struct state *state, const struct address_row *row, struct fail *fail);
int model_route_add(struct state *state, const struct route_row *row, struct fail *fail);
int model_route_delete(struct state *state, const struct text_prefix *prefix, struct fail *fail);
/* All of them at once; nothing happens when they are the same. */
int model_net_set(struct state *state, const struct net_rows *rows, struct fail *fail);
bool model_net_equal(const struct net_rows *a, const struct net_rows *b);

/* Do the addresses that are there still fit this port? */
int model_net_check_port(struct state *state, const struct port_row *port, struct fail *fail);
/* An address of the port: FAIL_CONFLICT. */
int model_net_port_is_free(struct state *state, const char *port_name, struct fail *fail);

int model_network_check(const struct network_row *row, struct fail *fail);
/* code: of the event, "tcp.changed" or "nbd.changed". */
int model_network_set(struct state *state, const struct network_row *row, const char *code, struct fail *fail);

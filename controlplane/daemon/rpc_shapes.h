/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects as the clients see them: their shape, and rows turned into it.
 * Functions return new references, NULL without memory.
 */
#pragma once

#include <jansson.h>

#include "daemon/rpc_schema.h"
#include "daemon/state.h"

extern const struct rpc_schema rpc_volume, rpc_volume_list, rpc_event, rpc_event_list, rpc_export, rpc_export_list,
	rpc_remote, rpc_port, rpc_port_list, rpc_lcore_list, rpc_client_list, rpc_address, rpc_address_list, rpc_route,
	rpc_route_list, rpc_tcp, rpc_nbd, rpc_nbd_export, rpc_nbd_export_list, rpc_neighbour_list, rpc_connection_list,
	rpc_session_list, rpc_prefixes;
extern const char *const rpc_backend_names[];  /* indexed by enum wherry_backend - 1, ended by NULL */
extern const char *const rpc_severity_names[]; /* indexed by enum wherry_severity, ended by NULL */

/* What is known of a volume beside its row. */
struct volume_view {
	bool direct;
	bool online;        /* the dataplane serves it */
	int lcore;          /* its home, -1 unknown */
	const char *detail; /* fall-backs and troubles, "" when none */
};
json_t *rpc_volume_json(struct state *state, const struct volume_row *row, const struct volume_view *view);
/* ports: all of the state. */
json_t *rpc_export_json(const struct export_row *row, const struct port_row *ports, unsigned port_count);
json_t *rpc_vlans_json(const uint16_t *vlans, unsigned count);
json_t *rpc_address_json(const struct address_row *row);
json_t *rpc_route_json(const struct route_row *row);
json_t *rpc_tcp_json(const struct network_row *row);
json_t *rpc_nbd_json(const struct network_row *row);
json_t *rpc_nbd_export_json(const struct nbd_export_row *row);
json_t *rpc_event_json(const struct event_row *row);

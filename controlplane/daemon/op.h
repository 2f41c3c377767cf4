/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations: what a call sets in motion across state, files and dataplane.
 *
 * Every function takes over its call and answers it, at once or later.  Order
 * of every change: files are opened or made, the state commits, the dataplane is
 * told.  What failed before the commit leaves nothing behind.
 */
#pragma once

#include "daemon/daemon.h"
#include "daemon/rpc.h"
#include "daemon/state.h"

/* With what the dataplane counts, as far as it answers in time. */
void op_daemon_status(struct rpc_call *call);

struct op_volume_create {
	struct volume_row row;
	bool create_file, sparse;
};
void op_volume_create(struct rpc_call *call, const struct op_volume_create *create);
void op_volume_grow(struct rpc_call *call, const char *name, uint64_t size_bytes);
/* row: the current one with read_only, write_back, online and fault as wanted. */
void op_volume_set(struct rpc_call *call, struct volume_row *row);
void op_volume_delete(struct rpc_call *call, const char *name, bool erase_file);
/* One volume, or the list of all when name is NULL. */
void op_volume_list(struct rpc_call *call, const char *name);

/* row: complete, but for what the state fills in. */
void op_export_create(struct rpc_call *call, const struct export_row *row);
/* row: the current one with the settings wanted. */
void op_export_set(struct rpc_call *call, const struct export_row *row);
void op_export_delete(struct rpc_call *call, uint16_t shelf, uint8_t slot);
void op_export_list(struct rpc_call *call);
void op_reply_export(struct rpc_call *call, uint16_t shelf, uint8_t slot);

enum op_state_kind { OP_MASK_ADD, OP_MASK_REMOVE, OP_MASK_PUT, OP_RESERVE_PUT, OP_CONFIG_PUT };
struct op_state_change {
	enum op_state_kind kind;
	unsigned count;
	struct wherry_mac macs[WHERRY_AOE_RESERVE_COUNT_MAX];
	size_t config_bytes;
	uint8_t config[WHERRY_AOE_CONFIG_BYTES_MAX];
};
void op_export_state(struct rpc_call *call, uint16_t shelf, uint8_t slot, const struct op_state_change *change);

void op_port_add(struct rpc_call *call, const struct port_row *row);
/* row: the current one with MTU and VLANs as wanted. */
void op_port_set(struct rpc_call *call, const struct port_row *row);
void op_port_remove(struct rpc_call *call, const char *name);
void op_port_list(struct rpc_call *call);
void op_lcore_list(struct rpc_call *call);
void op_lcore_set(struct rpc_call *call, const struct runtime_row *row);
void op_idle_set(struct rpc_call *call, const struct runtime_row *row);
void op_client_list(struct rpc_call *call);

/* row: complete, but for what the state fills in. */
void op_nbd_create(struct rpc_call *call, const struct nbd_export_row *row);
/* row: the current one with the settings wanted. */
void op_nbd_set(struct rpc_call *call, const struct nbd_export_row *row);
void op_nbd_delete(struct rpc_call *call, const char *name);
void op_nbd_list(struct rpc_call *call);
void op_reply_nbd(struct rpc_call *call, const char *name);
void op_nbd_session_list(struct rpc_call *call);

void op_address_add(struct rpc_call *call, const struct address_row *row);
void op_address_delete(struct rpc_call *call, const struct address_row *row);
void op_route_add(struct rpc_call *call, const struct route_row *row);
void op_route_delete(struct rpc_call *call, const struct text_prefix *prefix);
/* row: the current one with the settings wanted. */
void op_tcp_set(struct rpc_call *call, const struct network_row *row);
void op_nbd_listen(struct rpc_call *call, const struct network_row *row);
void op_neighbour_list(struct rpc_call *call);
void op_connection_list(struct rpc_call *call);

/* scope: enum wherry_stat_scope; object: name of one, NULL for all. */
void op_stats_get(struct rpc_call *call, unsigned scope, const char *object, bool histograms);

/* The text of the whole configuration. */
void op_config_export(struct rpc_call *call);
/* What applying would change; with apply, do it. */
void op_config_apply(struct rpc_call *call, const char *text, bool apply);
/* Apply a file before anything is served; applied gets NULL, or the reason. */
void op_config_apply_file(struct daemon *daemon, const char *path,
			  void (*applied)(struct daemon *daemon, const struct fail *fail));

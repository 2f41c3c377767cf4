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

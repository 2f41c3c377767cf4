/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/rpc_tables.h"

const struct rpc_method *const rpc_tables[] = {
	rpc_table_daemon, rpc_table_volume, rpc_table_aoe,   rpc_table_plane,   rpc_table_net,
	rpc_table_nbd,    rpc_table_config, rpc_table_event, rpc_table_capture, NULL,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* Every table of methods; rpc_tables.c strings them together. */
#pragma once

#include "daemon/rpc.h"

extern const struct rpc_method rpc_table_daemon[], rpc_table_volume[], rpc_table_aoe[], rpc_table_plane[],
	rpc_table_net[], rpc_table_nbd[], rpc_table_config[], rpc_table_event[], rpc_table_capture[];

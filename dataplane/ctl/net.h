/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, routes and settings of the stack, and what it knows.  Main lcore. */
#pragma once

#include "ctl/volumes.h"
#include "wherry/ctl.h"

void ctl_on_net_put(struct ctl_request *request, const struct wherry_ctl_net_put *m);
void ctl_on_tcp_put(struct ctl_request *request, const struct wherry_ctl_tcp_put *m);
void ctl_on_neighbour_list(struct ctl_request *request, const struct wherry_ctl_neighbour_list *m);
void ctl_on_connection_list(struct ctl_request *request, const struct wherry_ctl_connection_list *m);

/* The gate has opened, or a link came up: tell the neighbours who we are. */
void ctl_net_announce(void);
/* The workers have stopped. */
void ctl_net_close(void);

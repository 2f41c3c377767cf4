/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are answered with a list of items.  Main lcore. */
#pragma once

#include "ctl/volumes.h"
#include "wherry/ctl.h"

void ctl_on_volume_list(struct ctl_request *request, const struct wherry_ctl_volume_list *m);
void ctl_on_port_list(struct ctl_request *request, const struct wherry_ctl_port_list *m);
void ctl_on_lcore_list(struct ctl_request *request, const struct wherry_ctl_lcore_list *m);
void ctl_on_client_list(struct ctl_request *request, const struct wherry_ctl_client_list *m);
void ctl_on_stats_get(struct ctl_request *request, const struct wherry_ctl_stats_get *m);

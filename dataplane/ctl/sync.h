/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYNC_BEGIN ... SYNC_END: a whole configuration.  Main lcore.
 *
 * At the end: what was not put is removed, the routes are published, exports are
 * handed to their workers, and only when all workers have theirs is the gate
 * opened everywhere and every export advertised.
 */
#pragma once

#include <stdbool.h>

#include "ctl/volumes.h"
#include "wherry/ctl.h"

void ctl_on_sync_begin(struct ctl_request *request, const struct wherry_ctl_sync_begin *m);
void ctl_on_sync_end(struct ctl_request *request, const struct wherry_ctl_sync_end *m);
/* Between the two messages. */
bool ctl_sync_active(void);
/* The controller is gone: what was put takes effect, nothing is removed, the gate stays as it is. */
void ctl_sync_abort(void);
/* The workers have stopped. */
void ctl_sync_close(void);

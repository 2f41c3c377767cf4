/* SPDX-License-Identifier: BSD-3-Clause */
/* Watches the backing stores of all volumes.  Main lcore. */
#pragma once

#include <stdint.h>

#include "ctl/volumes.h"

/* Once a second: sizes, unlinked files, failed I/O. */
void ctl_watch_tick(uint64_t now_ns);
/* The store of a file volume has have_bytes only: mark it out of service and report that.  The caller tells the
 * worker. */
void ctl_watch_store_short(struct ctl_volume *volume, uint64_t have_bytes);

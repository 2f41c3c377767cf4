/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures: frames of a port or a client, as pcapng to a descriptor.
 *
 * A tap on each worker copies what matches into a ring of its own (dropping and
 * counting when that is full); main takes it out, in order of time, and writes
 * without ever waiting for the reader.  A capture ends by count, time, request,
 * failure to write, or with the controller that asked for it.
 */
#pragma once

#include "ctl/volumes.h"
#include "wherry/ctl.h"

#define CTL_CAPTURE_COUNT_MAX 4       /* running at once */
#define CTL_CAPTURE_KEPT_COUNT_MAX 16 /* ended ones that CAPTURE_GET still knows */

void ctl_on_capture_start(struct ctl_request *request, const struct wherry_ctl_capture_start *m);
void ctl_on_capture_stop(struct ctl_request *request, const struct wherry_ctl_capture_stop *m);
void ctl_on_capture_get(struct ctl_request *request, const struct wherry_ctl_capture_get *m);
void ctl_capture_controller_went(void);
/* The workers have stopped. */
void ctl_capture_close(void);

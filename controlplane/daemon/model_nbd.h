/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD exports, checked.  As in model.h: inside a transaction of the caller, 0 or
 * -1 with a reason that names the object and the remedy.  Thread: the daemon's.
 */
#pragma once

#include "daemon/model.h"

/* What can be said about an export by itself.  Pure. */
int model_nbd_check(const struct nbd_export_row *row, struct fail *fail);
int model_nbd_create(struct state *state, struct nbd_export_row *row, struct fail *fail);
/* Record description, read_only, is_default and allow as changed in row. */
int model_nbd_set(struct state *state, struct nbd_export_row *row, struct fail *fail);
int model_nbd_delete(struct state *state, const struct nbd_export_row *row, struct fail *fail);

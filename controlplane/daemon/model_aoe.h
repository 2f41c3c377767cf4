/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AoE exports and their durable state.  As in model.h: functions that change run
 * inside a transaction of the caller.
 */
#pragma once

#include "daemon/model.h"

/* What can be said about an export without the state. */
int model_export_check(const struct export_row *row, struct fail *fail);
/* volume_id, ports by id and address are filled in. */
int model_export_create(struct state *state, struct export_row *row, struct fail *fail);
int model_export_set(struct state *state, struct export_row *row, struct fail *fail);
int model_export_delete(struct state *state, const struct export_row *row, struct fail *fail);

/* ---- durable state, by the operator.  row is the current one and becomes the new one; nothing happens when
 * the change is none. */
int model_mask_add(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		   struct fail *fail);
int model_mask_remove(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		      struct fail *fail);
/* The whole list; count 0 clears. */
int model_mask_put(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		   struct fail *fail);
int model_reserve_put(struct state *state, struct export_row *row, const struct wherry_mac *macs, unsigned count,
		      struct fail *fail);
int model_config_put(struct state *state, struct export_row *row, const uint8_t *config, size_t len, struct fail *fail);

/* ---- by a client, through the dataplane */
enum model_persist {
	MODEL_PERSIST_DONE,    /* row holds the state to be told, whether it is new or was there */
	MODEL_PERSIST_STALE,   /* computed on another state than the row's */
	MODEL_PERSIST_REFUSED, /* fail says why */
};
/*
 * Decide on a change and apply it to row, without the database.  *changed: row is
 * to be stored with state_export_put_state.
 */
enum model_persist model_persist_decide(const struct wherry_ctl_aoe_persist *change, struct export_row *row,
					bool *changed, struct fail *fail);

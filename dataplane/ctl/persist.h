/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Durable AoE state on its way to the control plane and back.
 *
 * A worker copies the change into one of its slots and posts the slot to main;
 * main asks the controller; the answer, an error, the controller's end or the
 * silence of WHERRY_CTL_ANSWER_SECONDS goes back to the worker in the same slot.
 * So aoe_on_persisted is called exactly once for every accepted change.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lcore/worker.h"
#include "wherry/ctl.h"

#define CTL_PERSIST_SLOT_BITS 6
#define CTL_PERSIST_SLOT_COUNT (1u << CTL_PERSIST_SLOT_BITS) /* changes under way per worker */

/* Make the slots of all workers and set the hook.  False without memory.  Main lcore, workers do not run yet. */
bool ctl_persist_open(void);
/* The workers have stopped. */
void ctl_persist_close(void);

/* ---- main lcore ---- */

void ctl_persist_controller_came(void);
void ctl_persist_controller_went(void);
/* The controller's answer.  An id that is not under way is ignored. */
void ctl_on_aoe_persisted(uint32_t request_id, const struct wherry_ctl_aoe_persisted *m);
void ctl_on_persist_error(uint32_t request_id, uint32_t error);
/* A change has been waiting for its answer for too long: the controller is dead. */
bool ctl_persist_overdue(uint64_t now_ns);

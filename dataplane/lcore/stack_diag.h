/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The diagnostic service (diag/) on a worker's stack, where -Ddiag=true compiles
 * it in; nothing at all elsewhere.
 *
 * For stack.c only, which calls each at its own moment of the same name.
 */
#pragma once

#include "lcore/worker.h"

#ifdef WHERRY_DIAG

uint64_t stack_diag_memory_bytes(void);
/* Listens on DIAG_PORT of every address.  0 or -ENOMEM, -ENOSPC. */
int stack_diag_create(struct worker *worker);
/* After the end of every stream. */
void stack_diag_destroy(struct worker *worker);
unsigned stack_diag_poll(struct worker *worker);

#else

static inline uint64_t stack_diag_memory_bytes(void)
{
	return 0;
}

static inline int stack_diag_create(struct worker *worker)
{
	(void)worker;
	return 0;
}

static inline void stack_diag_destroy(struct worker *worker)
{
	(void)worker;
}

static inline unsigned stack_diag_poll(struct worker *worker)
{
	(void)worker;
	return 0;
}

#endif

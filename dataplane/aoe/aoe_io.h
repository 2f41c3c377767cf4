/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O requests, between ata_io.c and trim.c.  Owning lcore only.
 *
 * The pool gives out first what it was given last, which is still in the cache.
 */
#pragma once

#include "aoe/aoe_priv.h"

/* NULL, counted, when the pool is empty. */
static inline struct aoe_request *aoe_request_get(struct aoe_call *call)
{
	struct aoe_lcore *lcore = call->lcore;
	struct aoe_request *request = lcore->free_requests;
	if (!request) {
		lcore->env.lcore_stats[WHERRY_LCORE_aoe_drop_no_request]++;
		return NULL;
	}
	lcore->free_requests = request->next;
	request->export_ = call->export_;
	call->export_->io_count++;
	return request;
}

static inline void aoe_request_put(struct aoe_request *request)
{
	struct aoe_lcore *lcore = request->lcore;
	request->export_->io_count--;
	request->next = lcore->free_requests;
	lcore->free_requests = request;
}

/* A request that keeps the call's packet, counted as under way; NULL, counted, when the pool is empty. */
struct aoe_request *aoe_io_begin(struct aoe_call *call, uint8_t kind);
/*
 * Build the answer and free the request.  When the call that began it is over
 * (request->call is NULL), the packet is sent or freed as well; otherwise that
 * is up to the call, by the verdict.
 */
enum aoe_verdict aoe_io_complete(struct aoe_request *request, enum io_status status);

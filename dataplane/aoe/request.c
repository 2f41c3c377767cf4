/* SPDX-License-Identifier: BSD-3-Clause */
/* The lcore's pool of I/O requests: last in, first out, so that the one used next is still in the cache. */
#include "aoe/aoe_priv.h"

struct aoe_request *aoe_request_get(struct aoe_call *call)
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

void aoe_request_put(struct aoe_request *request)
{
	struct aoe_lcore *lcore = request->lcore;
	request->export_->io_count--;
	request->next = lcore->free_requests;
	lcore->free_requests = request;
}

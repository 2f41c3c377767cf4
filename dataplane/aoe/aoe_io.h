/* SPDX-License-Identifier: BSD-3-Clause */
/* I/O requests, between ata_io.c and trim.c.  Owning lcore only. */
#pragma once

#include "aoe/aoe_priv.h"

/* A request that keeps the call's packet, counted as under way; NULL, counted, when the pool is empty. */
struct aoe_request *aoe_io_begin(struct aoe_call *call, uint8_t kind);
/*
 * Build the answer and free the request.  When the call that began it is over
 * (request->client is NULL), the packet is sent or freed as well; otherwise that
 * is up to the call, by the verdict.
 */
enum aoe_verdict aoe_io_complete(struct aoe_request *request, enum io_status status);

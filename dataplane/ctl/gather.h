/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of records that the workers keep: each worker in turn copies a few into a
 * buffer, by a job, which are then sent.  Main lcore, but for copy.
 */
#pragma once

#include <stdint.h>

#include "ctl/connection.h"
#include "ctl/server.h"
#include "lcore/worker.h"

struct ctl_request;

/* What one list is made of. */
struct ctl_gather_kind {
	const char *what; /* for errors: "connections" */
	uint32_t record_bytes;
	uint32_t record_count; /* copied at once */
	/* On the worker: up to max records from *cursor on (0 at first).  Returns how many; 0: no more. */
	unsigned (*copy)(struct worker *worker, uint32_t *cursor, void *records, unsigned max);
	/* One message: its length in packet. */
	size_t (*put)(const void *record, const struct worker *worker, uint32_t request_id, uint8_t *packet,
		      size_t packet_bytes);
};

void ctl_gather_start(struct ctl_request *request, const struct ctl_gather_kind *kind);

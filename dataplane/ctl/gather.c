/* SPDX-License-Identifier: BSD-3-Clause */
/* See gather.h.  copy_run is the worker's. */
#include "ctl/gather.h"

#include <stdlib.h>

#include "ctl/job.h"
#include "ctl/server_priv.h"
#include "ctl/volumes.h"

#define GATHER_COUNT_MAX 8 /* lists under way at once, each with a buffer */

static unsigned gather_count;

struct gather {
	struct ctl_stream stream;
	struct ctl_task task;
	struct job job;
	const struct ctl_gather_kind *kind;
	bool copying; /* the worker has the buffer */
	bool orphan;  /* the connection closed meanwhile */
	unsigned worker_index;
	uint32_t cursor;
	unsigned at, count; /* of records */
	uint8_t *records;
};

static void gather_free(struct ctl_task *task)
{
	struct gather *gather = CTL_CONTAINER_OF(task, struct gather, task);
	gather_count--;
	free(gather->records);
	free(gather);
}

static void gather_destroy(struct ctl_stream *stream)
{
	struct gather *gather = CTL_CONTAINER_OF(stream, struct gather, stream);
	if (gather->copying) {
		gather->orphan = true;
		return;
	}
	ctl_task_forget(&gather->task);
	gather_free(&gather->task);
}

static void copy_run(struct worker *worker, struct job *job)
{
	struct gather *gather = CTL_CONTAINER_OF(job, struct gather, job);
	gather->count = gather->kind->copy(worker, &gather->cursor, gather->records, gather->kind->record_count);
}

static void copy_finished(struct job *job)
{
	struct gather *gather = CTL_CONTAINER_OF(job, struct gather, job);
	gather->copying = false;
	gather->at = 0;
	if (gather->count == 0) {
		gather->worker_index++;
		gather->cursor = 0;
	}
	if (gather->orphan)
		gather_destroy(&gather->stream);
	else
		ctl_stream_resume(&gather->stream);
}

static enum ctl_stream_state gather_step(struct ctl_stream *stream)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct gather *gather = CTL_CONTAINER_OF(stream, struct gather, stream);
	if (gather->at < gather->count) {
		const uint8_t *record = gather->records + (size_t)gather->at++ * gather->kind->record_bytes;
		size_t len = gather->kind->put(record, worker_at(gather->worker_index), stream->reply.request_id,
					       packet, sizeof packet);
		ctl_stream_send(stream, packet, len);
		return CTL_STREAM_MORE;
	}
	if (gather->worker_index == worker_count())
		return CTL_STREAM_DONE;
	gather->copying = true;
	gather->job = (struct job){.run = copy_run, .finished = copy_finished};
	worker_post(worker_at(gather->worker_index), &gather->job);
	return CTL_STREAM_WAIT;
}

void ctl_gather_start(struct ctl_request *request, const struct ctl_gather_kind *kind)
{
	if (gather_count == GATHER_COUNT_MAX) {
		ctl_reply_error(request->reply, EBUSY, "%u lists of %s and others are under way: try again",
				gather_count, kind->what);
		return;
	}
	struct gather *gather = calloc(1, sizeof *gather);
	if (gather)
		gather->records = calloc(kind->record_count, kind->record_bytes);
	if (!gather || !gather->records) {
		free(gather);
		ctl_reply_error(request->reply, ENOMEM, "no memory for the list of %s", kind->what);
		return;
	}
	gather_count++;
	ctl_task_register(&gather->task, gather_free);
	gather->kind = kind;
	gather->stream.reply = request->reply;
	gather->stream.step = gather_step;
	gather->stream.destroy = gather_destroy;
	ctl_stream_start(&gather->stream);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLIENT_LIST: each worker in turn copies its table into a buffer, which is then
 * sent.  Main lcore; copy_run is the worker's.
 */
#include <stdlib.h>

#include "ctl/lists.h"
#include "ctl/server_priv.h"

#define WALK_COUNT_MAX 8 /* lists under way at once, each with a buffer */

static unsigned walk_count;

struct client_walk {
	struct ctl_stream stream;
	struct ctl_task task;
	struct job job;
	bool copying; /* the worker has the buffer */
	bool orphan;  /* the connection closed meanwhile */
	unsigned worker_index;
	unsigned at, count; /* of records */
	struct client_record records[WHERRY_CLIENT_COUNT_MAX];
};

static void client_walk_free(struct ctl_task *task)
{
	walk_count--;
	free(CTL_CONTAINER_OF(task, struct client_walk, task));
}

static void client_walk_destroy(struct ctl_stream *stream)
{
	struct client_walk *walk = CTL_CONTAINER_OF(stream, struct client_walk, stream);
	if (walk->copying) {
		walk->orphan = true;
		return;
	}
	ctl_task_forget(&walk->task);
	client_walk_free(&walk->task);
}

static void copy_run(struct worker *worker, struct job *job)
{
	struct client_walk *walk = CTL_CONTAINER_OF(job, struct client_walk, job);
	walk->count = worker_client_copy(worker, walk->records, WHERRY_CLIENT_COUNT_MAX);
}

static void copy_finished(struct job *job)
{
	struct client_walk *walk = CTL_CONTAINER_OF(job, struct client_walk, job);
	walk->copying = false;
	walk->at = 0;
	if (walk->orphan)
		client_walk_destroy(&walk->stream);
	else
		ctl_stream_resume(&walk->stream);
}

static void send_client(struct client_walk *walk, const struct client_record *record)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct wherry_ctl_client_item m = {
		.mac = {.count = 1},
		.port = record->port_index,
		.vlan = record->vlan,
		.lcore = (uint16_t)walk->worker_index,
		.first_seen_us = record->first_seen_us,
		.last_seen_us = record->last_seen_us,
		.values = {.count = WHERRY_CLIENT_STAT_COUNT},
	};
	memcpy(m.mac.mac[0].b, record->mac, sizeof record->mac);
	memcpy(m.values.v, record->stats, sizeof record->stats);
	ctl_stream_send(&walk->stream, packet,
			wherry_ctl_put_client_item(packet, sizeof packet, walk->stream.reply.request_id, &m));
}

static enum ctl_stream_state client_walk_step(struct ctl_stream *stream)
{
	struct client_walk *walk = CTL_CONTAINER_OF(stream, struct client_walk, stream);
	if (walk->at < walk->count) {
		send_client(walk, &walk->records[walk->at++]);
		return CTL_STREAM_MORE;
	}
	walk->count = 0;
	if (++walk->worker_index == worker_count())
		return CTL_STREAM_DONE;
	walk->copying = true;
	walk->job = (struct job){.run = copy_run, .finished = copy_finished};
	worker_post(worker_at(walk->worker_index), &walk->job);
	return CTL_STREAM_WAIT;
}

void ctl_on_client_list(struct ctl_request *request, const struct wherry_ctl_client_list *m)
{
	(void)m;
	if (walk_count == WALK_COUNT_MAX) {
		ctl_reply_error(request->reply, EBUSY, "%u lists of clients are under way: try again", walk_count);
		return;
	}
	struct client_walk *walk = calloc(1, sizeof *walk);
	if (!walk) {
		ctl_reply_error(request->reply, ENOMEM, "no memory for the list");
		return;
	}
	walk_count++;
	ctl_task_register(&walk->task, client_walk_free);
	walk->worker_index = UINT32_MAX; /* before the first */
	walk->stream.reply = request->reply;
	walk->stream.step = client_walk_step;
	walk->stream.destroy = client_walk_destroy;
	ctl_stream_start(&walk->stream);
}

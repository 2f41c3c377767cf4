/* SPDX-License-Identifier: BSD-3-Clause */
/* Single objects to the dataplane. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/plane_encode.h"
#include "daemon/plane_priv.h"

/* Several messages for one object: one end, with the first error. */
struct push {
	struct daemon *daemon;
	unsigned waiting;
	int error;
	char message[WHERRY_TEXT_BYTES_MAX + 1];
	uint64_t volume_id;
	bool wants_online;
	plane_done_fn *done;
	void *ctx;
};

static void note_volume(struct push *push)
{
	struct backing *backing = backing_find(push->daemon, push->volume_id);

	if (!backing || push->error == ENOTCONN || push->error == ETIMEDOUT)
		return;
	backing->online = push->error == 0 && push->wants_online;
	memcpy(backing->plane_detail, push->message, sizeof backing->plane_detail);
}

static void push_part_done(void *ctx, int error, const char *message)
{
	struct push *push = ctx;

	if (error && !push->error) {
		push->error = error;
		(void)snprintf(push->message, sizeof push->message, "%s", message);
	}
	if (--push->waiting > 0)
		return;
	note_volume(push);
	if (push->done)
		push->done(push->ctx, push->error, push->message);
	free(push);
}

void plane_push_end(plane_done_fn *done, void *ctx, int error, const char *message)
{
	if (done)
		done(ctx, error, message);
}

struct plane_link *plane_push_begin(struct plane *plane, plane_done_fn *done, void *ctx, uint32_t *id)
{
	struct plane_link *link = plane_usable_link(plane);

	if (link)
		*id = plane_link_next_id(link);
	else
		plane_push_end(done, ctx, ENOTCONN, PLANE_NOT_CONNECTED);
	return link;
}

void plane_push_volume(struct plane *plane, const struct volume_row *row, plane_done_fn *done, void *ctx)
{
	struct plane_link *link = plane_usable_link(plane);
	const struct backing *backing = backing_get(plane->daemon, row->id);
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];

	if (!link) {
		plane_push_end(done, ctx, ENOTCONN, PLANE_NOT_CONNECTED);
		return;
	}
	if (!backing_is_ready(backing, row)) {
		plane_push_end(done, ctx, ENODEV,
			       backing && backing->detail[0] ? backing->detail : "its store is not open");
		return;
	}
	struct push *push = calloc(1, sizeof *push);
	if (!push) {
		plane_push_end(done, ctx, ENOMEM, "out of memory");
		return;
	}
	*push = (struct push){.daemon = plane->daemon,
			      .waiting = 2,
			      .volume_id = row->id,
			      .wants_online = row->online,
			      .done = done,
			      .ctx = ctx};
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, plane_encode_volume(packet, id, row, backing), backing->fd, NULL,
			   push_part_done, push);
	/* What it held before a restart of ours may differ from the state: say it in any case when it was adopted. */
	if (row->has_fault || plane->adopted || plane->state == PLANE_SERVING) {
		push->waiting++;
		id = plane_link_next_id(link);
		plane_link_request(link, id, packet, plane_encode_fault(packet, id, row), -1, NULL, push_part_done,
				   push);
	}
	if (!row->online || plane->adopted || plane->state == PLANE_SERVING) {
		push->waiting++;
		id = plane_link_next_id(link);
		plane_link_request(link, id, packet, plane_encode_online(packet, id, row), -1, NULL, push_part_done,
				   push);
	}
	push_part_done(push, 0, "");
}

void plane_push_volume_delete(struct plane *plane, uint64_t volume_id, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	const struct wherry_ctl_volume_delete message = {.id = volume_id};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (link)
		plane_link_request(link, id, packet, wherry_ctl_put_volume_delete(packet, sizeof packet, id, &message),
				   -1, NULL, done, ctx);
}

void plane_push_export(struct plane *plane, const struct export_row *row, plane_done_fn *done, void *ctx)
{
	struct plane_link *link = plane_usable_link(plane);
	struct port_row *ports = link ? calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports) : NULL;
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];

	int count = ports ? state_port_list(plane->daemon->state, ports, NULL) : -1;
	if (!link || count < 0) {
		free(ports);
		plane_push_end(done, ctx, link ? EIO : ENOTCONN,
			       link ? "the state cannot be read" : PLANE_NOT_CONNECTED);
		return;
	}
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, plane_encode_export(packet, id, row, ports, (unsigned)count), -1, NULL,
			   done, ctx);
	free(ports);
}

static void on_pushed_of(void *ctx, int error, const char *message)
{
	(void)ctx;
	if (error && error != ENOTCONN)
		log_warning("the dataplane refused an export: %s", message);
}

void plane_push_exports_of(struct plane *plane, uint64_t volume_id)
{
	struct nbd_export_row nbd;
	struct export_row row;

	for (int32_t after = -1;
	     plane_usable_link(plane) && state_export_next_of(plane->daemon->state, volume_id, after, &row, NULL) == 1;
	     after = state_export_key(&row))
		plane_push_export(plane, &row, on_pushed_of, NULL);
	for (nbd.name[0] = '\0';
	     plane_usable_link(plane) && state_nbd_next_of(plane->daemon->state, volume_id, nbd.name, &nbd, NULL) == 1;)
		plane_push_nbd_export(plane, &nbd, on_pushed_of, NULL);
}

void plane_push_export_delete(struct plane *plane, uint64_t export_id, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	const struct wherry_ctl_aoe_export_delete message = {.id = export_id};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (link)
		plane_link_request(link, id, packet,
				   wherry_ctl_put_aoe_export_delete(packet, sizeof packet, id, &message), -1, NULL,
				   done, ctx);
}

void plane_push_export_state(struct plane *plane, const struct export_row *row, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];

	if (link)
		plane_link_request(link, id, packet, plane_encode_state(packet, id, row), -1, NULL, done, ctx);
}

void plane_push_idle(struct plane *plane, const struct runtime_row *row, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	const struct wherry_ctl_idle_put message = {.spin_turns = row->idle_spin_turns,
						    .pause_turns = row->idle_pause_turns,
						    .sleep_us = row->idle_sleep_us};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (link)
		plane_link_request(link, id, packet, wherry_ctl_put_idle_put(packet, sizeof packet, id, &message), -1,
				   NULL, done, ctx);
}

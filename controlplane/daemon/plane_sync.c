/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole configuration to the dataplane: SYNC_BEGIN, idle policy, addresses
 * and what else holds for all of IP, volumes, exports, SYNC_END.  A window of objects is under way at a time, read from
 * the state one by one, so that the number of objects costs neither memory nor the attention of the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/events.h"
#include "daemon/log.h"
#include "daemon/plane_priv.h"

#define WINDOW 64

static void pump(struct plane *plane);

void plane_sync_reset(struct plane *plane)
{
	plane->sync = (struct plane_sync){0};
}

static void on_object(void *ctx, int error, const char *message)
{
	struct plane *plane = ctx;

	if (!plane->sync.active || error == ENOTCONN)
		return;
	plane->sync.under_way--;
	if (error == ETIMEDOUT) {
		plane_fail_link(plane, message);
		return;
	}
	/* One object that it cannot take does not keep the others out of service. */
	if (error && error != ENODEV) {
		if (plane->sync.refused++ == 0)
			(void)snprintf(plane->sync.first_refusal, sizeof plane->sync.first_refusal, "%s", message);
		log_warning("the dataplane refused an object: %s", message);
	}
	pump(plane);
}

static void on_begun(void *ctx, int error, const char *message)
{
	struct plane *plane = ctx;

	if (error && error != ENOTCONN && plane->sync.active)
		plane_fail_link(plane, message);
}

static void on_ended(void *ctx, int error, const char *message)
{
	struct plane *plane = ctx;

	if (!plane->sync.active || error == ENOTCONN)
		return;
	if (error) {
		plane_fail_link(plane, message);
		return;
	}
	bool again = plane->sync.again;
	if (plane->sync.refused)
		events_add(plane->daemon, WHERRY_ERROR, "dataplane.refused", "",
			   "the dataplane did not take %u objects; the first: %.300s", plane->sync.refused,
			   plane->sync.first_refusal);
	plane_sync_reset(plane);
	plane_is_configured(plane);
	if (again)
		plane_sync_start(plane);
	else
		plane_end_resync(plane, 0, "");
}

static void send_end(struct plane *plane)
{
	const struct wherry_ctl_sync_end end = {.epoch = plane->sync.epoch};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];
	uint32_t id = plane_link_next_id(plane->link);

	plane->sync.end_sent = true;
	plane_link_request(plane->link, id, packet, wherry_ctl_put_sync_end(packet, sizeof packet, id, &end), -1, NULL,
			   on_ended, plane);
}

/* The state cannot be read: what is configured stays, and the operator is told. */
static void give_up(struct plane *plane, const struct fail *fail)
{
	log_error("%s", fail->text);
	plane_fail_link(plane, fail->text);
}

/* One more volume; false when there is none left. */
static bool put_volume(struct plane *plane)
{
	struct plane_sync *sync = &plane->sync;
	struct volume_row row;
	struct fail fail;
	int rc = state_volume_next(plane->daemon->state, sync->volume_name, &row, &fail);

	if (rc < 0)
		give_up(plane, &fail);
	if (rc != 1)
		return false;
	memcpy(sync->volume_name, row.name, sizeof sync->volume_name);
	if (!backing_is_ready(backing_find(plane->daemon, row.id), &row))
		return true;
	sync->under_way++;
	plane_push_volume(plane, &row, on_object, plane);
	return true;
}

/* What the state gave as the next export (rc), of this volume.  1: to be told, 0: its store is not open, -1: it was
 * none.
 */
static int judge_export(struct plane *plane, int rc, const uint64_t *volume_id, struct fail *fail)
{
	struct volume_row volume;

	if (rc == 1 && state_volume_by_id(plane->daemon->state, *volume_id, &volume, fail) != 0)
		rc = -1;
	if (rc < 0)
		give_up(plane, fail);
	if (rc != 1)
		return -1;
	return backing_is_ready(backing_find(plane->daemon, volume.id), &volume);
}

static bool put_export(struct plane *plane)
{
	struct plane_sync *sync = &plane->sync;
	struct export_row row;
	struct fail fail;
	int rc = state_export_next(plane->daemon->state, sync->export_key, &row, &fail);

	rc = judge_export(plane, rc, &row.volume_id, &fail);
	if (rc < 0)
		return false;
	sync->export_key = state_export_key(&row);
	if (rc == 1) {
		sync->under_way++;
		plane_push_export(plane, &row, on_object, plane);
	}
	return true;
}

static bool put_nbd_export(struct plane *plane)
{
	struct plane_sync *sync = &plane->sync;
	struct nbd_export_row row;
	struct fail fail;
	int rc = state_nbd_next(plane->daemon->state, sync->nbd_name, &row, &fail);

	rc = judge_export(plane, rc, &row.volume_id, &fail);
	if (rc < 0)
		return false;
	memcpy(sync->nbd_name, row.name, sizeof sync->nbd_name);
	if (rc == 1) {
		sync->under_way++;
		plane_push_nbd_export(plane, &row, on_object, plane);
	}
	return true;
}

static void pump(struct plane *plane)
{
	struct plane_sync *sync = &plane->sync;

	while (sync->active && !sync->volumes_done && sync->under_way < WINDOW)
		sync->volumes_done = !put_volume(plane);
	/* The messages are in order on the wire, so exports need not wait for the volumes' answers. */
	while (sync->active && sync->volumes_done && !sync->exports_done && sync->under_way < WINDOW)
		sync->exports_done = !put_export(plane);
	while (sync->active && sync->exports_done && !sync->nbd_exports_done && sync->under_way < WINDOW)
		sync->nbd_exports_done = !put_nbd_export(plane);
	if (sync->active && sync->nbd_exports_done && !sync->end_sent)
		send_end(plane);
}

/* A state in which nothing of IP was ever set has nothing to say about it: no dataplane of it has been told otherwise.
 */
static void put_network(struct plane *plane)
{
	struct network_row network;
	struct fail fail;

	if (state_network_get(plane->daemon->state, &network, &fail) != 0) {
		give_up(plane, &fail);
	} else if (network.generation) {
		plane->sync.under_way++;
		plane_push_network(plane, on_object, plane);
	}
}

void plane_sync_start(struct plane *plane)
{
	struct runtime_row runtime;
	struct fail fail;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (plane->sync.active) {
		plane->sync.again = true;
		return;
	}
	plane_sync_reset(plane);
	plane->sync.active = true;
	plane->sync.export_key = -1;
	plane->sync.epoch = state_epoch(plane->daemon->state);
	if (plane->state != PLANE_SERVING)
		plane->state = PLANE_SYNCING;
	const struct wherry_ctl_sync_begin begin = {.epoch = plane->sync.epoch};
	uint32_t id = plane_link_next_id(plane->link);
	plane_link_request(plane->link, id, packet, wherry_ctl_put_sync_begin(packet, sizeof packet, id, &begin), -1,
			   NULL, on_begun, plane);
	if (state_runtime_get(plane->daemon->state, &runtime, &fail) == 0)
		plane_push_idle(plane, &runtime, NULL, NULL);
	put_network(plane);
	pump(plane);
}

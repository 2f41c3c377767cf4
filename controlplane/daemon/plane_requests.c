/* SPDX-License-Identifier: BSD-3-Clause */
/* What the dataplane asks for: durable changes by AoE clients, and events. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "daemon/events.h"
#include "daemon/log.h"
#include "daemon/model_aoe.h"
#include "daemon/plane_encode.h"
#include "daemon/plane_priv.h"

static void answer_ok(struct plane *plane, uint32_t id)
{
	const struct wherry_ctl_ok ok;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	plane_link_answer(plane->link, packet, wherry_ctl_put_ok(packet, sizeof packet, id, &ok));
}

static void answer_error(struct plane *plane, uint32_t id, int error, const char *message)
{
	struct wherry_ctl_error answer = {.error = (uint32_t)error};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof answer];

	(void)snprintf(answer.message, sizeof answer.message, "%s", message);
	plane_link_answer(plane->link, packet, wherry_ctl_put_error(packet, sizeof packet, id, &answer));
}

/* ------------------------------------------------------ durable changes */

/* Client-made changes are worth an event, but no client may push the others out of the log. */
static int note_change(struct daemon *daemon, const struct wherry_ctl_aoe_persist *change, const struct export_row *row,
		       struct fail *fail)
{
	static const char *const codes[] = {"aoe.config_string", "aoe.mask", "aoe.reserve"};
	static const char *const whats[] = {"the config string", "the MAC mask", "the reservation"};
	char name[TEXT_AOE_BYTES], mac[TEXT_MAC_BYTES];
	uint64_t now_us;

	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now_us);
	if (!limiter_take(&daemon->change_events, now_us))
		return 0;
	return model_event(daemon->state, fail, WHERRY_INFO, codes[change->change - 1],
			   text_aoe_emit(row->shelf, row->slot, name), "client %s changed %s",
			   change->requester.count ? text_mac_emit(&change->requester.mac[0], mac) : "unknown",
			   whats[change->change - 1]);
}

static int commit_change(struct daemon *daemon, const struct wherry_ctl_aoe_persist *change, struct export_row *row,
			 struct fail *fail)
{
	if (state_begin(daemon->state, fail) != 0)
		return -1;
	int rc = state_export_put_state(daemon->state, row, fail);
	if (rc == 0)
		rc = note_change(daemon, change, row, fail);
	rc = model_end(daemon->state, rc, fail);
	events_notify(daemon);
	return rc;
}

/* The dataplane computed on a state that is not the last one: it gets that first, then may ask again. */
static void send_current(struct plane *plane, const struct export_row *row)
{
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	uint32_t id = plane_link_next_id(plane->link);

	plane_link_request(plane->link, id, packet, plane_encode_state(packet, id, row), -1, NULL, NULL, NULL);
}

static void on_persist(struct plane *plane, uint32_t id, const struct wherry_ctl_aoe_persist *change)
{
	struct daemon *daemon = plane->daemon;
	struct export_row row;
	struct fail fail;
	bool changed;

	if (state_export_by_id(daemon->state, change->export_id, &row, &fail) != 0) {
		answer_error(plane, id, ENOENT, fail.text);
		return;
	}
	switch (model_persist_decide(change, &row, &changed, &fail)) {
	case MODEL_PERSIST_REFUSED:
		answer_error(plane, id, EPERM, fail.text);
		return;
	case MODEL_PERSIST_STALE:
		send_current(plane, &row);
		answer_error(plane, id, EAGAIN, "the state has changed meanwhile");
		return;
	case MODEL_PERSIST_DONE:
		break;
	}
	if (changed && commit_change(daemon, change, &row, &fail) != 0) {
		log_error("%s", fail.text);
		answer_error(plane, id, EIO, fail.text);
		return;
	}
	const struct wherry_ctl_aoe_persisted done = {.export_id = row.id, .state_generation = row.state_generation};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 32];
	plane_link_answer(plane->link, packet, wherry_ctl_put_aoe_persisted(packet, sizeof packet, id, &done));
}

/* --------------------------------------------------------------- events */

/* Codes name the kind of the object whose id comes along. */
static void name_object(struct daemon *daemon, const struct wherry_ctl_event *event, char *name, size_t cap)
{
	struct volume_row volume;
	struct export_row export_;

	if (strncmp(event->code, "volume.", 7) == 0 &&
	    state_volume_by_id(daemon->state, event->object_id, &volume, NULL) == 0)
		(void)snprintf(name, cap, "%s", volume.name);
	else if ((strncmp(event->code, "export.", 7) == 0 || strncmp(event->code, "aoe.", 4) == 0) &&
		 state_export_by_id(daemon->state, event->object_id, &export_, NULL) == 0)
		(void)snprintf(name, cap, "%u.%u", export_.shelf, export_.slot);
	else if (event->object_id)
		(void)snprintf(name, cap, "%llu", (unsigned long long)event->object_id);
	else
		name[0] = '\0';
}

static void on_event(struct plane *plane, const struct wherry_ctl_event *event)
{
	struct daemon *daemon = plane->daemon;
	char name[WHERRY_NAME_BYTES_MAX + 1];
	uint64_t now_us, suppressed = daemon->plane_events.suppressed;

	if (strcmp(event->code, WHERRY_CTL_EVENT_PORT_RETURNED) == 0)
		plane_reopen_ports(plane);
	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now_us);
	if (!limiter_take(&daemon->plane_events, now_us))
		return;
	if (suppressed) {
		daemon->plane_events.suppressed = 0;
		events_add(daemon, WHERRY_WARNING, "event.suppressed", "", "%llu events of the dataplane were dropped",
			   (unsigned long long)suppressed);
	}
	name_object(daemon, event, name, sizeof name);
	enum wherry_severity severity =
		event->severity <= WHERRY_ERROR ? (enum wherry_severity)event->severity : WHERRY_ERROR;
	events_add(daemon, severity, event->code, name, "%s", event->message);
}

void plane_on_request(void *ctx, const struct wherry_ctl_header *header, const uint8_t *fields)
{
	struct plane *plane = ctx;
	struct wherry_ctl_aoe_persist persist;
	struct wherry_ctl_event event;

	switch (header->type) {
	case WHERRY_CTL_AOE_PERSIST:
		if (wherry_ctl_get_aoe_persist(fields, header->length, &persist) == 0)
			on_persist(plane, header->request_id, &persist);
		else
			answer_error(plane, header->request_id, EBADMSG, "AOE_PERSIST: malformed");
		return;
	case WHERRY_CTL_EVENT:
		if (wherry_ctl_get_event(fields, header->length, &event) == 0)
			on_event(plane, &event);
		answer_ok(plane, header->request_id);
		return;
	default:
		answer_error(plane, header->request_id, EOPNOTSUPP, "not a request that wherryd knows");
	}
}

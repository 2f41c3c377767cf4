/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection to the dataplane: packets out, replies matched to requests,
 * deadlines, requests of the other side passed on.  It knows the framing of
 * include/wherry/ctl.h and nothing of what the messages are for.
 * Thread: the daemon's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "wherry/ctl.h"

#define PLANE_REQUEST_TIMEOUT_US 2000000u
#define PLANE_REQUEST_COUNT_MAX 4096

struct plane_link;

/* One *_ITEM, or the typed reply.  fd: what came with it, -1; the callee owns it.  fields are valid during the call. */
typedef void plane_item_fn(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd);
/* The end of a request, exactly once, never from inside plane_link_request: error 0, or an errno with a sentence. */
typedef void plane_done_fn(void *ctx, int error, const char *message);

struct plane_link_callbacks {
	void *ctx;
	/* A request of the dataplane; to be answered with plane_link_answer. */
	void (*request)(void *ctx, const struct wherry_ctl_header *header, const uint8_t *fields);
	/* The connection is over; the link is to be destroyed (not from inside).  Requests under way end afterwards.
	 * error: EPROTONOSUPPORT when the other side speaks another version of the protocol, else EPIPE. */
	void (*closed)(void *ctx, int error, const char *why);
};

/* sock (connected, non-blocking) becomes the link's.  NULL without memory. */
struct plane_link *plane_link_create(sd_event *event, int sock, const struct plane_link_callbacks *callbacks);
/* Requests under way end with ENOTCONN, from inside this call. */
void plane_link_destroy(struct plane_link *link);

/* Id for the next request: to be encoded into its packet. */
uint32_t plane_link_next_id(struct plane_link *link);
/*
 * Send a request, encoded with an id of plane_link_next_id.  len 0 (it could not
 * be encoded) ends it with EMSGSIZE.  fd: goes along, borrowed, -1 none.  item and
 * done may be NULL.
 */
void plane_link_request(struct plane_link *link, uint32_t id, const uint8_t *packet, size_t len, int fd,
			plane_item_fn *item, plane_done_fn *done, void *ctx);
/* Send an answer to a request of the dataplane. */
void plane_link_answer(struct plane_link *link, const uint8_t *packet, size_t len);
/* How many requests are under way. */
unsigned plane_link_under_way(const struct plane_link *link);

/* ---- decoding, pure */
enum plane_packet {
	PLANE_PACKET_BAD,     /* not of this protocol */
	PLANE_PACKET_VERSION, /* of another version of it */
	PLANE_PACKET_REQUEST, /* of the dataplane */
	PLANE_PACKET_OK,
	PLANE_PACKET_ERROR, /* error is filled in */
	PLANE_PACKET_ITEM,  /* one of several */
	PLANE_PACKET_REPLY, /* typed and final */
};
enum plane_packet plane_packet_decode(const uint8_t *packet, size_t len, struct wherry_ctl_header *header,
				      struct wherry_ctl_error *error);

/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, TCP and NBD to the dataplane. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plane_encode.h"
#include "daemon/plane_priv.h"

/* NET_PUT, TCP_PUT and NBD_PUT: one end, with the first error. */
struct push {
	unsigned waiting;
	int error;
	char message[WHERRY_TEXT_BYTES_MAX + 1];
	plane_done_fn *done;
	void *ctx;
};

/* What the messages are made of. */
struct network {
	struct network_row row;
	struct net_rows rows;
	int port_count;
	struct port_row ports[WHERRY_PORT_COUNT_MAX];
};

static void on_part(void *ctx, int error, const char *message)
{
	struct push *push = ctx;

	if (error && !push->error) {
		push->error = error;
		(void)snprintf(push->message, sizeof push->message, "%s", message);
	}
	if (--push->waiting > 0)
		return;
	plane_push_end(push->done, push->ctx, push->error, push->message);
	free(push);
}

static bool load(struct state *state, struct network *network)
{
	if (state_network_get(state, &network->row, NULL) != 0 || state_net_get(state, &network->rows, NULL) != 0)
		return false;
	network->port_count = state_port_list(state, network->ports, NULL);
	return network->port_count >= 0;
}

static void send_all(struct plane_link *link, const struct network *network, struct push *push)
{
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	uint32_t id = plane_link_next_id(link);

	plane_link_request(link, id, packet,
			   plane_encode_net(packet, id, network->row.generation, &network->rows, network->ports,
					    (unsigned)network->port_count),
			   -1, NULL, on_part, push);
	id = plane_link_next_id(link);
	plane_link_request(link, id, packet, plane_encode_tcp(packet, id, &network->row), -1, NULL, on_part, push);
	id = plane_link_next_id(link);
	plane_link_request(link, id, packet, plane_encode_nbd(packet, id, &network->row), -1, NULL, on_part, push);
}

void plane_push_network(struct plane *plane, plane_done_fn *done, void *ctx)
{
	struct plane_link *link = plane_usable_link(plane);
	struct network *network = link ? malloc(sizeof *network) : NULL;
	struct push *push = network ? malloc(sizeof *push) : NULL;

	if (!link) {
		plane_push_end(done, ctx, ENOTCONN, PLANE_NOT_CONNECTED);
	} else if (!push) {
		plane_push_end(done, ctx, ENOMEM, "out of memory");
	} else if (!load(plane->daemon->state, network)) {
		plane_push_end(done, ctx, EIO, "the state cannot be read");
		free(push);
	} else {
		*push = (struct push){.waiting = 3, .done = done, .ctx = ctx};
		send_all(link, network, push);
	}
	free(network);
}

void plane_push_nbd_export(struct plane *plane, const struct nbd_export_row *row, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];

	if (link)
		plane_link_request(link, id, packet, plane_encode_nbd_export(packet, id, row), -1, NULL, done, ctx);
}

void plane_push_nbd_export_delete(struct plane *plane, uint64_t export_id, plane_done_fn *done, void *ctx)
{
	uint32_t id;
	struct plane_link *link = plane_push_begin(plane, done, ctx, &id);
	const struct wherry_ctl_nbd_export_delete message = {.id = export_id};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (link)
		plane_link_request(link, id, packet,
				   wherry_ctl_put_nbd_export_delete(packet, sizeof packet, id, &message), -1, NULL,
				   done, ctx);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/plane_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/sock.h"
#include "daemon/log.h"

#define OUTPUT_PACKET_COUNT_MAX 8192
#define RECEIVE_BURST 64 /* packets per turn, so that clients get their turn too */

struct request {
	uint32_t id; /* 0: free */
	uint64_t deadline_us;
	struct request *older, *newer; /* those under way, in the order of their deadlines */
	plane_item_fn *item;
	plane_done_fn *done;
	void *ctx;
};

struct output {
	struct output *next;
	int fd;
	size_t len;
	uint8_t packet[];
};

struct plane_link {
	sd_event *event;
	sd_event_source *source, *timer, *failed_source;
	int sock;
	struct plane_link_callbacks callbacks;
	uint32_t last_id;
	unsigned under_way;
	struct request *oldest, *newest;
	struct request requests[PLANE_REQUEST_COUNT_MAX]; /* by id modulo the count */
	struct output *output_first, *output_last;
	unsigned output_count;
	bool dead;
	/* Ended before they were sent; told from the loop. */
	struct failed {
		struct failed *next;
		plane_done_fn *done;
		void *ctx;
		int error;
	} * failed;
};

enum plane_packet plane_packet_decode(const uint8_t *packet, size_t len, struct wherry_ctl_header *header,
				      struct wherry_ctl_error *error)
{
	int rc = wherry_ctl_get_header(packet, len, header);

	if (rc != 0)
		return rc == -EPROTONOSUPPORT ? PLANE_PACKET_VERSION : PLANE_PACKET_BAD;
	if (header->request_id & WHERRY_CTL_FROM_DATAPLANE)
		return PLANE_PACKET_REQUEST;
	switch (header->type) {
	case WHERRY_CTL_OK:
		return header->length == 0 ? PLANE_PACKET_OK : PLANE_PACKET_BAD;
	case WHERRY_CTL_ERROR:
		return wherry_ctl_get_error(packet + WHERRY_CTL_HEADER_BYTES, header->length, error) == 0
			       ? PLANE_PACKET_ERROR
			       : PLANE_PACKET_BAD;
	case WHERRY_CTL_VOLUME_ITEM:
	case WHERRY_CTL_STATS_ITEM:
	case WHERRY_CTL_HIST_ITEM:
	case WHERRY_CTL_CLIENT_ITEM:
	case WHERRY_CTL_PORT_ITEM:
	case WHERRY_CTL_LCORE_ITEM:
	case WHERRY_CTL_NEIGHBOUR_ITEM:
	case WHERRY_CTL_CONNECTION_ITEM:
	case WHERRY_CTL_NBD_SESSION_ITEM:
		return PLANE_PACKET_ITEM;
	case WHERRY_CTL_HELLO_REPLY:
	case WHERRY_CTL_VOLUME_FD:
	case WHERRY_CTL_CAPTURE_STARTED:
	case WHERRY_CTL_CAPTURE_ITEM:
		return PLANE_PACKET_REPLY;
	default:
		return PLANE_PACKET_BAD;
	}
}

/* ------------------------------------------------------------ requests */

static uint64_t now_us(const struct plane_link *link)
{
	uint64_t now = 0;

	(void)sd_event_now(link->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void unlink_request(struct plane_link *link, struct request *request)
{
	if (request->older)
		request->older->newer = request->newer;
	else
		link->oldest = request->newer;
	if (request->newer)
		request->newer->older = request->older;
	else
		link->newest = request->older;
	request->id = 0;
	link->under_way--;
}

static void end_request(struct plane_link *link, struct request *request, int error, const char *message)
{
	plane_done_fn *done = request->done;
	void *ctx = request->ctx;

	unlink_request(link, request);
	if (done)
		done(ctx, error, message);
}

static void arm_timer(struct plane_link *link)
{
	if (!link->oldest)
		return;
	(void)sd_event_source_set_time(link->timer, link->oldest->deadline_us);
	(void)sd_event_source_set_enabled(link->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct plane_link *link = ctx;

	(void)source;
	while (link->oldest && link->oldest->deadline_us <= usec)
		end_request(link, link->oldest, ETIMEDOUT, "the dataplane did not answer within 2 s");
	arm_timer(link);
	return 0;
}

static int on_failed(sd_event_source *source, void *ctx)
{
	struct plane_link *link = ctx;

	(void)source;
	while (link->failed) {
		struct failed failed = *link->failed;
		free(link->failed);
		link->failed = failed.next;
		failed.done(failed.ctx, failed.error,
			    failed.error == EMSGSIZE ? "the message is too large for the control protocol"
						     : "too many requests are under way");
	}
	return 0;
}

static void fail_later(struct plane_link *link, int error, plane_done_fn *done, void *ctx)
{
	struct failed *failed = done ? calloc(1, sizeof *failed) : NULL;

	if (!done)
		return;
	if (!failed)
		abort(); /* nothing sensible is left to do, and the state is safe on disk */
	*failed = (struct failed){link->failed, done, ctx, error};
	link->failed = failed;
	(void)sd_event_source_set_enabled(link->failed_source, SD_EVENT_ONESHOT);
}

/* -------------------------------------------------------------- output */

static void close_link(struct plane_link *link, int error, const char *why)
{
	if (link->dead)
		return;
	link->dead = true;
	(void)sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
	link->callbacks.closed(link->callbacks.ctx, error, why);
}

/* Send what waits, as far as the dataplane takes it.  0 or -errno. */
static int flush(struct plane_link *link)
{
	while (link->output_first) {
		struct output *output = link->output_first;
		ssize_t sent = sock_send(link->sock, output->packet, output->len, output->fd);
		if (sent == -EAGAIN)
			break;
		if (sent < 0)
			return (int)sent;
		link->output_first = output->next;
		if (!link->output_first)
			link->output_last = NULL;
		link->output_count--;
		if (output->fd >= 0)
			close(output->fd);
		free(output);
	}
	(void)sd_event_source_set_io_events(link->source, EPOLLIN | (link->output_first ? EPOLLOUT : 0u));
	return 0;
}

/* 0 or -errno; a broken connection is noticed by the next read. */
static int put_packet(struct plane_link *link, const uint8_t *packet, size_t len, int fd)
{
	if (!link->output_first) {
		ssize_t sent = sock_send(link->sock, packet, len, fd);
		if (sent != -EAGAIN)
			return 0;
	}
	if (link->output_count >= OUTPUT_PACKET_COUNT_MAX)
		return -EBUSY;
	struct output *output = malloc(sizeof *output + len);
	if (!output)
		return -ENOMEM;
	*output = (struct output){.len = len, .fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3)};
	if (fd >= 0 && output->fd < 0) {
		free(output);
		return -EMFILE;
	}
	memcpy(output->packet, packet, len);
	if (link->output_last)
		link->output_last->next = output;
	else
		link->output_first = output;
	link->output_last = output;
	link->output_count++;
	(void)sd_event_source_set_io_events(link->source, EPOLLIN | EPOLLOUT);
	return 0;
}

uint32_t plane_link_next_id(struct plane_link *link)
{
	do
		link->last_id = (link->last_id + 1) & ~WHERRY_CTL_FROM_DATAPLANE;
	while (link->last_id == 0);
	return link->last_id;
}

void plane_link_request(struct plane_link *link, uint32_t id, const uint8_t *packet, size_t len, int fd,
			plane_item_fn *item, plane_done_fn *done, void *ctx)
{
	struct request *request = &link->requests[id % PLANE_REQUEST_COUNT_MAX];

	int rc = len == 0 ? -EMSGSIZE : request->id ? -EBUSY : put_packet(link, packet, len, fd);
	if (rc != 0) {
		fail_later(link, -rc, done, ctx);
		return;
	}
	*request = (struct request){.id = id,
				    .deadline_us = now_us(link) + PLANE_REQUEST_TIMEOUT_US,
				    .older = link->newest,
				    .item = item,
				    .done = done,
				    .ctx = ctx};
	if (link->newest)
		link->newest->newer = request;
	else
		link->oldest = request;
	link->newest = request;
	if (link->under_way++ == 0)
		arm_timer(link);
}

void plane_link_answer(struct plane_link *link, const uint8_t *packet, size_t len)
{
	if (len == 0 || put_packet(link, packet, len, -1) != 0)
		log_warning("an answer to the dataplane was lost; it will ask again");
}

unsigned plane_link_under_way(const struct plane_link *link)
{
	return link->under_way;
}

/* --------------------------------------------------------------- input */

static void on_reply(struct plane_link *link, enum plane_packet kind, const struct wherry_ctl_header *header,
		     const uint8_t *fields, const struct wherry_ctl_error *error, int fd)
{
	struct request *request = &link->requests[header->request_id % PLANE_REQUEST_COUNT_MAX];

	if (request->id != header->request_id) { /* too late: its caller has been told so */
		if (fd >= 0)
			close(fd);
		return;
	}
	if ((kind == PLANE_PACKET_ITEM || kind == PLANE_PACKET_REPLY) && request->item) {
		request->item(request->ctx, header->type, fields, header->length, fd);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	if (kind == PLANE_PACKET_ERROR)
		end_request(link, request, error->error ? (int)error->error : EPROTO, error->message);
	else if (kind != PLANE_PACKET_ITEM)
		end_request(link, request, 0, "");
}

static void on_packet(struct plane_link *link, const uint8_t *packet, size_t len, int fd)
{
	struct wherry_ctl_header header;
	struct wherry_ctl_error error;
	const uint8_t *fields = packet + WHERRY_CTL_HEADER_BYTES;

	enum plane_packet kind = plane_packet_decode(packet, len, &header, &error);
	if (kind > PLANE_PACKET_REQUEST) {
		on_reply(link, kind, &header, fields, &error, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (kind == PLANE_PACKET_REQUEST)
		link->callbacks.request(link->callbacks.ctx, &header, fields);
	else if (kind == PLANE_PACKET_VERSION)
		close_link(link, EPROTONOSUPPORT, "it speaks another version of the control protocol");
	else
		close_link(link, EPIPE, "it sent what is not of the control protocol");
}

static int on_socket(sd_event_source *source, int sock, uint32_t events, void *ctx)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	struct plane_link *link = ctx;
	int fd;

	(void)source;
	if (events & EPOLLOUT && flush(link) != 0) {
		close_link(link, EPIPE, "the connection broke");
		return 0;
	}
	for (unsigned i = 0; i < RECEIVE_BURST && !link->dead; i++) {
		ssize_t got = sock_recv(sock, packet, sizeof packet, &fd);
		if (got == -EAGAIN)
			break;
		if (got > 0)
			on_packet(link, packet, (size_t)got, fd);
		else
			close_link(link, EPIPE, got == 0 ? "it closed the connection" : "the connection broke");
	}
	return 0;
}

struct plane_link *plane_link_create(sd_event *event, int sock, const struct plane_link_callbacks *callbacks)
{
	struct plane_link *link = calloc(1, sizeof *link);

	if (!link) {
		close(sock);
		return NULL;
	}
	link->event = event;
	link->sock = sock;
	link->callbacks = *callbacks;
	if (sd_event_add_io(event, &link->source, sock, EPOLLIN, on_socket, link) < 0 ||
	    sd_event_add_time(event, &link->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, link) < 0 ||
	    sd_event_add_defer(event, &link->failed_source, on_failed, link) < 0) {
		plane_link_destroy(link);
		return NULL;
	}
	(void)sd_event_source_set_enabled(link->timer, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(link->failed_source, SD_EVENT_OFF);
	(void)sd_event_source_set_priority(link->source, -10);
	return link;
}

void plane_link_destroy(struct plane_link *link)
{
	if (!link)
		return;
	link->dead = true;
	(void)sd_event_source_disable_unref(link->source);
	(void)sd_event_source_disable_unref(link->timer);
	while (link->oldest)
		end_request(link, link->oldest, ENOTCONN, "the connection to the dataplane ended");
	(void)on_failed(NULL, link);
	(void)sd_event_source_disable_unref(link->failed_source);
	while (link->output_first) {
		struct output *output = link->output_first;
		link->output_first = output->next;
		if (output->fd >= 0)
			close(output->fd);
		free(output);
	}
	close(link->sock);
	free(link);
}

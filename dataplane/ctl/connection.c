/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of the control socket.  Main lcore.
 *
 * Nothing is freed under the feet of a caller: a connection that is dropped is
 * only marked, and a deferred event source destroys it.
 */
#include "ctl/connection.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/server_priv.h"

#define FD_COUNT_MAX 4     /* descriptors taken from one packet; the kernel drops more */
#define READ_COUNT_MAX 32  /* packets of one connection per turn */
#define STREAM_STEP_MAX 64 /* steps of one connection's lists per turn */

struct ctl_packet {
	struct ctl_packet *next;
	int fd;
	uint32_t len;
	uint8_t bytes[];
};

struct ctl_connection {
	struct ctl_connection *next; /* newest first */
	uint64_t serial;
	int fd;
	sd_event_source *source;
	enum ctl_connection_state state;
	bool doomed;
	uint64_t since_ns; /* opened, or closing began */
	uint32_t watched;  /* events asked of the source */
	unsigned request_count;
	struct ctl_packet *first, **last;
	size_t queued_bytes;
	struct ctl_stream *streams;
};

static struct ctl_connection *connections;
static uint64_t connection_serial;
static sd_event_source *reaper;

static struct ctl_connection *connection_find(uint64_t serial)
{
	struct ctl_connection *c = connections;
	while (c && (c->serial != serial || c->doomed))
		c = c->next;
	return serial ? c : NULL;
}

static void connection_destroy(struct ctl_connection *c)
{
	struct ctl_connection **at = &connections;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	sd_event_source_disable_unref(c->source);
	close(c->fd);
	while (c->first) {
		struct ctl_packet *packet = c->first;
		c->first = packet->next;
		if (packet->fd >= 0)
			close(packet->fd);
		free(packet);
	}
	while (c->streams) {
		struct ctl_stream *stream = c->streams;
		c->streams = stream->next;
		stream->destroy(stream);
	}
	free(c);
}

static int on_reap(sd_event_source *source, void *ctx)
{
	(void)source;
	(void)ctx;
	for (struct ctl_connection *c = connections, *next; c; c = next) {
		next = c->next;
		if (c->doomed)
			connection_destroy(c);
	}
	return 0;
}

void ctl_connection_drop(struct ctl_connection *c)
{
	if (c->doomed)
		return;
	c->doomed = true;
	sd_event_source_set_enabled(c->source, SD_EVENT_OFF);
	if (!reaper && sd_event_add_defer(ctl_server.event, &reaper, on_reap, NULL) < 0)
		reaper = NULL; /* without memory: it goes with the next one, or at the end */
	else
		sd_event_source_set_enabled(reaper, SD_EVENT_ONESHOT);
	if (c->state == CTL_CONNECTION_CONTROLLER)
		ctl_controller_lost();
}

void ctl_connection_destroy_all(void)
{
	while (connections)
		connection_destroy(connections);
	reaper = sd_event_source_disable_unref(reaper);
}

/* ---------------------------------------------------------------- output */

static bool stream_ready(const struct ctl_connection *c)
{
	for (const struct ctl_stream *s = c->streams; s; s = s->next)
		if (!s->waiting)
			return true;
	return false;
}

/* Ask for the events that the connection's state calls for. */
static void connection_watch(struct ctl_connection *c)
{
	uint32_t events = 0;
	if (c->doomed)
		return;
	if (c->state != CTL_CONNECTION_CLOSING && c->request_count < CTL_REQUEST_COUNT_MAX &&
	    c->queued_bytes < CTL_QUEUE_PAUSE_BYTES)
		events |= EPOLLIN;
	if (c->first || stream_ready(c) || c->state == CTL_CONNECTION_CLOSING)
		events |= EPOLLOUT;
	if (events != c->watched && sd_event_source_set_io_events(c->source, events) >= 0)
		c->watched = events;
}

/* True when the kernel took it; false with errno otherwise. */
static bool connection_write(int socket, const uint8_t *packet, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)packet, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
	}
	return sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool must_wait(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR;
}

static void connection_flush(struct ctl_connection *c)
{
	while (c->first && !c->doomed) {
		struct ctl_packet *packet = c->first;
		if (!connection_write(c->fd, packet->bytes, packet->len, packet->fd)) {
			if (!must_wait(errno))
				ctl_connection_drop(c);
			return;
		}
		c->first = packet->next;
		if (!c->first)
			c->last = &c->first;
		c->queued_bytes -= packet->len;
		if (packet->fd >= 0)
			close(packet->fd);
		free(packet);
	}
	if (c->state == CTL_CONNECTION_CLOSING && !c->first)
		ctl_connection_drop(c);
}

static void connection_queue(struct ctl_connection *c, const uint8_t *packet, size_t len, int fd)
{
	struct ctl_packet *queued = c->queued_bytes + len > CTL_QUEUE_DROP_BYTES ? NULL : malloc(sizeof *queued + len);
	if (!queued) {
		if (fd >= 0)
			close(fd);
		ctl_connection_drop(c);
		return;
	}
	queued->next = NULL;
	queued->fd = fd;
	queued->len = (uint32_t)len;
	memcpy(queued->bytes, packet, len);
	*c->last = queued;
	c->last = &queued->next;
	c->queued_bytes += len;
}

void ctl_connection_send(struct ctl_connection *c, const uint8_t *packet, size_t len, int fd)
{
	if (!c->doomed && !c->first && connection_write(c->fd, packet, len, fd)) {
		if (fd >= 0)
			close(fd);
	} else if (!c->doomed && (c->first || must_wait(errno))) {
		connection_queue(c, packet, len, fd);
	} else {
		if (fd >= 0)
			close(fd);
		ctl_connection_drop(c);
	}
	connection_watch(c);
}

/* --------------------------------------------------------------- answers */

struct ctl_reply ctl_connection_request(struct ctl_connection *c, uint32_t request_id)
{
	c->request_count++;
	return (struct ctl_reply){c->serial, request_id};
}

void ctl_reply_packet(struct ctl_reply reply, const uint8_t *packet, size_t len, int fd)
{
	struct ctl_connection *c = connection_find(reply.connection);
	if (len == 0) {
		if (fd >= 0)
			close(fd);
		ctl_reply_error(reply, EOVERFLOW, "the answer does not fit one message");
		return;
	}
	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	assert(c->request_count > 0);
	c->request_count--;
	ctl_connection_send(c, packet, len, fd);
}

void ctl_reply_ok(struct ctl_reply reply)
{
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];
	const struct wherry_ctl_ok ok = {};
	ctl_reply_packet(reply, packet, wherry_ctl_put_ok(packet, sizeof packet, reply.request_id, &ok), -1);
}

void ctl_reply_error(struct ctl_reply reply, int error, const char *format, ...)
{
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 8 + WHERRY_TEXT_BYTES_MAX];
	struct wherry_ctl_error m = {.error = (uint32_t)error};
	va_list args;
	va_start(args, format);
	vsnprintf(m.message, sizeof m.message, format, args);
	va_end(args);
	ctl_reply_packet(reply, packet, wherry_ctl_put_error(packet, sizeof packet, reply.request_id, &m), -1);
}

/* --------------------------------------------------------------- streams */

/* Let the lists go on: a bounded number of steps, and none while much is queued. */
static void connection_run_streams(struct ctl_connection *c)
{
	unsigned steps = 0;
	struct ctl_stream **at = &c->streams;
	while (*at && !c->doomed && steps < STREAM_STEP_MAX && c->queued_bytes < CTL_QUEUE_STREAM_BYTES) {
		struct ctl_stream *stream = *at;
		if (stream->waiting) {
			at = &stream->next;
			continue;
		}
		steps++;
		switch (stream->step(stream)) {
		case CTL_STREAM_MORE:
			break;
		case CTL_STREAM_WAIT:
			stream->waiting = true;
			at = &stream->next;
			break;
		case CTL_STREAM_DONE:
			*at = stream->next;
			ctl_reply_ok(stream->reply);
			stream->destroy(stream);
			break;
		}
	}
}

void ctl_stream_start(struct ctl_stream *stream)
{
	struct ctl_connection *c = connection_find(stream->reply.connection);
	if (!c) {
		stream->destroy(stream);
		return;
	}
	struct ctl_stream **at = &c->streams;
	while (*at)
		at = &(*at)->next;
	stream->next = NULL;
	stream->waiting = false;
	*at = stream;
	connection_watch(c);
}

void ctl_stream_resume(struct ctl_stream *stream)
{
	struct ctl_connection *c = connection_find(stream->reply.connection);
	stream->waiting = false;
	if (c)
		connection_watch(c);
}

void ctl_stream_send(struct ctl_stream *stream, const uint8_t *packet, size_t len)
{
	struct ctl_connection *c = connection_find(stream->reply.connection);
	if (c && len)
		ctl_connection_send(c, packet, len, -1);
}

/* ----------------------------------------------------------------- input */

/* The descriptors of a received message: all are closed but the one that is returned.  -1 and *error otherwise. */
static int take_descriptor(struct msghdr *msg, int *error)
{
	int kept = -1;
	unsigned count = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		size_t bytes = cmsg->cmsg_len - CMSG_LEN(0);
		for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof fd);
			if (count++ == 0)
				kept = fd;
			else
				close(fd);
		}
	}
	*error = count > 1 ? EINVAL : 0;
	/* The kernel cut the list short: more than we take, or this process has too many files open. */
	if (msg->msg_flags & MSG_CTRUNC)
		*error = count ? EINVAL : EMFILE;
	if (*error && kept >= 0) {
		close(kept);
		kept = -1;
	}
	return kept;
}

/* False when there is nothing more to read now. */
static bool connection_read(struct ctl_connection *c)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	union {
		char bytes[CMSG_SPACE(FD_COUNT_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = packet, .iov_len = sizeof packet};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t len = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0) {
		if (!must_wait(errno))
			ctl_connection_drop(c);
		return false;
	}
	int fd_error;
	int fd = take_descriptor(&msg, &fd_error);
	if (len == 0) { /* the end, or an empty packet, which means as little */
		if (fd >= 0)
			close(fd);
		ctl_connection_drop(c);
		return false;
	}
	ctl_dispatch(c, packet, (size_t)len, msg.msg_flags & MSG_TRUNC, fd, fd_error);
	return true;
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ctl_connection *c = ctx;
	(void)source;
	(void)fd;
	if (events & EPOLLOUT) {
		connection_flush(c);
		connection_run_streams(c);
	}
	/* A peer that hung up without being read (EPOLLIN paused) shows as HUP alone. */
	if ((events & (EPOLLHUP | EPOLLERR)) && !(c->watched & EPOLLIN))
		ctl_connection_drop(c);
	for (unsigned n = 0; n < READ_COUNT_MAX && !c->doomed && (c->watched & EPOLLIN); n++) {
		if (!connection_read(c))
			break;
		connection_watch(c);
	}
	connection_watch(c);
	return 0;
}

/* -------------------------------------------------------------- lifetime */

int ctl_connection_create(int fd)
{
	struct ctl_connection *c = calloc(1, sizeof *c);
	int result = -ENOMEM;
	if (!c)
		goto fail;
	c->fd = fd;
	c->serial = ++connection_serial;
	c->last = &c->first;
	c->since_ns = ctl_now_ns();
	c->watched = EPOLLIN;
	result = sd_event_add_io(ctl_server.event, &c->source, fd, c->watched, on_event, c);
	if (result < 0)
		goto fail;
	c->next = connections;
	connections = c;
	return 0;
fail:
	free(c);
	close(fd);
	return result;
}

void ctl_connection_close(struct ctl_connection *c)
{
	if (c->doomed || c->state == CTL_CONNECTION_CLOSING)
		return;
	bool was_controller = c->state == CTL_CONNECTION_CONTROLLER;
	c->state = CTL_CONNECTION_CLOSING;
	c->since_ns = ctl_now_ns();
	if (was_controller)
		ctl_controller_lost();
	connection_flush(c);
	connection_watch(c);
}

void ctl_connection_tick(uint64_t now_ns)
{
	for (struct ctl_connection *c = connections; c; c = c->next)
		if ((c->state == CTL_CONNECTION_NEW || c->state == CTL_CONNECTION_CLOSING) && now_ns >= c->since_ns &&
		    now_ns - c->since_ns >= WHERRY_CTL_HELLO_SECONDS * 1000000000ull)
			ctl_connection_drop(c);
}

void ctl_connection_make_room(void)
{
	struct ctl_connection *oldest[CTL_CONNECTION_CLOSING + 1] = {NULL};
	unsigned alive = 0;
	for (struct ctl_connection *c = connections; c; c = c->next) {
		if (c->doomed)
			continue;
		alive++;
		oldest[c->state] = c;
	}
	if (alive < CTL_CONNECTION_COUNT_MAX)
		return;
	struct ctl_connection *victim = oldest[CTL_CONNECTION_CLOSING];
	if (!victim)
		victim = oldest[CTL_CONNECTION_NEW];
	if (!victim)
		victim = oldest[CTL_CONNECTION_OBSERVER];
	if (victim)
		ctl_connection_drop(victim);
}

struct ctl_connection *ctl_connection_controller(void)
{
	struct ctl_connection *c = connections;
	while (c && (c->doomed || c->state != CTL_CONNECTION_CONTROLLER))
		c = c->next;
	return c;
}

enum ctl_connection_state ctl_connection_state(const struct ctl_connection *c)
{
	return c->state;
}

void ctl_connection_greet(struct ctl_connection *c, enum ctl_connection_state state)
{
	c->state = state;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/monitor_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/sock.h"
#include "daemon/log.h"

#define FILE_REQUEST_COUNT_MAX 16 /* with the monitor at a time; the others wait here */

struct file_request {
	struct file_request *next;
	struct monitor_file message;
	int fd; /* -1: none */
	monitor_file_fn *done;
	void *ctx;
};

struct monitor_link {
	sd_event_source *source, *failed_source;
	int channel;
	struct monitor_callbacks callbacks;
	uint32_t last_id;
	unsigned under_way;
	struct file_request *sent;                     /* with the monitor */
	struct file_request *queue_first, *queue_last; /* waiting */
	struct file_request *failed;                   /* could not be sent */
};

static void finish(struct file_request *request, const struct monitor_file_result *result, int fd)
{
	request->done(request->ctx, result, fd);
	if (request->fd >= 0)
		close(request->fd);
	free(request);
}

static void send_message(struct monitor_link *link, void *message, uint32_t op, uint32_t id, int fd)
{
	*(struct monitor_header *)message = (struct monitor_header){.magic = MONITOR_MAGIC, .op = op, .id = id};
	ssize_t sent = sock_send(link->channel, message, monitor_message_bytes(op), fd);
	if (sent < 0)
		log_error("the monitor cannot be reached: %s", strerror((int)-sent));
}

/* Send what waits, as far as the monitor may have more. */
static void pump(struct monitor_link *link)
{
	while (link->queue_first && link->under_way < FILE_REQUEST_COUNT_MAX) {
		struct file_request *request = link->queue_first;
		link->queue_first = request->next;
		if (!link->queue_first)
			link->queue_last = NULL;
		request->next = link->sent;
		link->sent = request;
		link->under_way++;
		send_message(link, &request->message, request->message.header.op, request->message.header.id,
			     request->fd);
	}
}

static void on_file_result(struct monitor_link *link, const struct monitor_file_result *result, int fd)
{
	for (struct file_request **at = &link->sent; *at; at = &(*at)->next) {
		struct file_request *request = *at;
		if (request->message.header.id != result->header.id)
			continue;
		*at = request->next;
		link->under_way--;
		finish(request, result, fd);
		pump(link);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static int on_channel(sd_event_source *source, int channel, uint32_t events, void *ctx)
{
	static union monitor_message message;
	struct monitor_link *link = ctx;
	int fd;

	(void)source;
	(void)events;
	ssize_t got = sock_recv(channel, &message, sizeof message, &fd);
	if (got == -EAGAIN)
		return 0;
	if (got <= 0 || !monitor_message_check(&message, (size_t)got)) {
		(void)sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
		link->callbacks.lost(link->callbacks.ctx);
		return 0;
	}
	if (message.header.op == MONITOR_FILE_RESULT) {
		on_file_result(link, &message.file_result, fd);
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (message.header.op == MONITOR_SPAWNED)
		link->callbacks.spawned(link->callbacks.ctx, &message.spawned);
	else if (message.header.op == MONITOR_EXITED)
		link->callbacks.exited(link->callbacks.ctx, &message.exited);
	return 0;
}

/* Answer those that could not even be asked. */
static int on_failed(sd_event_source *source, void *ctx)
{
	static struct monitor_file_result result;
	struct monitor_link *link = ctx;

	(void)source;
	result.kind = FAIL_FAILED;
	(void)snprintf(result.text, sizeof result.text, "out of descriptors or memory");
	while (link->failed) {
		struct file_request *request = link->failed;
		link->failed = request->next;
		finish(request, &result, -1);
	}
	return 0;
}

struct monitor_link *monitor_link_create(sd_event *event, int channel, const struct monitor_callbacks *callbacks)
{
	struct monitor_link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->channel = channel;
	link->callbacks = *callbacks;
	if (sd_event_add_io(event, &link->source, channel, EPOLLIN, on_channel, link) < 0 ||
	    sd_event_add_defer(event, &link->failed_source, on_failed, link) < 0) {
		monitor_link_destroy(link);
		return NULL;
	}
	(void)sd_event_source_set_enabled(link->failed_source, SD_EVENT_OFF);
	/* Before any client: a restart of the dataplane does not wait for a listing. */
	(void)sd_event_source_set_priority(link->source, -20);
	return link;
}

static void drop_all(struct file_request *request)
{
	while (request) {
		struct file_request *next = request->next;
		if (request->fd >= 0)
			close(request->fd);
		free(request);
		request = next;
	}
}

void monitor_link_destroy(struct monitor_link *link)
{
	if (!link)
		return;
	(void)sd_event_source_disable_unref(link->source);
	(void)sd_event_source_disable_unref(link->failed_source);
	drop_all(link->sent);
	drop_all(link->queue_first);
	drop_all(link->failed);
	close(link->channel);
	free(link);
}

void monitor_link_file(struct monitor_link *link, const struct monitor_file *message, int fd, monitor_file_fn *done,
		       void *ctx)
{
	struct file_request *request = calloc(1, sizeof *request);

	if (!request)
		abort(); /* nothing sensible is left to do, and the state is safe on disk */
	request->message = *message;
	request->message.header.id = ++link->last_id;
	request->done = done;
	request->ctx = ctx;
	request->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && request->fd < 0) {
		request->next = link->failed;
		link->failed = request;
		(void)sd_event_source_set_enabled(link->failed_source, SD_EVENT_ONESHOT);
		return;
	}
	if (link->queue_last)
		link->queue_last->next = request;
	else
		link->queue_first = request;
	link->queue_last = request;
	pump(link);
}

void monitor_link_spawn(struct monitor_link *link, struct monitor_spawn *spawn)
{
	send_message(link, spawn, MONITOR_SPAWN, ++link->last_id, -1);
}

void monitor_link_kill(struct monitor_link *link, int signal)
{
	struct monitor_kill message = {.signal = signal};

	send_message(link, &message, MONITOR_KILL, ++link->last_id, -1);
}

void monitor_link_notify(struct monitor_link *link, const char *text)
{
	struct monitor_notify message = {0};

	(void)snprintf(message.text, sizeof message.text, "%s", text);
	send_message(link, &message, MONITOR_NOTIFY, ++link->last_id, -1);
}

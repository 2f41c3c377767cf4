/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server: accepts clients, cuts their input into calls, queues the changes,
 * sends answers.  Everything a client can make it keep is bounded: its input
 * line, its calls under way, its unsent answers, the number of clients.  A
 * client that does not read its answers is not read from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/line.h"
#include "common/sock.h"
#include "daemon/log.h"
#include "daemon/rpc.h"

#define OUTPUT_PAUSE_BYTES (1u << 20) /* beyond, no more requests are taken from the client */
#define RECEIVE_BYTES 65536

struct rpc_server {
	struct daemon *daemon;
	sd_event *event;
	sd_event_source *listen_source, *queue_source;
	int listen_fd;
	gid_t group;
	unsigned client_count;
	struct rpc_client *clients;
	struct rpc_call *queue_first, *queue_last; /* changes that wait */
	struct rpc_call *changing;                 /* the change under way */
	bool is_open;
};

struct rpc_client {
	struct rpc_server *server;
	struct rpc_client *prev, *next;
	sd_event_source *source;
	int fd;
	int passed_fd; /* came with the last message, not yet taken; -1 */
	bool ended;    /* no more input: closed once everything is answered */
	bool broken;   /* to be closed as soon as nobody uses it */
	unsigned busy; /* handlers of this client on the stack */
	struct line_reader reader;
	struct line_writer writer;
	unsigned call_count;
	struct rpc_call *calls;
	unsigned end_count;
	struct {
		rpc_end_fn *end;
		uint64_t value;
	} ends[RPC_END_COUNT_MAX];
};

struct rpc_batch {
	struct rpc_client *client; /* NULL when it left */
	json_t *responses;
	unsigned waiting;
};

static void client_pump(struct rpc_client *client);

/* ------------------------------------------------------------- clients */

static void client_destroy(struct rpc_client *client)
{
	struct rpc_server *server = client->server;

	while (client->calls) {
		struct rpc_call *call = client->calls;
		client->calls = call->next;
		if (client->calls)
			client->calls->prev = NULL;
		call->client = NULL;
		call->prev = call->next = NULL;
		if (call->batch)
			call->batch->client = NULL;
		if (call->gone)
			call->gone(call);
	}
	for (unsigned i = 0; i < client->end_count; i++)
		client->ends[i].end(server->daemon, client->ends[i].value);
	if (client->prev)
		client->prev->next = client->next;
	else
		server->clients = client->next;
	if (client->next)
		client->next->prev = client->prev;
	server->client_count--;
	(void)sd_event_source_disable_unref(client->source);
	line_reader_fini(&client->reader);
	line_writer_fini(&client->writer);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	close(client->fd);
	free(client);
}

static bool client_accepts_input(const struct rpc_client *client)
{
	return !client->ended && !client->broken && client->writer.len < OUTPUT_PAUSE_BYTES &&
	       client->call_count < RPC_CALL_COUNT_MAX;
}

/* Wait for what the client can do next; close it when that is nothing. */
static void client_settle(struct rpc_client *client)
{
	if (client->busy)
		return;
	if (client->broken || (client->ended && client->call_count == 0 && client->writer.len == 0)) {
		client_destroy(client);
		return;
	}
	uint32_t events = (client_accepts_input(client) ? EPOLLIN : 0u) | (client->writer.len ? EPOLLOUT : 0u);
	(void)sd_event_source_set_io_events(client->source, events);
}

static void client_send(struct rpc_client *client, json_t *response)
{
	char *text = response ? json_dumps(response, JSON_COMPACT) : NULL;
	int rc = text ? line_writer_put(&client->writer, text, strlen(text)) : -ENOMEM;

	if (rc == -ENOBUFS || rc == -ENOMEM) {
		struct fail fail;
		(void)fail_set(&fail, FAIL_FAILED, "the answer is too large; ask for one object at a time");
		json_t *refusal = rpc_response(json_object_get(response, "id"), NULL, &fail);
		free(text);
		text = json_dumps(refusal, JSON_COMPACT);
		json_decref(refusal);
		rc = text ? line_writer_put(&client->writer, text, strlen(text)) : -ENOMEM;
	}
	free(text);
	if (rc == 0)
		rc = line_writer_flush(&client->writer, client->fd);
	if (rc != 0 && rc != -EAGAIN)
		client->broken = true;
}

static void batch_end(struct rpc_batch *batch)
{
	if (batch->client && json_array_size(batch->responses) > 0)
		client_send(batch->client, batch->responses);
	json_decref(batch->responses);
	free(batch);
}

/* Deliver one response (stolen), by itself or in its batch. */
static void deliver(struct rpc_client *client, struct rpc_batch *batch, json_t *response)
{
	if (batch) {
		if (response)
			(void)json_array_append_new(batch->responses, response);
		if (--batch->waiting == 0)
			batch_end(batch);
		return;
	}
	if (client && response)
		client_send(client, response);
	json_decref(response);
}

/* --------------------------------------------------------------- calls */

static void queue_run(struct rpc_server *server)
{
	if (server->queue_first && server->is_open && !server->changing)
		(void)sd_event_source_set_enabled(server->queue_source, SD_EVENT_ONESHOT);
}

static void call_finish(struct rpc_call *call, json_t *result, const struct fail *fail)
{
	struct rpc_server *server = call->server;
	struct rpc_client *client = call->client;
	json_t *response = NULL;

	if (call->id && client)
		response = rpc_response(call->id, result, fail);
	else
		json_decref(result);
	if (client) {
		if (call->prev)
			call->prev->next = call->next;
		else
			client->calls = call->next;
		if (call->next)
			call->next->prev = call->prev;
		client->call_count--;
	}
	deliver(client, call->batch, response);
	if (server->changing == call) {
		server->changing = NULL;
		queue_run(server);
	}
	json_decref(call->id);
	json_decref(call->params);
	free(call);
	if (client && !client->busy)
		client_pump(client);
}

void rpc_reply(struct rpc_call *call, json_t *result)
{
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};

	call_finish(call, result, &fail);
}

void rpc_refuse(struct rpc_call *call, const struct fail *fail)
{
	call_finish(call, NULL, fail);
}

void rpc_at_end(struct rpc_call *call, rpc_end_fn *end, uint64_t value)
{
	struct rpc_client *client = call->client;

	if (!client) {
		end(call->daemon, value);
		return;
	}
	if (client->end_count == RPC_END_COUNT_MAX)
		memmove(&client->ends[0], &client->ends[1], --client->end_count * sizeof client->ends[0]);
	client->ends[client->end_count].end = end;
	client->ends[client->end_count++].value = value;
}

int rpc_take_descriptor(struct rpc_call *call)
{
	if (!call->client)
		return -1;
	int fd = call->client->passed_fd;
	call->client->passed_fd = -1;
	return fd;
}

/* Run the oldest change that waits. */
static int on_queue(sd_event_source *source, void *ctx)
{
	struct rpc_server *server = ctx;
	struct rpc_call *call = server->queue_first;

	(void)source;
	if (!call || server->changing || !server->is_open)
		return 0;
	server->queue_first = call->queue_next;
	if (!server->queue_first)
		server->queue_last = NULL;
	server->changing = call;
	call->running = true;
	if (!call->client) { /* it left before its change began: nothing was promised */
		struct fail fail;
		(void)fail_set(&fail, FAIL_FAILED, "the client left");
		rpc_refuse(call, &fail);
		return 0;
	}
	call->method->run(call);
	return 0;
}

static void call_start(struct rpc_call *call)
{
	struct rpc_server *server = call->server;

	if (!(call->method->flags & RPC_CHANGES)) {
		call->running = true;
		call->method->run(call);
		return;
	}
	if (server->queue_last)
		server->queue_last->queue_next = call;
	else
		server->queue_first = call;
	server->queue_last = call;
	queue_run(server);
}

/* One request of a line; answers a malformed one itself. */
static void handle_request(struct rpc_client *client, struct rpc_batch *batch, json_t *value)
{
	struct rpc_request request;
	struct fail fail;
	struct rpc_call *call = NULL;

	int rc = rpc_request_decode(value, &request, &fail);
	if (rc == 0) {
		call = calloc(1, sizeof *call);
		if (!call) {
			json_decref(request.params);
			rc = fail_set(&fail, FAIL_FAILED, "out of memory");
		}
	}
	if (rc != 0) {
		/* A malformed notification cannot be told from a malformed request: only a sound one stays unanswered.
		 */
		bool silent = !request.id && (fail.kind == FAIL_METHOD || fail.kind == FAIL_USAGE);
		deliver(client, batch, silent ? NULL : rpc_response(request.id, NULL, &fail));
		return;
	}
	call->daemon = client->server->daemon;
	call->server = client->server;
	call->method = request.method;
	call->params = request.params;
	call->client = client;
	call->batch = batch;
	call->id = json_incref(request.id);
	call->next = client->calls;
	if (call->next)
		call->next->prev = call;
	client->calls = call;
	client->call_count++;
	call_start(call);
}

static void handle_batch(struct rpc_client *client, json_t *list)
{
	size_t count = json_array_size(list);
	struct fail fail;

	if (count == 0 || count > RPC_BATCH_COUNT_MAX) {
		(void)fail_set(&fail, FAIL_REQUEST, "a batch has 1 to %d requests", RPC_BATCH_COUNT_MAX);
		deliver(client, NULL, rpc_response(NULL, NULL, &fail));
		return;
	}
	struct rpc_batch *batch = calloc(1, sizeof *batch);
	if (!batch) {
		client->broken = true;
		return;
	}
	batch->client = client;
	batch->responses = json_array();
	batch->waiting = (unsigned)count + 1; /* one more, so that it outlives the loop */
	for (size_t i = 0; i < count; i++)
		handle_request(client, batch, json_array_get(list, i));
	deliver(client, batch, NULL);
}

static void handle_line(struct rpc_client *client, const char *line, size_t len)
{
	struct fail fail;
	json_t *value = rpc_line_decode(line, len, &fail);

	if (!value)
		deliver(client, NULL, rpc_response(NULL, NULL, &fail));
	else if (json_is_array(value))
		handle_batch(client, value);
	else
		handle_request(client, NULL, value);
	json_decref(value);
}

/* Handle the whole lines that wait, as long as the client may have more calls; then settle. */
static void client_pump(struct rpc_client *client)
{
	char *line;
	size_t len;

	client->busy++;
	while (!client->broken && client->call_count < RPC_CALL_COUNT_MAX && client->writer.len < OUTPUT_PAUSE_BYTES) {
		enum line_status status = line_reader_next(&client->reader, &line, &len);
		if (status == LINE_NONE)
			break;
		if (status == LINE_TOO_LONG) {
			struct fail fail;
			(void)fail_set(&fail, FAIL_REQUEST, "a request line has at most %u bytes",
				       LINE_REQUEST_BYTES_MAX);
			deliver(client, NULL, rpc_response(NULL, NULL, &fail));
		} else if (len > 0) {
			handle_line(client, line, len);
		}
	}
	client->busy--;
	client_settle(client);
}

static void client_receive(struct rpc_client *client)
{
	char bytes[RECEIVE_BYTES];
	int passed;

	ssize_t got = sock_recv(client->fd, bytes, sizeof bytes, &passed);
	if (got == -EAGAIN)
		return;
	if (got <= 0) {
		client->ended = true;
		client->broken = got < 0;
		return;
	}
	if (passed >= 0) {
		if (client->passed_fd >= 0)
			close(client->passed_fd);
		client->passed_fd = passed;
	}
	if (line_reader_feed(&client->reader, bytes, (size_t)got) != 0)
		client->broken = true;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct rpc_client *client = ctx;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT) {
		int rc = line_writer_flush(&client->writer, client->fd);
		if (rc != 0 && rc != -EAGAIN)
			client->broken = true;
	}
	if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN))
		client->broken = true;
	if ((events & EPOLLIN) && client_accepts_input(client))
		client_receive(client);
	client_pump(client);
	return 0;
}

/* -------------------------------------------------------------- server */

static bool peer_is_allowed(const struct rpc_server *server, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	gid_t groups[256];
	socklen_t groups_bytes = sizeof groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_bytes) != 0)
		groups_bytes = 0;
	return rpc_peer_allowed(peer.uid, peer.gid, groups, groups_bytes / sizeof groups[0], geteuid(), server->group);
}

/* Say why and hang up; the few bytes fit any socket buffer. */
static void turn_away(int fd, const char *why)
{
	struct fail fail;

	(void)fail_set(&fail, FAIL_UNAVAILABLE, "%s", why);
	json_t *response = rpc_response(NULL, NULL, &fail);
	char *text = json_dumps(response, JSON_COMPACT);
	if (text) {
		(void)!send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)!send(fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(text);
	json_decref(response);
	close(fd);
}

static int on_listen(sd_event_source *source, int listen_fd, uint32_t events, void *ctx)
{
	struct rpc_server *server = ctx;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (fd < 0)
		return 0;
	if (!peer_is_allowed(server, fd)) {
		turn_away(fd, "your user may not control wherry; join the group that wherryd was given with --group");
		return 0;
	}
	struct rpc_client *client = server->client_count < RPC_CLIENT_COUNT_MAX ? calloc(1, sizeof *client) : NULL;
	if (!client) {
		turn_away(fd, "too many clients; close some and try again");
		return 0;
	}
	client->server = server;
	client->fd = fd;
	client->passed_fd = -1;
	line_reader_init(&client->reader, LINE_REQUEST_BYTES_MAX);
	line_writer_init(&client->writer, LINE_RESPONSE_BYTES_MAX);
	if (sd_event_add_io(server->event, &client->source, fd, EPOLLIN, on_client, client) < 0) {
		close(fd);
		free(client);
		return 0;
	}
	client->next = server->clients;
	if (client->next)
		client->next->prev = client;
	server->clients = client;
	server->client_count++;
	return 0;
}

struct rpc_server *rpc_server_create(struct daemon *daemon, sd_event *event, int listen_fd, gid_t group)
{
	struct rpc_server *server = calloc(1, sizeof *server);

	if (!server)
		return NULL;
	server->daemon = daemon;
	server->event = event;
	server->listen_fd = listen_fd;
	server->group = group;
	/* Newcomers after everybody who is there: who has hung up makes room before another is turned away. */
	if (sd_event_add_io(event, &server->listen_source, listen_fd, EPOLLIN, on_listen, server) < 0 ||
	    sd_event_source_set_priority(server->listen_source, SD_EVENT_PRIORITY_NORMAL + 1) < 0 ||
	    sd_event_add_defer(event, &server->queue_source, on_queue, server) < 0) {
		rpc_server_destroy(server);
		return NULL;
	}
	(void)sd_event_source_set_enabled(server->queue_source, SD_EVENT_OFF);
	return server;
}

void rpc_server_open(struct rpc_server *server)
{
	server->is_open = true;
	queue_run(server);
}

void rpc_server_destroy(struct rpc_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_destroy(server->clients);
	(void)sd_event_source_disable_unref(server->listen_source);
	(void)sd_event_source_disable_unref(server->queue_source);
	close(server->listen_fd);
	free(server);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* An application at one end of the wire: sends what it should, checks what it is given. */
#include <stdlib.h>

#include "wire.h"

struct app_buf {
	struct pkt_buf buf; /* first */
	struct app *app;
};

uint8_t app_byte(uint64_t seed, uint64_t at)
{
	const uint64_t x = (at >> 3) * 0x9e3779b97f4a7c15ull + seed;
	return (uint8_t)((x ^ x >> 29) >> (8 * (at & 7)));
}

static void release(struct pkt_buf *buf)
{
	struct app_buf *own = (struct app_buf *)buf;
	own->app->buffers_out--;
	free((void *)(uintptr_t)buf->data);
	free(own);
}

void app_pump(struct app *app)
{
	bool any = false;
	while (app->sent < app->to_send && app->stream->unsent_bytes < STREAM_UNSENT_BYTES_GOAL) {
		const uint64_t left = app->to_send - app->sent;
		const uint32_t len = left < app->piece_bytes ? (uint32_t)left : app->piece_bytes;
		uint8_t *bytes = malloc(len);
		for (uint32_t i = 0; i < len; i++)
			bytes[i] = app_byte(app->seed, app->sent + i);
		struct app_buf *own = calloc(1, sizeof *own);
		own->buf = (struct pkt_buf){.data = bytes, .len_bytes = len, .refs = 1, .release = release};
		own->app = app;
		app->buffers_out++;
		app->sent += len;
		stream_send(app->stream, &own->buf);
		any = true;
	}
	if (any && !app->no_flush)
		stream_flush(app->stream);
	if (app->sent == app->to_send && app->shutdown_when_sent)
		stream_shutdown(app->stream);
}

static void on_open(void *ctx)
{
	struct app *app = ctx;
	app->opened = true;
	app_pump(app);
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len)
{
	struct app *app = ctx;
	if (app->ended || app->closed)
		app->wrong_count++;
	uint64_t take = len;
	if (app->take_step && take > app->take_step)
		take = app->take_step;
	if (take > app->take_max - app->received)
		take = app->take_max - app->received;
	for (uint32_t i = 0; i < take; i++)
		if (data[i] != app_byte(app->peer_seed, app->received + i))
			app->wrong_count++;
	app->received += take;
	if (app->take_step && app->received < app->take_max)
		stream_resume(app->stream);
	if (app->echo) {
		app->to_send += take;
		app_pump(app);
	}
	return (uint32_t)take;
}

static void on_end(void *ctx)
{
	struct app *app = ctx;
	if (app->ended)
		app->wrong_count++;
	app->ended = true;
	if (app->shutdown_on_end)
		stream_shutdown(app->stream);
}

static void on_room(void *ctx)
{
	struct app *app = ctx;
	app->room_count++;
	app_pump(app);
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct app *app = ctx;
	if (app->closed)
		app->wrong_count++;
	app->closed = true;
	app->reason = reason;
	app->stream = NULL;
}

const struct stream_handler app_handler = {
	.on_open = on_open, .on_data = on_data, .on_end = on_end, .on_room = on_room, .on_closed = on_closed};

void app_init(struct app *app, struct endpoint *end, uint64_t seed, uint64_t peer_seed)
{
	*app = (struct app){
		.end = end,
		.seed = seed,
		.peer_seed = peer_seed,
		.take_max = UINT64_MAX,
		.piece_bytes = 4096,
		.shutdown_on_end = true,
	};
}

/* The same handler without on_open, which is not called for accepted streams. */
static void must_not_open(void *ctx)
{
	((struct app *)ctx)->opened = true;
}

bool app_accept(void *ctx, struct stream *stream)
{
	static struct stream_handler handler;
	struct endpoint *end = ctx;
	struct app *app = end->next_app;
	if (!app)
		return false;
	handler = app_handler;
	handler.on_open = must_not_open;
	stream->handler = &handler;
	stream->ctx = app;
	app->stream = stream;
	app_pump(app);
	return true;
}

void wire_connect(struct wire *wire, struct app *server, struct app *client)
{
	struct endpoint *ends = wire->ends;
	ends[SERVER].next_app = server;
	(void)tcp_listen(ends[SERVER].tcp, NULL, PORT, app_accept, &ends[SERVER]);
	client->stream =
		tcp_connect(ends[CLIENT].tcp, NULL, 0, &ends[SERVER].addr, PORT, &app_handler, client, wire->now_ns);
}

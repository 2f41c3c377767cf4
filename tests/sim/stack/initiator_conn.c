/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection: opened, greeted, negotiated, ended. */
#include <stdio.h>
#include <string.h>

#include "initiator.h"
#include "stack_world.h"
#include "wire/nbd.h"

void conn_send(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	conn->pipe->ops->send(conn->pipe, bytes, len_bytes);
}

static _Noreturn void nonsense(const struct initiator_conn *conn, const char *what)
{
	sim_fail(conn->initiator->sim, "host %u: connection %u: %s", conn->initiator->host->index, conn->index, what);
}

void conn_open(struct initiator_conn *conn)
{
	struct initiator *initiator = conn->initiator;
	conn->retry_ns = initiator->sim->now_ns + rng_between(&initiator->rng, 50, 2000) * MS;
	conn->in_bytes = 0;
	conn->under_way = 0;
	conn->step = 0;
	conn->half_closed = conn->structured = conn->extended = conn->status = false;
	conn->pipe = initiator->host->ops->connect(initiator->host, &initiator_pipe, conn);
	if (!conn->pipe)
		return;
	conn->phase = CONN_CONNECTING;
	conn->since_ns = initiator->sim->now_ns;
	initiator->world->connect_count++;
}

/* It is over, or shall be. */
void conn_break(struct initiator_conn *conn, bool abort)
{
	struct pipe *pipe = conn->pipe;
	if (conn->phase == CONN_IDLE)
		return;
	sim_trace(conn->initiator->sim, "host %u: connection %u: over, %u requests unanswered",
		  conn->initiator->host->index, conn->index, conn->under_way);
	conn->phase = CONN_IDLE;
	conn->pipe = NULL;
	if (abort && pipe)
		pipe->ops->abort(pipe);
	io_conn_lost(conn);
}

static void on_open(void *ctx)
{
	struct initiator_conn *conn = ctx;
	conn->phase = CONN_GREETING;
}

static void on_closed(void *ctx)
{
	struct initiator_conn *conn = ctx;
	conn_break(conn, false);
}

static void on_end(void *ctx)
{
	struct initiator_conn *conn = ctx;
	const struct target *target = &conn->initiator->world->target;
	/* It was asked for this whole, and is there: it had to answer. */
	if (conn->half_closed && conn->under_way && target->instance == conn->instance &&
	    target->state == TARGET_SERVING)
		nonsense(conn, "ended in order, but owes answers");
	conn->pipe->ops->shutdown(conn->pipe);
	conn->phase = CONN_LEFT;
	conn->since_ns = conn->initiator->sim->now_ns;
}

static void send_option(struct initiator_conn *conn, uint32_t option, const uint8_t *data, uint32_t data_bytes)
{
	uint8_t bytes[NBD_OPTION_BYTES + 128];
	const struct nbd_option_header header = {option, data_bytes};
	const uint32_t at = nbd_option_emit(bytes, &header);
	memcpy(bytes + at, data, data_bytes);
	conn_send(conn, bytes, at + data_bytes);
}

/* Name with its length in front, in 32 bits. */
static uint32_t put_text(uint8_t *at, const char *text)
{
	const uint32_t len_bytes = (uint32_t)strlen(text);
	const uint8_t length[4] = {0, 0, (uint8_t)(len_bytes >> 8), (uint8_t)len_bytes};
	memcpy(at, length, 4);
	memcpy(at + 4, text, len_bytes);
	return 4 + len_bytes;
}

enum step { STEP_REPLIES, STEP_CONTEXT, STEP_GO, STEP_NAME };

static void next_step(struct initiator_conn *conn)
{
	const struct host_plot *plot = conn->initiator->plot;
	char name[16];
	uint8_t data[120];
	uint32_t at;
	snprintf(name, sizeof name, "disk%u", plot->volume);
	conn->phase = CONN_OPTIONS;
	if (conn->step == STEP_REPLIES && plot->structured) {
		send_option(conn, plot->extended ? NBD_OPT_EXTENDED_HEADERS : NBD_OPT_STRUCTURED_REPLY, data, 0);
		return;
	}
	if (conn->step <= STEP_CONTEXT && conn->structured && plot->status_ppm) {
		static const uint8_t one[4] = {0, 0, 0, 1};
		conn->step = STEP_CONTEXT;
		at = put_text(data, name);
		memcpy(data + at, one, 4);
		at += 4;
		at += put_text(data + at, NBD_CONTEXT_BASE_ALLOCATION);
		send_option(conn, NBD_OPT_SET_META_CONTEXT, data, at);
		return;
	}
	if (plot->by_name) {
		conn->step = STEP_NAME;
		send_option(conn, NBD_OPT_EXPORT_NAME, (const uint8_t *)name, (uint32_t)strlen(name));
		return;
	}
	conn->step = STEP_GO;
	at = put_text(data, name);
	data[at++] = 0;
	data[at++] = 0;
	send_option(conn, NBD_OPT_GO, data, at);
}

static uint32_t on_greeting(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	static const uint8_t want[NBD_GREETING_BYTES] = "NBDMAGICIHAVEOPT\0\3";
	uint8_t flags[NBD_CLIENT_FLAGS_BYTES];
	if (len_bytes < NBD_GREETING_BYTES)
		return 0;
	if (memcmp(bytes, want, sizeof want) != 0)
		nonsense(conn, "the greeting is none");
	conn_send(conn, flags, nbd_client_flags_emit(flags, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES));
	next_step(conn);
	return NBD_GREETING_BYTES;
}

static void ready(struct initiator_conn *conn, uint64_t size_bytes)
{
	struct initiator *initiator = conn->initiator;
	if (size_bytes != (uint64_t)initiator->volume->sector_count * SECTOR_BYTES)
		nonsense(conn, "the size is another one");
	conn->phase = CONN_READY;
	conn->instance = initiator->world->target.instance;
	sim_trace(initiator->sim, "host %u: connection %u: ready", initiator->host->index, conn->index);
	io_pump(initiator);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t on_option(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	struct nbd_option_reply_header header;
	if (conn->step == STEP_NAME) {
		if (len_bytes < NBD_EXPORT_NAME_REPLY_BYTES)
			return 0;
		ready(conn, get64(bytes));
		return NBD_EXPORT_NAME_REPLY_BYTES;
	}
	if (len_bytes < NBD_OPTION_REPLY_BYTES)
		return 0;
	if (nbd_option_reply_parse(bytes, len_bytes, &header).result != WIRE_OK)
		nonsense(conn, "an option's reply is none");
	const uint32_t total = NBD_OPTION_REPLY_BYTES + header.len_bytes;
	if (total > 8192)
		nonsense(conn, "an option's reply is too long");
	if (len_bytes < total)
		return 0;
	const uint8_t *data = bytes + NBD_OPTION_REPLY_BYTES;
	if (header.type == NBD_REP_ERR_SHUTDOWN)
		return total;
	if (header.type >> 31)
		nonsense(conn, "an option was refused");
	if (header.type == NBD_REP_META_CONTEXT)
		conn->status = true;
	if (header.type == NBD_REP_INFO && header.len_bytes == 12 && data[1] == NBD_INFO_EXPORT)
		conn->size_bytes = get64(data + 2);
	if (header.type != NBD_REP_ACK)
		return total;
	if (conn->step == STEP_REPLIES) {
		conn->structured = true;
		conn->extended = conn->initiator->plot->extended;
		conn->step = STEP_CONTEXT;
		next_step(conn);
	} else if (conn->step == STEP_CONTEXT) {
		conn->step = STEP_GO;
		next_step(conn);
	} else {
		ready(conn, conn->size_bytes);
	}
	return total;
}

static uint32_t consume(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	switch (conn->phase) {
	case CONN_GREETING:
		return on_greeting(conn, bytes, len_bytes);
	case CONN_OPTIONS:
		return on_option(conn, bytes, len_bytes);
	case CONN_READY:
	case CONN_LEAVING:
	case CONN_LEFT:
		return io_reply(conn, bytes, len_bytes);
	default:
		return 0;
	}
}

static void on_data(void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct initiator_conn *conn = ctx;
	const struct pipe *pipe = conn->pipe;
	uint32_t at = 0, used;
	if (len_bytes > IN_BYTES_MAX - conn->in_bytes)
		nonsense(conn, "more was sent than was asked for");
	memcpy(conn->in + conn->in_bytes, bytes, len_bytes);
	conn->in_bytes += len_bytes;
	conn->heard_ns = conn->initiator->sim->now_ns;
	/* An answer may be the reason to end the connection. */
	while (conn->pipe == pipe && conn->phase != CONN_IDLE &&
	       (used = consume(conn, conn->in + at, conn->in_bytes - at)) != 0)
		at += used;
	if (conn->pipe != pipe || conn->phase == CONN_IDLE)
		return;
	conn->in_bytes -= at;
	memmove(conn->in, conn->in + at, conn->in_bytes);
}

const struct pipe_handler initiator_pipe = {on_open, on_data, on_end, on_closed};

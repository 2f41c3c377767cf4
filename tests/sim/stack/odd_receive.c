/* SPDX-License-Identifier: BSD-3-Clause */
/* An odd TCP: what it does with what it receives. */
#include <string.h>

#include "odd.h"
#include "stack_world.h"

static struct sim *sim_of(const struct odd_conn *conn)
{
	return conn->host->host.sim;
}

static struct rng *rng_of(const struct odd_conn *conn)
{
	return &conn->host->host.rng;
}

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static _Noreturn void foul(const struct odd_conn *conn, const char *what)
{
	sim_fail(sim_of(conn), "host %u: port %u: %s", conn->host->host.index, conn->port, what);
}

/* Where the window ends from now on. */
static void move_edge(struct odd_conn *conn)
{
	const uint32_t unit = 1u << (conn->wscale ? conn->style.shift : 0);
	uint32_t edge = conn->rcv_nxt + conn->style.window_bytes / unit * unit;
	if (conn->closed_window)
		edge = conn->edge;
	/* Only a window that shrinks moves to the left. */
	if (before(edge, conn->edge) && conn->style.window != ODD_WINDOW_SHRINKS)
		edge = conn->edge;
	if (before(edge, conn->rcv_nxt))
		edge = conn->rcv_nxt;
	/* What is told is told in units: never more than there is. */
	edge = conn->rcv_nxt + (edge - conn->rcv_nxt) / unit * unit;
	conn->edge = edge;
	if (before(conn->max_edge, edge))
		conn->max_edge = edge;
}

void odd_send_ack(struct odd_conn *conn)
{
	move_edge(conn);
	conn->unacked = 0;
	conn->ack_ns = NEVER;
	odd_acknowledge(conn);
	if (conn->style.acks == ODD_ACKS_DOUBLED)
		odd_acknowledge(conn);
}

unsigned odd_sack_blocks(const struct odd_conn *conn, uint32_t blocks[3][2])
{
	unsigned count = 0;
	for (uint32_t i = 0; i < ODD_WINDOW_MAX && count < 3; i++) {
		if (!conn->there[i])
			continue;
		blocks[count][0] = conn->rcv_nxt + i;
		while (i < ODD_WINDOW_MAX && conn->there[i])
			i++;
		blocks[count++][1] = conn->rcv_nxt + i;
	}
	return count;
}

/* Only when something stands out of order is the map looked at. */
static bool has_gap(const struct odd_conn *conn)
{
	return memchr(conn->there, 1, ODD_WINDOW_MAX) != NULL;
}

static void store(struct odd_conn *conn, uint32_t at, const uint8_t *bytes, uint32_t len_bytes)
{
	for (uint32_t i = 0; i < len_bytes; i++) {
		if (conn->there[at + i] && conn->in[at + i] != bytes[i])
			foul(conn, "other bytes in the same place");
		conn->in[at + i] = bytes[i];
		conn->there[at + i] = 1;
	}
}

/* What has become whole goes to the initiator. */
static uint32_t deliver(struct odd_conn *conn)
{
	uint8_t bytes[ODD_WINDOW_MAX];
	const uint8_t *gap = memchr(conn->there, 0, ODD_WINDOW_MAX);
	const uint32_t len = gap ? (uint32_t)(gap - conn->there) : ODD_WINDOW_MAX;
	if (len == 0)
		return 0;
	memcpy(bytes, conn->in, len);
	memmove(conn->in, conn->in + len, ODD_WINDOW_MAX - len);
	memmove(conn->there, conn->there + len, ODD_WINDOW_MAX - len);
	memset(conn->there + ODD_WINDOW_MAX - len, 0, len);
	conn->rcv_nxt += len;
	if (conn->pipe.handler)
		conn->pipe.handler->data(conn->pipe.ctx, bytes, len);
	return len;
}

static void check_segment(const struct odd_conn *conn, const struct odd_segment *segment)
{
	const uint32_t mss = conn->style.mss_option ? conn->style.mss_option : conn->host->host.plot->v6 ? 1220 : 536;
	if (segment->payload_bytes && segment->payload_bytes + segment->option_bytes > mss)
		foul(conn, "a segment is longer than the MSS");
	/* One byte beyond it asks whether a closed window has opened. */
	const uint32_t end = segment->seq + segment->payload_bytes;
	if (segment->payload_bytes > 1 && before(conn->max_edge, end))
		foul(conn, "sent beyond the window");
	if (segment->payload_bytes == 1 && before(conn->max_edge + 1, end))
		foul(conn, "probed far beyond the window");
}

/* The acknowledgements that one segment is worth. */
static void acknowledge(struct odd_conn *conn, uint32_t taken)
{
	const struct odd_style *style = &conn->style;
	if (style->acks == ODD_ACKS_SPLIT && taken > 3) {
		const uint32_t all = conn->rcv_nxt;
		/* In parts: the numbers between are acknowledged first. */
		conn->rcv_nxt = all - taken / 2;
		odd_acknowledge(conn);
		conn->rcv_nxt = all;
	}
	const bool late =
		(style->acks == ODD_ACKS_LATE || style->acks == ODD_ACKS_STRETCHED) && !conn->host->host.world->calm;
	conn->unacked++;
	if (!late || conn->unacked >= (style->acks == ODD_ACKS_LATE ? 2 : style->stretch)) {
		odd_send_ack(conn);
	} else if (conn->ack_ns == NEVER) {
		conn->ack_ns = sim_of(conn)->now_ns + style->ack_delay_ns;
		odd_arm(conn);
	}
}

static void take_fin(struct odd_conn *conn)
{
	if (!conn->has_fin || conn->fin_seq != conn->rcv_nxt || conn->fin_received)
		return;
	conn->fin_received = true;
	conn->rcv_nxt++;
	conn->edge++;
	conn->max_edge++;
	odd_send_ack(conn);
	if (conn->pipe.handler)
		conn->pipe.handler->end(conn->pipe.ctx);
	else if (!conn->fin_queued)
		odd_pipe_ops.shutdown(&conn->pipe);
}

void odd_receive(struct odd_conn *conn, const struct odd_segment *segment)
{
	const uint8_t *bytes = segment->payload;
	uint32_t at = segment->seq, len = segment->payload_bytes;
	if (conn->state == ODD_TIME_WAIT || conn->fin_received) {
		if (len || (segment->flags & ODD_FIN))
			odd_send_ack(conn);
		return;
	}
	check_segment(conn, segment);
	if (segment->flags & ODD_FIN) {
		conn->has_fin = true;
		conn->fin_seq = at + len;
	}
	if (conn->timestamps && !before(conn->rcv_nxt, at) && (int32_t)(segment->ts_val - conn->ts_recent) >= 0)
		conn->ts_recent = segment->ts_val;
	if (before(at, conn->rcv_nxt)) {
		const uint32_t old = conn->rcv_nxt - at < len ? conn->rcv_nxt - at : len;
		bytes += old;
		at += old;
		len -= old;
		if (len == 0 && !(segment->flags & ODD_FIN)) {
			odd_send_ack(conn); /* again, a keep-alive, or a probe */
			return;
		}
	}
	/* Only what the window has room for. */
	const uint32_t room = before(at, conn->edge) ? conn->edge - at : 0;
	const bool beyond = len > room;
	if (beyond)
		len = room;
	if (len)
		store(conn, at - conn->rcv_nxt, bytes, len);
	const uint32_t taken = deliver(conn);
	if (conn->state != ODD_OPEN)
		return;
	take_fin(conn);
	if (conn->state != ODD_OPEN || conn->fin_received)
		return;
	if (taken && !beyond && !has_gap(conn))
		acknowledge(conn, taken);
	else if (segment->payload_bytes || (segment->flags & ODD_FIN))
		odd_send_ack(conn);
	/* What was SACKed may be thrown away again, until it is acknowledged. */
	if (rng_chance(rng_of(conn), conn->style.renege_ppm) && has_gap(conn)) {
		memset(conn->there, 0, ODD_WINDOW_MAX);
		flows_harm_port(&conn->host->host.world->flows, conn->host->host.index, conn->port);
	}
}

static void on_window(struct odd_conn *conn)
{
	struct rng *rng = rng_of(conn);
	const uint64_t now_ns = sim_of(conn)->now_ns;
	if (conn->host->host.world->calm) {
		conn->closed_window = false;
		conn->window_ns = NEVER;
	} else if (conn->style.window == ODD_WINDOW_BREATHES) {
		conn->closed_window = !conn->closed_window;
		conn->window_ns = now_ns + rng_below(rng, conn->closed_window ? 4 * SEC : SEC);
	} else {
		conn->style.window_bytes = (uint32_t)rng_between(rng, 1000, ODD_WINDOW_MAX);
		conn->window_ns = now_ns + rng_below(rng, SEC);
	}
	odd_send_ack(conn);
}

void odd_receive_timer(struct odd_conn *conn)
{
	const uint64_t now_ns = sim_of(conn)->now_ns;
	if (conn->state != ODD_OPEN)
		return;
	if (conn->ack_ns <= now_ns)
		odd_send_ack(conn);
	if (conn->window_ns <= now_ns)
		on_window(conn);
}

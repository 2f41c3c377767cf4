/* SPDX-License-Identifier: BSD-3-Clause */
/* An odd TCP: opening, sending, ending. */
#include <string.h>

#include "frame.h"
#include "odd.h"
#include "stack_world.h"

#define RTO_MAX_NS (60 * SEC)
#define LINGER_NS SEC
#define ODD_ACK_BYTES_MAX (1u << 20)
#define KEEP_IDLE_NS (20 * SEC)
#define KEEP_INTERVAL_NS (5 * SEC)
#define GIVE_UP_NS (150 * SEC)

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

/* ---- segments out ---- */

static uint32_t put_options(const struct odd_conn *conn, uint8_t *at, bool syn)
{
	const struct odd_style *style = &conn->style;
	uint32_t blocks[3][2], n = 0;
	if (syn && style->mss_option) {
		at[n] = 2;
		at[n + 1] = 4;
		put16(at + n + 2, style->mss_option);
		n += 4;
	}
	if (syn && style->wscale) {
		const uint8_t option[4] = {1, 3, 3, style->shift};
		memcpy(at + n, option, 4);
		n += 4;
	}
	if (syn && style->sack) {
		const uint8_t option[4] = {1, 1, 4, 2};
		memcpy(at + n, option, 4);
		n += 4;
	}
	if (syn ? style->timestamps : conn->timestamps) {
		const uint8_t option[4] = {1, 1, 8, 10};
		memcpy(at + n, option, 4);
		put32(at + n + 4, (uint32_t)(sim_of(conn)->now_ns / MS) + 77);
		put32(at + n + 8, conn->ts_recent);
		n += 12;
	}
	const unsigned count = !syn && conn->sack ? odd_sack_blocks(conn, blocks) : 0;
	if (count) {
		const uint8_t option[4] = {1, 1, 5, (uint8_t)(2 + 8 * count)};
		memcpy(at + n, option, 4);
		for (unsigned i = 0; i < 2 * count; i++)
			put32(at + n + 4 + 4 * i, blocks[i / 2][i % 2]);
		n += 4 + 8 * count;
	}
	return n;
}

static void emit(struct odd_conn *conn, uint32_t seq, uint32_t ack, uint8_t flags, const uint8_t *payload,
		 uint32_t payload_bytes)
{
	uint8_t bytes[ODD_FRAME_BYTES];
	uint8_t *tcp = bytes + FRAME_HEAD_BYTES;
	memset(tcp, 0, 20);
	put16(tcp, conn->port);
	put16(tcp + 2, NBD_PORT);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & ODD_ACK ? ack : 0);
	const uint32_t options = flags & ODD_RST ? 0 : put_options(conn, tcp + 20, flags & ODD_SYN);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	tcp[13] = flags;
	const uint32_t window = before(conn->edge, conn->rcv_nxt) ? 0 : conn->edge - conn->rcv_nxt;
	put16(tcp + 14,
	      flags & ODD_SYN ? (window < 65535 ? window : 65535) : window >> (conn->wscale ? conn->style.shift : 0));
	if (payload_bytes)
		memcpy(tcp + 20 + options, payload, payload_bytes);
	odd_transmit(conn->host, bytes, 20 + options + payload_bytes);
}

void odd_send(struct odd_conn *conn, uint32_t seq, uint32_t len_bytes, uint8_t flags)
{
	emit(conn, seq, conn->rcv_nxt, flags, conn->out + (seq - conn->out_start), len_bytes);
}

void odd_refuse(struct odd_host *host, uint16_t port, const struct odd_segment *segment)
{
	struct odd_conn nobody = {.host = host, .port = port};
	if (segment->flags & ODD_RST)
		return;
	const uint32_t length =
		segment->payload_bytes + ((segment->flags & ODD_SYN) != 0) + ((segment->flags & ODD_FIN) != 0);
	if (segment->flags & ODD_ACK)
		emit(&nobody, segment->ack, 0, ODD_RST, NULL, 0);
	else
		emit(&nobody, 0, segment->seq + length, ODD_RST | ODD_ACK, NULL, 0);
}

void odd_acknowledge(struct odd_conn *conn)
{
	/* A number that the peer takes, even if more than it had room for was sent. */
	const uint32_t edge = conn->una + conn->wnd;
	odd_send(conn, before(edge, conn->max) ? edge : conn->max, 0, ODD_ACK);
}

/* ---- timers ---- */

static uint64_t rto_ns(const struct odd_conn *conn)
{
	const uint64_t rto = conn->style.rto_ns << (conn->backoff < 8 ? conn->backoff : 8);
	return rto < RTO_MAX_NS ? rto : RTO_MAX_NS;
}

static void push(struct odd_conn *conn);

static void closed(struct odd_conn *conn)
{
	const struct pipe_handler *handler = conn->pipe.handler;
	void *ctx = conn->pipe.ctx;
	conn->pipe.handler = NULL;
	odd_drop(conn);
	if (handler)
		handler->closed(ctx);
}

/* From the first number that is not acknowledged, cut as it likes. */
static void retransmit(struct odd_conn *conn)
{
	const uint32_t end = conn->out_start + conn->out_bytes;
	uint32_t from = conn->una, len = end - from;
	if (rng_chance(rng_of(conn), conn->style.overlap_ppm)) {
		const uint32_t back = conn->una - conn->out_start;
		from -= (uint32_t)rng_below(rng_of(conn), (back < 300 ? back : 300) + 1);
	}
	len = end - from;
	const uint32_t most = rng_chance(rng_of(conn), conn->style.overlap_ppm)
				      ? (uint32_t)rng_between(rng_of(conn), 1, conn->style.segment_bytes)
				      : conn->style.segment_bytes;
	if (len > most)
		len = most;
	/* The window permits one byte at least, as a probe. */
	if (from == conn->una && conn->wnd == 0 && len > 1)
		len = 1;
	const bool fin = conn->fin_queued && from + len == end;
	odd_send(conn, from, len, (uint8_t)(ODD_ACK | (fin ? ODD_FIN : 0)));
	conn->nxt = from + len + fin;
	if (before(conn->nxt, conn->una))
		conn->nxt = conn->una;
	if (before(conn->max, conn->nxt))
		conn->max = conn->nxt;
}

static void on_rexmt(struct odd_conn *conn)
{
	if (sim_of(conn)->now_ns - conn->progress_ns > GIVE_UP_NS) {
		emit(conn, conn->nxt, conn->rcv_nxt, ODD_RST | ODD_ACK, NULL, 0);
		closed(conn);
		return;
	}
	conn->backoff++;
	if (conn->backoff > 1)
		odd_ask_again(conn->host);
	if (conn->state == ODD_SYN_SENT)
		emit(conn, conn->iss, 0, ODD_SYN, NULL, 0);
	else
		retransmit(conn);
	/* And go on from there, as if nothing behind it had arrived. */
	conn->rexmt_ns = sim_of(conn)->now_ns + rto_ns(conn);
}

static void on_timer(struct sim *sim, void *ctx, uint64_t arg)
{
	struct odd_conn *conn = ctx;
	(void)arg;
	if (sim->now_ns < conn->timer_ns || conn->state == ODD_FREE)
		return;
	conn->timer_ns = NEVER;
	if (conn->state == ODD_TIME_WAIT) {
		if (sim->now_ns >= conn->until_ns)
			odd_drop(conn);
		odd_arm(conn);
		return;
	}
	odd_receive_timer(conn);
	if (conn->rexmt_ns <= sim->now_ns)
		on_rexmt(conn);
	odd_arm(conn);
}

void odd_arm(struct odd_conn *conn)
{
	uint64_t due_ns = conn->rexmt_ns < conn->ack_ns ? conn->rexmt_ns : conn->ack_ns;
	if (conn->state == ODD_FREE)
		return;
	if (conn->window_ns < due_ns)
		due_ns = conn->window_ns;
	if (conn->state == ODD_TIME_WAIT)
		due_ns = conn->until_ns;
	if (due_ns >= conn->timer_ns || due_ns == NEVER)
		return;
	conn->timer_ns = due_ns;
	sim_at(sim_of(conn), due_ns, on_timer, conn, 0);
}

/* ---- sending ---- */

bool odd_is_waiting(const struct odd_conn *conn)
{
	return conn->una != conn->nxt;
}

static void push(struct odd_conn *conn)
{
	const uint32_t end = conn->out_start + conn->out_bytes;
	const bool rude = rng_chance(rng_of(conn), conn->style.rude_ppm);
	while (conn->state == ODD_OPEN) {
		const uint32_t flight = conn->nxt - conn->una;
		uint32_t len = before(conn->nxt, end) ? end - conn->nxt : 0;
		const bool fin = conn->fin_queued && (int32_t)(end - conn->nxt) >= 0;
		if ((len == 0 && !fin) || flight >= conn->style.flight_segments * conn->style.segment_bytes)
			break;
		if (len > conn->style.segment_bytes)
			len = conn->style.segment_bytes;
		const uint32_t room = flight < conn->wnd ? conn->wnd - flight : 0;
		if (len > room && !rude)
			len = room;
		const bool last = fin && conn->nxt + len == end;
		if (len == 0 && !last)
			break;
		odd_send(conn, conn->nxt, len, (uint8_t)(ODD_ACK | ODD_PSH | (last ? ODD_FIN : 0)));
		if (conn->nxt == conn->una)
			conn->progress_ns = sim_of(conn)->now_ns;
		conn->nxt += len + last;
		conn->unacked = 0;
	}
	if (before(conn->max, conn->nxt))
		conn->max = conn->nxt;
	/* With a closed window there is something to probe for. */
	if (conn->rexmt_ns == NEVER && (conn->una != conn->nxt || before(conn->nxt, end)))
		conn->rexmt_ns = sim_of(conn)->now_ns + rto_ns(conn);
	odd_arm(conn);
}

static void acknowledged(struct odd_conn *conn, const struct odd_segment *segment)
{
	const uint32_t end = conn->out_start + conn->out_bytes;
	if (before(conn->max, segment->ack))
		sim_fail(sim_of(conn), "host %u: port %u: acknowledged what was never sent", conn->host->host.index,
			 conn->port);
	if (before(segment->ack, conn->una))
		return;
	conn->wnd = segment->window << (conn->wscale ? conn->peer_shift : 0);
	if (segment->ack != conn->una) {
		conn->una = segment->ack;
		conn->progress_ns = sim_of(conn)->now_ns;
		conn->backoff = 0;
		conn->rexmt_ns = NEVER;
		if (before(conn->nxt, conn->una))
			conn->nxt = conn->una;
	}
	/* Some of it is kept, to be sent again for no reason. */
	const uint32_t done = (before(conn->una, end) ? conn->una : end) - conn->out_start;
	if (done > 2 * ODD_KEEP_BYTES) {
		const uint32_t drop = done - ODD_KEEP_BYTES;
		memmove(conn->out, conn->out + drop, conn->out_bytes - drop);
		conn->out_start += drop;
		conn->out_bytes -= drop;
	}
}

/* ---- the state ---- */

void odd_open(struct odd_conn *conn)
{
	const uint64_t now_ns = sim_of(conn)->now_ns;
	if (!conn->in) {
		conn->in = sim_alloc(sim_of(conn), ODD_WINDOW_MAX + 1u);
		conn->there = sim_alloc(sim_of(conn), ODD_WINDOW_MAX + 1u);
	}
	memset(conn->there, 0, ODD_WINDOW_MAX + 1u);
	conn->state = ODD_SYN_SENT;
	conn->una = conn->iss;
	conn->nxt = conn->max = conn->out_start = conn->iss + 1;
	conn->edge = conn->style.window_bytes;
	conn->ack_ns = conn->window_ns = conn->timer_ns = NEVER;
	conn->progress_ns = now_ns;
	emit(conn, conn->iss, 0, ODD_SYN, NULL, 0);
	conn->rexmt_ns = now_ns + rto_ns(conn);
	odd_arm(conn);
}

void odd_drop(struct odd_conn *conn)
{
	conn->state = ODD_FREE;
	conn->timer_ns = NEVER;
}

static void on_syn_ack(struct odd_conn *conn, const struct odd_segment *segment)
{
	if ((segment->flags & ODD_ACK) && segment->ack != conn->iss + 1) {
		/* Of a connection that was: it has to go. */
		if (!(segment->flags & ODD_RST))
			emit(conn, segment->ack, 0, ODD_RST, NULL, 0);
		return;
	}
	if (segment->flags & ODD_RST) {
		closed(conn);
		return;
	}
	if ((segment->flags & (ODD_SYN | ODD_ACK)) != (ODD_SYN | ODD_ACK))
		return;
	if ((segment->has_timestamps && !conn->style.timestamps) || (segment->has_wscale && !conn->style.wscale) ||
	    (segment->sack_permitted && !conn->style.sack))
		sim_fail(sim_of(conn), "host %u: port %u: an option was answered that was not offered",
			 conn->host->host.index, conn->port);
	conn->timestamps = segment->has_timestamps;
	conn->wscale = segment->has_wscale;
	conn->sack = segment->sack_permitted;
	conn->peer_shift = segment->shift;
	conn->ts_recent = segment->ts_val;
	if (segment->mss && conn->style.segment_bytes + 40u > segment->mss)
		conn->style.segment_bytes = (uint16_t)(segment->mss - 40);
	conn->rcv_nxt = segment->seq + 1;
	conn->edge = conn->max_edge = conn->rcv_nxt + conn->style.window_bytes;
	conn->una = conn->iss + 1;
	conn->wnd = segment->window;
	conn->state = ODD_OPEN;
	conn->backoff = 0;
	conn->rexmt_ns = NEVER;
	conn->progress_ns = conn->heard_ns = sim_of(conn)->now_ns;
	if (conn->style.window != ODD_WINDOW_CONSTANT)
		conn->window_ns = conn->progress_ns + rng_below(rng_of(conn), SEC);
	odd_send_ack(conn);
	if (conn->pipe.handler)
		conn->pipe.handler->open(conn->pipe.ctx);
}

/* Things that belong to no connection, or to another time. */
static void stray(struct odd_conn *conn)
{
	const uint32_t off = (uint32_t)rng_between(rng_of(conn), 2, 900);
	switch (rng_below(rng_of(conn), 4)) {
	case 0:
		emit(conn, conn->max + off, 0, ODD_RST, NULL, 0);
		break;
	case 1:
		emit(conn, conn->max + off, 0, ODD_SYN, NULL, 0);
		break;
	case 2:
		emit(conn, conn->una - off, conn->rcv_nxt, ODD_ACK, NULL, 0);
		break;
	default:
		emit(conn, conn->una - 1, conn->rcv_nxt - off, ODD_ACK, NULL, 0);
		break;
	}
}

void odd_keep_alive(struct odd_conn *conn)
{
	const uint64_t now_ns = sim_of(conn)->now_ns;
	if (now_ns - conn->heard_ns < KEEP_IDLE_NS || now_ns - conn->kept_ns < KEEP_INTERVAL_NS)
		return;
	conn->kept_ns = now_ns;
	odd_ask_again(conn->host);
	emit(conn, conn->una - 1, conn->rcv_nxt, ODD_ACK, NULL, 0);
}

static void check_end(struct odd_conn *conn)
{
	const bool fin_acked = conn->fin_queued && conn->una == conn->out_start + conn->out_bytes + 1;
	if (conn->state != ODD_OPEN || !fin_acked || !conn->fin_received)
		return;
	conn->state = ODD_TIME_WAIT;
	conn->until_ns = sim_of(conn)->now_ns + LINGER_NS;
	conn->timer_ns = NEVER;
	odd_arm(conn);
	const struct pipe_handler *handler = conn->pipe.handler;
	conn->pipe.handler = NULL;
	if (handler)
		handler->closed(conn->pipe.ctx);
}

void odd_input(struct odd_conn *conn, const struct odd_segment *segment)
{
	if (conn->state == ODD_SYN_SENT) {
		on_syn_ack(conn, segment);
		return;
	}
	conn->heard_ns = sim_of(conn)->now_ns;
	if (segment->flags & ODD_RST) {
		if (segment->seq == conn->rcv_nxt)
			closed(conn);
		return;
	}
	if ((segment->flags & ODD_SYN) || !(segment->flags & ODD_ACK)) {
		odd_send_ack(conn);
		return;
	}
	/* Of an earlier connection of the same name. */
	if (segment->seq - (conn->rcv_nxt - 2 * ODD_WINDOW_MAX) > 4 * ODD_WINDOW_MAX ||
	    segment->ack - (conn->una - ODD_ACK_BYTES_MAX) > 2 * ODD_ACK_BYTES_MAX) {
		odd_send_ack(conn);
		return;
	}
	if (conn->timestamps != segment->has_timestamps || (segment->has_sack && !conn->sack))
		sim_fail(sim_of(conn), "host %u: port %u: an option is there, or is not, against what was agreed",
			 conn->host->host.index, conn->port);
	acknowledged(conn, segment);
	odd_receive(conn, segment);
	if (conn->state != ODD_OPEN)
		return;
	push(conn);
	check_end(conn);
	if (conn->state == ODD_OPEN && rng_chance(rng_of(conn), conn->style.stray_ppm))
		stray(conn);
}

/* ---- as the initiator sees it ---- */

static void op_send(struct pipe *pipe, const uint8_t *bytes, uint32_t len_bytes)
{
	struct odd_conn *conn = (struct odd_conn *)pipe;
	if (conn->out_bytes + len_bytes > conn->out_room) {
		const uint32_t room = 2 * (conn->out_bytes + len_bytes) + 4 * ODD_KEEP_BYTES;
		uint8_t *out = sim_alloc(sim_of(conn), room);
		if (conn->out_bytes)
			memcpy(out, conn->out, conn->out_bytes);
		conn->out = out;
		conn->out_room = room;
	}
	memcpy(conn->out + conn->out_bytes, bytes, len_bytes);
	conn->out_bytes += len_bytes;
	push(conn);
}

static void op_shutdown(struct pipe *pipe)
{
	struct odd_conn *conn = (struct odd_conn *)pipe;
	if (conn->fin_queued)
		return;
	conn->fin_queued = true;
	push(conn);
}

static void op_abort(struct pipe *pipe)
{
	struct odd_conn *conn = (struct odd_conn *)pipe;
	conn->pipe.handler = NULL;
	if (conn->state == ODD_OPEN)
		emit(conn, conn->max, conn->rcv_nxt, ODD_RST | ODD_ACK, NULL, 0);
	odd_drop(conn);
}

const struct pipe_ops odd_pipe_ops = {op_send, op_shutdown, op_abort};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The segment that was expected: in order, of an established connection, saying
 * nothing but an acknowledgement and bytes.
 *
 * Only what passes every check of the long way trivially is taken here; of
 * anything else nothing has happened yet when the long way begins.
 *
 * An acknowledgement that moves on is noted, and taken once for all that come in
 * a turn, as if the peer had sent the last of them alone: before a segment of the
 * connection goes the long way, before its timers, and before it sends.  In
 * recovery nothing is put off.
 */
#include "tcp/flow.h"
#include "util/checksum.h"

void tcp_fast_choose(struct tcp_conn *conn)
{
	conn->shape = 0;
	/* Without timestamps all of them are 0, and none is older than another. */
	if (!conn->timestamps)
		conn->ts_recent = 0;
	/* DCTCP looks at the marks of every segment. */
	if (conn->state != TCP_ESTABLISHED || conn->cc == &tcp_dctcp_ops || conn->lcore->no_fast)
		return;
	conn->shape = conn->timestamps ? TCP_SHAPE_TIMESTAMPS : TCP_SHAPE_BARE;
}

/* In order, inside the window, not older than what was heard (RFC 7323 5), neither the end of a gap nor soon after. */
static inline bool is_in_order(const struct tcp_conn *conn, const struct tcp_plain *plain, uint32_t payload_bytes)
{
	return plain->shape == conn->shape && plain->seq == conn->rcv_nxt &&
	       payload_bytes <= conn->rcv_edge - conn->rcv_nxt && !tcp_seq_lt(plain->ts_val, conn->ts_recent) &&
	       (conn->held_count | conn->quick_acks) == 0 && !conn->paused;
}

static bool sums_up(const struct tcp_conn *conn, const struct pkt *pkt)
{
	const uint64_t sum = (uint64_t)conn->pseudo_sum + checksum_of_be16((uint16_t)pkt->len_bytes);
	return pkt->len_bytes <= UINT16_MAX && checksum_fold(checksum_add(sum, pkt->data, pkt->len_bytes)) == 0xffff;
}

/* una: the highest before this one, taken or noted. */
static inline void note_ack(struct tcp_conn *conn, const struct tcp_plain *plain, uint32_t una, uint32_t window)
{
	/* Each would let slow start grow by two segments at most (RFC 3465). */
	conn->noted_credit += tcp_min_u32(plain->ack - una, 2u * conn->mss);
	conn->noted_ack = plain->ack;
	conn->noted_ecr = plain->ts_ecr;
	conn->noted_wnd = window;
	if (window > conn->max_wnd)
		conn->max_wnd = window;
	tcp_ready(conn);
}

void tcp_fast_flush(struct tcp_conn *conn)
{
	struct tcp_segment segment;
	segment.seq = conn->rcv_nxt; /* or before: what stands before it now cannot come again */
	segment.ack = conn->noted_ack;
	segment.flags = TCP_ACK;
	segment.window = (uint16_t)(conn->noted_wnd >> conn->snd_wscale);
	segment.payload_bytes = 0;
	segment.options.sack_count = 0;
	segment.options.has_timestamps = conn->timestamps;
	segment.options.ts_ecr = conn->noted_ecr;
	conn->ack_credit = conn->noted_credit;
	conn->noted_credit = 0;
	(void)tcp_ack_input(conn, &segment); /* acceptable: it was looked at when it was noted */
	conn->ack_credit = 0;
}

static inline void acknowledge(struct tcp_conn *conn)
{
	const uint32_t count = ++conn->unacked_segments;
	if (count >= TCP_ACK_BURST) {
		(void)tcp_send_ack(conn);
	} else if (count >= 2 || conn->stream.unsent_bytes || conn->sent_count) {
		tcp_ready(conn);
	} else if (!conn->is_ready && conn->ack_ns == UINT64_MAX) {
		conn->ack_ns = conn->lcore->now_ns + TCP_DELAYED_ACK_NS;
		tcp_schedule(conn);
	}
}

/* The protocol wants to pause, to be called again, or to end. */
static __attribute__((noinline)) void take_rest(struct tcp_conn *conn, struct pkt *pkt, const uint8_t *payload,
						uint32_t taken)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_arrival arrival = {.pkt = pkt, .payload = payload};
	arrival.segment.payload_bytes = (uint32_t)(pkt->data + pkt->len_bytes - payload);
	arrival.segment.seq = conn->rcv_nxt - arrival.segment.payload_bytes;
	tcp_receive_rest(conn, &arrival, taken);
	if (arrival.pkt)
		lcore->env.pool.free(lcore->env.pool.ctx, pkt);
}

/* Payload that begins at rcv_nxt, with nobody before it.  A function of its own, so that acknowledgements alone need no
 * registers saved. */
static __attribute__((noinline)) void take_payload(struct tcp_conn *conn, struct pkt *pkt, const uint8_t *payload,
						   uint32_t bytes)
{
	if (bytes > conn->rcv_mss)
		conn->rcv_mss = (uint16_t)tcp_min_u32(bytes, UINT16_MAX);
	conn->rcv_nxt += bytes; /* what callbacks send acknowledges it */
	conn->in_callback = true;
	conn->resume_wanted = false;
	const uint32_t taken = conn->stream.handler->on_data(conn->stream.ctx, payload, bytes);
	conn->in_callback = false;
	if (taken < bytes || conn->resume_wanted || conn->finished) {
		take_rest(conn, pkt, payload, taken);
		return;
	}
	struct tcp_lcore *lcore = conn->lcore;
	conn->bytes_in += bytes;
	acknowledge(conn);
	if (lcore->now_ns - conn->drs_ns >= conn->srtt_ns)
		tcp_autotune(conn);
	lcore->env.pool.free(lcore->env.pool.ctx, pkt);
}

/* A plain segment of the connection.  Every call but that of the protocol is the last thing that is done. */
static inline __attribute__((always_inline)) void take(struct tcp_lcore *lcore, struct pkt *pkt,
						       const struct ip_view *view, struct tcp_conn *conn,
						       const struct tcp_plain *plain)
{
	const uint32_t payload_bytes = pkt->len_bytes - plain->header_bytes;
	if (!is_in_order(conn, plain, payload_bytes) || view->ecn == IP_ECN_CE) {
		tcp_input_slowly(lcore, pkt, view);
		return;
	}
	/* What the acknowledgement says has to be trivial: nothing new beside payload, or only that more has arrived.
	 */
	const bool noted = conn->noted_credit;
	const uint32_t una = noted ? conn->noted_ack : conn->snd_una;
	const uint32_t window = (uint32_t)plain->window << conn->snd_wscale;
	const bool moves = plain->ack != una;
	if (moves ? plain->ack - una > conn->snd_nxt - una || conn->phase != TCP_OPEN
		  : !payload_bytes || window != (noted ? conn->noted_wnd : conn->snd_wnd)) {
		tcp_input_slowly(lcore, pkt, view);
		return;
	}
	conn->segments_in++;
	conn->heard_ns = lcore->now_ns;
	if (tcp_seq_leq(plain->seq, conn->last_ack_sent)) {
		conn->ts_recent = plain->ts_val;
		conn->ts_recent_ns = lcore->now_ns;
	}
	if (moves)
		note_ack(conn, plain, una, window);
	if (payload_bytes)
		take_payload(conn, pkt, pkt->data + plain->header_bytes, payload_bytes);
	else
		lcore->env.pool.free(lcore->env.pool.ctx, pkt);
}

/* Not of the connection of the segment before, or its checksum was not looked at yet. */
static __attribute__((noinline)) void input_other(struct tcp_lcore *lcore, struct pkt *pkt, const struct ip_view *view)
{
	struct tcp_plain plain;
	struct tcp_conn *conn = NULL;
	if (tcp_plain_parse(pkt->data, pkt->len_bytes, &plain)) {
		conn = lcore->last;
		if (!conn || !tcp_flow_is(&conn->node, view, plain.ports))
			conn = tcp_flow_find(lcore, view, plain.ports);
	}
	if (!conn || (pkt->checksum != PKT_CHECKSUM_GOOD && !sums_up(conn, pkt))) {
		tcp_input_slowly(lcore, pkt, view);
		return;
	}
	pkt->checksum = PKT_CHECKSUM_GOOD;
	lcore->last = conn;
	take(lcore, pkt, view, conn, &plain);
}

void tcp_input(struct tcp_lcore *lcore, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	struct tcp_plain plain;
	struct tcp_conn *last = lcore->last;
	if (!last || pkt->checksum != PKT_CHECKSUM_GOOD || !tcp_plain_parse(pkt->data, pkt->len_bytes, &plain) ||
	    !tcp_flow_is(&last->node, view, plain.ports))
		input_other(lcore, pkt, view);
	else
		take(lcore, pkt, view, last, &plain);
}

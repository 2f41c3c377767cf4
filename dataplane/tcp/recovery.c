/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The congestion window: slow start and avoidance, fast recovery with
 * proportional rate reduction (RFC 6937), timeouts (RFC 5681), ECN (RFC 3168),
 * NewReno where the peer has no SACK (RFC 6582), and taking a reduction back
 * that turns out to have been for nothing (DSACK, RFC 3708; timestamps, RFC 3522).
 */
#include "tcp/tcp_priv.h"

#define DUP_THRESH 3u
#define CWND_MAX (1u << 30)

uint32_t tcp_window_first(const struct tcp_conn *conn)
{
	/* RFC 6928 2 */
	return tcp_min_u32(10u * conn->mss, tcp_max_u32(2u * conn->mss, 14600));
}

/* ---- reductions ---- */

static void remember(struct tcp_conn *conn)
{
	conn->undo_possible = true;
	conn->undo_cwnd = conn->cwnd;
	conn->undo_ssthresh = conn->ssthresh;
	conn->undo_retransmits = 0;
	conn->retransmit_ts_set = false;
}

static void cut_ssthresh(struct tcp_conn *conn)
{
	conn->ssthresh = tcp_max_u32(conn->cc->ssthresh(conn), 2u * conn->mss);
}

static void enter_recovery(struct tcp_conn *conn)
{
	TCP_COUNT(conn->lcore, recoveries);
	if (conn->phase != TCP_REDUCED) { /* the window of this round was cut already */
		remember(conn);
		cut_ssthresh(conn);
	} else {
		conn->undo_possible = false;
	}
	conn->phase = TCP_RECOVERY;
	conn->recovery_point = conn->snd_nxt;
	conn->prr_delivered = conn->prr_out = 0;
	conn->prr_flight = tcp_max_u32(conn->snd_nxt - conn->snd_una, 1);
	conn->cwr_pending = conn->ecn;
	if (conn->reo_persist && --conn->reo_persist == 0)
		conn->reo_mult = 1;
}

void tcp_reduce_for_ecn(struct tcp_conn *conn)
{
	if (conn->phase != TCP_OPEN)
		return;
	cut_ssthresh(conn);
	conn->cwnd = conn->ssthresh;
	conn->phase = TCP_REDUCED;
	conn->recovery_point = conn->snd_nxt;
	conn->cwr_pending = true;
	conn->undo_possible = false;
}

void tcp_undo(struct tcp_conn *conn)
{
	if (!conn->undo_possible)
		return;
	TCP_COUNT(conn->lcore, undone);
	conn->cwnd = tcp_max_u32(conn->cwnd, conn->undo_cwnd);
	conn->ssthresh = tcp_max_u32(conn->ssthresh, conn->undo_ssthresh);
	if (conn->cc->undo)
		conn->cc->undo(conn);
	conn->undo_possible = false;
	conn->phase = TCP_OPEN;
	conn->backoff = 0;
	/* What was believed lost is on its way after all. */
	struct tcp_sent *sent;
	while ((sent = TAILQ_FIRST(&conn->lost))) {
		TAILQ_REMOVE(&conn->lost, sent, by_time);
		sent->flags = (uint8_t)((sent->flags & ~TCP_SENT_LOST) | TCP_SENT_IN_FLIGHT);
		conn->flight_bytes += sent->end - sent->start;
		struct tcp_sent *before = TAILQ_LAST(&conn->in_flight, tcp_sent_list);
		while (before && before->sent_ns > sent->sent_ns)
			before = TAILQ_PREV(before, tcp_sent_list, by_time);
		if (before)
			TAILQ_INSERT_AFTER(&conn->in_flight, before, sent, by_time);
		else
			TAILQ_INSERT_HEAD(&conn->in_flight, sent, by_time);
	}
}

void tcp_recovery_on_rto(struct tcp_conn *conn)
{
	/* ssthresh is cut once for a flight, however often its segments time out (RFC 5681 3.1). */
	if (conn->phase != TCP_LOSS) {
		if (conn->phase != TCP_RECOVERY) {
			remember(conn);
			cut_ssthresh(conn);
		}
		conn->recovery_point = conn->snd_nxt;
	}
	conn->phase = TCP_LOSS;
	/* The head SACKed and not acknowledged for so long: the peer has taken it back (RFC 2018 8). */
	const struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
	const bool reneged = head && head->flags & TCP_SENT_SACKED;
	struct tcp_sent *sent;
	TAILQ_FOREACH(sent, &conn->sent, by_seq)
	{
		if (reneged && sent->flags & TCP_SENT_SACKED) {
			sent->flags = (uint8_t)((sent->flags & ~TCP_SENT_SACKED) | TCP_SENT_LOST);
			conn->sacked_count--;
			conn->sacked_bytes -= sent->end - sent->start;
			TAILQ_INSERT_TAIL(&conn->lost, sent, by_time);
		} else {
			tcp_mark_lost(conn, sent);
		}
	}
	/* In the order of the stream: what came to be lost earlier may stand in any. */
	TAILQ_INIT(&conn->lost);
	TAILQ_FOREACH(sent, &conn->sent, by_seq)
	{
		if (sent->flags & TCP_SENT_LOST)
			TAILQ_INSERT_TAIL(&conn->lost, sent, by_time);
	}
	conn->cwnd = conn->mss;
	conn->dupacks = conn->dupack_credit = 0;
	conn->tlp_out = false;
	conn->cwr_pending = conn->ecn;
}

/* ---- growth ---- */

/* Growth is for a window that is used (RFC 7661 4.3): in slow start, cwnd may be twice what was in flight. */
static bool window_in_use(const struct tcp_conn *conn)
{
	if (conn->cwnd_limited || conn->cwnd_limited_before)
		return true;
	return conn->cwnd < conn->ssthresh && conn->cwnd < 2 * tcp_max_u32(conn->flight_max, conn->flight_max_before);
}

static void grow(struct tcp_conn *conn, uint32_t acked)
{
	if (!window_in_use(conn))
		return;
	conn->validated_ns = conn->lcore->now_ns;
	if (conn->cwnd < conn->ssthresh) {
		/* RFC 3465 with L = 2, but not beyond the threshold in one step. */
		const uint32_t each = conn->ack_credit ? conn->ack_credit : 2u * conn->mss;
		const uint32_t step = tcp_min_u32(acked, conn->phase == TCP_LOSS ? conn->mss : each);
		const uint32_t most = conn->ssthresh - conn->cwnd;
		conn->cwnd += tcp_min_u32(step, most);
	} else {
		conn->cc->avoid(conn, acked);
	}
	conn->cwnd = tcp_min_u32(conn->cwnd, CWND_MAX);
}

/* A round is over when what was sent at its beginning is acknowledged. */
static void rounds(struct tcp_conn *conn)
{
	if (tcp_seq_lt(conn->snd_una, conn->round_end))
		return;
	conn->round_end = conn->snd_nxt;
	conn->flight_max_before = conn->flight_max;
	conn->flight_max = conn->snd_nxt - conn->snd_una;
	conn->cwnd_limited_before = conn->cwnd_limited;
	conn->cwnd_limited = false;
}

/* ---- recovery ---- */

/* RFC 6937 3.1, with the slow-start reduction bound as long as the acknowledgement moves on. */
static void proportional(struct tcp_conn *conn, const struct tcp_ack_result *result)
{
	conn->prr_delivered += result->delivered_bytes;
	const uint32_t pipe = conn->flight_bytes - tcp_min_u32(conn->flight_bytes, conn->dupack_credit);
	uint32_t send;
	if (pipe > conn->ssthresh) {
		const uint64_t share =
			((uint64_t)conn->prr_delivered * conn->ssthresh + conn->prr_flight - 1) / conn->prr_flight;
		send = share > conn->prr_out ? (uint32_t)(share - conn->prr_out) : 0;
	} else {
		uint32_t limit = conn->prr_delivered > conn->prr_out ? conn->prr_delivered - conn->prr_out : 0;
		limit = tcp_max_u32(limit, result->delivered_bytes);
		if (result->acked_bytes)
			limit += conn->mss;
		send = tcp_min_u32(conn->ssthresh - pipe, limit);
	}
	/* The first retransmission leaves at once; without SACK so does that for a partial acknowledgement (RFC
	 * 6582 3.2), behind which there may be nothing that would let it go. */
	if (conn->prr_out == 0 || (!conn->sack && result->acked_bytes))
		send = tcp_max_u32(send, conn->mss);
	conn->cwnd = tcp_max_u32(pipe + send, conn->mss);
}

static void leave(struct tcp_conn *conn)
{
	if (conn->phase == TCP_RECOVERY)
		conn->cwnd = conn->ssthresh;
	conn->phase = TCP_OPEN;
	conn->dupacks = conn->dupack_credit = 0;
	conn->backoff = 0;
}

/* NewReno: no SACK, so that duplicates count segments that have left the network. */
static void newreno(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result)
{
	struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
	if (result->acked_bytes) {
		conn->dupacks = 0;
		conn->dupack_credit -= tcp_min_u32(conn->dupack_credit, result->acked_bytes);
		/* A partial acknowledgement: the next one is missing too (RFC 6582 3.2). */
		if (head && conn->phase == TCP_RECOVERY && tcp_seq_lt(conn->snd_una, conn->recovery_point))
			tcp_mark_lost(conn, head);
		return;
	}
	if (!head || segment->payload_bytes || segment->flags & (TCP_SYN | TCP_FIN))
		return;
	conn->dupacks++;
	conn->dupack_credit += conn->mss;
	if (conn->dupacks == DUP_THRESH && (conn->phase == TCP_OPEN || conn->phase == TCP_REDUCED) &&
	    head->tx_count == 1)
		tcp_mark_lost(conn, head);
}

/* Was the retransmission for nothing?  Timestamps: what was acknowledged was sent before it.  DSACK: all of them came
 * twice. */
static bool was_for_nothing(const struct tcp_conn *conn, const struct tcp_segment *segment,
			    const struct tcp_ack_result *result)
{
	if (!conn->undo_possible)
		return false;
	if (result->dsack && conn->undo_retransmits == 0 && conn->retransmit_ts_set)
		return true;
	return conn->timestamps && conn->retransmit_ts_set && result->acked_bytes && result->retransmit_acked &&
	       segment->options.has_timestamps && segment->options.ts_ecr &&
	       tcp_seq_lt(segment->options.ts_ecr, conn->retransmit_ts);
}

void tcp_recovery_on_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result)
{
	if (conn->cc->acked && result->acked_bytes)
		conn->cc->acked(conn, result->acked_bytes, conn->ecn && segment->flags & TCP_ECE);
	if (was_for_nothing(conn, segment, result))
		tcp_undo(conn);
	if (conn->phase != TCP_OPEN && !tcp_seq_lt(conn->snd_una, conn->recovery_point))
		leave(conn);
	if (conn->sack)
		(void)tcp_rack_detect(conn);
	else
		newreno(conn, segment, result);
	if (!TAILQ_EMPTY(&conn->lost) && (conn->phase == TCP_OPEN || conn->phase == TCP_REDUCED))
		enter_recovery(conn);
	if (conn->ecn && segment->flags & TCP_ECE)
		tcp_reduce_for_ecn(conn);
	if (conn->phase == TCP_RECOVERY)
		proportional(conn, result);
	else if (result->acked_bytes && conn->phase != TCP_REDUCED)
		grow(conn, result->acked_bytes);
	rounds(conn);
}

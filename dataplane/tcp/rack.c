/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss by time (RFC 8985): a segment is lost when one sent sufficiently later has
 * arrived.  Times are nanoseconds; segments of one moment are ordered by their
 * sequence numbers, so that round trips of microseconds work.
 */
#include "tcp/tcp_priv.h"

#define REO_PERSIST_COUNT 16u
#define REO_MULT_MAX 64u
#define DUP_THRESH 3u

static bool sent_after(uint64_t a_ns, uint32_t a_end, uint64_t b_ns, uint32_t b_end)
{
	return a_ns > b_ns || (a_ns == b_ns && tcp_seq_lt(b_end, a_end));
}

void tcp_rack_delivered(struct tcp_conn *conn, const struct tcp_sent *sent, uint32_t ts_ecr)
{
	const uint64_t rtt_ns = conn->lcore->now_ns - sent->sent_ns;
	if (sent->tx_count > 1) {
		/* Which transmission was it?  Not the last one, if the echo is older, or the time impossibly short. */
		if (conn->timestamps) {
			const uint32_t sent_ts = (uint32_t)(sent->sent_ns / TCP_NS_PER_MS) + conn->ts_offset;
			if (tcp_seq_lt(ts_ecr, sent_ts))
				return;
		}
		if (rtt_ns < conn->min_rtt_ns)
			return;
	} else if (tcp_seq_lt(sent->end, conn->rack_fack_before)) {
		conn->reordering_seen = true;
	}
	if (tcp_seq_lt(conn->rack_fack, sent->end))
		conn->rack_fack = sent->end;
	if (!conn->rack_sent_ns || sent_after(sent->sent_ns, sent->end, conn->rack_sent_ns, conn->rack_end)) {
		conn->rack_sent_ns = sent->sent_ns;
		conn->rack_end = sent->end;
		conn->rack_rtt_ns = rtt_ns;
	}
}

void tcp_rack_dsack(struct tcp_conn *conn)
{
	if (conn->dsack_round_set && tcp_seq_lt(conn->snd_una, conn->dsack_round))
		return;
	conn->dsack_round_set = true;
	conn->dsack_round = conn->snd_nxt;
	if (conn->reo_mult < REO_MULT_MAX)
		conn->reo_mult++;
	conn->reo_persist = REO_PERSIST_COUNT;
}

void tcp_rack_answered(struct tcp_conn *conn)
{
	if (conn->asked_ns <= conn->rack_sent_ns)
		return;
	conn->rack_sent_ns = conn->asked_ns;
	conn->rack_end = conn->asked_seq;
	conn->rack_rtt_ns = conn->lcore->now_ns - conn->asked_ns;
}

static uint64_t reordering_window_ns(const struct tcp_conn *conn)
{
	if (!conn->reordering_seen &&
	    (conn->phase == TCP_RECOVERY || conn->phase == TCP_LOSS || conn->sacked_count >= DUP_THRESH))
		return 0;
	if (conn->min_rtt_ns == UINT64_MAX)
		return 0;
	const uint64_t window_ns = conn->reo_mult * (conn->min_rtt_ns / 4);
	return window_ns < conn->srtt_ns ? window_ns : conn->srtt_ns;
}

void tcp_mark_lost(struct tcp_conn *conn, struct tcp_sent *sent)
{
	if (!(sent->flags & TCP_SENT_IN_FLIGHT))
		return;
	sent->flags = (uint8_t)((sent->flags & ~TCP_SENT_IN_FLIGHT) | TCP_SENT_LOST);
	TAILQ_REMOVE(&conn->in_flight, sent, by_time);
	TAILQ_INSERT_TAIL(&conn->lost, sent, by_time);
	conn->flight_bytes -= sent->end - sent->start;
}

uint64_t tcp_rack_detect(struct tcp_conn *conn)
{
	if (!conn->rack_sent_ns)
		return UINT64_MAX;
	const uint64_t now_ns = conn->lcore->now_ns;
	const uint64_t patience_ns = conn->rack_rtt_ns + reordering_window_ns(conn);
	struct tcp_sent *sent = TAILQ_FIRST(&conn->in_flight);
	while (sent && sent_after(conn->rack_sent_ns, conn->rack_end, sent->sent_ns, sent->end)) {
		struct tcp_sent *next = TAILQ_NEXT(sent, by_time);
		/* The list is in order of transmission: those behind have to wait longer. */
		if (sent->sent_ns + patience_ns > now_ns)
			return sent->sent_ns + patience_ns;
		tcp_mark_lost(conn, sent);
		sent = next;
	}
	return UINT64_MAX;
}

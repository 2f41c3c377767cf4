/* SPDX-License-Identifier: BSD-3-Clause */
/* An acknowledgement of a synchronized connection (RFC 9293 3.10.7.4, fifth; RFC 5961 5). */
#include "tcp/tcp_priv.h"

static void update_window(struct tcp_conn *conn, const struct tcp_segment *segment, bool advanced)
{
	/* Only from segments newer than the last one that did (RFC 9293 3.10.7.4).  One that acknowledges more is, also
	 * when it carries data that are sent again: with the window of before, what it acknowledges would move the
	 * right edge behind what the peer has room for. */
	const bool newer = advanced || tcp_seq_lt(conn->snd_wl1, segment->seq) ||
			   (conn->snd_wl1 == segment->seq && tcp_seq_leq(conn->snd_wl2, segment->ack));
	if (!newer)
		return;
	const bool was_closed = conn->snd_wnd == 0;
	conn->snd_wnd = (uint32_t)segment->window << conn->snd_wscale;
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
	if (conn->snd_wnd > conn->max_wnd)
		conn->max_wnd = conn->snd_wnd;
	if (was_closed && conn->snd_wnd) {
		/* The probe, and what was sent before the window closed, may have been dropped there. */
		conn->backoff = 0;
		conn->progress_ns = conn->rto_base_ns = conn->lcore->now_ns;
		struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
		if (head && conn->probing)
			tcp_mark_lost(conn, head);
		conn->probing = false;
	}
}

/* Our FIN is acknowledged. */
static void fin_acked(struct tcp_conn *conn)
{
	switch (conn->state) {
	case TCP_FIN_WAIT_1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		(void)tcp_step(conn, TCP_EVENT_FIN_ACKED);
		break;
	default:
		return;
	}
	if (conn->state == TCP_TIME_WAIT) {
		tcp_conn_time_wait(conn);
		tcp_conn_check_end(conn);
	} else if (conn->state == TCP_CLOSED) {
		/* The protocol may still have to read; the network has nothing more to say. */
		conn->rexmt_ns = conn->ack_ns = conn->keep_ns = UINT64_MAX;
		conn->ack_now = false;
		conn->unacked_segments = 0;
		wheel_cancel(&conn->lcore->wheel, &conn->node.timer);
		tcp_table_remove(conn->lcore, &conn->node);
		tcp_conn_check_end(conn);
	}
}

static void advance(struct tcp_conn *conn, const struct tcp_segment *segment, struct tcp_ack_result *result)
{
	struct tcp_lcore *lcore = conn->lcore;
	const uint32_t ts_ecr = segment->options.has_timestamps ? segment->options.ts_ecr : 0;
	tcp_sent_acked(conn, segment->ack, ts_ecr, result);
	result->acked_bytes = segment->ack - conn->snd_una;
	conn->snd_una = segment->ack;
	conn->progress_ns = conn->rto_base_ns = lcore->now_ns;
	/* Timeouts stay long until a round trip has been measured again, which timestamps do at once (RFC 6298 5). */
	if (conn->phase != TCP_LOSS || !result->retransmit_acked || result->sampled)
		conn->backoff = 0;
	conn->probing = false;
	lcore->env.path_confirm(lcore->env.ctx, &conn->path, lcore->now_ns);
}

bool tcp_ack_input(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (tcp_seq_lt(conn->snd_nxt, segment->ack) ||
	    tcp_seq_lt(segment->ack, conn->snd_una - tcp_max_u32(conn->max_wnd, 1))) {
		TCP_COUNT(conn->lcore, drop_ack);
		tcp_challenge(conn);
		return false;
	}
	if (conn->state == TCP_TIME_WAIT)
		return true;
	struct tcp_ack_result result = {0};
	conn->rack_fack_before = conn->rack_fack;
	const bool had_sent = conn->sent_count > 0;
	const uint32_t window_before = conn->snd_wnd;
	if (tcp_seq_lt(conn->snd_una, segment->ack))
		advance(conn, segment, &result);
	const bool old = tcp_seq_lt(segment->ack, conn->snd_una);
	update_window(conn, segment, result.acked_bytes != 0);
	if (had_sent && conn->sack && segment->options.sack_count)
		tcp_sack_input(conn, segment, &result);
	if (result.sacked_ns && !result.acked_bytes) {
		tcp_rtt_sample(conn, conn->lcore->now_ns - result.sacked_ns);
		conn->backoff = 0; /* as in advance() */
	}
	/* Without SACK a duplicate is one that changes nothing (RFC 5681 2). */
	const bool duplicate =
		!conn->sack && !old && !result.acked_bytes && !segment->payload_bytes && conn->snd_wnd == window_before;
	if (had_sent && (result.acked_bytes || result.delivered_bytes || result.dsack || result.answered || duplicate ||
			 (conn->ecn && segment->flags & TCP_ECE))) {
		tcp_probe_acked(conn, segment, &result);
		tcp_recovery_on_ack(conn, segment, &result);
	}
	if (conn->fin_sent && conn->snd_una == conn->snd_nxt)
		fin_acked(conn);
	if (conn->state == TCP_CLOSED || conn->state == TCP_TIME_WAIT)
		return conn->state == TCP_TIME_WAIT;
	/* What may go out now, and the timers, are looked at once at the end of the turn. */
	if (had_sent || conn->stream.unsent_bytes)
		tcp_ready(conn);
	return true;
}

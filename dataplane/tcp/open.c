/* SPDX-License-Identifier: BSD-3-Clause */
/* Active open: the answer to our SYN (RFC 9293 3.10.7.3), and what both ends agreed upon. */
#include "tcp/tcp_priv.h"

void tcp_conn_negotiated(struct tcp_conn *conn, const struct tcp_options *options)
{
	if (options->has_mss)
		conn->peer_mss = (uint16_t)tcp_max_u32(options->mss_bytes, TCP_MSS_FLOOR);
	conn->timestamps = options->has_timestamps;
	conn->sack = options->sack_permitted;
	conn->snd_wscale = options->has_wscale ? options->wscale : 0;
	if (!options->has_wscale)
		conn->rcv_wscale = 0;
	conn->ts_recent = options->ts_val;
	conn->ts_recent_ns = conn->lcore->now_ns;
	tcp_conn_set_mss(conn);
}

/* window as it stands in the segment that ended the handshake, and wants scaling. */
void tcp_conn_established(struct tcp_conn *conn, uint16_t window)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	conn->snd_wnd = (uint32_t)window << conn->snd_wscale;
	conn->max_wnd = conn->snd_wnd;
	conn->recovery_point = conn->round_end = conn->snd_una;
	conn->rack_fack = conn->snd_una;
	conn->last_ack_sent = conn->rcv_nxt;
	conn->drs_mark = conn->rcv_nxt;
	conn->drs_ns = now_ns;
	conn->cwnd = conn->timeouts ? conn->mss : tcp_window_first(conn); /* RFC 5681 3.1: a SYN was lost */
	conn->backoff = 0;
	conn->timer = TCP_TIMER_NONE;
	conn->rexmt_ns = UINT64_MAX;
	conn->cc->init(conn);
	tcp_fast_choose(conn);
	if (conn->settings.keepalive_idle_ms)
		conn->keep_ns = now_ns + conn->settings.keepalive_idle_ms * TCP_NS_PER_MS;
	/* What was asked for before the handshake was over. */
	if (conn->fin_queued)
		(void)tcp_step(conn, TCP_EVENT_SHUTDOWN);
	if (conn->stream.handler && conn->stream.handler->on_open) {
		conn->in_callback = true;
		conn->stream.handler->on_open(conn->stream.ctx);
		conn->in_callback = false;
	}
	if (!conn->finished)
		tcp_ready(conn);
	tcp_schedule(conn);
}

static void simultaneous_open(struct tcp_conn *conn)
{
	(void)tcp_step(conn, TCP_EVENT_SYN);
	conn->backoff = 0;
	(void)tcp_send_syn(conn);
	conn->rexmt_ns = conn->lcore->now_ns + conn->rto_ns;
	tcp_schedule(conn);
}

void tcp_syn_sent_input(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_segment *segment = &arrival->segment;
	const bool has_ack = segment->flags & TCP_ACK;
	if (has_ack && segment->ack != conn->snd_nxt) {
		TCP_COUNT(lcore, drop_ack);
		tcp_send_reset_for(lcore, arrival);
		return;
	}
	if (segment->flags & TCP_RST) {
		if (!has_ack) {
			TCP_COUNT(lcore, drop_state);
			return;
		}
		TCP_COUNT(lcore, resets_in);
		tcp_conn_end(conn, STREAM_REFUSED);
		return;
	}
	if (!(segment->flags & TCP_SYN)) {
		TCP_COUNT(lcore, drop_state);
		return;
	}
	conn->irs = segment->seq;
	conn->rcv_nxt = conn->last_ack_sent = segment->seq + 1;
	conn->heard_ns = lcore->now_ns;
	tcp_conn_negotiated(conn, &segment->options);
	const bool offered = conn->settings.ecn || conn->settings.congestion == TCP_DCTCP;
	const uint8_t answer = segment->flags & (TCP_ECE | TCP_CWR);
	conn->ecn = offered && conn->backoff == 0 && answer == (has_ack ? TCP_ECE : TCP_ECE | TCP_CWR);
	/* The window of a SYN is never scaled (RFC 7323 2.2); the same holds for what ours promised. */
	conn->rcv_edge = conn->rcv_nxt + tcp_min_u32(conn->rcv_target, 65535);
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
	if (!has_ack) {
		simultaneous_open(conn);
		return;
	}
	if (conn->timeouts == 0)
		tcp_rtt_sample(conn, lcore->now_ns - conn->opened_ns);
	conn->snd_una = segment->ack;
	conn->progress_ns = lcore->now_ns;
	(void)tcp_step(conn, TCP_EVENT_ESTABLISHED);
	TCP_COUNT(lcore, opened);
	lcore->env.path_confirm(lcore->env.ctx, &conn->path, lcore->now_ns);
	conn->ack_now = true;
	tcp_ready(conn);
	const uint8_t scale = conn->snd_wscale;
	conn->snd_wscale = 0;
	tcp_conn_established(conn, segment->window);
	conn->snd_wscale = scale;
	/* Data that came with the SYN is not taken: nothing acknowledges it, and the peer sends it again. */
}

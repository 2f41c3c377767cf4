/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be sent now: lost segments first, then new ones, as far as the windows allow. */
#include "tcp/tcp_priv.h"

/* Bytes believed to be in the network; without SACK, duplicate acknowledgements say that segments have left it. */
static uint32_t pipe_bytes(const struct tcp_conn *conn)
{
	return conn->flight_bytes - tcp_min_u32(conn->flight_bytes, conn->dupack_credit);
}

bool tcp_retransmit(struct tcp_conn *conn, struct tcp_sent *sent)
{
	tcp_sent_split(conn, sent, conn->mss);
	if (!tcp_send_data(conn, sent, conn->mss, true))
		return false;
	struct tcp_lcore *lcore = conn->lcore;
	if (sent->flags & TCP_SENT_LOST) {
		TAILQ_REMOVE(&conn->lost, sent, by_time);
		conn->flight_bytes += sent->end - sent->start;
	} else if (sent->flags & TCP_SENT_IN_FLIGHT) {
		TAILQ_REMOVE(&conn->in_flight, sent, by_time);
	}
	if (!(sent->flags & TCP_SENT_SACKED)) {
		sent->flags = (uint8_t)((sent->flags & ~TCP_SENT_LOST) | TCP_SENT_IN_FLIGHT);
		TAILQ_INSERT_TAIL(&conn->in_flight, sent, by_time);
	}
	/* The head gets the time it needs; one that was sent again before has had it. */
	if (sent == TAILQ_FIRST(&conn->sent) && sent->tx_count == 1)
		conn->rto_base_ns = lcore->now_ns;
	sent->sent_ns = lcore->now_ns;
	if (sent->tx_count < UINT8_MAX)
		sent->tx_count++;
	if (!conn->retransmit_ts_set) {
		conn->retransmit_ts_set = true;
		conn->retransmit_ts = tcp_ts_now(conn);
	}
	conn->undo_retransmits++;
	conn->retransmits++;
	TCP_COUNT(lcore, retransmits);
	return true;
}

/* Lost segments; false: the congestion window is used up, or no packet was to be had. */
static bool send_lost(struct tcp_conn *conn)
{
	struct tcp_sent *sent;
	while ((sent = TAILQ_FIRST(&conn->lost))) {
		const uint32_t bytes = sent->end - sent->start;
		if (pipe_bytes(conn) + bytes > conn->cwnd && pipe_bytes(conn) > 0)
			return false;
		if (!tcp_retransmit(conn, sent))
			return false;
		conn->prr_out += bytes;
	}
	return true;
}

/* Payload of the next new segment; 0: nothing may go. */
static uint32_t next_payload(struct tcp_conn *conn, uint32_t mss)
{
	const uint64_t unsent = conn->stream.unsent_bytes;
	const uint32_t edge = conn->snd_una + conn->snd_wnd;
	const uint32_t window = tcp_seq_lt(conn->snd_nxt, edge) ? edge - conn->snd_nxt : 0;
	uint32_t len = unsent < mss ? (uint32_t)unsent : mss;
	if (len > window)
		len = window;
	if (len == 0)
		return 0;
	/* Silly windows (RFC 9293 3.8.6.2.1): a full segment, everything there is, or half of what the peer ever had.
	 */
	if (len < mss) {
		const bool everything = len == unsent;
		if (everything && conn->push_bytes == 0 && !conn->fin_queued) {
			conn->corked = true;
			return 0;
		}
		if (!everything && len < conn->max_wnd / 2)
			return 0;
	}
	const uint32_t pipe = pipe_bytes(conn);
	if (pipe + len > conn->cwnd && pipe > 0) {
		conn->cwnd_limited = true;
		return 0;
	}
	if (conn->snd_nxt - conn->snd_una + len > conn->settings.send_bytes_max && conn->sent_count)
		return 0;
	/* Tiny segments that nobody acknowledges must not take the records of all connections: half of what is left. */
	if (conn->sent_count > conn->lcore->free_sent_count)
		return 0;
	return len;
}

static bool send_fin_alone(struct tcp_conn *conn)
{
	if (!conn->fin_queued || conn->fin_sent || conn->stream.unsent_bytes)
		return true;
	struct tcp_sent *sent = tcp_sent_new(conn, 0, true);
	if (!sent)
		return false;
	conn->fin_sent = true;
	return tcp_send_data(conn, sent, conn->mss, false);
}

/* New segments; false: no packet or record was to be had. */
static bool send_new(struct tcp_conn *conn)
{
	uint32_t mss = conn->mss;
	if (conn->sack_count || conn->dsack_set) {
		const uint32_t blocks = 8u * (conn->sack_count + (uint32_t)conn->dsack_set) + 4;
		mss -= tcp_min_u32(blocks, TCP_OPTION_BYTES_MAX - (conn->timestamps ? TCP_TIMESTAMPS_BYTES : 0));
	}
	conn->corked = false;
	for (;;) {
		const uint32_t len = next_payload(conn, mss);
		if (!len)
			break;
		const bool fin = conn->fin_queued && len == conn->stream.unsent_bytes;
		struct tcp_sent *sent = tcp_sent_new(conn, len, fin);
		if (!sent)
			return false;
		conn->fin_sent |= fin;
		conn->prr_out += len;
		/* What could not leave is lost already; the timer finds out. */
		if (!tcp_send_data(conn, sent, mss, false))
			return false;
	}
	return send_fin_alone(conn);
}

static void tell_room(struct tcp_conn *conn)
{
	if (!conn->room_wanted || conn->stream.unsent_bytes > STREAM_UNSENT_BYTES_GOAL / 2 || conn->finished)
		return;
	conn->room_wanted = false;
	if (!conn->stream.handler->on_room)
		return;
	conn->in_callback = true;
	conn->stream.handler->on_room(conn->stream.ctx);
	conn->in_callback = false;
	if (conn->resume_wanted)
		tcp_deliver(conn);
}

void tcp_output(struct tcp_conn *conn)
{
	const struct tcp_lcore *lcore = conn->lcore;
	if (lcore->now_ns >= conn->mtu_check_ns && (conn->stream.unsent_bytes || conn->sent_count)) {
		conn->mtu_check_ns = lcore->now_ns + 1000 * TCP_NS_PER_MS;
		tcp_conn_new_mtu(conn);
	}
	const bool all_sent = send_lost(conn) && send_new(conn);
	const uint32_t flight = conn->snd_nxt - conn->snd_una;
	if (flight > conn->flight_max)
		conn->flight_max = flight;
	tcp_arm(conn);
	if (!all_sent && conn->timer == TCP_TIMER_NONE) {
		conn->timer = TCP_TIMER_RETRY;
		conn->rexmt_ns = lcore->now_ns + TCP_NS_PER_MS;
	}
	tell_room(conn);
}

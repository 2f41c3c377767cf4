/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be sent now: lost segments first, then new ones, as far as the windows allow. */
#include "tcp/tcp_priv.h"

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
		if (tcp_pipe_bytes(conn) + bytes > conn->cwnd && tcp_pipe_bytes(conn) > 0)
			return false;
		if (!tcp_retransmit(conn, sent))
			return false;
		conn->prr_out += bytes;
	}
	return true;
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
	const bool all_sent = send_lost(conn) && tcp_send_new(conn);
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

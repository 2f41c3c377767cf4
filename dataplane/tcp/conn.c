/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a connection: taken from the pool, ended, given back.
 *
 * Invariant: a connection is in the pool, or in a state other than CLOSED, or
 * finished (on_closed owed), or its protocol has not taken everything yet.
 */
#include "tcp/tcp_priv.h"
#include "util/checksum.h"

uint32_t tcp_ip_header_bytes(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? 20 : 40;
}

void tcp_conn_set_mss(struct tcp_conn *conn)
{
	const uint32_t headers = tcp_ip_header_bytes(&conn->node.key.remote) + TCP_HEADER_BYTES;
	uint32_t mtu = conn->path.mtu;
	if (conn->mtu_limit && conn->mtu_limit < mtu)
		mtu = conn->mtu_limit;
	uint32_t mss = mtu > headers + TCP_MSS_FLOOR ? mtu - headers : TCP_MSS_FLOOR;
	mss = tcp_min_u32(mss, conn->peer_mss);
	if (conn->timestamps)
		mss -= TCP_TIMESTAMPS_BYTES;
	conn->mss = (uint16_t)mss;
}

static struct tcp_conn *take_free(struct tcp_lcore *lcore)
{
	struct tcp_conn *conn = TAILQ_FIRST(&lcore->free);
	if (!conn) {
		/* The longest in TIME-WAIT, if its protocol was told already. */
		TAILQ_FOREACH(conn, &lcore->time_wait, all_link)
		{
			if (!conn->finished && !conn->stream.handler)
				break;
		}
		/* cppcheck-suppress identicalInnerCondition ; it does not see that the loop sets it */
		if (!conn) {
			TCP_COUNT(lcore, drop_no_connection);
			return NULL;
		}
		TCP_COUNT(lcore, time_wait_evicted);
		tcp_conn_free(conn);
	}
	TAILQ_REMOVE(&lcore->free, conn, all_link);
	return conn;
}

struct tcp_conn *tcp_conn_take(struct tcp_lcore *lcore, const struct tcp_key *key, const struct net_path *path)
{
	struct tcp_conn *conn = take_free(lcore);
	if (!conn)
		return NULL;
	memset(conn, 0, sizeof *conn);
	conn->stream.ops = &tcp_stream_ops;
	conn->lcore = lcore;
	conn->settings = lcore->settings;
	conn->node.kind = TCP_NODE_CONN;
	tcp_table_add(lcore, &conn->node, key);
	TCP_GAUGE(lcore, connections, ++lcore->conn_count);
	conn->path = *path;
	TAILQ_INIT(&conn->sent);
	TAILQ_INIT(&conn->in_flight);
	TAILQ_INIT(&conn->lost);
	TAILQ_INIT(&conn->unread);
	TAILQ_INIT(&conn->ahead);
	conn->pseudo_sum = checksum_fold(tcp_pseudo_sum(&key->local, &key->remote));
	conn->peer_mss = ip_addr_is_v4(&key->remote) ? TCP_MSS_DEFAULT_V4 : TCP_MSS_DEFAULT_V6;
	tcp_conn_set_mss(conn);
	conn->rcv_mss = 536;
	conn->rcv_target = tcp_min_u32(TCP_WINDOW_FIRST, conn->settings.window_bytes_max);
	conn->drs_ns = lcore->now_ns;
	conn->rto_ns = TCP_RTO_FIRST_NS;
	conn->rexmt_ns = conn->ack_ns = conn->keep_ns = UINT64_MAX;
	conn->min_rtt_ns = conn->min_rtt_next_ns = UINT64_MAX;
	conn->opened_ns = conn->heard_ns = conn->progress_ns = conn->validated_ns = lcore->now_ns;
	conn->mtu_check_ns = lcore->now_ns + 1000 * TCP_NS_PER_MS;
	conn->reo_mult = 1;
	conn->ssthresh = UINT32_MAX;
	conn->ts_offset = tcp_ts_offset(lcore, key);
	conn->rcv_wscale = tcp_wscale_for(conn->settings.window_bytes_max);
	switch (conn->settings.congestion) {
	case TCP_CUBIC:
		conn->cc = &tcp_cubic_ops;
		break;
	case TCP_DCTCP:
		conn->cc = &tcp_dctcp_ops;
		break;
	case TCP_RENO:
		conn->cc = &tcp_reno_ops;
		break;
	}
	return conn;
}

static void drop_received(struct tcp_conn *conn)
{
	struct tcp_held *held;
	while ((held = TAILQ_FIRST(&conn->unread)))
		tcp_held_drop(conn, &conn->unread, held);
	tcp_ahead_drop(conn);
	conn->unread_bytes = 0;
}

void tcp_conn_finish(struct tcp_conn *conn, enum stream_close reason)
{
	if (conn->finished)
		return;
	conn->finished = true;
	conn->reason = (uint8_t)reason;
	tcp_ready(conn);
}

void tcp_conn_end(struct tcp_conn *conn, enum stream_close reason)
{
	if (conn->state == TCP_TIME_WAIT)
		TAILQ_REMOVE(&conn->lcore->time_wait, conn, all_link);
	if (conn->state != TCP_CLOSED)
		(void)tcp_step(conn, TCP_EVENT_END);
	tcp_sent_drop_all(conn);
	drop_received(conn);
	conn->ack_now = false;
	conn->unacked_segments = 0;
	conn->noted_credit = 0;
	conn->rexmt_ns = conn->ack_ns = conn->keep_ns = UINT64_MAX;
	wheel_cancel(&conn->lcore->wheel, &conn->node.timer);
	tcp_table_remove(conn->lcore, &conn->node);
	tcp_conn_finish(conn, reason);
}

void tcp_conn_time_wait(struct tcp_conn *conn)
{
	TAILQ_INSERT_TAIL(&conn->lcore->time_wait, conn, all_link);
	tcp_sent_drop_all(conn);
	conn->rexmt_ns = UINT64_MAX;
	conn->keep_ns = conn->lcore->now_ns + TCP_TIME_WAIT_NS;
	tcp_schedule(conn);
}

void tcp_conn_check_end(struct tcp_conn *conn)
{
	const bool over = conn->state == TCP_TIME_WAIT || (conn->state == TCP_CLOSED && conn->fin_received);
	if (over && conn->end_told)
		tcp_conn_finish(conn, STREAM_CLOSED);
}

void tcp_conn_free(struct tcp_conn *conn)
{
	struct tcp_lcore *lcore = conn->lcore;
	if (conn->state == TCP_TIME_WAIT)
		TAILQ_REMOVE(&lcore->time_wait, conn, all_link);
	conn->state = TCP_CLOSED;
	conn->shape = 0;
	conn->noted_credit = 0;
	conn->rexmt_ns = conn->ack_ns = conn->keep_ns = UINT64_MAX;
	tcp_sent_drop_all(conn);
	drop_received(conn);
	wheel_cancel(&lcore->wheel, &conn->node.timer);
	tcp_table_remove(lcore, &conn->node);
	if (conn->is_ready)
		TAILQ_REMOVE(&lcore->ready, conn, ready_link);
	conn->is_ready = false;
	TAILQ_INSERT_TAIL(&lcore->free, conn, all_link);
	TCP_GAUGE(lcore, connections, --lcore->conn_count);
}

/* ---- as the protocol sees it ---- */

static struct tcp_conn *conn_of(struct stream *stream)
{
	return (struct tcp_conn *)stream;
}

static void stream_op_send(struct stream *stream, struct pkt_buf *buf)
{
	struct tcp_conn *conn = conn_of(stream);
	if (conn->state == TCP_CLOSED || conn->fin_queued) {
		pkt_buf_put(buf);
		return;
	}
	tcp_queue(conn, buf);
	tcp_ready(conn);
}

static void stream_op_flush(struct stream *stream)
{
	struct tcp_conn *conn = conn_of(stream);
	if (conn->push_bytes == stream->unsent_bytes)
		return;
	conn->push_bytes = stream->unsent_bytes;
	tcp_ready(conn);
}

static void stream_op_resume(struct stream *stream)
{
	struct tcp_conn *conn = conn_of(stream);
	conn->resume_wanted = true;
	if (!conn->in_callback)
		tcp_deliver(conn);
}

static void stream_op_shutdown(struct stream *stream)
{
	struct tcp_conn *conn = conn_of(stream);
	if (conn->fin_queued || conn->state == TCP_CLOSED || conn->state == TCP_TIME_WAIT)
		return;
	conn->fin_queued = true;
	conn->push_bytes = stream->unsent_bytes;
	/* Before the handshake is over it only stands in the queue. */
	if (tcp_is_synchronized(conn))
		(void)tcp_step(conn, TCP_EVENT_SHUTDOWN);
	tcp_ready(conn);
}

static void stream_op_abort(struct stream *stream)
{
	struct tcp_conn *conn = conn_of(stream);
	if (conn->finished)
		return;
	if (tcp_is_synchronized(conn) && conn->state != TCP_TIME_WAIT) {
		if (tcp_send_control(conn, TCP_RST | TCP_ACK, conn->snd_nxt))
			TCP_COUNT(conn->lcore, resets_out);
	}
	tcp_conn_end(conn, STREAM_ABORTED);
}

static void stream_op_info(const struct stream *stream, struct stream_info *info)
{
	const struct tcp_conn *conn = (const struct tcp_conn *)stream;
	*info = (struct stream_info){conn->node.key.local, conn->node.key.remote, conn->node.key.local_port,
				     conn->node.key.remote_port};
}

const struct stream_ops tcp_stream_ops = {
	.send = stream_op_send,
	.flush = stream_op_flush,
	.resume = stream_op_resume,
	.shutdown = stream_op_shutdown,
	.abort = stream_op_abort,
	.info = stream_op_info,
};

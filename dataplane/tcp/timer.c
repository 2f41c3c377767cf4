/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The deadlines of a connection.
 *
 * Three: for what was sent (retransmission, tail probe, reordering, persist), for
 * a delayed acknowledgement, and for the connection as such (keep-alive,
 * TIME-WAIT).  One node in the wheel stands for the earliest; a deadline that
 * moves away leaves it where it is.
 */
#include "tcp/tcp_priv.h"

#define BLACK_HOLE_NS (60000 * TCP_NS_PER_MS)

static uint64_t backed_off_ns(const struct tcp_conn *conn)
{
	const uint64_t rto_ns = conn->rto_ns << (conn->backoff < 10 ? conn->backoff : 10);
	return rto_ns < TCP_RTO_MAX_NS ? rto_ns : TCP_RTO_MAX_NS;
}

void tcp_schedule(struct tcp_conn *conn)
{
	uint64_t due_ns = conn->rexmt_ns < conn->ack_ns ? conn->rexmt_ns : conn->ack_ns;
	if (conn->keep_ns < due_ns)
		due_ns = conn->keep_ns;
	if (due_ns == UINT64_MAX)
		return;
	if (!wheel_is_set(&conn->node.timer) || due_ns < wheel_due_ns(&conn->node.timer))
		wheel_set(&conn->lcore->wheel, &conn->node.timer, due_ns);
}

static uint64_t user_timeout_ns(const struct tcp_conn *conn)
{
	return conn->settings.user_timeout_ms ? conn->progress_ns + conn->settings.user_timeout_ms * TCP_NS_PER_MS
					      : UINT64_MAX;
}

/* A closed window: what is in flight beyond it is probed for, not timed out. */
static bool window_closed(const struct tcp_conn *conn)
{
	return conn->snd_wnd == 0;
}

void tcp_arm(struct tcp_conn *conn)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	if (conn->state == TCP_CLOSED || conn->state == TCP_TIME_WAIT)
		return;
	if (conn->sent_count) {
		if (window_closed(conn) && conn->probing) {
			if (conn->timer == TCP_TIMER_PERSIST && conn->rexmt_ns != UINT64_MAX)
				return;
			conn->timer = TCP_TIMER_PERSIST;
			conn->rexmt_ns = now_ns + backed_off_ns(conn);
			tcp_schedule(conn);
			return;
		}
		const uint64_t reorder_ns = conn->sack && conn->sacked_count ? tcp_rack_detect(conn) : UINT64_MAX;
		const uint64_t rto_ns = conn->rto_base_ns + backed_off_ns(conn);
		const uint64_t probe_ns = tcp_probe_due_ns(conn);
		conn->timer = TCP_TIMER_RTO;
		conn->rexmt_ns = rto_ns;
		if (reorder_ns < rto_ns) {
			conn->timer = TCP_TIMER_REORDER;
			conn->rexmt_ns = reorder_ns;
		} else if (probe_ns < rto_ns) {
			conn->timer = TCP_TIMER_TLP;
			conn->rexmt_ns = probe_ns;
		}
	} else if (conn->stream.unsent_bytes && !conn->corked) {
		if (conn->timer == TCP_TIMER_PERSIST && conn->rexmt_ns != UINT64_MAX)
			return;
		conn->timer = TCP_TIMER_PERSIST;
		conn->rexmt_ns = now_ns + backed_off_ns(conn);
	} else {
		conn->timer = TCP_TIMER_NONE;
		conn->rexmt_ns = UINT64_MAX;
	}
	tcp_schedule(conn);
}

/* The peer was silent for too long: say so and end (RFC 9293 3.8.3). */
static void give_up(struct tcp_conn *conn)
{
	TCP_COUNT(conn->lcore, silent_ended);
	if (conn->state != TCP_SYN_SENT && tcp_send_control(conn, TCP_RST | TCP_ACK, conn->snd_nxt))
		TCP_COUNT(conn->lcore, resets_out);
	tcp_conn_end(conn, STREAM_TIMED_OUT);
}

static void on_syn_timeout(struct tcp_conn *conn)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	if (now_ns - conn->opened_ns >= TCP_SYN_TIMEOUT_NS) {
		give_up(conn);
		return;
	}
	conn->backoff++;
	conn->timeouts++;
	TCP_COUNT(conn->lcore, timeouts);
	(void)tcp_send_syn(conn);
	conn->rexmt_ns = now_ns + backed_off_ns(conn);
}

/*
 * Segments vanish and nobody says why: try smaller ones (RFC 4821 in small).
 * Early when the peer is heard meanwhile, late when it may as well be a cable
 * that is out; for this connection only, and for a while.
 */
static void suspect_black_hole(struct tcp_conn *conn)
{
	const uint16_t steps[] = {1280, 576};
	const struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
	const bool is_heard = conn->heard_ns > conn->progress_ns + conn->rto_ns;
	/* It need not be a full segment: on a jumbo path others are too long as well. */
	const uint32_t head_bytes = tcp_ip_header_bytes(&conn->node.key.remote) + TCP_HEADER_BYTES +
				    (conn->timestamps ? TCP_TIMESTAMPS_BYTES : 0) + (head->end - head->start);
	if (conn->backoff < (is_heard ? 2 : 5))
		return;
	for (unsigned i = 0; i < (ip_addr_is_v4(&conn->node.key.remote) ? 2 : 1); i++) {
		if (steps[i] >= head_bytes || (conn->mtu_limit && steps[i] >= conn->mtu_limit))
			continue;
		TCP_COUNT(conn->lcore, mtu_lowered);
		conn->mtu_limit = steps[i];
		conn->mtu_limit_until_ns = conn->lcore->now_ns + BLACK_HOLE_NS;
		tcp_conn_new_mtu(conn);
		return;
	}
}

static void on_persist(struct tcp_conn *conn)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	/* A closed window may stay closed as long as the peer answers (RFC 9293 3.8.6.1). */
	if (conn->settings.user_timeout_ms && conn->backoff &&
	    now_ns - conn->heard_ns >= conn->settings.user_timeout_ms * TCP_NS_PER_MS) {
		give_up(conn);
		return;
	}
	struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
	if (!head && conn->stream.unsent_bytes) {
		/* A window that is open, but too small for what silly-window avoidance asks, is used now. */
		const uint64_t unsent = conn->stream.unsent_bytes;
		uint32_t len = tcp_min_u32(conn->mss, tcp_max_u32(conn->snd_wnd, 1));
		if (len > unsent)
			len = (uint32_t)unsent;
		conn->probing = conn->snd_wnd == 0;
		head = tcp_sent_new(conn, len, false);
		if (head)
			(void)tcp_send_data(conn, head, conn->mss, true);
	} else if (head) {
		(void)tcp_retransmit(conn, head);
	}
	if (conn->backoff < UINT8_MAX)
		conn->backoff++;
	conn->timer = TCP_TIMER_NONE;
	tcp_arm(conn);
}

static void on_rto(struct tcp_conn *conn)
{
	if (!conn->sent_count)
		return;
	if (window_closed(conn)) {
		/* The window was closed over what is in flight. */
		conn->probing = true;
		on_persist(conn);
		return;
	}
	if (conn->lcore->now_ns >= user_timeout_ns(conn)) {
		give_up(conn);
		return;
	}
	conn->timeouts++;
	TCP_COUNT(conn->lcore, timeouts);
	tcp_recovery_on_rto(conn);
	if (conn->backoff < UINT8_MAX)
		conn->backoff++;
	suspect_black_hole(conn);
	conn->rto_base_ns = conn->lcore->now_ns;
	/* The head, even when it does not fit the window. */
	(void)tcp_retransmit(conn, TAILQ_FIRST(&conn->sent));
	tcp_arm(conn);
	tcp_ready(conn);
}

static void on_rexmt(struct tcp_conn *conn)
{
	const enum tcp_timer timer = conn->timer;
	conn->timer = TCP_TIMER_NONE;
	conn->rexmt_ns = UINT64_MAX;
	if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED) {
		on_syn_timeout(conn);
		return;
	}
	switch (timer) {
	case TCP_TIMER_RTO:
		on_rto(conn);
		break;
	case TCP_TIMER_TLP:
		tcp_probe_send(conn);
		break;
	case TCP_TIMER_REORDER:
		tcp_recovery_on_ack(conn, &(struct tcp_segment){0}, &(struct tcp_ack_result){0});
		tcp_ready(conn);
		break;
	case TCP_TIMER_PERSIST:
		on_persist(conn);
		break;
	case TCP_TIMER_RETRY:
		tcp_ready(conn);
		break;
	case TCP_TIMER_NONE:
		break;
	}
}

static void on_keep(struct tcp_conn *conn)
{
	const struct tcp_settings *s = &conn->settings;
	const uint64_t now_ns = conn->lcore->now_ns;
	conn->keep_ns = UINT64_MAX;
	if (conn->state == TCP_TIME_WAIT) {
		(void)tcp_step(conn, TCP_EVENT_END);
		TAILQ_REMOVE(&conn->lcore->time_wait, conn, all_link);
		tcp_table_remove(conn->lcore, &conn->node);
		if (!conn->stream.handler)
			tcp_conn_free(conn);
		return;
	}
	if (!s->keepalive_idle_ms)
		return;
	const uint64_t quiet_ns = now_ns - conn->heard_ns;
	const uint64_t idle_ns = s->keepalive_idle_ms * TCP_NS_PER_MS;
	if (quiet_ns < idle_ns) {
		conn->keep_probes = 0;
		conn->keep_ns = conn->heard_ns + idle_ns;
		return;
	}
	/* What is in flight has timers of its own. */
	if (!conn->sent_count) {
		if (conn->keep_probes >= s->keepalive_count) {
			give_up(conn);
			return;
		}
		conn->keep_probes++;
		/* A number that was acknowledged already asks for an answer (RFC 9293 3.8.4). */
		(void)tcp_send_control(conn, TCP_ACK, conn->snd_una - 1);
	}
	conn->keep_ns = now_ns + s->keepalive_interval_ms * TCP_NS_PER_MS;
}

void tcp_conn_timer(struct tcp_conn *conn)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	tcp_flush_noted(conn);
	if (conn->ack_ns <= now_ns) {
		conn->ack_ns = UINT64_MAX;
		conn->ack_now = true;
		tcp_ready(conn);
	}
	if (conn->keep_ns <= now_ns)
		on_keep(conn);
	if (conn->rexmt_ns <= now_ns)
		on_rexmt(conn);
	tcp_schedule(conn);
}

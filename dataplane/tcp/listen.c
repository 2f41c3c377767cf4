/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Passive open: LISTEN and SYN-RECEIVED (RFC 9293 3.10.7.2, 3.10.7.4).
 *
 * A half-open connection costs a small record with a deadline; when the records
 * are used up, cookies take their place and nothing is kept.
 */
#include "tcp/tcp_priv.h"

uint8_t tcp_wscale_for(uint32_t window_bytes)
{
	uint8_t scale = 0;
	while (scale < TCP_WSCALE_MAX && 65535u << scale < window_bytes)
		scale++;
	return scale;
}

void tcp_half_drop(struct tcp_lcore *lcore, struct tcp_half *half)
{
	tcp_table_remove(lcore, &half->node);
	wheel_cancel(&lcore->wheel, &half->node.timer);
	TAILQ_INSERT_TAIL(&lcore->free_halves, half, free_link);
	TCP_GAUGE(lcore, half_open, --lcore->half_count);
}

static void describe(const struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_segment *segment,
		     const struct tcp_key *key)
{
	const struct tcp_options *o = &segment->options;
	half->irs = segment->seq;
	half->peer_mss = ip_addr_is_v4(&key->remote) ? TCP_MSS_DEFAULT_V4 : TCP_MSS_DEFAULT_V6;
	if (o->has_mss)
		half->peer_mss = (uint16_t)tcp_max_u32(o->mss_bytes, TCP_MSS_FLOOR);
	half->wscale_ok = o->has_wscale;
	half->snd_wscale = o->has_wscale ? o->wscale : 0;
	half->rcv_wscale = o->has_wscale ? tcp_wscale_for(lcore->settings.window_bytes_max) : 0;
	half->timestamps = o->has_timestamps;
	half->ts_recent = o->ts_val;
	half->ts_offset = tcp_ts_offset(lcore, key);
	half->sack = o->sack_permitted;
	const bool willing = lcore->settings.ecn || lcore->settings.congestion == TCP_DCTCP;
	half->ecn = willing && (segment->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
}

static void take_syn(struct tcp_lcore *lcore, struct tcp_listener *listener, struct tcp_arrival *arrival,
		     const struct tcp_key *key)
{
	struct net_path path;
	if (lcore->env.path_open(lcore->env.ctx, &path, &key->local, &key->remote, arrival->view) != 0) {
		TCP_COUNT(lcore, drop_address);
		return;
	}
	struct tcp_half *half = TAILQ_FIRST(&lcore->free_halves);
	if (!half) {
		struct tcp_half cookie = {.path = path};
		describe(lcore, &cookie, &arrival->segment, key);
		tcp_cookie_make(lcore, &cookie, key);
		(void)tcp_send_synack(lcore, &cookie, key);
		return;
	}
	TAILQ_REMOVE(&lcore->free_halves, half, free_link);
	TCP_GAUGE(lcore, half_open, ++lcore->half_count);
	memset(half, 0, sizeof *half);
	half->node.kind = TCP_NODE_HALF;
	half->listener = listener;
	half->path = path;
	describe(lcore, half, &arrival->segment, key);
	half->iss = tcp_isn(lcore, key);
	if (arrival->has_iss_behind && tcp_seq_lt(half->iss, arrival->iss_behind))
		half->iss = arrival->iss_behind;
	half->since_ns = lcore->now_ns;
	tcp_table_add(lcore, &half->node, key);
	(void)tcp_send_synack(lcore, half, key); /* without a packet: the timer sends again */
	wheel_set(&lcore->wheel, &half->node.timer, lcore->now_ns + TCP_RTO_FIRST_NS);
}

void tcp_half_timer(struct tcp_lcore *lcore, struct tcp_half *half)
{
	if (half->retries >= TCP_HALF_RETRIES) {
		TCP_COUNT(lcore, half_timeouts);
		tcp_half_drop(lcore, half);
		return;
	}
	half->retries++;
	(void)tcp_send_synack(lcore, half, &half->node.key);
	wheel_set(&lcore->wheel, &half->node.timer, lcore->now_ns + (TCP_RTO_FIRST_NS << half->retries));
}

/* The protocol is asked; false: it does not want the connection. */
static bool ask(struct tcp_conn *conn, struct tcp_listener *listener)
{
	conn->in_callback = true;
	const bool wanted = listener->accept(listener->ctx, &conn->stream);
	conn->in_callback = false;
	return wanted;
}

struct tcp_conn *tcp_half_accept(struct tcp_lcore *lcore, const struct tcp_half *half, const struct tcp_key *key,
				 const struct tcp_segment *segment)
{
	struct tcp_conn *conn = tcp_conn_take(lcore, key, &half->path);
	if (!conn)
		return NULL;
	conn->irs = half->irs;
	conn->iss = half->iss;
	conn->snd_una = conn->snd_nxt = half->iss + 1;
	conn->rcv_nxt = half->irs + 1;
	conn->rcv_edge = conn->rcv_nxt + tcp_min_u32(TCP_WINDOW_FIRST, lcore->settings.window_bytes_max);
	conn->peer_mss = half->peer_mss;
	conn->timestamps = half->timestamps;
	conn->sack = half->sack;
	conn->ecn = half->ecn;
	conn->snd_wscale = half->snd_wscale;
	conn->rcv_wscale = half->rcv_wscale;
	conn->ts_recent = half->ts_recent;
	conn->ts_recent_ns = lcore->now_ns;
	conn->snd_wl1 = segment->seq - 1;
	conn->snd_wl2 = segment->ack;
	tcp_conn_set_mss(conn);
	if (half->retries == 0)
		tcp_rtt_sample(conn, lcore->now_ns - half->since_ns);
	(void)tcp_step(conn, TCP_EVENT_ACCEPT);
	tcp_conn_established(conn, segment->window);
	conn->timeouts = 0;
	if (!ask(conn, half->listener)) {
		TCP_COUNT(lcore, drop_refused);
		if (tcp_send_control(conn, TCP_RST | TCP_ACK, conn->snd_nxt))
			TCP_COUNT(lcore, resets_out);
		tcp_conn_free(conn);
		return NULL;
	}
	TCP_COUNT(lcore, accepted);
	return conn;
}

/* An acknowledgement ends the handshake: the same segment goes on as one of the connection. */
static void complete(struct tcp_lcore *lcore, const struct tcp_half *half, struct tcp_arrival *arrival,
		     const struct tcp_key *key)
{
	const uint64_t refused = lcore->env.lcore_stats[WHERRY_LCORE_tcp_drop_refused];
	struct tcp_conn *conn = tcp_half_accept(lcore, half, key, &arrival->segment);
	if (conn)
		tcp_conn_input(conn, arrival);
	else if (lcore->env.lcore_stats[WHERRY_LCORE_tcp_drop_refused] == refused)
		tcp_send_reset_for(lcore, arrival); /* no connection left: the peer need not wait to find out */
}

void tcp_half_input(struct tcp_lcore *lcore, struct tcp_half *half, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	const uint32_t window = tcp_min_u32(TCP_WINDOW_FIRST, lcore->settings.window_bytes_max);
	if (segment->flags & TCP_RST) {
		if (segment->seq == half->irs + 1)
			tcp_half_drop(lcore, half);
		else
			TCP_COUNT(lcore, drop_window);
		return;
	}
	if (segment->flags & TCP_SYN) {
		/* Again, or from a peer that has begun anew: ours again; what it makes of it may be a reset. */
		if (segment->flags & TCP_ACK)
			TCP_COUNT(lcore, drop_state);
		else
			(void)tcp_send_synack(lcore, half, &half->node.key);
		return;
	}
	if (!(segment->flags & TCP_ACK)) {
		TCP_COUNT(lcore, drop_state);
		return;
	}
	if (segment->ack != half->iss + 1) {
		TCP_COUNT(lcore, drop_ack);
		tcp_send_reset_for(lcore, arrival);
		return;
	}
	if (segment->seq - (half->irs + 1) > window) {
		TCP_COUNT(lcore, drop_window);
		(void)tcp_send_synack(lcore, half, &half->node.key);
		return;
	}
	if (half->timestamps &&
	    (!segment->options.has_timestamps || tcp_seq_lt(segment->options.ts_val, half->ts_recent))) {
		TCP_COUNT(lcore, drop_paws);
		return;
	}
	const struct tcp_half copy = *half;
	tcp_half_drop(lcore, half);
	complete(lcore, &copy, arrival, &copy.node.key);
}

void tcp_listen_input(struct tcp_lcore *lcore, struct tcp_listener *listener, struct tcp_arrival *arrival,
		      const struct tcp_key *key)
{
	struct tcp_segment *segment = &arrival->segment;
	if (segment->flags & TCP_RST) {
		TCP_COUNT(lcore, drop_state);
		return;
	}
	if (segment->flags & TCP_ACK) {
		struct tcp_half half = {.listener = listener};
		if (!(segment->flags & TCP_SYN) && tcp_cookie_check(lcore, &half, key, segment) &&
		    lcore->env.path_open(lcore->env.ctx, &half.path, &key->local, &key->remote, arrival->view) == 0) {
			complete(lcore, &half, arrival, key);
			return;
		}
		TCP_COUNT(lcore, drop_stranger);
		tcp_send_reset_for(lcore, arrival);
		return;
	}
	if ((segment->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN) {
		TCP_COUNT(lcore, drop_state);
		return;
	}
	take_syn(lcore, listener, arrival, key);
}

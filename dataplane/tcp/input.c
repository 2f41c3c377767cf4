/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrival of a segment that is not what was expected (fast.c), in the order of RFC 9293 3.10.7. */
#include "tcp/tcp_priv.h"
#include "util/checksum.h"

#define PAWS_IDLE_NS (24ull * 86400 * 1000 * TCP_NS_PER_MS) /* RFC 7323 5.5 */

void tcp_challenge(struct tcp_conn *conn)
{
	struct tcp_lcore *lcore = conn->lcore;
	/* For each connection of its own: what one peer provokes never silences another (RFC 5961 7). */
	if (lcore->now_ns - conn->challenge_ns >= 1000 * TCP_NS_PER_MS) {
		conn->challenge_ns = lcore->now_ns;
		conn->challenge_count = 0;
	}
	if (conn->challenge_count >= TCP_CHALLENGE_COUNT) {
		TCP_COUNT(lcore, challenges_limited);
		return;
	}
	conn->challenge_count++;
	TCP_COUNT(lcore, challenges);
	(void)tcp_send_ack(conn);
}

/* An acknowledgement for a segment that is not acceptable: at once for what may be a retransmission or a probe,
 * limited for what takes up no number, so that two such ends do not keep each other busy. */
static void answer_unacceptable(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (segment->flags & TCP_RST)
		return;
	if (tcp_segment_length(segment) && !(segment->flags & TCP_SYN)) {
		conn->ack_now = true;
		tcp_ready(conn);
	} else {
		tcp_challenge(conn);
	}
}

/* RFC 7323 5: false: dropped. */
static bool check_timestamps(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct tcp_options *o = &segment->options;
	if (!conn->timestamps || segment->flags & TCP_RST)
		return true;
	if (!o->has_timestamps) {
		TCP_COUNT(conn->lcore, drop_no_timestamp);
		return false;
	}
	if (tcp_seq_lt(o->ts_val, conn->ts_recent) && conn->lcore->now_ns - conn->ts_recent_ns < PAWS_IDLE_NS) {
		TCP_COUNT(conn->lcore, drop_paws);
		answer_unacceptable(conn, segment);
		return false;
	}
	return true;
}

static void remember_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (!conn->timestamps || !segment->options.has_timestamps || tcp_seq_lt(conn->last_ack_sent, segment->seq))
		return;
	conn->ts_recent = segment->options.ts_val;
	conn->ts_recent_ns = conn->lcore->now_ns;
}

/* First check: is any of it in the window?  Trims what is not. */
static bool check_sequence(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	const uint32_t length = tcp_segment_length(segment);
	/* Whoever has probed a closed window with a byte counts it in; the acknowledgement is good all the same
	 * ("special allowance should be made to accept valid ACKs", RFC 9293 3.10.7.4). */
	if (!length && conn->rcv_edge == conn->rcv_nxt && segment->seq == conn->rcv_nxt + 1)
		segment->seq--;
	const uint32_t end = segment->seq + length;
	const bool beyond = length ? !tcp_seq_lt(segment->seq, conn->rcv_edge) && segment->seq != conn->rcv_nxt
				   : tcp_seq_lt(conn->rcv_edge, segment->seq);
	const bool before = length ? tcp_seq_leq(end, conn->rcv_nxt) : tcp_seq_lt(segment->seq, conn->rcv_nxt);
	if (before || beyond) {
		TCP_COUNT(conn->lcore, drop_window);
		if (before && segment->payload_bytes && tcp_is_synchronized(conn)) {
			conn->duplicates++;
			TCP_COUNT(conn->lcore, duplicates);
			conn->dsack = (struct tcp_range){segment->seq, segment->seq + segment->payload_bytes};
			conn->dsack_set = conn->sack;
		}
		if (conn->state == TCP_TIME_WAIT && segment->flags & TCP_FIN) {
			/* The peer did not get our last acknowledgement. */
			conn->keep_ns = conn->lcore->now_ns + TCP_TIME_WAIT_NS;
		}
		answer_unacceptable(conn, segment);
		return false;
	}
	if (tcp_seq_lt(segment->seq, conn->rcv_nxt) && !(segment->flags & TCP_SYN)) {
		const uint32_t old = conn->rcv_nxt - segment->seq;
		conn->dsack = (struct tcp_range){segment->seq, conn->rcv_nxt};
		conn->dsack_set = conn->sack && segment->payload_bytes;
		segment->seq += old;
		arrival->payload += old;
		segment->payload_bytes -= old;
		conn->ack_now = true;
		tcp_ready(conn);
	}
	/* The right edge: what is behind it was not asked for. */
	const uint32_t window = conn->rcv_edge - segment->seq;
	const uint32_t room = (int32_t)window > 0 ? window : 0;
	if (segment->payload_bytes > room) {
		segment->payload_bytes = room;
		segment->flags &= (uint8_t)~TCP_FIN;
		conn->ack_now = true;
		tcp_ready(conn);
	}
	return true;
}

/* Second: RST (RFC 5961 3). */
static void take_reset(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (conn->state == TCP_TIME_WAIT) {
		TCP_COUNT(conn->lcore, drop_state); /* RFC 1337 */
		return;
	}
	if (segment->seq != conn->rcv_nxt) {
		tcp_challenge(conn);
		return;
	}
	TCP_COUNT(conn->lcore, resets_in);
	tcp_conn_end(conn, conn->state == TCP_SYN_RECEIVED ? STREAM_REFUSED : STREAM_RESET);
}

static void take_ecn(struct tcp_conn *conn, const struct tcp_arrival *arrival)
{
	if (!conn->ecn)
		return;
	if (conn->cc == &tcp_dctcp_ops) {
		if (arrival->segment.payload_bytes)
			tcp_dctcp_received(conn, arrival->view->ecn == IP_ECN_CE);
		return;
	}
	if (arrival->segment.flags & TCP_CWR)
		conn->ece_pending = false;
	if (arrival->view->ecn == IP_ECN_CE)
		conn->ece_pending = true;
}

static void take_payload_and_fin(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	if (!segment->payload_bytes && !(segment->flags & TCP_FIN))
		return;
	if (!tcp_can_receive(conn)) {
		/* The peer has ended its side already: what comes now is answered and forgotten. */
		conn->ack_now = true;
		tcp_ready(conn);
		return;
	}
	if (segment->seq == conn->rcv_nxt)
		tcp_receive(conn, arrival);
	else
		tcp_hold_ahead(conn, arrival);
}

/* Third to eighth checks, for a segment whose place and timestamp are right. */
static void take_rest(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	if (segment->flags & TCP_RST) {
		take_reset(conn, segment);
		return;
	}
	if (segment->flags & TCP_SYN) {
		tcp_challenge(conn); /* RFC 5961 4: a peer that has forgotten us will reset */
		return;
	}
	if (!(segment->flags & TCP_ACK)) {
		TCP_COUNT(conn->lcore, drop_state);
		return;
	}
	if (conn->state == TCP_SYN_RECEIVED) {
		if (segment->ack != conn->snd_nxt) {
			tcp_send_reset_for(conn->lcore, arrival);
			return;
		}
		conn->snd_una = segment->ack;
		conn->snd_wl1 = segment->seq - 1;
		(void)tcp_step(conn, TCP_EVENT_ESTABLISHED);
		tcp_conn_established(conn, segment->window);
		if (conn->finished)
			return;
	}
	/* A segment whose acknowledgement cannot be is nobody's: its timestamp would lock the peer out (RFC 5961 5). */
	if (!tcp_ack_input(conn, segment) || conn->finished)
		return;
	remember_timestamp(conn, segment);
	take_ecn(conn, arrival);
	take_payload_and_fin(conn, arrival);
}

/* RFC 6191 and RFC 9293 3.10.7.4: a new connection of the same name may replace one in TIME-WAIT. */
static bool may_reuse(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (conn->state != TCP_TIME_WAIT || (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (conn->finished || conn->stream.handler)
		return false;
	if (conn->timestamps && segment->options.has_timestamps && segment->options.ts_val != conn->ts_recent)
		return tcp_seq_lt(conn->ts_recent, segment->options.ts_val);
	return tcp_seq_lt(conn->rcv_nxt, segment->seq);
}

void tcp_conn_input(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	tcp_flush_noted(conn);
	conn->segments_in++;
	if (conn->state == TCP_SYN_SENT) {
		tcp_syn_sent_input(conn, arrival);
		return;
	}
	if (!check_timestamps(conn, segment) || !check_sequence(conn, arrival))
		return;
	conn->heard_ns = conn->lcore->now_ns;
	conn->keep_probes = 0;
	take_rest(conn, arrival);
}

/* ---- before a connection is known ---- */

static bool is_group(const struct ip_addr *addr)
{
	if (ip_addr_is_v4(addr))
		return addr->b[IP_ADDR_V4_OFFSET] >= 224;
	return addr->b[0] == 0xff;
}

static bool checksum_is_good(const struct pkt *pkt, const struct ip_view *view)
{
	if (pkt->checksum == PKT_CHECKSUM_GOOD)
		return true;
	if (pkt->len_bytes > 65535)
		return false;
	uint64_t sum = tcp_pseudo_sum(&view->dst, &view->src);
	sum = checksum_add64(sum, checksum_of_be16((uint16_t)pkt->len_bytes));
	return checksum_fold(checksum_add(sum, pkt->data, pkt->len_bytes)) == 0xffff;
}

static void stranger_input(struct tcp_lcore *lcore, struct tcp_arrival *arrival, const struct tcp_key *key)
{
	if ((ip_addr_equal(&key->local, &key->remote) && key->local_port == key->remote_port) ||
	    is_group(&key->remote) || is_group(&key->local) || ip_addr_is_none(&key->remote) || !key->remote_port) {
		TCP_COUNT(lcore, drop_address);
		return;
	}
	struct tcp_listener *listener = tcp_find_listener(lcore, &key->local, key->local_port);
	if (listener) {
		tcp_listen_input(lcore, listener, arrival, key);
		return;
	}
	TCP_COUNT(lcore, drop_stranger);
	tcp_send_reset_for(lcore, arrival);
}

static void route(struct tcp_lcore *lcore, struct tcp_arrival *arrival)
{
	/* cppcheck-suppress ctuuninitvar; tcp_input_slowly has set every member but those of options that are not there
	 */
	const struct ip_view *view = arrival->view;
	const struct tcp_key key = {view->dst, view->src, arrival->segment.destination_port,
				    arrival->segment.source_port};
	struct tcp_node *node = tcp_find(lcore, &key, tcp_hash(lcore, &key));
	if (node && node->kind == TCP_NODE_HALF) {
		tcp_half_input(lcore, (struct tcp_half *)((char *)node - offsetof(struct tcp_half, node)), arrival);
		return;
	}
	if (node) {
		struct tcp_conn *conn = (struct tcp_conn *)((char *)node - offsetof(struct tcp_conn, node));
		if (!may_reuse(conn, &arrival->segment)) {
			tcp_conn_input(conn, arrival);
			return;
		}
		/* Numbers of the new connection begin behind those of the old one. */
		TCP_COUNT(lcore, time_wait_reused);
		arrival->iss_behind = conn->snd_nxt + 65536;
		arrival->has_iss_behind = true;
		tcp_conn_free(conn);
	}
	stranger_input(lcore, arrival, &key);
}

void tcp_input_slowly(struct tcp_lcore *lcore, struct pkt *pkt, const struct ip_view *view)
{
	struct tcp_arrival arrival;
	arrival.pkt = pkt;
	arrival.view = view;
	arrival.has_iss_behind = false;
	if (tcp_segment_parse(pkt->data, pkt->len_bytes, &arrival.segment).result != WIRE_OK) {
		TCP_COUNT(lcore, drop_malformed);
	} else if (!checksum_is_good(pkt, view)) {
		TCP_COUNT(lcore, drop_checksum);
	} else {
		arrival.payload = pkt->data + arrival.segment.header_bytes;
		route(lcore, &arrival);
	}
	if (arrival.pkt)
		lcore->env.pool.free(lcore->env.pool.ctx, arrival.pkt);
}

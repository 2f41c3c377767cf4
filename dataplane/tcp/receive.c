/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Payload in order, to the protocol; and the window that says how much more may come.
 *
 * A window is promised in bytes and kept in packets: it shrinks with what the
 * protocol has not read, with what the connection holds, and with what is left
 * of the lcore's budget, but its right edge never moves back.  Whose protocol
 * takes everything at once costs no packets: what others hold closes its window
 * never below its first size.
 */
#include "tcp/tcp_priv.h"

uint32_t tcp_receive_room(const struct tcp_conn *conn)
{
	const struct tcp_lcore *lcore = conn->lcore;
	const uint64_t each = conn->held_count < lcore->limits.held_packet_count_each
				      ? lcore->limits.held_packet_count_each - conn->held_count
				      : 0;
	/* Half of what is left of all is there for one, less for who holds much of it. */
	const uint32_t left = lcore->free_held_count;
	uint64_t packets = left > conn->held_count ? (left - conn->held_count) / 2 : 0;
	if (each < packets)
		packets = each;
	uint64_t room = packets * conn->rcv_mss;
	if (room < TCP_WINDOW_FIRST && each && !conn->paused && TAILQ_EMPTY(&conn->unread))
		room = TCP_WINDOW_FIRST;
	const uint32_t target = conn->rcv_target > conn->unread_bytes ? conn->rcv_target - conn->unread_bytes : 0;
	if (room > target)
		room = target;
	return (uint32_t)room;
}

bool tcp_window_opens(const struct tcp_conn *conn)
{
	const uint32_t room = tcp_receive_room(conn);
	const uint32_t now = tcp_seq_lt(conn->rcv_nxt, conn->rcv_edge) ? conn->rcv_edge - conn->rcv_nxt : 0;
	if (room <= now)
		return false;
	const uint32_t more = room - now;
	if (more >= conn->rcv_target / 2)
		return true;
	return now < 2u * conn->rcv_mss && more >= tcp_min_u32(2u * conn->rcv_mss, conn->rcv_target / 2);
}

/* Room for twice what the protocol takes in a round trip. */
void tcp_autotune(struct tcp_conn *conn)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	const uint64_t rtt_ns = conn->srtt_ns ? conn->srtt_ns : 100 * TCP_NS_PER_MS;
	if (now_ns - conn->drs_ns < rtt_ns)
		return;
	const uint32_t read = conn->rcv_nxt - conn->unread_bytes - conn->drs_mark;
	conn->drs_mark = conn->rcv_nxt - conn->unread_bytes;
	conn->drs_ns = now_ns;
	const uint64_t want = 2ull * read + 16ull * conn->rcv_mss;
	if (want > conn->rcv_target)
		conn->rcv_target =
			want < conn->settings.window_bytes_max ? (uint32_t)want : conn->settings.window_bytes_max;
}

/* Give the protocol bytes; returns how many it took. */
static uint32_t call_on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	conn->in_callback = true;
	conn->resume_wanted = false;
	const uint32_t taken = conn->stream.handler->on_data(conn->stream.ctx, data, len);
	conn->in_callback = false;
	conn->paused = taken < len && !conn->resume_wanted;
	return tcp_min_u32(taken, len);
}

static void tell_end(struct tcp_conn *conn)
{
	if (!conn->fin_received || conn->end_told || conn->unread_bytes || !TAILQ_EMPTY(&conn->unread))
		return;
	conn->end_told = true;
	conn->in_callback = true;
	conn->stream.handler->on_end(conn->stream.ctx);
	conn->in_callback = false;
	if (!conn->finished)
		tcp_conn_check_end(conn);
}

void tcp_deliver(struct tcp_conn *conn)
{
	if (conn->resume_wanted)
		conn->paused = false;
	conn->resume_wanted = false;
	struct tcp_held *held;
	uint32_t stuck = 0;
	while (!conn->finished && !conn->paused && (held = TAILQ_FIRST(&conn->unread))) {
		const uint32_t taken = call_on_data(conn, held->data, held->len_bytes);
		if (conn->finished)
			return; /* what was held is dropped already */
		conn->unread_bytes -= taken;
		held->data += taken;
		held->start += taken;
		held->len_bytes -= taken;
		if (held->len_bytes == 0)
			tcp_held_drop(conn, &conn->unread, held);
		/* Taking nothing and asking for more at once leads nowhere. */
		stuck = taken ? 0 : stuck + 1;
		if (stuck > 1)
			conn->paused = true;
	}
	if (conn->finished)
		return;
	tell_end(conn);
	if (!conn->finished && tcp_can_receive(conn) && tcp_window_opens(conn)) {
		conn->ack_now = true;
		tcp_ready(conn);
	}
	/* What callbacks queued goes out at the end of the turn. */
	if (conn->stream.unsent_bytes)
		tcp_ready(conn);
}

void tcp_ack_later(struct tcp_conn *conn)
{
	conn->unacked_segments++;
	if (conn->unacked_segments >= TCP_ACK_BURST && !conn->in_callback)
		(void)tcp_send_ack(conn);
	if (conn->quick_acks && !conn->ack_now) {
		/* After a loss the sender's window is small, and everything it learns soon helps. */
		conn->quick_acks--;
		conn->ack_now = true;
	}
	if (conn->ack_now || conn->unacked_segments >= 2) {
		tcp_ready(conn);
	} else if (conn->unacked_segments == 1 && conn->ack_ns == UINT64_MAX) {
		conn->ack_ns = conn->lcore->now_ns + TCP_DELAYED_ACK_NS;
		tcp_schedule(conn);
	}
}

/* Keep payload that the protocol did not take.  False: no budget. */
static bool hold_unread(struct tcp_conn *conn, struct tcp_arrival *arrival, uint32_t taken)
{
	const uint32_t len = arrival->segment.payload_bytes - taken;
	struct tcp_held *last = TAILQ_LAST(&conn->unread, tcp_held_list);
	if (last) {
		const uint32_t used = (uint32_t)(last->data - last->pkt->head) + last->len_bytes;
		if (last->pkt->room_bytes >= used + len) {
			memcpy(last->pkt->head + used, arrival->payload + taken, len);
			last->len_bytes += len;
			conn->unread_bytes += len;
			return true;
		}
	}
	struct tcp_held *held = tcp_held_take(conn, arrival->pkt);
	if (!held && !TAILQ_EMPTY(&conn->ahead)) {
		/* What is in order is worth more than what is ahead. */
		tcp_ahead_drop_last(conn);
		held = tcp_held_take(conn, arrival->pkt);
	}
	if (!held)
		return false;
	arrival->pkt = NULL;
	held->data = arrival->payload + taken;
	held->start = arrival->segment.seq + taken;
	held->len_bytes = len;
	conn->unread_bytes += len;
	TAILQ_INSERT_TAIL(&conn->unread, held, link);
	return true;
}

/* The protocol took some of the payload: the rest is kept.  False: no budget, it is to be sent again. */
static bool keep_rest(struct tcp_conn *conn, struct tcp_arrival *arrival, uint32_t taken)
{
	const uint32_t len = arrival->segment.payload_bytes;
	if (conn->finished)
		return true;
	if (taken < len && !hold_unread(conn, arrival, taken)) {
		conn->rcv_nxt -= len - taken;
		conn->bytes_in += taken;
		return false;
	}
	conn->bytes_in += len;
	return true;
}

/* Payload that begins at rcv_nxt.  False: dropped, and to be sent again. */
static bool take_payload(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	const uint32_t len = arrival->segment.payload_bytes;
	if (len == 0)
		return true;
	if (len > conn->rcv_mss)
		conn->rcv_mss = (uint16_t)tcp_min_u32(len, 65535);
	uint32_t taken = 0;
	if (!conn->paused && !conn->in_callback && TAILQ_EMPTY(&conn->unread)) {
		conn->rcv_nxt += len; /* what callbacks send acknowledges it */
		taken = call_on_data(conn, arrival->payload, len);
		if (!keep_rest(conn, arrival, taken))
			return false;
	} else {
		if (!hold_unread(conn, arrival, 0))
			return false;
		conn->rcv_nxt += len;
		conn->bytes_in += len;
	}
	return true;
}

static void not_kept(struct tcp_conn *conn)
{
	TCP_COUNT(conn->lcore, drop_held);
	conn->ack_now = true;
	tcp_ready(conn);
}

/* Payload was taken: acknowledge it, and see what the protocol made of it. */
static void received(struct tcp_conn *conn)
{
	tcp_ack_later(conn);
	tcp_autotune(conn);
	if (!TAILQ_EMPTY(&conn->unread) || conn->fin_received || conn->resume_wanted)
		tcp_deliver(conn);
	if (!conn->finished && (conn->stream.unsent_bytes || conn->sent_count))
		tcp_ready(conn);
}

void tcp_receive_rest(struct tcp_conn *conn, struct tcp_arrival *arrival, uint32_t taken)
{
	const uint32_t len = arrival->segment.payload_bytes;
	conn->paused = taken < len && !conn->resume_wanted;
	if (!keep_rest(conn, arrival, tcp_min_u32(taken, len)))
		not_kept(conn);
	else if (!conn->finished)
		received(conn);
}

void tcp_receive(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	const bool gap = !TAILQ_EMPTY(&conn->ahead);
	bool fin = arrival->segment.flags & TCP_FIN;
	if (!take_payload(conn, arrival)) {
		not_kept(conn);
		return;
	}
	if (conn->finished)
		return;
	if (gap) {
		fin |= tcp_reassemble(conn);
		conn->ack_now = true; /* a gap is filled, wholly or in part (RFC 5681 4.2) */
		tcp_ready(conn);
	}
	if (fin && !conn->fin_received) {
		conn->fin_received = true;
		conn->rcv_nxt++;
		conn->ack_now = true;
		tcp_ready(conn);
		(void)tcp_step(conn, TCP_EVENT_FIN);
		if (conn->state == TCP_TIME_WAIT)
			tcp_conn_time_wait(conn);
	}
	received(conn);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has been queued and what has been sent.
 *
 * Buffers stand in a list from the first byte not acknowledged to the last byte
 * queued; records stand for segments from snd_una to snd_nxt without a gap and
 * point into the buffers.  A buffer is put back when its last byte is
 * acknowledged cumulatively, never on a SACK, which the peer may take back (RFC
 * 2018 8); packets on their way hold references of their own.
 */
#include "tcp/tcp_priv.h"

void tcp_queue(struct tcp_conn *conn, struct pkt_buf *buf)
{
	buf->next = NULL;
	if (conn->buf_last)
		conn->buf_last->next = buf;
	else
		conn->buf_first = buf;
	conn->buf_last = buf;
	if (!conn->next_buf) {
		conn->next_buf = buf;
		conn->next_offset = 0;
	}
	conn->stream.unsent_bytes += buf->len_bytes;
	if (conn->stream.unsent_bytes >= STREAM_UNSENT_BYTES_GOAL)
		conn->room_wanted = true;
	if (conn->in_callback)
		conn->push_bytes = conn->stream.unsent_bytes;
}

static void unlist(struct tcp_conn *conn, struct tcp_sent *sent)
{
	if (sent->flags & TCP_SENT_IN_FLIGHT) {
		TAILQ_REMOVE(&conn->in_flight, sent, by_time);
		conn->flight_bytes -= sent->end - sent->start;
	} else if (sent->flags & TCP_SENT_LOST) {
		TAILQ_REMOVE(&conn->lost, sent, by_time);
	} else {
		conn->sacked_count--;
		conn->sacked_bytes -= sent->end - sent->start;
	}
}

static void release(struct tcp_conn *conn, struct tcp_sent *sent)
{
	unlist(conn, sent);
	TAILQ_REMOVE(&conn->sent, sent, by_seq);
	conn->sent_count--;
	tcp_sent_give(conn->lcore, sent);
}

/* Bytes are acknowledged: put back the buffers that end there. */
static void release_buffers(struct tcp_conn *conn, uint32_t bytes)
{
	conn->acked_offset += bytes;
	while (conn->buf_first && conn->acked_offset >= conn->buf_first->len_bytes) {
		struct pkt_buf *buf = conn->buf_first;
		/* A buffer whose last byte has been sent is behind the cursor; others cannot be acknowledged. */
		conn->acked_offset -= buf->len_bytes;
		conn->buf_first = buf->next;
		if (!conn->buf_first)
			conn->buf_last = NULL;
		pkt_buf_put(buf);
	}
}

/* The record begins further on in the buffers. */
static void advance(struct tcp_sent *sent, uint32_t bytes)
{
	while (bytes) {
		const uint32_t piece = tcp_min_u32(sent->buf->len_bytes - sent->offset, bytes);
		bytes -= piece;
		sent->offset += piece;
		if (sent->offset == sent->buf->len_bytes) {
			sent->buf = sent->buf->next;
			sent->offset = 0;
		}
	}
}

/* A record of which only the front is acknowledged. */
static void trim(struct tcp_conn *conn, struct tcp_sent *sent, uint32_t ack)
{
	const uint32_t bytes = ack - sent->start;
	if (sent->flags & TCP_SENT_IN_FLIGHT)
		conn->flight_bytes -= bytes;
	else if (sent->flags & TCP_SENT_SACKED)
		conn->sacked_bytes -= bytes;
	sent->start = ack;
	advance(sent, bytes);
}

void tcp_sent_split(struct tcp_conn *conn, struct tcp_sent *sent, uint32_t bytes)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_sent *rest = sent->end - sent->start > bytes ? tcp_sent_take(lcore) : NULL;
	if (!rest)
		return;
	*rest = *sent;
	rest->start = sent->start + bytes;
	advance(rest, bytes);
	sent->end = rest->start;
	sent->flags &= (uint8_t)~TCP_SENT_FIN;
	TAILQ_INSERT_AFTER(&conn->sent, sent, rest, by_seq);
	if (sent->flags & TCP_SENT_IN_FLIGHT)
		TAILQ_INSERT_AFTER(&conn->in_flight, sent, rest, by_time);
	else if (sent->flags & TCP_SENT_LOST)
		TAILQ_INSERT_AFTER(&conn->lost, sent, rest, by_time);
	else
		conn->sacked_count++;
	conn->sent_count++;
}

/* The first records of a list go, up to the one before next. */
#define CUT_FRONT(list, next, link)                                                                                    \
	do {                                                                                                           \
		(list)->tqh_first = (next);                                                                            \
		if (next)                                                                                              \
			(next)->link.tqe_prev = &(list)->tqh_first;                                                    \
		else                                                                                                   \
			(list)->tqh_last = &(list)->tqh_first;                                                         \
	} while (0)

/*
 * What nearly all is: a run of segments that were sent once, in order, and are
 * acknowledged wholly, so that they stand at the front of both lists.  Returns
 * when the last of them was sent, 0: there are none.
 */
static uint64_t release_run(struct tcp_conn *conn, uint32_t ack, uint32_t ts_ecr, struct tcp_ack_result *result)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_sent *first = TAILQ_FIRST(&conn->sent), *sent = first, *last = NULL;
	struct tcp_sent *flying = TAILQ_FIRST(&conn->in_flight);
	uint32_t count = 0;
	while (sent && sent == flying && sent->tx_count == 1 && sent->flags == TCP_SENT_IN_FLIGHT &&
	       tcp_seq_leq(sent->end, ack)) {
		last = sent;
		count++;
		sent = TAILQ_NEXT(sent, by_seq);
		flying = TAILQ_NEXT(flying, by_time);
	}
	if (!count)
		return 0;
	const uint32_t bytes = last->end - first->start;
	const uint64_t sent_ns = last->sent_ns;
	/* Of those between the two there is nothing to learn: the first was sent earliest, the last latest. */
	if (first != last)
		tcp_rack_delivered(conn, first, ts_ecr);
	tcp_rack_delivered(conn, last, ts_ecr);
	result->delivered_bytes += bytes;
	conn->flight_bytes -= bytes;
	conn->sent_count -= count;
	CUT_FRONT(&conn->sent, sent, by_seq);
	CUT_FRONT(&conn->in_flight, flying, by_time);
	TAILQ_NEXT(last, by_seq) = lcore->free_sent;
	lcore->free_sent = first;
	lcore->free_sent_count += count;
	return sent_ns;
}

/* Of something sent several times: was it the last that was acknowledged?  Yes, when the echo is of the last one or
 * later: an echo can be arbitrarily old, when what the peer acknowledges were duplicates to it. */
static bool is_unambiguous(const struct tcp_conn *conn, const struct tcp_sent *sent, uint32_t ts_ecr)
{
	const uint32_t sent_ts = (uint32_t)(sent->sent_ns / TCP_NS_PER_MS) + conn->ts_offset;
	return conn->timestamps && ts_ecr && tcp_seq_leq(sent_ts, ts_ecr);
}

void tcp_sent_acked(struct tcp_conn *conn, uint32_t ack, uint32_t ts_ecr, struct tcp_ack_result *result)
{
	uint32_t payload = ack - conn->snd_una;
	const uint64_t now_ns = conn->lcore->now_ns;
	uint64_t newest_ns = release_run(conn, ack, ts_ecr, result), again_ns = 0;
	struct tcp_sent *sent;
	while ((sent = TAILQ_FIRST(&conn->sent)) && tcp_seq_leq(sent->end, ack)) {
		if (sent->flags & TCP_SENT_FIN)
			payload--;
		if (!(sent->flags & TCP_SENT_SACKED)) {
			result->delivered_bytes += sent->end - sent->start;
			tcp_rack_delivered(conn, sent, ts_ecr);
			if (sent->tx_count > 1)
				again_ns = is_unambiguous(conn, sent, ts_ecr) ? sent->sent_ns : again_ns;
			else
				newest_ns = sent->sent_ns;
		}
		if (sent->tx_count > 1)
			result->retransmit_acked = true;
		release(conn, sent);
	}
	if (sent && tcp_seq_lt(sent->start, ack)) {
		if (!(sent->flags & TCP_SENT_SACKED))
			result->delivered_bytes += ack - sent->start;
		const bool was_cut = sent->end - sent->start > conn->mss; /* only its front was sent again */
		trim(conn, sent, ack);
		if (was_cut && sent->tx_count > 1)
			tcp_mark_lost(conn, sent);
	}
	/* When a gap was filled, what stood behind it arrived long ago. */
	if (result->retransmit_acked)
		newest_ns = again_ns;
	if (newest_ns)
		tcp_rtt_sample(conn, now_ns - newest_ns);
	result->sampled = newest_ns != 0;
	release_buffers(conn, payload);
}

void tcp_sent_drop_all(struct tcp_conn *conn)
{
	struct tcp_sent *sent;
	while ((sent = TAILQ_FIRST(&conn->sent)))
		release(conn, sent);
	while (conn->buf_first) {
		struct pkt_buf *buf = conn->buf_first;
		conn->buf_first = buf->next;
		pkt_buf_put(buf);
	}
	conn->buf_last = conn->next_buf = NULL;
	conn->acked_offset = conn->next_offset = 0;
	conn->stream.unsent_bytes = conn->push_bytes = 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the peer says that it holds (RFC 2018, 2883).
 *
 * A record counts as delivered when a block covers all of it; a block that no
 * sender of ours can have caused (empty, backwards, outside of what is in flight)
 * is passed over.
 */
#include "tcp/tcp_priv.h"

static void mark_sacked(struct tcp_conn *conn, struct tcp_sent *sent, uint32_t ts_ecr, struct tcp_ack_result *result)
{
	const uint32_t bytes = sent->end - sent->start;
	tcp_rack_delivered(conn, sent, ts_ecr);
	if (sent->flags & TCP_SENT_LOST) {
		TAILQ_REMOVE(&conn->lost, sent, by_time);
	} else {
		TAILQ_REMOVE(&conn->in_flight, sent, by_time);
		conn->flight_bytes -= bytes;
	}
	sent->flags = (uint8_t)((sent->flags & TCP_SENT_FIN) | TCP_SENT_SACKED);
	conn->sacked_count++;
	conn->sacked_bytes += bytes;
	result->delivered_bytes += bytes;
	result->sacked_new = true;
	if (sent->tx_count == 1 && sent->sent_ns > result->sacked_ns)
		result->sacked_ns = sent->sent_ns;
}

/* RFC 2883 4: the first block is below the acknowledgement, or inside the second. */
static bool is_dsack(const struct tcp_segment *segment)
{
	const struct tcp_options *o = &segment->options;
	if (tcp_seq_leq(o->sack[0].end, segment->ack))
		return true;
	return o->sack_count > 1 && tcp_seq_leq(o->sack[1].start, o->sack[0].start) &&
	       tcp_seq_leq(o->sack[0].end, o->sack[1].end);
}

static void take_dsack(struct tcp_conn *conn, const struct tcp_range *range, struct tcp_ack_result *result)
{
	const uint32_t reach = tcp_max_u32(conn->max_wnd, 65535);
	if (!tcp_seq_lt(range->start, range->end) || tcp_seq_lt(conn->snd_nxt, range->end) ||
	    tcp_seq_lt(range->start, conn->snd_una - reach))
		return;
	if (tcp_probe_answered(conn, range)) {
		result->answered = true;
		tcp_rack_answered(conn);
		return;
	}
	result->dsack = true;
	if (conn->tlp_out && conn->tlp_retransmit && range->end == conn->tlp_end)
		result->spurious_probe = true;
	if (conn->undo_retransmits)
		conn->undo_retransmits--;
	tcp_rack_dsack(conn);
}

void tcp_sack_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct tcp_ack_result *result)
{
	const struct tcp_options *o = &segment->options;
	unsigned first = 0;
	if (is_dsack(segment)) {
		take_dsack(conn, &o->sack[0], result);
		first = 1;
	}
	for (unsigned i = first; i < o->sack_count; i++) {
		const struct tcp_range range = o->sack[i];
		if (!tcp_seq_lt(range.start, range.end) || tcp_seq_lt(conn->snd_nxt, range.end) ||
		    tcp_seq_leq(range.end, segment->ack) || tcp_seq_lt(range.start, conn->snd_una))
			continue;
		/* From whichever end is nearer: the newest blocks are at the end. */
		struct tcp_sent *sent;
		const struct tcp_sent *head = TAILQ_FIRST(&conn->sent);
		const bool from_end = head && range.end - head->start > (conn->snd_nxt - head->start) / 2;
		if (from_end) {
			TAILQ_FOREACH_REVERSE(sent, &conn->sent, tcp_sent_list, by_seq)
			{
				if (tcp_seq_lt(sent->start, range.start))
					break;
				if (!(sent->flags & TCP_SENT_SACKED) && tcp_seq_leq(sent->end, range.end))
					mark_sacked(conn, sent, o->has_timestamps ? o->ts_ecr : 0, result);
			}
			continue;
		}
		TAILQ_FOREACH(sent, &conn->sent, by_seq)
		{
			if (tcp_seq_lt(range.end, sent->end))
				break;
			if (!(sent->flags & TCP_SENT_SACKED) && tcp_seq_leq(range.start, sent->start))
				mark_sacked(conn, sent, o->has_timestamps ? o->ts_ecr : 0, result);
		}
	}
}

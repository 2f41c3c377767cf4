/* SPDX-License-Identifier: BSD-3-Clause */
/* New segments: how much may go, the record of it, the packet.  One file, because every segment pays for all of it. */
#include "tcp/emit.h"

/* Payload of the next new segment; 0: nothing may go. */
static inline uint32_t next_payload(struct tcp_conn *conn, uint32_t mss)
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
	const uint32_t pipe = tcp_pipe_bytes(conn);
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

/* Full segments, several of them, that next_payload() would let go one after the other. */
static inline uint32_t full_segments(const struct tcp_conn *conn, uint32_t mss)
{
	const uint64_t unsent = conn->stream.unsent_bytes;
	const uint32_t out = conn->snd_nxt - conn->snd_una;
	const uint32_t pipe = tcp_pipe_bytes(conn);
	const uint32_t taken = conn->sent_count, free = conn->lcore->free_sent_count;
	if (unsent < 2 * (uint64_t)mss || out >= conn->snd_wnd || pipe >= conn->cwnd ||
	    out >= conn->settings.send_bytes_max || taken >= free)
		return 0;
	uint32_t room = tcp_min_u32(conn->snd_wnd - out, conn->cwnd - pipe);
	room = tcp_min_u32(room, conn->settings.send_bytes_max - out);
	if (unsent < room)
		room = (uint32_t)unsent;
	return tcp_min_u32(room / mss, (free - taken) / 2);
}

static inline struct tcp_sent *sent_new(struct tcp_conn *conn, uint32_t payload_bytes, bool fin)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_sent *sent = tcp_sent_take(lcore);
	if (!sent) {
		TCP_COUNT(lcore, drop_no_segment);
		return NULL;
	}
	sent->start = conn->snd_nxt;
	sent->end = conn->snd_nxt + payload_bytes + fin;
	sent->flags = (uint8_t)(TCP_SENT_IN_FLIGHT | (fin ? TCP_SENT_FIN : 0));
	sent->tx_count = 1;
	sent->sent_ns = lcore->now_ns;
	sent->buf = conn->next_buf;
	sent->offset = conn->next_offset;
	TAILQ_INSERT_TAIL(&conn->sent, sent, by_seq);
	TAILQ_INSERT_TAIL(&conn->in_flight, sent, by_time);
	if (conn->sent_count++ == 0)
		conn->progress_ns = conn->rto_base_ns = lcore->now_ns;
	conn->flight_bytes += payload_bytes + fin;
	conn->snd_nxt = sent->end;
	conn->stream.unsent_bytes -= payload_bytes;
	conn->push_bytes -= conn->push_bytes < payload_bytes ? conn->push_bytes : payload_bytes;
	while (payload_bytes) {
		const uint32_t piece = tcp_min_u32(conn->next_buf->len_bytes - conn->next_offset, payload_bytes);
		payload_bytes -= piece;
		conn->next_offset += piece;
		if (conn->next_offset == conn->next_buf->len_bytes) {
			conn->next_buf = conn->next_buf->next;
			conn->next_offset = 0;
		}
	}
	return sent;
}

struct tcp_sent *tcp_sent_new(struct tcp_conn *conn, uint32_t payload_bytes, bool fin)
{
	return sent_new(conn, payload_bytes, fin);
}

/* Segments that leave at one moment have all of the header in common but the number and some flags. */
struct pass {
	bool begun; /* the header is there, and its acknowledgement has been accounted for */
	uint32_t header_bytes;
	struct tcp_plain_header header;
};

/* A new segment with a plain header.  False: no packet. */
static inline bool send_plain(struct tcp_conn *conn, const struct tcp_sent *sent, struct pass *pass, uint32_t payload,
			      bool fin)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct pkt *pkt = tcp_packet_new(lcore, &conn->path);
	if (!pkt)
		return false;
	if (!pass->begun) {
		pass->begun = true;
		tcp_plain_begin(conn, &pass->header);
		pass->header_bytes = tcp_header_bytes_of(conn);
		tcp_acknowledged(conn);
	}
	const uint32_t header_bytes = pass->header_bytes;
	uint8_t flags = fin ? TCP_FIN : 0;
	if (conn->stream.unsent_bytes == 0 || payload < conn->mss)
		flags |= TCP_PSH;
	enum ip_ecn ecn = IP_ECN_NOT_ECT;
	if (conn->ecn) {
		ecn = IP_ECN_ECT0;
		flags |= conn->cwr_pending ? TCP_CWR : 0;
		conn->cwr_pending = false;
	}
	tcp_plain_stamp(pkt->data, &pass->header, sent->start, flags);
	pkt->len_bytes = header_bytes;
	if (payload > TCP_COPY_BYTES && sent->buf->len_bytes - sent->offset >= payload) {
		pkt_buf_get(sent->buf);
		pkt->frags[0] = (struct pkt_frag){sent->buf, sent->buf->data + sent->offset, payload};
		pkt->frag_count = 1;
	} else {
		tcp_add_payload(pkt, sent->buf, sent->offset, payload);
	}
	conn->bytes_out += payload;
	conn->segments_out++;
	if (conn->path.checksum_offload)
		tcp_leave_checksum(pkt, conn->pseudo_sum, header_bytes + payload);
	else
		tcp_fill_checksum(pkt, conn->pseudo_sum);
	lcore->env.output(lcore->env.ctx, &conn->path, pkt, ecn, lcore->now_ns);
	return true;
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

bool tcp_send_new(struct tcp_conn *conn)
{
	uint32_t mss = conn->mss;
	if (conn->sack_count || conn->dsack_set) {
		const uint32_t blocks = 8u * (conn->sack_count + (uint32_t)conn->dsack_set) + 4;
		mss -= tcp_min_u32(blocks, TCP_OPTION_BYTES_MAX - (conn->timestamps ? TCP_TIMESTAMPS_BYTES : 0));
	}
	const bool is_plain = tcp_is_plain(conn);
	struct pass pass = {.begun = false};
	conn->corked = false;
	uint32_t full = full_segments(conn, mss);
	for (;;) {
		const uint32_t len = full ? mss : next_payload(conn, mss);
		full -= full > 0;
		if (!len)
			break;
		const bool fin = conn->fin_queued && len == conn->stream.unsent_bytes;
		struct tcp_sent *sent = sent_new(conn, len, fin);
		if (!sent)
			return false;
		conn->fin_sent |= fin;
		conn->prr_out += len;
		/* What could not leave is lost already; the timer finds out. */
		if (is_plain ? !send_plain(conn, sent, &pass, len, fin) : !tcp_send_data(conn, sent, mss, false))
			return false;
	}
	return send_fin_alone(conn);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Building segments: header, options, payload by copy or by reference, checksum. */
#include "tcp/emit.h"
#include "util/checksum.h"

#define RESET_COUNT 1000u /* to strangers, a second */
#define PROTOCOL_TCP 6u

uint64_t tcp_pseudo_sum(const struct ip_addr *a, const struct ip_addr *b)
{
	const unsigned offset = ip_addr_is_v4(b) ? IP_ADDR_V4_OFFSET : 0;
	uint64_t sum = checksum_of_be16(PROTOCOL_TCP);
	sum = checksum_add(sum, a->b + offset, 16 - offset);
	return checksum_add(sum, b->b + offset, 16 - offset);
}

void tcp_fill_checksum(struct pkt *pkt, uint64_t pseudo_sum)
{
	uint64_t sum = checksum_add(pseudo_sum, pkt->data, pkt->len_bytes);
	uint32_t total = pkt->len_bytes;
	for (unsigned i = 0; i < pkt->frag_count; i++) {
		const uint64_t piece = checksum_add(0, pkt->frags[i].data, pkt->frags[i].len_bytes);
		sum = checksum_add64(sum, total & 1 ? checksum_swap(piece) : piece);
		total += pkt->frags[i].len_bytes;
	}
	/* Lengths beyond 65,535 do not happen in IP; the sum takes the length in network order. */
	const uint16_t checksum = (uint16_t)~checksum_fold(checksum_add64(sum, checksum_of_be16((uint16_t)total)));
	memcpy(pkt->data + offsetof(struct tcp_header, checksum), &checksum, sizeof checksum);
}

/* What is advertised, as it stands in the segment.  The right edge never moves back (RFC 9293 3.8.6), and moves on
 * only by steps that are worth it (RFC 9293 3.8.6.2.2). */
static uint16_t advertise(struct tcp_conn *conn)
{
	const uint32_t room = tcp_receive_room(conn);
	const uint32_t now = tcp_seq_lt(conn->rcv_nxt, conn->rcv_edge) ? conn->rcv_edge - conn->rcv_nxt : 0;
	uint32_t window = now;
	if (room > now && room - now >= tcp_min_u32(conn->rcv_target / 2, conn->rcv_mss))
		window = room;
	/* Rounded down: up, the edge would creep ahead with every segment.  What was offered is taken all the same
	 * (RFC 7323 2.4). */
	uint32_t field = window >> conn->rcv_wscale;
	if (field > 65535)
		field = 65535;
	const uint32_t edge = conn->rcv_nxt + (field << conn->rcv_wscale);
	if (tcp_seq_lt(conn->rcv_edge, edge))
		conn->rcv_edge = edge;
	if (field == 0)
		conn->zero_windows++;
	return (uint16_t)field;
}

/* Blocks that fit into room_bytes: DSACK first (RFC 2883 4), then the newest. */
static void fill_sack(struct tcp_conn *conn, struct tcp_options *options, uint32_t room_bytes)
{
	unsigned count = 0;
	const unsigned max = room_bytes < 12 ? 0 : tcp_min_u32((room_bytes - 4) / 8, TCP_SACK_COUNT_MAX);
	if (conn->dsack_set && max) {
		options->sack[count++] = conn->dsack;
		conn->dsack_set = false;
	}
	for (unsigned i = 0; i < conn->sack_count && count < max; i++)
		options->sack[count++] = conn->blocks[i];
	options->sack_count = (uint8_t)count;
}

/* room_bytes: for SACK blocks. */
static uint32_t emit_header(struct tcp_conn *conn, uint8_t *to, uint8_t flags, uint32_t seq, uint32_t room_bytes)
{
	struct tcp_segment segment;
	segment.source_port = conn->node.key.local_port;
	segment.destination_port = conn->node.key.remote_port;
	segment.seq = seq;
	segment.ack = conn->rcv_nxt;
	segment.flags = flags;
	segment.window = advertise(conn);
	memset(&segment.options, 0, offsetof(struct tcp_options, sack));
	if (conn->timestamps) {
		segment.options.has_timestamps = true;
		segment.options.ts_val = tcp_ts_now(conn);
		segment.options.ts_ecr = conn->ts_recent;
	}
	if (conn->sack && (conn->sack_count || conn->dsack_set) && !(flags & TCP_RST))
		fill_sack(conn, &segment.options, room_bytes);
	if (conn->ece_pending && conn->ecn && !(flags & TCP_RST))
		segment.flags |= TCP_ECE;
	return tcp_segment_emit(to, &segment);
}

void tcp_plain_begin(struct tcp_conn *conn, struct tcp_plain_header *header)
{
	const struct tcp_plain plain = {
		.shape = conn->timestamps ? TCP_SHAPE_TIMESTAMPS : TCP_SHAPE_BARE,
		.window = advertise(conn),
		.ports = tcp_flow_ports(conn->node.key.remote_port, conn->node.key.local_port),
		.ack = conn->rcv_nxt,
		.ts_val = tcp_ts_now(conn),
		.ts_ecr = conn->ts_recent,
	};
	tcp_plain_emit(header, &plain);
}

static void put_out(struct tcp_conn *conn, struct pkt *pkt, enum ip_ecn ecn)
{
	struct tcp_lcore *lcore = conn->lcore;
	if (conn->path.checksum_offload)
		tcp_leave_checksum(pkt, conn->pseudo_sum, pkt_total_bytes(pkt));
	else
		tcp_fill_checksum(pkt, conn->pseudo_sum);
	lcore->env.output(lcore->env.ctx, &conn->path, pkt, ecn, lcore->now_ns);
}

bool tcp_send_control(struct tcp_conn *conn, uint8_t flags, uint32_t seq)
{
	struct pkt *pkt = tcp_packet_new(conn->lcore, &conn->path);
	if (!pkt)
		return false;
	if (flags == TCP_ACK && tcp_is_plain(conn)) {
		struct tcp_plain_header header;
		tcp_plain_begin(conn, &header);
		tcp_plain_stamp(pkt->data, &header, seq, 0);
		pkt->len_bytes = tcp_header_bytes_of(conn);
	} else {
		pkt->len_bytes = emit_header(conn, pkt->data, flags, seq, TCP_OPTION_BYTES_MAX);
	}
	tcp_acknowledged(conn);
	conn->segments_out++;
	put_out(conn, pkt, IP_ECN_NOT_ECT);
	return true;
}

bool tcp_send_question(struct tcp_conn *conn)
{
	struct pkt *pkt = tcp_packet_new(conn->lcore, &conn->path);
	if (!pkt)
		return false;
	pkt->len_bytes = emit_header(conn, pkt->data, TCP_ACK, conn->snd_una - 1, TCP_OPTION_BYTES_MAX);
	pkt->data[pkt->len_bytes++] = 0;
	put_out(conn, pkt, IP_ECN_NOT_ECT);
	return true;
}

/* MSS that we announce: of the interface, whatever options follow (RFC 9293 3.7.1). */
static uint16_t own_mss(const struct net_path *path, const struct ip_addr *remote)
{
	const uint32_t mtu = path->mtu, headers = tcp_ip_header_bytes(remote) + TCP_HEADER_BYTES;
	return (uint16_t)(mtu > headers + TCP_MSS_FLOOR ? mtu - headers : TCP_MSS_FLOOR);
}

static uint16_t unscaled(uint32_t window)
{
	return window > 65535 ? 65535 : (uint16_t)window;
}

bool tcp_send_syn(struct tcp_conn *conn)
{
	struct pkt *pkt = tcp_packet_new(conn->lcore, &conn->path);
	if (!pkt)
		return false;
	const bool answer = conn->state == TCP_SYN_RECEIVED;
	struct tcp_segment segment = {
		.source_port = conn->node.key.local_port,
		.destination_port = conn->node.key.remote_port,
		.seq = conn->iss,
		.ack = answer ? conn->rcv_nxt : 0,
		.flags = answer ? TCP_SYN | TCP_ACK : TCP_SYN,
		.window = unscaled(conn->rcv_target),
	};
	struct tcp_options *options = &segment.options;
	options->has_mss = true;
	options->mss_bytes = own_mss(&conn->path, &conn->node.key.remote);
	options->has_wscale = !answer || conn->rcv_wscale;
	options->wscale = conn->rcv_wscale;
	options->sack_permitted = !answer || conn->sack;
	options->has_timestamps = !answer || conn->timestamps;
	options->ts_val = tcp_ts_now(conn);
	options->ts_ecr = answer ? conn->ts_recent : 0;
	/* A SYN that was not answered is sent again without ECN (RFC 3168 6.1.1.1). */
	const bool offer = conn->settings.ecn || conn->settings.congestion == TCP_DCTCP;
	if (answer ? conn->ecn : offer && conn->backoff == 0)
		segment.flags |= answer ? TCP_ECE : TCP_ECE | TCP_CWR;
	pkt->len_bytes = tcp_segment_emit(pkt->data, &segment);
	if (answer) {
		conn->rcv_edge = conn->rcv_nxt + segment.window;
		conn->last_ack_sent = conn->rcv_nxt;
	}
	conn->segments_out++;
	put_out(conn, pkt, IP_ECN_NOT_ECT);
	return true;
}

/* ---- payload ---- */

/* Can it travel as small pieces by copy, then at most PKT_FRAG_COUNT_MAX by reference? */
static bool fits_by_reference(const struct pkt_buf *buf, uint32_t offset, uint32_t len)
{
	unsigned frags = 0;
	while (len) {
		const uint32_t piece = tcp_min_u32(buf->len_bytes - offset, len);
		if (frags || piece > TCP_COPY_BYTES)
			frags++;
		len -= piece;
		buf = buf->next;
		offset = 0;
	}
	return frags <= PKT_FRAG_COUNT_MAX;
}

void tcp_add_payload(struct pkt *pkt, struct pkt_buf *buf, uint32_t offset, uint32_t len)
{
	const bool by_reference = fits_by_reference(buf, offset, len);
	while (len) {
		const uint32_t piece = tcp_min_u32(buf->len_bytes - offset, len);
		if (by_reference && (pkt->frag_count || piece > TCP_COPY_BYTES)) {
			pkt_buf_get(buf);
			pkt->frags[pkt->frag_count++] = (struct pkt_frag){buf, buf->data + offset, piece};
		} else {
			memcpy(pkt->data + pkt->len_bytes, buf->data + offset, piece);
			pkt->len_bytes += piece;
		}
		len -= piece;
		buf = buf->next;
		offset = 0;
	}
}

bool tcp_send_data(struct tcp_conn *conn, const struct tcp_sent *sent, uint32_t max_bytes, bool again)
{
	struct pkt *pkt = tcp_packet_new(conn->lcore, &conn->path);
	if (!pkt)
		return false;
	const bool has_fin = sent->flags & TCP_SENT_FIN;
	uint32_t payload = sent->end - sent->start - has_fin;
	bool fin = has_fin;
	if (payload > max_bytes) {
		payload = max_bytes;
		fin = false;
	}
	uint8_t flags = TCP_ACK;
	if (fin)
		flags |= TCP_FIN;
	if (payload && ((conn->stream.unsent_bytes == 0 && sent->end == conn->snd_nxt) || payload < conn->mss))
		flags |= TCP_PSH;
	enum ip_ecn ecn = IP_ECN_NOT_ECT;
	if (conn->ecn && payload && !again) {
		ecn = IP_ECN_ECT0;
		if (conn->cwr_pending) {
			flags |= TCP_CWR;
			conn->cwr_pending = false;
		}
	}
	pkt->len_bytes =
		emit_header(conn, pkt->data, flags, sent->start, conn->mss > payload ? conn->mss - payload : 0);
	tcp_acknowledged(conn);
	conn->segments_out++;
	if (payload)
		tcp_add_payload(pkt, sent->buf, sent->offset, payload);
	conn->bytes_out += payload;
	put_out(conn, pkt, ecn);
	return true;
}

/* ---- without a connection ---- */

static void put_out_on(struct tcp_lcore *lcore, struct net_path *path, struct pkt *pkt, const struct tcp_key *key)
{
	tcp_fill_checksum(pkt, tcp_pseudo_sum(&key->local, &key->remote));
	lcore->env.output(lcore->env.ctx, path, pkt, IP_ECN_NOT_ECT, lcore->now_ns);
}

bool tcp_send_synack(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key)
{
	struct pkt *pkt = tcp_packet_new(lcore, &half->path);
	if (!pkt)
		return false;
	struct tcp_segment segment = {
		.source_port = key->local_port,
		.destination_port = key->remote_port,
		.seq = half->iss,
		.ack = half->irs + 1,
		.flags = (uint8_t)(TCP_SYN | TCP_ACK | (half->ecn ? TCP_ECE : 0)),
		.window = unscaled(tcp_min_u32(TCP_WINDOW_FIRST, lcore->settings.window_bytes_max)),
	};
	struct tcp_options *options = &segment.options;
	options->has_mss = true;
	options->mss_bytes = own_mss(&half->path, &key->remote);
	options->has_wscale = half->wscale_ok;
	options->wscale = half->rcv_wscale;
	options->sack_permitted = half->sack;
	options->has_timestamps = half->timestamps;
	options->ts_val = tcp_clock_ms(lcore) + half->ts_offset;
	options->ts_ecr = half->ts_recent;
	pkt->len_bytes = tcp_segment_emit(pkt->data, &segment);
	put_out_on(lcore, &half->path, pkt, key);
	return true;
}

void tcp_send_reset_for(struct tcp_lcore *lcore, const struct tcp_arrival *arrival)
{
	const struct tcp_segment *in = &arrival->segment;
	const struct ip_view *view = arrival->view;
	if (in->flags & TCP_RST)
		return;
	if (lcore->now_ns - lcore->reset_ns >= 1000 * TCP_NS_PER_MS) {
		lcore->reset_ns = lcore->now_ns;
		lcore->reset_count = 0;
	}
	if (lcore->reset_count >= RESET_COUNT) {
		TCP_COUNT(lcore, drop_reset_limit);
		return;
	}
	lcore->reset_count++;
	struct net_path path;
	if (lcore->env.path_open(lcore->env.ctx, &path, &view->dst, &view->src, view) != 0)
		return;
	struct pkt *pkt = tcp_packet_new(lcore, &path);
	if (!pkt)
		return;
	struct tcp_segment segment = {.source_port = in->destination_port, .destination_port = in->source_port};
	if (in->flags & TCP_ACK) {
		segment.flags = TCP_RST;
		segment.seq = in->ack;
	} else {
		segment.flags = TCP_RST | TCP_ACK;
		segment.ack = in->seq + tcp_segment_length(in);
	}
	pkt->len_bytes = tcp_segment_emit(pkt->data, &segment);
	const struct tcp_key key = {view->dst, view->src, in->destination_port, in->source_port};
	put_out_on(lcore, &path, pkt, &key);
	TCP_COUNT(lcore, resets_out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Received packets that are kept.
 *
 * ahead: out of order, by sequence number, without overlaps.  unread: in order,
 * not taken by the protocol.  Each costs a tcp_held of the lcore's pool; small
 * payloads are copied behind the one they follow, so that a packet kept holds
 * many of them.
 *
 * The last quarter of the pool is for what is in order, which was acknowledged
 * and cannot be given up.  When the rest is used up, the connection whose gap has
 * been open for longest gives up what it has ahead: a gap of an honest peer
 * closes within a few round trips.
 */
#include "tcp/tcp_priv.h"

#define AHEAD_AT_ONCE 4u /* one more than a sender without RACK waits for (RFC 5681 3.2) */
#define AHEAD_GROUP 4u

static struct tcp_held *take(struct tcp_conn *conn, struct pkt *pkt)
{
	struct tcp_lcore *lcore = conn->lcore;
	struct tcp_held *held = TAILQ_FIRST(&lcore->free_held);
	TAILQ_REMOVE(&lcore->free_held, held, link);
	TCP_GAUGE(lcore, held_packets, lcore->limits.held_packet_count - --lcore->free_held_count);
	conn->held_count++;
	held->pkt = pkt;
	held->fin = false;
	return held;
}

/* Keep lcore->gaps true. */
static void note_gap(struct tcp_conn *conn)
{
	const bool has = !TAILQ_EMPTY(&conn->ahead);
	if (has == conn->has_gap)
		return;
	conn->has_gap = has;
	if (has)
		TAILQ_INSERT_TAIL(&conn->lcore->gaps, conn, gap_link);
	else
		TAILQ_REMOVE(&conn->lcore->gaps, conn, gap_link);
}

void tcp_ahead_drop(struct tcp_conn *conn)
{
	struct tcp_held *held;
	while ((held = TAILQ_FIRST(&conn->ahead)))
		tcp_held_drop(conn, &conn->ahead, held);
	conn->sack_count = 0;
	note_gap(conn);
}

void tcp_ahead_drop_last(struct tcp_conn *conn)
{
	/* Blocks that report it are given up with it. */
	conn->sack_count = 0;
	tcp_held_drop(conn, &conn->ahead, TAILQ_LAST(&conn->ahead, tcp_held_list));
	note_gap(conn);
}

/* The oldest gap but one's own gives its packets up.  False: there is none. */
static bool evict_gap(struct tcp_lcore *lcore, const struct tcp_conn *but)
{
	struct tcp_conn *victim = TAILQ_FIRST(&lcore->gaps);
	if (victim && victim == but)
		victim = TAILQ_NEXT(victim, gap_link);
	if (!victim)
		return false;
	const uint32_t before = lcore->free_held_count;
	tcp_ahead_drop(victim);
	lcore->env.lcore_stats[WHERRY_LCORE_tcp_held_evicted] += lcore->free_held_count - before;
	return true;
}

struct tcp_held *tcp_held_take(struct tcp_conn *conn, struct pkt *pkt)
{
	struct tcp_lcore *lcore = conn->lcore;
	if (conn->held_count >= lcore->limits.held_packet_count_each)
		return NULL;
	if (lcore->free_held_count == 0 && !evict_gap(lcore, conn))
		return NULL;
	return take(conn, pkt);
}

/* For what is ahead. */
static struct tcp_held *take_ahead(struct tcp_conn *conn)
{
	struct tcp_lcore *lcore = conn->lcore;
	const uint32_t reserve = lcore->limits.held_packet_count / 4;
	if (conn->held_count >= lcore->limits.held_packet_count_each)
		return NULL;
	if (lcore->free_held_count <= reserve && (!evict_gap(lcore, conn) || lcore->free_held_count <= reserve))
		return NULL;
	return take(conn, NULL);
}

void tcp_held_drop(struct tcp_conn *conn, struct tcp_held_list *list, struct tcp_held *held)
{
	struct tcp_lcore *lcore = conn->lcore;
	TAILQ_REMOVE(list, held, link);
	TAILQ_INSERT_HEAD(&lcore->free_held, held, link);
	TCP_GAUGE(lcore, held_packets, lcore->limits.held_packet_count - ++lcore->free_held_count);
	conn->held_count--;
	if (held->pkt)
		lcore->env.pool.free(lcore->env.pool.ctx, held->pkt);
	held->pkt = NULL;
}

/* The run of kept packets around this one becomes the first block to be reported (RFC 2018 4). */
static void report(struct tcp_conn *conn, const struct tcp_held *held)
{
	struct tcp_range run = {held->start, held->start + held->len_bytes};
	const struct tcp_held *at = held;
	while ((at = TAILQ_PREV(at, tcp_held_list, link)) && at->start + at->len_bytes == run.start)
		run.start = at->start;
	at = held;
	while ((at = TAILQ_NEXT(at, link)) && at->start == run.end)
		run.end += at->len_bytes;
	struct tcp_range blocks[TCP_SACK_COUNT_MAX] = {run};
	unsigned count = 1;
	for (unsigned i = 0; i < conn->sack_count && count < TCP_SACK_COUNT_MAX; i++) {
		const struct tcp_range *old = &conn->blocks[i];
		if (tcp_seq_lt(old->start, run.start) || tcp_seq_lt(run.end, old->end))
			blocks[count++] = *old;
	}
	memcpy(conn->blocks, blocks, sizeof blocks);
	conn->sack_count = (uint8_t)count;
}

static void set_dsack(struct tcp_conn *conn, uint32_t start, uint32_t end)
{
	conn->duplicates++;
	TCP_COUNT(conn->lcore, duplicates);
	conn->dsack = (struct tcp_range){start, end};
	conn->dsack_set = conn->sack;
	conn->ack_now = true;
	tcp_ready(conn);
}

/* Put small payload behind the packet it follows.  False: no room, or not worth it. */
static bool append(struct tcp_held *before, const struct tcp_arrival *arrival)
{
	struct pkt *pkt = before->pkt;
	const uint32_t len = arrival->segment.payload_bytes;
	const uint32_t used = (uint32_t)(before->data - pkt->head) + before->len_bytes;
	if (before->fin || pkt->room_bytes < used + len)
		return false;
	memcpy(pkt->head + used, arrival->payload, len);
	before->len_bytes += len;
	return true;
}

/* The newest that is furthest ahead makes room for what comes sooner: nothing was promised (RFC 2018 8). */
static struct tcp_held *take_or_evict(struct tcp_conn *conn, uint32_t start)
{
	struct tcp_held *held = take_ahead(conn);
	if (held)
		return held;
	struct tcp_held *last = TAILQ_LAST(&conn->ahead, tcp_held_list);
	if (!last || !tcp_seq_lt(start, last->start))
		return NULL;
	tcp_ahead_drop_last(conn);
	return take(conn, NULL);
}

/*
 * Those that open a gap, or stand alone, are told of at once (RFC 5681 4.2): they
 * start the sender's repair.  The rest of a run says nothing but that the wire
 * goes on delivering, and is told of by the group, within part of a round trip.
 */
static void acknowledge_ahead(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (TAILQ_EMPTY(&conn->ahead))
		conn->ahead_segments = 0;
	conn->ahead_segments++;
	conn->ahead_unacked++;
	conn->quick_acks = TCP_QUICK_ACKS;
	const bool goes_on = conn->sack_count && conn->blocks[0].end == segment->seq && !(segment->flags & TCP_FIN);
	if (!conn->sack || !goes_on || conn->ahead_segments <= AHEAD_AT_ONCE || conn->ahead_unacked >= AHEAD_GROUP) {
		conn->ack_now = true;
		tcp_ready(conn);
		return;
	}
	const uint64_t part_ns = conn->srtt_ns / 4 < TCP_NS_PER_MS ? conn->srtt_ns / 4 : TCP_NS_PER_MS;
	const uint64_t due_ns = conn->lcore->now_ns + part_ns;
	if (due_ns < conn->ack_ns) {
		conn->ack_ns = due_ns;
		tcp_schedule(conn);
	}
}

void tcp_hold_ahead(struct tcp_conn *conn, struct tcp_arrival *arrival)
{
	struct tcp_segment *segment = &arrival->segment;
	conn->out_of_order++;
	TCP_COUNT(conn->lcore, out_of_order);
	acknowledge_ahead(conn, segment);
	const bool fin = segment->flags & TCP_FIN;
	/* The last one that begins at or before. */
	struct tcp_held *before = TAILQ_LAST(&conn->ahead, tcp_held_list);
	while (before && tcp_seq_lt(segment->seq, before->start))
		before = TAILQ_PREV(before, tcp_held_list, link);
	uint32_t start = segment->seq, end = start + segment->payload_bytes;
	if (before && tcp_seq_lt(start, before->start + before->len_bytes)) {
		const uint32_t before_end = before->start + before->len_bytes;
		if (tcp_seq_leq(end, before_end)) {
			set_dsack(conn, start, end);
			before->fin |= fin && end == before_end;
			report(conn, before);
			return;
		}
		set_dsack(conn, start, before_end);
		arrival->payload += before_end - start;
		start = before_end;
	}
	/* Those behind that this one covers go; the first that reaches further cuts it. */
	struct tcp_held *next = before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&conn->ahead);
	bool had_fin = fin;
	if (next && start == segment->seq && tcp_seq_lt(next->start, end)) {
		const uint32_t next_end = next->start + next->len_bytes;
		set_dsack(conn, next->start, tcp_seq_lt(next_end, end) ? next_end : end);
	}
	while (next && tcp_seq_leq(next->start + next->len_bytes, end) && next->len_bytes) {
		struct tcp_held *after = TAILQ_NEXT(next, link);
		had_fin |= next->fin && next->start + next->len_bytes == end;
		tcp_held_drop(conn, &conn->ahead, next);
		next = after;
	}
	if (next && tcp_seq_lt(next->start, end)) {
		end = next->start;
		had_fin = false;
	}
	segment->seq = start;
	segment->payload_bytes = end - start;
	if (end == start && !had_fin) {
		set_dsack(conn, start, end);
		conn->dsack_set = false;
		return;
	}
	if (before && before->start + before->len_bytes == start && !had_fin && append(before, arrival)) {
		report(conn, before);
		return;
	}
	struct tcp_held *held = take_or_evict(conn, start);
	if (!held) {
		TCP_COUNT(conn->lcore, drop_held);
		return;
	}
	/* What was evicted may have been a neighbour. */
	before = TAILQ_LAST(&conn->ahead, tcp_held_list);
	while (before && tcp_seq_leq(start, before->start))
		before = TAILQ_PREV(before, tcp_held_list, link);
	held->pkt = arrival->pkt;
	arrival->pkt = NULL;
	held->data = arrival->payload;
	held->start = start;
	held->len_bytes = segment->payload_bytes;
	held->fin = had_fin;
	if (before)
		TAILQ_INSERT_AFTER(&conn->ahead, before, held, link);
	else
		TAILQ_INSERT_HEAD(&conn->ahead, held, link);
	note_gap(conn);
	if (held->len_bytes)
		report(conn, held);
}

bool tcp_reassemble(struct tcp_conn *conn)
{
	struct tcp_held *held = TAILQ_FIRST(&conn->ahead);
	bool fin = false;
	if (held && !conn->dsack_set && tcp_seq_lt(held->start, conn->rcv_nxt)) {
		/* What came in order just now had been there in part. */
		const uint32_t end = held->start + held->len_bytes;
		set_dsack(conn, held->start, tcp_seq_lt(end, conn->rcv_nxt) ? end : conn->rcv_nxt);
	}
	while ((held = TAILQ_FIRST(&conn->ahead)) && tcp_seq_leq(held->start, conn->rcv_nxt) && !fin) {
		const uint32_t end = held->start + held->len_bytes;
		if (tcp_seq_lt(end, conn->rcv_nxt) || (end == conn->rcv_nxt && !held->fin)) {
			tcp_held_drop(conn, &conn->ahead, held);
			continue;
		}
		fin = held->fin;
		const uint32_t old = conn->rcv_nxt - held->start;
		held->data += old;
		held->len_bytes -= old;
		held->start = conn->rcv_nxt;
		conn->rcv_nxt = end;
		if (held->len_bytes == 0) {
			tcp_held_drop(conn, &conn->ahead, held);
			continue;
		}
		conn->unread_bytes += held->len_bytes;
		conn->bytes_in += held->len_bytes;
		TAILQ_REMOVE(&conn->ahead, held, link);
		TAILQ_INSERT_TAIL(&conn->unread, held, link);
	}
	note_gap(conn);
	unsigned count = 0;
	for (unsigned i = 0; i < conn->sack_count; i++)
		if (tcp_seq_lt(conn->rcv_nxt, conn->blocks[i].end))
			conn->blocks[count++] = conn->blocks[i];
	conn->sack_count = (uint8_t)count;
	return fin;
}

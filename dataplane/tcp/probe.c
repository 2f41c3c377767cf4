/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Breaking a silence before the retransmission timeout does (RFC 8985 7).
 *
 * With bytes in flight and nothing heard for two round trips, a probe makes the
 * peer speak: new data if there are some, or a segment again.  Beyond the RFC:
 *
 * - Also during recovery, where the one acknowledgement that would have told all
 *   can be lost as well, and up to three times in a row: a lone new segment may
 *   be acknowledged late, a second one at once.
 * - Before a segment is sent again on a short way, or when it is alone, the peer
 *   is asked: one byte that it has had already (as keep-alive does, RFC 9293
 *   3.8.4) is answered at once with what it has.  Nothing is sent twice because
 *   an acknowledgement is delayed or a processor was busy.
 */
#include "tcp/tcp_priv.h"

#define PROBE_COUNT_MAX 3u
#define PTO_NEW_MIN_NS (2 * TCP_NS_PER_MS)
#define PTO_MIN_NS (5 * TCP_NS_PER_MS)
#define ASK_SRTT_MAX_NS (4 * TCP_NS_PER_MS) /* silence, question and answer end within 10 ms */

enum probe { PROBE_NEW, PROBE_ASK, PROBE_AGAIN };

/* New data that may travel as a probe; 0: none. */
static uint32_t new_bytes(const struct tcp_conn *conn)
{
	const uint64_t unsent = conn->stream.unsent_bytes;
	const uint32_t len = unsent < conn->mss ? (uint32_t)unsent : conn->mss;
	if (len < conn->mss && !conn->push_bytes)
		return 0;
	return tcp_seq_leq(conn->snd_nxt + len, conn->snd_una + conn->snd_wnd) ? len : 0;
}

static enum probe choose(const struct tcp_conn *conn)
{
	if (!TAILQ_EMPTY(&conn->lost))
		return PROBE_AGAIN;
	if (new_bytes(conn))
		return PROBE_NEW;
	return !conn->asked && (conn->sent_count == 1 || conn->srtt_ns <= ASK_SRTT_MAX_NS) ? PROBE_ASK : PROBE_AGAIN;
}

static uint64_t patience_ns(const struct tcp_conn *conn)
{
	if (conn->srtt_ns == 0)
		return TCP_RTO_FIRST_NS;
	const enum probe probe = choose(conn);
	const uint64_t min_ns = probe == PROBE_NEW ? PTO_NEW_MIN_NS : PTO_MIN_NS;
	/* A question leaves a round trip for the answer. */
	const uint64_t pto_ns = probe == PROBE_ASK ? conn->srtt_ns + conn->srtt_ns / 4 : 2 * conn->srtt_ns;
	return pto_ns < min_ns ? min_ns : pto_ns;
}

/* The silence began with the last thing sent or acknowledged. */
static inline uint64_t base_ns(const struct tcp_conn *conn, const struct tcp_sent *last)
{
	return conn->rto_base_ns > last->sent_ns ? conn->rto_base_ns : last->sent_ns;
}

uint64_t tcp_probe_due_ns(const struct tcp_conn *conn)
{
	const struct tcp_sent *last = TAILQ_LAST(&conn->in_flight, tcp_sent_list);
	if (!last || !conn->sack || conn->phase == TCP_LOSS || conn->backoff || conn->probe_count >= PROBE_COUNT_MAX)
		return UINT64_MAX;
	/* The least that patience_ns() says: every turn asks, few wait so long. */
	const uint64_t least_ns = conn->srtt_ns + conn->srtt_ns / 4;
	return base_ns(conn, last) + (least_ns < PTO_NEW_MIN_NS ? PTO_NEW_MIN_NS : least_ns);
}

static bool send_new(struct tcp_conn *conn)
{
	struct tcp_sent *sent = tcp_sent_new(conn, new_bytes(conn), false);
	if (!sent)
		return false;
	(void)tcp_send_data(conn, sent, conn->mss, false);
	conn->tlp_out = true;
	conn->tlp_retransmit = false;
	return true;
}

static void send_again(struct tcp_conn *conn)
{
	struct tcp_sent *sent = TAILQ_FIRST(&conn->lost);
	/* The last one first (RFC 8985 7.3); when that led to nothing, the one that has been under way for longest. */
	if (!sent)
		sent = conn->probe_count > 1 ? TAILQ_FIRST(&conn->in_flight)
					     : TAILQ_LAST(&conn->in_flight, tcp_sent_list);
	(void)tcp_retransmit(conn, sent);
	/* In recovery it is one retransmission more. */
	conn->tlp_out = conn->tlp_retransmit = conn->phase != TCP_RECOVERY;
}

void tcp_probe_send(struct tcp_conn *conn)
{
	const struct tcp_sent *last = TAILQ_LAST(&conn->in_flight, tcp_sent_list);
	if (!last)
		return;
	const uint64_t due_ns = base_ns(conn, last) + patience_ns(conn);
	if (conn->lcore->now_ns < due_ns) {
		conn->timer = TCP_TIMER_TLP;
		conn->rexmt_ns = due_ns;
		tcp_schedule(conn);
		return;
	}
	TCP_COUNT(conn->lcore, tail_probes);
	conn->tail_probes++;
	conn->probe_count++;
	const enum probe probe = choose(conn);
	if (probe == PROBE_ASK) {
		conn->asked = conn->asked_out = tcp_send_question(conn);
		conn->asked_seq = conn->snd_una;
		conn->asked_ns = conn->lcore->now_ns;
	} else if (probe != PROBE_NEW || !send_new(conn)) {
		send_again(conn);
	}
	conn->tlp_end = conn->snd_nxt;
	conn->rto_base_ns = conn->lcore->now_ns; /* RFC 8985 7.3 */
	tcp_arm(conn);
}

bool tcp_probe_answered(struct tcp_conn *conn, const struct tcp_range *range)
{
	if (!conn->asked_out || range->end != conn->asked_seq || range->start != conn->asked_seq - 1)
		return false;
	conn->asked_out = false;
	return true;
}

/* RFC 8985 7.4 */
void tcp_probe_acked(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result)
{
	if (result->delivered_bytes) {
		conn->probe_count = 0;
		conn->asked = false;
	}
	if (!conn->tlp_out || tcp_seq_lt(segment->ack, conn->tlp_end))
		return;
	if (!conn->tlp_retransmit) {
		conn->tlp_out = false; /* new data was the probe: its acknowledgement says all */
	} else if (result->spurious_probe) {
		conn->tlp_out = false; /* the original had arrived and its acknowledgement was delayed */
	} else if (tcp_seq_lt(conn->tlp_end, segment->ack)) {
		/* The probe repaired a loss that nobody else has seen. */
		conn->tlp_out = false;
		if (conn->phase == TCP_OPEN)
			tcp_reduce_for_ecn(conn);
	} else if (!result->acked_bytes && !result->sacked_new) {
		conn->tlp_out = false; /* a second acknowledgement of the same: both copies arrived */
	}
}

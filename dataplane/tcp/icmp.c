/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors, believed as far as RFC 5927 advises; and the MTU of the path (RFC 1191, 8201). */
#include "tcp/tcp_priv.h"

#define MTU_MIN_V4 552u /* a forged error shall not make segments tiny */
#define MTU_MIN_V6 1280u

void tcp_conn_new_mtu(struct tcp_conn *conn)
{
	struct tcp_lcore *lcore = conn->lcore;
	const uint16_t mss = conn->mss;
	conn->path.mtu = lcore->env.path_mtu(lcore->env.ctx, &conn->path, lcore->now_ns);
	if (lcore->now_ns >= conn->mtu_limit_until_ns)
		conn->mtu_limit = 0;
	tcp_conn_set_mss(conn);
	if (conn->mss >= mss)
		return;
	/* What is too long for the path did not arrive; that is no congestion (RFC 1191 6.5). */
	struct tcp_sent *sent, *next;
	for (sent = TAILQ_FIRST(&conn->sent); sent; sent = next) {
		next = TAILQ_NEXT(sent, by_seq);
		if (sent->end - sent->start > conn->mss)
			tcp_mark_lost(conn, sent);
	}
	if (!TAILQ_EMPTY(&conn->lost)) {
		if (conn->phase == TCP_OPEN) {
			/* Sent again without a reduction: as if a recovery had been undone. */
			conn->phase = TCP_REDUCED;
			conn->recovery_point = conn->snd_nxt;
		}
		conn->cwnd = tcp_max_u32(conn->cwnd, 2u * conn->mss);
		tcp_ready(conn);
	}
}

/* RFC 1191 7.1, for routers that do not say. */
static uint32_t plateau_below(uint32_t bytes)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
	for (unsigned i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
		if (plateaus[i] < bytes)
			return plateaus[i];
	return 68;
}

static void too_big(struct tcp_conn *conn, const struct net_icmp_view *icmp)
{
	struct tcp_lcore *lcore = conn->lcore;
	const uint32_t headers = tcp_ip_header_bytes(&conn->node.key.remote) + TCP_HEADER_BYTES +
				 (conn->timestamps ? TCP_TIMESTAMPS_BYTES : 0);
	/* Which segment was it, and was it longer than what is said to be possible? */
	const struct tcp_sent *sent;
	TAILQ_FOREACH(sent, &conn->sent, by_seq)
	if (tcp_seq_leq(sent->start, icmp->seq) && tcp_seq_lt(icmp->seq, sent->end))
		break;
	const uint32_t was = sent ? sent->end - sent->start + headers : 0;
	uint32_t mtu = icmp->mtu ? icmp->mtu : plateau_below(was);
	const uint32_t least = ip_addr_is_v4(&conn->node.key.remote) ? MTU_MIN_V4 : MTU_MIN_V6;
	if (mtu < least)
		mtu = least;
	if (!sent || was <= mtu || mtu >= conn->path.mtu) {
		TCP_COUNT(lcore, icmp_ignored);
		return;
	}
	TCP_COUNT(lcore, mtu_lowered);
	lcore->env.path_set_mtu(lcore->env.ctx, &conn->node.key.remote, (uint16_t)mtu, lcore->now_ns);
	tcp_conn_new_mtu(conn);
}

void tcp_icmp(struct tcp_lcore *lcore, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	const struct tcp_key key = {icmp->local, icmp->remote, icmp->local_port, icmp->remote_port};
	struct tcp_node *node = tcp_find(lcore, &key, tcp_hash(lcore, &key));
	if (!node || node->kind != TCP_NODE_CONN) {
		TCP_COUNT(lcore, icmp_ignored);
		return;
	}
	struct tcp_conn *conn = (struct tcp_conn *)((char *)node - offsetof(struct tcp_conn, node));
	tcp_flush_noted(conn);
	/* Only about what is in flight (RFC 5927 4.1). */
	const bool plausible = tcp_seq_leq(conn->snd_una, icmp->seq) && tcp_seq_lt(icmp->seq, conn->snd_nxt);
	if (plausible && icmp->error == NET_ERROR_TOO_BIG) {
		too_big(conn, icmp);
	} else if (plausible && conn->state == TCP_SYN_SENT) {
		/* Nobody is there yet who could be lost by it (RFC 5461 4.1). */
		tcp_conn_end(conn, icmp->error == NET_ERROR_PORT_UNREACHABLE || icmp->error == NET_ERROR_PROTOCOL
					   ? STREAM_REFUSED
					   : STREAM_UNREACHABLE);
	} else {
		TCP_COUNT(lcore, icmp_ignored); /* an established connection outlives it (RFC 5927 5.2) */
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* DCTCP (RFC 8257): the window is cut by the share of bytes that met congestion. */
#include "tcp/tcp_priv.h"

#define ALPHA_ONE 1024u
#define GAIN_SHIFT 4u /* g = 1/16 */

static void dctcp_init(struct tcp_conn *conn)
{
	conn->cc_state.dctcp = (struct tcp_dctcp){.alpha = ALPHA_ONE, .window_end = conn->snd_nxt};
}

static uint32_t dctcp_ssthresh(struct tcp_conn *conn)
{
	/* Loss is answered as ever (3.5); recovery_on_ack tells of loss by records being lost. */
	if (!TAILQ_EMPTY(&conn->lost) || conn->phase == TCP_LOSS)
		return conn->cwnd / 2;
	return conn->cwnd - (uint32_t)((uint64_t)conn->cwnd * conn->cc_state.dctcp.alpha / (2 * ALPHA_ONE));
}

static void dctcp_acked(struct tcp_conn *conn, uint32_t acked_bytes, bool ece)
{
	struct tcp_dctcp *d = &conn->cc_state.dctcp;
	d->acked += acked_bytes;
	if (ece)
		d->marked += acked_bytes;
	if (tcp_seq_lt(conn->snd_una, d->window_end))
		return;
	const uint32_t share = d->acked ? (uint32_t)((uint64_t)d->marked * ALPHA_ONE / d->acked) : 0;
	uint32_t alpha = d->alpha - (d->alpha >> GAIN_SHIFT) + (share >> GAIN_SHIFT);
	if (d->marked == 0 && alpha < ALPHA_ONE >> (GAIN_SHIFT + 3))
		alpha = 0;
	d->alpha = tcp_min_u32(alpha, ALPHA_ONE);
	d->acked = d->marked = 0;
	d->window_end = conn->snd_nxt;
}

static void dctcp_avoid(struct tcp_conn *conn, uint32_t acked_bytes)
{
	tcp_reno_ops.avoid(conn, acked_bytes);
}

/* The receiver echoes each change of the mark at once, with an acknowledgement of what came before it (3.2). */
void tcp_dctcp_received(struct tcp_conn *conn, bool ce)
{
	struct tcp_dctcp *d = &conn->cc_state.dctcp;
	if (d->ce != ce) {
		if (conn->unacked_segments)
			(void)tcp_send_ack(conn); /* with the echo as it was */
		d->ce = ce;
		conn->ack_now = true;
		tcp_ready(conn);
	}
	conn->ece_pending = ce;
}

const struct tcp_cc_ops tcp_dctcp_ops = {
	.init = dctcp_init, .ssthresh = dctcp_ssthresh, .avoid = dctcp_avoid, .acked = dctcp_acked};

/* SPDX-License-Identifier: BSD-3-Clause */
/* Round-trip times (RFC 6298) and their minimum of the last ten to twenty seconds. */
#include "tcp/tcp_priv.h"

#define MIN_RTT_WINDOW_NS (10000 * TCP_NS_PER_MS)

static void take_min(struct tcp_conn *conn, uint64_t rtt_ns)
{
	const uint64_t now_ns = conn->lcore->now_ns;
	if (now_ns >= conn->min_rtt_until_ns) {
		conn->min_rtt_ns = conn->min_rtt_next_ns;
		conn->min_rtt_next_ns = UINT64_MAX;
		conn->min_rtt_until_ns = now_ns + MIN_RTT_WINDOW_NS;
	}
	if (rtt_ns < conn->min_rtt_ns)
		conn->min_rtt_ns = rtt_ns;
	if (rtt_ns < conn->min_rtt_next_ns)
		conn->min_rtt_next_ns = rtt_ns;
}

void tcp_rtt_sample(struct tcp_conn *conn, uint64_t rtt_ns)
{
	if (rtt_ns == 0)
		rtt_ns = 1;
	take_min(conn, rtt_ns);
	if (conn->srtt_ns == 0) {
		conn->srtt_ns = rtt_ns;
		conn->rttvar_ns = rtt_ns / 2;
	} else {
		const uint64_t off = conn->srtt_ns > rtt_ns ? conn->srtt_ns - rtt_ns : rtt_ns - conn->srtt_ns;
		conn->rttvar_ns = (3 * conn->rttvar_ns + off) / 4;
		conn->srtt_ns = (7 * conn->srtt_ns + rtt_ns) / 8;
	}
	uint64_t rto_ns = conn->srtt_ns + 4 * conn->rttvar_ns;
	if (rto_ns < TCP_RTO_MIN_NS)
		rto_ns = TCP_RTO_MIN_NS;
	if (rto_ns > TCP_RTO_MAX_NS)
		rto_ns = TCP_RTO_MAX_NS;
	conn->rto_ns = rto_ns;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the acknowledgement of a tail loss probe says (RFC 8985 7.4). */
#include "tcp/tcp_priv.h"

void tcp_probe_acked(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result)
{
	if (!conn->tlp_out || tcp_seq_lt(segment->ack, conn->tlp_end))
		return;
	if (!conn->tlp_retransmit) {
		conn->tlp_out = false; /* new data was the probe: its acknowledgement says all */
	} else if (result->spurious_probe) {
		/* The original had arrived and its acknowledgement was delayed: be more patient with a lone segment. */
		conn->tlp_out = false;
		conn->pto_alone_ns = conn->pto_alone_ns ? 2 * conn->pto_alone_ns : 4 * TCP_PTO_MIN_NS;
		if (conn->pto_alone_ns > TCP_PTO_ALONE_MAX_NS)
			conn->pto_alone_ns = TCP_PTO_ALONE_MAX_NS;
	} else if (tcp_seq_lt(conn->tlp_end, segment->ack)) {
		/* The probe repaired a loss that nobody else has seen. */
		conn->tlp_out = false;
		if (conn->phase == TCP_OPEN)
			tcp_reduce_for_ecn(conn);
	} else if (!result->acked_bytes && !result->sacked_new) {
		conn->tlp_out = false; /* a second acknowledgement of the same: both copies arrived */
	}
}

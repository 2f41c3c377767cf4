/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator sees of a connection. */
#include "tcp/tcp_priv.h"

#define NS_PER_US 1000u

static void describe(const struct tcp_conn *conn, struct tcp_connection_info *info)
{
	*info = (struct tcp_connection_info){
		.ends = {conn->node.key.local, conn->node.key.remote, conn->node.key.local_port,
			 conn->node.key.remote_port},
		.port_index = conn->path.port_index,
		.vlan = conn->path.vlan,
		.state = conn->state,
		.congestion = (uint8_t)conn->settings.congestion,
		.ecn = conn->ecn,
		.sack = conn->sack,
		.timestamps = conn->timestamps,
		.mss_bytes = conn->mss,
		.rtt_us = (uint32_t)(conn->srtt_ns / NS_PER_US),
		.rtt_var_us = (uint32_t)(conn->rttvar_ns / NS_PER_US),
		.rto_us = (uint32_t)(conn->rto_ns / NS_PER_US),
		.cwnd_bytes = conn->cwnd,
		.ssthresh_bytes = conn->ssthresh,
		.in_flight_bytes = conn->flight_bytes,
		.send_window_bytes = conn->snd_wnd,
		.receive_window_bytes = conn->rcv_edge - conn->rcv_nxt,
		.unsent_bytes = conn->stream.unsent_bytes,
		.held_packets = conn->held_count,
		.opened_ns = conn->opened_ns,
		.bytes_in = conn->bytes_in,
		.bytes_out = conn->bytes_out,
		.segments_in = conn->segments_in,
		.segments_out = conn->segments_out,
		.retransmits = conn->retransmits,
		.timeouts = conn->timeouts,
		.tail_probes = conn->tail_probes,
		.zero_windows = conn->zero_windows,
		.out_of_order = conn->out_of_order,
		.duplicates = conn->duplicates,
	};
}

unsigned tcp_connection_copy(struct tcp_lcore *lcore, uint32_t *cursor, struct tcp_connection_info *to, unsigned max,
			     uint64_t now_ns)
{
	(void)now_ns;
	unsigned count = 0;
	for (; *cursor < lcore->limits.connection_count && count < max; (*cursor)++)
		if (lcore->conns[*cursor].node.in_table)
			describe(&lcore->conns[*cursor], &to[count++]);
	return count;
}

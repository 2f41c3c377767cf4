/* SPDX-License-Identifier: BSD-3-Clause */
/* NEIGHBOUR_LIST and CONNECTION_LIST.  Main lcore; functions named copy_ are the workers'. */
#include <stdio.h>

#include "ctl/gather.h"
#include "ctl/net.h"

#define RECORDS_AT_ONCE 256u

/* All at once: the cache has no order that lasts. */
static unsigned copy_neighbours(struct worker *worker, uint32_t *cursor, void *records, unsigned max)
{
	if (*cursor)
		return 0;
	*cursor = 1;
	return net_neighbour_copy(worker->net, records, max, worker->now_ns);
}

static const char *neighbour_state_name(uint8_t state)
{
	static const char *const names[] = {[NET_INCOMPLETE] = "incomplete",
					    [NET_REACHABLE] = "reachable",
					    [NET_STALE] = "stale",
					    [NET_PROBE] = "probe",
					    [NET_FAILED] = "failed"};
	return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

static size_t put_neighbour(const void *record, const struct worker *worker, uint32_t request_id, uint8_t *packet,
			    size_t packet_bytes)
{
	const struct net_neighbour *n = record;
	struct wherry_ctl_neighbour_item m = {
		.address = {.len = 16},
		.mac = {.count = 1},
		.port = n->port_index,
		.vlan = n->vlan,
		.lcore = (uint16_t)worker->index,
		.age_us = n->age_ns / 1000,
	};
	memcpy(m.address.b, n->addr.b, 16);
	memcpy(m.mac.mac[0].b, n->mac, 6);
	snprintf(m.state, sizeof m.state, "%s", neighbour_state_name(n->state));
	return wherry_ctl_put_neighbour_item(packet, packet_bytes, request_id, &m);
}

void ctl_on_neighbour_list(struct ctl_request *request, const struct wherry_ctl_neighbour_list *m)
{
	static const struct ctl_gather_kind kind = {
		.what = "neighbours",
		.record_bytes = sizeof(struct net_neighbour),
		.record_count = 4096,
		.copy = copy_neighbours,
		.put = put_neighbour,
	};
	(void)m;
	ctl_gather_start(request, &kind);
}

struct connection_record {
	struct tcp_connection_info info;
	uint64_t now_ns;
};

static unsigned copy_connections(struct worker *worker, uint32_t *cursor, void *records, unsigned max)
{
	struct tcp_connection_info infos[32];
	struct connection_record *to = records;
	unsigned count = tcp_connection_copy(worker->tcp, cursor, infos, max < 32 ? max : 32, worker->now_ns);
	for (unsigned i = 0; i < count; i++)
		to[i] = (struct connection_record){infos[i], worker->now_ns};
	return count;
}

static const char *congestion_name(uint8_t congestion)
{
	static const char *const names[] = {[TCP_CUBIC] = "cubic", [TCP_DCTCP] = "dctcp", [TCP_RENO] = "reno"};
	return congestion < sizeof names / sizeof names[0] ? names[congestion] : "?";
}

static size_t put_connection(const void *record_, const struct worker *worker, uint32_t request_id, uint8_t *packet,
			     size_t packet_bytes)
{
	const struct connection_record *record = record_;
	const struct tcp_connection_info *c = &record->info;
	struct wherry_ctl_connection_item m = {
		.local = {.len = 16},
		.local_port = c->ends.local_port,
		.remote = {.len = 16},
		.remote_port = c->ends.remote_port,
		.port = c->port_index,
		.vlan = c->vlan,
		.lcore = (uint16_t)worker->index,
		.ecn = c->ecn,
		.sack = c->sack,
		.timestamps = c->timestamps,
		.mss_bytes = c->mss_bytes,
		.rtt_us = c->rtt_us,
		.rtt_var_us = c->rtt_var_us,
		.rto_us = c->rto_us,
		.cwnd_bytes = c->cwnd_bytes,
		.ssthresh_bytes = c->ssthresh_bytes,
		.in_flight_bytes = c->in_flight_bytes,
		.send_window_bytes = c->send_window_bytes,
		.receive_window_bytes = c->receive_window_bytes,
		.unsent_bytes = c->unsent_bytes,
		.held_packets = c->held_packets,
		.age_us = (record->now_ns - c->opened_ns) / 1000,
		.bytes_in = c->bytes_in,
		.bytes_out = c->bytes_out,
		.segments_in = c->segments_in,
		.segments_out = c->segments_out,
		.retransmits = c->retransmits,
		.timeouts = c->timeouts,
		.tail_probes = c->tail_probes,
		.zero_windows = c->zero_windows,
		.out_of_order = c->out_of_order,
		.duplicates = c->duplicates,
	};
	memcpy(m.local.b, c->ends.local.b, 16);
	memcpy(m.remote.b, c->ends.remote.b, 16);
	snprintf(m.state, sizeof m.state, "%s", tcp_state_name((enum tcp_state)c->state));
	snprintf(m.congestion, sizeof m.congestion, "%s", congestion_name(c->congestion));
	return wherry_ctl_put_connection_item(packet, packet_bytes, request_id, &m);
}

void ctl_on_connection_list(struct ctl_request *request, const struct wherry_ctl_connection_list *m)
{
	static const struct ctl_gather_kind kind = {
		.what = "connections",
		.record_bytes = sizeof(struct connection_record),
		.record_count = RECORDS_AT_ONCE,
		.copy = copy_connections,
		.put = put_connection,
	};
	(void)m;
	ctl_gather_start(request, &kind);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "flows.h"

#include <string.h>

#include "frame.h"

#define GAP_MAX_NS (60 * SEC)

void flows_init(struct flows *flows, struct sim *sim)
{
	memset(flows, 0, sizeof *flows);
	flows->sim = sim;
}

static int host_of(const uint8_t *addr, bool v4)
{
	const unsigned number = addr[v4 ? 3 : 15];
	return number >= host_number(0) && number < host_number(HOST_MAX) ? (int)(number - host_number(0)) : -1;
}

void flows_harm(struct flows *flows, const uint8_t *frame, uint32_t len_bytes, const char *how)
{
	struct frame_ip ip;
	if (flows->sim->verbose)
		frame_tell(flows->sim, how, frame, len_bytes);
	/* Of ARP, groups and the like everybody may have needed it. */
	if (!frame_ip_parse(frame, len_bytes, &ip)) {
		flows_harm_all(flows);
		return;
	}
	int host = host_of(ip.src, ip.v4);
	const bool from_host = host >= 0;
	if (!from_host)
		host = host_of(ip.dst, ip.v4);
	if (host < 0)
		flows_harm_all(flows);
	else if (ip.protocol == 6 && ip.payload_bytes >= 4)
		flows_harm_port(flows, (unsigned)host, get16(ip.payload + (from_host ? 0 : 2)));
	else
		flows_harm_host(flows, (unsigned)host);
}

void flows_harm_port(struct flows *flows, unsigned host, uint16_t port)
{
	flows->by_port[host][port % FLOW_SLOTS] = flows->sim->now_ns;
}

void flows_harm_host(struct flows *flows, unsigned host)
{
	flows->by_host[host] = flows->sim->now_ns;
}

void flows_harm_all(struct flows *flows)
{
	flows->all_ns = flows->sim->now_ns;
}

uint64_t flows_overdue_ns(const struct flows *flows, unsigned host, uint16_t port, uint64_t progress_ns)
{
	uint64_t harm_ns = flows->all_ns;
	if (harm_ns < flows->by_host[host])
		harm_ns = flows->by_host[host];
	if (harm_ns < flows->by_port[host][port % FLOW_SLOTS])
		harm_ns = flows->by_port[host][port % FLOW_SLOTS];
	if (harm_ns < progress_ns)
		harm_ns = progress_ns;
	uint64_t gap_ns = harm_ns - progress_ns;
	if (gap_ns > GAP_MAX_NS)
		gap_ns = GAP_MAX_NS;
	const uint64_t due_ns = harm_ns + gap_ns + flows->slack_ns;
	return flows->sim->now_ns > due_ns ? flows->sim->now_ns - due_ns : 0;
}

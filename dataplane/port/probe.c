/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame through a port before it serves: AF_XDP can start on an interface and
 * then receive nothing, without any error.
 *
 * Only where a sender is at hand, which is the other end of a veth pair in this
 * network namespace.  Main lcore, before the workers run; needs CAP_NET_RAW.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/iface.h"
#include "port/offload.h"
#include "port/priv.h"

#define PROBE_ETH_TYPE 0x88b5u /* for local experiments: no protocol's */
#define PROBE_BYTES 60u
#define PROBE_COUNT 3u
#define PROBE_WAIT_US 100000u /* for each; it takes some 50 us when nothing is wrong */
#define PROBE_POLL_US 50u
#define PROBE_BURST 32u

struct probe {
	uint8_t frame[PROBE_BYTES];
	int fd;
};

static int probe_open(struct probe *probe, const struct port *port, const char *peer)
{
	struct iface_info info;
	if (iface_get(peer, &info) || !info.running)
		return -ENETDOWN;
	memcpy(probe->frame, port->mac, 6);
	memcpy(probe->frame + 6, info.mac, 6);
	probe->frame[12] = PROBE_ETH_TYPE >> 8;
	probe->frame[13] = PROBE_ETH_TYPE & 0xff;
	if (getrandom(probe->frame + 14, PROBE_BYTES - 14, 0) < 0)
		return -errno;
	probe->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = info.index};
	if (probe->fd >= 0 && bind(probe->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return 0;
	int rc = -errno;
	if (probe->fd >= 0)
		close(probe->fd);
	return rc;
}

/* Whether it is among what waits in a queue, which is thrown away: nobody is served yet. */
static bool take_queue(const struct port *port, uint16_t queue, const struct probe *probe)
{
	struct rte_mbuf *mbufs[PROBE_BURST];
	unsigned count = rte_eth_rx_burst(port->ethdev_id, queue, mbufs, PROBE_BURST);
	bool found = false;
	for (unsigned i = 0; i < count; i++)
		found |= mbufs[i]->data_len >= PROBE_BYTES &&
			 memcmp(rte_pktmbuf_mtod(mbufs[i], const uint8_t *), probe->frame, PROBE_BYTES) == 0;
	rte_pktmbuf_free_bulk(mbufs, count);
	return found;
}

static bool arrives(const struct port *port, const struct probe *probe)
{
	if (send(probe->fd, probe->frame, PROBE_BYTES, 0) < 0)
		return false;
	for (unsigned us = 0; us < PROBE_WAIT_US; us += PROBE_POLL_US) {
		for (uint16_t q = 0; q < port->rx_queue_count; q++)
			if (take_queue(port, q, probe))
				return true;
		rte_delay_us_sleep(PROBE_POLL_US);
	}
	return false;
}

bool port_probe(const struct port *port, char *why, size_t why_bytes)
{
	char peer[IFNAMSIZ];
	struct probe probe;
	if (!iface_veth_peer(port->ifindex, peer) || probe_open(&probe, port, peer))
		return true; /* nobody to send it */
	bool found = false;
	for (unsigned i = 0; i < PROBE_COUNT && !found; i++)
		found = arrives(port, &probe);
	close(probe.fd);
	if (!found)
		snprintf(why, why_bytes, "of %u frames sent from %s for a test none arrived", PROBE_COUNT, peer);
	return found;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One device, from its creation to its start and its close: what differs between
 * the drivers is here.
 */
#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/drvlog.h"
#include "port/iface.h"
#include "port/priv.h"

#define AF_PACKET_QUEUE_COUNT_MAX 8u
#define TAP_QUEUE_COUNT_MAX 16u
#define AF_XDP_QUEUE_COUNT_MAX 16u

static int fail(int rc, char *error, size_t error_bytes, const char *what)
{
	char reason[256];
	drvlog_last_error(reason, sizeof reason);
	snprintf(error, error_bytes, "%s failed: %s%s%s%s", what, strerror(-rc), *reason ? " (" : "", reason,
		 *reason ? ")" : "");
	return rc;
}

static unsigned min_unsigned(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* ---------------------------------------------------------------- creation */
/* The arguments of the virtual device and its name; also settles how many queues there are. */
static void vdev_arguments(struct port *port, unsigned index, unsigned worker_count, char *name, size_t name_bytes,
			   char *args, size_t args_bytes)
{
	const struct port_device *device = &port->device;
	const struct port_plan *plan = &port->plan;
	unsigned queues = 1;
	uint8_t mac[6];
	port_device_mac(device, mac);
	snprintf(name, name_bytes, "net_%s%u", port_kind_name(device->kind), index);
	switch (device->kind) {
	case PORT_AF_PACKET:
		queues = min_unsigned(worker_count, AF_PACKET_QUEUE_COUNT_MAX);
		snprintf(args, args_bytes, "iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u", device->target,
			 queues, plan->tpacket_block_bytes, plan->tpacket_frame_bytes, plan->tpacket_frame_count);
		break;
	case PORT_AF_XDP: {
		/* A frame on a channel without a socket would never reach us, so every channel gets one. */
		unsigned channels = iface_channel_count(device->target);
		queues = min_unsigned(channels, AF_XDP_QUEUE_COUNT_MAX);
		if (channels > queues)
			port_note(port, "only channels 0 to %u of %u are served: ethtool -L %s combined %u", queues - 1,
				  channels, device->target, queues);
		snprintf(args, args_bytes, "iface=%s,start_queue=0,queue_count=%u,busy_budget=0", device->target,
			 queues);
		break;
	}
	case PORT_TAP:
		queues = min_unsigned(worker_count, TAP_QUEUE_COUNT_MAX);
		snprintf(args, args_bytes, "iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", device->target, mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		break;
	case PORT_MEMIF:
		queues = device->memif_queue_count;
		snprintf(args, args_bytes,
			 "role=%s,id=%u,socket=%s,socket-abstract=no,bsize=%u,rsize=%u,mac=%02x:%02x:%02x:%02x:%02x:%"
			 "02x",
			 device->memif_client ? "client" : "server", device->memif_id, device->target,
			 plan->memif_buffer_bytes, plan->memif_log2_ring, mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
		break;
	case PORT_PCI:
	case PORT_KIND_COUNT:
		break;
	}
	port->rx_queue_count = port->tx_queue_count = queues;
}

/* An interface of the kernel must be up, with an MTU that the asked one fits into. */
static int prepare_iface(struct port *port, char *error, size_t error_bytes)
{
	const char *iface = port->device.target;
	struct iface_info info;
	int rc = iface_get(iface, &info);
	if (rc) {
		snprintf(error, error_bytes, "interface %s: %s; see \"ip link\" in the namespace of this process",
			 iface, strerror(-rc));
		return rc;
	}
	port->ifindex = info.index;
	port->numa_node = iface_numa_node(iface);
	if (info.mtu < port->config.mtu) {
		rc = iface_set_mtu(iface, port->config.mtu);
		if (rc) {
			snprintf(error, error_bytes, "MTU %u asked for, but interface %s has %u and refuses more: %s",
				 port->config.mtu, iface, info.mtu, strerror(-rc));
			return rc;
		}
		port_note(port, "MTU of %s raised from %u to %u", iface, info.mtu, port->config.mtu);
	}
	if (!info.up) {
		rc = iface_set_up(iface);
		if (rc) {
			snprintf(error, error_bytes, "interface %s is down and cannot be brought up: %s", iface,
				 strerror(-rc));
			return rc;
		}
		port_note(port, "%s was down and was brought up", iface);
	}
	return 0;
}

static int create_vdev(struct port *port, unsigned worker_count, char *error, size_t error_bytes)
{
	char name[RTE_DEV_NAME_MAX_LEN], args[512];
	/* One XDP program on the interface or none: no chain of them, which would need a BPF file system. */
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
	vdev_arguments(port, (unsigned)(port - ports), worker_count, name, sizeof name, args, sizeof args);
	drvlog_clear();
	int rc = rte_eal_hotplug_add("vdev", name, args);
	if (rc)
		return fail(rc, error, error_bytes, "creating the device");
	return rte_eth_dev_get_port_by_name(name, &port->ethdev_id);
}

static int find_pci(struct port *port, char *error, size_t error_bytes)
{
	int rc = rte_eth_dev_get_port_by_name(port->device.target, &port->ethdev_id);
	if (rc == 0) {
		port->numa_node = rte_eth_dev_socket_id(port->ethdev_id);
		return 0;
	}
	snprintf(error, error_bytes,
		 "PCI function %s is not usable: bind it to vfio-pci (dpdk-devbind.py -b vfio-pci %s) and look at "
		 "wherryctl doctor",
		 port->device.target, port->device.target);
	return -ENODEV;
}

int ethdev_create(struct port *port, unsigned worker_count, char *error, size_t error_bytes)
{
	int rc = 0;
	port->numa_node = -1;
	if (port->device.kind == PORT_AF_XDP || port->device.kind == PORT_AF_PACKET)
		rc = prepare_iface(port, error, error_bytes);
	if (rc == 0)
		rc = port->device.kind == PORT_PCI ? find_pci(port, error, error_bytes)
						   : create_vdev(port, worker_count, error, error_bytes);
	if (rc)
		return rc;
	port->has_ethdev = true;
	struct rte_eth_dev_info info;
	rc = rte_eth_dev_info_get(port->ethdev_id, &info);
	if (rc)
		return fail(rc, error, error_bytes, "asking the driver");
	if (port->device.kind == PORT_PCI) {
		port->rx_queue_count = min_unsigned(worker_count, info.max_rx_queues);
		port->tx_queue_count = min_unsigned(worker_count, info.max_tx_queues);
	}
	port->rx_queue_count = min_unsigned(port->rx_queue_count, PORT_QUEUE_COUNT_MAX);
	port->tx_queue_count = min_unsigned(port->tx_queue_count, PORT_QUEUE_COUNT_MAX);
	if (port->device.kind == PORT_PCI && (port->config.mtu < info.min_mtu || port->config.mtu > info.max_mtu)) {
		snprintf(error, error_bytes, "MTU %u asked for, %u to %u are possible with %s", port->config.mtu,
			 info.min_mtu, info.max_mtu, info.driver_name);
		return -EINVAL;
	}
	snprintf(port->driver, sizeof port->driver, "%s", info.driver_name);
	return 0;
}

/* ------------------------------------------------------------------- start */
static int on_removed(uint16_t ethdev_id, enum rte_eth_event_type type, void *ctx, void *ret)
{
	(void)type;
	(void)ctx;
	(void)ret;
	monitor_ethdev_removed(ethdev_id);
	return 0;
}

#define RX_CHECKSUMS (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

/* What is to be asked of the device, out of what it can. */
static void choose_offloads(struct port *port, const struct rte_eth_dev_info *info, uint64_t *rx, uint64_t *tx)
{
	struct port_abilities *able = &port->able;
	const unsigned piece_count_max = RTE_MIN(info->tx_desc_lim.nb_mtu_seg_max, 1u + PKT_FRAG_COUNT_MAX);
	able->by_dma = port->device.kind == PORT_PCI;
	able->piece_count_max = (uint16_t)piece_count_max;
	/* A buffer of several pages is in one piece for a device only where I/O addresses are those of the process. */
	able->tx_gather = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS && piece_count_max > 1 &&
			  !(able->by_dma && rte_eal_iova_mode() != RTE_IOVA_VA);
	able->tx_checksum = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	able->even_pieces = port->device.kind == PORT_TAP;
	*rx = info->rx_offload_capa & RX_CHECKSUMS;
	*tx = able->tx_checksum ? RTE_ETH_TX_OFFLOAD_TCP_CKSUM : 0;
	/* Fast freeing takes every mbuf for one of the same pool that nobody else refers to. */
	if (able->tx_gather)
		*tx |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	else
		*tx |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}

static int configure(struct port *port, const struct rte_eth_dev_info *info, char *error, size_t error_bytes)
{
	struct rte_eth_conf conf = {0};
	/* The virtual devices claim less than they can; their frame size was settled by their arguments. */
	conf.rxmode.mtu = port->device.kind == PORT_PCI ? port->config.mtu : RTE_ETHER_MTU;
	choose_offloads(port, info, &conf.rxmode.offloads, &conf.txmode.offloads);
	conf.intr_conf.rmv = info->dev_flags && (*info->dev_flags & RTE_ETH_DEV_INTR_RMV);
	int rc = rte_eth_dev_configure(port->ethdev_id, (uint16_t)port->rx_queue_count, (uint16_t)port->tx_queue_count,
				       &conf);
	if (rc)
		return fail(rc, error, error_bytes, "configuring the device");
	uint16_t rx = port->plan.rx_desc_count, tx = port->plan.tx_desc_count;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev_id, &rx, &tx);
	if (rc)
		return fail(rc, error, error_bytes, "sizing the rings");
	port->plan.rx_desc_count = rx;
	port->plan.tx_desc_count = tx;
	return 0;
}

static int set_up_queues(struct port *port, const struct rte_eth_dev_info *info, char *error, size_t error_bytes)
{
	unsigned node = port->numa_node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)port->numa_node;
	struct rte_eth_txconf txconf = info->default_txconf;
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	choose_offloads(port, info, &rxconf.offloads, &txconf.offloads);
	/* What is on for the port is on for every queue; drivers take no more than they know of queues. */
	rxconf.offloads &= info->rx_queue_offload_capa;
	txconf.offloads &= info->tx_queue_offload_capa;
	for (uint16_t q = 0; q < port->rx_queue_count; q++) {
		int rc = rte_eth_rx_queue_setup(port->ethdev_id, q, port->plan.rx_desc_count, node, &rxconf,
						port->pool->mempool);
		if (rc)
			return fail(rc, error, error_bytes, "setting up a receive queue");
	}
	for (uint16_t q = 0; q < port->tx_queue_count; q++) {
		int rc = rte_eth_tx_queue_setup(port->ethdev_id, q, port->plan.tx_desc_count, node, &txconf);
		if (rc)
			return fail(rc, error, error_bytes, "setting up a transmit queue");
	}
	return 0;
}

/*
 * RSS does not spread frames without IP, and none is asked for: AoE comes in on
 * one queue, and the worker that polls it hands frames over to the owners of
 * their exports.  A rule makes sure which queue; what is in effect is told.
 */
static void steer_aoe(struct port *port)
{
	if (port->device.kind != PORT_PCI || port->rx_queue_count == 1)
		return;
	struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_item_eth eth = {.type = RTE_BE16(PORT_ETH_TYPE_AOE)}, mask = {.type = RTE_BE16(0xffff)};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &eth, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	struct rte_flow_action_queue queue = {.index = 0};
	struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error flow_error = {0};
	if (rte_flow_create(port->ethdev_id, &attr, pattern, actions, &flow_error))
		port_note(port, "a flow rule brings AoE in on queue 0: frames are handed over between workers");
	else
		port_note(port,
			  "no flow rule for EtherType 0x88a2 (%s), AoE comes in where the NIC likes: frames are handed "
			  "over between workers",
			  flow_error.message ? flow_error.message : "not supported");
}

/*
 * The driver gives the kernel's end of a tap the port's own address; a bridge
 * would then keep frames for the port to itself.  So the kernel gets another one.
 */
static int finish_tap(struct port *port, char *error, size_t error_bytes)
{
	const char *iface = port->device.target;
	struct iface_info info;
	uint8_t mac[6];
	memcpy(mac, port->mac, 6);
	mac[5] ^= 1;
	int rc = iface_get(iface, &info);
	if (rc == 0)
		rc = iface_set_mac(iface, mac);
	if (rc == 0 && info.mtu != port->config.mtu)
		rc = iface_set_mtu(iface, port->config.mtu);
	if (rc == 0 && !info.up)
		rc = iface_set_up(iface);
	port->ifindex = info.index;
	if (rc)
		snprintf(error, error_bytes, "tap interface %s cannot be set up for MTU %u: %s", iface,
			 port->config.mtu, strerror(-rc));
	return rc;
}

int ethdev_start(struct port *port, char *error, size_t error_bytes)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	drvlog_clear();
	int rc = rte_eth_dev_info_get(port->ethdev_id, &info);
	if (rc)
		return fail(rc, error, error_bytes, "asking the driver");
	rc = configure(port, &info, error, error_bytes);
	if (rc == 0)
		rc = set_up_queues(port, &info, error, error_bytes);
	if (rc)
		return rc;
	rc = rte_eth_dev_start(port->ethdev_id);
	if (rc)
		return fail(rc, error, error_bytes, "starting the device");
	port->started = true;
	rc = rte_eth_macaddr_get(port->ethdev_id, &mac);
	if (rc)
		return fail(rc, error, error_bytes, "reading the MAC address");
	memcpy(port->mac, mac.addr_bytes, 6);
	/* Not on interfaces of the kernel, where others may have set it for their own ends. */
	if (!port_kind_has_iface(port->device.kind))
		rte_eth_promiscuous_disable(port->ethdev_id);
	/* Neighbour discovery comes to group addresses; virtual devices that cannot filter have no such switch. */
	(void)rte_eth_allmulticast_enable(port->ethdev_id);
	rte_eth_dev_callback_register(port->ethdev_id, RTE_ETH_EVENT_INTR_RMV, on_removed, NULL);
	steer_aoe(port);
	return port->device.kind == PORT_TAP ? finish_tap(port, error, error_bytes) : 0;
}

void ethdev_close(struct port *port)
{
	/* One that never started is left to the end of the process: the drivers' close takes a start for granted. */
	if (!port->started)
		return;
	rte_eth_dev_callback_unregister(port->ethdev_id, RTE_ETH_EVENT_INTR_RMV, on_removed, NULL);
	rte_eth_dev_stop(port->ethdev_id);
	rte_eth_dev_close(port->ethdev_id);
	port->started = port->has_ethdev = false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, closing and describing the ports; see port.h.  Main lcore. */
#include "port/port.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "port/drvlog.h"
#include "port/gather.h"
#include "port/iface.h"
#include "port/priv.h"
#include "port/tags.h"

struct port ports[WHERRY_PORT_COUNT_MAX];
unsigned ports_open_count;
static struct pool pools[2 * WHERRY_PORT_COUNT_MAX]; /* each port may have tried two */
static unsigned pool_count;

void port_note(struct port *port, const char *format, ...)
{
	size_t len = strlen(port->detail);
	if (len && len + 2 < sizeof port->detail) {
		memcpy(port->detail + len, "; ", 3);
		len += 2;
	}
	va_list args;
	va_start(args, format);
	vsnprintf(port->detail + len, sizeof port->detail - len, format, args);
	va_end(args);
}

/* ------------------------------------------------------------------ pools */
/* A port without a node lives with the first worker. */
static int port_node(const struct port *port, const struct port_workers *workers)
{
	return port->numa_node >= 0 ? port->numa_node : (int)workers->numa_node[0];
}

static struct pool *find_pool(const struct port *port, int numa_node)
{
	for (unsigned i = 0; i < pool_count; i++)
		if (!pools[i].is_own && pools[i].numa_node == numa_node &&
		    pools[i].is_dma == (port->device.kind == PORT_PCI) &&
		    pools[i].data_room_bytes == port->plan.data_room_bytes)
			return &pools[i];
	return NULL;
}

static void assign_pool(struct port *port, const struct port_workers *workers)
{
	int numa_node = port_node(port, workers);
	bool is_own = port->device.kind == PORT_AF_XDP;
	struct pool *pool = is_own ? NULL : find_pool(port, numa_node);
	if (!pool) {
		pool = &pools[pool_count++];
		*pool = (struct pool){.numa_node = numa_node,
				      .data_room_bytes = port->plan.data_room_bytes,
				      .is_own = is_own,
				      .is_dma = port->device.kind == PORT_PCI,
				      .driver_keeps = is_own};
		if (is_own)
			snprintf(pool->name, sizeof pool->name, "packets-port%u", (unsigned)(port - ports));
		else
			snprintf(pool->name, sizeof pool->name, "packets-%s%d-%u", pool->is_dma ? "pci" : "node",
				 numa_node, pool->data_room_bytes);
	}
	pool->need_packets +=
		port_plan_ring_packets(&port->device, &port->plan, port->rx_queue_count, port->tx_queue_count);
	port->pool = pool;
}

static int create_pool(struct pool *pool, const struct port_workers *workers, char *error, size_t error_bytes)
{
	if (pool->mempool)
		return 0;
	pool->packet_count = port_plan_pool_packets(pool->need_packets, workers->count, workers->packets_each);
	int wanted_node = pool->numa_node;
	int rc = pool_create(pool);
	if (rc == -ENOMEM) {
		pool->numa_node = SOCKET_ID_ANY;
		rc = pool_create(pool);
		pool->is_far = rc == 0;
		pool->numa_node = wanted_node;
	}
	if (rc)
		snprintf(error, error_bytes,
			 "no memory for %u packets of %u bytes on NUMA node %d (%s): reserve more hugepages or give "
			 "--memory-mb",
			 pool->packet_count, pool->data_room_bytes, pool->numa_node, strerror(-rc));
	return rc;
}

/* ------------------------------------------------------------------- open */
static int prepare(struct port *port, const struct port_config *config, char *error, size_t error_bytes)
{
	memset(port, 0, sizeof *port);
	port->config = *config;
	port->numa_node = -1;
	port->punt_fd = port->groups_fd = -1;
	int rc = port_device_parse(config->device, &port->device, error, error_bytes);
	return rc ? rc : port_plan(&port->device, config->mtu, &port->plan, error, error_bytes);
}

static int start_port(struct port *port, const struct port_workers *workers, char *error, size_t error_bytes)
{
	int rc = create_pool(port->pool, workers, error, error_bytes);
	if (rc)
		return rc;
	port->mempool = port->pool->mempool;
	return ethdev_start(port, error, error_bytes);
}

/* AF_XDP as a whole: device, pool and start. */
static int try_xdp(struct port *port, const struct port_workers *workers, char *error, size_t error_bytes)
{
	int rc = ethdev_create(port, workers->count, error, error_bytes);
	if (rc)
		return rc;
	assign_pool(port, workers);
	rc = create_pool(port->pool, workers, error, error_bytes);
	if (rc)
		return rc;
	if (!pool_is_dense(port->pool)) {
		snprintf(error, error_bytes, "the packet memory is not in one piece");
		return -ENOMEM;
	}
	return start_port(port, workers, error, error_bytes);
}

/* The kernel or the driver cannot: serve the same interface by AF_PACKET. */
static int fall_back(struct port *port, const char *reason, char *error, size_t error_bytes)
{
	ethdev_close(port);
	port->has_ethdev = false;
	if (port->pool)
		pool_destroy(port->pool);
	port->pool = NULL;
	port->mempool = NULL;
	port->detail[0] = '\0';
	port->device.kind = PORT_AF_PACKET;
	port_note(port, "af_xdp does not work here, af_packet is used instead: %s", reason);
	return port_plan(&port->device, port->config.mtu, &port->plan, error, error_bytes);
}

/*
 * AF_XDP where it works and keeps VLANs apart, as far as the port serves any.  A
 * port that serves none may have it all the same: what is not sure is told.
 */
static int open_xdp(struct port *port, const struct port_workers *workers, int ifindex, char *reason,
		    size_t reason_bytes)
{
	char why[256];
	bool kept = tags_keep(port->device.target, ifindex, why, sizeof why);
	if (!kept && port->config.vlan_count) {
		snprintf(reason, reason_bytes, "VLAN tags would be lost, because %s", why);
		return -EOPNOTSUPP;
	}
	int rc = try_xdp(port, workers, reason, reason_bytes);
	if (rc == 0 && !port_probe(port, reason, reason_bytes))
		rc = -EIO;
	port->tags_kept = kept;
	if (rc == 0 && !kept)
		port_note(port, "frames of VLANs may be taken for untagged ones, because %s", why);
	return rc;
}

static int open_port(struct port *port, const struct port_workers *workers, char *error, size_t error_bytes)
{
	port->packet_len_max = port->device.kind == PORT_TAP ? RTE_ETHER_MAX_LEN : UINT32_MAX;
	struct iface_info info;
	if (port->device.kind == PORT_AF_XDP && iface_get(port->device.target, &info) == 0) {
		char reason[WHERRY_TEXT_BYTES_MAX + 1] = "";
		int rc = open_xdp(port, workers, info.index, reason, sizeof reason);
		if (rc == 0)
			return 0;
		rc = fall_back(port, reason, error, error_bytes);
		if (rc)
			return rc;
	}
	int rc = ethdev_create(port, workers->count, error, error_bytes);
	if (rc == 0)
		assign_pool(port, workers);
	return rc;
}

/* A NIC drops frames of VLANs that the kernel has no interface for, as long as it filters. */
static void unfilter_vlans(struct port *port)
{
	const char *iface = port->device.target;
	bool by_kernel = port->device.kind == PORT_AF_XDP || port->device.kind == PORT_AF_PACKET;
	if (by_kernel && port->config.vlan_count && !tags_unfilter(iface))
		port_note(port,
			  "%s lets in those VLANs alone that the kernel has an interface for: ip link add link %s name "
			  "%s.ID type vlan id ID",
			  iface, iface, iface);
}

/* Discovery of neighbours and of topology comes to group addresses. */
static void open_groups(struct port *port)
{
	if (port->device.kind != PORT_AF_XDP && port->device.kind != PORT_AF_PACKET)
		return;
	port->groups_fd = iface_open_groups(port->ifindex);
	if (port->groups_fd < 0)
		port_note(port, "%s may filter group addresses, which IPv6 needs: %s", port->device.target,
			  strerror(-port->groups_fd));
}

/*
 * The kernel has the interface under an AF_PACKET port itself and sees every
 * frame there; with a second one it would see them twice.
 */
static void open_punt(struct port *port)
{
	char reason[256];
	if (!port->config.punt_rate)
		return;
	if (port->device.kind == PORT_AF_PACKET) {
		port_note(port, "the kernel shares %s itself: addresses of its own belong there, nothing is punted",
			  port->device.target);
		return;
	}
	ktap_name(port->config.name, port->punt_name);
	port->punt_fd = ktap_open(port->punt_name, port->mac, port->config.mtu, reason, sizeof reason);
	if (port->punt_fd < 0)
		port_note(port, "nothing is punted, interface %s: %s", port->punt_name, reason);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Memory of another node costs every access. */
static void note_far(struct port *port, const struct port_workers *workers)
{
	if (port->pool->is_far)
		port_note(port,
			  "NUMA node %d has no memory left for its packets, another one's is used: reserve hugepages "
			  "there",
			  port->pool->numa_node);
	unsigned far_count = 0;
	for (unsigned i = 0; port->numa_node >= 0 && i < workers->count; i++)
		far_count += workers->numa_node[i] != (unsigned)port->numa_node;
	if (far_count)
		port_note(port, "%u of %u workers are not on its NUMA node %d: choose --lcores there", far_count,
			  workers->count, port->numa_node);
}

static void note_queues(struct port *port, const struct port_workers *workers)
{
	if (port->rx_queue_count < workers->count)
		port_note(port, "%u receive queues for %u workers: frames are handed over", port->rx_queue_count,
			  workers->count);
}

/*
 * A port that cannot be opened stays in the list, out of service, and says why:
 * one missing NIC must not take the others down.
 */
static void fail_port(struct port *port, const char *reason)
{
	audit_note_absent(port);
	ethdev_close(port);
	if (port->pool && port->has_ethdev)
		port->pool->driver_keeps = true; /* what its queues may have taken before the failure */
	port->has_ethdev = false;
	port->rx_queue_count = port->tx_queue_count = 0;
	port->ifindex = 0;
	port->detail[0] = '\0';
	port_note(port, "out of service: %s", reason);
	atomic_store_explicit(&port->removed, true, memory_order_relaxed);
}

static void open_ports(unsigned count, const struct port_workers *workers)
{
	char reason[WHERRY_TEXT_BYTES_MAX + 1];
	for (unsigned i = 0; i < count; i++) {
		struct port *port = &ports[i];
		reason[0] = '\0';
		if (!port_removed(i) && open_port(port, workers, reason, sizeof reason))
			fail_port(port, reason);
	}
	for (unsigned i = 0; i < count; i++) {
		struct port *port = &ports[i];
		reason[0] = '\0';
		if (!port_removed(i) && !port->started && start_port(port, workers, reason, sizeof reason))
			fail_port(port, reason);
		if (port_removed(i))
			continue;
		unfilter_vlans(port);
		note_queues(port, workers);
		note_far(port, workers);
		open_groups(port);
		open_punt(port);
	}
}

/* Without mbufs for pieces frames are copied together. */
static void open_gather(unsigned count, const struct port_workers *workers)
{
	uint32_t pieces = 0;
	for (unsigned i = 0; i < count; i++)
		pieces += ports[i].tx_queue_count * (uint32_t)ports[i].plan.tx_desc_count;
	const int rc = gather_open(pieces, workers->count);
	for (unsigned i = 0; rc && i < count; i++)
		ports[i].able.tx_gather = false;
}

int port_open_all(const struct port_config *configs, unsigned count, const struct port_workers *workers, char *error,
		  size_t error_bytes)
{
	for (unsigned i = 0; i < count; i++) {
		char reason[WHERRY_TEXT_BYTES_MAX + 1] = "";
		if (prepare(&ports[i], &configs[i], reason, sizeof reason))
			fail_port(&ports[i], reason);
	}
	ports_open_count = count;
	/* What the drivers say is in the detail when it matters. */
	drvlog_set_quiet(true);
	open_ports(count, workers);
	drvlog_set_quiet(false);
	open_gather(count, workers);
	int rc = monitor_open(error, error_bytes);
	if (rc)
		port_close_all(NULL, 0);
	return rc;
}

void port_let_go(void)
{
	gather_let_go();
}

static uint32_t close_gather(char *leaks, size_t leaks_bytes)
{
	const uint32_t missing = gather_close();
	const size_t len = leaks_bytes ? strlen(leaks) : 0;
	if (missing && leaks_bytes)
		snprintf(leaks + len, leaks_bytes - len, "%s%u pieces of packets", len ? ", " : "", missing);
	return missing;
}

unsigned port_close_all(char *leaks, size_t leaks_bytes)
{
	unsigned missing_total = 0;
	monitor_close();
	for (unsigned i = 0; i < ports_open_count; i++) {
		ethdev_close(&ports[i]);
		close_fd(&ports[i].punt_fd);
		close_fd(&ports[i].groups_fd);
	}
	ports_open_count = 0;
	if (leaks_bytes)
		leaks[0] = '\0';
	for (unsigned i = 0; i < pool_count; i++) {
		if (!pools[i].mempool)
			continue;
		uint32_t missing = pools[i].driver_keeps ? 0 : pool_missing(&pools[i]);
		size_t len = leaks_bytes ? strlen(leaks) : 0;
		if (missing && leaks_bytes)
			snprintf(leaks + len, leaks_bytes - len, "%s%u of %u packets of pool %s", len ? ", " : "",
				 missing, pools[i].packet_count, pools[i].name);
		missing_total += missing;
		pool_destroy(&pools[i]);
	}
	pool_count = 0;
	return missing_total + close_gather(leaks, leaks_bytes);
}

bool port_close_needs_net_admin(void)
{
	for (unsigned i = 0; i < ports_open_count; i++)
		if (ports[i].device.kind == PORT_AF_XDP)
			return true;
	return false;
}

/* ------------------------------------------------------------ description */
unsigned port_count(void)
{
	return ports_open_count;
}

int port_index_by_name(const char *name)
{
	for (unsigned i = 0; i < ports_open_count; i++)
		if (strcmp(ports[i].config.name, name) == 0)
			return (int)i;
	return -1;
}

void port_item(unsigned index, struct wherry_ctl_port_item *item)
{
	memset(item, 0, sizeof *item);
	if (index >= ports_open_count)
		return;
	const struct port *port = &ports[index];
	item->index = (uint16_t)index;
	snprintf(item->name, sizeof item->name, "%s", port->config.name);
	snprintf(item->device, sizeof item->device, "%s", port->config.device);
	snprintf(item->driver, sizeof item->driver, "%s", port->driver);
	item->mac.count = 1;
	memcpy(item->mac.mac[0].b, port->mac, 6);
	item->mtu = port->config.mtu;
	item->link_up = port->link_up;
	item->link_mbps = port->link_mbps;
	item->rx_queues = (uint16_t)port->rx_queue_count;
	item->tx_queues = (uint16_t)port->tx_queue_count;
	item->numa_node = port->numa_node < 0 ? 0xffff : (uint16_t)port->numa_node;
	item->punt_rate = port->config.punt_rate;
	if (port->punt_fd >= 0)
		snprintf(item->punt_interface, sizeof item->punt_interface, "%s", port->punt_name);
	bool has_vanished = port_removed(index) && port->has_ethdev;
	const char *parts[] = {
		has_vanished ? "removed" : "",
		port->audit.has_returned ? "its device is there again: restart the dataplane" : "",
		port_removed(index) ? "" : port->audit.trouble,
		port->detail,
	};
	for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t len = strlen(item->detail);
		if (*parts[i])
			snprintf(item->detail + len, sizeof item->detail - len, "%s%s", len ? "; " : "", parts[i]);
	}
}

/* What the driver counts; the last known values when it cannot tell any more. */
void port_refresh_stats(struct port *port)
{
	struct rte_eth_stats stats;
	if (port_removed((unsigned)(port - ports)) || rte_eth_stats_get(port->ethdev_id, &stats))
		return;
	port->last_stats[WHERRY_PORT_rx_frames] = stats.ipackets;
	port->last_stats[WHERRY_PORT_rx_bytes] = stats.ibytes;
	port->last_stats[WHERRY_PORT_tx_frames] = stats.opackets;
	port->last_stats[WHERRY_PORT_tx_bytes] = stats.obytes;
	port->last_stats[WHERRY_PORT_rx_missed] = stats.imissed;
	port->last_stats[WHERRY_PORT_rx_errors] = stats.ierrors;
	port->last_stats[WHERRY_PORT_rx_no_buffer] = stats.rx_nombuf;
	/* AF_XDP's driver counts every frame here that it did not take at once, though we offer it again. */
	port->last_stats[WHERRY_PORT_tx_errors] = port->device.kind == PORT_AF_XDP ? 0 : stats.oerrors;
}

void port_stats(unsigned index, uint64_t values[WHERRY_PORT_STAT_COUNT])
{
	memset(values, 0, sizeof values[0] * WHERRY_PORT_STAT_COUNT);
	if (index >= ports_open_count)
		return;
	struct port *port = &ports[index];
	port_refresh_stats(port);
	memcpy(values, port->last_stats, sizeof port->last_stats);
	for (unsigned q = 0; q < PORT_QUEUE_COUNT_MAX; q++) {
		values[WHERRY_PORT_rx_errors] += port->queue_stats[q].rx_errors;
		values[WHERRY_PORT_rx_linearised] += port->queue_stats[q].rx_linearised;
		values[WHERRY_PORT_tx_bytes] += port->queue_stats[q].tx_hidden_bytes;
		values[WHERRY_PORT_tx_ring_full] += port->queue_stats[q].tx_dropped;
	}
	values[WHERRY_PORT_link_changes] = port->link_changes;
	values[WHERRY_PORT_link_up] = port->link_up;
	values[WHERRY_PORT_link_mbps] = port->link_mbps;
}

const uint8_t *port_mac(unsigned index)
{
	return ports[index].mac;
}

uint16_t port_mtu(unsigned index)
{
	return ports[index].config.mtu;
}

unsigned port_vlans(unsigned index, const uint16_t **vlans)
{
	*vlans = ports[index].config.vlans;
	return ports[index].config.vlan_count;
}

int port_punt_fd(unsigned index)
{
	return ports[index].punt_fd;
}

void port_punt_lost(unsigned index)
{
	port_note(&ports[index], "nothing is punted any more: interface %s was deleted, it takes a restart",
		  ports[index].punt_name);
	close_fd(&ports[index].punt_fd);
}

uint32_t port_punt_rate(unsigned index)
{
	return ports[index].config.punt_rate;
}

bool port_checksum_offload(unsigned index)
{
	return ports[index].able.tx_checksum;
}

unsigned port_rx_queue_count(unsigned index)
{
	return ports[index].rx_queue_count;
}

unsigned port_tx_queue_count(unsigned index)
{
	return ports[index].tx_queue_count;
}

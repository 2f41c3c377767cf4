/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links, removals and returns.
 *
 * Interfaces of the kernel are watched by netlink, which tells at once; the link
 * of other devices is polled; removal of a PCI device is told by the driver, on a
 * thread of its own; what nobody tells is audited.  All of it wakes the main lcore
 * through one epoll descriptor.
 */
#include <errno.h>
#include <rte_ethdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "port/iface.h"
#include "port/priv.h"

#define LINK_POLL_MS 200
#define AUDIT_MS 1000

static int epoll_fd = -1, netlink_fd = -1, timer_fd = -1, audit_fd = -1;
static _Atomic int removal_fd = -1;      /* written by main, read by drivers' threads */
static _Atomic uint32_t removed_ethdevs; /* bit i: port i; set by drivers' threads, taken by main */
static struct {
	port_event_fn *fn;
	void *ctx;
} handlers[PORT_HANDLER_COUNT_MAX];

void port_add_handler(port_event_fn *handler, void *ctx)
{
	for (unsigned i = 0; i < PORT_HANDLER_COUNT_MAX; i++) {
		if (handlers[i].fn)
			continue;
		handlers[i].fn = handler;
		handlers[i].ctx = ctx;
		return;
	}
}

__attribute__((format(printf, 3, 4))) static void tell(const struct port *port, enum port_event event,
						       const char *format, ...)
{
	char text[WHERRY_TEXT_BYTES_MAX + 1], message[WHERRY_NAME_BYTES_MAX + 2 * WHERRY_TEXT_BYTES_MAX + 16];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(message, sizeof message, "port %s (%s): %s", port->config.name, port->config.device, text);
	for (unsigned i = 0; i < PORT_HANDLER_COUNT_MAX; i++)
		if (handlers[i].fn)
			handlers[i].fn((unsigned)(port - ports), event, message, handlers[i].ctx);
}

/* The kernel's interface beside a port is connected while the port is. */
static void follow_link(const struct port *port)
{
	if (port->punt_fd >= 0)
		ktap_set_carrier(port->punt_fd, port->link_up);
}

static void set_link(struct port *port, bool up, uint32_t mbps)
{
	port->link_mbps = up ? mbps : 0;
	if (port->link_up == up)
		return;
	port->link_up = up;
	port->link_changes++;
	follow_link(port);
	if (port->link_mbps)
		tell(port, PORT_LINK_UP, "link up, %u Mbit/s", port->link_mbps);
	else
		tell(port, up ? PORT_LINK_UP : PORT_LINK_DOWN, "link %s", up ? "up" : "down");
}

static void set_removed(struct port *port)
{
	if (port_removed((unsigned)(port - ports)))
		return;
	port_refresh_stats(port); /* the driver's counters, for the last time */
	atomic_store_explicit(&port->removed, true, memory_order_relaxed);
	if (port->link_up)
		port->link_changes++;
	port->link_up = false;
	port->link_mbps = 0;
	follow_link(port);
	audit_note_absent(port);
	tell(port, PORT_REMOVED, "the device has gone; the port serves again when it is back");
}

/* ---------------------------------------------------------------- sources */
static void check_iface(struct port *port)
{
	struct iface_info info;
	int rc = iface_get(port->device.target, &info);
	if (rc == -ENODEV || rc == -ENXIO || (rc == 0 && info.index != port->ifindex))
		set_removed(port);
	else if (rc == 0)
		set_link(port, info.running, iface_speed_mbps(port->device.target));
}

static void on_iface(int index, bool gone, bool running, void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < ports_open_count; i++) {
		struct port *port = &ports[i];
		if (!port->ifindex || port_removed(i))
			continue;
		if (index == -1)
			check_iface(port);
		else if (index == port->ifindex && gone)
			set_removed(port);
		else if (index == port->ifindex)
			set_link(port, running, running ? iface_speed_mbps(port->device.target) : 0);
	}
}

static void check_ethdev(struct port *port)
{
	struct rte_eth_link link;
	if (rte_eth_link_get_nowait(port->ethdev_id, &link) == 0)
		set_link(port, link.link_status == RTE_ETH_LINK_UP,
			 link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed);
}

static void check_ethdevs(void)
{
	for (unsigned i = 0; i < ports_open_count; i++)
		if (!ports[i].ifindex && !port_removed(i))
			check_ethdev(&ports[i]);
}

void monitor_ethdev_removed(uint16_t ethdev_id)
{
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++)
		if (ports[i].has_ethdev && ports[i].ethdev_id == ethdev_id)
			atomic_fetch_or(&removed_ethdevs, 1u << i);
	uint64_t one = 1;
	ssize_t written = write(atomic_load(&removal_fd), &one, sizeof one);
	(void)written; /* the counter is full only when main is on its way already */
}

static void take_removals(void)
{
	uint32_t bits = atomic_exchange(&removed_ethdevs, 0);
	for (; bits; bits &= bits - 1)
		set_removed(&ports[__builtin_ctz(bits)]);
}

static void check_returns(void)
{
	for (unsigned i = 0; i < ports_open_count; i++)
		if (audit_has_returned(&ports[i]))
			tell(&ports[i], PORT_RETURNED, "the device is there again; opening it takes a restart");
}

static void audit_ports(void)
{
	for (unsigned i = 0; i < ports_open_count; i++) {
		struct port *port = &ports[i];
		if (port_removed(i) || !audit_port(port))
			continue;
		bool is_bad = port->audit.trouble[0];
		tell(port, is_bad ? PORT_TROUBLE : PORT_RECOVERED, "%s",
		     is_bad ? port->audit.trouble : "it is well again");
	}
}

/* True when there was something. */
static bool drain_counter(int fd)
{
	uint64_t count;
	return read(fd, &count, sizeof count) == (ssize_t)sizeof count;
}

int port_poll_fd(void)
{
	return epoll_fd;
}

void port_poll(void)
{
	(void)drain_counter(atomic_load(&removal_fd));
	take_removals();
	iface_watch_next(netlink_fd, on_iface, NULL);
	check_returns();
	if (timer_fd >= 0 && drain_counter(timer_fd))
		check_ethdevs();
	if (drain_counter(audit_fd))
		audit_ports();
}

/* ------------------------------------------------------------ open, close */
static int watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_timer(int *fd, long ms)
{
	struct timespec period = {ms / 1000, ms % 1000 * 1000000};
	struct itimerspec every = {period, period};
	*fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*fd < 0 || timerfd_settime(*fd, 0, &every, NULL) < 0)
		return -errno;
	return watch(*fd);
}

/* The state at the start is no event. */
static bool read_links(void)
{
	bool must_poll = false;
	for (unsigned i = 0; i < ports_open_count; i++) {
		struct port *port = &ports[i];
		struct iface_info info;
		struct rte_eth_link link;
		if (port_removed(i))
			continue;
		if (port->ifindex && iface_get(port->device.target, &info) == 0) {
			port->link_up = info.running;
			port->link_mbps = info.running ? iface_speed_mbps(port->device.target) : 0;
		} else if (rte_eth_link_get_nowait(port->ethdev_id, &link) == 0) {
			port->link_up = link.link_status == RTE_ETH_LINK_UP;
			port->link_mbps =
				port->link_up && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN ? link.link_speed : 0;
		}
		must_poll |= !port->ifindex;
		follow_link(port);
	}
	return must_poll;
}

int monitor_open(char *error, size_t error_bytes)
{
	int rc = 0;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_store(&removal_fd, event_fd);
	netlink_fd = iface_watch_open();
	if (epoll_fd < 0 || event_fd < 0)
		rc = -errno;
	else if (netlink_fd < 0)
		rc = netlink_fd;
	if (rc == 0)
		rc = watch(event_fd);
	if (rc == 0)
		rc = watch(netlink_fd);
	if (rc == 0 && read_links())
		rc = open_timer(&timer_fd, LINK_POLL_MS);
	if (rc == 0)
		rc = open_timer(&audit_fd, AUDIT_MS);
	if (rc)
		snprintf(error, error_bytes, "cannot watch the links of the ports: %s", strerror(-rc));
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void monitor_close(void)
{
	int event_fd = atomic_exchange(&removal_fd, -1);
	close_fd(&event_fd);
	close_fd(&timer_fd);
	close_fd(&audit_fd);
	close_fd(&netlink_fd);
	close_fd(&epoll_fd);
	memset(handlers, 0, sizeof handlers);
}

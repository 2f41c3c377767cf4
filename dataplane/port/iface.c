/* SPDX-License-Identifier: BSD-3-Clause */
/* See iface.h. */
#include "port/iface.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void request_init(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof *request);
	snprintf(request->ifr_name, sizeof request->ifr_name, "%s", name);
}

static int do_ioctl(unsigned long command, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = ioctl(fd, command, request) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int iface_get(const char *name, struct iface_info *info)
{
	struct ifreq request;
	memset(info, 0, sizeof *info);
	request_init(&request, name);
	int rc = do_ioctl(SIOCGIFINDEX, &request);
	if (rc)
		return rc;
	info->index = request.ifr_ifindex;
	rc = do_ioctl(SIOCGIFMTU, &request);
	if (rc)
		return rc;
	info->mtu = request.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)request.ifr_mtu;
	rc = do_ioctl(SIOCGIFHWADDR, &request);
	if (rc)
		return rc;
	memcpy(info->mac, request.ifr_hwaddr.sa_data, 6);
	rc = do_ioctl(SIOCGIFFLAGS, &request);
	info->up = request.ifr_flags & IFF_UP;
	info->running = info->up && (request.ifr_flags & IFF_RUNNING);
	return rc;
}

int iface_set_mtu(const char *name, uint16_t mtu)
{
	struct ifreq request;
	request_init(&request, name);
	request.ifr_mtu = mtu;
	return do_ioctl(SIOCSIFMTU, &request);
}

int iface_set_up(const char *name)
{
	struct ifreq request;
	request_init(&request, name);
	int rc = do_ioctl(SIOCGIFFLAGS, &request);
	if (rc)
		return rc;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	return do_ioctl(SIOCSIFFLAGS, &request);
}

int iface_set_mac(const char *name, const uint8_t mac[6])
{
	struct ifreq request;
	request_init(&request, name);
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	return do_ioctl(SIOCSIFHWADDR, &request);
}

unsigned iface_channel_count(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request;
	request_init(&request, name);
	request.ifr_data = (char *)&channels;
	return do_ioctl(SIOCETHTOOL, &request) == 0 && channels.combined_count ? channels.combined_count : 1;
}

int iface_open_groups(int index)
{
	struct packet_mreq request = {.mr_ifindex = index, .mr_type = PACKET_MR_ALLMULTI};
	/* Of no protocol: it receives nothing itself. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

static bool read_sysfs(const char *name, const char *attribute, long *value)
{
	char path[128], text[32];
	snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, attribute);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool ok = fgets(text, sizeof text, file) != NULL;
	fclose(file);
	if (ok)
		*value = strtol(text, NULL, 10);
	return ok;
}

uint32_t iface_speed_mbps(const char *name)
{
	long value;
	return read_sysfs(name, "speed", &value) && value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

/* What an interface stands on is linked as lower_NAME in its folder.  One level: a bond over NICs, a VLAN over a NIC.
 */
static int lower_node(const char *name)
{
	char path[128];
	int node = -1;
	snprintf(path, sizeof path, "/sys/class/net/%s", name);
	DIR *folder = opendir(path);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		long value;
		if (strncmp(entry->d_name, "lower_", 6) != 0)
			continue;
		if (!read_sysfs(entry->d_name + 6, "device/numa_node", &value) || value < 0 || value >= 0xffff ||
		    (node >= 0 && value != node)) {
			node = -1;
			break;
		}
		node = (int)value;
	}
	if (folder)
		closedir(folder);
	return node;
}

int iface_numa_node(const char *name)
{
	long value;
	if (read_sysfs(name, "device/numa_node", &value))
		return value >= 0 && value < 0xffff ? (int)value : -1;
	/* A bridge, bond or VLAN of the kernel's: where what it stands on is, when all of that is on one node. */
	return lower_node(name);
}

/* --------------------------------------------------------------- netlink */
static int netlink_open(uint32_t groups)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int iface_watch_open(void)
{
	return netlink_open(RTMGRP_LINK);
}

void iface_watch_next(int fd, iface_watch_fn *fn, void *ctx)
{
	_Alignas(struct nlmsghdr) char buffer[16384];
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS)
			fn(-1, false, false, ctx);
		if (got <= 0)
			return;
		size_t len = (size_t)got;
		for (struct nlmsghdr *at = (struct nlmsghdr *)buffer; NLMSG_OK(at, len); at = NLMSG_NEXT(at, len)) {
			const struct ifinfomsg *link = NLMSG_DATA(at);
			if (at->nlmsg_type != RTM_NEWLINK && at->nlmsg_type != RTM_DELLINK)
				continue;
			/* A bridge tells its ports' departure in its own family; that is not the link's. */
			if (link->ifi_family != AF_UNSPEC)
				continue;
			fn(link->ifi_index, at->nlmsg_type == RTM_DELLINK,
			   (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_RUNNING), ctx);
		}
	}
}

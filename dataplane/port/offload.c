/* SPDX-License-Identifier: BSD-3-Clause */
/* See offload.h. */
#include "port/offload.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURE_COUNT_MAX 256u /* the kernel has fewer than 64 */

/* --------------------------------------------------------------- features */
static int ethtool(const char *iface, void *request)
{
	struct ifreq wrapper = {.ifr_data = request};
	snprintf(wrapper.ifr_name, sizeof wrapper.ifr_name, "%s", iface);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = ioctl(fd, SIOCETHTOOL, &wrapper) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int count_features(const char *iface)
{
	_Alignas(struct ethtool_sset_info) uint8_t store[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = {0};
	struct ethtool_sset_info *info = (struct ethtool_sset_info *)store;
	uint32_t count;
	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ull << ETH_SS_FEATURES;
	int rc = ethtool(iface, info);
	if (rc)
		return rc;
	memcpy(&count, store + sizeof *info, sizeof count);
	return info->sset_mask && count <= FEATURE_COUNT_MAX ? (int)count : -EOPNOTSUPP;
}

/* Number of the bit, -ENOENT when this kernel has no such feature, or -errno. */
static int find_feature(const char *iface, const char *feature, unsigned *count)
{
	int rc = count_features(iface);
	if (rc < 0)
		return rc;
	*count = (unsigned)rc;
	struct ethtool_gstrings *names = calloc(1, sizeof *names + (size_t)*count * ETH_GSTRING_LEN);
	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = *count;
	rc = ethtool(iface, names);
	int found = -ENOENT;
	for (unsigned i = 0; rc == 0 && i < names->len && i < *count; i++)
		if (strncmp((const char *)names->data + i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN) == 0)
			found = (int)i;
	free(names);
	return rc ? rc : found;
}

static int is_active(const char *iface, unsigned bit, unsigned count)
{
	size_t blocks = (count + 31) / 32;
	struct ethtool_gfeatures *get = calloc(1, sizeof *get + blocks * sizeof get->features[0]);
	if (!get)
		return -ENOMEM;
	get->cmd = ETHTOOL_GFEATURES;
	get->size = (uint32_t)blocks;
	int rc = ethtool(iface, get);
	if (rc == 0)
		rc = get->features[bit / 32].active >> bit % 32 & 1;
	free(get);
	return rc;
}

int iface_feature(const char *iface, const char *feature)
{
	unsigned count;
	int bit = find_feature(iface, feature, &count);
	if (bit < 0)
		return bit == -ENOENT ? 0 : bit;
	return is_active(iface, (unsigned)bit, count);
}

int iface_feature_off(const char *iface, const char *feature)
{
	unsigned count;
	int bit = find_feature(iface, feature, &count);
	if (bit < 0)
		return bit == -ENOENT ? 0 : bit;
	int rc = is_active(iface, (unsigned)bit, count);
	if (rc <= 0)
		return rc;
	size_t blocks = (count + 31) / 32;
	struct ethtool_sfeatures *set = calloc(1, sizeof *set + blocks * sizeof set->features[0]);
	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = (uint32_t)blocks;
	set->features[bit / 32].valid = 1u << bit % 32; /* requested stays 0 */
	(void)ethtool(iface, set);                      /* what is in effect afterwards counts */
	free(set);
	return is_active(iface, (unsigned)bit, count);
}

/* ------------------------------------------------------------------ links */
/* The attribute at *at of a list that ends at end, or NULL; *at moves behind it. */
static const struct rtattr *next_attribute(const uint8_t **at, const uint8_t *end)
{
	const struct rtattr *attribute = (const struct rtattr *)*at;
	if ((size_t)(end - *at) < sizeof *attribute || attribute->rta_len < sizeof *attribute ||
	    (size_t)(end - *at) < attribute->rta_len)
		return NULL;
	size_t stride = ((size_t)attribute->rta_len + 3) & ~(size_t)3;
	*at += stride < (size_t)(end - *at) ? stride : (size_t)(end - *at);
	return attribute;
}

static void read_kind(const uint8_t *at, const uint8_t *end, struct iface_link *link)
{
	for (const struct rtattr *found; (found = next_attribute(&at, end));)
		if (found->rta_type == IFLA_INFO_KIND)
			snprintf(link->kind, sizeof link->kind, "%.*s", (int)(found->rta_len - sizeof *found),
				 (const char *)(found + 1));
}

static void read_link(const struct nlmsghdr *header, int ifindex, struct iface_link *link)
{
	const uint8_t *end = (const uint8_t *)header + header->nlmsg_len;
	const uint8_t *at = (const uint8_t *)header + NLMSG_SPACE(sizeof(struct ifinfomsg));
	for (const struct rtattr *found; at < end && (found = next_attribute(&at, end));) {
		const uint8_t *value = (const uint8_t *)(found + 1),
			      *value_end = (const uint8_t *)found + found->rta_len;
		size_t bytes = (size_t)(value_end - value);
		if (found->rta_type == IFLA_LINK && bytes >= sizeof(int))
			memcpy(&link->other_index, value, sizeof(int));
		else if (found->rta_type == IFLA_LINK_NETNSID)
			link->other_elsewhere = true;
		else if ((found->rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO)
			read_kind(value, value_end, link);
		else if (found->rta_type == IFLA_STATS64 && bytes >= offsetof(struct rtnl_link_stats64, tx_packets))
			memcpy(&link->rx_frames, value + offsetof(struct rtnl_link_stats64, rx_packets),
			       sizeof link->rx_frames);
	}
	if (link->other_index == ifindex && !link->other_elsewhere)
		link->other_index = 0;
}

/* One request, one answer into buffer; its length or -errno. */
static ssize_t ask_link(int ifindex, void *buffer, size_t bytes)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg message;
	} request = {.header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
		     .message = {.ifi_index = ifindex}};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	ssize_t got = send(fd, &request, sizeof request, 0);
	if (got >= 0)
		got = recv(fd, buffer, bytes, 0);
	if (got < 0)
		got = -errno;
	close(fd);
	return got;
}

int iface_link(int ifindex, struct iface_link *link)
{
	_Alignas(struct nlmsghdr) char buffer[32768]; /* an interface with many virtual functions has much to tell */
	memset(link, 0, sizeof *link);
	ssize_t got = ask_link(ifindex, buffer, sizeof buffer);
	if (got < 0)
		return (int)got;
	struct nlmsghdr *header = (struct nlmsghdr *)buffer;
	if (!NLMSG_OK(header, (size_t)got))
		return -EBADMSG;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	read_link(header, ifindex, link);
	return 0;
}

bool iface_veth_peer(int ifindex, char peer[IFNAMSIZ])
{
	struct iface_link link, back;
	return iface_link(ifindex, &link) == 0 && strcmp(link.kind, "veth") == 0 && link.other_index &&
	       !link.other_elsewhere && if_indextoname((unsigned)link.other_index, peer) &&
	       iface_link(link.other_index, &back) == 0 && back.other_index == ifindex && !back.other_elsewhere;
}

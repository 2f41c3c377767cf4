/* SPDX-License-Identifier: BSD-3-Clause */
/* See tags.h. */
#include "port/tags.h"

#include <stdio.h>
#include <string.h>

#include "port/offload.h"

typedef int feature_fn(const char *iface, const char *feature);

static const char *const rx_features[] = {FEATURE_RX_VLAN, FEATURE_RX_STAG};
static const char *const tx_features[] = {FEATURE_TX_VLAN, FEATURE_TX_STAG};

/* Both are off, as far as look says. */
static bool are_off(const char *iface, const char *const features[2], feature_fn *look, char *why, size_t why_bytes)
{
	for (unsigned i = 0; i < 2; i++) {
		if (look(iface, features[i]) == 0)
			continue;
		snprintf(why, why_bytes, "%s of %s is on: ethtool -K %s %s off", features[i], iface, iface,
			 features[i]);
		return false;
	}
	return true;
}

static bool judge(const char *iface, int ifindex, feature_fn *look, char *why, size_t why_bytes)
{
	struct iface_link link;
	char peer[IFNAMSIZ];
	if (iface_link(ifindex, &link)) {
		snprintf(why, why_bytes, "the kernel does not say what %s is", iface);
		return false;
	}
	if (link.kind[0] == '\0' || strcmp(link.kind, "tun") == 0) /* what is written to a tun is the whole frame */
		return are_off(iface, rx_features, look, why, why_bytes);
	if (strcmp(link.kind, "veth") != 0) {
		snprintf(why, why_bytes, "%s is a %s: give the port the interface below it", iface, link.kind);
		return false;
	}
	if (iface_veth_peer(ifindex, peer))
		return are_off(peer, tx_features, look, why, why_bytes);
	snprintf(why, why_bytes,
		 "the other end of %s is in another network namespace, where its %s and %s cannot be looked at: use "
		 "af_packet",
		 iface, FEATURE_TX_VLAN, FEATURE_TX_STAG);
	return false;
}

bool tags_keep(const char *iface, int ifindex, char *why, size_t why_bytes)
{
	return judge(iface, ifindex, iface_feature_off, why, why_bytes);
}

bool tags_are_kept(const char *iface, int ifindex, char *why, size_t why_bytes)
{
	return judge(iface, ifindex, iface_feature, why, why_bytes);
}

bool tags_unfilter(const char *iface)
{
	return iface_feature_off(iface, FEATURE_RX_VLAN_FILTER) <= 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* See ktap.h. */
#include "port/ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "port/iface.h"

#define PREFIX "wherry-"
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define ADDR_GEN_NONE "1" /* IN6_ADDR_GEN_MODE_NONE */

void ktap_name(const char *port_name, char name[KTAP_NAME_BYTES])
{
	const size_t room = KTAP_NAME_BYTES - 1 - PREFIX_BYTES;
	if (strlen(port_name) <= room) {
		snprintf(name, KTAP_NAME_BYTES, PREFIX "%s", port_name);
		return;
	}
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *c = port_name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	snprintf(name, KTAP_NAME_BYTES, PREFIX "%.*s%04x", (int)room - 4, port_name, (hash ^ hash >> 16) & 0xffff);
}

/*
 * IPv6 on the interface stays silent until an operator gives it an address: the
 * one that the kernel would make of the MAC is the appliance's, which has the
 * same MAC.  A kernel without IPv6 has no such file.
 */
static int silence_ipv6(const char *name)
{
	char path[96];
	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int rc = write(fd, ADDR_GEN_NONE, sizeof ADDR_GEN_NONE - 1) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int set_up(const char *name, const uint8_t mac[6], uint16_t mtu, const char **step)
{
	*step = "its MAC address cannot be set";
	int rc = iface_set_mac(name, mac);
	if (rc == 0) {
		*step = "its MTU cannot be set";
		rc = iface_set_mtu(name, mtu);
	}
	if (rc == 0) {
		*step = "its IPv6 addresses cannot be switched off";
		rc = silence_ipv6(name);
	}
	if (rc == 0) {
		*step = "it cannot be brought up";
		rc = iface_set_up(name);
	}
	return rc;
}

int ktap_open(const char *name, const uint8_t mac[6], uint16_t mtu, char *error, size_t error_bytes)
{
	const char *step = "/dev/net/tun cannot be opened (modprobe tun)";
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int rc = fd < 0 ? -errno : 0;
	if (rc == 0) {
		step = "it cannot be made";
		snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
		rc = ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : 0;
	}
	if (rc == 0) {
		ktap_set_carrier(fd, false);
		rc = set_up(name, mac, mtu, &step);
	}
	if (rc == 0)
		return fd;
	snprintf(error, error_bytes, "%s: %s%s", step, strerror(-rc),
		 rc == -EBUSY ? "; another program has an interface of this name" : "");
	if (fd >= 0)
		close(fd);
	return rc;
}

void ktap_set_carrier(int fd, bool up)
{
	int carrier = up;
	/* Kernels before 5.0 cannot: there the interface always seems connected. */
	(void)ioctl(fd, TUNSETCARRIER, &carrier);
}

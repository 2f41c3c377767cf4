/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's interface beside a port: a tap that carries what the appliance
 * leaves to the kernel (lcore/punt.h).  It has the port's address and MTU, no IP
 * of its own accord, and goes away with its descriptor.
 *
 * It is opened straight from /dev/net/tun, not as a device of DPDK: after that
 * nothing but read and write happens on one descriptor, which takes no
 * privilege, no thread and no signal; DPDK's tap driver wakes its queues by
 * SIGIO and wants CAP_NET_ADMIN to close, virtio_user starts a vhost thread of
 * the kernel's.  Speed is not the point: what goes here is rate-limited.
 *
 * Main lcore; opening needs CAP_NET_ADMIN.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KTAP_NAME_BYTES 16u /* of an interface, its end included */

/*
 * What the interface of a port is called: "wherry-PORT"; a longer name than fits
 * is cut, and four hex digits of its hash tell such names apart.  Pure.
 */
void ktap_name(const char *port_name, char name[KTAP_NAME_BYTES]);

/*
 * Make the interface and bring it up, without a carrier.  One of this name that
 * somebody has made persistent before is used, and keeps the addresses that it
 * has.  A descriptor, non-blocking, one frame for each read and write; or -errno
 * with a sentence in error.
 */
int ktap_open(const char *name, const uint8_t mac[6], uint16_t mtu, char *error, size_t error_bytes);

/* The carrier follows the port's link. */
void ktap_set_carrier(int fd, bool up);

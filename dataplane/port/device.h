/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device strings: what an operator writes to name the device of a port.
 *
 *   pci:DDDD:BB:DD.F        a PCI function bound to vfio-pci
 *   af_xdp:IFACE            a kernel interface by AF_XDP sockets
 *   af_packet:IFACE         a kernel interface by AF_PACKET rings
 *   tap:IFACE               a kernel tap interface, created unless it is there
 *   memif:/PATH[,role=server|client][,id=N][,queues=N]   shared memory; server, 0 and 1 when not given
 *
 * Pure: parsing and the driver arguments that come of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum port_kind { PORT_PCI, PORT_AF_XDP, PORT_AF_PACKET, PORT_TAP, PORT_MEMIF, PORT_KIND_COUNT };

#define PORT_IFACE_BYTES_MAX 15u /* as the kernel has it */
#define PORT_SOCKET_BYTES_MAX 107u
#define PORT_MEMIF_QUEUE_COUNT_MAX 16u

struct port_device {
	enum port_kind kind;
	char target[PORT_SOCKET_BYTES_MAX + 1]; /* PCI address, interface or socket path */
	bool memif_client;
	uint32_t memif_id;
	unsigned memif_queue_count;
};

/* "pci", "af_xdp", ... */
const char *port_kind_name(enum port_kind kind);

/* 0, or -EINVAL with a sentence in error. */
int port_device_parse(const char *text, struct port_device *device, char *error, size_t error_bytes);

/* The device is an interface of the kernel, whose link and MTU the kernel knows. */
static inline bool port_kind_has_iface(enum port_kind kind)
{
	return kind == PORT_AF_XDP || kind == PORT_AF_PACKET || kind == PORT_TAP;
}

/*
 * A locally administered MAC address that depends on the device alone, for
 * devices that have none of their own: it must survive a restart, because
 * clients remember it.
 */
void port_device_mac(const struct port_device *device, uint8_t mac[6]);

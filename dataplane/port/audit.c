/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can go wrong with a port while it serves and shows in no error: AF_XDP
 * that receives nothing although its interface does, VLAN tags that are taken off
 * again, and a device that has come back.  Main lcore, once a second.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "port/iface.h"
#include "port/offload.h"
#include "port/priv.h"
#include "port/tags.h"

#define DEAF_FRAMES 8u      /* that many of the interface, none of them ours: no accident */
#define DEAF_ROUNDS_MIN 3u  /* in so many audits, for what is only on its way */
#define DEAF_ROUNDS_MAX 30u /* and within so many, for what some NICs count and keep to themselves */

static void append(char *text, size_t bytes, const char *more)
{
	size_t len = strlen(text);
	if (*more)
		snprintf(text + len, bytes - len, "%s%s", len ? "; " : "", more);
}

static void start_window(struct port_audit *audit, uint64_t iface_frames)
{
	audit->iface_frames = iface_frames;
	audit->rounds = audit->active_rounds = 0;
}

/* Frames that the driver has seen, whatever became of them. */
static uint64_t frames_seen(const struct port *port)
{
	return port->last_stats[WHERRY_PORT_rx_frames] + port->last_stats[WHERRY_PORT_rx_missed] +
	       port->last_stats[WHERRY_PORT_rx_errors] + port->last_stats[WHERRY_PORT_rx_no_buffer];
}

static void check_deaf(struct port *port)
{
	struct port_audit *audit = &port->audit;
	struct iface_link link;
	if (iface_link(port->ifindex, &link))
		return;
	port_refresh_stats(port);
	uint64_t seen = frames_seen(port);
	if (seen != audit->port_frames || !audit->begun) {
		audit->port_frames = seen;
		audit->begun = true;
		audit->deaf[0] = '\0';
		audit->last_iface_frames = link.rx_frames;
		start_window(audit, link.rx_frames);
		return;
	}
	audit->rounds++;
	audit->active_rounds += link.rx_frames != audit->last_iface_frames;
	audit->last_iface_frames = link.rx_frames;
	uint64_t frames = link.rx_frames - audit->iface_frames;
	if (frames >= DEAF_FRAMES && audit->active_rounds >= DEAF_ROUNDS_MIN && !audit->deaf[0])
		snprintf(audit->deaf, sizeof audit->deaf,
			 "receives nothing: %s took in %" PRIu64 " frames in %u s, and none reached AF_XDP: restart "
			 "the dataplane, or use af_packet",
			 port->device.target, frames, audit->rounds);
	else if (audit->rounds >= DEAF_ROUNDS_MAX)
		start_window(audit, link.rx_frames);
}

/* Somebody may have switched back on what the start switched off. */
static void check_tags(struct port *port)
{
	char why[256];
	port->audit.tags[0] = '\0';
	if (port->tags_kept && !tags_are_kept(port->device.target, port->ifindex, why, sizeof why))
		snprintf(port->audit.tags, sizeof port->audit.tags,
			 "frames of VLANs are taken for untagged ones, because %s", why);
}

bool audit_port(struct port *port)
{
	char before[sizeof port->audit.trouble];
	if (port->device.kind != PORT_AF_XDP)
		return false;
	memcpy(before, port->audit.trouble, sizeof before);
	check_deaf(port);
	check_tags(port);
	port->audit.trouble[0] = '\0';
	append(port->audit.trouble, sizeof port->audit.trouble, port->audit.deaf);
	append(port->audit.trouble, sizeof port->audit.trouble, port->audit.tags);
	return strcmp(before, port->audit.trouble) != 0;
}

/* ------------------------------------------------------------ coming back */
/* The driver that a PCI function is bound to, "" when there is none or no function. */
static void pci_driver(const char *address, char driver[WHERRY_NAME_BYTES_MAX + 1])
{
	char path[64 + WHERRY_TEXT_BYTES_MAX], target[512];
	snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/driver", address);
	ssize_t len = readlink(path, target, sizeof target - 1);
	target[len < 0 ? 0 : len] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(driver, WHERRY_NAME_BYTES_MAX + 1, "%.*s", (int)WHERRY_NAME_BYTES_MAX, slash ? slash + 1 : target);
}

void audit_note_absent(struct port *port)
{
	struct iface_info info;
	if (port->device.kind == PORT_PCI)
		pci_driver(port->device.target, port->audit.pci_driver);
	else if (!port_kind_has_iface(port->device.kind) ||
		 (!port->started && iface_get(port->device.target, &info) == 0))
		return; /* it is there, and was refused for another reason */
	port->audit.is_absent = true;
}

bool audit_has_returned(struct port *port)
{
	struct port_audit *audit = &port->audit;
	char driver[WHERRY_NAME_BYTES_MAX + 1];
	struct iface_info info;
	if (!audit->is_absent)
		return false;
	if (port->device.kind == PORT_PCI) {
		/* Bound to the same driver all the time, it would be refused again. */
		pci_driver(port->device.target, driver);
		bool is_new = driver[0] && strcmp(driver, audit->pci_driver) != 0;
		memcpy(audit->pci_driver, driver, sizeof driver);
		if (!is_new)
			return false;
	} else if (iface_get(port->device.target, &info)) {
		return false;
	}
	audit->is_absent = false;
	audit->has_returned = true;
	return true;
}

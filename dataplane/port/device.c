/* SPDX-License-Identifier: BSD-3-Clause */
/* See device.h. */
#include "port/device.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[PORT_KIND_COUNT] = {
	[PORT_PCI] = "pci", [PORT_AF_XDP] = "af_xdp", [PORT_AF_PACKET] = "af_packet",
	[PORT_TAP] = "tap", [PORT_MEMIF] = "memif",
};

const char *port_kind_name(enum port_kind kind)
{
	return (unsigned)kind < PORT_KIND_COUNT ? kind_names[kind] : "unknown";
}

static bool pci_address_is_valid(const char *text)
{
	static const char pattern[] = "hhhh:hh:hh.o"; /* h: hexadecimal, o: octal digit */
	size_t len = sizeof pattern - 1;
	if (strlen(text) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool ok = pattern[i] == 'h'   ? isxdigit((unsigned char)text[i]) != 0
			  : pattern[i] == 'o' ? text[i] >= '0' && text[i] <= '7'
					      : text[i] == pattern[i];
		if (!ok)
			return false;
	}
	return true;
}

/* What the kernel takes, less what would mean something in a driver's arguments. */
static bool iface_is_valid(const char *text)
{
	size_t len = strlen(text);
	if (len == 0 || len > PORT_IFACE_BYTES_MAX || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]) || strchr("/:,=\"'[]", text[i]))
			return false;
	return true;
}

static bool number_is_valid(const char *text, unsigned long max, unsigned long *value)
{
	char *end;
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *value <= max;
}

static int memif_option(char *option, struct port_device *device, char *error, size_t error_bytes)
{
	unsigned long value = 0;
	char *equals = strchr(option, '=');
	const char *text = equals ? equals + 1 : "";
	if (equals)
		*equals = '\0';
	if (strcmp(option, "role") == 0 && (strcmp(text, "server") == 0 || strcmp(text, "client") == 0)) {
		device->memif_client = strcmp(text, "client") == 0;
	} else if (strcmp(option, "id") == 0 && number_is_valid(text, UINT32_MAX, &value)) {
		device->memif_id = (uint32_t)value;
	} else if (strcmp(option, "queues") == 0 && number_is_valid(text, PORT_MEMIF_QUEUE_COUNT_MAX, &value) &&
		   value > 0) {
		device->memif_queue_count = (unsigned)value;
	} else {
		snprintf(error, error_bytes,
			 "memif option \"%s%s%s\" is not valid: role=server|client, id=N and queues=1..%u are", option,
			 equals ? "=" : "", text, PORT_MEMIF_QUEUE_COUNT_MAX);
		return -EINVAL;
	}
	return 0;
}

static int parse_memif(char *text, struct port_device *device, char *error, size_t error_bytes)
{
	char *path = strsep(&text, ",");
	if (path[0] != '/' || strlen(path) > PORT_SOCKET_BYTES_MAX || strpbrk(path, "=\"'[]")) {
		snprintf(error, error_bytes,
			 "memif needs the absolute path of a socket, at most %u bytes, e.g. "
			 "memif:/run/wherry/memif.sock,role=server,id=0",
			 PORT_SOCKET_BYTES_MAX);
		return -EINVAL;
	}
	snprintf(device->target, sizeof device->target, "%s", path);
	device->memif_queue_count = 1;
	for (char *option; (option = strsep(&text, ","));) {
		int rc = memif_option(option, device, error, error_bytes);
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_target(char *target, struct port_device *device, char *error, size_t error_bytes)
{
	if (device->kind == PORT_MEMIF)
		return parse_memif(target, device, error, error_bytes);
	bool valid = device->kind == PORT_PCI ? pci_address_is_valid(target) : iface_is_valid(target);
	if (!valid) {
		snprintf(error, error_bytes,
			 device->kind == PORT_PCI ? "\"%s\" is not a PCI address: write it whole, e.g. pci:0000:01:00.0"
						  : "\"%s\" is not an interface name: 1 to 15 characters, none of / : "
						    ", = quotes or brackets",
			 target);
		return -EINVAL;
	}
	snprintf(device->target, sizeof device->target, "%s", target);
	return 0;
}

int port_device_parse(const char *text, struct port_device *device, char *error, size_t error_bytes)
{
	memset(device, 0, sizeof *device);
	const char *colon = strchr(text, ':');
	size_t kind_len = colon ? (size_t)(colon - text) : 0;
	for (unsigned kind = 0; colon && kind < PORT_KIND_COUNT; kind++) {
		if (strlen(kind_names[kind]) != kind_len || strncmp(kind_names[kind], text, kind_len) != 0)
			continue;
		device->kind = (enum port_kind)kind;
		char *target = strdup(colon + 1);
		if (!target) {
			snprintf(error, error_bytes, "out of memory");
			return -ENOMEM;
		}
		int rc = parse_target(target, device, error, error_bytes);
		free(target);
		return rc;
	}
	snprintf(error, error_bytes,
		 "device \"%s\" is of no known kind: pci:ADDRESS, af_xdp:IFACE, af_packet:IFACE, tap:IFACE or "
		 "memif:/PATH",
		 text);
	return -EINVAL;
}

void port_device_mac(const struct port_device *device, uint8_t mac[6])
{
	char text[sizeof device->target + 64];
	snprintf(text, sizeof text, "%s:%s,%d,%u", port_kind_name(device->kind), device->target, device->memif_client,
		 device->memif_id);
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
	for (const char *at = text; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3ull;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Check: the network device that carries the operator's ssh session stays the
 * kernel's.  The session is found in SSH_CONNECTION, or, as sudo drops that, in
 * the table of TCP connections; its device by the route to the other end.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

#define SSH_PORT 22
#define TCP_ESTABLISHED_STATE 1
#define ROUTE_UP 1u
#define PEER_COUNT_MAX 64
#define LOWER_DEPTH_MAX 4

struct peer {
	bool v6;
	uint8_t b[16]; /* network order; 4 bytes for IPv4 */
};

/* IPv4 inside IPv6 becomes plain IPv4, so that the right table is searched. */
static void unmap(struct peer *peer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (peer->v6 && !memcmp(peer->b, mapped, sizeof(mapped))) {
		memmove(peer->b, peer->b + 12, 4);
		peer->v6 = false;
	}
}

static bool parse_peer(const char *text, struct peer *peer)
{
	char address[64];
	(void)snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, " %"), text);
	peer->v6 = strchr(address, ':') != NULL;
	bool good = inet_pton(peer->v6 ? AF_INET6 : AF_INET, address, peer->b) == 1;
	unmap(peer);
	return good;
}

/* Hexadecimal words of 32 bits as the kernel prints them: each in the machine's order. */
static bool parse_words(const char *text, unsigned words, uint8_t *to)
{
	for (unsigned i = 0; i < words; i++) {
		char digits[9], *end;
		(void)snprintf(digits, sizeof(digits), "%.8s", text + (size_t)i * 8);
		uint32_t word = (uint32_t)strtoul(digits, &end, 16);
		if (end != digits + 8)
			return false;
		memcpy(to + (size_t)i * 4, &word, 4);
	}
	return true;
}

/* The far ends of connections to the ssh port. */
static unsigned connected_peers(const struct doctor *doctor, const char *table, struct peer *peers, unsigned max)
{
	char path[DOCTOR_PATH_BYTES], *line = NULL;
	size_t capacity = 0;
	unsigned count = 0;
	FILE *from = fopen(doctor_path(doctor, path, sizeof(path), "%s", table), "re");
	while (from && count < max && getline(&line, &capacity, from) > 0) {
		char local[48], remote[48];
		unsigned state;
		if (sscanf(line, "%*s %47s %47s %x", local, remote, &state) != 3 || state != TCP_ESTABLISHED_STATE)
			continue;
		const char *port = strchr(local, ':'), *end = strchr(remote, ':');
		if (!port || !end || strtoul(port + 1, NULL, 16) != SSH_PORT)
			continue;
		struct peer *peer = &peers[count];
		peer->v6 = end - remote == 32;
		if ((end - remote != 32 && end - remote != 8) || !parse_words(remote, peer->v6 ? 4 : 1, peer->b))
			continue;
		unmap(peer);
		count++;
	}
	free(line);
	if (from)
		(void)fclose(from);
	return count;
}

static bool prefix_matches(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8))
		return false;
	uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

/* One line of a routing table: interface and prefix length when it leads to the peer, else -1. */
static int match_route_v4(const char *line, const struct peer *peer, char interface[32])
{
	char destination[16], mask[16];
	uint8_t to[4], bits[4];
	unsigned flags;
	if (sscanf(line, "%31s %15s %*s %x %*s %*s %*s %15s", interface, destination, &flags, mask) != 4 ||
	    !(flags & ROUTE_UP) || !parse_words(destination, 1, to) || !parse_words(mask, 1, bits))
		return -1;
	uint32_t word;
	memcpy(&word, bits, 4);
	int length = __builtin_popcount(word);
	return prefix_matches(to, peer->b, (unsigned)length) ? length : -1;
}

static int match_route_v6(const char *line, const struct peer *peer, char interface[32])
{
	char destination[40];
	unsigned length, flags;
	uint8_t to[16];
	if (sscanf(line, "%39s %x %*s %*s %*s %*s %*s %*s %x %31s", destination, &length, &flags, interface) != 4 ||
	    !(flags & ROUTE_UP) || strlen(destination) != 32 || length > 128)
		return -1;
	for (unsigned i = 0; i < 16; i++) {
		char digits[3] = {destination[2 * i], destination[2 * i + 1], 0};
		to[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return prefix_matches(to, peer->b, length) ? (int)length : -1;
}

/* The interface of the most specific route.  Whether there is one. */
static bool route_to(const struct doctor *doctor, const struct peer *peer, char to[32])
{
	char path[DOCTOR_PATH_BYTES], interface[32], *line = NULL;
	size_t capacity = 0;
	int best = -1;
	FILE *from =
		fopen(doctor_path(doctor, path, sizeof(path), "/proc/net/%s", peer->v6 ? "ipv6_route" : "route"), "re");
	while (from && getline(&line, &capacity, from) > 0) {
		int length = peer->v6 ? match_route_v6(line, peer, interface) : match_route_v4(line, peer, interface);
		if (length > best) {
			best = length;
			memcpy(to, interface, sizeof(interface));
		}
	}
	free(line);
	if (from)
		(void)fclose(from);
	return best >= 0;
}

static void add_with_lower(const struct doctor *doctor, json_t *to, const char *interface, unsigned depth)
{
	for (size_t i = 0; i < json_array_size(to); i++)
		if (!strcmp(json_string_value(json_array_get(to, i)), interface))
			return;
	json_array_append_new(to, json_string(interface));
	json_t *entries = doctor_list(doctor, "/sys/class/net/%s", interface);
	for (size_t i = 0; depth < LOWER_DEPTH_MAX && i < json_array_size(entries); i++) {
		const char *name = json_string_value(json_array_get(entries, i));
		if (name && !strncmp(name, "lower_", 6))
			add_with_lower(doctor, to, name + 6, depth + 1);
	}
	json_decref(entries);
}

json_t *doctor_ssh_interfaces(const struct doctor *doctor)
{
	struct peer peers[PEER_COUNT_MAX];
	unsigned count = 0;
	json_t *interfaces = json_array();
	if (doctor->ssh_connection && parse_peer(doctor->ssh_connection, &peers[0])) {
		count = 1;
	} else {
		count = connected_peers(doctor, "/proc/net/tcp", peers, PEER_COUNT_MAX);
		count += connected_peers(doctor, "/proc/net/tcp6", peers + count, PEER_COUNT_MAX - count);
	}
	for (unsigned i = 0; i < count; i++) {
		char interface[32];
		if (route_to(doctor, &peers[i], interface) && strcmp(interface, "lo"))
			add_with_lower(doctor, interfaces, interface, 0);
	}
	return interfaces;
}

/* The port that takes the interface away from the kernel, or NULL. */
static const json_t *port_on(const struct doctor *doctor, const char *interface, const char *address)
{
	for (size_t i = 0; i < json_array_size(doctor->ports); i++) {
		const json_t *port = json_array_get(doctor->ports, i);
		const char *pci = doctor_port_device(port, "pci"), *xdp = doctor_port_device(port, "af_xdp");
		if ((pci && *address && !strcmp(pci, address)) || (xdp && !strcmp(xdp, interface)))
			return port;
	}
	return NULL;
}

/* A device of the dataplane in the same IOMMU group: taking the group takes the session's device. */
static bool group_is_shared(const struct doctor *doctor, const char *address, char other[DOCTOR_PCI_BYTES])
{
	char group[32], driver[64];
	bool shared = false;
	if (!*address ||
	    !doctor_link_name(doctor, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", address))
		return false;
	json_t *members = doctor_list(doctor, "/sys/kernel/iommu_groups/%s/devices", group);
	for (size_t i = 0; i < json_array_size(members) && !shared; i++) {
		const char *member = json_string_value(json_array_get(members, i));
		bool ours = !strcmp(doctor_pci_driver(doctor, member, driver, sizeof(driver)), "vfio-pci");
		for (size_t p = 0; p < json_array_size(doctor->ports) && !ours; p++) {
			const char *pci = doctor_port_device(json_array_get(doctor->ports, p), "pci");
			ours = pci && !strcmp(pci, member);
		}
		shared = ours && strcmp(member, address);
		if (shared)
			(void)snprintf(other, DOCTOR_PCI_BYTES, "%.15s", member);
	}
	json_decref(members);
	return shared;
}

void doctor_check_ssh(struct doctor *doctor)
{
	json_t *interfaces = doctor_ssh_interfaces(doctor);
	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const char *interface = json_string_value(json_array_get(interfaces, i));
		char address[DOCTOR_PCI_BYTES], other[DOCTOR_PCI_BYTES];
		doctor_nic_pci(doctor, interface, address);
		const json_t *port = port_on(doctor, interface, address);
		if (port)
			doctor_add(doctor, DOCTOR_ERROR, "ssh", interface,
				   "serve on another device: this one would end the session and lock you out",
				   "carries an ssh session, and port %s takes it from the kernel",
				   doctor_text(port, "name"));
		else if (group_is_shared(doctor, address, other))
			doctor_add(doctor, DOCTOR_ERROR, "ssh", interface,
				   "serve on a device in another IOMMU group, or put one card into another slot",
				   "carries an ssh session, and is in the same IOMMU group as %s of the dataplane",
				   other);
		else
			doctor_add(doctor, DOCTOR_OK, "ssh", interface, NULL,
				   "carries an ssh session; never give it to the dataplane");
	}
	json_decref(interfaces);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks: IOMMU, vfio-pci, whole IOMMU groups, network devices. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

#define CLASS_NETWORK 0x02
#define CLASS_BRIDGE 0x06
#define NAMES_BYTES 512

/* Something a pci port cannot do without, and nobody else needs. */
static enum doctor_level level_for_pci(const struct doctor *doctor)
{
	return doctor_has_port_kind(doctor, "pci") ? DOCTOR_ERROR : DOCTOR_WARNING;
}

/* Upper byte of the class of a PCI device. */
static int64_t pci_class(const struct doctor *doctor, const char *address)
{
	char text[32];
	if (!doctor_read(doctor, text, sizeof(text), "/sys/bus/pci/devices/%s/class", address))
		return -1;
	return strtoll(text, NULL, 16) >> 16;
}

/* Append ", text"; what does not fit is left out. */
static void append(char *list, const char *text)
{
	size_t used = strlen(list);
	(void)snprintf(list + used, NAMES_BYTES - used, "%s%s", used ? ", " : "", text);
}

void doctor_check_iommu(struct doctor *doctor)
{
	json_t *groups = doctor_list(doctor, "/sys/kernel/iommu_groups");
	size_t count = json_array_size(groups);
	char vendor[64], value[64], unsafe[8];
	bool amd = doctor_find_line(doctor, "/proc/cpuinfo", "vendor_id", vendor, sizeof(vendor)) &&
		   strstr(vendor, "AuthenticAMD");
	json_decref(groups);
	if (doctor_read(doctor, unsafe, sizeof(unsafe), "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") &&
	    unsafe[0] == 'Y')
		doctor_add(doctor, DOCTOR_WARNING, "iommu", "vfio",
			   "turn the IOMMU on and write N to /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			   "runs without IOMMU protection: a device may write anywhere in memory");
	if (!count) {
		doctor_add(doctor, level_for_pci(doctor), "iommu", "IOMMU",
			   amd ? "turn AMD-Vi on in the firmware; the kernel then uses it (unless amd_iommu=off)"
			       : "turn VT-d on in the firmware and start the kernel with intel_iommu=on iommu=pt",
			   "off%s: pci ports cannot be used safely; af_xdp and af_packet ports do not need it",
			   doctor_kernel_arg(doctor, amd ? "amd_iommu" : "intel_iommu", value, sizeof(value))
				   ? ", although the kernel was told to use it"
				   : "");
		return;
	}
	if (doctor_kernel_arg(doctor, "iommu", value, sizeof(value)) && !strcmp(value, "pt"))
		doctor_add(doctor, DOCTOR_OK, "iommu", "IOMMU", NULL, "on with %zu groups, pass-through for the host",
			   count);
	else
		doctor_add(doctor, DOCTOR_WARNING, "iommu", "IOMMU", "start the kernel with iommu=pt",
			   "on with %zu groups, but the host's own devices are translated too and lose speed", count);
}

void doctor_check_vfio(struct doctor *doctor)
{
	if (!doctor_exists(doctor, "/sys/bus/pci/drivers/vfio-pci")) {
		doctor_add(doctor, level_for_pci(doctor), "vfio", "vfio-pci", "modprobe vfio-pci",
			   "driver is not there: no device can be given to the dataplane");
		return;
	}
	json_t *entries = doctor_list(doctor, "/sys/bus/pci/drivers/vfio-pci");
	char bound[NAMES_BYTES] = "";
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const char *name = json_string_value(json_array_get(entries, i));
		if (strchr(name, ':'))
			append(bound, name);
	}
	json_decref(entries);
	doctor_add(doctor, DOCTOR_OK, "vfio", "vfio-pci", NULL, "there, bound: %s", *bound ? bound : "none");
	for (size_t i = 0; i < json_array_size(doctor->ports); i++) {
		const json_t *port = json_array_get(doctor->ports, i);
		const char *address = doctor_port_device(port, "pci");
		char driver[64], object[128];
		if (!address)
			continue;
		(void)snprintf(object, sizeof(object), "port %.63s", doctor_text(port, "name"));
		if (!doctor_exists(doctor, "/sys/bus/pci/devices/%s", address))
			doctor_add(doctor, DOCTOR_ERROR, "vfio", object, "check the slot and the address with lspci -D",
				   "PCI device %s is not there", address);
		else if (strcmp(doctor_pci_driver(doctor, address, driver, sizeof(driver)), "vfio-pci"))
			doctor_add(doctor, DOCTOR_ERROR, "vfio", object, "dpdk-devbind.py -b vfio-pci its address",
				   "PCI device %s is bound to %s, not to vfio-pci", address,
				   *driver ? driver : "nothing");
	}
}

/* Members of the group that keep it from being given away whole: neither bridge nor free nor bound to vfio. */
static void blocking_members(const struct doctor *doctor, const char *group, char list[NAMES_BYTES])
{
	json_t *members = doctor_list(doctor, "/sys/kernel/iommu_groups/%s/devices", group);
	list[0] = 0;
	for (size_t i = 0; i < json_array_size(members); i++) {
		const char *address = json_string_value(json_array_get(members, i));
		char driver[64], text[128];
		doctor_pci_driver(doctor, address, driver, sizeof(driver));
		bool harmless = !*driver || !strcmp(driver, "vfio-pci") || !strcmp(driver, "pci-stub") ||
				pci_class(doctor, address) == CLASS_BRIDGE;
		if (harmless)
			continue;
		(void)snprintf(text, sizeof(text), "%.31s (%s)", address, driver);
		append(list, text);
	}
	json_decref(members);
}

/* Devices that are, or are to be, the dataplane's: bound to vfio-pci, or named by a port. */
static bool is_ours(const struct doctor *doctor, const char *address)
{
	char driver[64];
	if (!strcmp(doctor_pci_driver(doctor, address, driver, sizeof(driver)), "vfio-pci"))
		return true;
	for (size_t i = 0; i < json_array_size(doctor->ports); i++) {
		const char *device = doctor_port_device(json_array_get(doctor->ports, i), "pci");
		if (device && !strcmp(device, address))
			return true;
	}
	return false;
}

void doctor_check_iommu_groups(struct doctor *doctor)
{
	json_t *devices = doctor_list(doctor, "/sys/bus/pci/devices");
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const char *address = json_string_value(json_array_get(devices, i));
		char group[32], blocking[NAMES_BYTES];
		if (!is_ours(doctor, address) ||
		    !doctor_link_name(doctor, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", address))
			continue;
		blocking_members(doctor, group, blocking);
		if (*blocking)
			doctor_add(doctor, DOCTOR_ERROR, "iommu-group", address,
				   "bind them to vfio-pci too, or put the card into another slot",
				   "IOMMU group %s can only be used as a whole, and the host still uses %s", group,
				   blocking);
		else
			doctor_add(doctor, DOCTOR_OK, "iommu-group", address, NULL,
				   "IOMMU group %s is free for the dataplane", group);
	}
	json_decref(devices);
}

static void check_interface(struct doctor *doctor, const char *name)
{
	char driver[64], address[DOCTOR_PCI_BYTES], state[32];
	if (!doctor_exists(doctor, "/sys/class/net/%s/device", name))
		return; /* virtual */
	(void)doctor_link_name(doctor, driver, sizeof(driver), "/sys/class/net/%s/device/driver", name);
	doctor_nic_pci(doctor, name, address);
	(void)doctor_read(doctor, state, sizeof(state), "/sys/class/net/%s/operstate", name);
	int64_t node = *address ? doctor_read_int(doctor, -1, "/sys/bus/pci/devices/%s/numa_node", address) : -1;
	int64_t mbps = doctor_read_int(doctor, 0, "/sys/class/net/%s/speed", name);
	char speed[48] = "", where[48] = "";
	if (mbps > 0)
		(void)snprintf(speed, sizeof(speed), " at %lld Mbit/s", (long long)mbps);
	if (node >= 0)
		(void)snprintf(where, sizeof(where), ", NUMA node %lld", (long long)node);
	doctor_add(doctor, DOCTOR_OK, "nic", name, NULL, "%s%s%s, driver %s, link %s%s%s", *address ? "PCI " : "",
		   *address ? address : "no PCI device", "", *driver ? driver : "unknown", *state ? state : "unknown",
		   speed, where);
}

void doctor_check_nics(struct doctor *doctor)
{
	json_t *interfaces = doctor_list(doctor, "/sys/class/net");
	for (size_t i = 0; i < json_array_size(interfaces); i++)
		check_interface(doctor, json_string_value(json_array_get(interfaces, i)));
	json_decref(interfaces);
	json_t *devices = doctor_list(doctor, "/sys/bus/pci/devices");
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const char *address = json_string_value(json_array_get(devices, i));
		char driver[64];
		doctor_pci_driver(doctor, address, driver, sizeof(driver));
		if (pci_class(doctor, address) != CLASS_NETWORK || (*driver && strcmp(driver, "vfio-pci")))
			continue;
		int64_t node = doctor_read_int(doctor, -1, "/sys/bus/pci/devices/%s/numa_node", address);
		doctor_add(doctor, DOCTOR_OK, "nic", address, NULL, "network device, driver %s, NUMA node %lld",
			   *driver ? driver : "none", (long long)node);
	}
	json_decref(devices);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings of doctor about PCI devices, IOMMU groups and the ssh session, on made-up trees. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "tree.h"

static struct tree tree;
static struct doctor doctor;
static json_t *ports;

static void setup(void)
{
	tree_create(&tree);
	doctor = (struct doctor){.root = tree.root, .state_dir = "/state", .findings = json_array()};
	ports = NULL;
}

static void teardown(void)
{
	tree_destroy(&tree);
	json_decref(doctor.findings);
	json_decref(ports);
}

TestSuite(cli_doctor_pci, .init = setup, .fini = teardown);

static void check(void (*one)(struct doctor *doctor))
{
	json_array_clear(doctor.findings);
	one(&doctor);
}

static bool found(const char *level, const char *object, const char *words)
{
	for (size_t i = 0; i < json_array_size(doctor.findings); i++) {
		const json_t *finding = json_array_get(doctor.findings, i);
		cr_expect_eq(*doctor_text(finding, "remedy") != 0, strcmp(doctor_text(finding, "level"), "ok") != 0,
			     "%s", doctor_text(finding, "message"));
		if (!strcmp(doctor_text(finding, "level"), level) && !strcmp(doctor_text(finding, "object"), object) &&
		    strstr(doctor_text(finding, "message"), words))
			return true;
	}
	return false;
}

#define EXPECT_FOUND(level, object, words)                                                                             \
	cr_expect(found(level, object, words), "%s", json_dumps(doctor.findings, JSON_INDENT(1)))
#define EXPECT_COUNT(count) cr_expect_eq(json_array_size(doctor.findings), count, "%s", json_dumps(doctor.findings, 0))

static void have_port(const char *name, const char *device)
{
	json_decref(ports);
	ports = json_pack("[{s:s, s:s}]", "name", name, "device", device);
	doctor.ports = ports;
}

Test(cli_doctor_pci, an_iommu_that_is_off_is_an_error_only_for_pci_ports)
{
	tree_write(&tree, "/proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
	tree_write(&tree, "/proc/cmdline", "quiet\n");
	check(doctor_check_iommu);
	EXPECT_FOUND("warning", "IOMMU", "off: pci ports");
	have_port("p", "pci:0000:01:00.0");
	tree_write(&tree, "/proc/cmdline", "quiet intel_iommu=on\n");
	check(doctor_check_iommu);
	EXPECT_FOUND("error", "IOMMU", "off, although the kernel was told");
	tree_write(&tree, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	check(doctor_check_iommu);
	EXPECT_FOUND("warning", "vfio", "without IOMMU protection");
}

Test(cli_doctor_pci, the_remedy_for_a_missing_iommu_fits_the_vendor)
{
	tree_write(&tree, "/proc/cpuinfo", "vendor_id\t: AuthenticAMD\n");
	check(doctor_check_iommu);
	cr_expect(strstr(doctor_text(json_array_get(doctor.findings, 0), "remedy"), "AMD-Vi"));
	tree_write(&tree, "/proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
	check(doctor_check_iommu);
	cr_expect(strstr(doctor_text(json_array_get(doctor.findings, 0), "remedy"), "VT-d"));
}

Test(cli_doctor_pci, an_iommu_that_translates_for_the_host_costs_speed)
{
	tree_pci(&tree, "0000:01:00.0", "0x020000", NULL, "3");
	tree_write(&tree, "/proc/cmdline", "iommu=off iommu=pt quiet\n");
	check(doctor_check_iommu);
	EXPECT_FOUND("ok", "IOMMU", "on with 1 groups, pass-through");
	tree_write(&tree, "/proc/cmdline", "iommu=pt iommu=off\n");
	check(doctor_check_iommu);
	EXPECT_FOUND("warning", "IOMMU", "translated too");
}

Test(cli_doctor_pci, vfio_must_be_there_and_have_the_ports_devices)
{
	check(doctor_check_vfio);
	EXPECT_FOUND("warning", "vfio-pci", "driver is not there");
	have_port("p", "pci:0000:01:00.0");
	check(doctor_check_vfio);
	EXPECT_FOUND("error", "vfio-pci", "driver is not there");
	tree_pci(&tree, "0000:02:00.0", "0x020000", "vfio-pci", NULL);
	tree_write(&tree, "/sys/bus/pci/drivers/vfio-pci/new_id", "");
	check(doctor_check_vfio);
	EXPECT_FOUND("ok", "vfio-pci", "there, bound: 0000:02:00.0");
	EXPECT_FOUND("error", "port p", "PCI device 0000:01:00.0 is not there");
	tree_pci(&tree, "0000:01:00.0", "0x020000", "ixgbe", NULL);
	check(doctor_check_vfio);
	EXPECT_FOUND("error", "port p", "bound to ixgbe, not to vfio-pci");
	have_port("p", "pci:0000:02:00.0");
	check(doctor_check_vfio);
	EXPECT_COUNT(1);
}

Test(cli_doctor_pci, a_group_is_only_free_as_a_whole)
{
	tree_pci(&tree, "0000:00:01.0", "0x060400", "pcieport", "7");
	tree_pci(&tree, "0000:01:00.0", "0x020000", "vfio-pci", "7");
	tree_pci(&tree, "0000:01:00.2", "0x0c0330", NULL, "7");
	check(doctor_check_iommu_groups);
	EXPECT_FOUND("ok", "0000:01:00.0", "IOMMU group 7 is free");
	tree_pci(&tree, "0000:01:00.1", "0x020000", "ixgbe", "7");
	check(doctor_check_iommu_groups);
	EXPECT_FOUND("error", "0000:01:00.0", "the host still uses 0000:01:00.1 (ixgbe)");
	EXPECT_COUNT(1);
}

Test(cli_doctor_pci, a_device_that_a_port_names_is_judged_before_it_is_bound)
{
	tree_pci(&tree, "0000:01:00.0", "0x020000", "ixgbe", "7");
	check(doctor_check_iommu_groups);
	EXPECT_COUNT(0);
	have_port("p", "pci:0000:01:00.0");
	check(doctor_check_iommu_groups);
	EXPECT_FOUND("error", "0000:01:00.0", "0000:01:00.0 (ixgbe)");
}

Test(cli_doctor_pci, network_devices_are_listed_with_driver_and_node)
{
	tree_pci(&tree, "0000:01:00.0", "0x020000", "ixgbe", NULL);
	tree_nic(&tree, "eth0", "0000:01:00.0");
	tree_pci(&tree, "0000:02:00.0", "0x020000", "vfio-pci", NULL);
	tree_pci(&tree, "0000:03:00.0", "0x010802", NULL, NULL);
	tree_dir(&tree, "/sys/class/net/lo");
	check(doctor_check_nics);
	EXPECT_FOUND("ok", "eth0", "PCI 0000:01:00.0, driver ixgbe, link up, NUMA node 0");
	EXPECT_FOUND("ok", "0000:02:00.0", "network device, driver vfio-pci, NUMA node 0");
	EXPECT_COUNT(2);
}

/* ------------------------------------------------------------------ ssh */
#define ROUTES                                                                                                         \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"                        \
	"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"                                                 \
	"br0\t000A0A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"                                                  \
	"eth9\t050A0A0A\t00000000\t0000\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"

/* The interfaces, joined by commas; static storage. */
static const char *carriers(void)
{
	static char text[128];
	json_t *list = doctor_ssh_interfaces(&doctor);
	text[0] = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "",
			       json_string_value(json_array_get(list, i)));
	}
	json_decref(list);
	return text;
}

Test(cli_doctor_pci, the_session_is_found_by_its_route)
{
	tree_write(&tree, "/proc/net/route", ROUTES);
	tree_write(&tree, "/proc/net/ipv6_route",
		   "20010db8000000010000000000000000 40 00000000000000000000000000000000 00 "
		   "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth6\n"
		   "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		   "fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n");
	static const struct {
		const char *connection, *interfaces;
	} cases[] = {
		{"192.0.2.7 50000 192.0.2.1 22", "eth0"},
		{"10.10.10.5 50000 10.10.10.1 22", "br0"},
		{"2001:db8:0:1::9 50000 2001:db8:0:1::1 22", "eth6"},
		{"2001:db8:0:2::9 50000 2001:db8:0:1::1 22", "eth0"},
		{"::ffff:10.10.10.5 1 ::ffff:10.10.10.1 22", "br0"},
		{"nonsense", ""},
		{NULL, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		doctor.ssh_connection = cases[i].connection;
		cr_expect_str_eq(carriers(), cases[i].interfaces, "%s: %s", cases[i].connection, carriers());
	}
}

Test(cli_doctor_pci, without_the_variable_the_connection_table_tells)
{
	tree_write(&tree, "/proc/net/route", ROUTES);
	/* 22 listening; 22 established with 10.10.10.5; 443 established with 192.0.2.9. */
	tree_write(&tree, "/proc/net/tcp",
		   "  sl  local_address rem_address   st tx_queue\n"
		   "   0: 00000000:0016 00000000:0000 0A 00000000:00000000\n"
		   "   1: 010A0A0A:0016 050A0A0A:C350 01 00000000:00000000\n"
		   "   2: 010200C0:01BB 090200C0:C350 01 00000000:00000000\n");
	cr_expect_str_eq(carriers(), "br0", "%s", carriers());
	tree_write(&tree, "/proc/net/tcp", "");
	tree_write(&tree, "/proc/net/tcp6",
		   "   0: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000090200C0:C350 01 0:0\n");
	cr_expect_str_eq(carriers(), "eth0", "%s", carriers());
}

Test(cli_doctor_pci, what_lies_below_a_bridge_or_vlan_carries_the_session_too)
{
	tree_write(&tree, "/proc/net/route", ROUTES);
	tree_link(&tree, "/sys/class/net/br0/lower_bond0.20", "../bond0.20");
	tree_link(&tree, "/sys/class/net/bond0.20/lower_bond0", "../bond0");
	tree_link(&tree, "/sys/class/net/bond0/lower_eth3", "../eth3");
	tree_link(&tree, "/sys/class/net/bond0/lower_br0", "../br0"); /* a loop must end */
	doctor.ssh_connection = "10.10.10.5 1 10.10.10.1 22";
	cr_expect_str_eq(carriers(), "br0,bond0.20,bond0,eth3", "%s", carriers());
}

Test(cli_doctor_pci, the_session_keeps_its_device)
{
	tree_write(&tree, "/proc/net/route", ROUTES);
	tree_pci(&tree, "0000:01:00.0", "0x020000", "ixgbe", "7");
	tree_nic(&tree, "eth0", "0000:01:00.0");
	doctor.ssh_connection = "192.0.2.7 50000 192.0.2.1 22";
	check(doctor_check_ssh);
	EXPECT_FOUND("ok", "eth0", "never give it to the dataplane");
	have_port("p", "pci:0000:01:00.0");
	check(doctor_check_ssh);
	EXPECT_FOUND("error", "eth0", "port p takes it from the kernel");
	have_port("p", "af_xdp:eth0");
	check(doctor_check_ssh);
	EXPECT_FOUND("error", "eth0", "port p takes it from the kernel");
	have_port("p", "af_packet:eth0");
	check(doctor_check_ssh);
	EXPECT_FOUND("ok", "eth0", "carries an ssh session");
	tree_pci(&tree, "0000:01:00.1", "0x020000", "vfio-pci", "7");
	check(doctor_check_ssh);
	EXPECT_FOUND("error", "eth0", "same IOMMU group as 0000:01:00.1");
}

Test(cli_doctor_pci, a_virtio_interface_has_the_address_of_its_function)
{
	char address[DOCTOR_PCI_BYTES];
	tree_dir(&tree, "/sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
	tree_link(&tree, "/sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/device", "../../../virtio2");
	tree_link(&tree, "/sys/class/net/eth0", "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
	cr_expect_str_eq(doctor_nic_pci(&doctor, "eth0", address), "0000:00:03.0");
	cr_expect_str_eq(doctor_nic_pci(&doctor, "eth1", address), "");
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "port/device.h"

static char error[512];

static int parse(const char *text, struct port_device *device)
{
	error[0] = '\0';
	return port_device_parse(text, device, error, sizeof error);
}

Test(port_device, every_kind_is_understood)
{
	const struct {
		const char *text;
		enum port_kind kind;
		const char *target;
	} cases[] = {
		{"pci:0000:01:00.0", PORT_PCI, "0000:01:00.0"},
		{"pci:00af:Fe:1d.7", PORT_PCI, "00af:Fe:1d.7"},
		{"af_xdp:eth0", PORT_AF_XDP, "eth0"},
		{"af_packet:enp1s0f0np0.x-y", PORT_AF_PACKET, "enp1s0f0np0.x-y"},
		{"af_packet:enp1s0f0np0", PORT_AF_PACKET, "enp1s0f0np0"},
		{"tap:wherry0", PORT_TAP, "wherry0"},
		{"memif:/run/m.sock", PORT_MEMIF, "/run/m.sock"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct port_device device;
		cr_expect_eq(parse(cases[i].text, &device), 0, "%s: %s", cases[i].text, error);
		cr_expect_eq(device.kind, cases[i].kind, "%s", cases[i].text);
		cr_expect_str_eq(device.target, cases[i].target);
	}
}

Test(port_device, memif_options_have_defaults_and_any_order)
{
	struct port_device device;
	cr_assert_eq(parse("memif:/m", &device), 0);
	cr_expect_not(device.memif_client);
	cr_expect_eq(device.memif_id, 0u);
	cr_expect_eq(device.memif_queue_count, 1u);
	cr_assert_eq(parse("memif:/m,queues=4,id=4294967295,role=client", &device), 0, "%s", error);
	cr_expect(device.memif_client);
	cr_expect_eq(device.memif_id, 4294967295u);
	cr_expect_eq(device.memif_queue_count, 4u);
}

Test(port_device, what_is_wrong_is_refused_with_a_sentence)
{
	const char *cases[] = {
		"",
		":",
		"eth0",
		"pci",
		"pci:",
		"PCI:0000:01:00.0",
		"pci:01:00.0",
		"pci:0000:01:00.8",
		"pci:0000:01:00.00",
		"pci:0000:01:0g.0",
		"af_xdp:",
		"af_packet:0123456789abcdef",
		"af_packet:a/b",
		"af_packet:a b",
		"af_packet:a,qpairs=2",
		"af_packet:a=b",
		"tap:.",
		"tap:..",
		"tap:a\nb",
		"memif:",
		"memif:relative",
		"memif:/m,",
		"memif:/m,role=both",
		"memif:/m,id=-1",
		"memif:/m,id=4294967296",
		"memif:/m,id=",
		"memif:/m,id",
		"memif:/m,queues=0",
		"memif:/m,queues=17",
		"memif:/m,bsize=1",
		"memif:/m=1",
		"ring:x",
		"af_xdp",
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct port_device device;
		cr_expect_eq(parse(cases[i], &device), -EINVAL, "\"%s\"", cases[i]);
		cr_expect_gt(strlen(error), 20u, "\"%s\" needs a sentence, not \"%s\"", cases[i], error);
	}
}

Test(port_device, the_longest_socket_path_fits_and_one_more_does_not)
{
	struct port_device device;
	char text[6 + PORT_SOCKET_BYTES_MAX + 2];
	memset(text, 'a', sizeof text);
	memcpy(text, "memif:/", 7);
	text[6 + PORT_SOCKET_BYTES_MAX] = '\0';
	cr_expect_eq(parse(text, &device), 0, "%s", error);
	cr_expect_eq(strlen(device.target), PORT_SOCKET_BYTES_MAX);
	text[6 + PORT_SOCKET_BYTES_MAX] = 'a';
	text[6 + PORT_SOCKET_BYTES_MAX + 1] = '\0';
	cr_expect_eq(parse(text, &device), -EINVAL);
}

Test(port_device, a_made_up_mac_is_local_unicast_stable_and_differs_by_device)
{
	const char *texts[] = {"tap:a", "tap:b", "memif:/m", "memif:/m,role=client", "memif:/m,id=1"};
	uint8_t macs[5][6];
	for (unsigned i = 0; i < 5; i++) {
		struct port_device device;
		uint8_t again[6];
		cr_assert_eq(parse(texts[i], &device), 0);
		port_device_mac(&device, macs[i]);
		port_device_mac(&device, again);
		cr_expect_arr_eq(macs[i], again, 6);
		cr_expect_eq(macs[i][0] & 3, 2, "%s", texts[i]);
		for (unsigned j = 0; j < i; j++)
			cr_expect_arr_neq(macs[i], macs[j], 6, "%s and %s", texts[i], texts[j]);
	}
	const struct port_device known = {.kind = PORT_TAP, .target = "a"};
	uint8_t mac[6];
	port_device_mac(&known, mac);
	cr_expect_arr_eq(mac, macs[0], 6, "it comes from what names the device alone");
}

Test(port_device, kinds_with_a_kernel_interface_are_known)
{
	cr_expect(port_kind_has_iface(PORT_AF_XDP) && port_kind_has_iface(PORT_AF_PACKET) &&
		  port_kind_has_iface(PORT_TAP));
	cr_expect_not(port_kind_has_iface(PORT_PCI) || port_kind_has_iface(PORT_MEMIF));
	cr_expect_str_eq(port_kind_name(PORT_AF_XDP), "af_xdp");
	cr_expect_str_eq(port_kind_name(PORT_KIND_COUNT), "unknown");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks: what the kernel offers to backends and ports; wherryd, the dataplane, ports, volumes, exports. */
#include <string.h>

#include "cli/doctor.h"

static bool has_file_volume(const struct doctor *doctor)
{
	for (size_t i = 0; i < json_array_size(doctor->volumes); i++)
		if (!strcmp(doctor_text(json_array_get(doctor->volumes, i), "backend"), "file"))
			return true;
	return false;
}

void doctor_check_kernel(struct doctor *doctor)
{
	char line[DOCTOR_LINE_BYTES];
	switch (doctor_read_int(doctor, 0, "/proc/sys/kernel/io_uring_disabled")) {
	case 0:
		doctor_add(doctor, DOCTOR_OK, "kernel", "io_uring", NULL, "available");
		break;
	case 1:
		doctor_add(doctor, DOCTOR_WARNING, "kernel", "io_uring",
			   "sysctl kernel.io_uring_disabled=0, or name wherry's group in kernel.io_uring_group",
			   "restricted to privileged processes: file volumes may fail");
		break;
	default:
		doctor_add(doctor, has_file_volume(doctor) ? DOCTOR_ERROR : DOCTOR_WARNING, "kernel", "io_uring",
			   "sysctl kernel.io_uring_disabled=0", "turned off: file volumes cannot work");
	}
	if (doctor_find_line(doctor, "/proc/net/protocols", "XDP ", line, sizeof(line)))
		doctor_add(doctor, DOCTOR_OK, "kernel", "AF_XDP", NULL, "available");
	else
		doctor_add(doctor, doctor_has_port_kind(doctor, "af_xdp") ? DOCTOR_ERROR : DOCTOR_WARNING, "kernel",
			   "AF_XDP", "use a kernel with CONFIG_XDP_SOCKETS", "not available: no af_xdp ports");
}

void doctor_check_daemon(struct doctor *doctor)
{
	if (!doctor->status) {
		doctor_add(doctor, DOCTOR_WARNING, "daemon", "wherryd", "see wherryd(8) for how to start it",
			   "not reachable, only the machine was checked: %s",
			   doctor->no_daemon ? doctor->no_daemon : "no answer");
		return;
	}
	doctor_add(doctor, DOCTOR_OK, "daemon", "wherryd", NULL, "version %s runs",
		   doctor_text(doctor->status, "version"));
	const json_t *dataplane = json_object_get(doctor->status, "dataplane");
	const char *state = doctor_text(dataplane, "state"), *last_exit = doctor_text(dataplane, "last_exit");
	const char *detail = doctor_text(dataplane, "detail");
	json_int_t restarts = json_integer_value(json_object_get(dataplane, "restarts"));
	if (!strcmp(state, "serving") || !strcmp(state, "adopted"))
		doctor_add(doctor, DOCTOR_OK, "daemon", "dataplane", NULL, "%s", state);
	else
		doctor_add(doctor, DOCTOR_ERROR, "daemon", "dataplane", "see wherryctl events, and wherryd's log",
			   "%s: clients get no answers%s%s%s%s", *state ? state : "state unknown", *detail ? "; " : "",
			   detail, *last_exit ? "; last exit: " : "", last_exit);
	if (restarts > 0)
		doctor_add(doctor, DOCTOR_WARNING, "daemon", "dataplane", "see wherryctl events for the reasons",
			   "was restarted %lld times since wherryd started%s%s", (long long)restarts,
			   *last_exit ? "; last exit: " : "", last_exit);
}

static bool worker_on_node(const struct doctor *doctor, json_int_t node)
{
	for (size_t i = 0; i < json_array_size(doctor->lcores); i++) {
		const json_t *lcore = json_array_get(doctor->lcores, i);
		if (!json_is_true(json_object_get(lcore, "main")) &&
		    json_integer_value(json_object_get(lcore, "numa_node")) == node)
			return true;
	}
	return json_array_size(doctor->lcores) == 0;
}

/* MTU of the interface that a port uses through the kernel; -1: none. */
static int64_t interface_mtu(const struct doctor *doctor, const json_t *port)
{
	static const char *const kinds[] = {"af_xdp", "af_packet", "tap"};
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *interface = doctor_port_device(port, kinds[i]);
		if (interface)
			return doctor_read_int(doctor, -1, "/sys/class/net/%s/mtu", interface);
	}
	return -1;
}

static void check_port(struct doctor *doctor, const json_t *port)
{
	const char *name = doctor_text(port, "name"), *detail = doctor_text(port, "detail");
	const json_t *node = json_object_get(port, "numa_node");
	json_int_t mtu = json_integer_value(json_object_get(port, "mtu"));
	int64_t lower_mtu = interface_mtu(doctor, port);
	if (strstr(detail, "removed")) {
		doctor_add(doctor, DOCTOR_ERROR, "port", name,
			   "make the device available again, then it serves by itself; or wherryctl port remove",
			   "%s: %s", doctor_text(port, "device"), detail);
		return;
	}
	if (json_is_false(json_object_get(port, "link_up")))
		doctor_add(doctor, DOCTOR_ERROR, "port", name, "check the cable, the switch, and ip link set up",
			   "link is down");
	else
		doctor_add(doctor, DOCTOR_OK, "port", name, NULL, "link is up, MTU %lld", (long long)mtu);
	if (lower_mtu >= 0 && lower_mtu < mtu)
		doctor_add(doctor, DOCTOR_ERROR, "port", name,
			   "raise the interface's MTU with ip link, or lower the port's with wherryctl port set",
			   "MTU %lld is more than the interface's %lld: large frames are lost", (long long)mtu,
			   (long long)lower_mtu);
	if (json_is_integer(node) && json_integer_value(node) >= 0 && !worker_on_node(doctor, json_integer_value(node)))
		doctor_add(doctor, DOCTOR_WARNING, "port", name, "choose lcores on that node: wherryctl lcore set",
			   "is on NUMA node %lld, and no worker lcore is", (long long)json_integer_value(node));
	if (*detail)
		doctor_add(doctor, strstr(detail, "receives nothing") ? DOCTOR_ERROR : DOCTOR_WARNING, "port", name,
			   "see wherryctl port show", "%s", detail);
}

void doctor_check_ports(struct doctor *doctor)
{
	for (size_t i = 0; i < json_array_size(doctor->ports); i++)
		check_port(doctor, json_array_get(doctor->ports, i));
	if (doctor->ports && !json_array_size(doctor->ports))
		doctor_add(doctor, DOCTOR_WARNING, "port", "ports", "wherryctl port add",
			   "there is none: no client is served");
}

static const json_t *find_volume(const struct doctor *doctor, const char *name)
{
	for (size_t i = 0; i < json_array_size(doctor->volumes); i++) {
		const json_t *volume = json_array_get(doctor->volumes, i);
		if (!strcmp(doctor_text(volume, "name"), name))
			return volume;
	}
	return NULL;
}

void doctor_check_storage(struct doctor *doctor)
{
	unsigned offline = 0, lost = 0;
	for (size_t i = 0; i < json_array_size(doctor->volumes); i++) {
		const json_t *volume = json_array_get(doctor->volumes, i);
		const char *detail = doctor_text(volume, "detail");
		if (!json_is_false(json_object_get(volume, "online")))
			continue;
		offline++;
		doctor_add(doctor, DOCTOR_ERROR, "volume", doctor_text(volume, "name"),
			   "mend its backing store, then wherryctl volume set NAME --online yes", "offline%s%s",
			   *detail ? ": " : "", detail);
	}
	if (doctor->volumes && !offline)
		doctor_add(doctor, DOCTOR_OK, "volume", "volumes", NULL, "%zu, all online",
			   json_array_size(doctor->volumes));
	for (size_t i = 0; doctor->volumes && i < json_array_size(doctor->exports); i++) {
		const json_t *export = json_array_get(doctor->exports, i);
		const char *volume = doctor_text(export, "volume");
		char object[64];
		if (find_volume(doctor, volume))
			continue;
		lost++;
		(void)snprintf(object, sizeof(object), "aoe %lld.%lld",
			       (long long)json_integer_value(json_object_get(export, "shelf")),
			       (long long)json_integer_value(json_object_get(export, "slot")));
		doctor_add(doctor, DOCTOR_ERROR, "export", object, "create the volume, or wherryctl export aoe delete",
			   "its volume %s does not exist", *volume ? volume : "(none)");
	}
	if (doctor->volumes && doctor->exports && !lost)
		doctor_add(doctor, DOCTOR_OK, "export", "exports", NULL, "%zu, each with its volume",
			   json_array_size(doctor->exports));
}

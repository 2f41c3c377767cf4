/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings of doctor about the machine, on made-up trees. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/doctor.h"
#include "tree.h"

static struct tree tree;
static struct doctor doctor;

static void setup(void)
{
	tree_create(&tree);
	doctor = (struct doctor){
		.root = tree.root, .state_dir = "/state", .state_free_min_bytes = 4096, .findings = json_array()};
}

static void teardown(void)
{
	tree_destroy(&tree);
	json_decref(doctor.findings);
}

TestSuite(cli_doctor, .init = setup, .fini = teardown);

/* Run one check afresh. */
static void check(void (*one)(struct doctor *doctor))
{
	json_array_clear(doctor.findings);
	one(&doctor);
}

/* Whether a finding has the level and object and says the words; the findings as text for the failure. */
static bool found(enum doctor_level level, const char *object, const char *words)
{
	static const char *const levels[] = {"ok", "warning", "error"};
	for (size_t i = 0; i < json_array_size(doctor.findings); i++) {
		const json_t *finding = json_array_get(doctor.findings, i);
		bool remedy = *doctor_text(finding, "remedy");
		cr_expect_eq(remedy, strcmp(doctor_text(finding, "level"), "ok") != 0,
			     "a remedy belongs to each warning and error, and to nothing else: %s",
			     doctor_text(finding, "message"));
		if (!strcmp(doctor_text(finding, "level"), levels[level]) &&
		    !strcmp(doctor_text(finding, "object"), object) && strstr(doctor_text(finding, "message"), words))
			return true;
	}
	return false;
}

#define EXPECT_FOUND(level, object, words)                                                                             \
	cr_expect(found(level, object, words), "%s", json_dumps(doctor.findings, JSON_INDENT(1)))
#define EXPECT_NO(level)                                                                                               \
	cr_expect_eq(doctor_count(&doctor, level), 0, "%s", json_dumps(doctor.findings, JSON_INDENT(1)))

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	cr_assert(value, "%s", text);
	return value;
}

/* --------------------------------------------------------------- memory */
Test(cli_doctor, huge_pages_are_told_per_numa_node)
{
	tree_write(&tree, "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	tree_write(&tree, "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "500\n");
	tree_write(&tree, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	tree_write(&tree, "/proc/mounts", "proc /proc proc rw 0 0\nhugetlbfs /dev/hugepages hugetlbfs rw 0 0\n");
	check(doctor_check_hugepages);
	EXPECT_FOUND(DOCTOR_OK, "node0", "512 huge pages of 2MiB, 500 free");
	EXPECT_FOUND(DOCTOR_OK, "hugetlbfs", "mounted on /dev/hugepages");
	EXPECT_NO(DOCTOR_WARNING);
	doctor.ports = load("[{\"name\": \"p\", \"numa_node\": 1}]");
	check(doctor_check_hugepages);
	EXPECT_FOUND(DOCTOR_WARNING, "node1", "has no huge pages");
	json_decref((json_t *)(uintptr_t)doctor.ports);
}

Test(cli_doctor, huge_pages_that_are_all_taken_are_a_warning_unless_the_dataplane_has_them)
{
	tree_write(&tree, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "4\n");
	tree_write(&tree, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
	check(doctor_check_hugepages);
	EXPECT_FOUND(DOCTOR_WARNING, "memory", "4 huge pages of 1GiB, none of them free");
	EXPECT_FOUND(DOCTOR_OK, "hugetlbfs", "not mounted");
	json_t *status = load("{\"dataplane\": {\"hugepages\": true}}");
	doctor.status = status;
	check(doctor_check_hugepages);
	EXPECT_FOUND(DOCTOR_OK, "memory", "4 huge pages of 1GiB, 0 free");
	json_decref(status);
}

Test(cli_doctor, a_machine_without_huge_pages_is_warned)
{
	check(doctor_check_hugepages);
	EXPECT_FOUND(DOCTOR_WARNING, "memory", "no huge pages");
}

Test(cli_doctor, the_memory_lock_limit_of_the_dataplane_comes_first)
{
	static const char head[] = "Limit                     Soft Limit           Hard Limit           Units     \n";
	char text[256];
	(void)snprintf(text, sizeof(text),
		       "%sMax locked memory         8388608              8388608              bytes\n", head);
	tree_write(&tree, "/proc/self/limits", text);
	check(doctor_check_memlock);
	EXPECT_FOUND(DOCTOR_OK, "this shell", "may lock 8MiB; the dataplane raises its own limit");
	(void)snprintf(text, sizeof(text),
		       "%sMax locked memory         unlimited            unlimited            bytes\n", head);
	tree_write(&tree, "/proc/42/limits", text);
	json_t *status = load("{\"dataplane\": {\"pid\": 42}}");
	doctor.status = status;
	check(doctor_check_memlock);
	EXPECT_FOUND(DOCTOR_OK, "dataplane", "all its memory");
	(void)snprintf(text, sizeof(text),
		       "%sMax locked memory         65536                65536                bytes\n", head);
	tree_write(&tree, "/proc/42/limits", text);
	check(doctor_check_memlock);
	EXPECT_FOUND(DOCTOR_OK, "dataplane", "may lock 64KiB");
	json_t *ports = load("[{\"device\": \"tap:t0\"}, {\"device\": \"pci:0000:01:00.0\"}]");
	doctor.ports = ports;
	check(doctor_check_memlock);
	EXPECT_FOUND(DOCTOR_WARNING, "dataplane", "may lock only 64KiB");
	json_decref(ports);
	json_decref(status);
}

Test(cli_doctor, the_state_directory_needs_room_and_privacy)
{
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_OK, "/state", "not there yet");
	char path[96];
	tree_dir(&tree, "/state");
	(void)snprintf(path, sizeof(path), "%s/state", tree.root);
	(void)chmod(path, 0750);
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_OK, "/state", "free");
	EXPECT_NO(DOCTOR_WARNING);
	(void)chmod(path, 0755);
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_WARNING, "/state", "open to all users (mode 0755)");
	doctor.state_free_min_bytes = UINT64_MAX;
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_ERROR, "/state", "only");
	doctor.state_dir = "/file";
	tree_write(&tree, "/file", "x");
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_ERROR, "/file", "not a directory");
	json_t *status = load("{}");
	doctor.status = status;
	doctor.state_dir = "/none";
	check(doctor_check_state_dir);
	EXPECT_FOUND(DOCTOR_ERROR, "/none", "No such file");
	json_decref(status);
}

/* ------------------------------------------------------------------ CPU */
#define CPUINFO(flags) "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu " flags " vme\n"

Test(cli_doctor, missing_cpu_features_are_named)
{
	tree_write(&tree, "/proc/cpuinfo", CPUINFO("sse4_2 avx2"));
	check(doctor_check_cpu_features);
	EXPECT_FOUND(DOCTOR_OK, "features", "SSE4.2 and AVX2");
	tree_write(&tree, "/proc/cpuinfo", CPUINFO("sse4_2 avx xavx2"));
	check(doctor_check_cpu_features);
	EXPECT_FOUND(DOCTOR_WARNING, "AVX2", "missing");
	EXPECT_NO(DOCTOR_ERROR);
	tree_write(&tree, "/proc/cpuinfo", CPUINFO("sse4_1"));
	check(doctor_check_cpu_features);
	EXPECT_FOUND(DOCTOR_ERROR, "SSE4.2", "missing");
}

Test(cli_doctor, an_unsteady_clock_is_a_warning)
{
	static const char source[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
	tree_write(&tree, "/proc/cpuinfo", CPUINFO("constant_tsc nonstop_tsc"));
	tree_write(&tree, source, "tsc\n");
	check(doctor_check_clock);
	EXPECT_FOUND(DOCTOR_OK, "TSC", "constant");
	EXPECT_NO(DOCTOR_WARNING);
	tree_write(&tree, source, "hpet\n");
	check(doctor_check_clock);
	EXPECT_FOUND(DOCTOR_WARNING, "clock source", "hpet");
	tree_write(&tree, "/proc/cpuinfo", CPUINFO("constant_tsc"));
	check(doctor_check_clock);
	EXPECT_FOUND(DOCTOR_WARNING, "TSC", "constant rate");
}

Test(cli_doctor, a_slow_governor_is_told_for_the_cpus_that_count)
{
	tree_dir(&tree, "/sys/devices/system/cpu/cpufreq");
	tree_dir(&tree, "/sys/devices/system/cpu/cpu9");
	check(doctor_check_governor);
	EXPECT_FOUND(DOCTOR_OK, "CPUs", "does not control");
	tree_write(&tree, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
	tree_write(&tree, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
	check(doctor_check_governor);
	EXPECT_FOUND(DOCTOR_WARNING, "cpu0", "powersave on 1 of 2 CPUs");
	json_t *lcores = load("[{\"main\": true, \"cpus\": \"0\"}, {\"main\": false, \"cpus\": \"1\"}]");
	doctor.lcores = lcores;
	check(doctor_check_governor);
	EXPECT_FOUND(DOCTOR_OK, "CPUs", "performance");
	EXPECT_NO(DOCTOR_WARNING);
	json_decref(lcores);
}

Test(cli_doctor, workers_want_isolated_cpus_without_ticks)
{
	check(doctor_check_isolation);
	EXPECT_FOUND(DOCTOR_WARNING, "CPUs", "none is isolated");
	tree_write(&tree, "/sys/devices/system/cpu/isolated", "2-4,7\n");
	tree_write(&tree, "/sys/devices/system/cpu/nohz_full", "2\n");
	for (int i = 0; i < 8; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", i);
		tree_dir(&tree, path);
	}
	check(doctor_check_isolation);
	EXPECT_FOUND(DOCTOR_OK, "CPUs", "isolated: 2-4,7");
	json_t *lcores = load("[{\"main\": true, \"lcore_id\": 0, \"cpus\": \"0\"}, "
			      "{\"main\": false, \"lcore_id\": 1, \"cpus\": \"1\"}, {\"main\": false, \"lcore_id\": 2, "
			      "\"cpus\": \"2\"}, "
			      "{\"main\": false, \"lcore_id\": 7, \"cpus\": \"7\"}, {\"main\": false, \"lcore_id\": 9, "
			      "\"cpus\": \"9\"}, "
			      "{\"main\": false, \"lcore_id\": 3, \"cpus\": \"2-3\"}]");
	doctor.lcores = lcores;
	check(doctor_check_isolation);
	EXPECT_FOUND(DOCTOR_WARNING, "lcore 1", "not isolated");
	EXPECT_FOUND(DOCTOR_OK, "lcore 2", "isolated and without timer ticks");
	EXPECT_FOUND(DOCTOR_WARNING, "lcore 7", "the timer interrupts it");
	EXPECT_FOUND(DOCTOR_ERROR, "lcore 9", "not there");
	EXPECT_FOUND(DOCTOR_WARNING, "lcore 3", "shares CPUs 2-3");
	cr_expect_eq(json_array_size(doctor.findings), 5, "the main lcore needs no CPU of its own");
	json_decref(lcores);
}

Test(cli_doctor, cpu_lists_are_read_as_the_kernel_writes_them)
{
	static const struct {
		const char *list;
		int64_t cpu;
		bool in;
	} cases[] = {{"", 0, false},        {"0", 0, true},    {"1-3", 0, false},
		     {"1-3", 3, true},      {"1-3", 4, false}, {"0,2-4,9", 9, true},
		     {"0,2-4,9", 1, false}, {"x", 0, false},   {"1,", 0, false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(doctor_cpu_in_list(cases[i].list, cases[i].cpu), cases[i].in, "%s", cases[i].list);
}

/* --------------------------------------------------------------- kernel */
Test(cli_doctor, what_the_kernel_lacks_is_told)
{
	check(doctor_check_kernel);
	EXPECT_FOUND(DOCTOR_OK, "io_uring", "available");
	EXPECT_FOUND(DOCTOR_WARNING, "AF_XDP", "not available");
	tree_write(&tree, "/proc/net/protocols", "protocol  size\nXDP       1088      0\nUNIX 1\n");
	tree_write(&tree, "/proc/sys/kernel/io_uring_disabled", "1\n");
	check(doctor_check_kernel);
	EXPECT_FOUND(DOCTOR_WARNING, "io_uring", "restricted");
	EXPECT_FOUND(DOCTOR_OK, "AF_XDP", "available");
	tree_write(&tree, "/proc/sys/kernel/io_uring_disabled", "2\n");
	check(doctor_check_kernel);
	EXPECT_FOUND(DOCTOR_WARNING, "io_uring", "turned off");
	json_t *volumes = load("[{\"backend\": \"ram\"}, {\"backend\": \"file\"}]");
	doctor.volumes = volumes;
	check(doctor_check_kernel);
	EXPECT_FOUND(DOCTOR_ERROR, "io_uring", "turned off");
	json_decref(volumes);
	json_t *ports = load("[{\"device\": \"af_xdp:eth0\"}]");
	doctor.ports = ports;
	tree_write(&tree, "/proc/net/protocols", "UNIX 1\n");
	check(doctor_check_kernel);
	EXPECT_FOUND(DOCTOR_ERROR, "AF_XDP", "no af_xdp ports");
	json_decref(ports);
}

/* -------------------------------------------------------------- service */
Test(cli_doctor, a_missing_daemon_is_a_warning_with_its_reason)
{
	doctor.no_daemon = "no such socket";
	check(doctor_check_daemon);
	EXPECT_FOUND(DOCTOR_WARNING, "wherryd", "no such socket");
}

Test(cli_doctor, the_state_of_the_dataplane_is_judged)
{
	static const struct {
		const char *status;
		enum doctor_level level;
		const char *words;
	} cases[] = {
		{"{\"dataplane\": {\"state\": \"serving\", \"restarts\": 0}}", DOCTOR_OK, "serving"},
		{"{\"dataplane\": {\"state\": \"adopted\"}}", DOCTOR_OK, "adopted"},
		{"{\"dataplane\": {\"state\": \"down\", \"last_exit\": \"signal 11\"}}", DOCTOR_ERROR,
		 "down: clients get no answers; last exit: signal 11"},
		{"{\"dataplane\": {\"state\": \"starting\", \"detail\": \"no memory\"}}", DOCTOR_ERROR,
		 "starting: clients get no answers; no memory"},
		{"{}", DOCTOR_ERROR, "state unknown"},
		{"{\"dataplane\": {\"state\": \"serving\", \"restarts\": 3}}", DOCTOR_WARNING, "restarted 3 times"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *status = load(cases[i].status);
		doctor.status = status;
		check(doctor_check_daemon);
		EXPECT_FOUND(cases[i].level, "dataplane", cases[i].words);
		json_decref(status);
	}
}

Test(cli_doctor, ports_are_judged_by_link_mtu_numa_and_detail)
{
	tree_write(&tree, "/sys/class/net/eth1/mtu", "1500\n");
	json_t *lcores = load("[{\"main\": true, \"numa_node\": 1}, {\"main\": false, \"numa_node\": 0}]");
	json_t *ports = load(
		"[{\"name\": \"good\", \"device\": \"af_packet:eth1\", \"link_up\": true, \"mtu\": 1500, "
		"\"numa_node\": 0, \"detail\": \"\"}, "
		"{\"name\": \"down\", \"device\": \"tap:t0\", \"link_up\": false, \"mtu\": 1500}, "
		"{\"name\": \"big\", \"device\": \"af_xdp:eth1\", \"link_up\": true, \"mtu\": 9000}, "
		"{\"name\": \"far\", \"device\": \"pci:x\", \"link_up\": true, \"mtu\": 1500, \"numa_node\": 1}, "
		"{\"name\": \"gone\", \"device\": \"pci:y\", \"link_up\": false, \"detail\": \"removed\"}, "
		"{\"name\": \"slow\", \"device\": \"tap:t1\", \"link_up\": true, \"detail\": \"one queue only\"}]");
	doctor.lcores = lcores;
	doctor.ports = ports;
	check(doctor_check_ports);
	EXPECT_FOUND(DOCTOR_OK, "good", "link is up, MTU 1500");
	EXPECT_FOUND(DOCTOR_ERROR, "down", "link is down");
	EXPECT_FOUND(DOCTOR_ERROR, "big", "MTU 9000 is more than the interface's 1500");
	EXPECT_FOUND(DOCTOR_WARNING, "far", "NUMA node 1, and no worker lcore is");
	EXPECT_FOUND(DOCTOR_ERROR, "gone", "pci:y: removed");
	EXPECT_FOUND(DOCTOR_WARNING, "slow", "one queue only");
	cr_expect_eq(doctor_count(&doctor, DOCTOR_ERROR), 3);
	cr_expect_eq(doctor_count(&doctor, DOCTOR_WARNING), 2);
	json_decref(ports);
	ports = load("[]");
	doctor.ports = ports;
	check(doctor_check_ports);
	EXPECT_FOUND(DOCTOR_WARNING, "ports", "there is none");
	json_decref(ports);
	json_decref(lcores);
}

Test(cli_doctor, offline_volumes_and_exports_without_volume_are_errors)
{
	json_t *volumes = load(
		"[{\"name\": \"a\", \"online\": true}, {\"name\": \"b\", \"online\": false, \"detail\": \"shrunk\"}]");
	json_t *exports =
		load("[{\"shelf\": 1, \"slot\": 0, \"volume\": \"a\"}, {\"shelf\": 1, \"slot\": 1, \"volume\": \"c\"}, "
		     "{\"shelf\": 1, \"slot\": 2, \"volume\": null}]");
	doctor.volumes = volumes;
	doctor.exports = exports;
	check(doctor_check_storage);
	EXPECT_FOUND(DOCTOR_ERROR, "b", "offline: shrunk");
	EXPECT_FOUND(DOCTOR_ERROR, "aoe 1.1", "its volume c does not exist");
	EXPECT_FOUND(DOCTOR_ERROR, "aoe 1.2", "its volume (none) does not exist");
	cr_expect_eq(json_array_size(doctor.findings), 3);
	json_decref(volumes);
	json_decref(exports);
	volumes = load("[{\"name\": \"a\", \"online\": true}]");
	exports = load("[{\"shelf\": 1, \"slot\": 0, \"volume\": \"a\"}]");
	doctor.volumes = volumes;
	doctor.exports = exports;
	check(doctor_check_storage);
	EXPECT_FOUND(DOCTOR_OK, "volumes", "1, all online");
	EXPECT_FOUND(DOCTOR_OK, "exports", "1, each with its volume");
	json_decref(volumes);
	json_decref(exports);
}

Test(cli_doctor, an_empty_tree_never_stops_the_checks)
{
	char *text = NULL;
	size_t length = 0;
	json_array_clear(doctor.findings);
	doctor_run(&doctor);
	FILE *out = open_memstream(&text, &length);
	doctor_print(out, &doctor);
	(void)fclose(out);
	cr_expect(strstr(text, " errors\n"), "%s", text);
	EXPECT_NO(DOCTOR_ERROR);
	free(text);
}

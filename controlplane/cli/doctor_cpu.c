/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks: CPU features, clock, frequency governor, isolation of the dataplane's CPUs. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

static bool has_flag(const char *flags, const char *flag)
{
	size_t length = strlen(flag);
	for (const char *at = flags; (at = strstr(at, flag)); at += length)
		if ((at == flags || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

static bool read_flags(const struct doctor *doctor, char flags[DOCTOR_LINE_BYTES])
{
	return doctor_find_line(doctor, "/proc/cpuinfo", "flags", flags, DOCTOR_LINE_BYTES);
}

void doctor_check_cpu_features(struct doctor *doctor)
{
	char flags[DOCTOR_LINE_BYTES];
	if (!read_flags(doctor, flags))
		return;
	if (!has_flag(flags, "sse4_2"))
		doctor_add(doctor, DOCTOR_ERROR, "cpu", "SSE4.2",
			   "use a newer machine; in a virtual one, pass the host's CPU model through",
			   "missing: the dataplane does not start without it");
	if (!has_flag(flags, "avx2"))
		doctor_add(doctor, DOCTOR_WARNING, "cpu", "AVX2",
			   "in a virtual machine, pass the host's CPU model through",
			   "missing: drivers fall back to slower receive and send paths");
	if (has_flag(flags, "sse4_2") && has_flag(flags, "avx2"))
		doctor_add(doctor, DOCTOR_OK, "cpu", "features", NULL, "SSE4.2 and AVX2 are there");
}

void doctor_check_clock(struct doctor *doctor)
{
	char flags[DOCTOR_LINE_BYTES], source[64];
	bool steady = read_flags(doctor, flags) && has_flag(flags, "constant_tsc") && has_flag(flags, "nonstop_tsc");
	bool known = doctor_read(doctor, source, sizeof(source),
				 "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	if (!steady)
		doctor_add(doctor, DOCTOR_WARNING, "clock", "TSC",
			   "latency figures are not to be trusted; in a virtual machine, pass invtsc through",
			   "does not run at a constant rate (constant_tsc and nonstop_tsc are not both set)");
	if (known && strcmp(source, "tsc"))
		doctor_add(doctor, DOCTOR_WARNING, "clock", "clock source",
			   "see in the kernel log why the TSC was rejected; the argument tsc=reliable overrides",
			   "%s: reading the time costs a system call or worse", source);
	if (steady && known && !strcmp(source, "tsc"))
		doctor_add(doctor, DOCTOR_OK, "clock", "TSC", NULL, "constant, and the kernel's clock source");
}

/* CPU list of the worker lcores, or NULL when the lcore is not a worker. */
static const char *worker_cpus(const json_t *lcore)
{
	const char *cpus = doctor_text(lcore, "cpus");
	return json_is_true(json_object_get(lcore, "main")) || !*cpus ? NULL : cpus;
}

/* Whether a worker runs on the CPU; without a daemon's word, any CPU may be one. */
static bool is_worker_cpu(const struct doctor *doctor, int64_t cpu)
{
	if (!doctor->lcores)
		return true;
	for (size_t i = 0; i < json_array_size(doctor->lcores); i++) {
		const char *cpus = worker_cpus(json_array_get(doctor->lcores, i));
		if (cpus && doctor_cpu_in_list(cpus, cpu))
			return true;
	}
	return false;
}

void doctor_check_governor(struct doctor *doctor)
{
	json_t *cpus = doctor_list(doctor, "/sys/devices/system/cpu");
	unsigned seen = 0, slow = 0;
	char example[32] = "", governor[32], slow_governor[32] = "";
	for (size_t i = 0; i < json_array_size(cpus); i++) {
		const char *name = json_string_value(json_array_get(cpus, i));
		char *end;
		long long cpu = strncmp(name, "cpu", 3) ? -1 : strtoll(name + 3, &end, 10);
		if (cpu < 0 || !name[3] || *end || !is_worker_cpu(doctor, cpu))
			continue;
		if (!doctor_read(doctor, governor, sizeof(governor),
				 "/sys/devices/system/cpu/%s/cpufreq/scaling_governor", name))
			continue;
		seen++;
		if (strcmp(governor, "performance")) {
			if (!slow++)
				(void)snprintf(example, sizeof(example), "%.31s", name);
			(void)snprintf(slow_governor, sizeof(slow_governor), "%s", governor);
		}
	}
	json_decref(cpus);
	if (slow)
		doctor_add(doctor, DOCTOR_WARNING, "governor", example,
			   "cpupower frequency-set -g performance, or write performance to each scaling_governor",
			   "frequency governor %s on %u of %u CPUs: the first requests after a quiet time are slow",
			   slow_governor, slow, seen);
	else if (seen)
		doctor_add(doctor, DOCTOR_OK, "governor", "CPUs", NULL, "frequency governor performance");
	else
		doctor_add(doctor, DOCTOR_OK, "governor", "CPUs", NULL, "the kernel does not control their frequency");
}

static void check_worker(struct doctor *doctor, const json_t *lcore, const char *isolated, const char *nohz_full)
{
	const char *cpus = worker_cpus(lcore);
	char object[64];
	if (!cpus)
		return;
	(void)snprintf(object, sizeof(object), "lcore %lld",
		       (long long)json_integer_value(json_object_get(lcore, "lcore_id")));
	char *end;
	long long cpu = strtoll(cpus, &end, 10);
	if (*end) {
		doctor_add(doctor, DOCTOR_WARNING, "isolation", object, "give it a CPU of its own: wherryctl lcore set",
			   "shares CPUs %s: other work interrupts it", cpus);
		return;
	}
	if (!doctor_exists(doctor, "/sys/devices/system/cpu/cpu%lld", cpu))
		doctor_add(doctor, DOCTOR_ERROR, "isolation", object, "choose CPUs that exist: wherryctl lcore set",
			   "CPU %lld is not there", cpu);
	else if (!doctor_cpu_in_list(isolated, cpu))
		doctor_add(doctor, DOCTOR_WARNING, "isolation", object,
			   "start the kernel with isolcpus= for the CPUs of the worker lcores",
			   "CPU %lld is not isolated: other work interrupts it", cpu);
	else if (!doctor_cpu_in_list(nohz_full, cpu))
		doctor_add(doctor, DOCTOR_WARNING, "isolation", object,
			   "start the kernel with nohz_full= for the CPUs of the worker lcores",
			   "CPU %lld is isolated, but the timer interrupts it", cpu);
	else
		doctor_add(doctor, DOCTOR_OK, "isolation", object, NULL, "CPU %lld is isolated and without timer ticks",
			   cpu);
}

void doctor_check_isolation(struct doctor *doctor)
{
	char isolated[DOCTOR_LINE_BYTES], nohz_full[DOCTOR_LINE_BYTES];
	(void)doctor_read(doctor, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
	(void)doctor_read(doctor, nohz_full, sizeof(nohz_full), "/sys/devices/system/cpu/nohz_full");
	if (json_array_size(doctor->lcores)) {
		for (size_t i = 0; i < json_array_size(doctor->lcores); i++)
			check_worker(doctor, json_array_get(doctor->lcores, i), isolated, nohz_full);
		return;
	}
	if (*isolated)
		doctor_add(doctor, DOCTOR_OK, "isolation", "CPUs", NULL, "isolated: %s", isolated);
	else
		doctor_add(doctor, DOCTOR_WARNING, "isolation", "CPUs",
			   "start the kernel with isolcpus= and nohz_full= for the CPUs that the dataplane shall have",
			   "none is isolated: other work interrupts the dataplane");
}

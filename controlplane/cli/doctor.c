/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings, the order of the checks, and how they are shown. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"

static const char *const level_names[] = {"ok", "warning", "error"};

void doctor_add(struct doctor *doctor, enum doctor_level level, const char *check, const char *object,
		const char *remedy, const char *format, ...)
{
	char message[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	/* Names of files may hold any bytes; JSON may not. */
	json_t *text = json_string(message), *name = json_string(object);
	json_t *finding = json_pack("{s:s, s:s, s:o, s:o, s:s?}", "level", level_names[level], "check", check, "object",
				    name ? name : json_string("(not UTF-8)"), "message",
				    text ? text : json_string("(not UTF-8)"), "remedy", remedy);
	json_array_append_new(doctor->findings, finding);
}

unsigned doctor_count(const struct doctor *doctor, enum doctor_level level)
{
	unsigned count = 0;
	for (size_t i = 0; i < json_array_size(doctor->findings); i++)
		count += !strcmp(doctor_text(json_array_get(doctor->findings, i), "level"), level_names[level]);
	return count;
}

void doctor_run(struct doctor *doctor)
{
	doctor_check_cpu_features(doctor);
	doctor_check_clock(doctor);
	doctor_check_governor(doctor);
	doctor_check_isolation(doctor);
	doctor_check_hugepages(doctor);
	doctor_check_memlock(doctor);
	doctor_check_kernel(doctor);
	doctor_check_iommu(doctor);
	doctor_check_vfio(doctor);
	doctor_check_iommu_groups(doctor);
	doctor_check_nics(doctor);
	doctor_check_ssh(doctor);
	doctor_check_state_dir(doctor);
	doctor_check_daemon(doctor);
	doctor_check_ports(doctor);
	doctor_check_storage(doctor);
}

void doctor_print(FILE *out, const struct doctor *doctor)
{
	for (size_t i = 0; i < json_array_size(doctor->findings); i++) {
		const json_t *finding = json_array_get(doctor->findings, i);
		char *object = cli_value_text(json_object_get(finding, "object"), CLI_AS_TEXT, 0);
		char *message = cli_value_text(json_object_get(finding, "message"), CLI_AS_TEXT, 0);
		const char *remedy = doctor_text(finding, "remedy");
		(void)fprintf(out, "%-8s %-12s %s: %s\n", doctor_text(finding, "level"), doctor_text(finding, "check"),
			      object, message);
		if (*remedy)
			(void)fprintf(out, "%21s -> %s\n", "", remedy);
		free(object);
		free(message);
	}
	(void)fprintf(out, "%u ok, %u warnings, %u errors\n", doctor_count(doctor, DOCTOR_OK),
		      doctor_count(doctor, DOCTOR_WARNING), doctor_count(doctor, DOCTOR_ERROR));
}

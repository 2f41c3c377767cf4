/* SPDX-License-Identifier: BSD-3-Clause */
/* Readers of the proc and sys trees below a root. */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"

static char *make_path(const struct doctor *doctor, char *to, size_t size, const char *format, va_list args)
{
	int n = snprintf(to, size, "%s", doctor->root);
	if (n >= 0 && (size_t)n < size)
		(void)vsnprintf(to + n, size - (size_t)n, format, args);
	return to;
}

#define WITH_PATH(path)                                                                                                \
	char path[DOCTOR_PATH_BYTES];                                                                                  \
	va_list args;                                                                                                  \
	va_start(args, format);                                                                                        \
	make_path(doctor, path, sizeof(path), format, args);                                                           \
	va_end(args)

char *doctor_path(const struct doctor *doctor, char *to, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	make_path(doctor, to, size, format, args);
	va_end(args);
	return to;
}

static bool read_line(const char *path, char *to, size_t size)
{
	to[0] = 0;
	FILE *from = fopen(path, "re");
	if (!from)
		return false;
	bool good = fgets(to, (int)size, from) != NULL;
	(void)fclose(from);
	to[strcspn(to, "\n")] = 0;
	return good;
}

bool doctor_read(const struct doctor *doctor, char *to, size_t size, const char *format, ...)
{
	WITH_PATH(path);
	return read_line(path, to, size);
}

int64_t doctor_read_int(const struct doctor *doctor, int64_t fallback, const char *format, ...)
{
	WITH_PATH(path);
	char text[64], *end;
	if (!read_line(path, text, sizeof(text)))
		return fallback;
	long long value = strtoll(text, &end, 10);
	return end == text ? fallback : value;
}

bool doctor_exists(const struct doctor *doctor, const char *format, ...)
{
	WITH_PATH(path);
	return access(path, F_OK) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

json_t *doctor_list(const struct doctor *doctor, const char *format, ...)
{
	WITH_PATH(path);
	struct dirent **entries = NULL;
	json_t *names = json_array();
	int count = scandir(path, &entries, NULL, by_name);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") && strcmp(name, ".."))
			json_array_append_new(names, json_string(name));
		free(entries[i]);
	}
	free(entries);
	return names;
}

bool doctor_link_name(const struct doctor *doctor, char *to, size_t size, const char *format, ...)
{
	WITH_PATH(path);
	char target[DOCTOR_PATH_BYTES];
	to[0] = 0;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	const char *slash = strrchr(target, '/');
	(void)snprintf(to, size, "%s", slash ? slash + 1 : target);
	return true;
}

bool doctor_find_line(const struct doctor *doctor, const char *path, const char *prefix, char *to, size_t size)
{
	char full[DOCTOR_PATH_BYTES], *line = NULL;
	size_t capacity = 0, length = strlen(prefix);
	bool found = false;
	to[0] = 0;
	FILE *from = fopen(doctor_path(doctor, full, sizeof(full), "%s", path), "re");
	while (from && !found && getline(&line, &capacity, from) > 0) {
		found = !strncmp(line, prefix, length);
		if (found)
			(void)snprintf(to, size, "%.*s", (int)strcspn(line + length, "\n"), line + length);
	}
	free(line);
	if (from)
		(void)fclose(from);
	return found;
}

bool doctor_kernel_arg(const struct doctor *doctor, const char *name, char *value, size_t size)
{
	char line[DOCTOR_LINE_BYTES];
	size_t length = strlen(name);
	bool found = false;
	if (value)
		value[0] = 0;
	if (!doctor_read(doctor, line, sizeof(line), "/proc/cmdline"))
		return false;
	/* The last one counts. */
	for (char *at = line; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");
		if (!strncmp(at, name, length) && (word == length || at[length] == '=')) {
			found = true;
			if (value)
				(void)snprintf(value, size, "%.*s", word > length ? (int)(word - length - 1) : 0,
					       at + length + (word > length));
		}
		at += word;
	}
	return found;
}

static bool is_pci_address(const char *text, size_t length)
{
	static const char shape[] = "xxxx:xx:xx.x";
	if (length != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < length; i++)
		if (shape[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != shape[i])
			return false;
	return true;
}

char *doctor_nic_pci(const struct doctor *doctor, const char *interface, char to[DOCTOR_PCI_BYTES])
{
	char path[DOCTOR_PATH_BYTES];
	char *full = realpath(doctor_path(doctor, path, sizeof(path), "/sys/class/net/%s/device", interface), NULL);
	to[0] = 0;
	/* The last PCI address on the way: a virtio device lies below its PCI function. */
	for (const char *at = full; at && *at;) {
		at += *at == '/';
		size_t length = strcspn(at, "/");
		if (is_pci_address(at, length))
			(void)snprintf(to, DOCTOR_PCI_BYTES, "%.*s", (int)length, at);
		at += length;
	}
	free(full);
	return to;
}

char *doctor_pci_driver(const struct doctor *doctor, const char *address, char *to, size_t size)
{
	(void)doctor_link_name(doctor, to, size, "/sys/bus/pci/devices/%s/driver", address);
	return to;
}

bool doctor_cpu_in_list(const char *list, int64_t cpu)
{
	while (isdigit((unsigned char)*list)) {
		char *end;
		long long first = strtoll(list, &end, 10), last = first;
		if (*end == '-')
			last = strtoll(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		if (*end != ',')
			return false;
		list = end + 1;
	}
	return false;
}

const char *doctor_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

const char *doctor_port_device(const json_t *port, const char *kind)
{
	const char *device = doctor_text(port, "device");
	size_t length = strlen(kind);
	return !strncmp(device, kind, length) && device[length] == ':' ? device + length + 1 : NULL;
}

bool doctor_has_port_kind(const struct doctor *doctor, const char *kind)
{
	for (size_t i = 0; i < json_array_size(doctor->ports); i++)
		if (doctor_port_device(json_array_get(doctor->ports, i), kind))
			return true;
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks: huge pages, locked memory, the state directory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cli/doctor.h"
#include "common/text.h"

#define MEMLOCK_MIN_BYTES (64ull << 20)

static bool uses_hugepages(const struct doctor *doctor)
{
	return json_is_true(json_object_get(json_object_get(doctor->status, "dataplane"), "hugepages"));
}

/* One size of one node (or of the machine, when it has no nodes).  Returns how many pages there are. */
static int64_t check_pool(struct doctor *doctor, const char *object, const char *path, const char *size_name)
{
	int64_t total = doctor_read_int(doctor, 0, "%s/%s/nr_hugepages", path, size_name);
	int64_t free_count = doctor_read_int(doctor, 0, "%s/%s/free_hugepages", path, size_name);
	int64_t kilobytes = strtoll(size_name + strlen("hugepages-"), NULL, 10);
	char size[TEXT_SIZE_BYTES];
	if (total <= 0)
		return 0;
	text_size_emit_short((uint64_t)kilobytes * 1024, size);
	if (free_count <= 0 && !uses_hugepages(doctor))
		doctor_add(doctor, DOCTOR_WARNING, "hugepages", object,
			   "find who holds them in /proc/*/smaps, or raise vm.nr_hugepages",
			   "%lld huge pages of %s, none of them free", (long long)total, size);
	else
		doctor_add(doctor, DOCTOR_OK, "hugepages", object, NULL, "%lld huge pages of %s, %lld free",
			   (long long)total, size, (long long)free_count);
	return total;
}

static int64_t check_pools(struct doctor *doctor, const char *object, const char *path)
{
	json_t *sizes = doctor_list(doctor, "%s", path);
	int64_t total = 0;
	for (size_t i = 0; i < json_array_size(sizes); i++) {
		const char *name = json_string_value(json_array_get(sizes, i));
		if (!strncmp(name, "hugepages-", strlen("hugepages-")))
			total += check_pool(doctor, object, path, name);
	}
	json_decref(sizes);
	return total;
}

/* Whether a port lies on the NUMA node, so that its buffers want to be there. */
static bool node_has_port(const struct doctor *doctor, int64_t node)
{
	for (size_t i = 0; i < json_array_size(doctor->ports); i++) {
		const json_t *number = json_object_get(json_array_get(doctor->ports, i), "numa_node");
		if (json_is_integer(number) && json_integer_value(number) == node)
			return true;
	}
	return false;
}

void doctor_check_hugepages(struct doctor *doctor)
{
	json_t *nodes = doctor_list(doctor, "/sys/devices/system/node");
	int64_t total = 0;
	bool any_node = false;
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const char *name = json_string_value(json_array_get(nodes, i));
		char path[128], *end;
		if (strncmp(name, "node", 4) || !name[4])
			continue;
		long long number = strtoll(name + 4, &end, 10);
		if (*end)
			continue;
		any_node = true;
		(void)snprintf(path, sizeof(path), "/sys/devices/system/node/%.32s/hugepages", name);
		int64_t here = check_pools(doctor, name, path);
		total += here;
		if (!here && node_has_port(doctor, number))
			doctor_add(doctor, DOCTOR_WARNING, "hugepages", name,
				   "give it some: echo 512 > /sys/devices/system/node/nodeN/hugepages/"
				   "hugepages-2048kB/nr_hugepages",
				   "a port lies on this NUMA node, and it has no huge pages");
	}
	json_decref(nodes);
	if (!any_node)
		total = check_pools(doctor, "memory", "/sys/kernel/mm/hugepages");
	if (!total)
		doctor_add(doctor, DOCTOR_WARNING, "hugepages", "memory",
			   "set vm.nr_hugepages=512 in /etc/sysctl.d, or start with the kernel argument hugepages=512",
			   "no huge pages: the dataplane has to run without, and slower");
	char mount[DOCTOR_LINE_BYTES];
	if (total && doctor_find_line(doctor, "/proc/mounts", "hugetlbfs ", mount, sizeof(mount)))
		doctor_add(doctor, DOCTOR_OK, "hugepages", "hugetlbfs", NULL, "mounted on %.*s",
			   (int)strcspn(mount, " "), mount);
	else if (total)
		doctor_add(doctor, DOCTOR_OK, "hugepages", "hugetlbfs", NULL,
			   "not mounted, which the dataplane does not need");
}

/* Ports whose drivers lock memory. */
static bool needs_locked_memory(const struct doctor *doctor)
{
	return doctor_has_port_kind(doctor, "pci") || doctor_has_port_kind(doctor, "af_xdp");
}

void doctor_check_memlock(struct doctor *doctor)
{
	static const char prefix[] = "Max locked memory";
	const json_t *dataplane = json_object_get(doctor->status, "dataplane");
	json_int_t pid = json_integer_value(json_object_get(dataplane, "pid"));
	char path[64], limit[128], size[TEXT_SIZE_BYTES];
	const char *object = "this shell";
	(void)snprintf(path, sizeof(path), "/proc/%lld/limits", (long long)pid);
	bool found = pid > 0 && doctor_find_line(doctor, path, prefix, limit, sizeof(limit));
	if (found)
		object = "dataplane";
	else if (!doctor_find_line(doctor, "/proc/self/limits", prefix, limit, sizeof(limit)))
		return;
	const char *soft = limit + strspn(limit, " ");
	uint64_t bytes = strtoull(soft, NULL, 10);
	if (!strncmp(soft, "unlimited", strlen("unlimited")))
		doctor_add(doctor, DOCTOR_OK, "memlock", object, NULL, "may lock all its memory");
	else if (bytes >= MEMLOCK_MIN_BYTES || (found && !needs_locked_memory(doctor)))
		doctor_add(doctor, DOCTOR_OK, "memlock", object, NULL, "may lock %s",
			   text_size_emit_short(bytes, size));
	else if (!found)
		doctor_add(doctor, DOCTOR_OK, "memlock", object, NULL,
			   "may lock %s; the dataplane raises its own limit when it is started as root",
			   text_size_emit_short(bytes, size));
	else
		doctor_add(doctor, DOCTOR_WARNING, "memlock", object,
			   "start wherryd as root, or set LimitMEMLOCK=infinity in its unit",
			   "may lock only %s: its pci and af_xdp ports need more", text_size_emit_short(bytes, size));
}

void doctor_check_state_dir(struct doctor *doctor)
{
	const char *dir = doctor->state_dir;
	char path[DOCTOR_PATH_BYTES], size[TEXT_SIZE_BYTES];
	struct stat status;
	struct statvfs space;
	doctor_path(doctor, path, sizeof(path), "%s", dir);
	if (stat(path, &status)) {
		if (errno == ENOENT && !doctor->status)
			doctor_add(doctor, DOCTOR_OK, "state", dir, NULL, "not there yet; wherryd makes it");
		else
			doctor_add(doctor, DOCTOR_ERROR, "state", dir,
				   "start wherryd with the right --state-dir, or doctor with the right one", "%s",
				   strerror(errno));
		return;
	}
	if (!S_ISDIR(status.st_mode)) {
		doctor_add(doctor, DOCTOR_ERROR, "state", dir, "move it out of the way", "not a directory");
		return;
	}
	if (status.st_mode & 07) /* the file in it names clients and paths; nobody else needs it */
		doctor_add(doctor, DOCTOR_WARNING, "state", dir, "chmod o= the directory",
			   "open to all users (mode %04o)", (unsigned)status.st_mode & 07777);
	if (statvfs(path, &space)) {
		doctor_add(doctor, DOCTOR_ERROR, "state", dir, "check the file system", "%s", strerror(errno));
		return;
	}
	uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
	text_size_emit_short(free_bytes, size);
	if (space.f_flag & ST_RDONLY)
		doctor_add(doctor, DOCTOR_ERROR, "state", dir, "remount it read-write", "the file system is read-only");
	else if (free_bytes < doctor->state_free_min_bytes)
		doctor_add(doctor, DOCTOR_ERROR, "state", dir, "make room: without it, no change can be made durable",
			   "only %s free", size);
	else if (free_bytes / 10 < doctor->state_free_min_bytes)
		doctor_add(doctor, DOCTOR_WARNING, "state", dir, "make room before it runs out", "only %s free", size);
	else
		doctor_add(doctor, DOCTOR_OK, "state", dir, NULL, "%s free", size);
}

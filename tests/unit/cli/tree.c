/* SPDX-License-Identifier: BSD-3-Clause */
/* Made-up proc and sys trees in a temporary directory. */
#include "tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512  /* of a path below the root */
#define FULL_BYTES 1024 /* with the root */

void tree_create(struct tree *tree)
{
	(void)snprintf(tree->root, sizeof(tree->root), "/tmp/wherry-tree.XXXXXX");
	if (!mkdtemp(tree->root))
		abort();
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void tree_destroy(struct tree *tree)
{
	(void)nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tree_dir(const struct tree *tree, const char *path)
{
	char full[FULL_BYTES];
	(void)snprintf(full, sizeof(full), "%s%s", tree->root, path);
	for (char *slash = strchr(full + strlen(tree->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	(void)mkdir(full, 0755);
}

/* The directory that a path lies in. */
static void make_parent(const struct tree *tree, const char *path)
{
	char parent[PATH_BYTES];
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (*parent)
		tree_dir(tree, parent);
}

void tree_write(const struct tree *tree, const char *path, const char *text)
{
	char full[FULL_BYTES];
	make_parent(tree, path);
	(void)snprintf(full, sizeof(full), "%s%s", tree->root, path);
	FILE *to = fopen(full, "we");
	if (!to || fputs(text, to) < 0 || fclose(to))
		abort();
}

void tree_link(const struct tree *tree, const char *path, const char *target)
{
	char full[FULL_BYTES];
	make_parent(tree, path);
	(void)snprintf(full, sizeof(full), "%s%s", tree->root, path);
	if (symlink(target, full))
		abort();
}

void tree_pci(const struct tree *tree, const char *address, const char *class_text, const char *driver,
	      const char *group)
{
	char path[PATH_BYTES], target[FULL_BYTES];
	(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/class", address);
	tree_write(tree, path, class_text);
	(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/numa_node", address);
	tree_write(tree, path, "0\n");
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	(void)snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", address);
	tree_link(tree, path, target);
	if (driver) {
		(void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, address);
		(void)snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", address);
		tree_link(tree, path, target);
		(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/driver", address);
		(void)snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
		tree_link(tree, path, target);
	}
	if (group) {
		(void)snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices/%s", group, address);
		(void)snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", address);
		tree_link(tree, path, target);
		(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/iommu_group", address);
		(void)snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", group);
		tree_link(tree, path, target);
	}
}

void tree_nic(const struct tree *tree, const char *name, const char *address)
{
	char path[PATH_BYTES], target[FULL_BYTES];
	(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/net/%s/operstate", address, name);
	tree_write(tree, path, "up\n");
	(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/net/%s/mtu", address, name);
	tree_write(tree, path, "1500\n");
	(void)snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/net/%s/device", address, name);
	(void)snprintf(target, sizeof(target), "../../../%s", address);
	tree_link(tree, path, target);
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s", name);
	(void)snprintf(target, sizeof(target), "../../devices/pci0000:00/%s/net/%s", address, name);
	tree_link(tree, path, target);
}

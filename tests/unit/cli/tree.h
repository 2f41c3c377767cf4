/* SPDX-License-Identifier: BSD-3-Clause */
/* Made-up proc and sys trees in a temporary directory. */
#pragma once

struct tree {
	char root[64];
};

void tree_create(struct tree *tree);
/* Everything below the root goes too. */
void tree_destroy(struct tree *tree);
/* A file with its directories. */
void tree_write(const struct tree *tree, const char *path, const char *text);
/* A directory with those above. */
void tree_dir(const struct tree *tree, const char *path);
/* A symbolic link; target as it shall stand in the link. */
void tree_link(const struct tree *tree, const char *path, const char *target);
/* A PCI device with its class ("0x020000"), driver (NULL: none) and IOMMU group (NULL: none). */
void tree_pci(const struct tree *tree, const char *address, const char *class_text, const char *driver,
	      const char *group);
/* A network interface of a PCI device. */
void tree_nic(const struct tree *tree, const char *name, const char *address);

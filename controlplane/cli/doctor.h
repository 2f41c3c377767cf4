/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of the machine and of the appliance.
 *
 * A check reads the proc, sys and dev trees below a root, and what wherryd told,
 * and adds findings.  Nothing here changes the machine.  A check that cannot read
 * something says so in a finding; it never fails as a whole.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor {
	const char *root; /* "" for /, else a directory that holds proc, sys and so on */
	/* What wherryd told; NULL: not known.  Borrowed. */
	const json_t *status, *ports, *lcores, *volumes, *exports;
	const char *no_daemon;      /* why wherryd could not be asked; NULL: it was */
	const char *ssh_connection; /* of the environment, NULL: none */
	const char *state_dir;
	uint64_t state_free_min_bytes; /* below this, free space is an error; below ten times, a warning */
	json_t *findings;              /* array, owned by whoever made the struct */
};

/* Add a finding.  remedy NULL: nothing to do.  The message starts after "object: ". */
__attribute__((format(printf, 6, 7))) void doctor_add(struct doctor *doctor, enum doctor_level level, const char *check,
						      const char *object, const char *remedy, const char *format, ...);
/* How many findings have the level. */
unsigned doctor_count(const struct doctor *doctor, enum doctor_level level);
/* All checks, in order. */
void doctor_run(struct doctor *doctor);
/* The findings, a line or two each, and a summary. */
void doctor_print(FILE *out, const struct doctor *doctor);

/* ----------------------------------------------------------------- checks */
void doctor_check_hugepages(struct doctor *doctor);
void doctor_check_memlock(struct doctor *doctor);
void doctor_check_state_dir(struct doctor *doctor);
void doctor_check_cpu_features(struct doctor *doctor);
void doctor_check_clock(struct doctor *doctor);
void doctor_check_governor(struct doctor *doctor);
void doctor_check_isolation(struct doctor *doctor);
void doctor_check_iommu(struct doctor *doctor);
void doctor_check_vfio(struct doctor *doctor);
void doctor_check_iommu_groups(struct doctor *doctor);
void doctor_check_nics(struct doctor *doctor);
void doctor_check_ssh(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_daemon(struct doctor *doctor);
void doctor_check_ports(struct doctor *doctor);
void doctor_check_storage(struct doctor *doctor);

/* ---------------------------------------------------------------- readers */
#define DOCTOR_PATH_BYTES 1024
#define DOCTOR_LINE_BYTES 4096
#define DOCTOR_PCI_BYTES 16 /* 0000:00:00.0 and its NUL */

/* The path below the root.  Returns to. */
__attribute__((format(printf, 4, 5))) char *doctor_path(const struct doctor *doctor, char *to, size_t size,
							const char *format, ...);
/* First line of a small file without its newline.  Whether there is one. */
__attribute__((format(printf, 4, 5))) bool doctor_read(const struct doctor *doctor, char *to, size_t size,
						       const char *format, ...);
/* The number in a small file, or fallback. */
__attribute__((format(printf, 3, 4))) int64_t doctor_read_int(const struct doctor *doctor, int64_t fallback,
							      const char *format, ...);
/* Whether the path exists. */
__attribute__((format(printf, 2, 3))) bool doctor_exists(const struct doctor *doctor, const char *format, ...);
/* Names in a directory without "." and "..", sorted; an array of strings, empty when it cannot be read.  Owned by the
 * caller. */
__attribute__((format(printf, 2, 3))) json_t *doctor_list(const struct doctor *doctor, const char *format, ...);
/* Last component of a symbolic link's target.  Whether it is one. */
__attribute__((format(printf, 4, 5))) bool doctor_link_name(const struct doctor *doctor, char *to, size_t size,
							    const char *format, ...);
/* The first line of the file that starts with prefix; what follows the prefix goes into to.  Whether there is one. */
bool doctor_find_line(const struct doctor *doctor, const char *path, const char *prefix, char *to, size_t size);
/* Whether the kernel was started with the argument; value (may be NULL) gets what follows its "=". */
bool doctor_kernel_arg(const struct doctor *doctor, const char *name, char *value, size_t size);
/* PCI address of a network interface, also through virtio; "" when it has none.  Returns to. */
char *doctor_nic_pci(const struct doctor *doctor, const char *interface, char to[DOCTOR_PCI_BYTES]);
/* Driver of a PCI device, "" for none. */
char *doctor_pci_driver(const struct doctor *doctor, const char *address, char *to, size_t size);
/* Whether a list such as "2-5,8" holds the number. */
bool doctor_cpu_in_list(const char *list, int64_t cpu);

/* The part of a port's device after its kind when the kind is that one, else NULL. */
const char *doctor_port_device(const json_t *port, const char *kind);
/* A string member, "" when it is missing. */
const char *doctor_text(const json_t *object, const char *key);
/* Whether some port has a device of the kind. */
bool doctor_has_port_kind(const struct doctor *doctor, const char *kind);

/* The interfaces that carry the operator's ssh session, lower ones of bridges, bonds and VLANs included: an array of
 * names, empty when there is no session.  Owned by the caller. */
json_t *doctor_ssh_interfaces(const struct doctor *doctor);

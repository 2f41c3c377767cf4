/* SPDX-License-Identifier: BSD-3-Clause */
/* What the file_*.c share. */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "daemon/file_open.h"

/* Resolve an existing path and check kind and policy.  0 or -1. */
int file_resolve(const struct file_policy *policy, const char *path, char resolved[PATH_MAX], struct stat *st,
		 struct fail *fail);
/* openat2 of a resolved path: a symbolic link anywhere in it means that somebody changed it meanwhile (-1, ELOOP). */
int file_open_resolved(const char *resolved, int flags);
/* Make a regular file of the request's size; all of it or nothing is left, also after a crash where the file system
 * has unnamed files.  0 or -1. */
int file_create(const struct file_policy *policy, const struct monitor_file *request, struct fail *fail);

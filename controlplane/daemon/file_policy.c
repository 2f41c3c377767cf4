/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/file_open.h"

/* Resolved, without '/' at the end.  One that does not exist yet is taken as written. */
static int put(char to[WHERRY_PATH_BYTES_MAX + 1], const char *path)
{
	char resolved[PATH_MAX];

	if (path[0] != '/')
		return -EINVAL;
	if (!realpath(path, resolved)) {
		if (strlen(path) >= sizeof resolved)
			return -EINVAL;
		memcpy(resolved, path, strlen(path) + 1);
	}
	size_t len = strlen(resolved);
	while (len > 1 && resolved[len - 1] == '/')
		len--;
	if (len > WHERRY_PATH_BYTES_MAX)
		return -EINVAL;
	memcpy(to, resolved, len);
	to[len] = '\0';
	return 0;
}

int file_policy_add(struct file_policy *policy, const char *prefix)
{
	if (prefix[0] == '/' && policy->prefix_count == FILE_PREFIX_COUNT_MAX)
		return -ENOSPC;
	int rc = put(policy->prefixes[policy->prefix_count], prefix);
	policy->prefix_count += rc == 0;
	return rc;
}

int file_policy_keep_out(struct file_policy *policy, const char *directory)
{
	if (policy->own_count == FILE_OWN_COUNT_MAX)
		return -ENOSPC;
	int rc = put(policy->own[policy->own_count], directory);
	policy->own_count += rc == 0;
	return rc;
}

static bool inside(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strcmp(prefix, "/") == 0)
		return true;
	return strncmp(path, prefix, len) == 0 && path[len] == '/';
}

/* Length of the longest of our own directories that encloses the path, 0 for none. */
static size_t own_bytes(const struct file_policy *policy, const char *resolved)
{
	size_t longest = 0;

	for (unsigned i = 0; i < policy->own_count; i++)
		if (inside(resolved, policy->own[i]) && strlen(policy->own[i]) > longest)
			longest = strlen(policy->own[i]);
	return longest;
}

int file_policy_check(const struct file_policy *policy, const char *resolved, bool block_device, struct fail *fail)
{
	bool device_only = false, own = false;
	size_t own_len = own_bytes(policy, resolved);

	for (unsigned i = 0; i < policy->prefix_count; i++) {
		if (!inside(resolved, policy->prefixes[i]))
			continue;
		if (strlen(policy->prefixes[i]) <= own_len)
			own = true;
		else if (block_device || strcmp(policy->prefixes[i], "/dev") != 0)
			return 0;
		else
			device_only = true;
	}
	if (own)
		return fail_set(fail, FAIL_FAILED,
				"%s: in a directory where wherryd keeps its own files; put it into one of its own, and"
				" start wherryd with --allow-path for that",
				resolved);
	if (device_only)
		return fail_set(fail, FAIL_FAILED,
				"%s: below /dev only block devices may be used; move the file, or start wherryd with"
				" --allow-path for its directory",
				resolved);
	return fail_set(fail, FAIL_FAILED,
			"%s: outside the directories that wherryd may use; move it, or start wherryd with"
			" --allow-path for its directory",
			resolved);
}

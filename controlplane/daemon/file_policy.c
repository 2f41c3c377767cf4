/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/file_open.h"

int file_policy_add(struct file_policy *policy, const char *prefix)
{
	char resolved[PATH_MAX];
	size_t len;

	if (prefix[0] != '/')
		return -EINVAL;
	if (policy->prefix_count == FILE_PREFIX_COUNT_MAX)
		return -ENOSPC;
	if (!realpath(prefix, resolved)) {
		if (strlen(prefix) >= sizeof resolved)
			return -EINVAL;
		memcpy(resolved, prefix, strlen(prefix) + 1);
	}
	len = strlen(resolved);
	while (len > 1 && resolved[len - 1] == '/')
		len--;
	if (len > WHERRY_PATH_BYTES_MAX)
		return -EINVAL;
	memcpy(policy->prefixes[policy->prefix_count], resolved, len);
	policy->prefixes[policy->prefix_count++][len] = '\0';
	return 0;
}

static bool inside(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strcmp(prefix, "/") == 0)
		return true;
	return strncmp(path, prefix, len) == 0 && path[len] == '/';
}

int file_policy_check(const struct file_policy *policy, const char *resolved, bool block_device, struct fail *fail)
{
	bool device_only = false;

	for (unsigned i = 0; i < policy->prefix_count; i++) {
		if (!inside(resolved, policy->prefixes[i]))
			continue;
		if (block_device || strcmp(policy->prefixes[i], "/dev") != 0)
			return 0;
		device_only = true;
	}
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

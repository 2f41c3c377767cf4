/* SPDX-License-Identifier: BSD-3-Clause */
/* See privileges.h. */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const cap_value_t net_admin[] = {CAP_NET_ADMIN};

/* Without a limit, or as far as this process may. */
static int raise_limit(__rlimit_resource_t resource)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	if (resource != RLIMIT_NOFILE && setrlimit(resource, &limit) == 0)
		return 0;
	if (getrlimit(resource, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

int privileges_prepare(void)
{
	int memory = raise_limit(RLIMIT_MEMLOCK), files = raise_limit(RLIMIT_NOFILE);
	return memory ? memory : files;
}

/* Exactly these capabilities for this thread. */
static int set_caps(bool permit_net_admin, bool effect_net_admin)
{
	cap_t caps = cap_init();
	if (!caps)
		return -errno;
	int rc = 0;
	if (permit_net_admin)
		rc = cap_set_flag(caps, CAP_PERMITTED, 1, net_admin, CAP_SET);
	if (rc == 0 && effect_net_admin)
		rc = cap_set_flag(caps, CAP_EFFECTIVE, 1, net_admin, CAP_SET);
	if (rc == 0)
		rc = cap_set_proc(caps);
	rc = rc ? -errno : 0;
	cap_free(caps);
	return rc;
}

static int fail(const char *what, char *error, size_t error_bytes)
{
	int rc = -errno;
	snprintf(error, error_bytes, "cannot give up privileges: %s: %s", what, strerror(-rc));
	return rc;
}

int privileges_drop(uid_t uid, gid_t gid, bool keep_net_admin, char *error, size_t error_bytes)
{
	if (geteuid() == uid && getegid() == gid)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, keep_net_admin ? 1ul : 0ul, 0, 0, 0) < 0)
		return fail("PR_SET_KEEPCAPS", error, error_bytes);
	if (setgroups(0, NULL) < 0)
		return fail("setgroups", error, error_bytes);
	if (setresgid(gid, gid, gid) < 0)
		return fail("setresgid", error, error_bytes);
	if (setresuid(uid, uid, uid) < 0)
		return fail("setresuid", error, error_bytes);
	int rc = set_caps(keep_net_admin, false);
	if (rc) {
		errno = -rc;
		return fail("capset", error, error_bytes);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0, 0, 0) < 0)
		return fail("PR_SET_NO_NEW_PRIVS", error, error_bytes);
	/* Trust, but look: a way back would make all of this worthless. */
	if (setresuid(0, 0, 0) == 0) {
		errno = EPERM;
		return fail("root could be regained", error, error_bytes);
	}
	return 0;
}

void privileges_raise_net_admin(void)
{
	cap_flag_value_t permitted = CAP_CLEAR;
	cap_t caps = cap_get_proc();
	if (caps && cap_get_flag(caps, CAP_NET_ADMIN, CAP_PERMITTED, &permitted) == 0 && permitted == CAP_SET &&
	    geteuid() != 0)
		set_caps(true, true);
	cap_free(caps);
}

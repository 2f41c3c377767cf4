/* SPDX-License-Identifier: BSD-3-Clause */
/* See eal.h. */
#include "lcore/eal.h"

#include <dirent.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/drvlog.h"

#define HUGEPAGES_FOLDER "/sys/kernel/mm/hugepages"

static uint64_t read_free_pages(const char *folder)
{
	char path[sizeof HUGEPAGES_FOLDER + 300];
	unsigned long long pages = 0;
	snprintf(path, sizeof path, HUGEPAGES_FOLDER "/%.200s/free_hugepages", folder);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages;
}

uint64_t eal_free_huge_mb(void)
{
	uint64_t free_kb = 0;
	DIR *folder = opendir(HUGEPAGES_FOLDER);
	if (!folder)
		return 0;
	for (struct dirent *entry; (entry = readdir(folder));) {
		unsigned long page_kb;
		if (sscanf(entry->d_name, "hugepages-%lukB", &page_kb) == 1)
			free_kb += page_kb * read_free_pages(entry->d_name);
	}
	closedir(folder);
	return free_kb >> 10;
}

int eal_start(const struct eal_config *config, char *error, size_t error_bytes)
{
	static char store[8192]; /* the EAL keeps pointers into its arguments */
	static const char *argv[EAL_ARG_COUNT_MAX];
	unsigned argc = eal_build_args(config, argv, store, sizeof store);
	if (argc == 0) {
		snprintf(error, error_bytes, "the arguments for the EAL are too long: shorten --lcores or --eal");
		return -E2BIG;
	}
	drvlog_clear();
	drvlog_set_quiet(true); /* it warns of pages of sizes that nobody asked for; what matters is told below */
	int rc = rte_eal_init((int)argc, (char **)(uintptr_t)argv);
	drvlog_set_quiet(false);
	if (rc >= 0) {
		drvlog_redirect_libraries();
		/* Without hugepages the EAL makes a folder for this process, puts nothing into it and leaves it behind.
		 */
		if (config->no_huge)
			(void)rmdir(rte_eal_get_runtime_dir());
		return 0;
	}
	char reason[256];
	drvlog_last_error(reason, sizeof reason);
	snprintf(error, error_bytes, "the EAL does not start: %s%s%s", rte_strerror(rte_errno), *reason ? "; " : "",
		 reason);
	return rte_errno ? -rte_errno : -EINVAL;
}

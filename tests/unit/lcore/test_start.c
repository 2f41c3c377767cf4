/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "lcore/cpus.h"
#include "lcore/eal.h"

static cpu_set_t set_of(const unsigned *cpus, unsigned count)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (unsigned i = 0; i < count; i++)
		CPU_SET(cpus[i], &set);
	return set;
}

Test(lcore_cpus, sets_are_written_as_ranges)
{
	const struct {
		unsigned cpus[6], count;
		const char *text;
	} cases[] = {
		{{0}, 0, ""},
		{{3}, 1, "3"},
		{{0, 1}, 2, "0-1"},
		{{0, 1, 2, 5, 7, 8}, 6, "0-2,5,7-8"},
		{{1022, 1023}, 2, "1022-1023"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[64];
		cpu_set_t set = set_of(cases[i].cpus, cases[i].count);
		cpus_format(&set, text, sizeof text);
		cr_expect_str_eq(text, cases[i].text);
	}
}

Test(lcore_cpus, a_text_that_is_too_small_ends_at_a_whole_range)
{
	const unsigned cpus[] = {0, 2, 4, 6, 8, 10};
	cpu_set_t set = set_of(cpus, 6);
	char text[6];
	cpus_format(&set, text, sizeof text);
	cr_expect_str_eq(text, "0,2,4");
}

Test(lcore_cpus, few_cpus_are_shared_and_many_are_given_out)
{
	const struct {
		unsigned cpus[8], count;
		const char *lcores;
		unsigned lcore_count;
	} cases[] = {
		{{0}, 1, "0@(0),1@(0)", 2},
		{{4, 6}, 2, "0@(4,6),1@(4,6)", 2},
		{{0, 1, 2}, 3, "0@0,1@1,2@2", 3},
		{{2, 3, 9, 11, 12, 13, 14}, 7, "0@2,1@3,2@9,3@11,4@12", 5},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[128];
		cpu_set_t set = set_of(cases[i].cpus, cases[i].count);
		cpus_default_lcores(&set, text, sizeof text);
		cr_expect_str_eq(text, cases[i].lcores);
		cr_expect_eq(eal_count_lcores(text), cases[i].lcore_count, "%s", text);
	}
}

Test(lcore_eal, lcores_in_a_list_are_counted)
{
	const struct {
		const char *text;
		unsigned count;
	} cases[] = {
		{"0", 1},           {"0-3", 4},       {"0,2,4-5", 4},   {"0@0,1@0", 2}, {"0@(0-1),1@(0-1)", 2},
		{"(0-3)@(4-7)", 4}, {"(0,2)@1,5", 3}, {"0-2@(1,2)", 3}, {"", 0},        {"x", 0},
		{"3-1", 0},         {"0,,1", 0},      {"(0", 0},        {"0-", 0},      {"0@1x,2", 2},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(eal_count_lcores(cases[i].text), cases[i].count, "\"%s\"", cases[i].text);
}

static bool has(const char *const *argv, const char *arg)
{
	for (; *argv; argv++)
		if (strcmp(*argv, arg) == 0)
			return true;
	return false;
}

static struct eal_config plain(void)
{
	return (struct eal_config){.lcores = "0-1", .main_lcore = -1, .memory_mb = 64, .pid = 42};
}

Test(lcore_eal, hugepages_are_used_in_memory_and_without_them_a_run_time_folder_of_its_own)
{
	const char *argv[EAL_ARG_COUNT_MAX];
	char store[1024];
	struct eal_config config = plain();
	unsigned argc = eal_build_args(&config, argv, store, sizeof store);
	cr_assert_gt(argc, 3u);
	cr_expect_null(argv[argc]);
	cr_expect(has(argv, "--in-memory") && has(argv, "--lcores=0-1") && has(argv, "--no-pci"));
	cr_expect_not(has(argv, "--no-huge"));
	config.no_huge = true;
	eal_build_args(&config, argv, store, sizeof store);
	cr_expect(has(argv, "--no-huge") && has(argv, "--no-shconf") && has(argv, "--file-prefix=wherry-42"));
	cr_expect(has(argv, "-m") && has(argv, "64"));
	cr_expect_not(has(argv, "--in-memory"), "the EAL refuses both together");
}

Test(lcore_eal, only_the_named_pci_functions_are_taken)
{
	const char *argv[EAL_ARG_COUNT_MAX];
	char store[1024];
	struct eal_config config = plain();
	config.pci_count = 2;
	config.pci[0] = "0000:01:00.0";
	config.pci[1] = "0000:01:00.1";
	config.main_lcore = 3;
	config.extra_count = 1;
	config.extra[0] = "--iova-mode=pa";
	cr_assert_gt(eal_build_args(&config, argv, store, sizeof store), 0u);
	cr_expect(has(argv, "--allow=0000:01:00.0") && has(argv, "--allow=0000:01:00.1"));
	cr_expect(has(argv, "--main-lcore=3") && has(argv, "--iova-mode=pa"));
	cr_expect_not(has(argv, "--no-pci"));
}

Test(lcore_eal, a_store_that_is_too_small_is_told)
{
	const char *argv[EAL_ARG_COUNT_MAX];
	char store[256];
	struct eal_config config = plain();
	size_t needed = 0;
	while (needed <= sizeof store && eal_build_args(&config, argv, store, needed) == 0)
		needed++;
	cr_assert_lt(needed, sizeof store);
	for (size_t bytes = 1; bytes < needed; bytes++)
		cr_expect_eq(eal_build_args(&config, argv, store, bytes), 0u, "%zu bytes", bytes);
}

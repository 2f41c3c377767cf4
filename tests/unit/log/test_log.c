/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "log/log.h"

Test(log, a_line_has_the_priority_or_the_programs_name_in_front)
{
	char line[128];
	size_t len = log_format(line, sizeof line, LOG_LEVEL_WARN, NULL, "port p0: link down");
	cr_expect_str_eq(line, "<4>port p0: link down\n");
	cr_expect_eq(len, strlen(line));
	log_format(line, sizeof line, LOG_LEVEL_ERROR, "wherry-dataplane", "no");
	cr_expect_str_eq(line, "wherry-dataplane: error: no\n");
}

Test(log, control_characters_cannot_break_a_line_in_two)
{
	char line[64];
	log_format(line, sizeof line, LOG_LEVEL_INFO, NULL, "a\nb\r\x1b[2J\x7f");
	cr_expect_str_eq(line, "<6>a?b??[2J?\n");
}

Test(log, a_long_line_is_cut_and_still_ends)
{
	for (size_t bytes = 2; bytes < 20; bytes++) {
		char line[32];
		memset(line, 'x', sizeof line);
		size_t len = log_format(line, bytes, LOG_LEVEL_INFO, NULL, "0123456789abcdefghij");
		cr_expect_eq(len, bytes - 1, "%zu bytes", bytes);
		cr_expect_eq(line[len - 1], '\n', "%zu bytes", bytes);
		cr_expect_eq(line[len], '\0', "%zu bytes", bytes);
		cr_expect_eq(line[len + 1], 'x', "%zu bytes: nothing behind", bytes);
	}
}

Test(log, levels_have_names)
{
	enum log_level level = LOG_LEVEL_INFO;
	cr_expect_eq(log_level_parse("debug", &level), 0);
	cr_expect_eq(level, LOG_LEVEL_DEBUG);
	cr_expect_eq(log_level_parse("error", &level), 0);
	cr_expect_eq(level, LOG_LEVEL_ERROR);
	cr_expect_eq(log_level_parse("loud", &level), -EINVAL);
	cr_expect_eq(level, LOG_LEVEL_ERROR, "unchanged");
}

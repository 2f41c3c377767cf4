/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of statistics and the histogram's bucket functions. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "wherry/stats.h"

Test(stats_hist, a_bucket_holds_exactly_the_latencies_from_its_floor_to_the_next)
{
	for (unsigned b = 0; b < WHERRY_HIST_BUCKET_COUNT; b++) {
		uint64_t floor = wherry_hist_floor_ns(b);
		cr_expect_eq(wherry_hist_bucket(floor), b, "floor of bucket %u", b);
		if (b > 0)
			cr_expect_eq(wherry_hist_bucket(floor - 1), b - 1, "below bucket %u", b);
		if (b + 1 < WHERRY_HIST_BUCKET_COUNT && floor >= 64) {
			uint64_t width = wherry_hist_floor_ns(b + 1) - floor;
			cr_expect(width * 8 <= floor, "bucket %u is wider than 12.5 %%", b);
		}
	}
}

Test(stats_hist, extremes_have_a_bucket)
{
	cr_expect_eq(wherry_hist_bucket(0), 0);
	cr_expect_eq(wherry_hist_bucket(63), 7);
	cr_expect_eq(wherry_hist_bucket(64), 8);
	cr_expect_eq(wherry_hist_bucket(1ull << WHERRY_HIST_MAX_BITS), WHERRY_HIST_BUCKET_COUNT - 1);
	cr_expect_eq(wherry_hist_bucket(UINT64_MAX), WHERRY_HIST_BUCKET_COUNT - 1);
}

Test(stats_list, every_scope_fits_the_arrays_and_names_are_unique)
{
	for (unsigned scope = 0; scope < WHERRY_SCOPE_COUNT; scope++) {
		const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(scope);
		cr_assert_not_null(desc);
		cr_expect(desc->stat_count > 0 && desc->stat_count <= WHERRY_STAT_COUNT_MAX, "%s", desc->name);
		for (size_t i = 0; i < desc->stat_count; i++) {
			const struct wherry_stat_desc *s = &desc->stats[i];
			cr_expect(s->kind == 'C' || s->kind == 'G', "%s.%s", desc->name, s->name);
			cr_expect(*s->unit && *s->help, "%s.%s is not described", desc->name, s->name);
			for (const char *c = s->name; *c; c++)
				cr_expect(islower(*c) || isdigit(*c) || *c == '_', "%s.%s", desc->name, s->name);
			for (size_t k = 0; k < i; k++)
				cr_expect_str_neq(s->name, desc->stats[k].name, "%s", desc->name);
		}
	}
	cr_expect_null(wherry_stat_scope_desc(WHERRY_SCOPE_COUNT));
}

Test(stats_list, the_description_is_in_the_order_of_the_enum)
{
	cr_expect_str_eq(wherry_stat_scope_desc(WHERRY_SCOPE_EXPORT)->stats[WHERRY_EXPORT_ata_no_space].name,
			 "ata_no_space");
	cr_expect_str_eq(wherry_stat_scope_desc(WHERRY_SCOPE_LCORE)->stats[WHERRY_LCORE_turns].name, "turns");
	cr_expect_eq(wherry_stat_scope_desc(WHERRY_SCOPE_VOLUME)->stats[WHERRY_VOLUME_queue_depth].kind, 'G');
}

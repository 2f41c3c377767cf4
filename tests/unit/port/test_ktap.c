/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "port/ktap.h"

Test(port_ktap, a_name_that_fits_stays_whole)
{
	char name[KTAP_NAME_BYTES];
	ktap_name("east", name);
	cr_expect_str_eq(name, "wherry-east");
	ktap_name("12345678", name);
	cr_expect_str_eq(name, "wherry-12345678");
}

Test(port_ktap, a_longer_name_is_cut_and_told_from_its_like)
{
	char one[KTAP_NAME_BYTES], other[KTAP_NAME_BYTES], again[KTAP_NAME_BYTES];
	ktap_name("storage-north", one);
	ktap_name("storage-south", other);
	ktap_name("storage-north", again);
	cr_expect_eq(strlen(one), KTAP_NAME_BYTES - 1);
	cr_expect_eq(strncmp(one, "wherry-stor", 11), 0, "%s", one);
	cr_expect_str_neq(one, other);
	cr_expect_str_eq(one, again, "it is the same after every start");
}

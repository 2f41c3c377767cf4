/* SPDX-License-Identifier: BSD-3-Clause */
/* Configurations compared. */
#include <criterion/criterion.h>

#include "rig.h"

static struct rig rig;

Test(net_config, addresses_that_the_next_one_lacks_are_told)
{
	rig_init(&rig, NULL);
	struct net_settings settings = rig_settings();
	struct ip_addr addr;
	char error[100];
	unsigned at = 0, count = 0;
	cr_expect(!net_config_lost(rig.config, rig.config, &at, &addr), "the same ones");
	settings.address_count--;
	settings.route_count--; /* its gateway is there */
	struct net_config *other = net_config_create(&settings, error, sizeof error);
	cr_assert_not_null(other);
	for (at = 0; net_config_lost(rig.config, other, &at, &addr); count++)
		cr_expect(ip_addr_equal(&addr, &settings.addresses[settings.address_count].addr));
	cr_expect_eq(count, 1);
	at = 0;
	cr_expect(!net_config_lost(other, rig.config, &at, &addr), "more of them");
	net_config_destroy(other);
	rig_fini(&rig);
}

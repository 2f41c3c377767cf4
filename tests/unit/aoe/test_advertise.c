/* SPDX-License-Identifier: BSD-3-Clause */
/* Unsolicited Config responses. */
#include <stdlib.h>

#include "rig.h"

static struct aoe_export *advertise(struct rig *rig, const struct wherry_ctl_aoe_export_put *put)
{
	struct aoe_export *export_ = aoe_export_create(put, &rig->disk.volume);
	cr_assert(export_);
	cr_expect_null(aoe_export_add(rig->lcore, export_, true, rig->now_ns));
	return export_;
}

Test(aoe_advertise, a_new_export_tells_everybody_on_every_port)
{
	const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255}, no_tag[4] = {0};
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(3, 4);
	put->config.len = 3;
	memcpy(put->config.b, "abc", 3);
	struct aoe_export *export_ = advertise(rig, put);
	cr_expect_eq(rig_poll(rig), 2);
	for (uint16_t port = 0; port < 2; port++) {
		const struct rig_answer *answer = rig_next(rig);
		rig_expect_ok(answer);
		cr_expect_eq(answer->port_index, port);
		cr_expect_arr_eq(answer->frame.eth.dst, everybody, 6);
		cr_expect_arr_eq(answer->frame.header.tag, no_tag, 4);
		cr_expect_eq(answer->bytes[14], 0x18, "version 1: iPXE drops any other");
		cr_expect_eq(answer->frame.header.command, AOE_COMMAND_CONFIG);
		cr_expect(answer->frame.header.shelf == 3 && answer->frame.header.slot == 4);
		cr_expect_eq(answer->frame.config.sector_count, port ? 17 : 2);
		cr_expect_eq(answer->frame.config.string_bytes, 3);
		cr_expect_arr_eq(answer->bytes + 32, "abc", 3);
		cr_expect_eq(answer->bytes[29], 0x10);
		cr_expect_eq(answer->len_bytes, 60);
	}
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_advertised], 2);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_out), 0, "not an answer");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, a_mask_list_is_told_entry_by_entry)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->ports.count = 1;
	put->mask.count = 4; /* the second is zero, the last everybody: neither is a station */
	memcpy(put->mask.mac, rig_mac_a, 6);
	memcpy(put->mask.mac + 2, rig_mac_b, 6);
	memset(put->mask.mac + 3, 0xff, 6);
	struct aoe_export *export_ = advertise(rig, put);
	cr_expect_eq(rig_poll(rig), 2);
	cr_expect_arr_eq(rig_next(rig)->frame.eth.dst, rig_mac_a, 6);
	cr_expect_arr_eq(rig_next(rig)->frame.eth.dst, rig_mac_b, 6);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, goes_out_on_the_vlans_that_port_and_export_share)
{
	struct rig *rig = rig_create();
	rig->ports[0].vlan_count = 3;
	rig->ports[0].vlans[0] = 5, rig->ports[0].vlans[1] = 6, rig->ports[0].vlans[2] = 0;
	rig->ports[1].vlan_count = 1;
	rig->ports[1].vlans[0] = 7;
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->vlans.count = 4;
	put->vlans.v[0] = 0, put->vlans.v[1] = 6, put->vlans.v[2] = 7, put->vlans.v[3] = 8;
	struct aoe_export *export_ = advertise(rig, put);
	cr_expect_eq(rig_poll(rig), 4);
	static const struct {
		uint16_t port, vlan;
	} expected[] = {{0, 0}, {0, 6}, {1, 0}, {1, 7}};
	for (unsigned i = 0; i < 4; i++) {
		const struct rig_answer *answer = rig_next(rig);
		cr_expect_eq(answer->port_index, expected[i].port, "%u", i);
		cr_expect_eq(answer->frame.eth.tagged, expected[i].vlan != 0, "%u", i);
		cr_expect_eq(answer->frame.eth.tci, expected[i].vlan, "%u", i);
		cr_expect_eq(answer->len_bytes, expected[i].vlan ? 64 : 60, "%u", i);
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, ports_that_are_not_there_or_not_for_it_stay_quiet)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->ports.count = 2;
	put->ports.v[0] = 1, put->ports.v[1] = 9; /* 9 is not present */
	struct aoe_export *export_ = advertise(rig, put);
	cr_expect_eq(rig_poll(rig), 1);
	cr_expect_eq(rig_next(rig)->port_index, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, all_exports_are_told_again_on_demand)
{
	struct rig *rig = rig_create();
	struct aoe_export *exports[100];
	for (unsigned i = 0; i < 100; i++)
		exports[i] = rig_serve(rig, rig_put(1, (uint8_t)i));
	cr_expect_eq(rig_poll(rig), 0, "not unless asked");
	aoe_advertise_all(rig->lcore);
	cr_expect_leq(aoe_poll(rig->lcore, rig->now_ns), 32, "a few at a time");
	rig_poll(rig);
	cr_expect_eq(rig->out_count, 200);
	aoe_advertise_all(rig->lcore);
	aoe_poll(rig->lcore, rig->now_ns);
	aoe_advertise_all(rig->lcore); /* starts over for those that were half through */
	rig_poll(rig);
	cr_expect_geq(rig->out_count, 400);
	for (unsigned i = 0; i < 100; i++)
		rig_remove(rig, exports[i]);
	rig_destroy(rig);
}

Test(aoe_advertise, a_removed_export_is_not_advertised)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = advertise(rig, rig_put(1, 0));
	rig_remove(rig, export_);
	cr_expect_eq(rig_poll(rig), 0);
	rig_destroy(rig);
}

Test(aoe_advertise, a_replacement_takes_over_what_was_not_yet_told)
{
	struct rig *rig = rig_create();
	advertise(rig, rig_put(1, 0));
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 1);
	put->id = 0x100;
	struct aoe_export *export_ = aoe_export_create(put, &rig->disk.volume);
	aoe_export_destroy(aoe_export_add(rig->lcore, export_, false, 0));
	cr_expect_eq(rig_poll(rig), 2);
	cr_expect_eq(rig_next(rig)->frame.header.slot, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, waits_for_packets_and_skips_ports_too_small_for_the_string)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->config.len = 1000;
	rig->ports[0].mtu = 576;
	rig->heap.count_max = 0;
	struct aoe_export *export_ = advertise(rig, put);
	cr_expect_eq(rig_poll(rig), 0);
	rig->heap.count_max = 10;
	cr_expect_eq(rig_poll(rig), 1);
	cr_expect_eq(rig_next(rig)->port_index, 1);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_advertised], 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_advertise, a_storm_of_discovery_does_not_starve_it)
{
	struct rig *rig = rig_create();
	struct aoe_export *exports[200];
	for (unsigned i = 0; i < 200; i++)
		exports[i] = rig_serve(rig, rig_put(1, (uint8_t)i));
	rig_ask(rig, rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), AOE_SHELF_ANY, AOE_SLOT_ANY));
	aoe_advertise_all(rig->lcore);
	aoe_poll(rig->lcore, rig->now_ns);
	cr_expect_gt(rig->lcore_stats[WHERRY_LCORE_aoe_advertised], 0);
	cr_expect_lt(rig->lcore_stats[WHERRY_LCORE_aoe_advertised], rig->out_count);
	rig_poll(rig);
	for (unsigned i = 0; i < 200; i++)
		rig_remove(rig, exports[i]);
	rig_destroy(rig);
}

Test(aoe_advertise, an_export_whose_address_is_taken_is_told_when_it_has_it_back)
{
	struct rig *rig = rig_create();
	struct aoe_export *first = advertise(rig, rig_put(1, 0));
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->id = 999;
	struct aoe_export *second = rig_serve(rig, put);
	cr_expect_eq(rig_poll(rig), 0, "not in the name of the other");
	rig_remove(rig, second);
	cr_expect_eq(rig_poll(rig), 2);
	rig_remove(rig, first);
	rig_destroy(rig);
}

Test(aoe_advertise, thousands_that_have_nowhere_to_go_do_not_fill_one_turn)
{
	enum { COUNT = 3000 };
	static struct aoe_export *exports[COUNT];
	struct rig *rig = rig_create();
	for (unsigned i = 0; i < COUNT; i++) {
		struct wherry_ctl_aoe_export_put *put = rig_put((uint16_t)(2 + i / 200), (uint8_t)(i % 200));
		put->ports.count = 1;
		put->ports.v[0] = 9; /* not present */
		exports[i] = advertise(rig, put);
	}
	struct aoe_export *last = advertise(rig, rig_put(1, 0));
	cr_expect_eq(aoe_poll(rig->lcore, rig->now_ns), 0, "3,000 were looked at before the last one");
	cr_expect_eq(rig_poll(rig), 2);
	rig_discard(rig);
	rig_remove(rig, last);
	for (unsigned i = 0; i < COUNT; i++)
		rig_remove(rig, exports[i]);
	rig_destroy(rig);
}

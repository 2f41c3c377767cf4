/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and the neighbour cache: answers, resolution, holding, changes, conflicts. */
#include <criterion/criterion.h>
#include <string.h>

#include "net/priv.h"
#include "rig.h"
#include "wire/arp.h"
#include "wire/ipv4.h"

#define US rig_v4(192, 0, 2, 1)
#define PEER rig_v4(192, 0, 2, 9)

static struct rig rig;

static bool arp_in(uint16_t operation, const uint8_t *mac, struct ip_addr sender, struct ip_addr target)
{
	uint8_t frame[64];
	return rig_in(&rig, frame, rig_arp(frame, operation, mac, &sender, &target));
}

static struct net_path open_to(struct ip_addr remote)
{
	struct net_path path;
	const struct ip_addr none = {{0}};
	cr_assert_eq(net_path_open(rig.net, &path, &none, &remote, NULL), 0);
	return path;
}

Test(net_arp, a_request_for_our_address_is_answered_to_whom_asks)
{
	static const uint8_t golden[60] = {2, 0, 0, 0, 0, 9, 2, 0,   0, 0, 0, 1, 8, 6, 0, 1, 8, 0,   6, 4, 0,
					   2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 9};
	rig_init(&rig, NULL);
	cr_expect(arp_in(ARP_REQUEST, rig_peer, PEER, US));
	cr_assert_eq(rig.out_count, 1);
	cr_expect_eq(rig.out[0].len, 60, "padded");
	cr_expect_arr_eq(rig.out[0].bytes, golden, 60);
	rig_fini(&rig);
}

Test(net_arp, a_request_for_another_address_is_the_kernels)
{
	rig_init(&rig, NULL);
	cr_expect_not(arp_in(ARP_REQUEST, rig_peer, PEER, rig_v4(192, 0, 2, 2)));
	cr_expect_not(arp_in(ARP_REQUEST, rig_peer, PEER, rig_v4(198, 51, 100, 1)), "ours, but of another VLAN");
	cr_expect_eq(rig.out_count, 0);
	struct net_neighbour neighbours[4];
	cr_expect_eq(net_neighbour_copy(rig.net, neighbours, 4, rig.now_ns), 0, "strangers are not remembered");
	rig_fini(&rig);
}

Test(net_arp, senders_that_cannot_be_are_dropped)
{
	static const uint8_t group[6] = {3, 0, 0, 0, 0, 9}, zero[6] = {0};
	const struct {
		const uint8_t *mac;
		struct ip_addr sender;
	} cases[] = {{group, PEER},
		     {zero, PEER},
		     {rig_peer, rig_v4(224, 0, 0, 1)},
		     {rig_peer, rig_v4(255, 255, 255, 255)},
		     {rig_peer, rig_v4(127, 0, 0, 1)},
		     {rig_peer, rig_v4(0, 0, 0, 1)}};
	rig_init(&rig, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t frame[64];
		const struct ip_addr us = US;
		const uint32_t len = rig_arp(frame, ARP_REQUEST, cases[i].mac, &cases[i].sender, &us);
		memcpy(frame + 6, rig_peer, 6);
		cr_expect(rig_in(&rig, frame, len), "case %zu", i);
	}
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_arp], sizeof cases / sizeof *cases);
	cr_expect_eq(rig.out_count, 0);
	rig_fini(&rig);
}

Test(net_arp, the_first_packet_waits_for_resolution_and_then_leaves)
{
	rig_init(&rig, NULL);
	struct net_path path = open_to(PEER);
	rig_send(&rig, &path, 100);
	cr_assert_eq(rig.out_count, 1, "a question, not the packet");
	cr_expect_eq(rig.out[0].bytes[12] << 8 | rig.out[0].bytes[13], ARP_ETHERTYPE);
	cr_expect_eq(rig.out[0].bytes[0], 0xff);
	rig_send(&rig, &path, 101);
	cr_expect_eq(rig.out_count, 1, "one question is enough");
	rig_forget(&rig);
	cr_expect(arp_in(ARP_REPLY, rig_peer, PEER, US));
	cr_assert_eq(rig.out_count, 2);
	cr_expect_eq(rig.out[0].len, 134, "in order");
	cr_expect_eq(rig.out[1].len, 135);
	cr_expect_arr_eq(rig.out[0].bytes, rig_peer, 6);
	cr_expect_arr_eq(rig.out[0].bytes + 6, rig_mac, 6);
	struct ipv4_header ip;
	cr_assert_eq(ipv4_parse(rig.out[0].bytes + 14, 120, true, &ip).result, WIRE_OK);
	cr_expect_eq(ip.traffic_class, IP_ECN_ECT0);
	cr_expect_eq(ip.protocol, IP_PROTOCOL_TCP);
	cr_expect(ip.dont_fragment);
	rig_send(&rig, &path, 6);
	cr_assert_eq(rig.out_count, 3);
	cr_expect_eq(rig.out[2].len, 60, "padded");
	cr_assert_eq(ipv4_parse(rig.out[2].bytes + 14, 46, true, &ip).result, WIRE_OK);
	cr_expect_eq(ip.total_bytes, 26);
	rig_fini(&rig);
}

Test(net_arp, a_neighbour_that_does_not_answer_is_asked_three_times_and_its_packets_dropped)
{
	rig_init(&rig, NULL);
	struct net_path path = open_to(PEER);
	rig_send(&rig, &path, 100);
	rig_run(&rig, 10 * RIG_S);
	cr_expect_eq(rig.out_count, 3);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_no_neighbour], 1);
	rig_send(&rig, &path, 100);
	cr_expect_eq(rig.out_count, 4, "and asked again when it is needed again");
	rig_fini(&rig);
}

Test(net_arp, what_waits_is_bounded_each_and_in_all_and_the_oldest_goes_first)
{
	rig_init(&rig, NULL);
	struct net_path path = open_to(PEER);
	for (uint32_t i = 0; i < 20; i++)
		rig_send(&rig, &path, 100 + i);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_hold_full], 4);
	cr_expect_eq(rig.heap.out_count, 16);
	for (uint8_t i = 0; i < 6; i++) {
		struct net_path other = open_to(rig_v4(192, 0, 2, (uint8_t)(100 + i)));
		for (uint32_t j = 0; j < 10; j++)
			rig_send(&rig, &other, 50);
	}
	cr_expect_eq(rig.heap.out_count, 40, "the bound of all");
	rig_forget(&rig);
	arp_in(ARP_REPLY, rig_peer, PEER, US);
	cr_assert_eq(rig.out_count, 16);
	cr_expect_eq(rig.out[0].len, 34 + 104, "the four oldest are gone");
	rig_fini(&rig);
}

Test(net_arp, a_mac_that_changes_in_mid_flow_is_followed)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 0x99};
	rig_init(&rig, NULL);
	const struct ip_addr us = US, peer = PEER;
	rig_meet(&rig, &peer, &us);
	struct net_path path = open_to(PEER);
	rig_send(&rig, &path, 100);
	cr_expect_arr_eq(rig.out[0].bytes, rig_peer, 6);
	arp_in(ARP_REQUEST, other, PEER, PEER); /* gratuitous, after a failover */
	rig_forget(&rig);
	rig_send(&rig, &path, 100);
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes, other, 6);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_mac_changes], 1);
	rig_fini(&rig);
}

Test(net_arp, a_quiet_neighbour_is_probed_by_unicast_unless_the_flow_confirms_it)
{
	rig_init(&rig, NULL);
	const struct ip_addr us = US, peer = PEER;
	struct net_path path = open_to(PEER);
	rig_send(&rig, &path, 100);
	arp_in(ARP_REPLY, rig_peer, PEER, US);
	rig_forget(&rig);
	for (int i = 0; i < 100; i++) { /* acknowledged all the time: never a question */
		rig_run(&rig, RIG_S);
		rig_send(&rig, &path, 100);
		net_path_confirm(rig.net, &path, rig.now_ns);
		cr_assert_eq(rig.out_count, 1, "turn %d", i);
		rig_forget(&rig);
	}
	unsigned questions = 0;
	for (int i = 0; i < 45; i++) { /* no acknowledgements */
		rig_run(&rig, RIG_S);
		rig_send(&rig, &path, 100);
		for (unsigned j = 0; j < rig.out_count; j++)
			if (rig.out[j].bytes[13] == 6 && ++questions == 1)
				cr_expect_arr_eq(rig.out[j].bytes, rig_peer, 6, "to itself first");
		rig_forget(&rig);
	}
	cr_expect_geq(questions, 4, "three by unicast, then everybody");
	(void)us;
	(void)peer;
	rig_fini(&rig);
}

Test(net_arp, a_flood_of_strangers_does_not_push_out_who_is_in_use)
{
	struct net_path paths[8];
	const struct ip_addr us = US;
	rig_init(&rig, NULL);
	for (uint8_t i = 0; i < 8; i++) {
		const struct ip_addr peer = rig_v4(192, 0, 2, (uint8_t)(2 + i));
		rig_meet(&rig, &peer, &us);
		paths[i] = open_to(peer);
		rig_send(&rig, &paths[i], 100);
	}
	for (unsigned i = 0; i < 1000; i++) {
		rig.now_ns += 1000000;
		arp_in(ARP_REQUEST, rig_peer, rig_v4(192, 0, 2, (uint8_t)(10 + i % 240)), US);
		rig_forget(&rig);
		rig_send(&rig, &paths[i % 8], 100);
		cr_assert_eq(rig.out_count, 1);
		cr_assert_eq(rig.out[0].bytes[12] << 8 | rig.out[0].bytes[13], IPV4_ETHERTYPE, "stranger %u", i);
	}
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_neighbour_full], 0);
	rig_fini(&rig);
}

Test(net_arp, answers_to_a_flood_do_not_become_a_flood_of_questions)
{
	rig_init(&rig, NULL);
	const struct ip_addr us = US, known = rig_v4(192, 0, 2, 2), heard = rig_v4(192, 0, 2, 3);
	rig_meet(&rig, &known, &us);
	struct net_path path = open_to(known);
	bucket_init(&rig.net->strangers, 10, 4, rig.now_ns);
	for (uint8_t i = 0; i < 100; i++) {
		struct net_path stranger = open_to(rig_v4(192, 0, 2, (uint8_t)(100 + i)));
		rig_send(&rig, &stranger, 50);
	}
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_strangers], 96);
	rig_forget(&rig);
	rig_send(&rig, &path, 100);
	cr_expect_eq(rig.out_count, 1, "who is known does not feel it");
	arp_in(ARP_REQUEST, rig_peer, heard, US);
	struct net_path asked = open_to(heard);
	rig_forget(&rig);
	rig_send(&rig, &asked, 100);
	cr_expect_eq(rig.out_count, 1, "nor does who has asked for us");
	rig.now_ns += 100000000;
	struct net_path later = open_to(rig_v4(192, 0, 2, 250));
	rig_forget(&rig);
	rig_send(&rig, &later, 50);
	cr_expect_eq(rig.out_count, 1, "a question");
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_drop_strangers], 96);
	rig_fini(&rig);
}

Test(net_arp, a_new_address_is_probed_for_before_it_is_used_and_then_announced)
{
	struct net_address address = {0, 0, US, 24, false};
	struct net_settings settings = rig_settings();
	settings.addresses = &address;
	settings.address_count = 1;
	settings.route_count = 0;
	rig_init(&rig, &settings);
	net_poll(rig.net, rig.now_ns);
	const struct rig_frame *last = &rig.out[rig.out_count - 1]; /* behind what concerns the link-local address */
	cr_assert_geq(rig.out_count, 1);
	cr_expect_eq(last->bytes[13], 6);
	cr_expect_arr_eq(last->bytes + 28, ((uint8_t[4]){0}), 4, "a probe has no sender");
	rig_run(&rig, 2 * RIG_S);
	rig_forget(&rig);
	arp_in(ARP_REQUEST, rig_peer, PEER, US);
	cr_expect_eq(rig.out_count, 0, "not ours yet");
	rig_run(&rig, 3 * RIG_S);
	unsigned announcements = 0;
	for (unsigned i = 0; i < rig.out_count; i++)
		announcements += rig.out[i].bytes[13] == 6 && memcmp(rig.out[i].bytes + 28, US.b + 12, 4) == 0;
	cr_expect_eq(announcements, 1);
	rig_forget(&rig);
	arp_in(ARP_REQUEST, rig_peer, PEER, US);
	cr_expect_eq(rig.out_count, 1);
	rig_fini(&rig);
}

Test(net_arp, an_address_that_somebody_has_is_not_used)
{
	struct net_address address = {0, 0, US, 24, false};
	struct net_settings settings = rig_settings();
	settings.addresses = &address;
	settings.address_count = 1;
	settings.route_count = 0;
	rig_init(&rig, &settings);
	net_poll(rig.net, rig.now_ns);
	arp_in(ARP_REPLY, rig_peer, US, rig_v4(0, 0, 0, 0));
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_conflicts], 1);
	rig_run(&rig, 20 * RIG_S);
	rig_forget(&rig);
	arp_in(ARP_REQUEST, rig_peer, PEER, US);
	cr_expect_eq(rig.out_count, 0);
	struct net_address_info info[4];
	cr_assert_eq(net_address_copy(rig.net, info, 4), 2);
	cr_expect_eq(info[1].state, NET_DUPLICATE);
	cr_expect_arr_eq(info[1].conflict_mac, rig_peer, 6);
	rig_run(&rig, 60 * RIG_S);
	cr_assert_eq(net_address_copy(rig.net, info, 4), 2);
	cr_expect_eq(info[1].state, NET_USABLE, "nobody has it any more");
	rig_fini(&rig);
}

Test(net_arp, an_address_in_use_is_defended_but_not_in_a_loop)
{
	rig_init(&rig, NULL);
	for (int i = 0; i < 5; i++)
		arp_in(ARP_REQUEST, rig_peer, US, US);
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_conflicts], 5);
	cr_expect_eq(rig.out_count, 1);
	rig_run(&rig, 11 * RIG_S);
	arp_in(ARP_REQUEST, rig_peer, US, US);
	cr_expect_eq(rig.out_count, 2);
	rig_forget(&rig);
	arp_in(ARP_REQUEST, rig_mac, US, US);
	cr_expect_eq(rig.out_count, 0, "our own words that come back are no conflict");
	cr_expect_eq(rig.stats[WHERRY_LCORE_net_conflicts], 6);
	rig_fini(&rig);
}

Test(net_arp, a_link_that_comes_up_is_told_our_addresses)
{
	rig_init(&rig, NULL);
	net_on_link_up(rig.net, 0, rig.now_ns);
	rig_run(&rig, RIG_S);
	unsigned arp = 0;
	for (unsigned i = 0; i < rig.out_count; i++)
		arp += rig.out[i].bytes[12] == 8 && rig.out[i].bytes[13] == 6;
	cr_expect_eq(arp, 1);
	cr_expect_geq(rig.out_count, 4, "IPv6 and the VLAN, too");
	rig_fini(&rig);
}

Test(net_arp, other_workers_learn_and_keep_silent)
{
	rig_init(&rig, NULL);
	uint8_t frame[64];
	struct eth_filter filter = {{2, 0, 0, 0, 0, 1}, {0}};
	struct eth_view eth;
	const struct ip_addr us = US, peer = PEER;
	const uint32_t len = rig_arp(frame, ARP_REQUEST, rig_peer, &peer, &us);
	struct pkt *pkt = pkt_heap_make(&rig.heap, frame, len, 0, 0);
	cr_assert_eq(eth_parse(pkt->data, len, &filter, &eth), ETH_ACCEPT);
	cr_expect(net_frame_is_for_all(pkt->data, len, &eth));
	net_learn(rig.net, pkt, &eth, rig.now_ns);
	pkt_heap_free(pkt);
	cr_expect_eq(rig.out_count, 0);
	struct net_path path = open_to(PEER);
	rig_send(&rig, &path, 100);
	cr_assert_eq(rig.out_count, 1);
	cr_expect_arr_eq(rig.out[0].bytes, rig_peer, 6);
	rig_fini(&rig);
}

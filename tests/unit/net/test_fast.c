/* SPDX-License-Identifier: BSD-3-Clause */
/* What segments of TCP do at every turn, and what is spared on their way. */
#include <criterion/criterion.h>
#include <string.h>

#include "net/priv.h"
#include "rig.h"
#include "wire/checksum.h"

static struct rig rig;

static const struct ip_addr peer4 = {{[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 9}},
			    us4 = {{[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1}},
			    peer6 = {{0x20, 1, 0xd, 0xb8, [15] = 9}}, us6 = {{0x20, 1, 0xd, 0xb8, [15] = 1}};

Test(net_path, a_checksum_left_to_the_port_comes_with_the_places_of_its_headers)
{
	static const uint8_t bytes[60] = {1, 2, 3, 4, 5, 6, 7};
	struct pkt_buf buf = {.data = bytes, .len_bytes = 60, .refs = 100};
	struct net_settings settings = rig_settings();
	settings.ports[0].checksum_offload = true;
	rig_init(&rig, &settings);
	rig_run(&rig, 10 * RIG_S);
	rig_forget(&rig);
	for (unsigned family = 0; family < 2; family++)
		for (uint32_t piece = 0; piece < 60; piece++) {
			const struct ip_addr *us = family ? &us6 : &us4, *peer = family ? &peer6 : &peer4;
			rig_meet(&rig, peer, us);
			struct net_path path;
			cr_assert_eq(net_path_open(rig.net, &path, us, peer, NULL), 0);
			cr_assert(path.checksum_offload);
			struct pkt_pool pool = pkt_heap_pool(&rig.heap);
			struct pkt *pkt = pool.alloc(pool.ctx, 0);
			memset(pkt->data, 0x11, 20);
			pkt->len_bytes = 20;
			if (piece) {
				pkt_buf_get(&buf);
				pkt->frags[pkt->frag_count++] = (struct pkt_frag){&buf, bytes, piece};
			}
			const uint32_t len = 20 + piece;
			const uint64_t pseudo = family ? checksum_pseudo_v6(us->b, peer->b, 6, len)
						       : checksum_pseudo_v4(us->b + 12, peer->b + 12, 6, (uint16_t)len);
			const uint16_t field = checksum_fold(pseudo);
			memcpy(pkt->data + 16, &field, 2);
			pkt->checksum = PKT_CHECKSUM_PARTIAL;
			net_output(rig.net, &path, pkt, 6, IP_ECN_NOT_ECT, rig.now_ns);
			cr_assert_eq(rig.out_count, 1);
			const struct rig_frame *out = &rig.out[0];
			cr_expect(out->was_partial);
			cr_expect_eq(out->ip_offset, 14);
			cr_expect(checksum_is_right(checksum_add(pseudo, out->bytes + (family ? 54 : 34), len)),
				  "family %u, piece %u", family, piece);
			rig_forget(&rig);
		}
	rig_fini(&rig);
}

/* ---- the way of segments whose two stations are known ---- */

/* What a frame led to. */
struct outcome {
	bool for_kernel;
	unsigned tcp_count;
	uint32_t tcp_len;
	struct ip_view view;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint8_t tcp[200];
};

static struct outcome give(const uint8_t *frame, uint32_t len)
{
	struct outcome outcome;
	memset(&outcome, 0, sizeof outcome);
	memset(rig.stats, 0, sizeof rig.stats);
	rig.tcp_count = 0;
	outcome.for_kernel = !rig_in(&rig, frame, len);
	outcome.tcp_count = rig.tcp_count;
	memcpy(outcome.stats, rig.stats, sizeof outcome.stats);
	if (rig.tcp_count) {
		outcome.tcp_len = rig.tcp_len;
		outcome.view.src = rig.tcp_view.src;
		outcome.view.dst = rig.tcp_view.dst;
		outcome.view.port_index = rig.tcp_view.port_index;
		outcome.view.vlan = rig.tcp_view.vlan;
		outcome.view.ecn = rig.tcp_view.ecn;
		memcpy(outcome.tcp, rig.tcp, rig.tcp_len < sizeof outcome.tcp ? rig.tcp_len : sizeof outcome.tcp);
	}
	rig_forget(&rig);
	return outcome;
}

static void forget_pairs(void)
{
	memset(rig.net->pairs, 0, sizeof rig.net->pairs);
}

Test(net_fast, a_known_pair_of_stations_changes_nothing_but_the_way)
{
	uint8_t payload[40] = {0x12, 0x34, 0x2a, 0x39}, plain[200], frame[200];
	rig_init(&rig, NULL);
	rig_meet(&rig, &peer4, &us4);
	const uint32_t len = rig_ip(plain, &peer4, &us4, 6, payload, sizeof payload);
	unsigned taken = 0;
	/* Every single byte of the frame's headers in each of its bits. */
	for (unsigned at = 12; at < 34; at++)
		for (unsigned bit = 0; bit < 8; bit++)
			for (unsigned mend = 0; mend < 2; mend++) {
				memcpy(frame, plain, len);
				frame[at] ^= (uint8_t)(1u << bit);
				if (mend) {
					memset(frame + 24, 0, 2);
					const be16 sum = checksum_finish(checksum_add(0, frame + 14, 20));
					memcpy(frame + 24, sum.b, 2);
				}
				forget_pairs();
				rig.now_ns += RIG_S; /* errors are limited in their number */
				const struct outcome slowly = give(frame, len);
				(void)give(plain, len);
				const struct outcome once = give(frame, len), twice = give(frame, len);
				cr_expect_eq(memcmp(&slowly, &once, sizeof once), 0, "byte %u, bit %u, mended %u", at,
					     bit, mend);
				cr_expect_eq(memcmp(&slowly, &twice, sizeof once), 0, "byte %u, bit %u, mended %u", at,
					     bit, mend);
				taken += slowly.tcp_count;
			}
	cr_expect_gt(taken, 50, "%u", taken);
	/* And every length. */
	for (uint32_t short_by = 0; short_by < 60; short_by++) {
		forget_pairs();
		const struct outcome slowly = give(plain, len - short_by);
		(void)give(plain, len);
		const struct outcome quickly = give(plain, len - short_by);
		cr_expect_eq(memcmp(&slowly, &quickly, sizeof quickly), 0, "%u bytes short", short_by);
	}
	rig_fini(&rig);
}

Test(net_fast, a_known_pair_is_forgotten_when_the_address_goes)
{
	uint8_t payload[20] = {0}, frame[200];
	char error[100];
	rig_init(&rig, NULL);
	rig_meet(&rig, &peer4, &us4);
	const uint32_t len = rig_ip(frame, &peer4, &us4, 6, payload, sizeof payload);
	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(give(frame, len).tcp_count, 1);
	struct net_settings settings = rig_settings();
	settings.addresses++;
	settings.address_count--;
	settings.route_count = 0;
	struct net_config *without = net_config_create(&settings, error, sizeof error);
	cr_assert_not_null(without, "%s", error);
	net_set_config(rig.net, without, true, rig.now_ns);
	cr_expect_eq(give(frame, len).tcp_count, 0);
	net_config_destroy(rig.config);
	rig.config = without;
	rig_fini(&rig);
}

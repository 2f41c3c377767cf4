/* SPDX-License-Identifier: BSD-3-Clause */
/* What segments of TCP do at every turn, and what is spared on their way. */
#include <criterion/criterion.h>
#include <string.h>

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

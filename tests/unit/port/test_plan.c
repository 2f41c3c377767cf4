/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "port/plan.h"
#include "wherry/limits.h"

static char error[512];

static int plan_for(enum port_kind kind, uint16_t mtu, struct port_plan *plan)
{
	struct port_device device = {.kind = kind, .memif_queue_count = 1};
	error[0] = '\0';
	return port_plan(&device, mtu, plan, error, sizeof error);
}

Test(port_plan, every_buffer_holds_headroom_frame_and_slack)
{
	const uint16_t mtus[] = {WHERRY_MTU_MIN, 1500, 2030, 2922, 4200, 9000, WHERRY_MTU_MAX};
	for (unsigned kind = 0; kind < PORT_KIND_COUNT; kind++) {
		for (unsigned i = 0; i < sizeof mtus / sizeof mtus[0]; i++) {
			struct port_plan plan;
			if (plan_for((enum port_kind)kind, mtus[i], &plan))
				continue;
			cr_expect_eq(plan.frame_bytes, mtus[i] + 18u);
			cr_expect_geq(plan.data_room_bytes, 128u + plan.frame_bytes + PKT_SLACK_BYTES, "%s MTU %u",
				      port_kind_name((enum port_kind)kind), mtus[i]);
		}
	}
}

Test(port_plan, the_mtu_is_refused_with_what_was_asked_and_what_is_possible)
{
	struct port_plan plan;
	cr_expect_eq(plan_for(PORT_AF_XDP, PLAN_XDP_MTU_MAX, &plan), 0);
	cr_expect_eq(plan_for(PORT_AF_XDP, PLAN_XDP_MTU_MAX + 1, &plan), -EINVAL);
	cr_expect(strstr(error, "2927 asked") && strstr(error, "576 to 2926"), "%s", error);
	for (unsigned kind = 0; kind < PORT_KIND_COUNT; kind++) {
		cr_expect_eq(plan_for((enum port_kind)kind, WHERRY_MTU_MIN, &plan), 0);
		cr_expect_eq(plan_for((enum port_kind)kind, WHERRY_MTU_MIN - 1, &plan), -EINVAL);
		cr_expect_eq(plan_for((enum port_kind)kind, WHERRY_MTU_MAX + 1, &plan), -EINVAL);
	}
}

Test(port_plan, an_af_xdp_buffer_with_all_its_headers_fits_a_page)
{
	struct port_plan plan;
	cr_assert_eq(plan_for(PORT_AF_XDP, PLAN_XDP_MTU_MAX, &plan), 0);
	cr_expect_leq(plan.data_room_bytes + PLAN_MBUF_OVERHEAD_BYTES, 4096u);
	/* What the kernel keeps before the frame does not eat the slack. */
	cr_expect_geq(plan.data_room_bytes, 128u + 256u + plan.frame_bytes + PKT_SLACK_BYTES);
}

Test(port_plan, af_packet_frames_fill_blocks_of_whole_pages)
{
	for (unsigned mtu = WHERRY_MTU_MIN; mtu <= WHERRY_MTU_MAX; mtu++) {
		struct port_plan plan;
		cr_assert_eq(plan_for(PORT_AF_PACKET, (uint16_t)mtu, &plan), 0);
		cr_assert_eq(plan.tpacket_frame_bytes % 16, 0u, "MTU %u", mtu);
		cr_assert_eq(plan.tpacket_block_bytes % 4096, 0u, "MTU %u", mtu);
		cr_assert_eq(plan.tpacket_block_bytes % plan.tpacket_frame_bytes, 0u, "MTU %u", mtu);
		cr_assert_eq(plan.tpacket_frame_count % (plan.tpacket_block_bytes / plan.tpacket_frame_bytes), 0u);
		/* 66 bytes: where the kernel puts a frame in its slot. */
		cr_assert_geq(plan.tpacket_frame_bytes, plan.frame_bytes + 66, "MTU %u", mtu);
		/* The driver's own check. */
		cr_assert_leq(plan.tpacket_frame_bytes - 32, plan.data_room_bytes - 128u, "MTU %u", mtu);
	}
}

Test(port_plan, a_memif_buffer_takes_a_frame_in_one_piece)
{
	struct port_plan plan;
	cr_assert_eq(plan_for(PORT_MEMIF, 9000, &plan), 0);
	cr_expect_geq(plan.memif_buffer_bytes, 9018u);
	cr_assert_eq(plan_for(PORT_MEMIF, WHERRY_MTU_MAX, &plan), 0);
	cr_expect_geq(plan.memif_buffer_bytes, WHERRY_MTU_MAX + 18u);
}

Test(port_plan, a_pool_is_one_less_than_a_power_of_two_and_holds_rings_workers_and_caches)
{
	const uint32_t rings[] = {0, 64, 2048, 4096, 100000};
	for (unsigned i = 0; i < sizeof rings / sizeof rings[0]; i++) {
		for (unsigned workers = 1; workers <= 63; workers += 31) {
			uint32_t size = port_plan_pool_packets(rings[i], workers, 2048);
			cr_expect_eq(size & (size + 1), 0u, "%u", size);
			cr_expect_geq(size, rings[i] + workers * 2048 + (workers + 1) * 384);
		}
	}
}

Test(port_plan, memory_grows_with_ports_workers_and_mtu)
{
	struct port_device devices[2] = {{.kind = PORT_AF_PACKET}, {.kind = PORT_PCI}};
	struct port_plan small[2], large[2];
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(port_plan(&devices[i], 1500, &small[i], error, sizeof error), 0);
		cr_assert_eq(port_plan(&devices[i], 9000, &large[i], error, sizeof error), 0);
	}
	uint32_t none = port_plan_memory_mb(devices, small, 0, 1, 2048);
	uint32_t one = port_plan_memory_mb(devices, small, 1, 1, 2048);
	uint32_t two = port_plan_memory_mb(devices, small, 2, 1, 2048);
	cr_expect_lt(none, one);
	cr_expect_lt(one, two);
	cr_expect_lt(two, port_plan_memory_mb(devices, large, 2, 1, 2048));
	cr_expect_lt(two, port_plan_memory_mb(devices, small, 2, 4, 2048));
	/* Enough for what is allocated: elements of the one pool, at the least. */
	uint32_t packets = port_plan_pool_packets(port_plan_ring_packets(&devices[0], &small[0], 1, 1), 1, 2048);
	cr_expect_gt((uint64_t)one << 20, (uint64_t)packets * (small[0].data_room_bytes + PLAN_MBUF_OVERHEAD_BYTES));
}

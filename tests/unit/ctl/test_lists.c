/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists and statistics. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ctl/exports.h"
#include "ctl/server_priv.h"
#include "fake.h"
#include "stats/snapshot.h"

static struct client c;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_lists, .init = init, .fini = fini);

static void put_volumes(unsigned count)
{
	for (unsigned i = 1; i <= count; i++) {
		CLIENT_SEND(&c, volume_put, i, .id = i * 10, .generation = 3, .name = "v",
			    .backend = WHERRY_BACKEND_NULL, .size_bytes = 1 << 20, .block_bytes = 512, .align_bytes = 1,
			    .memory_align_bytes = 1);
		client_expect_ok(&c, i);
	}
}

Test(ctl_lists, volumes_are_listed_with_their_state)
{
	struct wherry_ctl_volume_item item;
	put_volumes(3);
	CLIENT_SEND(&c, volume_online, 8, .id = 20, .online = false);
	client_expect_ok(&c, 8);
	CLIENT_SEND(&c, volume_list, 9, );
	for (unsigned i = 1; i <= 3; i++) {
		client_expect(&c, WHERRY_CTL_VOLUME_ITEM, 9);
		CLIENT_GET(&c, volume_item, &item);
		cr_expect(item.id == i * 10 && item.generation == 3 && item.size_bytes == 1 << 20);
		cr_expect_eq(item.online, i != 2);
		cr_expect_eq(item.detail[0] != '\0', i == 2);
		cr_expect_eq(item.lcore, (i - 1) % 2);
	}
	client_expect_ok(&c, 9);
}

Test(ctl_lists, a_long_list_follows_the_readers_pace_and_does_not_block_others)
{
	enum { COUNT = 16384 };
	struct client other;
	client_hello(&other, WHERRY_ROLE_OBSERVER);
	for (unsigned i = 1; i <= COUNT; i++) {
		CLIENT_SEND(&c, volume_put, i, .id = i, .generation = 1, .name = "v", .backend = WHERRY_BACKEND_NULL,
			    .size_bytes = 4096, .block_bytes = 512, .align_bytes = 1, .memory_align_bytes = 1);
		if (i % 100 == 0)
			for (unsigned k = i - 99; k <= i; k++)
				client_expect_ok(&c, k);
	}
	for (unsigned k = COUNT - COUNT % 100 + 1; k <= COUNT; k++)
		client_expect_ok(&c, k);
	CLIENT_SEND(&c, volume_put, 1, .id = COUNT + 1, .generation = 1, .name = "v", .backend = WHERRY_BACKEND_NULL,
		    .size_bytes = 4096, .block_bytes = 512, .align_bytes = 1, .memory_align_bytes = 1);
	client_expect_error(&c, 1, ENOSPC);

	CLIENT_SEND(&c, stats_get, 20000, .scope = WHERRY_SCOPE_VOLUME);
	settle(); /* as much as the socket and the queue hold */
	CLIENT_SEND(&other, lcore_list, 2, );
	for (unsigned i = 0; i < FAKE_WORKER_COUNT + 1; i++)
		client_expect(&other, WHERRY_CTL_LCORE_ITEM, 2);
	client_expect_ok(&other, 2);
	for (unsigned i = 0; i < COUNT; i++)
		client_expect(&c, WHERRY_CTL_STATS_ITEM, 20000);
	client_expect_ok(&c, 20000);
	client_close(&other);
}

Test(ctl_lists, ports_and_lcores_are_listed)
{
	struct wherry_ctl_port_item port;
	struct wherry_ctl_lcore_item lcore;
	put_volumes(3);
	CLIENT_SEND(&c, port_list, 5, );
	for (unsigned i = 0; i < FAKE_PORT_COUNT; i++) {
		client_expect(&c, WHERRY_CTL_PORT_ITEM, 5);
		CLIENT_GET(&c, port_item, &port);
		cr_expect_eq(port.index, i);
		cr_expect_eq(port.punt_frames, 100 + i);
		cr_expect_eq(port.punt_dropped, 9);
		cr_expect_eq(port.punt_sent, 50 + i);
	}
	client_expect_ok(&c, 5);
	CLIENT_SEND(&c, lcore_list, 6, );
	for (unsigned i = 0; i <= FAKE_WORKER_COUNT; i++) {
		client_expect(&c, WHERRY_CTL_LCORE_ITEM, 6);
		CLIENT_GET(&c, lcore_item, &lcore);
		cr_expect(lcore.index == i && lcore.main == (i == FAKE_WORKER_COUNT));
		cr_expect_eq(lcore.volumes, i == 0 ? 2 : i == 1 ? 1 : 0);
	}
	client_expect_ok(&c, 6);
}

Test(ctl_lists, statistics_of_every_scope_by_id_and_all)
{
	struct wherry_ctl_stats_item item;
	put_volumes(2);
	CLIENT_SEND(&c, aoe_export_put, 3, .id = 7, .generation = 1, .volume_id = 10, .buffer_count = 2);
	client_expect_ok(&c, 3);
	fake.port_stats[1][WHERRY_PORT_rx_frames] = 11;
	worker_at(1)->stats[WHERRY_LCORE_turns] = 12;
	fake_served(7)->stats[WHERRY_EXPORT_read_ops] = 13;
	ctl_volume_find(20)->volume.stats[WHERRY_VOLUME_write_ops] = 14;
	struct {
		uint8_t scope;
		uint64_t id, missing;
		unsigned all, stat, stat_count;
		uint64_t value;
	} cases[] = {
		{WHERRY_SCOPE_PORT, 2, 3, 2, WHERRY_PORT_rx_frames, WHERRY_PORT_STAT_COUNT, 11},
		{WHERRY_SCOPE_LCORE, 2, 3, 2, WHERRY_LCORE_turns, WHERRY_LCORE_STAT_COUNT, 12},
		{WHERRY_SCOPE_EXPORT, 7, 1, 1, WHERRY_EXPORT_read_ops, WHERRY_EXPORT_STAT_COUNT, 13},
		{WHERRY_SCOPE_VOLUME, 20, 2, 2, WHERRY_VOLUME_write_ops, WHERRY_VOLUME_STAT_COUNT, 14},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLIENT_SEND(&c, stats_get, 30, .scope = cases[i].scope, .id = cases[i].id);
		client_expect(&c, WHERRY_CTL_STATS_ITEM, 30);
		CLIENT_GET(&c, stats_item, &item);
		cr_expect(item.scope == cases[i].scope && item.id == cases[i].id, "case %zu", i);
		cr_expect_eq(item.values.count, cases[i].stat_count, "case %zu", i);
		cr_expect_eq(item.values.v[cases[i].stat], cases[i].value, "case %zu", i);
		cr_expect_gt(item.time_us, 1600000000000000);
		client_expect_ok(&c, 30);
		CLIENT_SEND(&c, stats_get, 31, .scope = cases[i].scope, .id = cases[i].missing);
		client_expect_error(&c, 31, ENOENT);
		CLIENT_SEND(&c, stats_get, 32, .scope = cases[i].scope);
		for (unsigned n = 0; n < cases[i].all; n++)
			client_expect(&c, WHERRY_CTL_STATS_ITEM, 32);
		client_expect_ok(&c, 32);
	}
	CLIENT_SEND(&c, stats_get, 33, .scope = WHERRY_SCOPE_CLIENT);
	client_expect_error(&c, 33, EINVAL);
	CLIENT_SEND(&c, stats_get, 34, .scope = 200);
	client_expect_error(&c, 34, EINVAL);
}

Test(ctl_lists, histograms_follow_their_export_without_empty_ends)
{
	struct wherry_ctl_hist_item item;
	put_volumes(1);
	CLIENT_SEND(&c, aoe_export_put, 3, .id = 7, .generation = 1, .volume_id = 10, .buffer_count = 2);
	client_expect_ok(&c, 3);
	fake_served(7)->hist[1][20] = 5;
	fake_served(7)->hist[1][22] = 6;
	fake_served(7)->hist[2][WHERRY_HIST_BUCKET_COUNT - 1] = 1;
	CLIENT_SEND(&c, stats_get, 30, .scope = WHERRY_SCOPE_EXPORT, .histograms = true);
	client_expect(&c, WHERRY_CTL_STATS_ITEM, 30);
	client_expect(&c, WHERRY_CTL_HIST_ITEM, 30);
	CLIENT_GET(&c, hist_item, &item);
	cr_expect(item.id == 7 && item.kind == 1 && item.first_bucket == 20 && item.values.count == 3);
	cr_expect(item.values.v[0] == 5 && item.values.v[1] == 0 && item.values.v[2] == 6);
	client_expect(&c, WHERRY_CTL_HIST_ITEM, 30);
	CLIENT_GET(&c, hist_item, &item);
	cr_expect(item.kind == 2 && item.first_bucket == WHERRY_HIST_BUCKET_COUNT - 1 && item.values.count == 1);
	client_expect_ok(&c, 30);
}

Test(ctl_lists, clients_of_all_workers_are_listed)
{
	struct wherry_ctl_client_item item;
	fake.workers[0].client_count = 1000;
	fake.workers[1].client_count = WHERRY_CLIENT_COUNT_MAX;
	for (unsigned w = 0; w < FAKE_WORKER_COUNT; w++)
		for (unsigned i = 0; i < fake.workers[w].client_count; i++)
			fake.workers[w].clients[i] = (struct client_record){
				.mac = {2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i},
				.port_index = (uint16_t)w,
				.first_seen_us = i,
				.last_seen_us = i + 1,
				.stats = {[WHERRY_CLIENT_frames_in] = i},
			};
	CLIENT_SEND(&c, client_list, 5, );
	for (unsigned i = 0; i < 1000 + WHERRY_CLIENT_COUNT_MAX; i++) {
		client_expect(&c, WHERRY_CTL_CLIENT_ITEM, 5);
		CLIENT_GET(&c, client_item, &item);
		unsigned worker = i >= 1000, n = worker ? i - 1000 : i;
		cr_assert(item.lcore == worker && item.port == worker && item.first_seen_us == n);
		cr_assert(item.mac.mac[0].b[4] == n >> 8 && item.mac.mac[0].b[5] == (n & 0xff));
		cr_assert_eq(item.values.v[WHERRY_CLIENT_frames_in], n);
	}
	client_expect_ok(&c, 5);
}

Test(ctl_lists, lists_of_clients_are_few_at_a_time_and_survive_their_reader)
{
	fake.stalled = true;
	for (uint32_t id = 1; id <= 9; id++)
		CLIENT_SEND(&c, client_list, id, );
	client_expect_error(&c, 9, EBUSY);
	client_close(&c);
	settle();
	fake.stalled = false; /* the workers copy for nobody now */
	settle();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	for (uint32_t id = 1; id <= 8; id++)
		CLIENT_SEND(&c, client_list, id, );
	for (unsigned i = 0; i < 8; i++) {
		cr_assert(client_receive(&c));
		cr_expect_eq(c.header.type, WHERRY_CTL_OK);
	}
}

Test(ctl_lists, idle_policy_reaches_every_worker)
{
	CLIENT_SEND(&c, idle_put, 5, .spin_turns = 1, .pause_turns = 2, .sleep_us = 3);
	client_expect_ok(&c, 5);
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++)
		cr_expect(fake.workers[i].spin_turns == 1 && fake.workers[i].pause_turns == 2 &&
			  fake.workers[i].sleep_us == 3);
}

Test(stats_snapshot, sums_and_maxima_are_by_value_and_gauges_can_be_cleared)
{
	uint64_t sum[WHERRY_EXPORT_STAT_COUNT] = {[WHERRY_EXPORT_read_ops] = 3, [WHERRY_EXPORT_queue_depth] = 2};
	const uint64_t more[WHERRY_EXPORT_STAT_COUNT] = {[WHERRY_EXPORT_read_ops] = 4, [WHERRY_EXPORT_err_mask] = 1};
	stats_add(sum, more, WHERRY_EXPORT_STAT_COUNT);
	cr_expect(sum[WHERRY_EXPORT_read_ops] == 7 && sum[WHERRY_EXPORT_err_mask] == 1);
	stats_max(sum, more, WHERRY_EXPORT_STAT_COUNT);
	cr_expect_eq(sum[WHERRY_EXPORT_read_ops], 7);
	stats_clear_gauges(WHERRY_SCOPE_EXPORT, sum);
	cr_expect(sum[WHERRY_EXPORT_queue_depth] == 0 && sum[WHERRY_EXPORT_read_ops] == 7);
	uint64_t empty[WHERRY_HIST_BUCKET_COUNT] = {0};
	struct wherry_ctl_hist_item item;
	cr_expect_not(stats_trim_hist(empty, &item));
	cr_expect_eq(item.values.count, 0);
}

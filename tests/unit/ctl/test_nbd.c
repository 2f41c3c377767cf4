/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD_PUT, NBD_EXPORT_PUT and _DELETE, and the list of sessions. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "ctl/nbd.h"
#include "ctl/server_priv.h"
#include "fake.h"
#include "fake_stack.h"

static struct client c;
static uint32_t next_id;

static void volume_ok(uint64_t id)
{
	const struct wherry_ctl_volume_put m = {.id = id,
						.generation = 1,
						.name = "vol",
						.backend = WHERRY_BACKEND_NULL,
						.size_bytes = 1 << 20,
						.block_bytes = 512,
						.align_bytes = 1,
						.memory_align_bytes = 1};
	static uint8_t packet[2048];
	client_send(&c, packet, wherry_ctl_put_volume_put(packet, sizeof packet, ++next_id, &m), -1);
	client_expect_ok(&c, next_id);
}

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	next_id = 100;
	volume_ok(1);
	volume_ok(2);
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_nbd, .init = init, .fini = fini);

static struct wherry_ctl_nbd_export_put export_(uint64_t id, uint64_t generation, uint64_t volume_id)
{
	return (struct wherry_ctl_nbd_export_put){
		.id = id, .generation = generation, .volume_id = volume_id, .name = "disk"};
}

static uint32_t send_put(const struct wherry_ctl_nbd_export_put *m)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	client_send(&c, packet, wherry_ctl_put_nbd_export_put(packet, sizeof packet, ++next_id, m), -1);
	return next_id;
}

static void put_ok(const struct wherry_ctl_nbd_export_put *m)
{
	client_expect_ok(&c, send_put(m));
}

Test(ctl_nbd, every_worker_serves_it_and_knows_the_way_to_the_volume)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	m.flags = WHERRY_NBD_READ_ONLY | WHERRY_NBD_DEFAULT;
	m.allow.len = 32;
	m.allow.b[10] = m.allow.b[11] = 0xff;
	m.allow.b[12] = 10;
	m.allow.b[16] = 0xfd;
	m.allow_bits.len = 2;
	m.allow_bits.b[0] = 8;
	m.allow_bits.b[1] = 64;
	put_ok(&m);
	unsigned at_home = 0;
	for (unsigned i = 0; i < worker_count(); i++) {
		struct nbd_export *e = fake_nbd_served(i, 7);
		cr_assert_not_null(e);
		cr_expect(e->settings.read_only && e->settings.is_default);
		cr_expect_eq(e->settings.allow_count, 2);
		cr_expect_eq(e->settings.allow[0].bits, 104, "an IPv4 /8 of the 128 bits");
		cr_expect_eq(e->settings.allow[1].bits, 64);
		cr_expect_eq(e->settings.volume.volume->id, 1);
		bool home = e->settings.volume.home == i;
		cr_expect_eq(home, e->settings.volume.carrier == NULL);
		at_home += home;
	}
	cr_expect_eq(at_home, 1);
}

Test(ctl_nbd, a_newer_put_replaces_and_the_old_one_goes_when_it_is_idle)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	put_ok(&m);
	struct nbd_export *old = fake_nbd_served(1, 7);
	old->under_way = 1;
	m.generation = 2;
	m.volume_id = 2;
	put_ok(&m);
	settle();
	cr_expect_neq(fake_nbd_served(1, 7), old);
	cr_expect_eq(fake_stack.live_exports, 2 * worker_count(), "destroyed with a request under way");
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	settle();
	old->under_way = 0;
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake_stack.live_exports, worker_count());
	m.generation = 1;
	put_ok(&m); /* not newer: acknowledged and ignored */
	cr_expect_eq(fake_nbd_served(0, 7)->settings.volume.volume->id, 2);
}

Test(ctl_nbd, a_removed_export_is_answered_when_nothing_refers_to_it)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	put_ok(&m);
	struct nbd_export *e = fake_nbd_served(0, 7);
	e->under_way = 1;
	CLIENT_SEND(&c, nbd_export_delete, ++next_id, .id = 7);
	settle();
	cr_expect_null(fake_nbd_served(0, 7));
	cr_expect_null(fake_nbd_served(1, 7));
	cr_expect_null(ctl_nbd_export_find(7));
	e->under_way = 0;
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake_stack.live_exports, 0);
	CLIENT_SEND(&c, nbd_export_delete, ++next_id, .id = 7);
	client_expect_error(&c, next_id, ENOENT);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_ok(&c, next_id);
}

Test(ctl_nbd, a_deletion_that_waits_for_io_is_answered_in_time_and_ends_later)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	put_ok(&m);
	struct nbd_export *e = fake_nbd_served(0, 7);
	e->under_way = 1;
	CLIENT_SEND(&c, nbd_export_delete, ++next_id, .id = 7);
	settle();
	CLIENT_SEND(&c, idle_put, ++next_id, .spin_turns = 1);
	client_expect_ok(&c, next_id); /* it has not been answered yet */
	ctl_server_tick(ctl_now_ns() + 2 * CTL_DRAIN_SECONDS * 1000000000ull);
	client_expect_ok(&c, next_id - 1);
	cr_expect_gt(fake_stack.live_exports, 0);
	e->under_way = 0;
	settle();
	cr_expect_eq(fake_stack.live_exports, 0);
	CLIENT_SEND(&c, idle_put, ++next_id, .spin_turns = 1);
	client_expect_ok(&c, next_id); /* and is not answered again */
}

Test(ctl_nbd, an_exported_volume_is_not_deleted)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	put_ok(&m);
	CLIENT_SEND(&c, volume_delete, ++next_id, .id = 1);
	client_expect_error(&c, next_id, EBUSY);
}

Test(ctl_nbd, what_cannot_be_is_refused_and_changes_nothing)
{
	struct wherry_ctl_nbd_export_put good = export_(7, 1, 1), m;
	put_ok(&good);
	good.generation = 2;
	m = good;
	m.volume_id = 99;
	client_expect_error(&c, send_put(&m), ENOENT);
	m = good;
	m.name[0] = '\0';
	client_expect_error(&c, send_put(&m), EINVAL);
	m = good;
	m.flags = 0x80;
	client_expect_error(&c, send_put(&m), EINVAL);
	m = good;
	m.allow_bits.len = 1;
	client_expect_error(&c, send_put(&m), EINVAL);
	m = good;
	m.allow.len = 16;
	m.allow.b[10] = m.allow.b[11] = 0xff;
	m.allow_bits.len = 1;
	m.allow_bits.b[0] = 33;
	client_expect_error(&c, send_put(&m), EINVAL);
	fake_stack.fail_export_create = 1; /* on the second worker */
	client_expect_error(&c, send_put(&good), ENOMEM);
	fake_stack.fail_export_create = -1;
	cr_expect_eq(fake_stack.live_exports, worker_count());
	put_ok(&good);
}

Test(ctl_nbd, sync_sweeps_what_was_not_put_again)
{
	struct wherry_ctl_nbd_export_put a = export_(7, 1, 1), b = export_(8, 1, 2);
	put_ok(&a);
	put_ok(&b);
	CLIENT_SEND(&c, sync_begin, ++next_id, .epoch = 3);
	client_expect_ok(&c, next_id);
	volume_ok(1);
	volume_ok(2);
	put_ok(&b);
	cr_expect_not_null(fake_nbd_served(0, 7), "swept too early");
	CLIENT_SEND(&c, sync_end, ++next_id, .epoch = 3);
	client_expect_ok(&c, next_id);
	settle();
	cr_expect_null(fake_nbd_served(0, 7));
	cr_expect_not_null(fake_nbd_served(0, 8));
}

Test(ctl_nbd, it_listens_where_it_is_told_to)
{
	CLIENT_SEND(&c, nbd_put, ++next_id, .tcp_port = 10809);
	client_expect_ok(&c, next_id);
	CLIENT_SEND(&c, nbd_put, ++next_id, .tcp_port = 10809);
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake_stack.tcp[1].listening[0], 10809);
	CLIENT_SEND(&c, nbd_put, ++next_id, .tcp_port = 10810);
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake_stack.tcp[0].listening[0], 10810);
	CLIENT_SEND(&c, nbd_put, ++next_id, .tcp_port = 0);
	client_expect_ok(&c, next_id);
	cr_expect_eq(fake_stack.tcp[0].listening[0], 0);
}

Test(ctl_nbd, statistics_are_summed_over_workers)
{
	struct wherry_ctl_nbd_export_put m = export_(7, 1, 1);
	uint64_t values[WHERRY_EXPORT_STAT_COUNT], buckets[WHERRY_HIST_BUCKET_COUNT];
	put_ok(&m);
	fake_nbd_served(0, 7)->stats[WHERRY_EXPORT_read_ops] = 3;
	fake_nbd_served(1, 7)->stats[WHERRY_EXPORT_read_ops] = 4;
	fake_nbd_served(1, 7)->hist[2][5] = 9;
	ctl_nbd_export_stats(ctl_nbd_export_find(7), values);
	ctl_nbd_export_hist(ctl_nbd_export_find(7), 2, buckets);
	cr_expect_eq(values[WHERRY_EXPORT_read_ops], 7);
	cr_expect_eq(buckets[5], 9);

	struct wherry_ctl_stats_item item;
	struct wherry_ctl_hist_item hist;
	CLIENT_SEND(&c, stats_get, ++next_id, .scope = WHERRY_SCOPE_NBD_EXPORT, .id = 7, .histograms = true);
	client_expect(&c, WHERRY_CTL_STATS_ITEM, next_id);
	CLIENT_GET(&c, stats_item, &item);
	cr_expect(item.scope == WHERRY_SCOPE_NBD_EXPORT && item.id == 7 && item.values.v[WHERRY_EXPORT_read_ops] == 7);
	client_expect(&c, WHERRY_CTL_HIST_ITEM, next_id);
	CLIENT_GET(&c, hist_item, &hist);
	cr_expect(hist.kind == 2 && hist.first_bucket == 5 && hist.values.v[0] == 9);
	client_expect_ok(&c, next_id);
	CLIENT_SEND(&c, stats_get, ++next_id, .scope = WHERRY_SCOPE_NBD_EXPORT, .id = 8);
	client_expect_error(&c, next_id, ENOENT);
}

Test(ctl_nbd, sessions_of_all_workers_are_listed)
{
	fake_stack.nbd[0].session_count = 300;
	fake_stack.nbd[1].session_count = 5;
	CLIENT_SEND(&c, nbd_session_list, ++next_id, );
	struct wherry_ctl_nbd_session_item item;
	for (unsigned i = 0; i < 305; i++) {
		client_expect(&c, WHERRY_CTL_NBD_SESSION_ITEM, next_id);
		CLIENT_GET(&c, nbd_session_item, &item);
		cr_expect_eq(item.lcore, i < 300 ? 0 : 1);
		cr_expect_eq(item.remote_port, i < 300 ? i : i - 300);
	}
	client_expect_ok(&c, next_id);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of sessions when their export or the server goes, and who cannot hold that up. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "rig.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, false);
	memset(rig.held->bytes, 0x55, RIG_DISK_BYTES);
}

static void setup_held(void)
{
	setup();
	rig.held->at_once = false;
}

static void finish(struct rig_stream *s)
{
	rig_close(&rig, s);
	rig_fini(&rig);
}

Test(nbd_ending, removal_answers_shutdown_and_closes_when_idle, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	rig_request(&rig, s, NBD_CMD_FLUSH, 0, 1, 0, 0);
	cr_assert(nbd_export_remove(rig.lcore, 1) == rig.export_);
	rig_request(&rig, s, NBD_CMD_READ, 0, 2, 0, 512);
	rig_expect_error(s, 2, NBD_ESHUTDOWN);
	cr_expect(!s->shut && !nbd_export_idle(rig.export_));
	held_release(rig.held, 0, IO_OK);
	rig_turn(&rig);
	rig_expect_done(s, 1);
	cr_expect(s->shut);
	rig_close(&rig, s);
	cr_expect(nbd_export_idle(rig.export_));
	nbd_export_destroy(rig.export_);
	rig.export_ = NULL;
	rig_fini(&rig);
}

/* Two sessions with a request that their peers alone can end: one gives no payload, one takes no data. */
static void connect_stuck(struct rig_stream *stuck[2])
{
	stuck[0] = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, stuck[0], NBD_CMD_WRITE, 0, 1, 0, 100000);
	rig_give(&rig, stuck[0], rig.held->bytes, 10);
	stuck[1] = rig_ready(&rig, RIG_STRUCTURED);
	stuck[1]->keep = true;
	rig_request(&rig, stuck[1], NBD_CMD_READ, 0, 1, 0, 4 << 20);
	rig_turn(&rig);
	cr_expect(nbd_lcore_under_way(rig.lcore) == 2);
}

Test(nbd_ending, removal_is_not_held_up_by_peers_that_do_not_go_on, .init = setup)
{
	struct rig_stream *stuck[2];
	connect_stuck(stuck);
	cr_assert(nbd_export_remove(rig.lcore, 1) == rig.export_);
	/* Now and then a byte, so that something moves. */
	for (unsigned i = 0; i < 6; i++) {
		cr_expect(!stuck[0]->aborted && !stuck[1]->aborted, "they have %u s", i);
		rig_give(&rig, stuck[0], rig.held->bytes, 1);
		rig.now_ns += NBD_CLOSE_NS / 5;
		rig_turn(&rig);
	}
	for (unsigned i = 0; i < 2; i++) {
		cr_expect(stuck[i]->aborted, "session %u", i);
		rig_close(&rig, stuck[i]);
	}
	cr_expect(rig.stats[WHERRY_LCORE_nbd_drop_close] == 2 && nbd_lcore_under_way(rig.lcore) == 0);
	cr_expect(nbd_export_idle(rig.export_));
	nbd_export_destroy(rig.export_);
	rig.export_ = NULL;
	rig_fini(&rig);
}

Test(nbd_ending, drain_does_not_wait_for_peers_but_for_the_store, .init = setup_held)
{
	struct rig_stream *stuck[2], *s = rig_ready(&rig, RIG_STRUCTURED);
	connect_stuck(stuck);
	rig_request(&rig, s, NBD_CMD_FLUSH, 0, 7, 0, 0);
	nbd_lcore_drain(rig.lcore);
	rig_turn(&rig);
	cr_expect(stuck[0]->aborted && stuck[1]->aborted && !s->aborted && !s->shut);
	rig_close(&rig, stuck[0]);
	rig_close(&rig, stuck[1]);
	cr_expect(nbd_lcore_under_way(rig.lcore) > 0);
	while (rig.held->count)
		held_release(rig.held, 0, IO_OK);
	rig_turn(&rig);
	cr_expect(nbd_lcore_under_way(rig.lcore) == 0 && s->shut);
	rig_expect_done(s, 7);
	finish(s);
}

Test(nbd_ending, who_is_not_allowed_any_more_is_closed, .init = setup)
{
	struct nbd_export_settings settings = rig.settings;
	const uint8_t mine[4] = {127, 0, 0, 0}, others[4] = {10, 0, 0, 0};
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	struct nbd_export *first = rig.export_, *second;
	settings.allow_count = 1;
	settings.allow[0] = (struct nbd_prefix){ip_addr_v4(mine), 104};
	second = nbd_export_create(&settings);
	cr_assert(nbd_export_add(rig.lcore, second) == first);
	rig_turn(&rig);
	cr_expect(!s->shut, "its address is allowed");
	settings.allow[0] = (struct nbd_prefix){ip_addr_v4(others), 104};
	rig.export_ = nbd_export_create(&settings);
	cr_assert(nbd_export_add(rig.lcore, rig.export_) == second);
	rig_turn(&rig);
	cr_expect(s->shut);
	rig_close(&rig, s);
	nbd_export_destroy(first);
	nbd_export_destroy(second);
	rig_fini(&rig);
}

Test(nbd_ending, an_export_that_becomes_read_only_is_not_written_any_more, .init = setup)
{
	struct nbd_export_settings settings = rig.settings;
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	struct nbd_export *old = rig.export_;
	static uint8_t data[8192], before[8192];
	memset(data, 0x99, sizeof data);
	memcpy(before, rig.held->bytes, sizeof before);
	rig_request(&rig, s, NBD_CMD_WRITE, 0, 1, 0, sizeof data);
	rig_give(&rig, s, data, 4096);
	settings.read_only = true;
	rig.export_ = nbd_export_create(&settings);
	cr_assert(nbd_export_add(rig.lcore, rig.export_) == old);
	rig_give(&rig, s, data + 4096, 4096);
	rig_turn(&rig);
	rig_expect_error(s, 1, NBD_ESHUTDOWN);
	cr_expect(memcmp(before, rig.held->bytes, sizeof before) == 0 && s->shut);
	rig_close(&rig, s);
	nbd_export_destroy(old);
	rig_fini(&rig);
}

Test(nbd_ending, what_a_device_still_has_at_the_end_keeps_no_export, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	s->keep = true;
	rig_request(&rig, s, NBD_CMD_READ, 0, 1, 0, 100000);
	rig_request(&rig, s, NBD_CMD_FLUSH, 0, 2, 0, 0);
	unsigned count = 0;
	for (struct pkt_buf *buf = s->kept_first; buf; buf = buf->next, count++)
		pkt_buf_get(buf);
	cr_assert_geq(count, 3);
	rig_close(&rig, s);
	cr_assert(!nbd_export_idle(rig.export_));
	nbd_lcore_let_go(rig.lcore);
	cr_expect(nbd_export_idle(rig.export_));
	nbd_export_destroy(nbd_export_remove(rig.lcore, 1));
	nbd_lcore_destroy(rig.lcore);
	vol_bounce_pool_destroy(rig.volume.bounce_pool);
	vol_map_destroy(rig.map);
	held_destroy(rig.held);
}

Test(nbd_ending, zeroing_in_steps_ends_with_the_export, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	rig.volume.zero_step_bytes = 4096;
	rig_request(&rig, s, NBD_CMD_WRITE_ZEROES, 0, 1, 0, RIG_DISK_BYTES);
	cr_assert(nbd_export_remove(rig.lcore, 1) == rig.export_);
	rig_turn(&rig);
	rig_expect_error(s, 1, NBD_ESHUTDOWN);
	cr_expect(rig.held->bytes[RIG_DISK_BYTES - 1] != 0 && s->shut, "the end is as it was");
	rig_close(&rig, s);
	nbd_export_destroy(rig.export_);
	rig.export_ = NULL;
	rig_fini(&rig);
}

Test(nbd_ending, drain_closes_everybody_and_admits_nobody, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED), *fresh = rig_connect(&rig);
	nbd_lcore_drain(rig.lcore);
	rig_turn(&rig);
	cr_expect(s->shut && fresh->shut && rig_connect(&rig) == NULL);
	rig_close(&rig, s);
	rig_close(&rig, fresh);
	rig_fini(&rig);
}

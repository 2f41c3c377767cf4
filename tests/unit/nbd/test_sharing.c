/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets buffers and requests when peers are slow to take replies or to send payloads. */
#include <criterion/criterion.h>

#include "rig.h"

#define BUFFER 65536u

static struct rig rig;

static void setup(void)
{
	const struct nbd_limits limits = {64, 64, 16, 32, BUFFER};
	rig_init_limits(&rig, false, &limits);
}

static struct nbd_session *session_of(const struct rig_stream *s)
{
	return s->stream.ctx;
}

/* A read that is there at once. */
static bool read_now(struct rig_stream *s, uint32_t pieces)
{
	s->out_at = s->out_end = 0;
	rig_request(&rig, s, NBD_CMD_READ, 0, 1, 1 << 20, pieces * BUFFER);
	const size_t whole = pieces * (size_t)(BUFFER + 28), there = rig_left(s);
	s->out_at = s->out_end = 0;
	return there == whole;
}

static struct rig_stream *prompt_one(void)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	for (unsigned i = 0; i < NBD_PROMPT_COUNT; i++)
		cr_assert(read_now(s, 1));
	cr_assert(session_of(s)->prompt);
	return s;
}

static void close_all(struct rig_stream **s, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		rig_close(&rig, s[i]);
}

Test(nbd_sharing, slow_readers_have_a_quarter_of_the_buffers_and_no_more, .init = setup)
{
	struct rig_stream *good = prompt_one(), *slow[20];
	for (unsigned i = 0; i < 20; i++) {
		slow[i] = rig_ready(&rig, RIG_STRUCTURED);
		slow[i]->keep = true;
		rig_request(&rig, slow[i], NBD_CMD_READ, 0, 1, 0, 2 << 20);
	}
	cr_expect_eq(rig.lcore->free_io_count, 24);
	cr_expect_eq(rig.export_->slow_io_count, 8);
	const uint64_t waits = rig.stats[WHERRY_LCORE_nbd_wait_pool];
	for (unsigned i = 0; i < 100; i++)
		cr_assert(read_now(good, 8), "%u", i);
	cr_expect_eq(rig.stats[WHERRY_LCORE_nbd_wait_pool], waits, "the prompt wait for nothing");
	close_all(slow, 20);
	cr_expect_eq(rig.export_->slow_io_count, 0);
	rig_close(&rig, good);
	rig_fini(&rig);
}

Test(nbd_sharing, slow_writers_have_a_quarter_of_the_buffers_and_no_more, .init = setup)
{
	struct rig_stream *good = prompt_one(), *slow[20];
	for (unsigned i = 0; i < 20; i++) {
		slow[i] = rig_ready(&rig, RIG_SIMPLE);
		rig_request(&rig, slow[i], NBD_CMD_WRITE, 0, 1, 0, 2 << 20);
		rig_give(&rig, slow[i], rig.held->bytes, BUFFER + 100);
	}
	cr_expect(rig.lcore->free_io_count >= 24, "%u", rig.lcore->free_io_count);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(read_now(good, 8), "%u", i);
	close_all(slow, 20);
	cr_expect_eq(rig.export_->slow_io_count, 0);
	rig_close(&rig, good);
	rig_fini(&rig);
}

Test(nbd_sharing, who_reads_no_replies_takes_a_quarter_of_the_requests_and_no_more, .init = setup)
{
	struct rig_stream *good = prompt_one(), *slow[20];
	for (unsigned i = 0; i < 20; i++) {
		slow[i] = rig_ready(&rig, RIG_SIMPLE);
		slow[i]->keep = true;
		for (unsigned n = 0; n < 16; n++)
			rig_request(&rig, slow[i], NBD_CMD_READ, 0, n, RIG_DISK_BYTES, 512);
	}
	cr_expect_eq(rig.lcore->free_request_count, 48);
	cr_expect_eq(rig.export_->slow_request_count, 16);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(read_now(good, 8), "%u", i);
	for (unsigned i = 0; i < 20; i++)
		rig_release(&rig, slow[i]);
	for (unsigned turn = 0; turn < 20; turn++)
		for (unsigned i = 0; i < 20; i++)
			rig_release(&rig, slow[i]);
	for (unsigned i = 0; i < 20; i++)
		cr_expect(slow[i]->in_bytes == 0 && rig_left(slow[i]) == 16 * NBD_SIMPLE_REPLY_BYTES, "%u", i);
	close_all(slow, 20);
	rig_close(&rig, good);
	rig_fini(&rig);
}

Test(nbd_sharing, the_prompt_who_stop_to_read_lose_their_place_and_then_their_connection, .init = setup)
{
	struct rig_stream *good = prompt_one(), *bad[2];
	for (unsigned i = 0; i < 2; i++)
		bad[i] = prompt_one();
	for (unsigned i = 0; i < 2; i++) {
		bad[i]->keep = true;
		rig_request(&rig, bad[i], NBD_CMD_READ, 0, 1, 0, 2 << 20);
	}
	cr_expect_eq(rig.lcore->free_io_count, 16, "all that an export may have, while they are thought to be prompt");
	rig_request(&rig, good, NBD_CMD_READ, 0, 7, 0, BUFFER);
	cr_expect_eq(rig_left(good), 0);
	rig.now_ns += NBD_STALLED_NS - 1;
	rig_turn(&rig);
	for (unsigned i = 0; i < 2; i++)
		cr_expect(session_of(bad[i])->prompt && !bad[i]->aborted, "they have a second");
	rig.now_ns += 2;
	rig_turn(&rig);
	for (unsigned i = 0; i < 2; i++)
		cr_expect(!session_of(bad[i])->prompt);
	cr_expect(session_of(good)->prompt, "it is not its peer that waits");
	cr_expect(rig.stats[WHERRY_LCORE_nbd_drop_hoarding] > 0);
	close_all(bad, 2);
	const uint8_t *body;
	rig_turn(&rig);
	cr_expect_eq(rig_chunk(good, 7, &body).type, NBD_CHUNK_OFFSET_DATA);
	rig_close(&rig, good);
	rig_fini(&rig);
}

Test(nbd_sharing, who_is_new_is_served_while_the_prompt_use_all, .init = setup)
{
	struct rig_stream *busy[5], *new_one;
	for (unsigned i = 0; i < 5; i++)
		busy[i] = prompt_one();
	for (unsigned i = 0; i < 5; i++) {
		busy[i]->keep = true;
		for (unsigned n = 0; n < 4; n++)
			rig_request(&rig, busy[i], NBD_CMD_READ, 0, n, 0, 1 << 20);
	}
	cr_expect_eq(rig.lcore->free_io_count, 16);
	new_one = rig_ready(&rig, RIG_STRUCTURED);
	rig_request(&rig, new_one, NBD_CMD_READ, 0, 9, 0, BUFFER);
	cr_expect_eq(rig_left(new_one), 0);
	for (unsigned turn = 0; turn < 5; turn++)
		rig_release(&rig, busy[turn]);
	const uint8_t *body;
	cr_expect_eq(rig_chunk(new_one, 9, &body).type, NBD_CHUNK_OFFSET_DATA);
	for (unsigned i = 0; i < 5; i++)
		rig_close(&rig, busy[i]);
	rig_close(&rig, new_one);
	rig_fini(&rig);
}

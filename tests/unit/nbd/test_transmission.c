/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: answers in all three dialects, refusals, partial failures, pools that run dry. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "rig.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, false);
	for (unsigned i = 0; i < RIG_DISK_BYTES; i++)
		rig.held->bytes[i] = (uint8_t)(i >> 8 ^ i ^ i >> 16);
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

static const char *const kinds[] = {"simple", "structured", "extended"};

static void expect_ok(struct rig_stream *s, enum rig_kind kind, uint64_t cookie)
{
	if (kind == RIG_SIMPLE)
		cr_expect(rig_simple(s, cookie) == 0);
	else
		rig_expect_done(s, cookie);
}

/* A whole read from chunks in any order, or behind a simple reply. */
static void expect_read(struct rig_stream *s, enum rig_kind kind, uint64_t cookie, uint64_t offset, uint32_t len)
{
	static uint8_t got[RIG_DISK_BYTES];
	uint32_t have = 0;
	bool done = false;
	if (kind == RIG_SIMPLE) {
		cr_assert(rig_simple(s, cookie) == 0);
		cr_expect(memcmp(rig_take(s, len), rig.held->bytes + offset, len) == 0);
		return;
	}
	while (!done) {
		const uint8_t *body;
		const struct nbd_chunk_header header = rig_chunk(s, cookie, &body);
		cr_assert(header.type == NBD_CHUNK_OFFSET_DATA && header.len_bytes > 8);
		const uint64_t at = be64_get(*(const be64 *)body);
		cr_assert(at >= offset && at + header.len_bytes - 8 <= offset + len);
		memcpy(got + at - offset, body + 8, header.len_bytes - 8);
		have += (uint32_t)header.len_bytes - 8;
		done = header.flags & NBD_CHUNK_FLAG_DONE;
	}
	cr_expect(have == len && memcmp(got, rig.held->bytes + offset, len) == 0);
}

Test(nbd_transmission, reads_of_all_lengths_and_places_are_whole_in_every_dialect, .init = setup)
{
	static const struct {
		uint64_t offset;
		uint32_t len;
	} cases[] = {{0, 1},     {511, 2},     {1, 65536},   {0, 65536},     {4096, 65536},
		     {0, 65537}, {3, 1 << 20}, {0, 1 << 20}, {100, 3000000}, {0, RIG_DISK_BYTES}};
	for (enum rig_kind kind = RIG_SIMPLE; kind <= RIG_EXTENDED; kind++) {
		struct rig_stream *s = rig_ready(&rig, kind);
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			rig_request(&rig, s, NBD_CMD_READ, 0, i, cases[i].offset, cases[i].len);
			expect_read(s, kind, i, cases[i].offset, cases[i].len);
			cr_expect(rig_left(s) == 0, "%s, case %zu", kinds[kind], i);
		}
		rig_close(&rig, s);
	}
	rig_fini(&rig);
}

static void give_write(struct rig_stream *s, enum rig_kind kind, uint64_t cookie, uint64_t offset, uint32_t len,
		       uint8_t seed, size_t part)
{
	static uint8_t payload[RIG_DISK_BYTES];
	for (uint32_t i = 0; i < len; i++)
		payload[i] = (uint8_t)(i * 7 + seed);
	rig_request(&rig, s, NBD_CMD_WRITE, kind == RIG_EXTENDED ? NBD_CMD_FLAG_PAYLOAD_LEN : 0, cookie, offset, len);
	for (size_t at = 0; at < len; at += part)
		rig_give(&rig, s, payload + at, len - at < part ? len - at : part);
}

Test(nbd_transmission, writes_arrive_whole_however_they_are_cut, .init = setup)
{
	static const struct {
		uint64_t offset;
		uint32_t len;
		size_t part;
	} cases[] = {{0, 1, 1},
		     {511, 2, 1},
		     {4096, 8192, 1000},
		     {1, 70000, 1448},
		     {0, 65536, 65536},
		     {512, 2 << 20, 100000},
		     {4096, 3 << 20, 65535},
		     {RIG_DISK_BYTES - 3, 3, 2}};
	for (enum rig_kind kind = RIG_SIMPLE; kind <= RIG_EXTENDED; kind++) {
		struct rig_stream *s = rig_ready(&rig, kind);
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			static uint8_t want[RIG_DISK_BYTES];
			memcpy(want, rig.held->bytes, sizeof want);
			for (uint32_t j = 0; j < cases[i].len; j++)
				want[cases[i].offset + j] = (uint8_t)(j * 7 + i);
			give_write(s, kind, i, cases[i].offset, cases[i].len, (uint8_t)i, cases[i].part);
			expect_ok(s, kind, i);
			cr_expect(memcmp(want, rig.held->bytes, sizeof want) == 0, "%s, case %zu", kinds[kind], i);
		}
		rig_close(&rig, s);
	}
	rig_fini(&rig);
}

Test(nbd_transmission, refusals_are_named_drained_and_keep_the_connection, .init = setup)
{
	static const struct {
		const char *name;
		uint16_t type, flags;
		uint64_t offset, len;
		enum nbd_error error;
		enum wherry_export_stat stat;
	} cases[] = {
		{"read past the end", NBD_CMD_READ, 0, RIG_DISK_BYTES, 1, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"read far past the end", NBD_CMD_READ, 0, UINT64_MAX, 512, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"write past the end", NBD_CMD_WRITE, 0, RIG_DISK_BYTES - 1, 100, NBD_ENOSPC,
		 WHERRY_EXPORT_nbd_err_no_space},
		{"zeroes past the end", NBD_CMD_WRITE_ZEROES, 0, 0, RIG_DISK_BYTES + 1, NBD_ENOSPC,
		 WHERRY_EXPORT_nbd_err_no_space},
		{"trim past the end", NBD_CMD_TRIM, 0, RIG_DISK_BYTES, 512, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"cache past the end", NBD_CMD_CACHE, 0, RIG_DISK_BYTES, 512, NBD_EINVAL,
		 WHERRY_EXPORT_nbd_err_invalid},
		{"read of 33 MiB", NBD_CMD_READ, 0, 0, 33u << 20, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"unknown command", 9, 0, 0, 0, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"resize", 8, 0, 0, 0, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"unknown flag", NBD_CMD_READ, 0x4000, 0, 512, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
		{"write with a flag of zeroes", NBD_CMD_WRITE, NBD_CMD_FLAG_NO_HOLE, 0, 1000, NBD_EINVAL,
		 WHERRY_EXPORT_nbd_err_invalid},
		{"status of nothing", NBD_CMD_BLOCK_STATUS, 0, 0, 0, NBD_EINVAL, WHERRY_EXPORT_nbd_err_invalid},
	};
	for (enum rig_kind kind = RIG_SIMPLE; kind <= RIG_EXTENDED; kind++) {
		struct rig_stream *s = rig_ready(&rig, kind);
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			static const uint8_t payload[1000];
			const uint64_t before = nbd_export_stats(rig.export_)[cases[i].stat];
			const bool write = cases[i].type == NBD_CMD_WRITE;
			rig_request(&rig, s, cases[i].type,
				    cases[i].flags | (write && kind == RIG_EXTENDED ? NBD_CMD_FLAG_PAYLOAD_LEN : 0), i,
				    cases[i].offset, cases[i].len);
			if (write) {
				cr_expect(rig_left(s) == 0, "%s: answered before its payload", cases[i].name);
				rig_give(&rig, s, payload, cases[i].len);
			}
			if (kind == RIG_SIMPLE)
				cr_expect(rig_simple(s, i) == (uint32_t)cases[i].error, "%s", cases[i].name);
			else
				rig_expect_error(s, i, cases[i].error);
			cr_expect(rig_left(s) == 0 && !s->aborted, "%s, %s", kinds[kind], cases[i].name);
			cr_expect(nbd_export_stats(rig.export_)[cases[i].stat] == before + 1, "%s", cases[i].name);
		}
		rig_request(&rig, s, NBD_CMD_READ, 0, 99, 0, 512);
		expect_read(s, kind, 99, 0, 512);
		rig_close(&rig, s);
	}
	rig_fini(&rig);
}

Test(nbd_transmission, a_read_only_export_refuses_every_change_and_serves_reads, .init = setup)
{
	static const uint16_t types[] = {NBD_CMD_WRITE, NBD_CMD_TRIM, NBD_CMD_WRITE_ZEROES};
	rig.volume.read_only = true;
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	for (unsigned i = 0; i < 3; i++) {
		static const uint8_t payload[512];
		rig_request(&rig, s, types[i], 0, i, 0, 512);
		if (types[i] == NBD_CMD_WRITE)
			rig_give(&rig, s, payload, 512);
		rig_expect_error(s, i, NBD_EPERM);
	}
	rig_request(&rig, s, NBD_CMD_READ, 0, 9, 0, 512);
	expect_read(s, RIG_STRUCTURED, 9, 0, 512);
	finish(s);
}

Test(nbd_transmission, a_failure_inside_a_read_costs_its_piece_alone, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	const uint8_t *body;
	rig_request(&rig, s, NBD_CMD_READ, 0, 7, 0, 3 * 65536);
	cr_assert(rig.held->count == 3);
	held_release(rig.held, 2, IO_OK);
	rig_turn(&rig);
	struct nbd_chunk_header header = rig_chunk(s, 7, &body);
	cr_expect(header.type == NBD_CHUNK_OFFSET_DATA && header.flags == 0 && be64_get(*(const be64 *)body) == 131072);
	held_release(rig.held, 1, IO_ERR_MEDIA);
	header = rig_chunk(s, 7, &body);
	cr_expect(header.type == NBD_CHUNK_ERROR_OFFSET && header.flags == 0);
	cr_expect(be32_get(*(const be32 *)body) == NBD_EIO && body[header.len_bytes - 3] == 1, "at 65536");
	held_release(rig.held, 0, IO_OK);
	header = rig_chunk(s, 7, &body);
	cr_expect(header.type == NBD_CHUNK_OFFSET_DATA && header.flags == NBD_CHUNK_FLAG_DONE);
	cr_expect(memcmp(body + 8, rig.held->bytes, 65536) == 0);
	cr_expect(nbd_export_stats(rig.export_)[WHERRY_EXPORT_nbd_err_io] == 1 && !s->aborted);
	finish(s);
}

Test(nbd_transmission, a_failure_without_structured_replies_is_one_error_without_data, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_READ, 0, 7, 0, 3 * 65536);
	held_release(rig.held, 0, IO_OK);
	held_release(rig.held, 0, IO_ERR_MEDIA);
	cr_expect(rig_left(s) == 0, "nothing leaves before all is known");
	held_release(rig.held, 0, IO_OK);
	cr_expect(rig_simple(s, 7) == NBD_EIO && rig_left(s) == 0 && !s->aborted);
	finish(s);
}

Test(nbd_transmission, a_late_failure_of_a_long_simple_read_ends_the_connection, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_READ, 0, 7, 0, 1 << 20);
	held_release(rig.held, 0, IO_OK);
	cr_expect(rig_simple(s, 7) == 0, "too long to hold: it starts");
	held_release(rig.held, 0, IO_ERR_MEDIA);
	rig_turn(&rig);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_late_error] == 1);
	held_release_all(rig.held);
	finish(s);
}

Test(nbd_transmission, an_unfragmented_read_is_one_chunk_or_overflows, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	const uint8_t *body;
	rig_request(&rig, s, NBD_CMD_READ, NBD_CMD_FLAG_DF, 1, 100, 65536);
	const struct nbd_chunk_header header = rig_chunk(s, 1, &body);
	cr_expect(header.type == NBD_CHUNK_OFFSET_DATA && header.flags == NBD_CHUNK_FLAG_DONE);
	cr_expect(header.len_bytes == 65544 && memcmp(body + 8, rig.held->bytes + 100, 65536) == 0);
	rig_request(&rig, s, NBD_CMD_READ, NBD_CMD_FLAG_DF, 2, 0, 2 << 20);
	rig_expect_error(s, 2, NBD_EOVERFLOW);
	finish(s);
}

Test(nbd_transmission, holes_travel_as_holes_and_zeroes_make_them, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	const uint8_t *body;
	rig_request(&rig, s, NBD_CMD_WRITE_ZEROES, 0, 1, 65536, 65536);
	rig_expect_done(s, 1);
	const unsigned before = rig.held->submitted_count;
	rig_request(&rig, s, NBD_CMD_READ, 0, 2, 65536, 65536);
	const struct nbd_chunk_header header = rig_chunk(s, 2, &body);
	cr_expect(header.type == NBD_CHUNK_OFFSET_HOLE && header.flags == NBD_CHUNK_FLAG_DONE &&
		  header.len_bytes == 12);
	cr_expect(be64_get(*(const be64 *)body) == 65536 && be32_get(*(const be32 *)(body + 8)) == 65536);
	cr_expect(rig.held->submitted_count == before, "the store was not asked");
	/* extents: data, hole, data */
	static const uint8_t want[] = {0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1,
				       0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0};
	rig_request(&rig, s, NBD_CMD_BLOCK_STATUS, 0, 3, 0, 131073);
	cr_expect(rig_chunk(s, 3, &body).len_bytes == sizeof want && memcmp(body, want, sizeof want) == 0);
	rig_request(&rig, s, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 4, 0, 131073);
	cr_expect(rig_chunk(s, 4, &body).len_bytes == 12);
	finish(s);
}

Test(nbd_transmission, extended_block_status_takes_a_filter_and_drains_a_bad_one, .init = setup)
{
	static const uint8_t good[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
	static const uint8_t want[] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t bad[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1};
	struct rig_stream *s = rig_ready(&rig, RIG_EXTENDED);
	const uint8_t *body;
	rig_request(&rig, s, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 1, 0, 12);
	rig_give(&rig, s, good, 5);
	rig_give(&rig, s, good + 5, 7);
	const struct nbd_chunk_header header = rig_chunk(s, 1, &body);
	cr_expect(header.type == NBD_CHUNK_BLOCK_STATUS_EXT && header.len_bytes == sizeof want);
	cr_expect(memcmp(body, want, sizeof want) == 0);
	rig_request(&rig, s, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 2, 0, 16);
	rig_give(&rig, s, bad, 16);
	rig_expect_error(s, 2, NBD_EINVAL);
	rig_request(&rig, s, NBD_CMD_READ, NBD_CMD_FLAG_PAYLOAD_LEN, 3, 0, 16);
	rig_give(&rig, s, bad, 16);
	rig_expect_error(s, 3, NBD_EINVAL);
	rig_request(&rig, s, NBD_CMD_WRITE, 0, 4, 0, 512);
	rig_expect_error(s, 4, NBD_EINVAL);
	rig_request(&rig, s, NBD_CMD_WRITE_ZEROES, 0, 5, 0, RIG_DISK_BYTES);
	rig_expect_done(s, 5);
	finish(s);
}

Test(nbd_transmission, a_payload_beyond_the_maximum_or_a_bad_magic_resets, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_WRITE, 0, 1, 0, NBD_PAYLOAD_BYTES_MAX + 1);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_payload] == 1);
	rig_close(&rig, s);
	static const uint8_t junk[NBD_REQUEST_BYTES] = {0x25, 0x60, 0x95, 0x14};
	s = rig_ready(&rig, RIG_SIMPLE);
	rig_give(&rig, s, junk, sizeof junk);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_magic] == 1);
	finish(s);
}

Test(nbd_transmission, disconnect_finishes_what_is_under_way_and_then_closes, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_READ, 0, 1, 0, 512);
	rig_request(&rig, s, NBD_CMD_DISC, 0, 2, 0, 0);
	cr_expect(!s->shut);
	held_release(rig.held, 0, IO_OK);
	rig_turn(&rig);
	cr_expect(s->shut && rig_simple(s, 1) == 0 && rig_left(s) == 512);
	rig.now_ns += NBD_CLOSE_NS + 1;
	rig_turn(&rig);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_close] == 1, "it does not wait for ever");
	finish(s);
}

/* "There is no reply to an NBD_CMD_DISC": nor is there an error. */
Test(nbd_transmission, disconnect_is_never_answered, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_DISC, NBD_CMD_FLAG_DF, 1, 0, 0);
	rig_turn(&rig);
	cr_expect(s->shut && rig_left(s) == 0, "flags that it does not have");
	rig_close(&rig, s);
	s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_FLUSH, 0, 1, 0, 0);
	nbd_lcore_drain(rig.lcore);
	rig_request(&rig, s, NBD_CMD_DISC, 0, 2, 0, 0);
	held_release(rig.held, 0, IO_OK);
	rig_turn(&rig);
	cr_expect(s->shut && rig_simple(s, 1) == 0 && rig_left(s) == 0, "while the server ends the session, too");
	finish(s);
}

Test(nbd_transmission, io_under_way_outlives_its_session_and_is_given_back, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	rig_request(&rig, s, NBD_CMD_READ, 0, 1, 0, 3 * 65536);
	give_write(s, RIG_STRUCTURED, 2, 1 << 20, 65536, 1, 65536);
	rig_request(&rig, s, NBD_CMD_FLUSH, 0, 3, 0, 0);
	rig_request(&rig, s, NBD_CMD_WRITE, 0, 4, 0, 100000);
	rig_give(&rig, s, rig.held->bytes, 70000);
	rig_close(&rig, s);
	cr_expect(nbd_lcore_session_count(rig.lcore) == 1);
	held_release_all(rig.held);
	rig_fini(&rig);
}

Test(nbd_transmission, duplicate_cookies_are_the_clients_business, .init = setup_held)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	for (unsigned i = 0; i < 4; i++)
		rig_request(&rig, s, NBD_CMD_READ, 0, 42, 0, 512);
	held_release_all(rig.held);
	for (unsigned i = 0; i < 4; i++) {
		cr_expect(rig_simple(s, 42) == 0);
		rig_take(s, 512);
	}
	finish(s);
}

Test(nbd_transmission, a_slow_reader_is_bounded_and_served_later, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	s->keep = true;
	for (unsigned i = 0; i < 12; i++)
		rig_request(&rig, s, NBD_CMD_READ, 0, i, 0, 1 << 20);
	const struct nbd_session *session = s->stream.ctx;
	cr_expect(session->io_count <= rig.lcore->io_count_each && s->in_bytes > 0);
	for (unsigned i = 0; i < 200; i++)
		rig_release(&rig, s);
	for (unsigned i = 0; i < 12; i++)
		expect_read(s, RIG_STRUCTURED, i, 0, 1 << 20);
	cr_expect(rig_left(s) == 0);
	finish(s);
}

Test(nbd_transmission, when_buffers_run_out_everybody_waits_a_turn_and_nobody_fails, .init = setup_held)
{
	struct rig_stream *s[6];
	for (unsigned i = 0; i < 6; i++) {
		s[i] = rig_ready(&rig, i % 2 ? RIG_SIMPLE : RIG_STRUCTURED);
		for (unsigned j = 0; j < 4; j++)
			rig_request(&rig, s[i], NBD_CMD_READ, 0, j, 0, 8 * 65536);
		give_write(s[i], i % 2 ? RIG_SIMPLE : RIG_STRUCTURED, 9, 1 << 20, 1 << 20, 3, 1 << 20);
	}
	cr_expect(rig.lcore->free_io_count == 24 && rig.stats[WHERRY_LCORE_nbd_wait_pool] > 0);
	for (unsigned turn = 0; turn < 1000 && (rig.held->count || nbd_lcore_under_way(rig.lcore)); turn++) {
		held_release_all(rig.held);
		rig_turn(&rig);
	}
	cr_expect(nbd_lcore_under_way(rig.lcore) == 0);
	for (unsigned i = 0; i < 6; i++) {
		cr_expect(s[i]->in_bytes == 0 && !s[i]->aborted, "session %u", i);
		rig_close(&rig, s[i]);
	}
	cr_expect(nbd_export_stats(rig.export_)[WHERRY_EXPORT_read_ops] == 24);
	cr_expect(nbd_export_stats(rig.export_)[WHERRY_EXPORT_write_ops] == 6);
	rig_fini(&rig);
}

Test(nbd_transmission, a_store_that_hangs_leaves_buffers_and_requests_to_others, .init = setup_held)
{
	struct nbd_export_settings settings = rig.settings;
	struct held *held = held_create(RIG_DISK_BYTES, 512, 512);
	struct volume volume;
	struct rig_stream *stuck[6], *s;
	held->at_once = true;
	vol_init(&volume, 2, &held->backend, NULL, RIG_DISK_BYTES, 512);
	settings.id = 2;
	settings.is_default = false;
	settings.volume.volume = &volume;
	snprintf(settings.name, sizeof settings.name, "healthy");
	nbd_export_add(rig.lcore, nbd_export_create(&settings));
	for (unsigned i = 0; i < 6; i++) {
		stuck[i] = rig_ready(&rig, RIG_STRUCTURED);
		for (unsigned j = 0; j < 16; j++)
			rig_request(&rig, stuck[i], i % 2 ? NBD_CMD_FLUSH : NBD_CMD_READ, 0, j, 0, i % 2 ? 0 : 1 << 20);
	}
	rig_turn(&rig);
	s = rig_connect(&rig);
	rig_hello(&rig, s);
	rig_go(&rig, s, NBD_OPT_GO, "healthy");
	s->out_at = s->out_end;
	/* Through more than the pool has, while the others wait and their clients do nothing. */
	for (unsigned i = 0; i < 40; i++) {
		rig_request(&rig, s, NBD_CMD_READ, 0, i, 0, 256 << 10);
		rig_turn(&rig);
		cr_assert(rig_simple(s, i) == 0, "read %u", i);
		cr_expect(memcmp(rig_take(s, 256 << 10), held->bytes, 256 << 10) == 0);
		rig.now_ns += NBD_IDLE_NS / 4;
	}
	rig_close(&rig, s);
	for (unsigned turn = 0; turn < 100; turn++) {
		held_release_all(rig.held);
		rig_turn(&rig);
	}
	for (unsigned i = 0; i < 6; i++) {
		cr_expect(!stuck[i]->aborted && stuck[i]->in_bytes == 0, "its store was slow, not session %u", i);
		rig_close(&rig, stuck[i]);
	}
	cr_expect(nbd_lcore_under_way(rig.lcore) == 0);
	nbd_export_destroy(nbd_export_remove(rig.lcore, 2));
	rig_fini(&rig);
	held_destroy(held);
}

Test(nbd_transmission, who_sits_on_buffers_that_others_want_is_reset, .init = setup)
{
	struct rig_stream *greedy[4], *s;
	for (unsigned i = 0; i < 4; i++) {
		greedy[i] = rig_ready(&rig, RIG_STRUCTURED);
		greedy[i]->keep = true;
		rig_request(&rig, greedy[i], NBD_CMD_READ, 0, 1, 0, 1 << 20);
	}
	s = rig_ready(&rig, RIG_STRUCTURED);
	rig_request(&rig, s, NBD_CMD_READ, 0, 1, 0, 65536);
	cr_expect(rig_left(s) == 0 && rig.lcore->free_io_count == 24, "nothing is left for those who are new");
	rig.now_ns += NBD_IDLE_NS + 1;
	rig_turn(&rig);
	cr_expect(rig.stats[WHERRY_LCORE_nbd_drop_hoarding] > 0 && !s->aborted);
	for (unsigned i = 0; i < 4; i++)
		rig_close(&rig, greedy[i]);
	expect_read(s, RIG_STRUCTURED, 1, 0, 65536);
	finish(s);
}

Test(nbd_transmission, a_payload_that_stops_in_the_middle_is_given_up, .init = setup)
{
	struct rig_stream *s = rig_ready(&rig, RIG_SIMPLE);
	rig_request(&rig, s, NBD_CMD_WRITE, 0, 1, 0, 100000);
	rig_give(&rig, s, rig.held->bytes, 10);
	rig.now_ns += NBD_STALL_NS + 1;
	rig_turn(&rig);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_stalled] == 1);
	finish(s);
}

Test(nbd_transmission, replacement_keeps_sessions_unless_they_would_notice, .init = setup)
{
	struct nbd_export_settings settings = rig.settings;
	struct rig_stream *s = rig_ready(&rig, RIG_STRUCTURED);
	snprintf(settings.description, sizeof settings.description, "another text");
	struct nbd_export *new = nbd_export_create(&settings);
	cr_assert(nbd_export_add(rig.lcore, new) == rig.export_);
	cr_expect(nbd_export_idle(rig.export_) && !nbd_export_idle(new));
	nbd_export_destroy(rig.export_);
	rig_request(&rig, s, NBD_CMD_READ, 0, 2, 0, 512);
	expect_read(s, RIG_STRUCTURED, 2, 0, 512);
	settings.read_only = true;
	rig.export_ = nbd_export_create(&settings);
	cr_assert(nbd_export_add(rig.lcore, rig.export_) == new);
	rig_turn(&rig);
	cr_expect(s->shut);
	rig_close(&rig, s);
	nbd_export_destroy(new);
	rig_fini(&rig);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Options: golden answers, and everything that a hostile client may send before it has an export. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "rig.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, false);
}

static struct rig_stream *hello(void)
{
	struct rig_stream *s = rig_connect(&rig);
	cr_assert(s);
	rig_hello(&rig, s);
	return s;
}

static void finish(struct rig_stream *s)
{
	rig_close(&rig, s);
	rig_fini(&rig);
}

Test(nbd_handshake, greets_and_answers_go_byte_for_byte, .init = setup)
{
	static const uint8_t greeting[] = {'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C', 'I',
					   'H', 'A', 'V', 'E', 'O', 'P', 'T', 0,   3};
	static const uint8_t flags[] = {0, 0, 0, 3};
	/* GO "disk", asking for the block size. */
	static const uint8_t go[] = {'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0,   0,   0, 7, 0, 0,
				     0,   12,  0,   0,   0,   4,   'd', 'i', 's', 'k', 0, 1, 0, 3};
	/* clang-format off */
	static const uint8_t answer[] = {
		0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 12,
		0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0x0d, 0x6d,
		0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 14,
		0, 3, 0, 0, 0, 1, 0, 0, 0x10, 0, 2, 0, 0, 0,
		0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0,
	};
	/* clang-format on */
	struct rig_stream *s = rig_connect(&rig);
	cr_expect(memcmp(rig_take(s, sizeof greeting), greeting, sizeof greeting) == 0);
	/* One byte at a time: nothing may depend on segments. */
	for (size_t i = 0; i < sizeof flags; i++)
		rig_give(&rig, s, flags + i, 1);
	for (size_t i = 0; i < sizeof go; i++)
		rig_give(&rig, s, go + i, 1);
	cr_expect(memcmp(rig_take(s, sizeof answer), answer, sizeof answer) == 0 && rig_left(s) == 0);
	finish(s);
}

Test(nbd_handshake, export_name_enters_transmission_with_and_without_zeroes, .init = setup)
{
	for (uint8_t no_zeroes = 0; no_zeroes < 2; no_zeroes++) {
		struct rig_stream *s = rig_connect(&rig);
		const uint8_t flags[] = {0, 0, 0, (uint8_t)(1 | no_zeroes << 1)};
		rig_take(s, NBD_GREETING_BYTES);
		rig_give(&rig, s, flags, 4);
		rig_option(&rig, s, NBD_OPT_EXPORT_NAME, "disk", 4);
		cr_expect(rig_left(s) == (no_zeroes ? 10 : 134));
		cr_expect(rig_take(s, 10)[5] == 0x40);
		s->out_at = s->out_end;
		rig_request(&rig, s, NBD_CMD_READ, 0, 5, 0, 512);
		cr_expect(rig_simple(s, 5) == 0 && rig_left(s) == 512);
		rig_close(&rig, s);
	}
	rig_fini(&rig);
}

Test(nbd_handshake, an_unknown_export_name_ends_the_connection_and_go_does_not, .init = setup)
{
	struct rig_stream *s = hello();
	rig_go(&rig, s, NBD_OPT_GO, "nothing");
	rig_expect_reply(s, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, NULL);
	cr_expect(rig.stats[WHERRY_LCORE_nbd_option_unknown] == 1);
	rig_go(&rig, s, NBD_OPT_INFO, "disk");
	rig_expect_reply(s, NBD_OPT_INFO, NBD_REP_INFO, NULL);
	rig_expect_reply(s, NBD_OPT_INFO, NBD_REP_ACK, NULL);
	rig_option(&rig, s, NBD_OPT_EXPORT_NAME, "nothing", 7);
	cr_expect(s->shut && rig_left(s) == 0);
	finish(s);
}

Test(nbd_handshake, lists_descriptions_and_hides_what_an_address_may_not_use, .init = setup)
{
	struct nbd_export_settings settings = rig.settings;
	const uint8_t net[4] = {10, 0, 0, 0}, here[4] = {127, 0, 0, 0};
	settings.id = 2;
	settings.is_default = false;
	snprintf(settings.name, sizeof settings.name, "other");
	settings.allow_count = 1;
	settings.allow[0] = (struct nbd_prefix){ip_addr_v4(net), 104};
	struct nbd_export *other = nbd_export_create(&settings);
	nbd_export_add(rig.lcore, other);
	struct rig_stream *s = hello();
	uint32_t len;
	rig_option(&rig, s, NBD_OPT_LIST, NULL, 0);
	const uint8_t *data = rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_SERVER, &len);
	cr_expect(len == 14 && memcmp(data + 4, "diska disk", 10) == 0);
	rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_ACK, NULL);
	rig_go(&rig, s, NBD_OPT_GO, "other");
	rig_expect_reply(s, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, NULL);
	cr_expect(nbd_export_stats(other)[WHERRY_EXPORT_nbd_denied] == 1);
	/* The same list with the client's own prefix. */
	settings.allow[0] = (struct nbd_prefix){ip_addr_v4(here), 103};
	struct nbd_export *allowed = nbd_export_create(&settings);
	cr_expect(nbd_export_add(rig.lcore, allowed) == other);
	nbd_export_destroy(other);
	rig_go(&rig, s, NBD_OPT_INFO, "other");
	rig_expect_reply(s, NBD_OPT_INFO, NBD_REP_INFO, NULL);
	nbd_export_destroy(nbd_export_remove(rig.lcore, 2));
	finish(s);
}

Test(nbd_handshake, a_prefix_of_one_family_admits_nobody_of_the_other)
{
	const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {0x20, 1}, any[16] = {0};
	const struct {
		struct nbd_prefix prefix;
		bool v4, v6;
	} cases[] = {
		{{ip_addr_v6(any), 0}, false, true},
		{{ip_addr_v6(any), 2}, false, true},
		{{ip_addr_v4(any), 96}, true, false},
	};
	const struct ip_addr from4 = ip_addr_v4(v4), from6 = ip_addr_v6(v6);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct nbd_export export_ = {.settings = {.allow_count = 1, .allow = {cases[i].prefix}}};
		cr_expect_eq(nbd_export_allows(&export_, &from4), cases[i].v4, "IPv4, case %u", i);
		cr_expect_eq(nbd_export_allows(&export_, &from6), cases[i].v6, "IPv6, case %u", i);
	}
}

Test(nbd_handshake, a_list_of_a_thousand_exports_is_whole, .init = setup)
{
	struct nbd_export *exports[1000];
	struct nbd_export_settings settings = rig.settings;
	settings.is_default = false;
	for (unsigned i = 0; i < 1000; i++) {
		settings.id = 100 + i;
		snprintf(settings.name, sizeof settings.name, "disk-%u", i);
		exports[i] = nbd_export_create(&settings);
		nbd_export_add(rig.lcore, exports[i]);
	}
	struct rig_stream *s = hello();
	rig_option(&rig, s, NBD_OPT_LIST, NULL, 0);
	for (unsigned i = 0; i < 1001; i++)
		rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_SERVER, NULL);
	rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_ACK, NULL);
	for (unsigned i = 0; i < 1000; i++)
		nbd_export_destroy(nbd_export_remove(rig.lcore, 100 + i));
	finish(s);
}

Test(nbd_handshake, malformed_options_are_refused_by_name_and_the_stream_stays_in_step, .init = setup)
{
	static const struct {
		const char *name;
		uint32_t option, len, type;
		uint8_t data[16];
	} cases[] = {
		{"namelen of four billion", NBD_OPT_GO, 8, NBD_REP_ERR_INVALID, {0xff, 0xff, 0xff, 0xff, 'd', 0, 0, 0}},
		{"name beyond the data", NBD_OPT_GO, 8, NBD_REP_ERR_INVALID, {0, 0, 0, 5, 'd', 'i', 0, 0}},
		{"name takes the count's place", NBD_OPT_GO, 8, NBD_REP_ERR_INVALID, {0, 0, 0, 4, 'd', 'i', 's', 'k'}},
		{"GO of five bytes", NBD_OPT_GO, 5, NBD_REP_ERR_INVALID, {0, 0, 0, 0, 0}},
		{"INFO of no bytes", NBD_OPT_INFO, 0, NBD_REP_ERR_INVALID, {0}},
		{"more infos than bytes", NBD_OPT_GO, 8, NBD_REP_ERR_INVALID, {0, 0, 0, 0, 0, 2, 0, 3}},
		{"bytes behind the infos", NBD_OPT_GO, 8, NBD_REP_ERR_INVALID, {0, 0, 0, 0, 0, 0, 0, 3}},
		{"LIST with data", NBD_OPT_LIST, 4, NBD_REP_ERR_INVALID, {1, 2, 3, 4}},
		{"STARTTLS", NBD_OPT_STARTTLS, 0, NBD_REP_ERR_UNSUP, {0}},
		{"STARTTLS with data", NBD_OPT_STARTTLS, 4, NBD_REP_ERR_INVALID, {0}},
		{"structured reply with data", NBD_OPT_STRUCTURED_REPLY, 1, NBD_REP_ERR_INVALID, {0}},
		{"contexts before structured replies", NBD_OPT_SET_META_CONTEXT, 8, NBD_REP_ERR_INVALID, {0}},
		{"PEEK_EXPORT", 4, 3, NBD_REP_ERR_UNSUP, {1, 2, 3}},
		{"no such option", 0xffffffff, 16, NBD_REP_ERR_UNSUP, {0}},
	};
	struct rig_stream *s = hello();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct nbd_option_reply_header header;
		rig_option(&rig, s, cases[i].option, cases[i].data, cases[i].len);
		cr_assert(nbd_option_reply_parse(rig_take(s, 20), 20, &header).result == WIRE_OK);
		rig_take(s, header.len_bytes);
		cr_expect(header.option == cases[i].option && header.type == cases[i].type, "%s: %x", cases[i].name,
			  header.type);
		cr_expect(rig_left(s) == 0 && !s->aborted, "%s", cases[i].name);
	}
	rig_go(&rig, s, NBD_OPT_INFO, "disk");
	rig_expect_reply(s, NBD_OPT_INFO, NBD_REP_INFO, NULL);
	finish(s);
}

Test(nbd_handshake, a_name_of_4096_bytes_is_unknown_and_one_more_is_invalid, .init = setup)
{
	static uint8_t data[4 + 4097 + 2];
	struct rig_stream *s = hello();
	memset(data + 4, 'x', 4097);
	*(be32 *)data = be32_of(4096);
	data[4 + 4096] = data[4 + 4097] = 0;
	rig_option(&rig, s, NBD_OPT_GO, data, 4 + 4096 + 2);
	rig_expect_reply(s, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, NULL);
	data[4 + 4096] = 'x';
	*(be32 *)data = be32_of(4097);
	rig_option(&rig, s, NBD_OPT_GO, data, sizeof data);
	rig_expect_reply(s, NBD_OPT_GO, NBD_REP_ERR_INVALID, NULL);
	rig_option(&rig, s, NBD_OPT_GO, rig.lcore->buffer_memory, NBD_OPTION_DATA_BYTES_MAX + 1);
	rig_expect_reply(s, NBD_OPT_GO, NBD_REP_ERR_TOO_BIG, NULL);
	finish(s);
}

/* name "", then queries. */
static uint32_t meta(uint8_t *data, uint32_t count, const char *query)
{
	const uint32_t len = query ? (uint32_t)strlen(query) : 0;
	*(be32 *)data = be32_of(0);
	*(be32 *)(data + 4) = be32_of(count);
	if (!query)
		return 8;
	*(be32 *)(data + 8) = be32_of(len);
	memcpy(data + 12, query, len);
	return 12 + len;
}

Test(nbd_handshake, meta_contexts_follow_their_queries, .init = setup)
{
	static const struct {
		const char *name, *query;
		uint32_t option, count, type;
		bool want;
	} cases[] = {
		{"list all", NULL, NBD_OPT_LIST_META_CONTEXT, 0, NBD_REP_ACK, true},
		{"list the namespace", "base:", NBD_OPT_LIST_META_CONTEXT, 1, NBD_REP_ACK, true},
		{"list another", "qemu:", NBD_OPT_LIST_META_CONTEXT, 1, NBD_REP_ACK, false},
		{"set", "base:allocation", NBD_OPT_SET_META_CONTEXT, 1, NBD_REP_ACK, true},
		{"set of a namespace sets nothing", "base:", NBD_OPT_SET_META_CONTEXT, 1, NBD_REP_ACK, false},
		{"set nothing", NULL, NBD_OPT_SET_META_CONTEXT, 0, NBD_REP_ACK, false},
		{"more queries than bytes", NULL, NBD_OPT_SET_META_CONTEXT, 1, NBD_REP_ERR_INVALID, false},
		{"queries without end", NULL, NBD_OPT_SET_META_CONTEXT, 0xffffffff, NBD_REP_ERR_INVALID, false},
	};
	struct rig_stream *s = hello();
	rig_option(&rig, s, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	rig_expect_reply(s, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t data[64];
		struct nbd_session *session = s->stream.ctx;
		session->base_allocation = true; /* every SET replaces what was set, also when it fails */
		rig_option(&rig, s, cases[i].option, data, meta(data, cases[i].count, cases[i].query));
		if (cases[i].want)
			rig_expect_reply(s, cases[i].option, NBD_REP_META_CONTEXT, NULL);
		rig_expect_reply(s, cases[i].option, cases[i].type, NULL);
		cr_expect(rig_left(s) == 0, "%s", cases[i].name);
		if (cases[i].option == NBD_OPT_SET_META_CONTEXT)
			cr_expect(session->base_allocation == cases[i].want, "%s", cases[i].name);
	}
	finish(s);
}

Test(nbd_handshake, extended_headers_take_precedence, .init = setup)
{
	struct rig_stream *s = hello();
	rig_option(&rig, s, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
	rig_expect_reply(s, NBD_OPT_EXTENDED_HEADERS, NBD_REP_ACK, NULL);
	rig_option(&rig, s, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	rig_expect_reply(s, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_EXT_HEADER_REQD, NULL);
	rig_option(&rig, s, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
	rig_expect_reply(s, NBD_OPT_EXTENDED_HEADERS, NBD_REP_ERR_INVALID, NULL);
	rig_option(&rig, s, NBD_OPT_EXPORT_NAME, "disk", 4);
	cr_expect(s->shut, "EXPORT_NAME may not follow");
	finish(s);
}

Test(nbd_handshake, abort_is_acknowledged_and_ends, .init = setup)
{
	struct rig_stream *s = hello();
	rig_option(&rig, s, NBD_OPT_ABORT, NULL, 0);
	rig_expect_reply(s, NBD_OPT_ABORT, NBD_REP_ACK, NULL);
	cr_expect(s->shut);
	finish(s);
}

Test(nbd_handshake, resets_whoever_breaks_the_framing, .init = setup)
{
	static const struct {
		const char *name;
		uint8_t bytes[20];
		uint32_t len;
		enum wherry_lcore_stat stat;
	} cases[] = {
		{"unknown flag", {0, 0, 0, 7}, 4, WHERRY_LCORE_nbd_drop_flags},
		{"high flag", {0x80, 0, 0, 3}, 4, WHERRY_LCORE_nbd_drop_flags},
		{"no magic",
		 {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'U', 0, 0, 0, 1},
		 20,
		 WHERRY_LCORE_nbd_drop_magic},
		{"GO of a client that is not fixed",
		 {0, 0, 0, 0, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7},
		 20,
		 WHERRY_LCORE_nbd_drop_not_fixed},
		{"option of 4 GiB",
		 {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff},
		 20,
		 WHERRY_LCORE_nbd_drop_option_length},
		{"export name of 64 KiB",
		 {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 1, 0, 1, 0, 0},
		 20,
		 WHERRY_LCORE_nbd_drop_option_length},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig_stream *s = rig_connect(&rig);
		const uint64_t before = rig.stats[cases[i].stat];
		rig_give(&rig, s, cases[i].bytes, cases[i].len);
		cr_expect(s->aborted && rig.stats[cases[i].stat] == before + 1, "%s", cases[i].name);
		rig_close(&rig, s);
	}
	cr_expect(rig.stats[WHERRY_LCORE_nbd_drop_handshake] == sizeof cases / sizeof cases[0]);
	rig_fini(&rig);
}

Test(nbd_handshake, a_close_at_any_byte_leaves_nothing, .init = setup)
{
	static const uint8_t bytes[] = {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0,   0, 0,
					7, 0, 0, 0, 10,  0,   0,   0,   4,   'd', 'i', 's', 'k', 0, 0};
	for (size_t len = 0; len <= sizeof bytes; len++) {
		for (unsigned end = 0; end < 2; end++) {
			struct rig_stream *s = rig_connect(&rig);
			rig_give(&rig, s, bytes, len);
			if (end) {
				rig_give_end(&rig, s);
				cr_expect(s->shut, "after %zu bytes", len);
			}
			rig_close(&rig, s);
			cr_expect(nbd_lcore_session_count(rig.lcore) == 0, "after %zu bytes", len);
		}
	}
	rig_fini(&rig);
}

Test(nbd_handshake, the_silent_are_reset_and_the_options_without_end, .init = setup)
{
	struct rig_stream *s = hello();
	rig.now_ns += NBD_HANDSHAKE_NS;
	rig_turn(&rig);
	cr_expect(!s->aborted);
	rig.now_ns += 1;
	rig_turn(&rig);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_silent] == 1);
	rig_close(&rig, s);
	s = hello();
	for (unsigned i = 0; i < NBD_OPTION_COUNT_MAX; i++) {
		rig_option(&rig, s, NBD_OPT_STARTTLS, NULL, 0);
		cr_assert(!s->aborted);
		s->out_at = s->out_end = 0;
	}
	rig_option(&rig, s, NBD_OPT_STARTTLS, NULL, 0);
	cr_expect(s->aborted && rig.stats[WHERRY_LCORE_nbd_drop_option_flood] == 1);
	finish(s);
}

Test(nbd_handshake, who_reads_no_answers_is_asked_to_wait, .init = setup)
{
	struct rig_stream *s = hello();
	s->keep = true;
	for (unsigned i = 0; i < 100; i++)
		rig_option(&rig, s, NBD_OPT_LIST, NULL, 0);
	cr_expect(s->in_bytes > 0, "it is not read any more");
	cr_expect(((struct nbd_session *)s->stream.ctx)->option_buffer_count <= 2);
	for (unsigned i = 0; i < 100; i++)
		rig_release(&rig, s);
	for (unsigned i = 0; i < 100; i++) {
		rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_SERVER, NULL);
		rig_expect_reply(s, NBD_OPT_LIST, NBD_REP_ACK, NULL);
	}
	finish(s);
}

Test(nbd_handshake, session_slots_come_back_after_every_abnormal_end, .init = setup)
{
	struct rig_stream *all[8];
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 8; i++) {
			all[i] = rig_connect(&rig);
			cr_assert(all[i], "round %u", round);
		}
		cr_expect(rig_connect(&rig) == NULL, "no ninth");
		for (unsigned i = 0; i < 8; i++)
			rig_close(&rig, all[i]);
	}
	cr_expect(rig.stats[WHERRY_LCORE_nbd_drop_no_session] == 20 && rig.stats[WHERRY_LCORE_nbd_sessions] == 0);
	rig_fini(&rig);
}

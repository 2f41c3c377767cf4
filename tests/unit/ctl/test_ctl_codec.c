/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control protocol's encoders and decoders: golden bytes, identity, every
 * truncation, trailing bytes and every kind of count one above its maximum.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wherry/ctl.h"

/* Fill every field: numbers with a running pattern, variable fields up to their maximum or not at all. */
/* clang-format off */
#define FILL_U8(n) m->n = (uint8_t)++seed;
#define FILL_U16(n) m->n = (uint16_t)(0x0101u * ++seed);
#define FILL_U32(n) m->n = 0x01010101u * ++seed;
#define FILL_U64(n) m->n = 0x0101010101010101ull * ++seed;
#define FILL_BOOL(n) m->n = full;
#define FILL_STR(n, max) if (full) memset(m->n, 'a' + (int)(++seed % 26), (max));
#define FILL_BYTES(n, max) if (full) { m->n.len = (max); memset(m->n.b, (int)(++seed & 0x7f), (max)); }
#define FILL_MACS(n, max) if (full) { m->n.count = (max); memset(m->n.mac, (int)(++seed & 0x7f), sizeof m->n.mac); }
#define FILL_U16S(n, max) if (full) { m->n.count = (max); for (unsigned i = 0; i < (max); i++) m->n.v[i] = (uint16_t)(i * 257u); }
#define FILL_U64S(n, max) if (full) { m->n.count = (max); for (unsigned i = 0; i < (max); i++) m->n.v[i] = i * 0x0001000100010001ull; }

#define CASE(number, NAME, name) \
static void fill_##name(struct wherry_ctl_##name *m, bool full) \
{ \
	unsigned seed = 0; \
	(void)seed; (void)full; \
	memset(m, 0, sizeof *m); \
	WHERRY_CTL_F_##NAME(FILL_U8, FILL_U16, FILL_U32, FILL_U64, FILL_BOOL, FILL_STR, FILL_BYTES, FILL_MACS, \
			    FILL_U16S, FILL_U64S) \
} \
static size_t encode_##name(uint8_t *buf, size_t cap, bool full) \
{ \
	struct wherry_ctl_##name m; \
	fill_##name(&m, full); \
	return wherry_ctl_put_##name(buf, cap, 77, &m); \
} \
static int decode_##name(const uint8_t *fields, size_t len) \
{ \
	struct wherry_ctl_##name m; \
	return wherry_ctl_get_##name(fields, len, &m); \
} \
static size_t recode_##name(const uint8_t *fields, size_t len, uint8_t *buf, size_t cap) \
{ \
	struct wherry_ctl_##name m; \
	return wherry_ctl_get_##name(fields, len, &m) ? 0 : wherry_ctl_put_##name(buf, cap, 77, &m); \
}
WHERRY_CTL_MESSAGES(CASE)
#undef CASE

static const struct message_case {
	const char *name;
	uint16_t type;
	size_t (*encode)(uint8_t *buf, size_t cap, bool full);
	int (*decode)(const uint8_t *fields, size_t len);
	size_t (*recode)(const uint8_t *fields, size_t len, uint8_t *buf, size_t cap);
} cases[] = {
#define CASE(number, NAME, name) {#NAME, number, encode_##name, decode_##name, recode_##name},
	WHERRY_CTL_MESSAGES(CASE)
#undef CASE
};
/* clang-format on */
#define CASE_COUNT (sizeof cases / sizeof cases[0])

/* A copy in a heap block of exactly that size, so that ASan sees one byte too far. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

Test(ctl_codec, every_message_survives_encode_and_decode_empty_and_full)
{
	static uint8_t first[WHERRY_CTL_MESSAGE_BYTES_MAX], second[WHERRY_CTL_MESSAGE_BYTES_MAX];
	for (size_t i = 0; i < 2 * CASE_COUNT; i++) {
		const struct message_case *c = &cases[i / 2];
		size_t len = c->encode(first, sizeof first, i & 1);
		cr_expect(len >= WHERRY_CTL_HEADER_BYTES, "%s: does not fit one packet", c->name);
		struct wherry_ctl_header h;
		cr_expect_eq(wherry_ctl_get_header(first, len, &h), 0, "%s", c->name);
		cr_expect_eq(h.type, c->type, "%s", c->name);
		cr_expect_eq(h.request_id, 77, "%s", c->name);
		cr_expect_eq(h.length, len - WHERRY_CTL_HEADER_BYTES, "%s", c->name);
		size_t again = c->recode(first + WHERRY_CTL_HEADER_BYTES, h.length, second, sizeof second);
		cr_expect(again == len && memcmp(first, second, len) == 0, "%s: decoded to something else", c->name);
		cr_expect_str_eq(wherry_ctl_type_name(c->type), c->name);
	}
}

Test(ctl_codec, every_truncation_and_a_trailing_byte_are_refused)
{
	static uint8_t buf[WHERRY_CTL_MESSAGE_BYTES_MAX + 1];
	for (size_t i = 0; i < 2 * CASE_COUNT; i++) {
		const struct message_case *c = &cases[i / 2];
		size_t len = c->encode(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, i & 1) - WHERRY_CTL_HEADER_BYTES;
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *fields = exact(buf + WHERRY_CTL_HEADER_BYTES, cut);
			cr_expect_eq(c->decode(fields, cut), -EBADMSG, "%s cut to %zu of %zu", c->name, cut, len);
			free(fields);
		}
		buf[WHERRY_CTL_HEADER_BYTES + len] = 0;
		cr_expect_eq(c->decode(buf + WHERRY_CTL_HEADER_BYTES, len + 1), -EBADMSG, "%s: trailing byte", c->name);
		cr_expect_eq(c->decode(buf + WHERRY_CTL_HEADER_BYTES, len), 0, "%s", c->name);
	}
}

Test(ctl_codec, an_encoder_never_writes_past_its_buffer)
{
	static uint8_t buf[WHERRY_CTL_MESSAGE_BYTES_MAX];
	for (size_t i = 0; i < CASE_COUNT; i++) {
		size_t len = cases[i].encode(buf, sizeof buf, true);
		for (size_t cap = 0; cap<len; cap += len> 256 ? 13 : 1) {
			uint8_t *small = malloc(cap ? cap : 1);
			cr_assert_not_null(small);
			cr_expect_eq(cases[i].encode(small, cap, true), 0, "%s into %zu bytes", cases[i].name, cap);
			free(small);
		}
	}
}

static void expect_bytes(const char *name, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len)
{
	cr_expect_eq(got_len, want_len, "%s: %zu bytes instead of %zu", name, got_len, want_len);
	for (size_t i = 0; i < want_len && i < got_len; i++)
		cr_expect_eq(got[i], want[i], "%s: byte %zu is %02x instead of %02x", name, i, got[i], want[i]);
}

Test(ctl_codec, golden_bytes)
{
	static uint8_t buf[WHERRY_CTL_MESSAGE_BYTES_MAX];

	struct wherry_ctl_hello hello = {.version = 1, .software = "w", .role = WHERRY_ROLE_CONTROLLER};
	static const uint8_t hello_bytes[] = {'W', 'H', 'R', 'Y', 1, 0, 1, 0, 5, 0,   0,
					      0,   6,   0,   0,   0, 1, 0, 1, 0, 'w', 1};
	expect_bytes("HELLO", buf, wherry_ctl_put_hello(buf, sizeof buf, 5, &hello), hello_bytes, sizeof hello_bytes);

	struct wherry_ctl_error error = {.error = EBUSY, .message = "no"};
	static const uint8_t error_bytes[] = {'W', 'H', 'R', 'Y', 1,  0, 4, 0, 0xef, 0xbe, 0,   0x80,
					      8,   0,   0,   0,   16, 0, 0, 0, 2,    0,    'n', 'o'};
	expect_bytes("ERROR", buf, wherry_ctl_put_error(buf, sizeof buf, 0x8000beefu, &error), error_bytes,
		     sizeof error_bytes);

	struct wherry_ctl_volume_put volume = {.id = 0x0807060504030201,
					       .generation = 9,
					       .name = "v0",
					       .backend = WHERRY_BACKEND_FILE,
					       .flags = 0x5,
					       .size_bytes = 1 << 20,
					       .block_bytes = 512,
					       .align_bytes = 4096,
					       .memory_align_bytes = 1};
	static const uint8_t volume_bytes[] = {
		'W', 'H', 'R',  'Y', 1, 0, 10, 0, 1, 0, 0, 0, 45, 0,    0, 0, /* header */
		1,   2,   3,    4,   5, 6, 7,  8, 9, 0, 0, 0, 0,  0,    0, 0, /* id, gen */
		2,   0,   'v',  '0', 2, 5, 0,  0, 0,                          /* name, kind, flags */
		0,   0,   0x10, 0,   0, 0, 0,  0, 0, 2, 0, 0, 0,  0x10, 0, 0, 1, 0, 0, 0};
	expect_bytes("VOLUME_PUT", buf, wherry_ctl_put_volume_put(buf, sizeof buf, 1, &volume), volume_bytes,
		     sizeof volume_bytes);

	struct wherry_ctl_capture_start capture = {
		.port = 0xffff,
		.mac = {.count = 1, .mac = {{{2, 0, 0, 0, 0, 7}}}},
		.snap_bytes = 64,
		.count = 3,
		.seconds = 2,
	};
	static const uint8_t capture_bytes[] = {'W', 'H', 'R',  'Y',  1, 0, 40, 0, 1, 0, 0, 0, 26, 0,
						0,   0,   0xff, 0xff, 1, 0, 2,  0, 0, 0, 0, 7, 64, 0,
						0,   0,   3,    0,    0, 0, 0,  0, 0, 0, 2, 0, 0,  0};
	expect_bytes("CAPTURE_START", buf, wherry_ctl_put_capture_start(buf, sizeof buf, 1, &capture), capture_bytes,
		     sizeof capture_bytes);

	static struct wherry_ctl_hist_item hist = {
		.scope = 2, .id = 1, .kind = 1, .first_bucket = 0x102, .values = {.count = 2, .v = {3, 1ull << 40}}};
	static const uint8_t hist_bytes[] = {'W', 'H', 'R', 'Y', 1, 0, 32, 0, 1, 0, 0, 0, 30, 0, 0, 0,
					     2,   1,   0,   0,   0, 0, 0,  0, 0, 1, 2, 1, 2,  0, 3, 0,
					     0,   0,   0,   0,   0, 0, 0,  0, 0, 0, 0, 1, 0,  0};
	expect_bytes("HIST_ITEM", buf, wherry_ctl_put_hist_item(buf, sizeof buf, 1, &hist), hist_bytes,
		     sizeof hist_bytes);

	static struct wherry_ctl_aoe_state_put state = {
		.export_id = 1,
		.state_generation = 2,
		.config = {.len = 2, .b = {0xde, 0xad}},
		.mask = {.count = 1, .mac = {{{1, 2, 3, 4, 5, 6}}}},
		.reserve = {.count = 0},
	};
	static const uint8_t state_bytes[] = {'W', 'H', 'R',  'Y',  1, 0, 22, 0, 1, 0, 0, 0, 30, 0, 0, 0,
					      1,   0,   0,    0,    0, 0, 0,  0, 2, 0, 0, 0, 0,  0, 0, 0,
					      2,   0,   0xde, 0xad, 1, 0, 1,  2, 3, 4, 5, 6, 0,  0};
	expect_bytes("AOE_STATE_PUT", buf, wherry_ctl_put_aoe_state_put(buf, sizeof buf, 1, &state), state_bytes,
		     sizeof state_bytes);
}

/* The messages above as wire bytes with one count, flag or character spoilt. */
Test(ctl_codec, a_count_above_its_maximum_is_refused_by_both_ends)
{
	static uint8_t buf[WHERRY_CTL_MESSAGE_BYTES_MAX];
	static struct wherry_ctl_aoe_export_put put;
	static struct wherry_ctl_stats_item stats;
	static struct wherry_ctl_hist_item hist;
	static struct wherry_ctl_capture_start capture;
	struct {
		const char *name;
		uint16_t *count;
		uint16_t max;
	} counts[] = {
		{"ports", &put.ports.count, WHERRY_PORT_COUNT_MAX},
		{"vlans", &put.vlans.count, WHERRY_VLAN_COUNT_MAX},
		{"config", &put.config.len, WHERRY_AOE_CONFIG_BYTES_MAX},
		{"mask", &put.mask.count, WHERRY_AOE_MASK_COUNT_MAX},
		{"reserve", &put.reserve.count, WHERRY_AOE_RESERVE_COUNT_MAX},
		{"values", &stats.values.count, WHERRY_STAT_COUNT_MAX},
		{"buckets", &hist.values.count, WHERRY_HIST_BUCKET_COUNT},
		{"mac", &capture.mac.count, 1},
	};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		for (unsigned over = 0; over < 2; over++) {
			*counts[i].count = (uint16_t)(counts[i].max + over);
			bool all = wherry_ctl_put_aoe_export_put(buf, sizeof buf, 1, &put) &&
				   wherry_ctl_put_stats_item(buf, sizeof buf, 1, &stats) &&
				   wherry_ctl_put_hist_item(buf, sizeof buf, 1, &hist) &&
				   wherry_ctl_put_capture_start(buf, sizeof buf, 1, &capture);
			cr_expect_eq(all, !over, "%s: encoder at maximum + %u", counts[i].name, over);
		}
		*counts[i].count = 0;
	}

	/* Decoders: the count is written by hand, with enough bytes behind it for the count to be believable. */
	struct {
		const char *name;
		size_t at; /* of the count, in the fields of an otherwise empty message */
		uint16_t max;
		size_t element_bytes;
		int (*decode)(const uint8_t *fields, size_t len);
		size_t empty_bytes;
	} wire[] = {
		{"software", 2, WHERRY_NAME_BYTES_MAX, 1, decode_hello, 5},
		{"message", 4, WHERRY_TEXT_BYTES_MAX, 1, decode_error, 6},
		{"config", 16, WHERRY_AOE_CONFIG_BYTES_MAX, 1, decode_aoe_state_put, 22},
		{"mask", 18, WHERRY_AOE_MASK_COUNT_MAX, 6, decode_aoe_state_put, 22},
		{"reserve", 20, WHERRY_AOE_RESERVE_COUNT_MAX, 6, decode_aoe_state_put, 22},
		{"values", 17, WHERRY_STAT_COUNT_MAX, 8, decode_stats_item, 19},
		{"buckets", 12, WHERRY_HIST_BUCKET_COUNT, 8, decode_hist_item, 14},
		{"mac", 2, 1, 6, decode_capture_start, 20},
		{"ports", 39, WHERRY_PORT_COUNT_MAX, 2, decode_aoe_export_put, 57},
		{"vlans", 41, WHERRY_VLAN_COUNT_MAX, 2, decode_aoe_export_put, 57},
	};
	for (size_t i = 0; i < sizeof wire / sizeof wire[0]; i++) {
		for (unsigned over = 0; over < 2; over++) {
			unsigned count = wire[i].max + over;
			size_t len = wire[i].empty_bytes + count * wire[i].element_bytes;
			memset(buf, 0, len);
			buf[wire[i].at] = (uint8_t)count;
			buf[wire[i].at + 1] = (uint8_t)(count >> 8);
			memset(buf + wire[i].at + 2, 'x', count * wire[i].element_bytes);
			uint8_t *fields = exact(buf, len);
			cr_expect_eq(wire[i].decode(fields, len), over ? -EBADMSG : 0, "%s: %u", wire[i].name, count);
			free(fields);
		}
	}
}

Test(ctl_codec, a_boolean_is_zero_or_one_and_a_string_has_no_nul)
{
	uint8_t online[9] = {1};
	for (unsigned value = 0; value < 256; value++) {
		online[8] = (uint8_t)value;
		cr_expect_eq(decode_volume_online(online, sizeof online), value < 2 ? 0 : -EBADMSG, "bool %u", value);
	}
	uint8_t hello[] = {1, 0, 3, 0, 'a', 0, 'b', 1};
	cr_expect_eq(decode_hello(hello, sizeof hello), -EBADMSG);
	hello[5] = '-';
	cr_expect_eq(decode_hello(hello, sizeof hello), 0);
}

Test(ctl_codec, a_header_is_checked_in_every_field)
{
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 4];
	struct wherry_ctl_header h;
	const struct wherry_ctl_idle_put m = {0};
	static uint8_t whole[64];
	size_t len = wherry_ctl_put_idle_put(whole, sizeof whole, 0xa1b2c3d4, &m);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *part = exact(whole, cut);
		cr_expect_eq(wherry_ctl_get_header(part, cut, &h), -EBADMSG, "cut to %zu", cut);
		free(part);
	}
	memcpy(packet, whole, sizeof packet);
	packet[12] = 4;
	cr_expect_eq(wherry_ctl_get_header(packet, sizeof packet, &h), 0);
	for (int delta = -1; delta <= 1; delta += 2) {
		packet[12] = (uint8_t)(4 + delta);
		cr_expect_eq(wherry_ctl_get_header(packet, sizeof packet, &h), -EBADMSG, "length off by %d", delta);
	}
	packet[12] = 4;
	for (unsigned byte = 0; byte < 4; byte++) {
		packet[byte] ^= 1;
		cr_expect_eq(wherry_ctl_get_header(packet, sizeof packet, &h), -EBADMSG, "magic byte %u", byte);
		packet[byte] ^= 1;
	}
	packet[4] = WHERRY_CTL_VERSION + 1;
	cr_expect_eq(wherry_ctl_get_header(packet, sizeof packet, &h), -EPROTONOSUPPORT);
	cr_expect_eq(h.request_id, 0xa1b2c3d4, "the refusal can carry the request's id");
	cr_expect_eq(h.type, WHERRY_CTL_IDLE_PUT);
}

Test(ctl_codec, unknown_types_have_no_name)
{
	unsigned named = 0;
	for (unsigned type = 0; type <= UINT16_MAX; type++)
		named += wherry_ctl_type_name((uint16_t)type) != NULL;
	cr_expect_eq(named, CASE_COUNT);
	cr_expect_null(wherry_ctl_type_name(0));
}

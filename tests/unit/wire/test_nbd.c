/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD: golden bytes, emit and parse, every truncation, every length off by one. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/nbd.h"

/* clang-format off */
static const uint8_t request[NBD_REQUEST_BYTES] = {
	0x25, 0x60, 0x95, 0x13, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0x10, 0, 0xff, 0xff, 0xff, 0xfe,
};
static const uint8_t request_ext[NBD_REQUEST_EXT_BYTES] = {
	0x21, 0xe4, 0x1c, 0x71, 0, 0x20, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 2,
};
static const uint8_t chunk[NBD_CHUNK_BYTES] = {
	0x66, 0x8e, 0x33, 0xef, 0, 1, 0x80, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 14,
};
static const uint8_t chunk_ext[NBD_CHUNK_EXT_BYTES] = {
	0x6e, 0x8a, 0x27, 0x8c, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24,
};
static const uint8_t simple[NBD_SIMPLE_REPLY_BYTES] = {0x67, 0x44, 0x66, 0x98, 0, 0, 0, 22, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t option[NBD_OPTION_BYTES] = {'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7, 0, 0, 1, 2};
static const uint8_t go[] = {0, 0, 0, 2, 'a', 'b', 0, 2, 0, 3, 0, 1};
static const uint8_t meta[] = {0, 0, 0, 1, 'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 'b', ':', 'c'};
/* clang-format on */

#define COOKIE 0x0102030405060708ull

Test(wire_nbd, requests_are_parsed_and_emitted_as_the_document_has_them)
{
	struct nbd_command_header h;
	uint8_t bytes[NBD_REQUEST_EXT_BYTES];
	cr_assert(nbd_request_parse(request, sizeof request, false, &h).result == WIRE_OK);
	cr_expect(h.flags == 1 && h.type == NBD_CMD_WRITE_ZEROES && h.cookie == COOKIE);
	cr_expect(h.offset_bytes == 0x100001000ull && h.len_bytes == 0xfffffffe);
	cr_expect(nbd_request_emit(bytes, false, &h) == sizeof request && memcmp(bytes, request, sizeof request) == 0);
	cr_assert(nbd_request_parse(request_ext, sizeof request_ext, true, &h).result == WIRE_OK);
	cr_expect(h.flags == NBD_CMD_FLAG_PAYLOAD_LEN && h.type == NBD_CMD_WRITE && h.len_bytes == 0x100000002ull);
	cr_expect(nbd_request_emit(bytes, true, &h) == sizeof request_ext);
	cr_expect(memcmp(bytes, request_ext, sizeof request_ext) == 0);
}

Test(wire_nbd, replies_are_parsed_and_emitted_as_the_document_has_them)
{
	struct nbd_chunk_header h;
	struct nbd_simple_reply reply;
	uint8_t bytes[NBD_CHUNK_EXT_BYTES];
	cr_assert(nbd_chunk_parse(chunk, sizeof chunk, false, &h).result == WIRE_OK);
	cr_expect(h.flags == 1 && h.type == NBD_CHUNK_ERROR_OFFSET && h.cookie == COOKIE && h.len_bytes == 14);
	cr_expect(nbd_chunk_emit(bytes, false, &h) == sizeof chunk && memcmp(bytes, chunk, sizeof chunk) == 0);
	cr_assert(nbd_chunk_parse(chunk_ext, sizeof chunk_ext, true, &h).result == WIRE_OK);
	cr_expect(h.type == NBD_CHUNK_BLOCK_STATUS_EXT && h.offset_bytes == 65536 && h.len_bytes == 24);
	cr_expect(nbd_chunk_emit(bytes, true, &h) == sizeof chunk_ext);
	cr_expect(memcmp(bytes, chunk_ext, sizeof chunk_ext) == 0);
	cr_assert(nbd_simple_reply_parse(simple, sizeof simple, &reply).result == WIRE_OK);
	cr_expect(reply.error == NBD_EINVAL && reply.cookie == COOKIE);
	cr_expect(nbd_simple_reply_emit(bytes, &reply) == sizeof simple && memcmp(bytes, simple, sizeof simple) == 0);
}

Test(wire_nbd, options_are_parsed_as_the_document_has_them)
{
	struct nbd_option_header h;
	struct nbd_go g;
	struct nbd_meta m;
	uint8_t bytes[NBD_OPTION_BYTES];
	uint32_t at = 0;
	cr_assert(nbd_option_parse(option, sizeof option, &h).result == WIRE_OK);
	cr_expect(h.option == NBD_OPT_GO && h.len_bytes == 0x102);
	cr_expect(nbd_option_emit(bytes, &h) == sizeof option && memcmp(bytes, option, sizeof option) == 0);
	cr_assert(nbd_go_parse(go, sizeof go, &g).result == WIRE_OK);
	cr_expect(nbd_text_is(g.name, "ab") && g.info_count == 2);
	cr_expect(nbd_go_info(&g, 0) == NBD_INFO_BLOCK_SIZE && nbd_go_info(&g, 1) == NBD_INFO_NAME);
	cr_assert(nbd_meta_parse(meta, sizeof meta, &m).result == WIRE_OK);
	cr_expect(nbd_text_is(m.name, "a") && m.query_count == 2);
	cr_expect(nbd_text_is(nbd_meta_query(&m, &at), "") && nbd_text_is(nbd_meta_query(&m, &at), "b:c"));
	cr_expect(at == m.queries_bytes);
}

/* The first len bytes, in a buffer of just that size. */
static uint8_t *cut(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	return copy;
}

Test(wire_nbd, every_truncation_is_short)
{
	for (size_t len = 0; len < NBD_REQUEST_EXT_BYTES; len++) {
		struct nbd_command_header r;
		struct nbd_chunk_header c;
		struct nbd_simple_reply s;
		struct nbd_option_header o;
		struct nbd_go g;
		struct nbd_meta m;
		const struct {
			const char *name;
			const uint8_t *bytes;
			size_t whole;
		} cases[] = {{"request", request, sizeof request},
			     {"extended request", request_ext, sizeof request_ext},
			     {"chunk", chunk, sizeof chunk},
			     {"extended chunk", chunk_ext, sizeof chunk_ext},
			     {"simple", simple, sizeof simple},
			     {"option", option, sizeof option},
			     {"go", go, sizeof go},
			     {"meta", meta, sizeof meta}};
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			if (len >= cases[i].whole)
				continue;
			uint8_t *bytes = cut(cases[i].bytes, len);
			const uint32_t n = (uint32_t)len;
			const struct wire_status all[] = {nbd_request_parse(bytes, i == 0 ? n : 0, false, &r),
							  nbd_request_parse(bytes, i == 1 ? n : 0, true, &r),
							  nbd_chunk_parse(bytes, i == 2 ? n : 0, false, &c),
							  nbd_chunk_parse(bytes, i == 3 ? n : 0, true, &c),
							  nbd_simple_reply_parse(bytes, i == 4 ? n : 0, &s),
							  nbd_option_parse(bytes, i == 5 ? n : 0, &o),
							  nbd_go_parse(bytes, i == 6 ? n : 0, &g),
							  nbd_meta_parse(bytes, i == 7 ? n : 0, &m)};
			cr_expect(all[i].result == WIRE_SHORT, "%s of %zu bytes", cases[i].name, len);
			free(bytes);
		}
	}
}

Test(wire_nbd, lengths_off_by_one_are_refused)
{
	for (size_t i = 0; i < sizeof go; i++) {
		struct nbd_go g;
		uint8_t bytes[sizeof go];
		if (i != 3 && i != 7)
			continue;
		for (int d = -1; d <= 1; d += 2) {
			memcpy(bytes, go, sizeof go);
			bytes[i] = (uint8_t)(bytes[i] + d);
			cr_expect(nbd_go_parse(bytes, sizeof bytes, &g).result != WIRE_OK, "byte %zu %+d", i, d);
		}
	}
	static const size_t places[] = {3, 8, 12, 16};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct nbd_meta m;
		uint8_t bytes[sizeof meta];
		for (int d = -1; d <= 1; d += 2) {
			memcpy(bytes, meta, sizeof meta);
			bytes[places[i]] = (uint8_t)(bytes[places[i]] + d);
			cr_expect(nbd_meta_parse(bytes, sizeof bytes, &m).result != WIRE_OK, "byte %zu %+d", places[i],
				  d);
		}
	}
}

Test(wire_nbd, another_magic_is_bad)
{
	uint8_t bytes[NBD_REQUEST_EXT_BYTES];
	struct nbd_command_header r;
	struct nbd_option_header o;
	for (size_t i = 0; i < 4; i++) {
		memcpy(bytes, request, sizeof request);
		bytes[i] ^= 1;
		cr_expect(nbd_request_parse(bytes, sizeof request, false, &r).result == WIRE_BAD);
	}
	cr_expect(nbd_request_parse(request_ext, sizeof request, false, &r).result == WIRE_BAD, "the other dialect's");
	for (size_t i = 0; i < 8; i++) {
		memcpy(bytes, option, sizeof option);
		bytes[i] ^= 1;
		cr_expect(nbd_option_parse(bytes, sizeof option, &o).result == WIRE_BAD);
	}
}

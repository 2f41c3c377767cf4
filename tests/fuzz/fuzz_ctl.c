/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary packets of the control protocol: header, then the fields of
 * whatever type it names.  What is decoded must encode to the same bytes, and
 * must not fit into one byte less.
 *
 * Input: the type (2 bytes, little-endian, modulo a small number so that types
 * are hit), then the fields.
 */
#include <stdlib.h>

#include "wherry/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void header(const uint8_t *data, size_t size)
{
	struct wherry_ctl_header h;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES] = {0};
	int result = wherry_ctl_get_header(data, size, &h);
	require(result == 0 || result == -EBADMSG || result == -EPROTONOSUPPORT);
	memcpy(packet, data, size < sizeof packet ? size : sizeof packet);
	struct wherry_ctl_writer w = {packet, packet + sizeof packet, false};
	wherry_ctl_put_uint(&w, WHERRY_CTL_MAGIC, 4);
	require(wherry_ctl_get_header(packet, size < sizeof packet ? size : sizeof packet, &h) <= 0);
}

#define TRY(number, NAME, name)                                                                                        \
	static void try_##name(const uint8_t *fields, size_t len)                                                      \
	{                                                                                                              \
		static struct wherry_ctl_##name m;                                                                     \
		static uint8_t out[WHERRY_CTL_HEADER_BYTES + WHERRY_CTL_MESSAGE_BYTES_MAX];                            \
		struct wherry_ctl_header h;                                                                            \
		int result = wherry_ctl_get_##name(fields, len, &m);                                                   \
		require(result == 0 || result == -EBADMSG);                                                            \
		if (result)                                                                                            \
			return;                                                                                        \
		size_t written = wherry_ctl_put_##name(out, sizeof out, 7, &m);                                        \
		require(written == WHERRY_CTL_HEADER_BYTES + len);                                                     \
		require(len == 0 || memcmp(out + WHERRY_CTL_HEADER_BYTES, fields, len) == 0);                          \
		require(wherry_ctl_get_header(out, written, &h) == 0);                                                 \
		require(h.type == (number) && h.request_id == 7 && h.length == len);                                   \
		require(wherry_ctl_put_##name(out, written - 1, 7, &m) == 0);                                          \
	}
WHERRY_CTL_MESSAGES(TRY)
#undef TRY

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > WHERRY_CTL_MESSAGE_BYTES_MAX)
		return -1;
	/* An allocation of exact size shows a byte read too far. */
	uint8_t *bytes = malloc(size ? size : 1);
	require(bytes != NULL);
	if (size)
		memcpy(bytes, data, size);
	header(bytes, size);
	if (size >= 2) {
		unsigned type = (bytes[0] | (unsigned)bytes[1] << 8) % 64;
		switch (type) {
#define CASE(number, NAME, name)                                                                                       \
	case number:                                                                                                   \
		try_##name(bytes + 2, size - 2);                                                                       \
		break;
			WHERRY_CTL_MESSAGES(CASE)
#undef CASE
		default:
			require(wherry_ctl_type_name((uint16_t)type) == NULL);
		}
	}
	free(bytes);
	return 0;
}

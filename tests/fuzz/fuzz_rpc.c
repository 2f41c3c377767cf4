/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes over the three sockets of wherryd, decoded and checked.
 *
 * Input: one byte that chooses, then bytes: a stream of JSON-RPC lines as clients
 * send them, a packet of the dataplane, or a message between the two halves.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/line.h"
#include "daemon/monitor_msg.h"
#include "daemon/plane_link.h"
#include "daemon/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Whatever was asked, the answer can be written, and is one line. */
static void respond(json_t *id, const struct fail *fail)
{
	json_t *response = rpc_response(id, NULL, fail);
	char *text = json_dumps(response, JSON_COMPACT);

	require(text && !strchr(text, '\n'));
	free(text);
	json_decref(response);
}

static void request(json_t *value)
{
	struct rpc_request decoded;
	struct fail fail = {.kind = FAIL_NONE, .text = ""};

	if (rpc_request_decode(value, &decoded, &fail) == 0) {
		require(decoded.method && json_is_object(decoded.params));
		require(rpc_schema_check(decoded.method->params, decoded.params, "params", &fail) == 0);
		json_decref(decoded.params);
		return;
	}
	require(fail.kind != FAIL_NONE && fail.text[0]);
	respond(decoded.id, &fail);
}

static void lines(const uint8_t *data, size_t size)
{
	struct line_reader reader;
	struct fail fail = {.kind = FAIL_NONE};
	char *line;
	size_t len, step = size ? 1 + data[0] % 64u : 1;

	line_reader_init(&reader, 4096);
	for (size_t at = 0; at < size; at += step) {
		require(line_reader_feed(&reader, data + at, size - at < step ? size - at : step) == 0);
		for (;;) {
			enum line_status status = line_reader_next(&reader, &line, &len);
			if (status == LINE_NONE)
				break;
			if (status == LINE_TOO_LONG)
				continue;
			require(len <= 4096);
			json_t *value = rpc_line_decode(line, len, &fail);
			if (!value)
				respond(NULL, &fail);
			else if (json_is_array(value))
				for (size_t i = 0; i < json_array_size(value); i++)
					request(json_array_get(value, i));
			else
				request(value);
			json_decref(value);
		}
	}
	line_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static union monitor_message message;
	struct wherry_ctl_header header;
	static struct wherry_ctl_error error;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		(void)plane_packet_decode(data + 1, size - 1, &header, &error);
		break;
	case 1:
		memset(&message, 0, sizeof message);
		memcpy(&message, data + 1, size - 1 < sizeof message ? size - 1 : sizeof message);
		(void)monitor_message_check(&message, monitor_message_bytes(message.header.op));
		(void)monitor_message_check(&message, size - 1 < sizeof message ? size - 1 : sizeof message);
		break;
	default:
		lines(data + 1, size - 1);
	}
	return 0;
}
